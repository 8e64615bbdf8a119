"""Start a command in a session keyring of its own, and as the first to be killed when memory runs out.

    python launch.py COMMAND ...

bubblewrap unshares no keyring, so without this a submission would hold the keys of the grader's login. Raising one's own
oom_score_adj needs no rights, and all that the command starts inherits it. This is a program because a keyring is joined
by a thread, for good: the grader itself keeps its own.
"""

import contextlib
import ctypes
import os
import sys

KEYCTL = {"x86_64": 250, "aarch64": 219}  # the system call's number
JOIN_SESSION_KEYRING = 1

if __name__ == "__main__":
    number = KEYCTL.get(os.uname().machine)
    if number is not None:  # it fails where the kernel or a container has no keys to offer
        ctypes.CDLL(None).syscall(number, JOIN_SESSION_KEYRING, None)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    os.execvp(sys.argv[1], sys.argv[1:])
