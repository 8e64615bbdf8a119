"""Run a command as a user without any rights, for tests that root runs.

    python ordinary_user.py COMMAND ...

The interpreter, its packages, and this folder's repository may lie below a folder that is closed to others. So the command
runs in a private mount namespace, in which an open folder with only these is mounted over the closed one.
"""

import os
import shlex
import sys
from pathlib import Path

NOBODY = "65534"
STAGE = "/mnt"


def as_ordinary_user(command: list[str], *more: Path) -> list[str]:
    """The command that does it; `more` are further folders that it needs. Without root's rights, this changes nothing."""
    if not may_mount():
        return command
    drop = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    return where_all_can_read([*drop, "env", "HOME=/tmp", *command], *more)


def where_all_can_read(command: list[str], *more: Path, unshare=()) -> list[str]:
    """The command, in a mount namespace where every user can read what it needs. `unshare`: further options."""
    needed = {Path(path).resolve() for path in (sys.base_prefix, Path(__file__).parents[1], *more)} | {Path(sys.prefix)}
    closed = {path: folder for path in needed if (folder := closed_parent(path))}
    lines = ["set -e", f"mount -t tmpfs tmpfs {STAGE}"]
    for number, path in enumerate(closed):
        lines.append(f"mkdir {STAGE}/{number}; mount --bind {shlex.quote(str(path))} {STAGE}/{number}")
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(folder))}" for folder in sorted(set(closed.values()))]
    for number, path in enumerate(closed):
        place = shlex.quote(str(path))
        lines.append(f"mkdir -p {place}; mount --bind {STAGE}/{number} {place}")
    lines += [f"umount -l {STAGE}", f"exec {shlex.join(command)}"]
    return ["unshare", "--mount", "--propagation", "private", *unshare, "sh", "-c", "\n".join(lines)]


def may_mount() -> bool:
    """Whether this is root, with CAP_SYS_ADMIN, which containers usually withhold."""
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    return os.geteuid() == 0 and bool(int(held.split()[1], 16) >> 21 & 1)


def closed_parent(path: Path) -> Path | None:
    """The topmost folder on the way to this one, or it, that other users may not enter."""
    return next((folder for folder in (*reversed(path.parents), path) if not folder.stat().st_mode & 0o001), None)


if __name__ == "__main__":
    command = as_ordinary_user(sys.argv[1:])
    os.execvp(command[0], command)
