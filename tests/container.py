"""Run a command as root of a container such as Docker's, for tests that root runs.

    python container.py COMMAND ...

It has a user namespace of its own, with user ids up to 65535, in which it may make no others, and Docker's capabilities:
neither mounts nor namespaces can be had. All of its processes end with it.
"""

import ctypes
import os
import sys
from pathlib import Path

from ordinary_user import where_all_can_read

CAPABILITIES = (  # docs.docker.com, "Runtime privilege and Linux capabilities"
    *("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service"),
    *("net_raw", "sys_chroot", "mknod", "audit_write", "setfcap"),
)
CLONE_NEWUSER = 0x10000000


def in_container(command: list[str], *more: Path) -> list[str]:
    """The command that does it; `more` are further folders that it needs."""
    program = [sys.executable, os.path.abspath(__file__), "--inside", *command]
    return where_all_can_read(program, *more, unshare=("--pid", "--fork", "--kill-child", "--mount-proc"))


def inside(command: list[str]) -> int:
    """Run the command in a new user namespace, and return its exit status. Only another process may map all user ids."""
    (ready, made), (go, mapped) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
            os._exit(99)
        os.write(made, b"x")
        os.read(go, 1)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        kept = ["--inh-caps=-all", "--bounding-set=" + ",".join(["-all", *(f"+{name}" for name in CAPABILITIES)])]
        os.execvp("setpriv", ["setpriv", *kept, *command])
    os.close(made)
    if os.read(ready, 1):
        for kind in "uid", "gid":
            Path(f"/proc/{child}/{kind}_map").write_text("0 0 65536")
    os.write(mapped, b"x")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        sys.exit(inside(sys.argv[2:]))
    command = in_container(sys.argv[1:])
    os.execvp(command[0], command)
