"""Predict, then look: a question before a figure. A click answers it, and then shows the figure and the verdict.

    predict("P3")
    ask("Which learning rate is best?", ["0.001", "0.05", "2"], right="0.05", bundles=[picture(figure, alt)])

Where no kernel runs (on GitHub, in slides, on paper), the answer is folded, and figure and verdict follow.
"""

import base64
import contextlib
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ..blackboard import REPORTS, WIDGET, claim_bundles, descriptions, display_bundle, view
from ..language import say
from .questions import QUESTIONS


def predict(claim_id: str, folders: Iterable[str | Path] = REPORTS) -> None:
    """Ask the claim's question, then show what `show_claim` shows.

    folders: as in `show_claim`. The answer follows from the report's rows. Raises LookupError for a claim without a question.
    """
    if claim_id not in QUESTIONS:
        raise LookupError(f"there is no question about claim {claim_id!r}; there are some about {', '.join(QUESTIONS)}")
    bundles, result = claim_bundles(claim_id, folders)
    question = QUESTIONS[claim_id]
    ask(question.text, list(question.choices), result and question.right(result), bundles)


def ask(text: str, choices: Sequence[str], right: str | None, bundles: Sequence[dict]) -> None:
    """Ask a question in the current language, and show the bundles (as for `display_bundle`) once a choice is clicked.

    right: the choice that was measured, or None if nothing was. Without ipywidgets, everything is shown at once, with the
    answer folded. Raises ValueError if `right` is none of the choices.
    """
    if right is not None and right not in choices:
        raise ValueError(f"{right!r} is none of the choices: {', '.join(map(repr, choices))}")
    text, choices, right = say(text), list(map(say, choices)), right and say(right)
    bundles = [{"text/html": _folded(text, choices, right)}, *bundles]
    with contextlib.suppress(Exception):  # without ipywidgets, or one that fits its host
        widgets = _behind_a_click(text, choices, right, bundles[1:])
        bundles = [bundle | {WIDGET: view(widget)} for bundle, widget in zip(bundles, widgets, strict=True)]
    for bundle in bundles:
        display_bundle(bundle)


def _behind_a_click(text: str, choices: Sequence[str], right: str | None, bundles: Sequence[dict]) -> list:
    """The question with its buttons, and an empty output for each bundle, which a click fills."""
    import ipywidgets

    outputs = [ipywidgets.Output() for _ in bundles]
    buttons = [
        ipywidgets.Button(description=choice, layout={"width": "auto", "max_width": "100%"}) for choice in choices
    ]
    told = ipywidgets.HTML()

    def answer(clicked):
        for button in buttons:
            button.disabled = True
            button.button_style = "success" if button.description == right else ""
        if right not in (None, clicked.description):
            clicked.button_style = "warning"
        told.value = _told(clicked.description, right)
        for output, bundle in zip(outputs, bundles, strict=True):
            output.outputs = (_as_output(bundle),)

    for button in buttons:
        button.on_click(answer)
    column = {"align_items": "flex-start"}
    asked = ipywidgets.HTML(f"<b>{say('Predict, then look.')}</b> {escape(text)}")
    return [ipywidgets.VBox([asked, *buttons, told], layout=column), *outputs]


def _told(chosen: str, right: str | None) -> str:
    if right is None:
        return say(f"You say: {escape(chosen)}. It has not been measured yet.")
    if chosen == right:
        return "✓ " + say(f"You predicted what was measured: <b>{escape(right)}</b>.")
    return say(f"You predicted: {escape(chosen)}. Measured: <b>{escape(right)}</b>. What did you not think of?")


def _as_output(bundle: dict) -> dict:
    """The bundle as a notebook's file holds an output: bytes in base64."""
    data = {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value for kind, value in bundle.items()
    }
    return {"output_type": "display_data", "data": data, "metadata": descriptions(bundle)}


def _folded(text: str, choices: Sequence[str], right: str | None) -> str:
    answer = say("It has not been measured yet." if right is None else f"Measured: <b>{escape(right)}</b>.")
    items = "".join(f"<li>{escape(choice)}</li>" for choice in choices)
    return (
        f'<div class="predict"><p><b>{say("Predict, then look.")}</b> {escape(text)}</p><ul>{items}</ul>'
        f"<details><summary>{say('Answer')}</summary>{answer}</details></div>"
    )
