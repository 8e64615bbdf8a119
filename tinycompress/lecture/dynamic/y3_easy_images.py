"""Claim Y3: easy images leave early."""

import numpy as np

from ... import data
from ...data import Dataset
from ...dynamic import ExitTable, exit_table
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect, first_seed_drawn
from ..images.pixels import packed, unpacked
from ..images.shares import percent_of
from ..learned import learns
from .nets import WITH_COLOUR, exit_net

EXIT_COLORS = [COLORS[role] for role in ("claim", "more", "rival", "extra")]
LEAVING = 0.75  # share of the validation images reaching an exit that leave there
NEIGHBOURS = 10
SHOWN = 2  # images per class and exit


def measure_y3(data_name: str, budget: str, seed: int, drawn: bool) -> list[dict]:
    """The images that leave at each exit: how many of each class, and how hard they are, judged without any net."""
    dataset = data.load(data_name)
    net = exit_net(data_name, budget, seed)
    thresholds = leaving_by_share(exit_table(net, dataset.val), LEAVING)
    table = exit_table(net, dataset.test)
    left, hard = table.leaving(thresholds), difficulty(dataset)
    rows = []
    for i in range(len(net.stages)):
        here = np.flatnonzero(left == i)
        shown = [here[dataset.y_test[here] == label][:SHOWN] for label in range(dataset.num_classes)]
        rows.append(
            {
                "seed": seed,
                "exit": i + 1,
                "accuracy": percent_of(table.correct[i]),  # of all test images, of which many leave elsewhere
                "share": percent_of(left == i).mapped(lambda percent: percent / 100),
                "difficulty": percent_of(hard, left == i) if len(here) else None,
                "error": percent_of(~table.correct[i], left == i) if len(here) else None,
                "error_at_first": percent_of(~table.correct[0], left == i) if len(here) else None,
                "by_class": np.bincount(dataset.y_test[here], minlength=dataset.num_classes),
                "classes": dataset.classes,
                "images": [[packed(dataset.x_test[j]) for j in some] for some in shown] if drawn else [],
            }
        )
    return rows


def leaving_by_share(table: ExitTable, share: float) -> tuple[float, ...]:
    """Thresholds at which this share of the images that reach an exit leave there."""
    staying, thresholds = np.ones(table.scores.shape[1], bool), []
    for scores in table.scores[:-1]:
        thresholds.append(float(np.quantile(scores[staying], 1 - share)) if staying.any() else 0.0)
        staying &= scores < thresholds[-1]
    return tuple(thresholds)


def difficulty(dataset: Dataset) -> np.ndarray:
    """Per test image, the share of its nearest training images, in pixel space, that are of another class."""
    train, test = (x.reshape(len(x), -1) for x in (dataset.x_train, dataset.x_test))
    # |a - b|² / 2 = |a|² / 2 - a · b + |b|² / 2, and the last term does not change the order of the neighbours a of b.
    shares, half_norms = [], (train**2).sum(1) / 2
    for start in range(0, len(test), 500):
        near = np.argpartition(half_norms - test[start : start + 500] @ train.T, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        shares.append((dataset.y_train[near] != dataset.y_test[start : start + 500, None]).mean(1))
    return np.concatenate(shares)


def effect_y3(rows):
    """Per seed, the difficulty of the images that continue past the first exit minus that of the images that leave there."""
    first = [_mean(rows, seed, "difficulty", lambda exit: exit == 1) for seed in _seeds(rows)]
    return np.subtract([_mean(rows, seed, "difficulty", _continues) for seed in _seeds(rows)], first).tolist()


def effect_gain(rows):
    """Per seed, the error that the images that continue would have had at the first exit minus that at their own exits."""
    at_first, at_own = (
        [_mean(rows, seed, error, _continues) for seed in _seeds(rows)] for error in ("error_at_first", "error")
    )
    return np.subtract(at_first, at_own).tolist()


def holds_gain(rows) -> str:
    """The errors at the first exit and at the exit where the images leave, by exit."""
    exits = sorted({row["exit"] for row in rows if row["share"]} - {1})
    return "error of the images that leave at " + ", ".join(f"exit {i}: {gain_at(rows, i)}" for i in exits)


def gain_at(rows, i: int) -> str:
    """The error, at the first exit and at their own, of the images that leave at exit i, as in "5.2 → 3.5 %"."""
    errors = [
        np.mean([_mean(rows, seed, error, lambda exit: exit == i) for seed in _seeds(rows, i)])
        for error in ("error_at_first", "error")
    ]
    return " → ".join(f"{error:.1f}" for error in errors[i == 1 :]) + " %"


def _continues(exit) -> bool:
    return exit > 1


def _seeds(rows, exit=1) -> list[int]:
    """The seeds of which images leave at this exit."""
    return sorted({row["seed"] for row in rows if row["share"] and row["exit"] == exit})


def _mean(rows, seed, key, which) -> float:
    """The mean over the images of one seed that leave at the exits for which which(exit) is true."""
    some = [row for row in rows if row["seed"] == seed and row["share"] and which(row["exit"])]
    return float(np.average([row[key] for row in some], weights=[row["share"] for row in some]))


def y3(rows):
    """Images by the exit at which they leave, how hard each exit's images are, and where each class leaves."""
    fig = figure(ncols=2, nrows=2, width=15, height=13, width_ratios=(1, 1.25), height_ratios=(1.15, 1))
    upper, unused, bars, classes = fig.axes
    gallery = fig.add_subplot(upper.get_gridspec()[0, :])
    upper.remove()
    unused.remove()
    _draw_gallery(gallery, [row for row in rows if row["images"]])
    _draw_difficulty(bars, rows)
    _draw_classes(classes, rows)
    return fig


def _draw_gallery(ax, rows):
    """Draw images of each class, one band per exit, with the share of images that leave there."""
    ax.set_title("Test images, by the exit at which they leave")
    if not rows:  # images are kept for seed 0 alone, since they take much space
        ax.set_axis_off()
        ax.set_title("(images are shown for seed 0)")
        return
    ax.imshow(_mosaic(rows), cmap="gray_r", aspect="equal")
    height = _mosaic(rows[:1]).shape[0]
    names = [f"exit {row['exit']}\n{100 * row['share']:.0f} %" for row in rows]
    ax.set_yticks([(i + 0.5) * height for i in range(len(rows))], names)
    ax.set_xticks([])
    for color, label in zip(EXIT_COLORS, ax.get_yticklabels(), strict=False):
        label.set_color(color)
    for i in range(1, len(rows)):
        ax.axhline(i * height - 0.5, color=COLORS["ideal"], linewidth=1.5)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _draw_difficulty(ax, rows):
    """Draw how many of an image's nearest training images are of another class, by exit."""
    from matplotlib.ticker import MaxNLocator

    exits = sorted({row["exit"] for row in rows})
    for i in exits:
        values = np.array([r["difficulty"] for r in rows if r["exit"] == i and r["difficulty"] is not None])
        mean, low, high = np.clip(seed_band(values), 0, 100)
        spread = None if np.isnan(low) else [[mean - low], [high - mean]]
        ax.bar(i, mean, 0.6, color=EXIT_COLORS[i - 1], yerr=spread, capsize=6)
        place = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
        ax.annotate(f"{mean:.1f} %", (i, np.nan_to_num(high, nan=mean)), **place)
    ax.set_xticks(exits, [f"exit {i}\n{gain_at(rows, i)}" if _seeds(rows, i) else f"exit {i}" for i in exits])
    ax.set(xlabel="test error: at exit 1 → where they leave", ylabel="nearest images of another class")
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.margins(y=0.12)
    percent_axis(ax.yaxis, 100)
    ax.set_title("How hard they are")


def _draw_classes(ax, rows):
    """Draw the share of each class that leaves at each exit."""
    exits = sorted({row["exit"] for row in rows})
    counts = np.array([sum(np.array(r["by_class"]) for r in rows if r["exit"] == i) for i in exits], float)
    shares = counts / counts.sum(0)
    order = np.argsort(-shares[0])
    left = np.zeros(len(order))
    for i, share in zip(exits, shares, strict=True):
        ax.barh(range(len(order)), share[order], 0.75, left, color=EXIT_COLORS[i - 1])
        left += share[order]
    ax.set_yticks(range(len(order)), [rows[0]["classes"][k] for k in order])
    ax.invert_yaxis()
    ax.grid(False)
    ax.set_xlim(0, 1)
    percent_axis(ax.xaxis)
    ax.set(xlabel="test images", ylabel="class")
    ax.set_title("Where each class leaves: exit " + ", ".join(map(str, exits)))


def _mosaic(rows) -> np.ndarray:
    """Images as one picture: one band of rows per exit, one column per class; blank where no image of the class left.

    Grey images are ink on paper, so 0 is blank; of colour images, 255 is.
    """
    first = next(image for row in rows for some in row["images"] for image in some)
    height, width, *colours = unpacked(first).shape
    deep = max(len(some) for row in rows for some in row["images"])
    shape = len(rows), deep, height + 1, len(rows[0]["images"]), width + 1, *colours
    picture = np.full(shape, 255 if colours else 0, np.uint8)
    for i, row in enumerate(rows):
        for k, some in enumerate(row["images"]):
            for j, image in enumerate(some):
                picture[i, j, :height, k, :width] = unpacked(image)
    return picture.reshape(len(rows) * deep * (height + 1), -1, *colours)


CLAIM = Claim(
    id="Y3",
    chapter="dynamic",
    title="As much computation as needed",
    question="A net can spend as much computation on an image as that image needs: harder images continue, and they gain by it.",
    tasks=first_seed_drawn,
    measure=measure_y3,
    plans=WITH_COLOUR,
    rests_on=(learns(name="the net", by="exit"),),
    effects=(
        Effect(
            name="share of another class among the ten nearest training images: images that continue minus images that leave "
            "at exit 1",
            of=effect_y3,
            unit="points",
        ),
        Effect(
            name="test error of the images that continue: at exit 1 minus where they leave",
            of=effect_gain,
            unit="points",
            smallest=1.0,
            holds=holds_gain,
        ),
    ),
    figure=y3,
    note="At the chosen thresholds, three quarters of the validation images that reach an exit leave there. Difficulty is "
    "measured without any net: the share of an image's ten nearest training images, in pixel space, that are of another "
    "class.",
    source="Teerapittayanon et al. 2016; Huang et al. 2018, Multi-Scale Dense Networks",
)
