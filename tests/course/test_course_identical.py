"""Identical hand-ins: what counts as the same, and that nothing but a list comes of it."""

import ast

import pytest
from course_class import MEAN, SOLUTION, write_class

from tinycompress.cli import main
from tinycompress.course.collect import find_handins
from tinycompress.course.exercise import find_exercises, strip_solution
from tinycompress.course.staff.identical import MAX_SIZE, identical, shape_of

ANSWER = f'''\
"""My answer."""
import numpy as np


def keep(values, count):
    """The largest."""
    order: list = np.argsort(values)
    try:
        return values[order[-count:]]
    except IndexError as error:
        raise ValueError from error


{MEAN}'''
SAME = {
    "other names": ANSWER.replace("order", "idx").replace("values", "v").replace("np", "numpy_").replace("error", "e"),
    "other comments": "# mine\n" + ANSWER.replace('"""The largest."""', "'''Different words.'''  # words"),
    "without docstrings": ANSWER.replace('    """The largest."""\n', "").replace('"""My answer."""\n', ""),
    "without annotations": ANSWER.replace("order: list =", "order ="),
    "other layout": ANSWER.replace("values, count", "values,\n    count").replace("\n\n\n", "\n"),
    "other line ends": ANSWER.replace("\n", "\r\n"),
    "without an alias": ANSWER.replace("import numpy as np", "import numpy").replace("np.", "numpy."),
}
OTHER = {
    "another number": ANSWER.replace("[-count:]", "[1 - count:]"),
    "another function of NumPy": ANSWER.replace("argsort", "sort"),
    "names exchanged": ANSWER.replace("values[order[-count:]]", "order[values[-count:]]"),
    "another exception": ANSWER.replace("ValueError", "TypeError"),
    "another module": ANSWER.replace("import numpy", "import scipy"),
    "one more line": ANSWER + "\n\nx = 1\n",
}


@pytest.mark.parametrize("source", SAME.values(), ids=SAME)
def test_what_does_not_change_the_program_does_not_change_its_shape(source):
    ast.parse(source)
    assert source != ANSWER and shape_of(source.encode())[0] == shape_of(ANSWER.encode())[0]


@pytest.mark.parametrize("source", OTHER.values(), ids=OTHER)
def test_another_program_has_another_shape(source):
    ast.parse(source)
    assert source != ANSWER and shape_of(source.encode())[0] != shape_of(ANSWER.encode())[0]


@pytest.mark.parametrize(
    "source",
    [
        "def f(:",
        "\0",
        "x = " + "-" * 100_000 + "1",
        "x = 1" + "+1" * 100_000,
        "x = a" + ".b" * 100_000,
        "#" * MAX_SIZE + "#",
    ],
)
def test_what_has_no_tree_is_compared_by_its_bytes(source):
    assert shape_of(source.encode()) == shape_of(source.encode())
    assert shape_of(source.encode())[1] == 0 and shape_of(source.encode() + b" ")[0] != shape_of(source.encode())[0]


def test_staff_get_a_list_and_marks_do_not_change(course, capsys):
    stub = strip_solution(SOLUTION)
    sources = {"ann": ANSWER, "bob": SAME["other names"], "cy": OTHER["another number"], "dee": stub, "eve": stub}
    sources |= {"fay": "def f(:\n", "gus": "def f(:\n", "hal": SOLUTION, "ida": SOLUTION, "jo": "", "kim": "\n"}
    write_class(course / "class", {name: (source, 0) for name, source in sources.items()})
    found = identical(find_handins(course / "class"), find_exercises(root=course))
    groups = {same.students: (same.bytes, same.is_solution) for same in found}
    assert groups == {("ann", "bob"): (False, False), ("fay", "gus"): (True, False), ("hal", "ida"): (True, True)}
    assert main(["course", "identical", str(course / "class"), "--exercises", str(course)]) == 0
    said = capsys.readouterr().out
    assert "toy/keep: 'ann', 'bob': the same but for names, comments" in said
    assert "toy/keep: 'hal', 'ida': the same in every byte, and as the solution" in said
    assert len(said.splitlines()) == 3 and not (course / "log").exists()


def test_nothing_is_said_of_a_class_that_differs(course, capsys):
    write_class(course / "class", {"ann": (ANSWER, 0), "bob": (OTHER["another number"], 0)})
    assert main(["course", "identical", str(course / "class"), "--exercises", str(course)]) == 0
    assert capsys.readouterr().out == "no two of 2 hand-ins are the same\n"
