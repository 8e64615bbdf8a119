"""The sandbox: too much of anything ends with that submission, nothing outlives it, and no sandbox is no answer."""

import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest
from course_class import LEVEL, SOLUTION, inside, points, walls, write_exercise
from waiting import wait_for

from tinycompress.course import SubmissionProblem, sandbox
from tinycompress.course.collect import find_handins
from tinycompress.course.sandbox import Kit, another_user, bubblewrap, readable
from tinycompress.course.sandbox.submission import load_here
from tinycompress.course.sandbox.workers import SECONDS, InWorkers
from tinycompress.course.staff.grade import grade_one, make_tasks

# ---- too much of everything ----

FLOODS = """
import os, sys, threading, time
import numpy as np
def array(): return np.ones(10**9).sum()
def large_answer(): return np.zeros(2 * 10**7)
def long_answer(): return ['x' * 1000] * 10**6
def memory():
    kept = []
    while True: kept.append(bytearray(10**8))
def output():
    for _ in range(2000): print('x' * 10**5); sys.stderr.write('y' * 10**5)
    os.write(1, b'z' * 10**6)
    return 1
def one_file():
    with open(os.environ['HOME'] + '/big', 'wb') as file:
        while True: file.write(bytes(10**6))
def files():
    for number in range(10**6):
        with open(f'/tmp/{number}', 'wb') as file: file.write(bytes(4 * 10**6))
def descriptors():
    kept = []
    while True: kept.append(open('/dev/null'))
def recursion(n=0): return recursion(n + 1)
def forks():
    while True:
        if os.fork() == 0: time.sleep(1e6)
def threads():
    while True: threading.Thread(target=time.sleep, args=(1e6,)).start()
"""


@walls
@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("array", "MemoryError"),
        ("large_answer", "cannot be sent|too large|ended its process"),
        ("long_answer", "too long|MemoryError|ended its process"),
        ("memory", "MemoryError|ended its process"),
        ("one_file", "OSError|ended its process"),
        ("descriptors", "OSError"),
        ("recursion", "RecursionError"),
        ("forks", "PermissionError"),
        ("threads", "RuntimeError|took longer"),
    ],
)
def test_too_much_of_anything_ends_with_that_submission(submit, function, words):
    ends_with(submit, function, words)


@inside  # as another user, it fills the disk: a container's own
def test_too_many_files_end_with_that_submission(submit):
    ends_with(submit, "files", "OSError")


def ends_with(submit, function, words):
    submission = submit(FLOODS)
    submission.timeout = 8 if function in ("forks", "threads") else SECONDS
    with pytest.raises(SubmissionProblem, match=words):
        getattr(submission, function)()
    submission.close()
    wait_for("all its processes are gone", lambda: not running(submission))


@walls
def test_what_is_printed_goes_nowhere(submit, capfd):
    submission = submit(FLOODS)
    submission.timeout = SECONDS
    assert submission.output() == 1
    assert capfd.readouterr() == ("", "")


def running(submission):
    """Processes of this machine that belong to the submission: the name of its file is in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if submission._file.encode() in path.read_bytes() and path.parent.name != str(os.getpid()):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@inside
def test_nothing_that_a_submission_starts_outlives_it(submit):
    source = """
import os, time
def daemons():
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for descriptor in range(3, 64):
                    try: os.close(descriptor)
                    except OSError: pass
                while True: time.sleep(1)
            os._exit(0)
    return 1
"""
    submission = submit(source, level=sandbox.UNFILTERED)  # the filter forbids further processes
    assert submission.daemons() == 1
    assert len(running(submission)) >= 3
    submission.close()
    wait_for("all its processes are gone", lambda: not running(submission))


@walls
def test_nothing_outlives_a_grader_that_is_killed(kit, tmp_path, wall):
    name = f"orphan_{uuid.uuid4().hex}.py"
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / name).write_text("import ctypes\nctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\n")  # no signal, please
    readable(folder)
    program = (
        "import time; from pathlib import Path; from tinycompress.course.sandbox import Kit\n"
        "from tinycompress.course.sandbox.workers import InWorkers\n"
        f"s = InWorkers(Kit(Path({str(kit.folder)!r})), Path({str(folder)!r}), {name!r}, {wall!r})\n"
        "s._loaded(); print('loaded', flush=True); time.sleep(1e6)"
    )
    grader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    submission = InWorkers(kit, folder, name)
    assert grader.stdout.readline() == "loaded\n" and running(submission)
    grader.kill()
    grader.wait()
    grader.stdout.close()
    wait_for("all its processes are gone", lambda: not running(submission))


@walls
def test_time_is_measured_by_the_grader(submit):
    source = "import time\n_sleep = time.sleep\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0\n"
    submission = submit(source + "def f():\n    _sleep(0.2)\n    return 0.0\n")
    submission.f()
    assert submission.elapsed >= 0.2


@walls
def test_a_submission_meets_arrays_in_the_order_of_memory_that_the_test_gave_them(submit, tmp_path):
    source = "def f(x, y): return [x.flags.c_contiguous, y[0].flags.c_contiguous]\n"
    (tmp_path / "here.py").write_text(source)
    for submission in submit(source), load_here(tmp_path / "here.py", ()):
        assert submission.f(np.ones((2, 3)), [np.ones((2, 3)).T]) == [True, False]


# ---- when there is no sandbox ----


def test_without_a_sandbox_the_reason_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    (tmp_path / "submission").mkdir()
    with pytest.raises(sandbox.SandboxProblem, match="apt-get install bubblewrap"):
        sandbox.start(Kit.make((), tmp_path / "kit"), tmp_path / "submission", "a.py")
    assert "apt-get install bubblewrap" in sandbox.level.__wrapped__().detail


def test_another_user_must_be_able_to_reach_what_a_worker_needs(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(sandbox.SandboxProblem, match=f"is closed to other users; .* chmod o\\+x .*{closed}"):
        another_user.check_reachable(["/usr", str(closed / "python")])
    another_user.check_reachable(["/usr/lib", "/usr"])


@inside
def test_a_sandbox_that_does_not_start_is_no_fault_of_the_submission(monkeypatch, tmp_path):
    command = bubblewrap._bwrap
    monkeypatch.setattr(bubblewrap, "_bwrap", lambda *a: [*command(*a)[:1], "--no-such-option"])
    exercise = write_exercise(tmp_path)
    (tmp_path / "class" / "eve").mkdir(parents=True)
    (tmp_path / "class" / "eve" / "keep.py").write_text(SOLUTION)
    (task,) = make_tasks(find_handins(tmp_path / "class"), [exercise], "", False, "bubblewrap")
    record = grade_one(task)
    assert {r["outcome"] for r in record["results"]} == {"grader_error"}
    assert "--no-such-option" in record["results"][0]["staff"] + record["error"]


def test_threads_do_not_mix_up_their_gradings(tmp_path):
    exercise = write_exercise(tmp_path)
    for number in range(4):
        (tmp_path / "class" / f"s{number}").mkdir(parents=True)
        source = SOLUTION if number % 2 else "keep = mean = lambda *a: None\n"
        (tmp_path / "class" / f"s{number}" / "keep.py").write_text(source)
    tasks = make_tasks(find_handins(tmp_path / "class"), [exercise], "", False, LEVEL.name)
    records = {}
    threads = [threading.Thread(target=lambda t=t: records.update({t.student: grade_one(t)})) for t in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {student: points(record) for student, record in records.items()} == {"s0": 0, "s1": 3, "s2": 0, "s3": 3}
