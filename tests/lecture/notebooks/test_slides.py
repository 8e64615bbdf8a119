"""Slides as they are made from the notebooks: little on each, code that a room can read, and notes for the speaker."""

import ast
import json
import re
import textwrap
from pathlib import Path

import nbformat
import pytest
from nbconvert import SlidesExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from traitlets.config import PyFileConfigLoader

import tinycompress
from tinycompress.lecture.notebooks import hand_out
from tinycompress.lecture.slides import SOURCE, SPEAKER, brief, prepare
from tinycompress.lecture.slides.narrow import COLUMNS, LINES, narrow, parts

PACKAGE = Path(tinycompress.__file__).parent
NOTEBOOKS = PACKAGE.parent / "notebooks"
FILES = sorted(NOTEBOOKS.glob("*.ipynb"))


def program(source):
    """The program without its layout and the wrapping of its strings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = node.value.split()
    return ast.dump(tree)


@pytest.mark.parametrize("folder", ["pruning", "quantization", "architecture", "kernels"])
def test_narrow_code_is_the_same_program(folder):
    changed, lines = 0, []
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        narrowed = narrow(source)
        changed += narrowed != source
        assert program(narrowed) == program(source), path
        lines += narrowed.splitlines()
    assert changed > 3 and sum(len(line) > COLUMNS for line in lines) <= 0.03 * len(lines)


def test_code_is_broken_at_its_outermost_brackets_and_comments_move_above():
    long = (
        "result = combine(first_of_them(one, two, three, four), second_of_them(five, six, seven), third)  # all of it\n"
    )
    assert narrow(long) == (
        "# all of it\nresult = combine(first_of_them(one, two, three, four),\n"
        "                 second_of_them(five, six, seven), third)\n"
    )
    assert narrow("x = 1  # short\n") == "x = 1  # short\n"
    choice = f"value = {'a' * 40}(x) if condition else {'b' * 40}(x)\n"
    assert all(len(line) <= COLUMNS for line in narrow(choice).splitlines())


def test_code_is_broken_where_it_divides_into_its_parts():
    value = "value_of_the_first_of_them"
    comprehension = f"found = {{name: {value}(one, two) for name, one, two in all_of_them.items()}}\n"
    assert narrow(comprehension) == (
        f"found = {{name: {value}(one, two)\n         for name, one, two in all_of_them.items()}}\n"
    )
    assert narrow(f"first, second = {value}(one, two), {value}(three, four)\n") == (
        f"first, second = ({value}(one, two),\n                 {value}(three, four))\n"
    )
    assert narrow(f"found[0, 1] = {value}(one, two) if condition else {value}[:, ::2, ::3]\n") == (
        f"found[0, 1] = ({value}(one, two) if condition\n               else {value}[:, ::2, ::3])\n"
    )
    summed = f"{value}(one) + {value}(two) * {value}(3)"
    assert narrow(f"    return {summed}\n".replace("    ", "")).splitlines()[1].lstrip().startswith("+ ")


@pytest.mark.parametrize("count", [1, 15, 16, 31, 47])
def test_parts_hold_every_line_and_begin_with_a_statement(count):
    lines = ["def f(x):", *(f"    x = g(x,{i})" if i % 3 else f"    if x:\n        x = h({i})" for i in range(count))]
    lines = "\n".join(lines).splitlines()[:count]
    source = "\n".join(lines) if lines[-1][-1] != ":" else "\n".join(lines) + " pass"
    found = parts(source)
    assert "\n".join(found) == source and all(len(part.splitlines()) <= LINES for part in found)
    call = "f(\n" + "".join(f"    {i},\n" for i in range(12)) + ")"
    assert parts(f"a = 1\nb = 2\nc = 3\n{call}") == ["a = 1\nb = 2\nc = 3", call]


def slides(notebook, folder=NOTEBOOKS):
    """The cells of each slide."""
    found = []
    for cell in prepare(notebook, {"metadata": {"path": str(folder)}})[0].cells:
        if cell.metadata.slideshow.slide_type in ("slide", "subslide"):
            found.append([])
        found[-1].append(cell)
    return found


def pieces(slide):
    """(the code on it, the number of its figures)"""
    code = [
        cell.source for cell in slide if cell.cell_type == "code" and "hide-input" not in cell.metadata.get("tags", ())
    ]
    outputs = [output.get("data", {}) for cell in slide for output in cell.get("outputs", ())]
    code += [found[2] for data in outputs if (found := SOURCE.fullmatch(data.get("text/markdown", "")))]
    return [source for source in code if source.strip()], sum("image/png" in data for data in outputs)


@pytest.mark.skipif(not FILES, reason="the notebooks are not part of an installed package")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_slide_has_one_figure_or_one_piece_of_code_of_80_columns_and_15_lines(path):
    for slide in slides(nbformat.read(path, 4)):
        code, figures = pieces(slide)
        assert len(code) + figures <= 1, (code, figures)
        for source in code:
            lines = source.splitlines()
            assert len(lines) <= LINES and all(len(line) <= COLUMNS for line in lines), source


@pytest.mark.skipif(not FILES, reason="the notebooks are not part of an installed package")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_slides_leave_out_no_output_and_no_line_of_code(path):
    notebook = nbformat.read(path, 4)
    shown = [c for c in notebook.cells if c.metadata.slideshow.slide_type != "skip"]
    pictures = sum("image/png" in o.get("data", {}) for c in shown for o in c.get("outputs", ()))
    names = [
        n.id
        for c in shown
        if c.cell_type == "code" and "hide-input" not in c.metadata.get("tags", ())
        for n in names_of(c.source)
    ]
    made = slides(notebook)
    assert sum(pieces(slide)[1] for slide in made) == pictures
    code = [cell.source for slide in made for cell in slide if cell.cell_type == "code"]
    assert all(any(name in source for source in code) for name in names)


def test_code_on_two_slides_leaves_no_empty_box_on_the_second():
    source = "```python\nx = 1\n```"
    outputs = [new_output("display_data", {"text/markdown": source}), new_output("display_data", {"image/png": "AAAA"})]
    cell = new_code_cell("draw()", outputs=outputs, metadata={"slideshow": {"slide_type": "slide"}})
    config = PyFileConfigLoader(str(NOTEBOOKS / "nbconvert_config.py")).load_config()
    html, _ = SlidesExporter(config=config).from_notebook_node(new_notebook(cells=[cell]))
    assert html.count('data-type="inline"') == 1  # of a box of code


def names_of(source):
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]


def test_a_question_is_on_the_slide_before_its_figure_and_the_notes_of_a_claim_are_the_speakers(tmp_path):
    question = new_output("display_data", {"text/html": '<div class="predict">slower?</div>'})
    verdict = new_output("display_data", {"text/markdown": "**supported**"})
    picture = new_output("display_data", {"image/png": "AAAA"})
    note = new_output("display_data", {"text/markdown": '<aside class="notes">\n\nfive seeds\n\n</aside>'})
    cell = new_code_cell("predict()", outputs=[question, verdict, picture, note], metadata={"tags": ["hide-input"]})
    cell.id, cell.metadata["slideshow"] = "x", {"slide_type": "slide"}
    head = new_markdown_cell("## A title", metadata={"slideshow": {"slide_type": "slide"}})
    (tmp_path / SPEAKER).write_text(json.dumps({"x": {"minutes": 2, "say": "Let them vote."}}))
    title, asked, answered = slides(new_notebook(cells=[head, cell]), tmp_path)
    assert "slower?" in str(asked) and "supported" not in str(asked)
    assert str(answered).index("supported") < str(answered).index("AAAA")
    assert asked[-1].source.startswith("**2 min.** Let them vote.")
    assert answered[-1].source == "**2 min.** Let them vote.\n\nfive seeds" and "aside" not in str(answered)


def test_a_slide_has_the_effects_of_its_verdicts_and_the_speaker_all_of_their_words():
    verdicts = (
        "**✓ supported** · speed-up, mean over nets: 2.92× [2.91×, 2.93×], matters from 1.1×; at 50, 70 %; "
        "*Other seeds*: 20 of 20 sets of 5 seeds supported\n\n"
        "**○ not shown** · accuracy: -0.1 points [-0.6, +0.4], matters from 1; *Other seeds*: borderline: 13 of 20 sets "
        "of 5 seeds not shown, 7 supported (all 100 seeds together, on the same images: supported, +0.4 points [+0.3, +0.5]) · "
        "smaller or faster: 10× in theory, 1.2e+03× on disk"
    )
    short = (
        "**✓ supported** · speed-up, mean over nets: 2.92× [2.91×, 2.93×]\n\n"
        "**○ not shown** · accuracy: -0.1 points [-0.6, +0.4]; Other seeds: borderline\n\n"
        "smaller or faster: 10× in theory, 1.2e+03× on disk"
    )
    assert brief(verdicts) == short
    both = "**✓ exact** · the outputs are equal: holds; for every shape\n\nOther seeds: "
    assert brief(f"{both}each effect: 20 of 20 sets of 5 seeds exact.") == "**✓ exact** · the outputs are equal: holds"
    still = "**○ not shown** · accuracy: -0.1 points [-0.6, +0.4]; *Other seeds*: 20 of 20 sets of 5 seeds not shown"
    assert brief(f"{still} (all 100 seeds together, on the same images: supported, +0.4 points)") == still.replace(
        "*Other seeds*", "Other seeds"
    )
    chinese = "**○ 未定** · 准确率：-0.1 个百分点 [-0.6, +0.4]，从 1 起才有意义；*换别的种子*：处于边界：13/20 组为未定"
    chinese += "（全部 100 个种子：成立）"
    assert brief(chinese) == "**○ 未定** · 准确率：-0.1 个百分点 [-0.6, +0.4]；换别的种子：处于边界"
    assert brief(chinese + " · 缩小或加快：理论上 10×，磁盘上 4×").endswith(
        "处于边界\n\n缩小或加快：理论上 10×，磁盘上 4×"
    )
    cell = new_code_cell("show()", outputs=[new_output("display_data", {"text/markdown": verdicts})])
    cell.metadata = {"slideshow": {"slide_type": "slide"}, "tags": ["hide-input"]}
    (slide,) = slides(new_notebook(cells=[cell]))
    assert slide[0].outputs[0].data["text/markdown"] == short and slide[-1].source == verdicts


def test_verdicts_that_leave_no_room_for_their_figure_stand_on_a_slide_of_their_own():
    def made(count):
        verdicts = "\n\n".join(f"**✓ supported** · effect {i}: +1 points [+0, +2]; at 50 %" for i in range(count))
        bundles = {"text/markdown": "**Claim.**"}, {"text/markdown": verdicts}, {"image/png": "AAAA"}
        cell = new_code_cell("show()", outputs=[new_output("display_data", bundle) for bundle in bundles])
        cell.metadata = {"slideshow": {"slide_type": "slide"}, "tags": ["hide-input"]}
        return slides(new_notebook(cells=[cell]))

    (together,) = made(4)
    words, figure = made(5)
    assert "Claim" in str(words) and str(words).count("effect 4") == 2 and "AAAA" not in str(words)
    assert "AAAA" in str(figure) and "AAAA" in str(together)


def test_a_slide_without_a_title_says_which_section_it_belongs_to():
    kinds = [("### Graphs", "slide"), ("## Your turn", "slide"), ("Words", "subslide")]
    cells = [new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}}) for text, kind in kinds]
    cells[1].id = "0-turn"
    _, _, second = slides(new_notebook(cells=cells))
    assert [cell.source for cell in second[:2]] == ['<p class="section">Graphs</p>', "Words"]
    assert textwrap.dedent(second[-1].source) == ""


@pytest.mark.skipif(not FILES, reason="the notebooks are not part of an installed package")
def test_every_slide_has_its_minutes_and_the_route_takes_those_of_its_table():
    notes = json.loads((NOTEBOOKS / SPEAKER).read_text(encoding="utf-8"))
    cells = {path: nbformat.read(path, 4).cells for path in FILES}
    begin = {path: [c.id for c in found if c.metadata.slideshow.slide_type == "slide"] for path, found in cells.items()}
    assert set(notes) == {name for names in begin.values() for name in names}
    for path in FILES:
        assert all(" min" in slide[-1].source for slide in slides(nbformat.read(path, 4)))
    readme = (NOTEBOOKS / "README.md").read_text(encoding="utf-8").split("### 90 minutes")[1].split("###")[0]
    table = dict(reversed(pair) for pair in re.findall(r"^\| (\d+) \| (\d): ", readme, re.MULTILINE))
    route = {
        path.stem[0]: sum(notes[name]["minutes"] for name in names if "route" in notes[name])
        for path, names in begin.items()
    }
    assert {number: int(minutes) for number, minutes in table.items()} == {n: m for n, m in route.items() if m}
    assert sum(route.values()) == 90


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_notebooks_come_with_what_makes_slides_of_them(tmp_path, language):
    hand_out(tmp_path / "lecture", language)
    there = {path.relative_to(tmp_path / "lecture") for path in (tmp_path / "lecture").rglob("*") if path.is_file()}
    style = {NOTEBOOKS / "nbconvert_config.py", NOTEBOOKS / "speaker.json", *(NOTEBOOKS / "templates").glob("*/*")}
    assert len(style) == 6 and {path.relative_to(NOTEBOOKS) for path in style} <= there
