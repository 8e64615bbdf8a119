"""The notebooks in Chinese: every line is translated, none of what must stay differs, and the copy runs."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

import tinycompress
import tinycompress.lecture
from tinycompress.cli import main
from tinycompress.lecture import claims, language
from tinycompress.lecture.blackboard import claim_text, read_result, show_claim, show_notes, show_verdicts, verdict_text
from tinycompress.lecture.cells.predict import predict
from tinycompress.lecture.cells.questions import QUESTIONS
from tinycompress.lecture.language import prose, say, speak, speaking
from tinycompress.lecture.page import described, statement

ROOT = Path(tinycompress.__file__).parents[1]
FILES = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.skipif(not FILES, reason="the notebooks are not part of an installed package")
CHINESE = re.compile("[\u4e00-\u9fff]")
ENTRIES = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (language.FOLDERS["zh"] / "notebooks").iterdir()
}


def lines_of(path):
    """(cell's id, line) for each line that must be translated."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    return [(cell.id, line) for cell in cells for line in prose.lines(cell.source) if prose.has_words(line)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_line_of_a_notebook_has_a_translation(path):
    missing = [(cell, line) for cell, line in lines_of(path) if line not in prose.translations("zh")]
    assert not missing, f"new or changed; translate them in lecture/language/zh/notebooks/{path.stem}.json"


def test_every_translation_is_of_a_line_and_stands_in_its_notebooks_file():
    places = {}
    for path in FILES:
        for _, line in lines_of(path):
            places.setdefault(line, set()).add(path.stem)
    for name, entries in ENTRIES.items():
        wrong = [line for line in entries if (places.get(line, set()) != {name}) != (name == "common")]
        assert not wrong, f"{name}.json has lines of no notebook, or of others"
        assert all(line in places for line in entries), name
    assert sum(map(len, ENTRIES.values())) == len(prose.translations("zh"))


@pytest.mark.parametrize("claim", [claim.id for claim in claims()])
def test_verdicts_between_chinese_words_have_chinese_punctuation(claim):
    with speaking("zh"):
        result = read_result(claim, [ROOT / "figures", ROOT / "figures" / "gpu"])
        text = "\n".join([claim_text(result.claim), verdict_text(result), described(result)])
    assert not re.findall(
        "[\u4e00-\u9fff）\\]*][:;,](?: |$)|[。；，：][。；，：]| \\([\u4e00-\u9fff].*", text, re.MULTILINE
    )


def kept(line):
    """What a translation keeps: code, formulas and tags, and outside of them numbers, claims, links and emphasis."""
    words = prose.MARKUP.sub(" ", line)
    numbers = re.findall(r"(?<![\d.,/])[−-]?\d+(?:[.,]\d+)*(?!\d)|[²×%µ]", words)
    links = re.findall(r"\]\(([^)]*)\)|(https?://\S+)", words)
    return Counter(prose.MARKUP.findall(line) + numbers + links + re.findall(r"\b[A-Z]\d+b?\b|\*+|^#+|^\d\.", words))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_translation_keeps_numbers_code_formulas_claims_and_links(name):
    for english, chinese in ENTRIES[name].items():
        assert CHINESE.search(chinese), english
        assert kept(chinese) == kept(english), chinese


@pytest.mark.parametrize("name", ENTRIES)
def test_emphasis_ends_where_markdown_lets_it_end(name):
    for chinese in ENTRIES[name].values():  # after a full stop or a bracket, no marker closes before a letter
        ends = re.split(r"\*+", prose.MARKUP.sub("x", chinese))
        for inside, after in zip(ends[1::2], ends[2::2], strict=True):
            assert inside == inside.strip() and not (re.search(r"\W$", inside) and re.match(r"\w", after)), chinese


def test_lines_are_joined_where_they_were_wrapped_and_nowhere_else():
    text = "# Title\n\nOne line\nand its rest, 3\nmore.\n\n1. one\n2. two\n   goes on\n\n| a |\n|---|\n\n$$x$$\n\n</details>"
    assert prose.lines(text) == (
        "# Title\n\nOne line and its rest, 3 more.\n\n1. one\n2. two    goes on\n\n| a |\n|---|\n\n$$x$$\n\n</details>"
    ).split("\n")


@pytest.fixture
def chinese_after_a_cell():
    """The language, as the first cell of a notebook chooses it."""
    speak("zh")
    yield
    speak("en")


def test_the_notebooks_are_written_in_chinese_with_their_code_and_a_cell_that_chooses_the_language(tmp_path):
    assert main(["notebooks", "--out", str(tmp_path / "zh"), "--language", "zh"]) == 0
    assert (tmp_path / "zh" / "figures" / "claims.json").is_file()
    for path in FILES:
        english, chinese = nbformat.read(path, 4), nbformat.read(tmp_path / "zh" / path.name, 4)
        nbformat.validate(chinese)
        code = [cell for cell in chinese.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        assert [cell.source for cell in code[1:]] == [c.source for c in english.cells if c.cell_type == "code"]
        try:
            exec(code[0].source, {})
            assert say("supported") == "成立"
        finally:
            speak("en")
        added = {cell.id for cell in chinese.cells} - {cell.id for cell in english.cells}
        assert len(added) == 2 and len(chinese.cells) == len(english.cells) + 2
        assert all(CHINESE.search(c.source) for c in chinese.cells if c.cell_type == "markdown")


def test_a_language_that_is_chosen_lasts_beyond_its_cell_and_gives_way_to_a_block(chinese_after_a_cell):
    import contextvars
    import threading

    said = []
    threading.Thread(target=lambda: said.append(say("test accuracy"))).start()
    said.append(contextvars.Context().run(say, "test accuracy"))
    assert said == ["测试准确率"] * 2
    with speaking("en"):
        assert say("test accuracy") == "test accuracy"
    with pytest.raises(ValueError, match="got 'fr'"):
        speak("fr")
    assert say("test accuracy") == "测试准确率"


@pytest.fixture
def displayed(monkeypatch):
    found = []
    monkeypatch.setattr("IPython.display.display", lambda thing, raw=False, metadata=None: found.append(thing))
    return found


@pytest.mark.parametrize("claim_id", QUESTIONS)
def test_every_question_and_its_choices_are_translated(claim_id, chinese_after_a_cell):
    question = QUESTIONS[claim_id]
    missing = [text for text in (question.text, *question.choices) if not CHINESE.search(say(text))]
    assert [text for text in missing if re.search("[A-Za-z]{2}", text)] == []


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.id)
def test_what_a_claim_decides_is_said_in_chinese_sentence_by_sentence(claim, chinese_after_a_cell):
    said = statement(claim)
    assert CHINESE.search(said) and all(said.split("；"))


def test_cells_show_claims_questions_and_verdicts_in_chinese(displayed, chinese_after_a_cell):
    folders = [ROOT / "figures"]
    predict("P4", folders)
    question, statement, verdict, figure, note = displayed
    assert "先预测" in question["text/html"] and "答案" in question["text/html"] and "测得" in question["text/html"]
    assert statement["text/markdown"].startswith("**论断 P4：") and "Claim" not in statement["text/markdown"]
    assert re.search(r"\*\*[✓✗○＝] [成不未无]", verdict["text/markdown"]) and "缩小或加快" in verdict["text/markdown"]
    assert "image/png" in figure and figure["text/plain"].startswith("论断 P4") and "延伸阅读" in note["text/markdown"]
    displayed.clear()
    show_claim("P1", [])
    show_verdicts(folders)
    show_notes(["N2", "N6"], folders)
    _, unmeasured, verdicts, notes = (bundle["text/markdown"] for bundle in displayed)
    assert unmeasured.startswith("尚未测量。运行 `tinycompress lecture P1`")
    assert verdicts.startswith("| 论断 | 裁定 |") and "supported" not in verdicts
    assert "每次 remove 一小部分" in notes and "Remove" not in notes and "“难以实施吗？”一节" in notes


def test_where_few_bits_are_faster_is_listed_in_chinese(displayed, chinese_after_a_cell):
    shapes = "1024×1024, one image at a time (3.3×), LeNet, 128 images at once (4×), a net, one image at a time (2×)"
    assert say(f"faster: {shapes}") == (
        "更快：1024×1024，一次一张图像（3.3×）、LeNet，一次 128 张图像（4×）、a net，一次一张图像（2×）"
    )
    show_claim("Q6", [ROOT / "figures"])
    verdict = displayed[1]["text/markdown"]
    assert "一次一张图像" in verdict and "at a time" not in verdict and "at once" not in verdict


def drawn_texts(path):
    """Titles and axis labels of a file that draws, an f-string with 1 for each of its values."""
    found = []
    for call in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", "")
        arguments = call.args[:1] if name in ("set_title", "suptitle") else []
        arguments += [k.value for k in call.keywords if k.arg in ("xlabel", "ylabel")]
        for argument in arguments:
            parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
            if isinstance(argument, ast.JoinedStr) or isinstance(argument, ast.Constant):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "1" for part in parts))
    return found


LECTURE = Path(tinycompress.lecture.__file__).parent
PICTURES = [*sorted(LECTURE.glob("*/pictures.py")), LECTURE / "cells" / "engine_pictures.py"]
TERMS = {"weight", "neuron", "channel", "net", "label", "student", "nat", "softmax", "logits", "Huffman", "epoch"}


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.parent.name)
def test_titles_and_axes_of_the_pictures_with_sliders_are_translated(path, chinese_after_a_cell):
    assert len(drawn_texts(path)) >= 3
    for text in drawn_texts(path):
        assert set(re.findall("[A-Za-z]{2,}", say(text))) <= TERMS, text


def test_names_of_students_are_translated_in_their_picture(chinese_after_a_cell):
    assert (
        say("teacher's outputs, bias corrected") == say("teacher outputs, bias corrected") == "teacher 的输出，校正偏置"
    )
