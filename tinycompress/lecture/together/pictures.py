"""Pictures of all chapters together: the best net within a budget of bytes, and the images that it loses."""

from dataclasses import dataclass

import numpy as np

from ...workshop.style import COLORS, applied, figure, percent_axis

SHOWN = 12  # images


@dataclass(frozen=True)
class Candidate:
    """A small net: how it was made, its bytes, validation accuracy (0 to 1), and answers for the test images (N,)."""

    name: str
    nbytes: int
    accuracy: float
    answers: np.ndarray


def best_file(candidates: list[Candidate], budget: float) -> Candidate | None:
    """The most accurate candidate of at most `budget` bytes, the smallest if several are; None if nothing fits."""
    fitting = [c for c in candidates if c.nbytes <= budget]
    return max(fitting, key=lambda c: (c.accuracy, -c.nbytes), default=None)


@applied()
def within_bytes(candidates: list[Candidate], budget: float, whole: np.ndarray, images, labels, classes):
    """All candidates, the best within the budget, and the test images that it gets wrong but the large net gets right.

    whole: the large net's answers (N,) for the images (N, H, W, 1).
    """
    fig = figure(nrows=2, width=13, height=8.6, height_ratios=(1.5, 1))
    plane, gallery = fig.axes
    plane.plot([c.nbytes for c in candidates], [c.accuracy for c in candidates], "o", color=COLORS["ideal"], alpha=0.7)
    plane.axvline(budget, color=COLORS["reference"], linestyle="--", linewidth=2)
    plane.set(xscale="log", xlabel="bytes of the file", ylabel="validation accuracy")
    sizes = [500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000]
    sizes = [s for s in sizes if plane.get_xlim()[0] <= s <= plane.get_xlim()[1]]
    plane.set_xticks(sizes, [f"{s / 1000:g} kB" for s in sizes])
    plane.minorticks_off()
    percent_axis(plane.yaxis)
    gallery.set(xlim=(0, SHOWN), ylim=(-0.45, 1))
    gallery.set_axis_off()
    found = best_file(candidates, budget)
    if found is None:
        plane.set_title(f"No candidate has at most {budget:,.0f} bytes")
        return fig
    plane.plot(found.nbytes, found.accuracy, "*", color=COLORS["rival"], markersize=26)
    plane.set_title(f"{budget:,.0f} bytes: {found.name}, {found.nbytes:,} bytes, {100 * found.accuracy:.1f} %")
    pays = np.flatnonzero((whole == labels) & (found.answers != labels))
    for place, n in enumerate(pays[:SHOWN]):
        gallery.imshow(images[n].squeeze(-1), cmap="gray_r", extent=(place + 0.08, place + 0.92, 0.1, 0.94))
        words = f"{classes[labels[n]]} → {classes[found.answers[n]]}"
        gallery.text(place + 0.5, -0.1, words, ha="center", va="center", fontsize=15, color=COLORS["rival"])
    gallery.set_aspect("auto")
    gained = int(((whole != labels) & (found.answers == labels)).sum())
    gallery.set_title(f"{len(pays)} of {len(labels)} test images are lost ({gained} are gained)")
    return fig
