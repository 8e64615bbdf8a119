"""How every claim's figure is drawn: in one style, with what stands behind it and what is wrong with it."""

from collections.abc import Callable

from .learned import Nets, Row, kept_and_left_out, unlearned
from .tasks import in_words, why_not


def drawn(figure: Callable, timed: bool, nets: tuple[Nets, ...], rows: list[Row]):
    """The figure of a claim's rows in the lecture's style: with its seeds, machine, and the nets that did not learn; words
    alone if there is nothing to draw."""
    from ..workshop import style

    why, (names, accuracies) = why_not(rows), unlearned(rows, nets)
    with style.applied():
        if why:
            text = in_words(why)
            fig = style.words(text[0].upper() + text[1:], why["how"])
        else:
            try:
                fig = figure(kept_and_left_out(rows, nets)[0])
            except Exception:  # nets that did not learn have no logarithm, no spread, no neighbours
                if not names:
                    raise
                fig = style.words("Not measured: did not learn", accuracies)
        if names:
            style.warn(fig, f"did not learn: {accuracies}")
        if words := _corner(timed, rows):
            style.corner_note(fig, words)
    return fig


def _corner(timed: bool, rows: list[Row]) -> str:
    """How many seeds stand behind the figure, and which machine behind its times."""
    seeds = len({row["seed"] for row in rows if row.get("seed") is not None})
    bands = "from one to the other" if seeds == 2 else "95 %, over seeds"
    words = [f"{seeds} seeds; bands and error bars: {bands}" if seeds > 1 else "1 seed"] if seeds else []
    if timed and rows:
        words.append(rows[0]["machine"])
    return " · ".join(words)
