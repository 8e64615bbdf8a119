"""Mutants of a solution, and tables of its answers: what tests should notice."""

import ast

import pytest
from course_class import write_exercise

from tinycompress.cli import main
from tinycompress.course import SubmissionProblem
from tinycompress.course import check as checks
from tinycompress.course.check import check
from tinycompress.course.exercise import find_exercises, load_module
from tinycompress.course.mutants import Hasty, Mutant, Mutation, mutants, mutation

HALVINGS = '''\
"""Halvings (3 points)."""

### BEGIN SOLUTION
UNUSED = 7
### END SOLUTION


def halvings(count, most=3):
    """How often a count of at most 99 can be halved until it is 1."""
    ### BEGIN SOLUTION
    if not 0 < count <= 99:
        raise ValueError(f"{count + 1} is one too many")
    steps = 0
    while count > 1:
        count //= 2
        steps += 1
    return steps
    ### END SOLUTION
'''
FEW = '''\
"""Tests that do not look at what is done with 100."""

import contextlib

import pytest

from tinycompress.course import SubmissionRaised, expect_error, expect_number

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(1)
def test_eight(submission):
    """Three times."""
    assert expect_number(submission.halvings(8)) == 3, "8, 4, 2, 1"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_any(submission, reference, rng):
    """Any count."""
    for count in rng.integers(20, 90, 9).tolist():
        assert expect_number(submission.halvings(count)) == reference.halvings(count), "halve, and count"
    with contextlib.suppress(SubmissionRaised):
        submission.halvings(100)
'''
MORE = (
    FEW
    + """\
    expect_error(ValueError, submission.halvings, 0)
    expect_error(ValueError, submission.halvings, 100)
    assert submission.halvings(1) == 0 and submission.halvings(99) == 6, "99, 49, 24, 12, 6, 3, 1"
"""
)


def test_each_mutant_is_one_change_between_the_markers(tmp_path):
    exercise = write_exercise(tmp_path, solution=HALVINGS)
    found = [(mutant.before, mutant.after) for mutant in mutants(exercise)]
    constants = [(str(n), str(n + step)) for n in (7, 0, 99, 0, 1, 2, 1) for step in (1, -1)]
    others = [
        ("not 0 < count <= 99", "not not 0 < count <= 99"),
        ("0 < count <= 99", "0 <= count <= 99"),
        ("0 < count <= 99", "0 < count < 99"),
        ("count > 1", "count >= 1"),
        ("count //= 2", "count *= 2"),
        ("steps += 1", "steps -= 1"),
    ]
    assert sorted(found) == sorted(constants + others), "neither defaults nor error messages are changed"
    lines = ast.unparse(ast.parse(HALVINGS)).splitlines()
    for mutant in mutants(exercise):
        changed = mutant.source.splitlines()
        assert sum(a != b for a, b in zip(changed, lines, strict=True)) == 1


def test_a_mutant_that_changes_a_result_and_no_mark_survives(tmp_path, monkeypatch):
    monkeypatch.setattr("tinycompress.course.mutants.SECONDS", 0.2)  # two mutants never end
    few = mutation(write_exercise(tmp_path, solution=HALVINGS, tests=FEW))
    assert [(m.before, m.after) for m in few.survivors] == [("99", "100")]
    assert few.share == 1 / (1 + few.noticed) and few.equal > 2
    more = mutation(write_exercise(tmp_path, solution=HALVINGS, tests=MORE))
    assert more.survivors == () and more.share == 0
    assert more.equal == 2, "only the constant that nothing uses"


def test_a_busy_machine_ends_no_mutant(tmp_path, monkeypatch):
    monkeypatch.setattr("tinycompress.course.mutants.SECONDS", 0.1)
    path = tmp_path / "mutant.py"
    path.write_text("import time\ndef waits(): time.sleep(0.3)\ndef never_ends():\n    while True: pass\n")
    mutant = Hasty(load_module(path))
    assert mutant.waits() is None, "it took none of the processor's time"
    with pytest.raises(SubmissionProblem, match="never_ends took longer"):
        mutant.never_ends()
    with pytest.raises(SubmissionProblem, match="earlier call"):
        mutant.waits()


def test_too_many_survivors_are_a_fault_and_are_listed(tmp_path, monkeypatch, capsys):
    exercise = write_exercise(tmp_path)
    assert check(exercise).notes == [], "mutants take time: only where they are asked for"
    monkeypatch.setattr(checks, "mutation", lambda exercise: Mutation(9, 4, (Mutant(3, "a < b", "a <= b", ""),)))
    assert main(["course", "check", "--exercises", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "9 mutants lose points, 4 change no result, 1 survive" in said
    assert "survives: line 3: a < b  becomes  a <= b" in said and "10% of the mutants" in said
    assert main(["course", "check", "--quick", "--exercises", str(tmp_path)]) == 0


def test_mutants_of_an_exercise_of_the_lecture_are_noticed():
    (exercise,) = find_exercises(["engine/dense_relu"])
    found = mutation(exercise)
    assert found.noticed > 5 and found.share <= 0.05
