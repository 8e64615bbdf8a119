"""`course doctor`: whether this machine can grade untrusted code, and if not, what to do."""

import os
import shutil
import sys
from pathlib import Path

from ...kernels.runtime.threads import usable_cores
from ..allowed import LIBRARIES
from ..exercise import Exercise
from ..sandbox import NONE, level, wire, worker, workers
from ..sandbox.bubblewrap import PROCESSES, SCRATCH
from ..system import can_grade
from .secrets import seen_inside


def report(exercises: list[Exercise], handins: Path | None, log: Path | str) -> tuple[str, bool]:
    """The findings, one per line, and whether submissions can be graded: there is a sandbox, and no secret seen in it.

    handins: the folder of hand-ins, if it is known.
    """
    found = level()
    count, seen = (0, {}) if found.name == NONE else seen_inside(exercises, handins, log, found.name)
    lines = [
        f"sandbox      {found.name}: {found.detail}",
        f"python       {sys.version.split()[0]}, {_visibility()}",
        f"inside       {', '.join(LIBRARIES)}, and the parts of tinycompress that an exercise allows; no network, no /proc",
        f"secrets      {_secrets(count, seen, found.name)}",
        f"a call       10 s unless its test allows more; {worker.CPU_SECONDS} s of processor time per process and "
        f"{workers.SECONDS} s in total per exercise",
        f"memory       {worker.MEMORY >> 20} MiB per process, {PROCESSES} threads, {SCRATCH >> 20} MiB of files",
        f"an answer    at most {wire.MAX_TOTAL >> 20} MiB in {wire.MAX_ARRAYS} arrays of {wire.MAX_ARRAY >> 20} MiB",
        f"cores        {usable_cores()}",
        f"pytest       {_version('pytest')}",
        f"distributed  {_version('distributed')} (only for --dask)",
    ]
    if found.name == NONE:
        lines += ["", "This machine will not grade untrusted code. " + _advice()]
    return "\n".join(lines), found.name != NONE and not seen


def _secrets(count: int, seen: dict[str, str], level: str) -> str:
    """How many files were looked for inside, and which of them a submission can read."""
    if level == NONE:
        return "not tried, without a sandbox"
    if not seen:
        return f"none of {count} files (solutions, tests, hand-ins, log) can be read inside"
    lines = [f"{path} can be read inside" + ("" if path == place else f", as {place}") for path, place in seen.items()]
    return "\n             ".join([f"{len(seen)} of {count} files are NOT SECRET; move them away:", *sorted(lines)])


def _visibility() -> str:
    """Whether an unprivileged user can reach this interpreter."""
    if not can_grade(trusted=False):
        return "for students: untrusted code is graded on Linux"
    path = Path(os.path.realpath(sys.executable))
    closed = [str(folder) for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001]
    if not closed:
        return "open to every user"
    if os.geteuid() == 0:
        return f"under {closed[0]}, which is closed to other users; root binds it into the sandbox"
    return f"under {closed[0]}, which is closed to other users, but open to you"


def _advice() -> str:
    if not can_grade(trusted=False):
        return "Grade on Linux; on Windows, use WSL (the Windows Subsystem for Linux)."
    if shutil.which("bwrap") is None:
        return "Install bubblewrap: `apt-get install bubblewrap` (Debian, Ubuntu), `dnf install bubblewrap` (Fedora)."
    return (
        "bubblewrap needs user namespaces. Check /proc/sys/user/max_user_namespaces (not 0), on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns (0, or a profile for bwrap), in a container its seccomp profile. Where "
        "they cannot be had, root can grade one hand-in at a time: `course grade-one`."
    )


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
