"""The roofline: how close each kernel comes to the machine's limits (Williams, Waterman & Patterson 2009).

A kernel that does I operations per byte it must move can reach at most I times the memory bandwidth, and at most the
machine's peak of multiply-adds. Both limits are measured (`limits.py`); the lower of them is the roof.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..files import replace_file
from ..workshop import style
from .case import Row
from .limits import COPY, SGEMM

KERNELS = {
    "conv": ("convolution", "claim", "o"),
    "depthwise": ("depthwise", "rival", "s"),
    "pointwise": ("pointwise", "other", "^"),
    "dense": ("dense (BLAS)", "reference", "D"),
    "csr": ("sparse, CSR", "extra", "v"),
    "blocks": ("sparse, 16×1 blocks", "more", "P"),
}


def write(rows: Sequence[Row], folder: str | os.PathLike) -> Path | None:
    """Write roofline.svg and roofline.png into the folder. Returns the path of the former, or None if there is no figure."""
    fig = figure(rows)
    if fig is None:
        return None
    path = Path(folder, "roofline.svg")
    replace_file(path, style.svg(fig))
    replace_file(path.with_suffix(".png"), style.png(fig))
    return path


def figure(rows: Sequence[Row]):
    """Every row's point, under the roof; None unless the rows hold a point and both limits."""
    # Limits are the machine's best, hence the upper quartile.
    limits = {row["name"]: row["ours_quartiles"][1] for row in rows if row["suite"] == "limits" and not row["problem"]}
    points = [row["point"] for row in rows if row["point"]]
    if not points or SGEMM not in limits or COPY not in limits:
        return None
    peak, bandwidth = limits[SGEMM], limits[COPY]
    intensity = np.array([point["flops"] / point["bytes"] for point in points])
    reached = np.array([point["flops"] / point["seconds"] / 1e9 for point in points])
    fig = style.figure(width=11, height=7)
    (ax,) = fig.axes
    with style.applied():
        ax.set(xscale="log", yscale="log", xlabel="operations per byte that must move", ylabel="GFLOP/s reached")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.set_ylim(min(reached.min() / 1.5, peak / 100), max(reached.max() * 1.5, peak * 2.5))
        _roof(ax, peak, bandwidth, min(intensity.min() / 2, peak / bandwidth / 8), intensity.max() * 2)
        for kernel, (label, color, marker) in KERNELS.items():
            those = [i for i, point in enumerate(points) if point["kernel"] == kernel]
            if those:
                marks = {"marker": marker, "s": 110, "zorder": 3, "edgecolors": "white"}
                ax.scatter(intensity[those], reached[those], color=style.COLORS[color], label=label, **marks)
        ax.set_title("How close each kernel comes to the machine's limits")
        ax.legend(loc="lower right")
        style.corner_note(fig, rows[0]["machine"])
    return fig


def _roof(ax, peak, bandwidth, left, right):
    """Draw both limits, from intensity `left` to `right`, each with its name."""
    color, ridge = style.COLORS["ideal"], peak / bandwidth
    right = max(right, ridge * 2)
    x = np.array([left, ridge, right])
    ax.plot(x, np.minimum(peak, bandwidth * x), color=color)
    ax.set_xlim(left, right)
    label = {"textcoords": "offset points", "color": color, "fontsize": 15}
    ax.annotate(f"matrix product: {peak:.0f} GFLOP/s", (ridge, peak), xytext=(4, 10), **label)
    middle = np.sqrt(left * ridge)
    ax.annotate(f"memory: {bandwidth:.0f} GB/s", (middle, bandwidth * middle), xytext=(-10, 8), ha="right", **label)
