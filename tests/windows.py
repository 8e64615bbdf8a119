"""Take from this process what Python on Windows does not have, as far as that can be done on another system."""

import asyncio  # noqa: F401  (what is imported before is made for this system, as it would be for Windows)
import ctypes  # noqa: F401
import multiprocessing.resource_tracker  # noqa: F401
import multiprocessing.util  # noqa: F401
import os
import shutil
import signal
import subprocess  # noqa: F401
import sys
import tempfile  # noqa: F401

import numba  # noqa: F401
import numpy  # noqa: F401
import platformdirs  # noqa: F401
import pytest  # noqa: F401

MODULES = ("fcntl", "resource", "pwd", "grp", "termios")
OF_SIGNAL = ("SIGALRM", "SIGHUP", "SIGKILL", "alarm", "pthread_sigmask", "setitimer")
OF_OS = (
    *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "fork", "getegid", "geteuid", "getgid", "getloadavg"),
    *("getpgid", "getuid", "killpg", "mkfifo", "pread", "pwrite", "register_at_fork", "sched_getaffinity"),
    *("sched_setaffinity", "set_blocking", "setsid", "sysconf"),
)


def become_windows(delattr=delattr, setattr=setattr, setitem=dict.__setitem__) -> None:
    """With the functions of pytest's monkeypatch, until its test ends."""
    for name in OF_OS:
        delattr(os, name)
    for name in OF_SIGNAL:
        delattr(signal, name)
    for name in MODULES:
        setitem(sys.modules, name, None)
    setattr(os, "supports_dir_fd", set())
    setattr(shutil, "_use_fd_functions", False)
    true_open, true_scandir = os.open, os.scandir

    def open_file(path, flags, mode=0o777, *, dir_fd=None):
        if dir_fd is not None:
            raise NotImplementedError("dir_fd unavailable on this platform")
        if os.path.isdir(path) and not flags & getattr(os, "O_TMPFILE", 0):
            raise PermissionError(13, "Permission denied", path)
        return true_open(path, flags, mode)

    def scandir(path="."):
        if isinstance(path, int):
            raise TypeError("scandir: path should be string, bytes, os.PathLike or None, not int")
        return true_scandir(path)

    setattr(os, "open", open_file)
    setattr(os, "scandir", scandir)
