"""The roofline: how close each kernel comes to the machine's limits (Williams, Waterman & Patterson 2009).

A kernel that does I operations per byte it must move can reach at most I times the bandwidth of where the bytes lie, and at
most the machine's peak of multiply-adds. A small layer stays in a core's cache from one call to the next, so the roof is the
lower of the cache's limit and the peak; below it is that of what has to come from memory (Ilic, Pratas & Sousa 2014). All limits
are measured (`limits.py`).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..files import replace_file
from ..workshop import style
from .case import Row
from .limits import COPY, READ, SGEMM

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
    """Every row's point, under the roof; None unless the rows hold a point and all limits."""
    # Limits are the machine's best, hence the upper quartile. Where a kernel is faster still, they were measured too low.
    limits = {row["name"]: row["ours_quartiles"][1] for row in rows if row["suite"] == "limits" and not row["problem"]}
    points = [row["point"] for row in rows if row["point"]]
    if not points or not {SGEMM, COPY, READ} <= set(limits):
        return None
    intensity = np.array([point["flops"] / point["bytes"] for point in points])
    reached = np.array([point["flops"] / point["seconds"] / 1e9 for point in points])
    limits[SGEMM] = max(limits[SGEMM], reached.max())
    limits[READ] = max(limits[READ], (reached / intensity).max())
    fig = style.figure(width=13, height=7)
    (ax,) = fig.axes
    with style.applied():
        ax.set(xscale="log", yscale="log", xlabel="operations per byte that must move", ylabel="GFLOP/s reached")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
        ax.set_ylim(10 ** np.floor(np.log10(reached.min() / 1.2)), limits[SGEMM] * 2)
        _roof(ax, limits, intensity.min() / 2, intensity.max() * 2)
        for kernel, (label, color, marker) in KERNELS.items():
            those = [i for i, point in enumerate(points) if point["kernel"] == kernel]
            if those:
                marks = {"marker": marker, "s": 110, "zorder": 3, "edgecolors": "white"}
                ax.scatter(intensity[those], reached[those], color=style.COLORS[color], label=label, **marks)
        ax.set_title("How close each kernel comes to the machine's limits")
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        style.corner_note(fig, rows[0]["machine"])
    return fig


def _roof(ax, limits: dict[str, float], left: float, right: float) -> None:
    """Draw the limits from intensity `left` to `right`: the roof, and below it that of memory."""
    peak, color = limits[SGEMM], style.COLORS["ideal"]
    ridges = [peak / limits[name] for name in (READ, COPY)]
    left, right = min(left, ridges[0] / 2), max(right, ridges[1] * 2)
    roof, memory = np.array([left, ridges[0], right]), np.array([left, ridges[1]])
    label = f"matrix product: {peak:.0f} GFLOP/s,\nfrom a cache: {limits[READ]:.0f} GB/s"
    ax.plot(roof, np.minimum(peak, limits[READ] * roof), color=color, label=label)
    ax.plot(memory, limits[COPY] * memory, color=color, linestyle="--", label=f"from memory: {limits[COPY]:.0f} GB/s")
    ax.set_xlim(left, right)
