"""The command that starts a worker in bubblewrap: what is mounted, what is hidden, and how root gives up its rights.

bubblewrap must never run as root: with root's capabilities the code inside could mount the host writable again. So root
first switches to an unused user id. That user may have no access to this interpreter (a Python under a closed home
directory). Therefore root first binds everything that is needed to a neutral place, in a private mount namespace.
"""

import os
import shlex
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from ..allowed import LIBRARIES
from ..system import require_grader
from . import HERE, SandboxProblem, syscalls

PROCESSES = 16  # limit on processes and threads inside
SCRATCH = 64 << 20
INODES = 20_000  # files in the scratch space, where root can limit them: tmpfs does not count their kernel memory
ROOT_TOOLS = ("unshare", "setpriv", "mount")
SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib", "/usr/local/lib64")  # shared libraries


def quiet_environment() -> dict[str, str]:
    """One thread and a fixed hash seed, so that the same submission always gives the same answers."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return dict.fromkeys(threads, "1") | {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "NUMBA_CACHE_DIR": "/tmp/numba",
        "PYTHONHASHSEED": "0",
    }


def filter_pipe() -> int:
    """A descriptor from which bubblewrap can read the filter of system calls."""
    program = syscalls.program()
    if program is None:
        raise SandboxProblem(f"there is no table of system calls for {os.uname().machine}")
    source, sink = os.pipe()
    os.write(sink, program)  # shorter than what a pipe holds
    os.close(sink)
    return source


# ---- what is seen ----


def mounts(kit: Path, submission: Path) -> list[tuple[str, str]]:
    """(path on the host, its place inside) of all that a worker sees of the host, read-only: no more than it needs."""
    found = [(path, path) for path in SYSTEM if os.path.isdir(path) and not os.path.islink(path)]
    base, python = os.path.realpath(sys.base_prefix), os.path.realpath(sys.executable)
    for path in (f"{base}/lib", f"{base}/lib64", python):
        if os.path.exists(path) and not any(Path(path).is_relative_to(place) for _, place in found):
            found.append((path, path))
    found += [(str(kit / "runner"), "/runner"), (str(submission), "/submission")]
    for name in LIBRARIES:
        spec = find_spec(name)
        if spec is None or not spec.origin:
            continue
        place = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        places = place, place.with_name(f"{name}.libs")
        found += [(str(path), f"/site/{path.name}") for path in places if path.exists()]
    package = kit / "site" / "tinycompress"
    return found + ([(str(package), "/site/tinycompress")] if package.is_dir() else [])


def hidden(mounted: list[tuple[str, str]], secrets: tuple[str, ...] = ()) -> list[str]:
    """Places inside that must look empty: installed packages, above all this one, and whatever is secret, by name.

    Raises SandboxProblem for a secret that every worker needs.
    """
    candidates = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(HERE.parents[1])}
    for root in {*SYSTEM, f"{os.path.realpath(sys.base_prefix)}/lib"}:
        candidates |= {str(path) for path in Path(root).glob("python*/*-packages")}  # "site" or "dist", of any version
    sources = [(Path(os.path.realpath(source)), place) for source, place in mounted]
    found = set()
    for path in map(Path, map(os.path.realpath, candidates | set(secrets))):
        for source, place in sources:
            if path == source == Path(os.path.realpath(place)):
                raise SandboxProblem(f"{path} is secret, but every submission needs it; move the course's files away")
            if path.is_relative_to(source) and path != source:
                found.add(os.path.join(place, path.relative_to(source)))
    return sorted(place for place in found if not any(str(parent) in found for parent in Path(place).parents))


# ---- the command ----


def command(
    mounted: list[tuple[str, str]], secrets: tuple[str, ...], filters: list[int], arguments: list[str], group: str = ""
) -> list[str]:
    """The command that starts the worker in bubblewrap; if we are root, by way of an unprivileged user.

    filters: the descriptor of the filter of system calls, if there is one; arguments: those of worker.py; group: the
    control group, if there is one.
    """
    require_grader(trusted=False)
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxProblem(
            "bubblewrap (bwrap) is not installed; install it (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf "
            "install bubblewrap), or give --trust if you know and trust everyone whose code you grade"
        )
    options = [option for filter in filters for option in ("--seccomp", str(filter))]
    places = _hiding(mounted, hidden(mounted, secrets))
    launch = [sys.executable, "-I", "-S", "-B", str(HERE / "launch.py"), group]
    if os.geteuid() != 0:
        return [*launch, *_bwrap(bwrap, options, mounted, places, _scratch(), arguments)]
    if missing := [tool for tool in ROOT_TOOLS if shutil.which(tool) is None]:
        raise SandboxProblem(f"root needs {', '.join(missing)} (Debian: util-linux, mount) to start a sandbox")
    sources = [source for source, _ in mounted]
    stages = [p for p in ("/mnt", "/media", "/srv", "/opt") if os.path.isdir(p)]
    stage = next((p for p in stages if not any(s.startswith(p) for s in sources)), None)
    if stage is None:
        raise SandboxProblem("root needs one of /mnt, /media, /srv and /opt to stage the sandbox, and none is usable")
    lines = ["set -e", f"mount -t tmpfs -o mode=755,size=64k tmpfs {stage}"]
    staged = []
    for number, (source, target) in enumerate(mounted):
        if source.startswith("/usr/"):  # open to everyone
            staged.append((source, target))
            continue
        place = f"{stage}/{number}"
        make = "mkdir" if os.path.isdir(source) else "touch"
        lines.append(f"{make} {place}; mount --bind {shlex.quote(source)} {place}")
        staged.append((place, target))
    tmpfs = f"mode=1777,nosuid,nodev,size={SCRATCH},nr_inodes={INODES}"
    lines.append(f"mkdir {stage}/tmp; mount -t tmpfs -o {tmpfs} tmpfs {stage}/tmp")
    user = str(_unused_user())
    drop = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    scratch = ["--bind", f"{stage}/tmp", "/tmp"]
    lines.append("exec " + shlex.join([*drop, *_bwrap(bwrap, options, staged, places, scratch, arguments)]))
    return [*launch, "unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines)]


def _unused_user() -> int:
    """A user id that only this process uses, so that it can neither reach nor be limited by another grader's processes.

    In a container that has no ids this high, it is 65534 (nobody).
    """
    wanted = 2_000_000_000 + os.getpid()
    known = [[int(n) for n in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return wanted if any(first <= wanted < first + count for first, _, count in known) else 65534


def _hiding(mounted, places) -> list[str]:
    """The options that put an empty folder or file over each of these places, all of them inside something mounted."""
    options = []
    for place in places:
        source, target = max(((s, t) for s, t in mounted if Path(place).is_relative_to(t)), key=lambda m: len(m[1]))
        path = os.path.join(source, os.path.relpath(place, target))
        if os.path.isdir(path):
            options += ["--tmpfs", place, "--remount-ro", place]
        elif os.path.exists(path):
            options += ["--ro-bind", os.devnull, place]
    return options


def _scratch() -> list[str]:
    return ["--size", str(SCRATCH), "--tmpfs", "/tmp"]


def _bwrap(bwrap, options, mounted, hiding, scratch, arguments) -> list[str]:
    command = [bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    command += [*options, "--clearenv"]
    for name, value in quiet_environment().items():
        command += ["--setenv", name, value]
    command += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for link in "/lib", "/lib64", "/lib32":
        if os.path.islink(link):
            command += ["--symlink", os.readlink(link), link]
        elif os.path.isdir(link):
            command += ["--ro-bind", link, link]
    for source, target in mounted:
        command += ["--ro-bind", source, target]
    command += [*hiding, "--dev", "/dev", *scratch, "--size", str(1 << 20), "--tmpfs", "/dev/shm"]
    command += ["--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]
    python = os.path.realpath(sys.executable)
    return [*command, python, "-B", "-S", "-P", "-s", "/runner/worker.py", *arguments]
