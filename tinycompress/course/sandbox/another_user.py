"""The command that starts a worker as another user, for containers, where root may not make namespaces.

The worker's files are copied to a folder of their own, which that user can reach. What keeps the rest from it: the filter
of system calls (no network, no further processes), Landlock where the kernel has it, and otherwise the permissions of
files, which `grade-one` checks.
"""

import itertools
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from . import HERE, SandboxProblem, bubblewrap, confine

PREFIX = "tinycompress-grade-"  # of folders; `grade` removes those of killed processes
DEVICES = {"/dev/null": confine.ALL, "/dev/zero": confine.READ, "/dev/urandom": confine.READ}
_count = itertools.count()


def unused_user() -> int:
    """A user id that nobody else has, and no other worker. Raises SandboxProblem if this is not root, or there is none."""
    if os.geteuid() != 0:
        raise SandboxProblem("only root can start a worker as another user")
    number = os.getpid() * 256 + next(_count) % 256
    known = [[int(n) for n in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    for wanted in 2_000_000_000 + number, 20_000 + number % 40_000:
        if any(first <= wanted < first + count for first, _, count in known):
            return wanted
    raise SandboxProblem("this container has no user ids from 20,000 on, which submissions could run as")


def stage(kit: Path, submission: Path) -> tempfile.TemporaryDirectory:
    """A folder with runner/, site/ and submission/, readable by all, and an empty home/. It is removed by `cleanup`."""
    folder = tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)
    top = Path(folder.name)
    for source, name in (kit / "runner", "runner"), (kit / "site", "site"), (submission, "submission"):
        shutil.copytree(source, top / name)
    for source, place in bubblewrap.mounts(kit, submission):
        if Path(place).parent == Path("/site") and not (top / "site" / Path(place).name).exists():
            (top / "site" / Path(place).name).symlink_to(source)
    (top / "home").mkdir(mode=0o700)
    top.chmod(0o711)
    return folder


def check_reachable(paths: list[str]) -> None:
    """Raise SandboxProblem if another user cannot enter a folder on the way to one of these."""
    for path in paths:
        closed = [folder for folder in Path(path).parents if not folder.stat().st_mode & 0o001]
        if closed:
            raise SandboxProblem(
                f"{path} lies below {closed[-1]}, which is closed to other users; install Python where all may read it, or "
                f"run: chmod o+x {' '.join(map(str, reversed(closed)))}"
            )


def environment(staged: Path) -> dict[str, str]:
    """Where the worker may write."""
    home = str(staged / "home")
    return {"HOME": home, "TMPDIR": home, "NUMBA_CACHE_DIR": f"{home}/numba", "PATH": os.defpath}


def command(staged: Path, file: str, secrets: tuple[str, ...], passed: list[int], group: str = "") -> list[str]:
    """The command that starts the worker for `file`.

    passed: its two pipes, to which further descriptors are added; group: the control group, if there is one.
    """
    user = unused_user()
    needed = [source for source, _ in bubblewrap.mounts(staged, staged / "submission")]
    check_reachable([os.path.realpath(source) for source in needed])
    os.chown(staged / "home", user, user)
    pipes, rules = [*map(str, passed)], ""
    passed.append(bubblewrap.filter_pipe())
    if confine.landlock_version():
        with tempfile.TemporaryFile() as table:
            table.write(json.dumps(allowed(staged, secrets)).encode())
            table.seek(0)
            passed.append(os.dup(table.fileno()))
        rules = str(passed[-1])
    isolated = [sys.executable, "-I", "-S", "-B"]
    confined = [str(HERE / "confine.py"), str(os.getpid()), str(user), str(passed[2]), rules, str(staged / "home")]
    worker = [os.path.realpath(sys.executable), "-B", "-S", "-P", "-s", str(staged / "runner" / "worker.py")]
    arguments = [*pipes, str(staged / "submission" / file), str(bubblewrap.PROCESSES)]
    return [*isolated, str(HERE / "launch.py"), group, *isolated, *confined, *worker, *arguments, str(staged / "site")]


def allowed(staged: Path, secrets: tuple[str, ...]) -> list[tuple[str, int]]:
    """(path, rights) of all that a worker may open: what bubblewrap would mount, without what it would hide."""
    sources = [os.path.realpath(source) for source, _ in bubblewrap.mounts(staged, staged / "submission")]
    hidden = {Path(place) for place in bubblewrap.hidden([(source, source) for source in sources], secrets)}
    rules = [rule for source in sources for rule in _without(Path(source), hidden)]
    rules += [(path, confine.READ) for path in ("/etc/ld.so.cache", "/lib", "/lib64", "/lib32") if _is_real(path)]
    rules += [(str(staged / name), confine.READ) for name in ("runner", "site", "submission")]
    return [*rules, (str(staged / "home"), confine.ALL), *DEVICES.items()]


def _is_real(path: str) -> bool:
    return os.path.exists(path) and not os.path.islink(path)


def _without(path: Path, hidden: set[Path]) -> list[tuple[str, int]]:
    """Rules to read what is below a path, except what is below the hidden ones. Rules only ever add: none can take away."""
    if path in hidden:
        return []
    if not any(place.is_relative_to(path) for place in hidden):
        return [(str(path), confine.READ)]
    below = [rule for child in sorted(path.iterdir()) if not child.is_symlink() for rule in _without(child, hidden)]
    return [(str(path), confine.LIST), *below]
