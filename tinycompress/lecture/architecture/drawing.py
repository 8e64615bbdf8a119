"""Parts of the figures of A1 and A2: what a layer reads, which channels depend on which, and bars beside chance."""

import numpy as np

from ...workshop.interval import seed_band
from ...workshop.style import COLORS, percent_axis


def draw_reads(ax, reads, output):
    """Draw one sheet of input pixels per channel, coloured by how strongly they are read, and the output above them."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    height, width, channels = reads.shape
    slant, lift = np.array([0.45, 0.32]), 2.9
    strength = reads / reads.max()
    base, low, high = (np.array(to_rgb(color)) for color in ("white", "#CFE3F2", COLORS["claim"]))
    for channel in range(channels):
        corners, colors = [], []
        for i in range(height):
            for j in range(width):
                square = np.array([(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)], float)
                corners.append(_slanted(square, height, slant) + [0, lift * channel])
                s = strength[i, j, channel]
                colors.append(base if s == 0 else low + s * (high - low))
        ax.add_collection(PolyCollection(corners, facecolors=colors, edgecolors="#999999", linewidths=0.8))
        ax.text(-0.4, lift * channel + 0.5, f"in {channel + 1}", ha="right", va="center", fontsize=13)
    i, j, out = output
    top = lift * channels + 1.2
    square = np.array([(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)], float)
    outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    for shape, color in ((outline, "white"), (square, COLORS["rival"])):
        sheet = _slanted(shape, height, slant) + [0, top]
        ax.add_collection(PolyCollection([sheet], facecolors=[color], edgecolors="#999999", linewidths=0.8))
    ax.text(-0.4, top + 0.5, f"out {out + 1}", ha="right", va="center", fontsize=13, color=COLORS["rival"])
    ax.set(xlim=(-3.2, width + slant[0] * height + 0.3), ylim=(-0.3, top + slant[1] * height + 0.3))
    ax.set_aspect("equal", adjustable="box")
    ax.set_axis_off()


def _slanted(points, height, slant):
    """Project pixels (column, row) onto a sheet seen from above and in front; row 0 is at the back."""
    back = height - points[:, 1]
    return np.column_stack([points[:, 0] + slant[0] * back, slant[1] * back])


def draw_matrix(ax, channels, labels=True):
    """Draw output channels by input channels. Zeros are masked, so that no dependence is white in any colour map."""
    matrix = np.array(channels)
    shown = np.ma.masked_where(matrix == 0, matrix / matrix.max())
    ax.imshow(shown, cmap="Blues", vmin=-0.4, vmax=1.2)
    n, m = matrix.shape
    ax.set_xticks(range(m), range(1, m + 1))
    ax.set_yticks(range(n), range(1, n + 1))
    ax.grid(False)
    for i, j in np.argwhere(matrix == 0):
        ax.text(j, i, "0", ha="center", va="center", fontsize=14, color=COLORS["ideal"])
    for spine in ax.spines.values():
        spine.set_visible(True)
    if labels:
        ax.set(xlabel="input channel", ylabel="output channel")


def draw_bar(ax, place, values, role):
    """Draw the mean over seeds in per cent as a bar, its band over seeds clipped to 0 to 100 %, and the mean as a number."""
    mean, low, high = np.clip(seed_band(np.array(values)), 0, 100)
    spread = None if np.isnan(low) else [[mean - low], [high - mean]]
    ax.bar(place, mean, 0.7, color=COLORS[role], yerr=spread, capsize=5)
    ax.text(place, max(mean, np.nan_to_num(high)) + 1, f"{mean:.1f} %", ha="center", va="bottom", fontsize=15)


def draw_chance(ax, count):
    """Draw the line that guessing reaches, and the axes of `count` bars."""
    ax.axhline(50, color=COLORS["ideal"], linestyle="--", linewidth=2)
    ax.text(count - 0.5, 51, "chance", color=COLORS["ideal"], va="bottom", fontsize=14)
    ax.set_ylim(0, 112)
    ax.set_yticks(range(0, 101, 25))
    ax.set_xlim(-0.6, count + 0.2)
    ax.set_ylabel("correct answers")
    percent_axis(ax.yaxis, 100)
