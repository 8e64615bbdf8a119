"""What P3 and P3b share: how fast a layer is in several forms, over its shape, the batch size and the weights removed."""

from collections.abc import Sequence

import numpy as np

from ...workshop.style import COLORS, curve_with_band, label_end, percent_axis
from ..claim import Effect

HARMLESS = (0.5, 0.7, 0.8)  # removed a little at a time, P1 loses a third of a point on digits, and less on MNIST


def by_panel(rows: list[dict], shares: Sequence[float] = ()) -> dict[int, list[dict[str, dict]]]:
    """seed -> for each shape, batch size and share removed, or each of these shares, the rows by arm."""
    found = {}
    for row in rows:
        if not shares or row["removed"] in shares:
            panel = row["shape"], row["batch"], row["removed"]
            found.setdefault(row["seed"], {}).setdefault(panel, {})[row["arm"]] = row
    return {seed: list(panels.values()) for seed, panels in sorted(found.items())}


def ratio_of_times(rows, slower, faster, shares: Sequence[float] = ()) -> list[float]:
    """Per seed, log2 of the time of the fastest form in `slower` over that of the fastest form in `faster`.

    The mean over all shapes, batch sizes, and shares removed, or these shares. Times are those relative to the dense form's,
    in the same round.
    """
    return [
        float(np.mean([np.log2(_fastest(panel, faster) / _fastest(panel, slower)) for panel in panels]))
        for panels in by_panel(rows, shares).values()
    ]


def _fastest(panel, arms) -> float:
    return max(panel[arm]["speedup"] for arm in arms)


def crossovers(rows, arms) -> dict[tuple[str, int], float | None]:
    """(shape, batch size) -> the share removed from which on the fastest of these forms is faster than dense, or None."""
    found = {}
    for shape, batch in dict.fromkeys((row["shape"], row["batch"]) for row in rows):
        here = [row for row in rows if (row["shape"], row["batch"]) == (shape, batch) and row["arm"] in arms]
        shares = sorted({row["removed"] for row in here})
        medians = [
            [np.median([r["speedup"] for r in here if (r["arm"], r["removed"]) == (arm, share)]) for share in shares]
            for arm in arms
        ]
        found[shape, batch] = crossover_sparsity(shares, np.max(medians, axis=0))
    return found


def crossover_sparsity(removed, speedup) -> float | None:
    """The share above which the speed-up stays above 1, interpolated on a log scale; None if the last one is below 1.

    The first share if all speed-ups are above 1.
    """
    logs = np.log(speedup)
    below = np.flatnonzero(logs <= 0)
    if len(below) == 0:
        return float(removed[0])
    i = below[-1]
    if i == len(logs) - 1:
        return None
    return float(removed[i] + (removed[i + 1] - removed[i]) * -logs[i] / (logs[i + 1] - logs[i]))


def slower_effects(arms, decides: tuple[str, ...]) -> tuple[Effect, ...]:
    """For each harmless share removed, the effect: whether the fastest of these forms is slower than the dense product."""
    return tuple(
        Effect(
            name=f"time of the faster CSR product over that of the dense one, {100 * share:.0f} % removed",
            of=lambda rows, share=share: ratio_of_times(rows, arms, ["dense"], (share,)),
            unit="log2 ×",
            decides=decides,
            holds=lambda rows, share=share: where_slower(rows, arms, share),
        )
        for share in HARMLESS
    )


def where_slower(rows, arms, share: float) -> str:
    """In which shapes and batch sizes the fastest of these forms is slower than dense at this share, in words.

    As in `crossovers`: it is slower until its speed-up comes to stay above 1.
    """
    found = crossovers(rows, arms)
    slower = [f"{shape}, batch {batch}" for (shape, batch), at in found.items() if at is None or at > share]
    if len(slower) == len(found):
        return f"slower in all {len(found)} cases"
    return f"slower in {len(slower)} of {len(found)} cases" + (f": {'; '.join(slower)}" if slower else "")


# ---- panels ----


def draw_speedups(ax, rows, arms: dict[str, tuple[str, str]], csr: str) -> None:
    """Speed-up over dense over the share removed: the geometric mean over shapes and batch sizes, with its band over seeds.

    arms: arm -> its label and the role of its color. csr: the arm whose bytes are drawn.
    """
    shares = sorted({row["removed"] for row in rows})
    panels = by_panel(rows)

    def mean(arm, value):
        return [
            [np.exp(np.mean([np.log(value(p, arm)) for p in of if p[arm]["removed"] == share])) for share in shares]
            for of in panels.values()
        ]

    for arm, (label, role) in arms.items():
        if any(row["arm"] == arm for row in rows):  # else saved before it was an arm
            speedup = mean(arm, lambda panel, arm: panel[arm]["speedup"])
            curve_with_band(ax, shares, speedup, label, COLORS[role], ratios=True, marker="o")
    saved = {
        "weights saved": [1 / (1 - share) for share in shares],
        "bytes saved by CSR": mean(csr, lambda p, arm: p["dense"]["memory_bytes"] / p[arm]["memory_bytes"])[0],
    }
    for (label, times), dashes in zip(saved.items(), ("--", ":"), strict=True):
        ax.plot(shares, times, color=COLORS["ideal"], linestyle=dashes, linewidth=2)
        label_end(ax, [(shares[0], times[0]), (shares[-1], times[-1])], label, COLORS["ideal"])
    ax.axhline(1, color=COLORS["reference"], linewidth=1.5)
    label_end(ax, [(shares[0], 1), (shares[-1], 1)], "dense", COLORS["reference"])
    ax.set_yscale("log")
    ax.set_yticks([0.1, 1, 10, 100], ["0.1×", "1×", "10×", "100×"])
    ax.set(xlabel="weights removed", ylabel="times as fast as dense", xlim=(min(shares) - 0.03, max(shares) + 0.01))
    percent_axis(ax.xaxis)
    counts = [len({row[key] for row in rows}) for key in ("shape", "batch")]
    ax.set_title(f"mean over {counts[0]} shapes × {counts[1]} batch sizes")


def draw_crossovers(ax, rows, arms) -> None:
    """A bar for each shape and batch size: where the fastest of these forms is slower than dense, and where faster."""
    from matplotlib.ticker import MultipleLocator, PercentFormatter

    first, last = (find(row["removed"] for row in rows) for find in (min, max))
    found = crossovers(rows, arms)
    for place, crossover in enumerate(found.values()):
        end = last if crossover is None else crossover
        ax.barh(place, end - first, 0.62, left=first, color=COLORS["rival"])
        ax.barh(place, last - end, 0.62, left=end, color=COLORS["claim"])
        words = f"≤ {100 * first:.0f} %" if crossover == first else f"{100 * end:.0f} %"
        words = "slower everywhere" if crossover is None else words
        left = (end - first) / (last - first) > 0.2  # room for the words
        beside = {"ha": "right", "xytext": (-6, 0)} if left else {"ha": "left", "xytext": (6, 0)}
        ax.annotate(words, (end, place), textcoords="offset points", va="center", color="white", **beside)
    ax.set_yticks(range(len(found)), [f"{shape}, batch {batch}" for shape, batch in found])
    ax.invert_yaxis()
    ax.set(xlabel="weights removed", xlim=(first, last))
    ax.xaxis.set_major_locator(MultipleLocator(0.1))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    ax.grid(False)
    head = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 15, "va": "bottom"}
    ax.annotate("slower than dense", (0, 1), (0, 4), color=COLORS["rival"], **head)
    ax.annotate("faster", (1, 1), (0, 4), color=COLORS["claim"], ha="right", **head)
    ax.set_title("the faster CSR product", pad=30)


EXAMPLE = np.array([[0, 3, 0, 0, 7, 0], [0, 0, 5, 0, 0, 0], [2, 0, 0, 4, 0, 6]])
SHADES = ("#1F1F1F", "#8C8C8C", "#555555")  # one per row


def draw_csr(ax) -> None:
    """A small sparse matrix, and what CSR stores of it."""
    rows, columns = EXAMPLE.shape
    for (r, c), weight in np.ndenumerate(EXAMPLE):
        _cell(ax, c, r, weight or "", SHADES[r] if weight else None)
    for c in range(columns):
        ax.text(c + 0.5, -0.25, str(c), ha="center", va="center", fontsize=12, color=COLORS["ideal"])
    for line, (name, numbers) in enumerate(
        (("weight", EXAMPLE[EXAMPLE != 0]), ("column", np.nonzero(EXAMPLE)[1])), start=rows + 1
    ):
        for place, (number, r) in enumerate(zip(numbers, np.nonzero(EXAMPLE)[0], strict=True)):
            _cell(ax, place, line, number, SHADES[r])
        ax.text(len(numbers) + 0.2, line + 0.5, name, va="center", fontsize=14)
    ax.set(xlim=(-0.1, columns + 1.9), ylim=(rows + 3.9, -0.6), aspect="equal")
    words = "Two numbers per weight,\nand jumps through the input."
    ax.text(0, rows + 3.3, words, va="top", fontsize=15)
    ax.set_title("CSR: what is left, row by row")
    ax.set_axis_off()


def _cell(ax, x, y, words, color) -> None:
    """A square with a number in it, filled with a color if there is one."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), 1, 1, facecolor=color or "white", edgecolor="#AAAAAA", linewidth=1))
    ax.text(x + 0.5, y + 0.5, str(words), ha="center", va="center", color="white", fontsize=15)
