"""What figures of chapter 1 share."""

from collections.abc import Sequence

import numpy as np

from ...workshop.style import COLORS, percent_axis


def draw_scan(ax, scan: dict[str, list[float]], shares: Sequence[float], removed: str):
    """Draw validation accuracy (%) over the shares removed from each layer alone; the layers, or groups of layers that must be
    equally wide, that tolerate most and least are coloured. removed: "weights" or "neurons"."""
    names = sorted(scan, key=lambda name: np.mean(scan[name]))
    words = {names[-1]: ("claim", "tolerates most"), names[0]: ("rival", "tolerates least")}
    for name, curve in scan.items():
        role, _ = words.get(name, ("ideal", ""))
        ax.plot(shares, curve, color=COLORS[role], linewidth=4 if name in words else 1.2, zorder=2 + (name in words))
    for place, (role, text) in enumerate(words.values()):
        ax.text(0.03, 0.16 - 0.1 * place, text, transform=ax.transAxes, color=COLORS[role])
    ax.set(xlabel=f"{removed} removed from one alone", ylabel="validation accuracy", ylim=(0, 101))
    percent_axis(ax.xaxis), percent_axis(ax.yaxis, 100)
    what = "layers" if removed == "weights" else "groups of layers"
    ax.set_title(f"{len(scan)} {what}, each alone, not fine-tuned")
