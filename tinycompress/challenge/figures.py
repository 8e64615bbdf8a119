"""The figures of a challenge's page: everyone's hand-ins over their cost, and both halves of the images."""

import numpy as np

from ..workshop.style import COLORS, figure, percent_axis
from .board import Entry
from .ranking import Place, fit_the_public_half
from .rules import Rules

STUDENTS = [COLORS[role] for role in ("claim", "rival", "other", "extra", "more", "last")]
GREY = COLORS["ideal"]
MOST_LABELS = 12


def accuracy_over_cost(entries: list[Entry], places: list[Place], rules: Rules, half: str, names: dict[str, str]):
    """A Figure of accuracy over bytes, or over multiplications if these are the measure.

    Each judged hand-in is a point, and that which counts a large one; dashed is the frontier of the lecture's own, solid that
    of all students' hand-ins. names: what each student is called.
    """
    fig = figure(width=11, height=6.6)
    (ax,) = fig.axes
    multiplications = rules.measure == "multiplications"

    def at(entry):
        return (entry.work[half].mean() if multiplications else entry.nbytes), entry.accuracy(half)

    judged = [e for e in entries if not e.refused]
    points = {group: [at(e) for e in judged if e.baseline == group] for group in (False, True)}
    counted = {place.entry.number for place in places if place.rank}
    seen = [at(e)[1] for e in judged if e.baseline or e.number in counted]
    references = [] if multiplications else [(r["bytes"], r["accuracy"]) for r in rules.references]
    low = min([*seen, rules.least_accuracy or 1, *(a for _, a in references)], default=0)
    floor = max(0.0, low - 0.25 * (1.005 - low) - 0.002)
    _frontier(ax, points[True], GREY, "--", "the lecture's own")
    _frontier(ax, points[False], COLORS["reference"], "-", "best hand-ins")
    ax.scatter(*np.transpose(points[True] or [(np.nan, np.nan)]), s=45, color=GREY, zorder=3)
    for i, student in enumerate(dict.fromkeys(e.student for e in judged if not e.baseline)):
        color = STUDENTS[i % len(STUDENTS)]
        for entry in (e for e in judged if e.student == student and not e.baseline):
            x, y = at(entry)
            large = entry.number in counted
            style = {
                "s": 170 if large else 50,
                "edgecolors": color,
                "facecolors": color if large else "white",
                "zorder": 5,
            }
            ax.scatter(x, max(y, floor), marker="o" if y >= floor else "v", clip_on=False, linewidths=2, **style)
            if large and len(counted) <= MOST_LABELS:
                ax.annotate(
                    names[student], (x, y), (9, 9), textcoords="offset points", color=color, fontsize=14, zorder=7
                )
    if references:
        ax.scatter(*np.transpose(references), marker="*", s=260, color=GREY, zorder=3, label="lines to beat")
    _limits(ax, rules, multiplications)
    ax.set_xscale("log")
    ax.set(xlabel="multiplications per image" if multiplications else "bytes", ylabel=f"accuracy, {half} images")
    ax.set_ylim(floor, min(1.0, ax.get_ylim()[1]))
    percent_axis(ax.yaxis)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower right")
    return fig


def both_halves(entries: list[Entry], places: list[Place], names: dict[str, str]):
    """A Figure of accuracy on the secret over that on the public images; what fits the public ones lies below the line.

    It begins a little below the worst that has a place or is marked; what is below that is left out.
    """
    fig = figure(width=7.5, height=7)
    (ax,) = fig.axes
    judged = [e for e in entries if not e.refused]
    numbers = fit_the_public_half(entries)
    odd = [e for e in judged if e.number in numbers]
    shown = [*odd, *(place.entry for place in places)]
    low = max(0.0, min((e.accuracy(half) for e in shown for half in ("public", "secret")), default=0) - 0.02)
    ax.plot([low, 1], [low, 1], color=GREY, linewidth=1.5, linestyle="--", label="as good on both")
    for entry in judged:
        color = COLORS["rival"] if entry in odd else GREY if entry.baseline else COLORS["claim"]
        place = entry.accuracy("public"), entry.accuracy("secret")
        if min(place) >= low:
            ax.scatter(*place, s=110 if entry in odd else 60, color=color, zorder=3)
    for student in dict.fromkeys(e.student for e in odd if not e.baseline):
        worst = min((e for e in odd if e.student == student), key=lambda e: e.accuracy("secret"))
        place = worst.accuracy("public"), worst.accuracy("secret")
        where = {"xytext": (-12, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
        ax.annotate(names[student], place, color=COLORS["rival"], fontsize=14, **where)
    ax.set(xlabel="accuracy, public images", ylabel="accuracy, secret images", aspect="equal")
    for axis in ax.xaxis, ax.yaxis:
        percent_axis(axis)
    ax.legend(loc="upper left")
    return fig


def _frontier(ax, points: list[tuple[float, float]], color: str, line: str, label: str) -> None:
    """Draw the best accuracy within each cost, as a step function."""
    best = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or y > best[-1][1]:
            best.append((x, y))
    if best:
        ax.step(*np.transpose(best), where="post", color=color, linestyle=line, linewidth=2, label=label, zorder=2)


def _limits(ax, rules: Rules, multiplications: bool) -> None:
    """Mark the limits that the rules set."""
    most = rules.most_multiplications if multiplications else rules.most_bytes
    if most:
        ax.axvline(most, color=COLORS["rival"], linewidth=1.5, linestyle=":", label=f"at most {most:,}")
    if rules.least_accuracy:
        at_least = f"at least {100 * rules.least_accuracy:g} %"
        ax.axhline(rules.least_accuracy, color=COLORS["rival"], linewidth=1.5, linestyle=":", label=at_least)
