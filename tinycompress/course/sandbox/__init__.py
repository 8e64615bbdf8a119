"""The sandbox: a worker inside bubblewrap, so that untrusted code cannot see the host or leave anything behind.

Inside are the interpreter, NumPy, Numba, the modules that the exercise allows and one submission, all read-only, and
64 MiB of scratch space. There is no network, no other process, no /proc and no inherited environment. No process can
outlive the sandbox: when the worker's first process dies, the kernel kills everything in its process namespace.

bubblewrap must never run as root: with root's capabilities the code inside could mount the host writable again. So root
first switches to an unused user id. That user may have no access to this interpreter (a Python under a closed home
directory). Therefore root first binds everything that is needed to a neutral place, in a private mount namespace.
"""

import functools
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..exercise import CourseProblem

LIBRARIES = ("numpy", "numba", "llvmlite", "scipy")
PROCESSES = 16  # limit on processes and threads inside
SCRATCH = 64 << 20
ROOT_TOOLS = ("unshare", "setpriv", "mount")
HERE = Path(__file__).parent


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


def start(kit: Kit, submission: Path, file: str, trusted: bool = False) -> tuple[subprocess.Popen, int, int]:
    """Start a worker for `submission`/`file`. Return its process and two descriptors, for requests and for replies.

    trusted: run without a sandbox, only for code from people whom you trust. Raises SandboxProblem if there is no sandbox.
    """
    to_worker, requests = os.pipe()
    replies, from_worker = os.pipe()
    try:
        arguments = [str(to_worker), str(from_worker)]
        if trusted:
            runner = str(kit.folder / "runner" / "worker.py")
            command = [sys.executable, "-B", "-P", "-s", runner, *arguments, str(submission / file), "0", ""]
            environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        else:
            command = _command(_mounts(kit, submission), [*arguments, f"/submission/{file}", str(PROCESSES), "/site"])
            environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        process = subprocess.Popen(
            command,
            env=environment | _quiet_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(to_worker, from_worker),
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        os.close(requests), os.close(replies)
        raise SandboxProblem(f"the worker did not start: {error}") from error
    finally:
        os.close(to_worker), os.close(from_worker)
    return process, requests, replies


def _quiet_environment() -> dict[str, str]:
    """One thread and a fixed hash seed, so that the same submission always gives the same answers."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return dict.fromkeys(threads, "1") | {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "NUMBA_CACHE_DIR": "/tmp/numba",
        "PYTHONHASHSEED": "0",
    }


# ---- mounts ----


def _mounts(kit: Kit, submission: Path) -> list[tuple[str, str]]:
    """(folder on the host, its place inside) of all that a worker sees of the host besides /usr, read-only."""
    mounts = [(str(kit.folder / "runner"), "/runner"), (str(submission), "/submission")]
    base = os.path.realpath(sys.base_prefix)
    if base != "/usr":
        mounts.append((base, base))
    for name in LIBRARIES:
        spec = find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            continue
        folder = Path(next(iter(spec.submodule_search_locations)))
        mounts += [
            (str(path), f"/site/{path.name}") for path in (folder, folder.with_name(f"{name}.libs")) if path.is_dir()
        ]
    package = kit.folder / "site" / "tinycompress"
    return mounts + ([(str(package), "/site/tinycompress")] if package.is_dir() else [])


def _hidden(roots: list[str]) -> list[str]:
    """Folders inside the mounted ones that must look empty: installed packages, above all this one."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [f"{root}/lib/{version}/{kind}-packages" for root in roots for kind in ("site", "dist")]
    candidates += [f"/usr/local/lib/{version}/{kind}-packages" for kind in ("site", "dist")]
    candidates += ["/usr/lib/python3/dist-packages", sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    candidates += [str(HERE.parents[1]), "/usr/src", "/usr/local/src"]
    inside = [os.path.realpath(path) for path in candidates if os.path.isdir(path)]
    return sorted({path for path in inside if any(Path(path).is_relative_to(root) for root in roots)})


def _command(mounts: list[tuple[str, str]], arguments: list[str]) -> list[str]:
    """The command that starts the worker in bubblewrap; if we are root, by way of an unprivileged user."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxProblem(
            "bubblewrap (bwrap) is not installed; install it (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf "
            "install bubblewrap), or give --trust if you know and trust everyone whose code you grade"
        )
    if os.geteuid() != 0:
        return _bwrap(bwrap, mounts, arguments)
    if missing := [tool for tool in ROOT_TOOLS if shutil.which(tool) is None]:
        raise SandboxProblem(f"root needs {', '.join(missing)} (Debian: util-linux, mount) to start a sandbox")
    sources = [source for source, _ in mounts]
    stage = next(
        (
            p
            for p in ("/mnt", "/media", "/srv", "/opt")
            if os.path.isdir(p) and not any(s.startswith(p) for s in sources)
        ),
        None,
    )
    if stage is None:
        raise SandboxProblem("root needs one of /mnt, /media, /srv and /opt to stage the sandbox, and none is usable")
    lines = ["set -e", f"mount -t tmpfs -o mode=755,size=64k tmpfs {stage}"]
    staged = []
    for number, (source, target) in enumerate(mounts):
        place = f"{stage}/{number}"
        lines.append(f"mkdir {place}; mount --bind {shlex.quote(source)} {place}")
        staged.append((place, target))
    user = str(_unused_user())
    drop = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    choom = ["choom", "-n", "1000", "--"] if shutil.which("choom") else []  # the first to be killed if memory runs out
    lines.append("exec " + shlex.join([*drop, *choom, *_bwrap(bwrap, staged, arguments)]))
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines)]


def _unused_user() -> int:
    """A user id that only this process uses, so that it can neither reach nor be limited by another grader's processes.

    In a container that has no ids this high, it is 65534 (nobody).
    """
    wanted = 2_000_000_000 + os.getpid()
    known = [[int(n) for n in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return wanted if any(first <= wanted < first + count for first, _, count in known) else 65534


def _bwrap(bwrap: str, mounts: list[tuple[str, str]], arguments: list[str]) -> list[str]:
    command = [bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    command += ["--clearenv"]
    for name, value in _quiet_environment().items():
        command += ["--setenv", name, value]
    command += ["--ro-bind", "/usr", "/usr", "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for link in "/lib", "/lib64", "/lib32", "/bin", "/sbin":
        if os.path.islink(link):
            command += ["--symlink", os.readlink(link), link]
        elif os.path.isdir(link):
            command += ["--ro-bind", link, link]
    for source, target in mounts:
        command += ["--ro-bind", source, target]
    roots = [
        "/usr",
        *(
            target
            for _, target in mounts
            if target not in ("/runner", "/submission") and not target.startswith("/site")
        ),
    ]
    for path in _hidden(roots):
        command += ["--tmpfs", path, "--remount-ro", path]
    command += [
        "--dev",
        "/dev",
        "--size",
        str(SCRATCH),
        "--tmpfs",
        "/tmp",
        "--size",
        str(1 << 20),
        "--tmpfs",
        "/dev/shm",
    ]
    command += ["--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]
    python = os.path.realpath(sys.executable)
    return [*command, python, "-B", "-S", "-P", "-s", "/runner/worker.py", *arguments]


# ---- availability ----


@dataclass(frozen=True)
class Level:
    """Whether untrusted code can be run: `name` is "bubblewrap", or "none" with the reason in `detail`."""

    name: str
    detail: str


@functools.cache
def level() -> Level:
    """Try the sandbox once, by starting a worker and calling a function. The result is cached."""
    from .workers import Worker

    with tempfile.TemporaryDirectory() as folder:
        submission = Path(folder) / "submission"
        submission.mkdir()
        (submission / "probe.py").write_text("def answer(x):\n    return x + 1\n")
        readable(submission)
        try:
            worker = Worker(Kit.make((), Path(folder) / "kit"), submission, "probe.py")
            try:
                worker.load(30)
                if worker.call("answer", (41,), {}, 30) != 42:
                    return Level("none", "a worker in the sandbox gives wrong answers")
            finally:
                worker.close()
        except CourseProblem as problem:
            return Level("none", str(problem))
        except Exception as error:
            return Level("none", f"{type(error).__name__}: {error}")
    return Level("bubblewrap", f"bubblewrap {bwrap_version()}, as {_user()}")


def bwrap_version() -> str:
    """The version of bubblewrap, as in "0.8.0"."""
    found = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout
    return found.split()[-1] if found.split() else "?"


def _user() -> str:
    return "an unprivileged user below root" if os.geteuid() == 0 else f"user {os.geteuid()}, in its own namespace"
