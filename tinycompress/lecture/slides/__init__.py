"""From a notebook to slides: one figure or one piece of code on each, code at most 80 columns wide and 15 lines long.

Verdicts are short, to leave room for their figure; the speaker's notes have them in full. `notebooks/nbconvert_config.py`
names `prepare` to nbconvert. The notebooks stay as they are.
"""

import copy
import json
import re
from pathlib import Path

from ..page import MARKS
from .narrow import narrow, parts

SOURCE = re.compile(r"(.*```python\n)(.*?)(\n```.*)", re.DOTALL)
RATIOS = re.compile(r" · [^·\[\]]*(?:: |：)\D*[\d.e+]+×[^\[\]]*$")  # "smaller or faster", behind the last verdict
TOGETHER = re.compile(r"(?: \(|（)[^()（）]*[)）][.。]?$")  # what all seeds say, behind the others
YOURS = ("-turn", "-trial")  # the ids of "Your turn"
MOST = 4  # verdicts above their figure; more of them stand alone
SPEAKER = "speaker.json"
"""Beside the notebooks: for each cell that begins a slide, by its id, its minutes, what to say or to ask, and whether the
90-minute route has it."""


def prepare(notebook, resources):
    """Divide the cells of a notebook among slides, with notes for the speaker (nbconvert calls this; see its preprocessors)."""
    path = Path(resources.get("metadata", {}).get("path") or ".") / SPEAKER
    notes = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    cells, heading, note, full, begun = [], "", "", False, False
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind in ("skip", "notes"):
            continue
        for place, piece in enumerate(_pieces(cell)):
            if place or (full and kind not in ("slide", "subslide") and _fills(piece)):
                kind = "subslide"
            if kind in ("slide", "subslide"):
                cells += [_speaker(note, cells)] if begun else []
                title = _heading(piece)
                if not (title and cell.id.endswith(YOURS)):  # what follows belongs to the section around them
                    heading = title or (heading if kind == "subslide" else "")
                note = notes.get(cell.id, note if kind == "subslide" else "") if not place else note
                full, begun = False, True
                if heading and not title:
                    cells.append(_markdown(f'<p class="section">{heading}</p>', kind))
                    kind = "-"
            full = full or _fills(piece)
            piece.metadata["slideshow"] = {"slide_type": kind}
            cells.append(piece)
    notebook.cells = [*cells, _speaker(note, cells)] if begun else notebook.cells
    return notebook, resources


def _pieces(cell) -> list:
    """The cell as several, each with at most one figure or one piece of code; a question stands alone."""
    if cell.cell_type != "code":
        return [cell]
    hidden = "hide-input" in cell.metadata.get("tags", ())
    code = [] if hidden else parts(narrow(cell.source))
    found = [_with(cell, source, []) for source in code] or [_with(cell, cell.source, [])]
    full = bool(code)
    for output in cell.outputs:
        for part in _outputs(output):
            asks = _is_question(part)
            if (full and (_fills_alone(part) or asks)) or (found[-1].outputs and _is_question(found[-1].outputs[-1])):
                found.append(_with(cell, "", []))
                full = False
            full = full or _fills_alone(part) or (_has_verdicts(part) and _text(part).count("\n\n") >= MOST)
            found[-1].outputs.append(part)
    return [piece for piece in found if piece.outputs or (piece.source.strip() and not hidden)]


def _outputs(output) -> list:
    """An output with source code as one output for each slide, and any other as it is."""
    if not (found := SOURCE.fullmatch(_text(output))):
        return [output]
    copies = []
    for part in parts(narrow(found[2])):
        copies.append(copy.deepcopy(output))
        copies[-1].data["text/markdown"] = found[1] + part + found[3]
    return copies


def _with(cell, source: str, outputs: list):
    from nbformat.corpus.words import generate_corpus_id

    piece = copy.deepcopy(cell)
    piece.source, piece.outputs, piece.id = source, outputs, generate_corpus_id()
    if not source:
        # As nbconvert does for hidden cells, in the cell before 7.17; else there is an empty box.
        piece["transient"] = piece.metadata["transient"] = {"remove_source": True}
    return piece


def _is_question(output) -> bool:
    return 'class="predict"' in output.get("data", {}).get("text/html", "")


def _fills_alone(output) -> bool:
    return "image/png" in output.get("data", {}) or bool(SOURCE.fullmatch(_text(output)))


def _has_verdicts(output) -> bool:
    return _text(output).startswith(tuple(f"**{mark} " for mark in MARKS.values()))


def _text(output) -> str:
    return output.get("data", {}).get("text/markdown", "")


def _fills(cell) -> bool:
    """Whether it is a figure or code, next to which a slide holds neither."""
    if cell.cell_type != "code":
        return False
    shown = cell.source.strip() and "hide-input" not in cell.metadata.get("tags", ())
    return bool(shown) or any(_fills_alone(o) or _is_question(o) for o in cell.outputs)


def _heading(cell) -> str:
    found = re.match(r"#{1,3} (.*)", cell.source) if cell.cell_type == "markdown" else None
    return found[1] if found else ""


def _markdown(text: str, kind: str):
    from nbformat.v4 import new_markdown_cell

    return new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})


def _speaker(note, cells: list):
    """The notes of the slide that ends here. Those of a claim, and all that its verdicts say, go into this cell: a slide has
    one place for notes."""
    words = []
    if note:
        route = ", on the 90-minute route" if note.get("route") else ""
        words.append(f"**{note['minutes']:g} min{route}.** {note['say']}")
    for output in (output for cell in _last_slide(cells) for output in cell.get("outputs", ())):
        text = _text(output)
        if found := re.search(r'<aside class="notes">\s*(.*?)\s*</aside>', text, re.DOTALL):
            words.append(found[1])
            output.data["text/markdown"] = text.replace(found[0], "")
        elif _has_verdicts(output):
            words.append(text)
            output.data["text/markdown"] = brief(text)
    return _markdown("\n\n".join(words), "notes")


def brief(verdicts: str) -> str:
    """Verdicts as `show_claim` displays them, each with its effect and interval only, and a word if other seeds may differ."""
    found = []
    for verdict in verdicts.split("\n\n"):
        ratios = RATIOS.search(verdict)
        effect, *others = re.split(r"(; |；)\*", verdict.removesuffix(ratios[0] if ratios else ""), maxsplit=1)
        if not verdict.startswith("**"):
            effect, others = "", ["", verdict]
        doubt = ""
        if others and TOGETHER.search(others[1]):
            said, colon, words, *_ = re.split("(: |：)", TOGETHER.sub("", others[1]))
            doubt = others[0] + said.rstrip("*") + colon + words
        kept = effect[: effect.find("]") + 1] or re.split("; |；", effect)[0]
        found += [kept + doubt, ratios[0].removeprefix(" · ") if ratios else ""]
    return "\n\n".join(filter(None, found))


def _last_slide(cells: list) -> list:
    begins = [i for i, cell in enumerate(cells) if cell.metadata["slideshow"]["slide_type"] in ("slide", "subslide")]
    return cells[begins[-1] :]
