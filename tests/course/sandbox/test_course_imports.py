"""What a submission may import: the same in the student's own checks and in the sandbox, where it is graded."""

from pathlib import Path

import numpy as np
import pytest
from course_class import inside

from tinycompress.course import SubmissionProblem
from tinycompress.course.exercise import find_exercises
from tinycompress.course.run import run_tests
from tinycompress.course.sandbox import Kit
from tinycompress.course.sandbox.submission import load_here

IMPORTS = {  # what the file does, and whether that works
    "import numpy, scipy.sparse, numba": True,
    "import json, collections.abc, multiprocessing": True,
    "import matplotlib": False,
    "from matplotlib import pyplot": False,
    "import sklearn.cluster": False,
    "import tinycompress as tc, numpy as np; tc.Tensor(np.ones(2)); tc.nn.ReLU(); tc.functional.relu; tc.fit": True,
    "import tinycompress.nn.layers; tinycompress.nn.ReLU()": True,
    "from tinycompress import nn, fit, Tensor": True,
    "import tinycompress.pruning": False,
    "from tinycompress import pruning": False,
    "from tinycompress.quantization import huffman": False,
    "import tinycompress; tinycompress.pruning": False,
    "import tinycompress.course": False,
    "from .helpers import x": False,
    "import test_keep": False,
    "try:\n    import matplotlib\nexcept ImportError:\n    pass": True,
}


def outcome(make):
    """Whether a submission works, when it is loaded and when it is called."""
    try:
        return make().f() == 1
    except SubmissionProblem:
        return False


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("code", "works"), IMPORTS.items())
def test_a_students_own_checks_import_as_expected(tmp_path, code, works, later):
    (tmp_path / "keep.py").write_text(source(code, later))
    assert outcome(lambda: load_here(tmp_path / "keep.py", ("engine",))) == works


@inside
@pytest.mark.parametrize(("code", "works"), IMPORTS.items())
def test_the_sandbox_imports_as_a_students_own_checks_do(submit, engine, code, works):
    assert outcome(lambda: submit(source(code, False), kit=engine)) == works


def source(code, later):
    """A file that does it when it is imported, or in its function."""
    body = code.replace("\n", "\n    ")
    return f"def f():\n    {body}\n    return 1\n" if later else f"{code}\ndef f():\n    return 1\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Kit.make(("engine",), tmp_path_factory.mktemp("engine") / "kit")


def test_a_students_own_check_says_what_is_missing_where_it_is_graded(tmp_path):
    (tmp_path / "keep.py").write_text("import os\nimport matplotlib\n")
    with pytest.raises(SubmissionProblem, match="line 2: there is no matplotlib where this is graded, only numpy"):
        load_here(tmp_path / "keep.py", ())


TRAIN = """
import numpy as np
import tinycompress as tc
def train(x, y):
    tc.set_num_threads(1)
    net = tc.nn.Sequential(tc.nn.Dense(4, 2, rng=np.random.default_rng(0)))
    optimizer = tc.optim.SGD(net.parameters(), lr=0.1)
    tc.fit(net, (x, y), epochs=2, optimizer=optimizer, rng=np.random.default_rng(1))
    return net[0].weight.data
"""


@inside
def test_training_with_its_progress_bar_is_the_same_in_the_sandbox(submit, engine, tmp_path):
    x = np.random.default_rng(2).normal(size=(32, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    (tmp_path / "train.py").write_text(TRAIN)
    outside = load_here(tmp_path / "train.py", ("engine",)).train(x, y)
    assert np.allclose(submit(TRAIN, kit=engine).train(x, y), outside, rtol=0, atol=1e-6)


def test_a_relative_folder_of_exercises_is_as_good_as_an_absolute_one(exercise, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (relative,) = find_exercises(root=Path("."))
    assert relative == exercise

    def count():
        return len(run_tests(relative, load_here(relative.solution, ())))

    assert count() == 3
    exercise.tests.write_text(
        exercise.tests.read_text()
        + "\n\n@pytest.mark.hidden\n@pytest.mark.points(1)\ndef test_more(submission): pass\n"
    )
    monkeypatch.chdir("/")
    assert count() == 4  # not the file as it was before
