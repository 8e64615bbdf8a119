"""Your turn: an experiment on the engine with a function that the reader writes, drawn beside the lecture's curves."""

import functools
import traceback
from collections.abc import Callable, Mapping

from ...workshop.style import COLORS, applied, figure, label_end, percent_axis
from ..blackboard import show
from ..language import say

Curve = Mapping[float, float]
ROLES = ("claim", "rival", "other")  # of the lecture's curves


def experiment(
    yours: Callable,
    measure: Callable[[Callable], Curve],
    lecture: Mapping[str, Curve],
    *,
    x: str,
    title: str,
    name: str = "yours",
) -> None:
    """Measure the reader's function and draw the curve beside the lecture's.

    measure(yours): x -> test accuracy (0 to 1). lecture: name -> the same, measured already; at most three. x, name: the
    labels of the axis and of the reader's curve. If the function is not written yet, or fails, the picture shows the lecture's
    curves and the text says what to do.
    """
    curves = dict(lecture)
    try:
        curves[name] = measure(_answering(yours))
    except NotImplementedError:
        print(say(f"{yours.__name__} is yours to write. Complete it, then run its cell and this one again."))
    except Exception as error:
        what = f"{type(error).__name__}: {error}{_line(yours, error)}"
        if "__array_ufunc__" in what:  # NumPy's words for a Tensor
            what += say(". NumPy does not compute with a Tensor: use the Tensor's methods, or its .data")
        print(say(f"{yours.__name__} does not run yet: {what}."))
    show(_beside(curves, x, title, name), f"{title}: test accuracy over {x}, {', '.join(curves)}.")


def _answering(function: Callable) -> Callable:
    """The function, whose missing `return` is named where it is missing rather than wherever None does not fit."""

    @functools.wraps(function)
    def answer(*args, **kwargs):
        found = function(*args, **kwargs)
        if found is None:
            raise ValueError("it returned None, so a `return` is missing at its end or on one of its ways")
        return found

    return answer


def _line(function: Callable, error: Exception) -> str:
    """Where in the reader's cell it happened, in words."""
    cell = function.__code__.co_filename
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == cell]
    return say(f", in line {lines[-1]} of its cell") if lines else ""


@applied()
def _beside(curves: Mapping[str, Curve], x: str, title: str, yours: str):
    fig = figure(width=9, height=5)
    (ax,) = fig.axes
    colors = dict(zip((name for name in curves if name != yours), ROLES, strict=False)) | {yours: "extra"}
    for name, curve in curves.items():
        color = COLORS[colors[name]]
        # A wide line below the others, since a curve of the lecture may coincide with it.
        line = {"linewidth": 8, "alpha": 0.6, "zorder": 1} if name == yours else {}
        ax.plot(list(curve), list(curve.values()), "o-", color=color, **line)
        label_end(ax, list(curve.items()), name, color)
    ax.set(xlabel=x, ylabel="test accuracy")
    ax.set_title(title)
    percent_axis(ax.yaxis)
    return fig
