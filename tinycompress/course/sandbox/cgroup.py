"""Bound the memory of a worker as a whole: by a control group, where one can be had.

Limits on a process do not count files in memory, pages of the kernel's own, or other processes. A control group counts all
of them. The grader makes one beside or below its own if the kernel and its permissions allow it (root, or a user to whom
systemd has delegated a subtree); otherwise `systemd-run --user` may do it (docs.kernel.org, "Control Group v2").
"""

import functools
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ..system import is_running

MEMORY = (2 << 30) + (256 << 20)  # what a process may have, and 256 MiB for files and the kernel
PREFIX = "tinycompress-"
BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # by which systemd-run finds the user's systemd
LAUNCH = (sys.executable, "-I", "-S", "-B", str(Path(__file__).with_name("launch.py")))
OLD = 60  # seconds; where grader and container number processes differently, a younger group may be another grader's
_count = itertools.count()


@functools.cache
def parent() -> Path | None:
    """A group in which this process may make others that limit memory; None if there is none."""
    for place in _candidates(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text()):
        trial = place / f"{PREFIX}{os.getpid()}-trial"
        try:
            trial.mkdir()
            try:
                _limit(trial)
                subprocess.run([*LAUNCH, str(trial), sys.executable, "-ISc", ""], check=True, capture_output=True)
                return place
            finally:
                remove(trial)
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


def _candidates(mounts: str, own: str) -> list[Path]:
    """Groups that may have groups that limit memory: version 2, this process's own one and its parent; or version 1."""
    lines = re.findall(r"^\S+ \S+ \S+ (\S+) (\S+) .*? - (cgroup2?) \S+ (\S+)$", mounts, re.MULTILINE)
    paths = {
        name: path for _, names, path in (line.split(":", 2) for line in own.splitlines()) for name in names.split(",")
    }
    found = []
    for root, place, kind, options in lines:
        name = "" if kind == "cgroup2" else "memory"
        if name not in paths or (name and name not in options.split(",")) or not Path(paths[name]).is_relative_to(root):
            continue
        mine = Path(place, Path(paths[name]).relative_to(root))
        if name:
            found.append(mine)
        else:
            found += [group for group in (mine, mine.parent) if group.is_relative_to(place) and _shares_memory(group)]
    return found


def _shares_memory(group: Path) -> bool:
    try:
        return "memory" in (group / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


def _limit(group: Path) -> None:
    """Set the limits. Raises OSError if it cannot be done."""
    first = (group / "memory.max").exists()
    memory, swap = (
        ("memory.max", "memory.swap.max") if first else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    )
    (group / memory).write_text(str(MEMORY))
    if (group / swap).exists():  # absent without swap accounting
        (group / swap).write_text("0" if first else str(MEMORY))


def make() -> Path | None:
    """A new group for one worker, which `launch.py` joins; None if there can be none. Call `remove` at the end."""
    place = parent()
    if place is None:
        return None
    for left in place.glob(f"{PREFIX}*-*"):  # of graders that were killed
        process = left.name.removeprefix(PREFIX).partition("-")[0]
        if process.isdecimal() and not is_running(int(process)) and time.time() - left.stat().st_mtime > OLD:
            remove(left, seconds=0)
    group = place / f"{PREFIX}{os.getpid()}-{next(_count)}"
    group.mkdir()
    _limit(group)
    return group


def remove(group: Path, seconds: float = 5) -> None:
    """Remove a group, once the kernel has seen its last process end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() >= deadline:
                return
            time.sleep(0.01)


@functools.cache
def scope() -> tuple[str, ...]:
    """The beginning of a command that runs it in a group made by the user's systemd; () if that cannot be had."""
    if os.geteuid() == 0 or parent() or not shutil.which("systemd-run"):
        return ()
    limits = (f"MemoryMax={MEMORY}", "MemorySwapMax=0")
    command = ("systemd-run", "--user", "--scope", "--quiet", "--collect", *(f"--property={limit}" for limit in limits))
    try:
        tried = subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if tried.returncode == 0 else ()


def environment() -> dict[str, str]:
    """What `scope` needs of this process's environment; the sandbox clears it."""
    return {name: os.environ[name] for name in BUS if scope() and name in os.environ}


def described() -> str:
    """What bounds the memory of a submission, in words."""
    if parent() or scope():
        return f"memory bounded by a control group{'' if parent() else ' of systemd'}"
    return "memory bounded per process only, since no control group can be had"
