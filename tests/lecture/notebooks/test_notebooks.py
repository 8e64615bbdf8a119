"""The lecture's notebooks as they are committed: whole, up to date with the library, fit to be read where nothing runs."""

import base64
import dis
import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import tinycompress
import tinycompress.lecture.frames as module_of_frames
from tinycompress.cli import main
from tinycompress.lecture import claims, notebooks
from tinycompress.lecture.blackboard import explore, show_claim, show_notes, show_source
from tinycompress.lecture.frames import frames
from tinycompress.workshop.style import figure

ROOT = Path(tinycompress.__file__).parents[1]
FILES = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.skipif(not FILES, reason="the notebooks are not part of an installed package")


def read(path):
    return nbformat.read(path, 4)


def markdown_outputs(notebook):
    return [
        o.data["text/markdown"]
        for c in notebook.cells
        for o in c.get("outputs", ())
        if "text/markdown" in o.get("data", {})
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_committed_notebook_is_whole_and_small_and_shows_nothing_of_this_machine(path):
    notebook = read(path)
    assert notebooks.problems(notebook) == []
    assert path.stat().st_size <= notebooks.LARGEST
    assert nbformat.writes(notebooks.tidy(read(path))) + "\n" == path.read_text(encoding="utf-8")
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_committed_notebook_shows_the_claims_and_sources_of_the_library(path):
    by_id = {claim.id: claim for claim in claims()}
    shown = markdown_outputs(read(path))
    asked = re.findall(r'(?:show_claim|predict)\("(\w+)"\)', "\n".join(cell.source for cell in read(path).cells))
    mend = "run: python -m tinycompress.lecture.notebooks notebooks/" + path.name
    for claim in map(by_id.get, asked):
        assert any(claim.title in text and claim.statement in text for text in shown), f"{claim.id}: {mend}"
        assert any(claim.note in text and claim.source in text for text in shown), f"{claim.id}: {mend}"
    assert not any("Not measured yet" in text for text in shown), mend
    for text in shown:
        if found := re.search(r"`(tinycompress/[\w/]+\.py)`.*```python\n(.*?)```", text, re.DOTALL):
            file, source = found.groups()
            there, place = _after(source.splitlines()[0], ROOT / file), 0
            for line in map(_bare, source.splitlines()):  # in this order; docstrings may be wrapped elsewhere
                place = there.find(line, place)
                assert place >= 0, f"{file}: {line}: {mend}"
                place += len(line)


def _bare(line):
    """Without white space around and twice, and the quotes that close a docstring, whose details are not shown."""
    return " ".join(line.split()).removesuffix('"""')


def _after(first, path):
    """The text of a file from the first place on where the line `first` stands, on one line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == first.strip())
    return " ".join(" ".join(lines[start:]).split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_first_cell_installs_the_package_where_it_is_missing(path, monkeypatch):
    code = next(cell.source for cell in read(path).cells if cell.cell_type == "code")
    first = code[: code.index("import numpy")]
    commands = []
    shell = SimpleNamespace(run_line_magic=lambda *command: commands.append(" ".join(command)))
    exec(first, {"get_ipython": lambda: shell})
    assert commands == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(first, {"get_ipython": lambda: shell})
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert commands == [f"pip install -q git+{project['urls']['Source']}"]


def test_every_claim_is_in_the_notebook_of_its_chapter():
    asked = {
        name
        for path in FILES
        for name in re.findall(r'(?:show_claim|predict)\("(\w+)"\)', "".join(c.source for c in read(path).cells))
    }
    told = {path.stem.split("_", 1)[1] for path in FILES}
    assert {claim.id for claim in claims() if claim.chapter in told} <= asked


def texts_of(cell):
    """What a code cell printed or displayed, in words."""
    found = [output.get("text") or "".join(output.get("data", {}).values()) for output in cell.outputs]
    return "\n".join(found)


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_notebook_says_what_it_takes_and_asks_before_and_after(path):
    notebook = read(path)
    texts = {cell.id.split("-", 1)[1]: cell.source for cell in notebook.cells}
    assert all(word in texts["before"] for word in ("you can**", "You need**", "Time**"))
    assert texts["words"].startswith("<details>")
    asked = [
        output for cell in notebook.cells for output in cell.get("outputs", ()) if "text/html" in output.get("data", {})
    ]
    assert sum('class="predict"' in output.data["text/html"] for output in asked) >= 2
    assert [line[0] for line in texts["sum"].splitlines() if line[:1].isdigit()] == ["1", "2", "3"]
    assert texts["ask"].count("<details><summary>Answer</summary>") == 3
    assert "tinycompress course release" in texts_of(notebook.cells[-2])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_to_try_next_ran_and_is_folded(path):
    cells = tagged(read(path), "try-next")
    assert len(cells) == 3 and all(cell.cell_type == "code" and cell.execution_count and cell.outputs for cell in cells)
    assert all(cell.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True} for cell in cells)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_later_cell_changes_what_a_slider_draws_from(path):
    drawn = set()
    for cell in (cell for cell in read(path).cells if cell.cell_type == "code"):
        code = compile(cell.source, cell.id, "exec")
        assert not drawn & _names(code, "STORE_NAME"), f"{cell.id}: a moved slider would show something else, or stop"
        if cell.source.startswith("explore("):
            drawn |= set().union(
                *(_names(inner, "LOAD_GLOBAL") for inner in code.co_consts if hasattr(inner, "co_code"))
            )
    assert drawn


def _names(code, operation):
    return {step.argval for step in dis.get_instructions(code) if step.opname == operation}


@pytest.mark.parametrize("path", FILES[1:6], ids=lambda path: path.stem)
def test_cells_of_the_reader_say_what_to_do_and_their_solutions_hold(path):
    notebook = read(path)
    cells = {cell.id.split("-", 1)[1]: cell for cell in notebook.cells}
    assert (
        "raise NotImplementedError" in cells["turn-code"].source
        and "raise NotImplementedError" in cells["trial-code"].source
    )
    for cell in (cells["turn-check"], cells["trial-run"]):
        assert "yours to write" in texts_of(cell) and "✗" not in texts_of(cell)
    check, curve = cells["turn-solution"], cells["trial-solution"]
    assert "✓" in texts_of(check) and "✗" not in texts_of(check)
    assert "test accuracy over" in texts_of(curve) and "does not run" not in texts_of(curve)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_calls_that_only_draw_are_hidden(path, config):
    import nbconvert

    plots = [cell for cell in read(path).cells if re.match(r"(explore|show|ask)\(", cell.source)]
    assert plots and all(cell.metadata["jupyter"]["source_hidden"] for cell in plots)
    page, _ = nbconvert.HTMLExporter(config=config).from_filename(str(path))
    assert 'alt="' in page and "alt=&quot;" not in page and "<summary>Show it</summary>" in page


@pytest.fixture
def config():
    """What `jupyter nbconvert --config notebooks/nbconvert_config.py` reads."""
    from traitlets.config import PyFileConfigLoader

    return PyFileConfigLoader(str(ROOT / "notebooks" / "nbconvert_config.py")).load_config()


@pytest.mark.parametrize("kind", ["HTMLExporter", "SlidesExporter"])
def test_exported_pages_and_slides_keep_the_words_of_pictures(config, kind):
    import nbconvert

    picture = new_output("display_data", {"image/png": "iVBORw0KGgo="}, metadata={"image/png": {"alt": "1 < 2 curves"}})
    cell = new_code_cell("draw()", outputs=[picture], metadata={"slideshow": {"slide_type": "slide"}})
    page, _ = getattr(nbconvert, kind)(config=config).from_notebook_node(new_notebook(cells=[cell]))
    assert '<img alt="1 &lt; 2 curves"' in page


def test_a_notebook_makes_slides(config):
    from nbconvert import SlidesExporter

    html, _ = SlidesExporter(config=config).from_filename(str(ROOT / "notebooks" / "5_dynamic.ipynb"))
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in read(ROOT / "notebooks" / "5_dynamic.ipynb").cells]
    assert html.count("<section") >= kinds.count("slide") >= 8
    assert "width: 1280" in html and "max-height: 500px" in html


def test_what_a_reader_should_not_find_is_found():
    code = new_code_cell("1", execution_count=1, metadata={"slideshow": {"slide_type": "-"}})
    code.outputs = [
        new_output("stream", name="stderr", text="a warning"),
        new_output("display_data", {"image/png": "AAAA"}),
        new_output("stream", name="stdout", text="kept in /home/someone/data"),
        new_output("error", ename="ValueError", evalue="no"),
    ]
    unrun = new_code_cell("2", metadata={"slideshow": {"slide_type": "-"}})
    found = "\n".join(notebooks.problems(new_notebook(cells=[code, unrun, new_markdown_cell("no slide type")])))
    for words in (
        "warns or fails: a warning",
        "without a description",
        "/home/",
        "fails: no",
        "1 has not been run",
        "2 has no slide",
    ):
        assert words in found
    code.outputs, unrun.execution_count = [], 2
    assert notebooks.problems(new_notebook(cells=[code, unrun])) == []


def test_tidying_keeps_the_picture_and_drops_what_needs_a_kernel():
    bar = new_output("display_data", {notebooks.WIDGET: {"model_id": "1"}, "text/plain": "0%"})
    slider = new_output(
        "display_data", {notebooks.WIDGET: {"model_id": "2"}, "image/png": "AAAA", "text/plain": "a net"}
    )
    question = new_output("display_data", {notebooks.WIDGET: {"model_id": "3"}, "text/html": "slower?"})
    kept = {"tags": ["x"], "jupyter": {"source_hidden": True}}
    cell = new_code_cell(
        "1", outputs=[bar, slider, question], metadata={"execution": {"iopub.execute_input": "now"}} | kept
    )
    notebook = notebooks.tidy(
        new_notebook(cells=[cell], metadata={"widgets": {}, "language_info": {"name": "python", "version": "3.11.7"}})
    )
    assert [dict(output.data) for output in notebook.cells[0].outputs] == [
        {"image/png": "AAAA", "text/plain": "a net"},
        {"text/html": "slower?"},
    ]
    assert dict(notebook.cells[0].metadata) == kept
    assert set(notebook.metadata) == {"kernelspec", "language_info"} and "3.11" not in str(notebook.metadata)


def test_a_notebook_that_fails_is_left_as_it_was(tmp_path):
    path = tmp_path / "wrong.ipynb"
    cell = new_code_cell("import sys; print('a warning', file=sys.stderr)", metadata={"slideshow": {"slide_type": "-"}})
    nbformat.write(new_notebook(cells=[cell]), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="wrong.ipynb: cell 0 warns or fails: a warning"):
        notebooks.refresh(path)
    assert path.read_bytes() == before


# ---- what is put on the board ----


def test_the_notebooks_are_written_with_what_they_show_and_never_over_something(
    tmp_path, capsys, displayed, monkeypatch
):
    out = tmp_path / "lecture"
    assert main(["notebooks", "--out", str(out)]) == 0
    assert [path.name for path in sorted(out.glob("*.ipynb"))] == [path.name for path in FILES]
    monkeypatch.chdir(out)
    show_claim("P1")
    assert any("image/png" in bundle for bundle, _ in displayed)
    displayed.clear()
    show_claim("P3b")  # which a report of another machine holds, one with a GPU
    assert displayed and not any("not measured here" in bundle.get("text/markdown", "") for bundle, _ in displayed)
    (out / "0_engine.ipynb").write_text("mine")
    assert main(["notebooks", "--out", str(out)]) == 2
    assert "not an empty folder" in capsys.readouterr().err and (out / "0_engine.ipynb").read_text() == "mine"


def test_the_notebooks_come_with_every_report_that_they_show_and_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(
        notebooks, "REPORTS", ("figures/claims.json", "figures/gpu/claims.json", "figures/none/claims.json")
    )
    notebooks.hand_out(tmp_path / "lecture")
    written = {path.relative_to(tmp_path / "lecture").as_posix() for path in tmp_path.rglob("claims.json")}
    assert written == {"figures/claims.json", "figures/gpu/claims.json"}


def test_a_report_beside_the_notebooks_goes_before_the_one_that_came_with_them(tmp_path, displayed, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read = []
    monkeypatch.setattr("tinycompress.lecture.report.read", lambda folder, _: read.append(str(folder)))
    show_claim("P1")
    assert read == ["../report", "report", "../figures", "figures", "../figures/gpu", "figures/gpu"]


@pytest.fixture
def displayed(monkeypatch):
    """What cells display, as (bundle, metadata)."""
    found = []

    def display(thing, raw=False, metadata=None):
        found.append((thing if raw else {"text/markdown": thing.data}, metadata))

    monkeypatch.setattr("IPython.display.display", display)
    return found


def line(height):
    fig = figure(width=4, height=3)
    fig.axes[0].plot([0, 1], [0, height])
    return fig


def test_a_slider_redraws_and_the_same_cell_has_a_picture(displayed, monkeypatch):
    import ipywidgets

    calls, made = [], []
    true_image = ipywidgets.Image
    monkeypatch.setattr(ipywidgets, "Image", lambda **options: made.append(true_image(**options)) or made[-1])
    true_slider = ipywidgets.SelectionSlider
    monkeypatch.setattr(
        ipywidgets, "SelectionSlider", lambda **options: made.append(true_slider(**options)) or made[-1]
    )

    def draw(height, word):
        calls.append((height, word))
        return line(height)

    explore(draw, {"height": [1.0, 2.0, 3.0], "word": {"one": 1, "two": 2}}, alt="a line", stills=[(2.0, 1), (3.0, 2)])
    ((bundle, metadata),) = displayed
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == "a line" and notebooks.WIDGET in bundle
    image, height, word = made
    before = image.value
    assert height.value == 2.0 and word.value == 1 and [label for label, _ in word.options] == ["one", "two"]
    height.value = 1.0
    assert image.value != before and calls == [(2.0, 1), (3.0, 2), (1.0, 1)]
    height.value = 2.0
    assert image.value == before and len(calls) == 3  # drawn once, then kept
    assert len(bundle["image/png"]) > len(before)  # two stills, one below the other


def test_a_page_brings_a_picture_for_every_position_but_never_more_than_it_can_carry(monkeypatch):
    options = {"a": {str(i): i for i in range(9)}, "b": {"x": 7, "y": 8}}

    def places(start):
        found = frames(lambda a, b: f"{a} {b}".encode(), options, start, alt="")
        pictures = json.loads(re.search(r"pictures = (\[.*?\])", found)[1])
        labels = json.loads(re.search(r"labels = (\[\[.*?\]\])", found)[1])
        assert len(pictures) == len(labels[0]) * len(labels[1])
        return [base64.b64decode(picture).decode() for picture in pictures]

    assert places((3, 7)) == [f"{a} {b}" for a in range(9) for b in (7, 8)]
    monkeypatch.setattr(module_of_frames, "MOST", 12)
    fewer = places((3, 8))
    assert len(fewer) <= 12 and "3 8" in fewer and {place.split()[1] for place in fewer} == {"7", "8"}


def test_the_sliders_need_nothing_that_ipywidgets_7_lacks(displayed, monkeypatch):
    import ipywidgets

    made, true_box = [], ipywidgets.VBox
    monkeypatch.setattr(ipywidgets, "VBox", lambda children: made.append(true_box(children)) or made[-1])
    monkeypatch.delattr(ipywidgets.Widget, "_repr_mimebundle_", raising=False)
    explore(line, {"height": [1.0, 2.0]}, alt="a line")
    ((bundle, _),) = displayed
    view = {"version_major": 2, "version_minor": 0, "model_id": made[0].model_id}  # of the protocol, as in 7 and 8
    assert bundle[notebooks.WIDGET] == view


def test_with_an_ipywidgets_that_fails_the_picture_stands_alone(displayed, monkeypatch):
    import ipywidgets

    monkeypatch.delattr(ipywidgets, "SelectionSlider")
    explore(line, {"height": [1.0, 2.0]}, alt="a line")
    ((bundle, _),) = displayed
    assert set(bundle) == {"image/png", "text/plain"}


def test_without_ipywidgets_the_picture_stands_alone(displayed, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    explore(line, {"height": [1.0, 2.0]}, alt="a line")
    ((bundle, _),) = displayed
    assert set(bundle) == {"image/png", "text/plain"}


def test_a_source_is_shown_as_it_stands_in_its_file(displayed):
    show_source(tinycompress.Tensor.__mul__)
    ((bundle, _),) = displayed
    assert bundle["text/markdown"].startswith("`tinycompress/tensor.py`")
    assert '\ndef __mul__(self, other) -> "Tensor":\n    a, b = _alike(self, other)\n' in bundle["text/markdown"]


def test_a_picture_that_moves_is_drawn_in_the_lecture_style_and_leaves_no_trace():
    import matplotlib

    from tinycompress.lecture.cells import engine_pictures as engine

    before = dict(matplotlib.rcParams)
    w, x = tinycompress.Tensor(3.0, requires_grad=True), tinycompress.Tensor(2.0)
    loss = (w * x - 1.0) ** 2
    slopes = engine.gradients(loss)
    fig = engine.graph(loss, {"w": w, "x": x}, "a title")
    texts = [text.get_text() for text in fig.axes[0].texts]
    assert fig.axes[0].get_title(loc="left") == "a title" and dict(matplotlib.rcParams) == before
    assert {"w\n3", "x\n2", "×\n6", "∂ 20"} <= set(texts)
    loss.backward()
    assert slopes[id(w)] == w.grad == 20


def test_a_claim_that_the_report_lacks_is_shown_without_a_verdict(displayed, tmp_path):
    show_claim("P1", [tmp_path])
    texts = [bundle["text/markdown"] for bundle, _ in displayed]
    assert len(texts) == 2 and "tinycompress lecture P1" in texts[1]
    with pytest.raises(LookupError, match="P99"):
        show_claim("P99", [tmp_path])


def test_a_claim_is_shown_with_the_figure_and_verdict_of_its_rows(displayed, tmp_path):
    show_claim("P1", [tmp_path, ROOT / "figures"])  # the first of them has none
    (statement, _), (finding, _), (picture, metadata), (note, _) = displayed
    assert claims(["P1"])[0].statement in statement["text/markdown"] and "image/png" in picture
    assert re.search(r"\*\*[✓✗○] \w", finding["text/markdown"]) and "P1" in metadata["image/png"]["alt"]
    assert claims(["P1"])[0].note in note["text/markdown"]


def test_sentences_of_the_notes_are_shown_with_what_decides_them(displayed, tmp_path):
    show_notes(["N2", "N6", "N31"], [tmp_path, ROOT / "figures"])
    show_notes(["N2"], [tmp_path])
    (table, _), (unmeasured, _) = displayed
    n2, n6, n31 = table["text/markdown"].splitlines()[2:]
    assert n2.startswith("| N2 | Remove a small part each time") and re.search(r"P1: [✓✗○＝] \w", n2)
    assert "1_pruning" in n6 and n31.count("P3: ") == 2
    assert "P1: not measured yet" in unmeasured["text/markdown"]
