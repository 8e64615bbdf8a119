"""The sandbox: a worker inside bubblewrap, so that untrusted code cannot see the host or leave anything behind.

Inside are the interpreter, NumPy, Numba, the modules that the exercise allows and one submission, all read-only, and
64 MiB of scratch space (`bubblewrap.py`). There is no network, no other process, no /proc, no inherited environment and no
key of the grader's login. A filter closes off what the kernel keeps outside of all this, and denies further processes, so
that the limits of one process are those of the submission (`syscalls.py`). When the worker ends, so does everything in it.

Where namespaces cannot be had, a single hand-in can be run behind a lower wall, as another user (`another_user.py`).

The worker is also the first that the kernel kills when memory runs out (`launch.py`).
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..exercise import CourseProblem

HERE = Path(__file__).parent
# levels, from the best one down
FULL, UNFILTERED, ANOTHER_USER, NONE = "bubblewrap", "bubblewrap without a filter", "another user", "none"


class SandboxProblem(CourseProblem):
    """No sandbox is available, or it did not start; the message says why, and what to do."""


@dataclass(frozen=True)
class Kit:
    """The folders that a worker needs beside the submission: runner/ (worker.py, wire.py) and site/ (tinycompress)."""

    folder: Path

    @classmethod
    def make(cls, may_import: tuple[str, ...], folder: Path) -> "Kit":
        from ..allowed import copy_package

        (folder / "runner").mkdir(parents=True)
        for name in "worker.py", "wire.py":
            shutil.copyfile(HERE / name, folder / "runner" / name)
        (folder / "site").mkdir()
        copy_package(may_import, folder / "site")
        readable(folder)
        return cls(folder)


def readable(folder: Path) -> None:
    """Let every user read the folder, whatever the umask. The permissions of its parents are not changed."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def start(
    kit: Kit, submission: Path, file: str, level: str = FULL, secrets: tuple[str, ...] = (), group: Path | None = None
) -> tuple[subprocess.Popen, int, int]:
    """Start a worker for `submission`/`file`. Return its process and two descriptors, for requests and for replies.

    level: NONE runs without a sandbox, only for code from people whom you trust; ANOTHER_USER needs kit and submission in a
    folder made by `another_user.stage`. secrets: files and folders that must not be seen inside, even where they lie below
    a folder that is. group: a control group for the worker. Raises SandboxProblem if there is no sandbox.
    """
    from .bubblewrap import quiet_environment

    to_worker, requests = os.pipe()
    replies, from_worker = os.pipe()
    passed = [to_worker, from_worker]
    try:
        command, environment = _command(kit, submission, file, level, secrets, passed, str(group or ""))
        process = subprocess.Popen(
            command,
            env=quiet_environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=passed,
            start_new_session=True,
            cwd="/",
        )
    except BaseException as error:
        os.close(requests), os.close(replies)
        if isinstance(error, OSError):
            raise SandboxProblem(f"the worker did not start: {error}") from error
        raise
    finally:
        for descriptor in passed:
            os.close(descriptor)
    return process, requests, replies


def _command(kit, submission, file, level, secrets, passed: list[int], group: str) -> tuple[list[str], dict[str, str]]:
    """The command that starts the worker, and its environment. `passed`: its two pipes, to which others are added."""
    from . import another_user, bubblewrap, cgroup

    arguments = [str(descriptor) for descriptor in passed]
    if level == NONE:
        runner = str(kit.folder / "runner" / "worker.py")
        command = [sys.executable, "-B", "-P", "-s", runner, *arguments, str(submission / file), "0", ""]
        return command, {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if level == ANOTHER_USER:
        return another_user.command(kit.folder, file, secrets, passed, group), another_user.environment(kit.folder)
    if level == FULL:
        passed.append(bubblewrap.filter_pipe())
    arguments += [f"/submission/{file}", str(bubblewrap.PROCESSES), "/site"]
    mounts = bubblewrap.mounts(kit.folder, submission)
    command = bubblewrap.command(mounts, secrets, passed[2:], arguments, group)
    return [*cgroup.scope(), *command], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | cgroup.environment()


# ---- availability ----


@dataclass(frozen=True)
class Level:
    """How untrusted code can be run: `name` is one of the levels above; `detail` says more, such as the reason."""

    name: str
    detail: str


@functools.cache
def level() -> Level:
    """Try the sandbox once, by starting a worker and calling a function. The result is cached."""
    from . import cgroup

    problem = _try(FULL)
    if not problem:
        return Level(FULL, f"{_bubblewrap()}, with a filter of system calls, {cgroup.described()}")
    if _try(UNFILTERED):
        return Level(NONE, problem)
    missing = f"WITHOUT a filter of system calls ({problem}): submissions can use shared memory and several processes"
    return Level(UNFILTERED, f"{_bubblewrap()}, {missing}; {cgroup.described()}")


@functools.cache
def level_of_one() -> Level:
    """The best level for a single hand-in, in a container that is thrown away: where `level` finds none, ANOTHER_USER."""
    from . import cgroup, confine

    found = level()
    if found.name != NONE or (problem := _try(ANOTHER_USER)):
        return found if found.name != NONE else Level(NONE, f"{found.detail}; nor as another user: {problem}")
    version = confine.landlock_version()
    files = f"Landlock {version}" if version else "WITHOUT Landlock: files are protected by their permissions only"
    return Level(ANOTHER_USER, f"a user of its own, with a filter of system calls, {files}, {cgroup.described()}")


def _try(level: str) -> str:
    """Why no worker can be run at this level; "" if it can."""
    from .workers import Worker

    with tempfile.TemporaryDirectory() as folder:
        submission = Path(folder) / "submission"
        submission.mkdir()
        (submission / "probe.py").write_text("def answer(x):\n    return x + 1\n")
        readable(submission)
        try:
            worker = Worker(Kit.make((), Path(folder) / "kit"), submission, "probe.py", level)
            try:
                worker.load(30)
                return "" if worker.call("answer", (41,), {}, 30) == (42, []) else "a worker in it gives wrong answers"
            finally:
                worker.close()
        except CourseProblem as problem:
            return str(problem)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def _bubblewrap() -> str:
    """Its version, and the user that it runs as."""
    found = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout.split()
    user = "an unprivileged user below root" if os.geteuid() == 0 else f"user {os.geteuid()}, in its own namespace"
    return f"bubblewrap {found[-1] if found else '?'}, as {user}"
