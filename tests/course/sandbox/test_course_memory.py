"""The memory of a worker is bounded as a whole, by a control group, wherever one can be had."""

import os
from pathlib import Path

import pytest
from course_class import inside

from tinycompress.course import SubmissionProblem, sandbox
from tinycompress.course.sandbox import cgroup

grouped = pytest.mark.skipif(cgroup.parent() is None, reason=cgroup.described())

# Processes that each stay below the limit of a process, and files in memory.
HUNGRY = """
import os, time
import numpy as np
def alone(size): return int(np.ones(size, np.uint8)[0])
def together(count, size):
    for _ in range(count):
        if os.fork() == 0:
            kept = np.ones(size, np.uint8)
            time.sleep(1e6)
    time.sleep(1)
    return 1
def files(count, size, more):
    for number in range(count):
        with open(f"/tmp/{number}", "wb") as file: file.write(bytes(size))
    return alone(more)
"""
MIB = 1 << 20


@inside
@grouped
@pytest.mark.parametrize(
    ("call", "level"), [("alone", sandbox.FULL), ("together", sandbox.UNFILTERED), ("files", sandbox.FULL)]
)
def test_a_worker_that_takes_too_much_memory_is_killed_and_its_grader_is_not(submit, monkeypatch, call, level):
    monkeypatch.setattr(cgroup, "MEMORY", 200 * MIB)
    submission = submit(HUNGRY, level=level)
    submission.timeout = 60
    less = {"alone": (50 * MIB,), "together": (2, 20 * MIB), "files": (3, 10 * MIB, 20 * MIB)}[call]
    assert getattr(submission, call)(*less) == 1
    submission.close()
    more = {"alone": (300 * MIB,), "together": (4, 60 * MIB), "files": (5, 10 * MIB, 150 * MIB)}[call]
    group = submission._loaded()._group
    try:
        getattr(submission, call)(*more)
        assert call == "together"  # the kernel chose another one of its processes
    except SubmissionProblem as problem:
        assert "ended its process" in str(problem)
    assert call != "together" or 190 * MIB < most_used(group) <= 200 * MIB  # without a limit, 240 and more


def most_used(group: Path) -> int:
    """Bytes of memory that the group has had at most."""
    first = group / "memory.max_usage_in_bytes"
    return int((first if first.exists() else group / "memory.peak").read_text())


@inside
@grouped
def test_no_group_is_left_behind(submit, monkeypatch):
    submission = submit("def f(): return 1\n")
    assert submission.f() == 1
    group = submission._worker._group
    assert group.exists() and group.parent == cgroup.parent()
    submission.close()
    assert not group.exists()
    left = cgroup.parent() / f"{cgroup.PREFIX}{1 << 22}-0"  # of a grader that was killed: no process has this number
    left.mkdir()
    monkeypatch.setattr(cgroup, "OLD", -1)
    cgroup.remove(cgroup.make())
    assert not left.exists()


MOUNTS = """\
22 1 0:20 / /proc rw - proc proc rw
30 22 0:26 / {0}/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
31 22 0:27 / {0}/cpu rw - cgroup cgroup rw,cpu
32 22 0:28 {1} {0}/memory rw - cgroup cgroup rw,memory
"""


@pytest.mark.parametrize(
    ("shares", "own", "root", "expected"),
    [
        ("a.slice", "0::/a.slice/b.scope", "/", ["unified/a.slice"]),
        (".", "0::/", "/", ["unified"]),
        ("a.slice", "0::/c.slice/b.scope", "/", []),
        (".", "4:cpu:/x\n5:memory:/job/7", "/", ["memory/job/7"]),
        (".", "5:memory:/job/7", "/job", ["memory/7"]),
        (".", "5:memory:/other", "/job", []),
    ],
)
def test_groups_are_looked_for_where_the_kernel_lets_them_share_memory(tmp_path, shares, own, root, expected):
    for folder in "unified", "unified/a.slice/b.scope", "unified/c.slice/b.scope":
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "cgroup.subtree_control").write_text("cpu pids")
    (tmp_path / "unified" / shares / "cgroup.subtree_control").write_text("cpu memory pids")
    found = cgroup._candidates(MOUNTS.format(tmp_path, root), own + "\n")
    assert found == [tmp_path / path for path in expected]


@pytest.mark.parametrize("works", [True, False])
def test_an_ordinary_user_may_get_a_group_from_systemd(tmp_path, monkeypatch, works):
    script = tmp_path / "systemd-run"
    run = 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"'
    script.write_text(f"#!/bin/sh\n{run if works else 'echo no bus >&2; exit 1'}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    monkeypatch.setattr(cgroup, "parent", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    command = cgroup.scope.__wrapped__()
    assert (command[:1] == ("systemd-run",) and f"--property=MemoryMax={cgroup.MEMORY}" in command) == works
    monkeypatch.setattr(cgroup, "scope", lambda: command)
    assert cgroup.described().startswith(
        "memory bounded " + ("by a control group of systemd" if works else "per process")
    )
