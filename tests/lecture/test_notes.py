"""The sentences of the notes: each has its place in the lecture, and nothing else is put into the notes' mouth."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import tinycompress
from tinycompress.cli import main
from tinycompress.lecture import claims
from tinycompress.lecture.notes import SENTENCES, where

NOTEBOOKS = Path(tinycompress.__file__).parents[1] / "notebooks"


def test_every_sentence_has_a_claim_or_a_place_in_a_notebook():
    decided = {name for claim in claims() for name in claim.decides}
    assert list(SENTENCES) == [f"N{i}" for i in range(1, 32)]
    for sentence in SENTENCES.values():
        assert (sentence.id in decided) != bool(sentence.shown), sentence.id


@pytest.mark.skipif(not NOTEBOOKS.exists(), reason="the notebooks are not part of an installed package")
def test_the_sections_of_notebooks_that_show_a_sentence_are_there():
    shown = [sentence.shown.split(", ", 1) for sentence in SENTENCES.values() if sentence.shown]
    for notebook, section in shown:
        cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
        assert any("".join(cell["source"]).startswith(f"## {section}") for cell in cells), section


def test_a_claim_decides_sentences_of_the_notes_or_asks_a_question_of_ours():
    for claim in claims():
        if claim.decides:
            assert claim.asked_by.startswith("The notes say (N")
            assert all(SENTENCES[name].english in claim.statement for name in claim.decides)
        else:
            assert claim.asked_by.startswith("Our question") and claim.statement == claim.question
    (p1,) = claims(["P1"])
    with pytest.raises(ValueError, match="P1: .*not both"):
        replace(p1, question="Ours")
    (effect,) = p1.effects
    with pytest.raises(ValueError, match="P1: .*not both"):
        replace(p1, effects=(replace(effect, decides=()),))
    with pytest.raises(ValueError, match="no sentence N99"):
        replace(p1, effects=(effect, replace(effect, decides=("N99",))))


def test_the_command_line_lists_the_sentences_with_what_decides_them(capsys):
    assert main(["claims", "--notes"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{sentence.id}  {sentence.english}" in printed for sentence in SENTENCES.values())
    assert "→ claims Y1, Y2, Y4" in printed and "→ notebook 1_pruning" in printed
    assert main(["claims", "P1", "--notes"]) == 0
    assert capsys.readouterr().out.split()[0] == "N2"
    assert where(SENTENCES["N2"]) == "claim P1"
