"""What the notebooks display: source code of the library, claims with their verdicts, and figures with sliders.

The questions before a figure are in `predict.py`, and the cells that the reader completes in `your_turn.py`.

    show_source(tc.pruning.prune_gradually)
    show_claim("P1"), show_verdicts(), show_notes(["N2", "N3"])
    explore(draw, {"weights removed": [0.5, 0.8, 0.9]}, alt="the net, drawn at several sparsities")

Every picture is a PNG with a description, so it also appears where no kernel runs: on GitHub, in slides, on paper.
"""

import contextlib
import functools
import inspect
import io
import os
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path

from ..workshop import style
from . import claims, report
from .claim import Claim, Result
from .frames import frames
from .language import language, say, translate_figure
from .notebooks import PAGES, WIDGET
from .notes import SENTENCES, where
from .page import (
    RATIOS,
    decided_text,
    described,
    effect_text,
    ended,
    finding_text,
    marked_verdict,
    other_seeds,
    seeds_of_effects,
    statement,
)
from .source import without_guards
from .tasks import why_not

# Seen from the notebooks: your own report, in their folder's parent or in it, then the project's in the same places, and what
# only another machine could measure.
REPORTS = ("../report", "report", "../figures", "figures", "../figures/gpu", "figures/gpu")
WIDEST = 1000  # the largest width of a picture, in pixels


def show(figure, alt: str) -> None:
    """Display a matplotlib Figure. alt: a description, for readers who cannot see it."""
    display_bundle(picture(figure, alt))


def picture(figure, alt: str) -> dict:
    """What `display_bundle` shows of a matplotlib Figure, with its description."""
    return {"image/png": _png(figure), "text/plain": alt}


def show_source(*objects) -> None:
    """Display the source of functions, classes or methods, below their file's path, without guards: see `source.py`."""
    for thing in objects:
        thing = inspect.unwrap(getattr(thing, "py_func", thing))  # the function behind a compiled or decorated one
        package = Path(inspect.getsourcefile(report)).parents[2]
        file = Path(inspect.getsourcefile(thing)).relative_to(package).as_posix()
        source = without_guards(inspect.getsource(thing))
        # The div is for nbconvert, which otherwise renders code in an output in the font of the text.
        _markdown(f'`{file}`\n<div style="font-family: monospace">\n\n```python\n{source}```\n\n</div>')


def show_claim(claim_id: str, folders: Iterable[str | Path] = REPORTS) -> None:
    """Display a claim: its statement, then the verdict, figure and note of the first report that contains it.

    folders: the reports' folders. If none contains the claim, its statement stands alone. Raises LookupError for an
    unknown id.
    """
    for bundle in claim_bundles(claim_id, folders)[0]:
        display_bundle(bundle)


def claim_bundles(claim_id: str, folders: Iterable[str | Path] = REPORTS) -> tuple[list[dict], Result | None]:
    """What `show_claim` displays, and the claim's result, None if no report contains it."""
    (claim,) = claims([claim_id])
    result = read_result(claim.id, folders)
    # An aside of this class becomes the speaker's notes of a slide.
    source = say("Further reading") + say(": ") + claim.source
    note = f'<aside class="notes">\n\n{say(claim.note)}\n\n*{source}*\n\n</aside>'
    if result is None:
        texts = claim_text(claim), say(f"Not measured yet. Run `tinycompress lecture {claim.id}`.") + f"\n\n{note}"
        return [{"text/markdown": text} for text in texts], None
    texts, figure = (claim_text(claim), verdict_text(result)), picture(result.figure(), described(result))
    return [*({"text/markdown": text} for text in texts), figure, {"text/markdown": note}], result


def claim_text(claim: Claim) -> str:
    """In Markdown: a claim's id and title, and what it states."""
    head = ended(say(f"Claim {claim.id}: {claim.title}."))
    return f"**{head}** {say(claim.asked_by)}{say(':')}\n\n> {statement(claim)}"


def verdict_text(result: Result) -> str:
    """In Markdown: what was found and decided, what other seeds said, and how many times smaller or faster a net became."""
    ratios = say(", ").join(
        say(f"{result.ratios[name]:.3g}× {_PLACES[name]}") for name in RATIOS if name in result.ratios
    )
    seeds = seeds_of_effects(result, result.settings)
    differ = len(set(seeds.values())) > 1  # then each goes behind its own verdict, else once below them all
    verdict = "\n\n".join(
        f"**{marked_verdict(f)}** · {decided_text(result.claim, f)}"
        + (
            f"{say('; ')}*{say('Other seeds')}*{say(': ')}{seeds[f.effect.name]}"
            if differ and f.effect.name in seeds
            else ""
        )
        for f in result.findings
    )
    verdict += f" · {say('smaller or faster')}{say(': ')}{ratios}" if ratios else ""
    return verdict + (f"\n\n{other_seeds(result, result.settings)}" if seeds and not differ else "")


def show_verdicts(folders: Iterable[str | Path] = REPORTS) -> None:
    """Display all claims of the lecture in one table, each with its verdict in the first report that contains it."""
    lines = [_row("claim", "verdict", "effect [95 % interval]"), "|---|---|---|"]
    for claim in claims():
        result = read_result(claim.id, folders)
        words = (
            [(marked_verdict(f), effect_text(f)) for f in result.findings]
            if result
            else [(say("not measured yet"), "")]
        )
        lines.append(
            f"| {claim.id} {say(claim.title)} | "
            + " | ".join("<br>".join(column) for column in zip(*words, strict=True))
            + " |"
        )
    _markdown("\n".join(lines))


def show_notes(names: Iterable[str] = (), folders: Iterable[str | Path] = REPORTS) -> None:
    """Display sentences of the notes in a table, each with what decides it and the verdict of the first report that has it.

    names: ids such as "N2"; by default all sentences.
    """
    lines = [_row("", "the notes say", "decided by"), "|---|---|---|"]
    for sentence in [SENTENCES[name] for name in names] or SENTENCES.values():
        texts = [sentence.text or say(sentence.english)] if language() == "zh" else [sentence.english, sentence.text]
        said = "<br>".join(filter(None, texts))
        found = [words for claim in claims() for words in _verdicts(claim, sentence.id, folders)]
        lines.append(f"| {sentence.id} | {said} | {'<br>'.join(found) or say(where(sentence))} |")
    _markdown("\n".join(lines))


def _verdicts(claim, sentence: str, folders) -> list[str]:
    """What the claim finds on a sentence, if it decides it."""
    if sentence not in claim.decides:
        return []
    result = read_result(claim.id, folders)
    if result is None:
        return [claim.id + say(": ") + say("not measured yet")]
    return [
        claim.id + say(": ") + marked_verdict(f) + say(", ") + finding_text(f)
        for f in result.findings
        if sentence in f.effect.decides
    ]


def read_result(claim_id: str, folders: Iterable[str | Path] = REPORTS) -> Result | None:
    """The claim's result in the first report that measured it, else in the first that contains it, or None."""
    found = None
    for folder in folders:
        if result := report.read(folder, claim_id):
            if not why_not(result.rows):
                return result
            found = found or result
    return found


_PLACES = {"theory": "in theory", "disk": "on disk", "clock": "on the clock"}


def explore(draw: Callable, sliders: Mapping[str, Iterable], alt: str, stills: Iterable[tuple] = ()) -> None:
    """Display the figure that `draw` returns, with a slider for each of its arguments: see `explorer`."""
    display_bundle(explorer(draw, sliders, alt, stills))


def explorer(draw: Callable, sliders: Mapping[str, Iterable], alt: str, stills: Iterable[tuple] = ()) -> dict:
    """What `display_bundle` shows of the figure that `draw` returns, with a slider for each of its arguments.

    draw(value, ...): a matplotlib Figure for one value per slider. Each figure is drawn on first use and cached.
    sliders: name -> values, or a dict of label -> value.
    stills: tuples of one value per slider. Their pictures, one below the other, are shown where no kernel runs. The sliders
        start at the first tuple. By default there is one, with each slider's middle value.
    While notebooks become pages (`notebooks.page`), the sliders bring all their pictures along, and need no kernel.
    """
    options = {name: dict(v) if isinstance(v, Mapping) else {_label(x): x for x in v} for name, v in sliders.items()}
    drawn = functools.cache(lambda *values: _png(draw(*values)))
    stills = list(stills) or [tuple(list(values.values())[len(values) // 2] for values in options.values())]
    bundle = {"image/png": _stacked([drawn(*values) for values in stills]), "text/plain": alt}
    if os.environ.get(PAGES):
        return bundle | {"text/html": frames(drawn, options, stills[0], alt)}
    with contextlib.suppress(Exception):  # without ipywidgets, or one that fits its host, the stills stand alone
        bundle[WIDGET] = view(_with_sliders(drawn, options, stills[0]))
    return bundle


def view(widget) -> dict:
    """The output that names a widget. Written here, since the widgets of ipywidgets 7 can only display themselves."""
    return {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}


def _with_sliders(drawn: Callable[..., bytes], options: dict[str, dict], start: tuple):
    """The sliders above the picture that they redraw. Raises whatever another version of ipywidgets may raise."""
    import ipywidgets

    image = ipywidgets.Image(value=drawn(*start), format="png", layout={"max_width": "100%"})
    wide = {"style": {"description_width": "initial"}, "layout": {"width": "min(100%, 40rem)"}}
    controls = [
        ipywidgets.SelectionSlider(options=list(labels.items()), value=value, description=name, **wide)
        for (name, labels), value in zip(options.items(), start, strict=True)
    ]

    told = ipywidgets.HTML()

    def redraw(_):
        try:
            image.value = drawn(*(control.value for control in controls))
            image.layout.visibility, told.value = "visible", ""
        except Exception as error:  # else the picture of another position would stay, and say nothing
            image.layout.visibility = "hidden"
            told.value = escape(say(f"This picture cannot be drawn: {type(error).__name__}: {error}"))

    for control in controls:
        control.observe(redraw, "value")
    return ipywidgets.VBox([*controls, told, image])


def _png(figure) -> bytes:
    translate_figure(figure)
    return style.png(figure, dpi=min(80, WIDEST / figure.get_figwidth()))


def display_bundle(bundle: dict) -> None:
    """Display the richest form that the reader's page can show. A picture's text/plain is its description."""
    from IPython.display import display

    display(bundle, raw=True, metadata=descriptions(bundle))


def descriptions(bundle: dict) -> dict:
    """The metadata of a bundle: the words for its picture, if it has one."""
    return {"image/png": {"alt": bundle["text/plain"]}} if "image/png" in bundle else {}


def _markdown(text: str) -> None:
    display_bundle({"text/markdown": text})


def _row(*columns: str) -> str:
    return f"| {' | '.join(map(say, columns))} |"


def _label(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _stacked(pictures: list[bytes]) -> bytes:
    """Join PNGs into one, one below the other."""
    if len(pictures) == 1:
        return pictures[0]
    from PIL import Image

    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    whole = Image.new("RGB", (max(i.width for i in images), sum(i.height for i in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    return style.packed(whole)
