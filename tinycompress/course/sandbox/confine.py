"""Give up root's rights for good, and start a command: the wall where namespaces cannot be had, as in most containers.

    python confine.py PARENT USER FILTER RULES FOLDER COMMAND ...

The command runs as USER, in FOLDER, and ends when the process PARENT ends. FILTER is the descriptor of a filter of system
calls (`syscalls.py`), RULES that of a JSON list of (path, rights) outside of which Landlock lets no file be opened; where
the kernel has no Landlock, RULES is "" and files are protected by their permissions only. Neither needs any rights
(linux/seccomp.h, linux/landlock.h). This is a program, like launch.py, because none of it can be undone.
"""

import contextlib
import ctypes
import json
import os
import signal
import stat
import struct
import sys

PDEATHSIG, SECCOMP, NO_NEW_PRIVS = 1, 22, 38  # PR_SET_*
FILTER_MODE = 2  # SECCOMP_MODE_FILTER
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same on all machines
VERSION, PATH_BENEATH = 1, 1  # LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ, LIST, ALL = EXECUTE | READ_FILE | READ_DIR, READ_DIR, (1 << 16) - 1

libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The version of Landlock's interface in this kernel; 0 if it has none, or a container forbids it."""
    return max(0, libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(VERSION)))


def checked(result: int) -> int:
    """The result of a system call. Raises OSError if it failed."""
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def restrict_files(rules: list) -> None:
    """Let this process open only what lies below these paths, with these rights; and connect to or signal nothing else."""
    version = landlock_version()
    known = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    # handled_access_fs, handled_access_net (bind and connect), scoped (abstract sockets and signals)
    attributes = struct.pack("=QQQ", known, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = checked(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)))
    for path, rights in rules:
        with contextlib.suppress(FileNotFoundError):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights &= known if stat.S_ISDIR(os.fstat(place).st_mode) else known & OF_FILES
            rule = struct.pack("=Qi", rights, place)
            checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, ctypes.c_uint(0)))
            os.close(place)
    checked(libc.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint(0)))
    os.close(ruleset)


def filter_calls(program: bytes) -> None:
    """Load a seccomp filter: `struct sock_fprog` is a count of instructions, and where they are."""
    instructions = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    checked(libc.prctl(SECCOMP, FILTER_MODE, described, 0, 0))


def main(parent: int, user: int, filter: int, rules: str, folder: str, command: list[str]) -> None:
    """Do what the module's docstring says. Raises OSError where the kernel refuses a part of it."""
    with open(filter, "rb") as file:
        program = file.read()
    allowed = None
    if rules:
        with open(int(rules)) as file:
            allowed = json.load(file)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)  # which drops all capabilities
    checked(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0))
    checked(libc.prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0))  # after the change of user, which would undo it
    if os.getppid() != parent:
        sys.exit("the grader has ended")
    os.chdir(folder)
    os.umask(0o077)
    if allowed is not None:
        restrict_files(allowed)
    filter_calls(program)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), *sys.argv[4:6], sys.argv[6:])
