"""Questions before figures, functions that readers write, and source without guards."""

import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import tinycompress
import tinycompress as tc
from tinycompress.course import in_cell
from tinycompress.course.exercise import CourseProblem, find_exercises
from tinycompress.lecture import claims, report
from tinycompress.lecture.cells.predict import ask, predict
from tinycompress.lecture.cells.questions import QUESTIONS, Question
from tinycompress.lecture.cells.your_turn import experiment
from tinycompress.lecture.notebooks import WIDGET
from tinycompress.lecture.source import without_guards

FIGURES = Path(tinycompress.__file__).parents[1] / "figures"
measured = pytest.mark.skipif(not FIGURES.is_dir(), reason="the report is not part of an installed package")


@pytest.fixture
def displayed(monkeypatch):
    """The bundles that cells display."""
    found = []
    monkeypatch.setattr("IPython.display.display", lambda thing, raw=False, metadata=None: found.append(thing))
    return found


@pytest.fixture
def made(monkeypatch):
    """The buttons and outputs that are made, by the name of their class."""
    import ipywidgets

    found = {"Button": [], "Output": [], "HTML": []}
    for name, every in found.items():
        true = getattr(ipywidgets, name)
        make = lambda *a, true=true, every=every, **k: every.append(true(*a, **k)) or every[-1]  # noqa: E731
        monkeypatch.setattr(ipywidgets, name, make)
    return found


# ---- questions ----


@measured
@pytest.mark.parametrize("claim_id", QUESTIONS)
def test_the_right_choice_is_where_the_measured_effect_lies(claim_id):
    result, question = report.read(FIGURES, claim_id), QUESTIONS[claim_id]
    finding = question.finding(result)
    value = 2**finding.mean if finding.effect.unit == "log2 ×" else finding.mean
    bounds = dict(zip(question.choices, [-math.inf, *question.choices.values()], strict=False))
    right = question.right(result)
    assert bounds[right] <= value < question.choices[right]


@measured
def test_a_choice_without_a_difference_is_right_only_if_the_verdict_is_not_that_there_is_one():
    for claim_id, question in QUESTIONS.items():
        finding = question.finding(report.read(FIGURES, claim_id))
        if finding.verdict == "no difference":
            assert "within a point" in question.right(report.read(FIGURES, claim_id)), claim_id
        if finding.verdict == "contradicted" and finding.effect.unit == "log2 ×":
            assert "slower" in question.right(report.read(FIGURES, claim_id)), claim_id


def test_every_question_is_about_a_claim_and_one_of_its_effects():
    by_id = {claim.id: claim for claim in claims()}
    for claim_id, question in QUESTIONS.items():
        names = [effect.name for effect in by_id[claim_id].effects]
        assert question.effect in names or sum(question.effect in name for name in names) == 1, claim_id


def test_choices_in_another_order_are_refused():
    for bounds in ([1.0, 0.0, math.inf], [0.0, 1.0], [math.inf]):
        with pytest.raises(ValueError, match="must rise"):
            Question("?", "", {str(bound): bound for bound in bounds})


@measured
def test_a_click_says_what_was_measured_and_only_then_shows_figure_and_verdict(displayed, made):
    predict("P3", [FIGURES])
    assert all(WIDGET in bundle for bundle in displayed) and all(output.outputs == () for output in made["Output"])
    wrong = next(b for b in made["Button"] if b.description == "at most half the time")
    wrong.click()
    kinds = [set(output.outputs[0]["data"]) for output in made["Output"]]
    assert kinds == [{"text/markdown"}, {"text/markdown"}, {"image/png", "text/plain"}, {"text/markdown"}]
    assert "CSR" in made["Output"][1].outputs[0]["data"]["text/markdown"]  # the verdict, above the figure
    assert made["Output"][2].outputs[0]["metadata"]["image/png"]["alt"].startswith("Figure of claim P3")
    right = QUESTIONS["P3"].right(report.read(FIGURES, "P3"))
    told = next(html.value for html in made["HTML"] if "You predicted" in html.value)
    assert f"Measured: <b>{right}</b>" in told
    assert [b.description for b in made["Button"] if b.button_style == "success"] == [right]
    assert all(b.disabled for b in made["Button"])


@measured
@pytest.mark.parametrize("lacking", ["ipywidgets", "a kernel"])
def test_without_widgets_the_answer_is_folded_and_the_figure_follows(displayed, monkeypatch, lacking):
    if lacking == "ipywidgets":
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
    predict("P4", [FIGURES])
    question, statement, verdict, figure, note = displayed
    assert ("text/html" in question) and (WIDGET in question) == (lacking == "a kernel")
    right = QUESTIONS["P4"].right(report.read(FIGURES, "P4"))
    assert f"<details><summary>Answer</summary>Measured: <b>{right}</b>" in question["text/html"]
    assert all(f"<li>{choice}</li>" in question["text/html"] for choice in QUESTIONS["P4"].choices)
    assert "image/png" in figure and "speed-up" in verdict["text/markdown"]


def test_a_claim_that_was_not_measured_is_asked_without_an_answer(displayed, tmp_path):
    predict("P3", [tmp_path])
    assert "not been measured" in displayed[0]["text/html"]
    with pytest.raises(LookupError, match="P3b"):
        predict("P3b")


def test_an_answer_that_is_no_choice_is_refused(displayed):
    with pytest.raises(ValueError, match="'3' is none of the choices"):
        ask("how many?", ["1", "2"], "3", [])


# ---- your turn ----


def test_a_function_that_is_not_written_is_told_so_kindly(capsys):
    def n_of_m_mask(weight, n, m):
        raise NotImplementedError

    in_cell.check("pruning/n_of_m", n_of_m_mask)
    told = capsys.readouterr().out
    assert told.startswith("n_of_m_mask: yours to write.") and "○ Of every four" in told and "Error" not in told
    assert "packing" not in told.lower()  # a test of another function


def test_a_check_teaches_and_accepts_the_solution(capsys):
    in_cell.check("pruning/n_of_m", n_of_m_mask=lambda weight, n, m: weight > 0)
    assert "magnitude decides, not the sign" in capsys.readouterr().out

    def n_of_m_mask(weight, n, m):
        return 1 / 0

    in_cell.check("pruning/n_of_m", n_of_m_mask)
    assert re.search(r"raised ZeroDivisionError \(line \d+ of your cell\)", capsys.readouterr().out)

    from tinycompress.course.exercise import load_module

    (exercise,) = find_exercises(["pruning/n_of_m"])
    solution = load_module(exercise.solution)
    in_cell.check("pruning/n_of_m", solution.n_of_m_mask, solution.pack, solution.packed_matmul)
    told = capsys.readouterr().out
    assert told.count("✓") == 4 and "✗" not in told and "All that is checked" in told


def test_a_check_of_a_function_that_the_exercise_lacks_names_those_it_has():
    with pytest.raises(CourseProblem, match="no function 'mask'; it has n_of_m_mask, pack, packed_matmul"):
        in_cell.check("pruning/n_of_m", mask=max)


def test_the_exercises_of_a_chapter_are_listed_with_their_time(displayed, monkeypatch):
    monkeypatch.setattr("IPython.display.display", displayed.append)
    in_cell.show_exercises("pruning")
    assert "| pruning/n_of_m | Sparsity that hardware likes: 2 of every 4 | 45 minutes, 9 points |" in displayed[0].data
    assert displayed[0].data.count("| pruning/") == len(find_exercises(["pruning"]))


def pictured(displayed):
    return displayed[-1]["text/plain"]


def test_an_experiment_draws_the_readers_curve_beside_the_lectures(displayed, capsys):
    lecture = {"magnitude": {0.5: 0.9, 0.9: 0.5}}
    experiment(lambda x: x, lambda f: {0.5: f(0.8), 0.9: f(0.4)}, lecture, x="removed", title="Scores")
    assert pictured(displayed).endswith("magnitude, yours.") and capsys.readouterr().out == ""


def test_an_experiment_without_a_function_yet_says_what_to_do(displayed, capsys):
    def mine():
        raise NotImplementedError

    def broken():
        return np.zeros(3)[5]

    experiment(mine, lambda f: {0: f()}, {"magnitude": {0: 1}}, x="removed", title="Scores")
    assert capsys.readouterr().out.startswith("mine is yours to write") and pictured(displayed).endswith(" magnitude.")
    experiment(broken, lambda f: {0: f()}, {"magnitude": {0: 1}}, x="removed", title="Scores")
    assert re.search(r"broken does not run yet: IndexError.*, in line \d+ of its cell", capsys.readouterr().out)


def test_an_experiment_names_a_missing_return(displayed, capsys):
    def forgot():
        np.zeros(3)

    experiment(forgot, lambda f: dict(f()), {"magnitude": {0: 1}}, x="removed", title="Scores")
    said = capsys.readouterr().out
    assert said.startswith("forgot does not run yet") and "`return` is missing" in said


def test_an_experiment_says_what_computes_with_a_tensor(displayed, capsys):
    experiment(
        lambda x: np.exp(x), lambda f: {0: f(tc.Tensor([1.0]))}, {"magnitude": {0: 1}}, x="removed", title="Scores"
    )
    assert "use the Tensor's methods, or its .data" in capsys.readouterr().out


# ---- source ----

GUARDED = '''
    def halve(x, parts=2):
        """Half of x.

        Raises ValueError for an odd x. It ends here."""
        check_type(x)
        # An odd number has no half.
        if x % 2:
            raise ValueError(f"halve: {x} is odd")
        assert parts == 2
        if x == 0:
            return 0
        if (y := x // parts) < 0:
            raise ValueError("negative")
        return y
'''


def test_guards_and_what_they_say_are_left_out_and_nothing_else():
    shown = '''def halve(x, parts=2):
    """Half of x."""
    if x == 0:
        return 0
    if (y := x // parts) < 0:
        raise ValueError("negative")
    return y
'''
    assert without_guards(GUARDED.lstrip("\n")) == shown


def test_closing_quotes_that_move_up_make_no_line_too_long():
    words = "word " * 23 + "word"
    shown = without_guards(f'def f(x):\n    """{words}\n\n    Raises what it must.\n    """\n    return x\n')
    assert shown.count('"""') == 2 and shown.split() == f'def f(x): """{words}""" return x'.split()
    assert max(map(len, shown.splitlines())) <= 100


def test_a_block_of_guards_alone_stays():
    source = "def f(x):\n    if x:\n        raise ValueError\n"
    assert without_guards(source) == source
