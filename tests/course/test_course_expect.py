"""Comparing answers: exact where it must be, and nothing that crosses the pipe makes it raise but to say "wrong"."""

import itertools

import numpy as np
import pytest
from course_class import SOLUTION, TESTS, here, inside, marks, tasks_of, write_class, write_exercise

from tinycompress.course import (
    Partial,
    SubmissionRaised,
    expect_array,
    expect_close,
    expect_equal,
    expect_number,
    expect_tuple,
    expect_unchanged,
)
from tinycompress.course.check import check
from tinycompress.course.run import run_tests
from tinycompress.course.sandbox.submission import load_here
from tinycompress.course.staff.grade import grade
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log

LARGE = 2**64 - 1
ANSWERS = [
    *(
        None,
        True,
        False,
        0,
        1,
        -LARGE,
        LARGE,
        2**63,
        1.0,
        float("nan"),
        float("inf"),
        -float("inf"),
        "",
        "1",
        b"",
        b"1",
    ),
    *([], (), {}, [1, [2, (3, None)]], (np.zeros(2), np.zeros((3, 1))), [np.ones(3)], {1: np.ones(2)}, {None: {(): 1}}),
    *(np.zeros(shape) for shape in [(), (0,), (2,), (2, 1), (1,) * 8, (0, 5)]),
    *(np.ones(3, kind) for kind in "? i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8 c8 c16".split()),
    *(np.array(LARGE, np.uint64), np.array([np.nan, 1, 2]), np.array([np.inf, 1, 2]), np.array(1j), np.array(True)),
]


def verdict(function, *arguments, **keywords) -> bool:
    """Whether a check passes; anything it raises, other than that the answer is wrong, fails the test."""
    try:
        function(*arguments, **keywords)
    except AssertionError:
        return False
    return True


def test_no_answer_makes_a_check_raise_anything_but_that_it_is_wrong():
    for value, expected in itertools.product(ANSWERS, ANSWERS):
        verdict(expect_equal, value, expected, "wrong")
    for value in ANSWERS:
        for expected in (
            1,
            1.5,
            LARGE,
            -LARGE,
            float("inf"),
            np.ones(3),
            np.ones(3, np.uint8),
            np.ones((2, 1)),
            np.zeros(0),
        ):
            verdict(expect_close, value, expected, "wrong")
        for shape, kind in itertools.product([None, (), (3,), (None, 1)], ["bool", "int", "float", "number"]):
            verdict(expect_array, value, shape, kind)
        verdict(expect_number, value)
        verdict(expect_tuple, value, 2)


def test_equal_is_what_has_the_same_elements_and_nothing_else():
    same = [
        (1, 1.0),
        ([1, (2, 3)], (1.0, [2, 3])),
        (np.ones(2, np.float32), np.ones(2, np.uint8)),
        (np.array(3), 3),
        ({"a": [np.ones(2)], 1: None}, {1: None, "a": (np.ones(2),)}),
        (np.array([LARGE], np.uint64), np.array([LARGE], np.uint64)),
        (np.array([True]), np.array([True])),
    ]
    for one, other in same:
        assert verdict(expect_equal, one, other, "") and verdict(expect_equal, other, one, "")
    different = [
        (1, True),
        (0, None),
        (1, "1"),
        (b"a", "a"),
        ([1], [1, 2]),
        ([1], 1),
        (np.ones(1), [1.0]),
        (np.ones(2), np.ones((2, 1))),
        (np.ones(1), np.ones(3)),
        (np.array([True]), np.array([1])),
        (np.array([LARGE], np.uint64), np.array([-1])),
        (np.array([2**53 + 1]), np.array([2.0**53])),
        (2**53 + 1, 2.0**53),
        (float("nan"), float("nan")),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"b": 1}),
    ]
    for one, other in different:
        assert not verdict(expect_equal, one, other, "") and not verdict(expect_equal, other, one, ""), (one, other)


def test_close_compares_integers_as_real_numbers_whatever_their_types():
    kinds = [np.int8, np.uint8, np.int64, np.uint64, np.float32]
    for one, other in itertools.product(kinds, kinds):  # unsigned differences would wrap to 255 and more
        assert verdict(expect_close, np.array([3, 2], one), np.array([2, 3], other), "", rtol=0, atol=1)
        assert not verdict(expect_close, np.array([5, 2], one), np.array([2, 5], other), "", rtol=0, atol=1)
    signed, unsigned = np.array([-1]), np.array([LARGE], np.uint64)
    assert not verdict(expect_close, signed, unsigned, "") and not verdict(expect_close, unsigned, signed, "")
    assert not verdict(expect_close, np.array([2**62 + 1]), np.array([2**62]), "", rtol=0, atol=0)
    assert verdict(expect_close, np.array([-128], np.int8), np.array([-128]), "", rtol=0.01)  # abs(int8 -128) is -128
    assert not verdict(expect_close, -LARGE, LARGE, "") and verdict(expect_close, LARGE, LARGE, "", rtol=0, atol=0)


def test_infinities_are_close_to_themselves_only_and_nan_to_nothing():
    inf, nan = float("inf"), float("nan")
    for value, expected in itertools.product([inf, -inf, nan, 0.0, 1e308], repeat=2):
        right = value == expected
        assert verdict(expect_close, value, expected, "", rtol=1e-5) == right, (value, expected)
        assert verdict(expect_close, np.array([value, 1]), np.array([expected, 1]), "") == right
        if not np.isnan(value):  # an infinite tolerance excuses no infinity
            assert verdict(expect_close, value, expected, "", atol=inf) == (
                right or np.isfinite([value, expected]).all()
            )
    with pytest.raises(AssertionError, match="x holds NaN or infinity"):
        expect_close(np.array([inf]), np.array([1.0]), "far off", name="x")


# ---- arguments that were changed ----

CHANGES = """
import numpy as np
def none(a, b, c=None): return a.sum() + len(b)
def first(a, b, c=None): a[0] += 1; return a
def nested(a, b, c=None): b[1][0]["x"].append(1); return 0
def keyword(a, b, c=None): c *= 2; return 0
def several(a, b, c=None): a.sort(); b.clear(); c[:] = 0
def resized(a, b, c=None): a.resize(7, refcheck=False)
def signed(a, b, c=None): a *= -1; a *= -1
def odd(a, b, c=None): b.append(print)
def raises(a, b, c=None): a[0] = 99; raise ValueError
"""


@pytest.fixture(params=["here", pytest.param("inside", marks=inside)])
def changing(request, tmp_path):
    if request.param == "inside":
        return request.getfixturevalue("submit")(CHANGES)
    (tmp_path / "answer.py").write_text(CHANGES)
    return load_here(tmp_path / "answer.py", ())


def test_arguments_that_a_call_changed_are_named(changing):
    changed = {"none": [], "first": [0], "nested": [1], "keyword": ["c"], "several": [0, 1, "c"], "resized": [0]}
    for name, names in (changed | {"signed": [], "odd": [1], "none": []}).items():
        given = np.array([3.0, 1.0, 2.0]), [0, ({"x": [1]},)]
        getattr(changing, name)(*given, c=np.ones(2))
        assert changing.changed == names, name
        assert given[0].tolist() == [3, 1, 2] and given[1] == [0, ({"x": [1]},)]  # it got copies
    with pytest.raises(SubmissionRaised):
        changing.raises(np.ones(3), [])
    expect_unchanged(changing)
    changing.several(np.array([2.0, 1.0]), [1], c=np.ones(1))
    with pytest.raises(AssertionError, match="argument 1, argument 2, c should not be changed: work on a copy"):
        expect_unchanged(changing)


def test_a_test_can_ask_for_unchanged_arguments(course):
    tests = TESTS.replace("import Partial,", "import expect_unchanged, Partial,").replace(
        "values = rng.normal(size=9)\n",
        "values = rng.normal(size=9)\n    submission.mean(values); expect_unchanged(submission)\n",
    )
    write_exercise(course, tests=tests)
    sorts = SOLUTION.replace("    return float(values.mean())", "    values.sort()\n    return float(values.mean())")
    write_class(course / "class", {"good": (SOLUTION, 3), "sorts": (sorts, 2)})
    grade(tasks_of(course), Log(course / "log"), here)
    assert marks(course) == {"good": 3, "sorts": 2}
    (entry,) = Gradebook(course / "log").entries("sorts")
    assert entry.record["results"][-1]["message"] == "argument 1 should not be changed: work on a copy"


# ---- an answer that a test does not foresee ----

CARELESS = TESTS.replace(
    "    values = rng.normal(size=9)\n",
    "    values = rng.normal(size=9)\n    assert submission.mean(values) + 1 < 99\n",
)


def test_an_answer_that_breaks_a_test_is_wrong_and_no_fault_of_the_grader(course):
    write_exercise(course, tests=CARELESS)
    odd = SOLUTION.replace("return float(values.mean())", "return {!r}")
    answers = {"none": None, "text": "1", "list": [[1.0]], "tuple": ((),), "large": LARGE}
    write_class(course / "class", {"good": (SOLUTION, 3)} | {name: (odd.format(a), 2) for name, a in answers.items()})
    grade(tasks_of(course), Log(course / "log"), here)
    assert marks(course) == {"good": 3} | dict.fromkeys(answers, 2)
    book = Gradebook(course / "log")
    looks = dict(book.to_look_at(set(book.students()), {"toy/keep"}))
    assert set(looks) == {"none", "text", "list", "tuple"}  # the large one is a number: simply wrong
    assert "could not work with" in looks["none"]
    (entry,) = book.entries("none")
    assert "TypeError" in entry.record["results"][-1]["staff"]


@pytest.mark.parametrize("error", ["MemoryError", "OSError", "Partial(2, '')", "ImportError"])
def test_what_fails_on_our_side_stays_a_grader_error(exercise, error):
    exercise.tests.write_text(CARELESS.replace("assert submission.mean(values) + 1 < 99", f"raise {error}"))
    assert run_tests(exercise, load_here(exercise.solution, ()))[-1].outcome == "grader_error"
    line = f"if submission.mean(values) is None: raise {error}"
    exercise.tests.write_text(CARELESS.replace("assert submission.mean(values) + 1 < 99", line))
    submission = load_here(exercise.solution, ())
    submission._module.mean = lambda values: None
    expected = "failed" if error.startswith("Partial") else "grader_error"  # of a share that its answer made up
    assert run_tests(exercise, submission)[-1].outcome == expected


def test_the_inputs_are_drawn_anew_for_the_solution(exercise):
    exercise.tests.write_text(CARELESS.replace("values = rng", "global last; last = rng.random(); values = rng"))
    submission = load_here(exercise.solution, ())
    submission._module.mean = lambda values: None
    assert run_tests(exercise, submission)[-1].outcome == "failed"


def test_to_refuse_everything_earns_nothing(tmp_path):
    assert check(write_exercise(tmp_path)).faults == []
    tests = TESTS.replace("    values = rng.normal(size=20)\n", "    return\n")
    found = " | ".join(check(write_exercise(tmp_path, tests=tests)).faults)
    assert "to raise ValueError everywhere earns 1 points in test_any_values; ask there for an answer, too" in found
    with pytest.raises(ValueError, match="0 <= share < 1"):
        Partial(1, "")
