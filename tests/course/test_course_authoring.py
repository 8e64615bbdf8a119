"""From exercise to handout: markers, what is released, and what `course check` finds."""

import ast
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from course_class import SOLUTION, TESTS, WRONG, write_exercise
from waiting import LONG

import tinycompress
from tinycompress.cli import main
from tinycompress.course.author.notebook import show, write_notebook
from tinycompress.course.author.release import check_nothing_leaks, public_tests, release
from tinycompress.course.check import check
from tinycompress.course.exercise import CourseProblem, find_exercises, load_module, strip_solution
from tinycompress.course.outcome import SubmissionProblem
from tinycompress.course.run import run_tests, total
from tinycompress.course.sandbox.submission import TookTooLong, load_here, time_limit

# ---- markers ----


def test_a_solution_gives_way_to_a_stub_that_says_what_is_missing():
    stub = strip_solution(SOLUTION)
    assert "SECRET" not in stub and "argsort" not in stub and "SOLUTION" not in stub
    assert '    raise NotImplementedError("keep is yours to write")\n' in stub
    assert stub.count("raise") == 2 and '"""Their mean."""' in stub


def test_students_may_get_faulty_lines_instead():
    source = (
        "def f(x):\n    ### BEGIN SOLUTION\n    y = x + 1\n    ### STUDENTS GET\n    # if x:  # odd\n    #     x += 2\n"
    )
    stub = strip_solution(source + "    ### END SOLUTION\n    return x\n")
    assert stub == "def f(x):\n    if x:  # odd\n        x += 2\n    return x\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f():\n    ### STUDENTS GET\n    pass\n", "belongs inside a solution"),
        ("def f():\n    ### BEGIN SOLUTION\n    x\n    ### STUDENTS GET\n    x\n", "each line with '# '"),
        ("def f():\n    ### BEGIN SOLUTION\n    pass\n", "does not end"),
        ("def f():\n    pass\n    ### END SOLUTION\n", "did not begin"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION\n", "inside the one that began on line 1"),
        ("def f():\n    pass\n", "no solution in it"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n# begin solution\n", "is '# begin solution' a marker?"),
        ("x = 1  ### BEGIN SOLUTION\n### END SOLUTION\n", "alone on its line"),
        ("### BEGIN SOLUTION\nx = (\n### END SOLUTION\n", "was never closed"),
    ],
)
def test_markers_that_do_not_fit_are_refused(source, words):
    with pytest.raises(CourseProblem, match=re.escape(words)):
        strip_solution(source)


# ---- the handout ----


def test_of_the_tests_only_the_public_ones_and_what_they_use_are_released(exercise):
    source = public_tests(exercise)
    assert "def test_three_stay" in source and "def three" in source and "VALUES = np" in source
    for secret in "HIDDEN", "test_any_values", "reference", "SECRET", "expect_error", "math":
        assert secret not in source


def test_a_handout_holds_no_line_of_solutions_or_hidden_tests(exercise, tmp_path):
    files = release([exercise], tmp_path / "out")
    text = "".join(path.read_text() for path in files)
    assert {path.name for path in files} >= {"keep.py", "test_keep.py", "conftest.py", "manifest.json"}
    for secret in "SECRET", "argsort", "HIDDEN", "wrong_", "math.fsum":
        assert secret not in text
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["exercises"]["toy/keep"]["functions"] == ["keep", "mean"]


@pytest.mark.parametrize(
    "leak",
    ["chosen = np.argsort(-values, kind='stable')[:count]", "HIDDEN_VALUES = np.array([9.0, 2.0, 6.0])", "x = 1"],
)
def test_a_leak_is_found_in_any_file(exercise, tmp_path, leak):
    release([exercise], tmp_path / "out")
    (tmp_path / "out" / "toy" / "notes.py").write_text(f"if True:\n    {leak}  # by accident\n".replace("'", '"'))
    if leak == "x = 1":
        check_nothing_leaks([exercise], tmp_path / "out")
    else:
        with pytest.raises(CourseProblem, match="notes.py would give away"):
            check_nothing_leaks([exercise], tmp_path / "out")


def test_all_exercises_of_the_lecture_can_be_released_together(tmp_path, monkeypatch):
    def without_experiment(path):
        module = load_module(path)
        module.measure = lambda exercise: {}  # which takes seconds, and says nothing of leaks
        return module

    monkeypatch.setattr("tinycompress.course.author.notebook.load_module", without_experiment)
    names = {path.name for path in release(find_exercises(), tmp_path / "out")}
    assert names >= {f"{kind}{e.name}.py" for e in find_exercises() for kind in ("", "test_", "show_")}


def test_nothing_is_left_of_a_release_that_fails(exercise, tmp_path):
    (tmp_path / "toy" / "show_keep.py").write_text("draw = print\ndef measure(exercise): return object()\n")
    with pytest.raises(CourseProblem, match="measure returns plain numbers"):
        release([exercise], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_handout_never_overwrites_work(exercise, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.py").write_text("my work")
    with pytest.raises(CourseProblem, match="not an empty folder"):
        release([exercise], tmp_path / "out")


def test_students_run_the_public_checks_with_plain_pytest(exercise, tmp_path):
    out = tmp_path / "out"
    release([exercise], out)
    program = [sys.executable, "-m", "pytest", str(out)]
    stub = subprocess.run(program, capture_output=True, text=True)
    assert stub.returncode == 1
    assert "keep is not written yet" in stub.stdout
    assert "\ntoy/keep: 0/1 (0 of 1 points)\n" in stub.stdout, "the summary names the exercise"
    assert "public checks 0/1 (0 of 1 points); hidden checks run after hand-in" in stub.stdout
    (out / "toy" / "keep.py").write_text(SOLUTION)
    assert "public checks 1/1" in subprocess.run(program, capture_output=True, text=True).stdout


def test_a_handout_says_what_to_do_with_it_and_what_is_missing_in_this_python(exercise, tmp_path):
    out = tmp_path / "out"
    release([exercise], out)
    readme = (out / "README.md").read_text()
    for words in (
        f'`pip install "tinycompress[course,notebooks]=={tinycompress.__version__}"`',
        "`toy/keep.py`: Keep the largest (3 points)",
        "`pytest toy/test_keep.py`",
        "`tinycompress course pack`",
    ):
        assert words in readme
    program = "import sys; sys.modules['tinycompress'] = None; import pytest; pytest.main(sys.argv[1:])"
    without = subprocess.run([sys.executable, "-c", program, str(out)], capture_output=True, text=True)
    assert without.returncode == 1 and "Traceback" not in without.stdout + without.stderr
    assert without.stderr.startswith("tinycompress is not installed in this Python")
    assert len(without.stderr.splitlines()) == 1


def test_an_infinite_loop_ends_a_students_own_check_of_it_alone(exercise, tmp_path):
    out = tmp_path / "out"
    release([exercise], out)
    tests = out / "toy" / "test_keep.py"
    tests.write_text(tests.read_text().replace("timeout(5)", "timeout(0.2)"))
    program = [sys.executable, "-m", "pytest", str(out)]
    loops = "def keep(values, count):\n    while True:\n        try:\n            count += 0\n        except Exception: pass\n"
    (out / "toy" / "keep.py").write_text(loops)
    said = subprocess.run(program, capture_output=True, text=True, timeout=LONG).stdout
    assert "Three of five stay: keep took longer than 0.2 s" in said


def test_a_file_that_does_not_end_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("tinycompress.course.sandbox.submission.LOAD_SECONDS", 0.1)
    (tmp_path / "keep.py").write_text("while True:\n    pass\n")
    with pytest.raises(SubmissionProblem, match="keep.py cannot be imported: it takes longer than 0.1 s"):
        load_here(tmp_path / "keep.py", (), limited=True)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0) and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


@pytest.mark.parametrize("moment", ["begin", "end"])
def test_an_alarm_at_the_very_begin_or_end_of_a_limit_leaves_none_behind(moment, monkeypatch):
    rung, true_setitimer = [], signal.setitimer

    def setitimer(which, seconds, interval=0.0):
        if moment == "begin":
            true_setitimer(which, seconds, interval)
        if not rung and (seconds > 0) == (moment == "begin"):
            rung.append(True)
            signal.raise_signal(signal.SIGALRM)
        true_setitimer(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", setitimer)
    with pytest.raises(TookTooLong), time_limit(1000):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0) and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_a_debugger_is_not_hurried():
    before = sys.gettrace()
    sys.settrace(lambda *arguments: None)
    try:
        with time_limit(0.01):
            time.sleep(0.05)
    finally:
        sys.settrace(before)
    with pytest.raises(TookTooLong), time_limit(0.01):
        time.sleep(5)


# ---- course check ----


def test_a_good_exercise_passes_its_check(exercise):
    found = check(exercise)
    assert found.faults == [] and found.points == 3
    scores = {name: earned for name, earned, _ in found.scores}
    assert scores == {
        **{"solution": 3, "stub": 0, "sorted_ones": 1.5, "total": 2, "lazy": 0},
        **{"public table": 1, "earlier table": 1},  # the point of the public test
    }


def changed(text, *changes):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


FAULTY = [
    (
        {
            "solution": changed(SOLUTION, ("    return float(values.mean())", "    return 0.0")),
            "wrong": '"""None."""',
        },
        ["the solution fails test_the_mean", "at least two plausible wrong answers"],
    ),
    (
        {"wrong": changed(WRONG, ("points=1.5,", "points=2.5,"), ("values.sum()", "values.mean()"))},
        ["should earn 2.5, but earns 1.5; it loses test_three_stay", "no test notices total, which is wrong"],
    ),
    (
        {
            "tests": changed(
                TESTS,
                ("rng.normal(size=9)", "np.random.default_rng().normal(size=9)"),
                ('"it is the sum over the number")', '"")\n    assert 0, f"{values}"'),
                ('expect_array(submission.keep(values, 7), (7,), "float")', "submission.keep(values, 7)[:]"),
                ("    expect_error(ValueError, submission.keep, HIDDEN_VALUES, 4)\n", ""),
                ("assert three(submission.keep(VALUES, 3)).tolist() == [3, 4, 5]", "assert True"),
            )
        },
        [
            "two runs of the solution differ",
            "test_any_values breaks where the answer is None",
            "the stub earns points in test_three_stay",
        ],
    ),
    (
        {
            "tests": changed(
                TESTS, ("mark.hidden", "mark.public"), (", reference", ""), ("reference.keep(values, 7)", "0")
            )
        },
        ["there should be public and hidden tests"],
    ),
    (
        {"tests": changed(TESTS, ("values = rng.normal(size=9)", "values = np.arange(9.0)"))},
        [
            "those to all calls of a course with another seed earn 1 of 2 hidden points, more than 10%, in test_the_mean (1)"
        ],
    ),
    (  # other values, but the same answer
        {"tests": changed(TESTS, ("values = rng.normal(size=9)", "values = rng.normal() * np.array([-1.0, 0, 1])"))},
        ["earn 1 of 2 hidden points, more than 10%, in test_the_mean (1)"],
    ),
    (
        {
            "tests": changed(
                TESTS, ("submission.mean(values), math.fsum(values) / 9", "submission.keep(VALUES, 3), [3.0, 4, 5]")
            )
        },
        ["the answers to the public tests' calls by heart earn"],
    ),
    (
        {"solution": changed(SOLUTION, ("(3 points)", "(4 points)"))},
        ["its docstring promises 4 points, but its tests give 3"],
    ),
]


@pytest.mark.parametrize(
    ("files", "faults"),
    FAULTY,
    ids=["solution", "wrong", "tests", "public", "constant", "insensitive", "known", "points"],
)
def test_faults_of_an_exercise_are_found_and_said(tmp_path, files, faults):
    found = " | ".join(check(write_exercise(tmp_path, **files)).faults)
    for fault in faults:
        assert fault in found


def test_an_experiment_that_fails_on_the_solution_is_a_fault(tmp_path):
    exercise = write_exercise(tmp_path)
    (exercise.folder / "show_keep.py").write_text(
        '"""Show."""\n\n\ndef measure(submission):\n    return submission.kepe([1.0], 1)\n\n\ndef draw(*_):\n    pass\n'
    )
    (fault,) = check(exercise).faults
    assert "show_keep.py: measure fails on the solution: AttributeError" in fault and "kepe" in fault


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("def test_", "def no_test_", "there are no tests in it"),
        ("@pytest.mark.points(1)\n", "", "give it @pytest.mark.points"),
        ("@pytest.mark.points(1)\n", "@pytest.mark.points(-1)\n", "give it @pytest.mark.points"),
        ("@pytest.mark.public\n", "", "mark it @pytest.mark.public or"),
        ("@pytest.mark.public\n", "@pytest.mark.public\n@pytest.mark.hidden\n", "not both"),
        ("test_three_stay(submission", "test_three_stay(reference, submission", "a public test has no reference"),
        ("MAY_IMPORT = ()", "MAY_IMPORT = ('engin',)", "there is no 'engin' in tinycompress"),
        ("import math", "import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_tests_that_cannot_be_graded_are_an_error_and_never_a_zero(tmp_path, old, new, words):
    exercise = write_exercise(tmp_path, tests=TESTS.replace(old, new))
    with pytest.raises(CourseProblem, match=re.escape(words)):
        run_tests(exercise, load_here(exercise.solution, exercise.may_import()))


def test_unequal_answers_are_not_compared_line_by_line_in_a_pipeline(tmp_path, monkeypatch):
    """For thousands of numbers this takes minutes, and ran into the time limit of a test."""
    compared = []
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("difflib.ndiff", lambda *given: compared.append(given) or [])
    exercise = write_exercise(tmp_path)
    answer = tmp_path / "keep.py"
    answer.write_text("def keep(values, count):\n    return values[:count]\n")
    results = run_tests(exercise, load_here(answer, ()))
    assert results[0].message == "they keep their order" and not compared


def test_hidden_inputs_change_with_the_course_and_public_ones_do_not(tmp_path):
    tests = TESTS.replace(
        "def test_the_mean(submission, rng):\n",
        "def test_the_mean(submission, rng):\n    assert 0, f'{rng.random()}'\n",
    )
    tests = tests.replace(
        "def test_three_stay(submission):\n", "def test_three_stay(submission, rng):\n    assert 0, f'{rng.random()}'\n"
    )
    exercise = write_exercise(tmp_path, tests=tests)
    submission = load_here(exercise.solution, ())

    def messages(**given):
        results = {r.name: r.message for r in run_tests(exercise, submission, **given)}
        return results["test_three_stay"], results["test_the_mean"]

    first, again, other, student = (
        messages(seed="a"),
        messages(seed="a"),
        messages(seed="b"),
        messages(seed="a", student="eve"),
    )
    assert first == again and first[0] == other[0] == student[0]
    assert len({first[1], other[1], student[1]}) == 3


def test_what_an_exercise_may_not_import_is_said_before_the_hand_in(exercise, tmp_path):
    for line in "import tinycompress.pruning", "from tinycompress import pruning", "from tinycompress.pruning import x":
        path = tmp_path / "keep.py"
        path.write_text(f"{line}\n")
        with pytest.raises(Exception, match="may not be imported in this exercise"):
            load_here(path, ("engine",))


# ---- the command line ----


def test_the_command_line_checks_and_releases(exercise, tmp_path, capsys):
    root = str(tmp_path)
    assert main(["course", "check", "--exercises", root]) == 0
    said = capsys.readouterr().out
    assert "toy/keep: 3 points" in said and "\n1 exercise, none faulty" in said
    assert main(["course", "check", "--help"]) == 0
    assert "solution 100 %, stub 0" in capsys.readouterr().out
    assert main(["course", "release", "keep", "--exercises", root, "--out", str(tmp_path / "out")]) == 0
    assert main(["course", "release", "keep", "--exercises", root, "--out", str(tmp_path / "out")]) == 2
    assert main(["course", "check", "kep", "--exercises", root]) == 2
    assert "there are toy/keep" in capsys.readouterr().err
    write_exercise(tmp_path, wrong='"""None."""')
    assert main(["course", "check", "--exercises", root]) == 1


@pytest.mark.filterwarnings("error:overflow encountered in scalar:RuntimeWarning")
@pytest.mark.parametrize("exercise", find_exercises(), ids=lambda exercise: exercise.id)
def test_every_exercise_of_the_lecture_is_fit_to_be_released(exercise):
    found = check(exercise, notebook=False)
    assert not found.faults, str(found)


@pytest.mark.parametrize("exercise", find_exercises(), ids=lambda exercise: exercise.id)
def test_every_notebook_says_what_to_look_for(exercise):
    assert "\n\nLook for " in ast.get_docstring(ast.parse(exercise.show.read_text()))


def test_a_notebook_draws_the_students_numbers_beside_the_solutions(tmp_path):
    (exercise,) = find_exercises(["pruning/n_of_m"])
    write_notebook(exercise, tmp_path)
    notebook = json.loads((tmp_path / "n_of_m.ipynb").read_text())
    assert 'show("n_of_m")' in "".join(notebook["cells"][1]["source"])
    (tmp_path / "n_of_m.py").write_text(exercise.solution.read_text())
    lines = {line.get_label(): line for line in show("n_of_m", tmp_path).axes[0].lines}
    yours, reference = lines["your n of 4"], lines["the solution's n of 4"]
    assert np.array_equal(yours.get_ydata(), reference.get_ydata()) and np.ptp(yours.get_ydata()) > 10


def test_each_case_of_a_parametrized_test_has_a_title_of_its_own(tmp_path):
    cases = '@pytest.mark.parametrize("size", [9, 3], ids=["many", "few"])\ndef test_the_mean(submission, rng, size):\n'
    exercise = write_exercise(tmp_path, tests=changed(TESTS, ("def test_the_mean(submission, rng):\n", cases)))
    titles = [result.title for result in run_tests(exercise, load_here(exercise.solution, ()))]
    assert titles == ["Three of five stay", "Any values", "the mean (many)", "the mean (few)"]


def test_partial_credit_is_part_of_the_points(exercise):
    submission = load_here(exercise.solution, ())
    keep = submission._module.keep
    submission._module.keep = lambda values, count: keep(values, count)[::-1]
    results = {r.name: r for r in run_tests(exercise, submission)}
    assert results["test_any_values"].earned == 0.5 and results["test_any_values"].outcome == "partial"
    assert total(list(results.values())) == (1.5, 3)
    assert np.isfinite(submission.elapsed)


def test_a_share_of_nothing_is_no_partial_credit(tmp_path):
    given_up = '    """Three of five stay."""\n    raise Partial(0, "far off")\n'
    exercise = write_exercise(tmp_path, tests=changed(TESTS, ('    """Three of five stay."""\n', given_up)))
    result = run_tests(exercise, load_here(exercise.solution, ()))[0]
    assert (result.outcome, result.earned, result.message) == ("failed", 0, "far off")
