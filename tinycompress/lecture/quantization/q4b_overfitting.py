"""Claim Q4b: whether binary weights overfit less, with few training images and with wrong labels."""

import functools
from dataclasses import dataclass, replace

import numpy as np

from ... import data
from ...data import Dataset
from ...nn import Module
from ...optim import cosine
from ...selection import pick_on_validation, train
from ...training import evaluate
from ...workshop.style import COLORS, curve_with_band, figure, table
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import plan_of
from ..rows import paired
from .q4_binary import build

VALIDATION = 1000  # images at most, so that looking at them after every epoch costs little
SMALLEST = 1.0  # point


@dataclass(frozen=True)
class Plan:
    """Nets with these hidden widths train on `few` images with right labels, and on `images` with a share of `wrong` labels.

    They are drawn `few_draws` and `draws` times. The epochs are enough for a float net to learn nearly all training labels.
    """

    few: tuple[int, ...] = (50, 100)
    few_draws: int = 4
    images: int = 300
    wrong: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4)
    draws: int = 2
    epochs: int = 25
    widths: tuple[int, ...] = (100,)
    batch_size: int = 50
    lrs: tuple[float, ...] = (0.1, 0.3)

    @property
    def settings(self) -> list[tuple[int, float, int]]:
        """(images, share of wrong labels, draw) of every training set."""
        few = [(images, 0.0, draw) for images in self.few for draw in range(self.few_draws)]
        return few + [(self.images, share, draw) for share in self.wrong for draw in range(self.draws)]


PLANS = {
    "quick": Plan(),
    "quick, many images": Plan(few=(100, 300), images=1000, few_draws=2, draws=1, widths=(300, 100)),
    "full": Plan(epochs=50, lrs=(0.03, 0.1, 0.3)),
    "paper": Plan(few=(100, 300, 1000), images=3000, few_draws=2, draws=1, epochs=50, widths=(300, 100)),
}
TRAINED, STOPPED = ("float", "float, dropout", "binary"), "float, stopped early"
COMPARED = ("float", "binary")
ARMS = (("binary", "claim"), ("float", "rival"), ("float, dropout", "more"), (STOPPED, "other"))


def measure_q4b(data_name: str, budget: str, seed: int) -> list[dict]:
    """Errors on training and test images of four kinds of nets, for every training set of the plan.

    Test labels are right. The error on images whose labels are wrong as often as those of the training images follows from
    it, and the gap is this error minus the training error.
    """
    dataset = data.load(data_name)
    plan = plan_of(PLANS, budget, dataset)
    rates = {arm: rate_for(arm, dataset, plan, seed) for arm in TRAINED}
    rows = []
    for images, wrong, draw in plan.settings:
        some, curve = spoiled(dataset, images, wrong, [seed, draw]), []
        # The arms that no effect needs are trained on the first draw only.
        nets = {
            arm: _train(arm, some, plan, [seed, draw], lr, curve=curve if arm == "float" else None)
            for arm, lr in rates.items()
            if draw == 0 or arm in COMPARED
        }
        best = int(np.argmax(curve)) + 1  # the first of the best epochs; training again as far repeats the same steps
        if draw == 0:
            nets[STOPPED] = _train("float", some, plan, [seed, draw], rates["float"], best)
        for arm, net in nets.items():
            train_error = 100 * (1 - evaluate(net, some.train).accuracy)
            test_error = accuracy_on(net, some.test).rest
            gap = test_error.mapped(
                lambda error, wrong=wrong, learned=train_error: (
                    with_wrong_labels(error, wrong, dataset.num_classes) - learned
                )
            )
            rows.append(
                {"seed": seed, "arm": arm, "images": images, "wrong": wrong, "draw": draw}
                | {"lr": rates.get(arm, rates["float"]), "epochs": best if arm == STOPPED else plan.epochs}
                | {"train_error": train_error, "test_error": test_error}
                | {"gap": gap}
            )
    return rows


def spoiled(dataset: Dataset, images: int, wrong: float, seed: list[int]) -> Dataset:
    """A data set with this many of the training images, a share of whose labels is replaced by another class, at random.

    With the same seed the images are the same for every share. Validation labels stay right.
    """
    rng = np.random.default_rng([*seed, 5])
    chosen = rng.permutation(len(dataset.y_train))[:images]
    others = rng.integers(1, dataset.num_classes, len(chosen))
    replaced = np.arange(len(chosen)) < round(wrong * len(chosen))
    labels = np.where(replaced, (dataset.y_train[chosen] + others) % dataset.num_classes, dataset.y_train[chosen])
    few = slice(None, None, -(-len(dataset.y_val) // VALIDATION))
    val = {"x_val": dataset.x_val[few], "y_val": dataset.y_val[few]}
    return replace(dataset, x_train=dataset.x_train[chosen], y_train=labels, **val)


def with_wrong_labels(error: float, wrong: float, classes: int) -> float:
    """The expected error (%) where a share of the labels is replaced by another class, at random, from that on right labels."""
    return error * (1 - wrong) + wrong * (100 - error / (classes - 1))


def rate_for(arm: str, dataset: Dataset, plan: Plan, seed: int) -> float:
    """The learning rate with the smallest loss on validation images, for the middle one of the plan's shares of wrong labels."""
    some = spoiled(dataset, plan.images, plan.wrong[len(plan.wrong) // 2], [seed, 0])
    return pick_on_validation(lambda lr: _train(arm, some, plan, [seed, 0], lr), plan.lrs, some)[1]


def _train(
    arm: str, dataset: Dataset, plan: Plan, seed: list[int], lr: float, epochs: int | None = None, curve=None
) -> Module:
    """Train a net for the plan's epochs, or stop after the first `epochs` of them."""
    rng, epochs = np.random.default_rng([*seed, 6]), epochs or plan.epochs
    net = build(arm, dataset, plan.widths, rng)

    def schedule(t):
        return cosine(t * epochs / plan.epochs)

    return train(
        net, dataset, lr=lr, epochs=epochs, rng=rng, batch_size=plan.batch_size, schedule=schedule, curve=curve
    )


def _means(rows, value: str) -> list[dict]:
    """Rows with the mean of `value` over the draws of each training set."""
    found = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in ("seed", "arm", "images", "wrong")), []).append(row)
    return [some[0] | {value: float(np.mean([row[value] for row in some]))} for some in found.values()]


def effect_q4b(rows, value: str, wrong: tuple[float, ...], arm: str = "binary"):
    """Per seed, `value` of float minus that of the arm, mean over the training sets with these shares of wrong labels; empty
    if there are none."""
    some = [row for row in rows if row["wrong"] in wrong]
    return paired(_means(some, value), "float", arm, value) if some else []


def each_q4b(rows, value: str, wrong: tuple[float, ...]) -> str:
    """The effect with its verdict for each number of images or share of wrong labels, if there are several, and what
    dropout and stopping early take off the float net's `value`."""
    some = [row for row in rows if row["wrong"] in wrong]
    key = "wrong" if any(wrong) else "images"
    words, places = [], sorted({row[key] for row in some})
    for x in places if len(places) > 1 else ():
        name = f"{100 * x:.0f} %" if key == "wrong" else f"{x:,} images"
        here = [row for row in some if row[key] == x]
        found = decided(here, effect_q4b, value, wrong, smallest=SMALLEST)
        words.append(f"{name}: {found.effect:+.1f}, {found.verdict}")
    first = [row for row in some if row["draw"] == 0]  # the other means were trained on this draw only
    for arm in ("float, dropout", STOPPED) if first else ():
        gained = np.mean(effect_q4b(first, value, wrong, arm))
        words.append(f"{arm.removeprefix('float, ')} in place of binary: {gained:+.1f}")
    return "; ".join(words)


def q4b(rows):
    """The gap and the test error over the number of images and over the share of wrong labels."""
    fig = figure(ncols=2, nrows=2, width=17, height=8, sharex="col")
    most = max(row["images"] for row in rows)
    panels = (
        ([row for row in rows if not row["wrong"]], "images", "training images, all labels right"),
        ([row for row in rows if row["images"] == most], "wrong", f"wrong labels among {most:,} training images"),
    )
    names = {"gap": "gap: test error − training error", "test_error": "test error, right labels"}
    for i, value in enumerate(names):
        for ax, (some, x, label) in zip(fig.axes[2 * i :], panels, strict=False):
            for arm, role in ARMS:
                at, found = table(_means(some, value), arm, x, value)
                curve_with_band(ax, at, found, arm, COLORS[role], marker="o")
            if x == "images":
                ax.set_xscale("log")
                ax.set_xlim(1.1 * max(at), 0.9 * min(at))  # harder to the right, as in the other column
                ax.minorticks_off()
            ax.set_xticks(at, [f"{n:,}" if x == "images" else f"{100 * n:.0f} %" for n in at])
            ax.set_ylim(0, None)
            ax.yaxis.set_major_formatter(lambda error, _: f"{error:g} %")
            ax.set_xlabel(label if i else "")
            ax.set_title(
                "gap, with as many wrong labels in the test, too" if (x, value) == ("wrong", "gap") else names[value]
            )
    return fig


CLAIM = Claim(
    id="Q4b",
    chapter="quantization",
    title="Does binary overfit less?",
    measure=measure_q4b,
    plans=PLANS,
    effects=tuple(
        Effect(
            name=f"{name}, {where}, float minus binary",
            of=functools.partial(effect_q4b, value=value, wrong=wrong),
            unit="points",
            smallest=SMALLEST,
            decides=("N24",),
            rests_on=(learns("test_error", error=True, arm=COMPARED, wrong=wrong, by="images"),),
            holds=functools.partial(each_q4b, value=value, wrong=wrong),
        )
        for where, wrong in (
            ("few images with right labels", (0.0,)),
            ("10 and 20 % of the labels wrong", (0.1, 0.2)),
            ("40 % of the labels wrong", (0.4,)),
        )
        for name, value in (("gap between training and test error", "gap"), ("test error", "test_error"))
    ),
    figure=q4b,
    note="Small training sets, and labels replaced by another class at random, make a float net overfit: it learns nearly all "
    "its training labels, wrong ones included. Each amount of wrong labels is decided on its own. The test error is that on "
    "right labels; for the gap, test labels are wrong as often as those of the training images, so that a net that learns "
    "nothing by heart has no gap. Whether fewer degrees of freedom are the cause is not measured. All arms have the same net "
    "with batch norm, train on the same images for the same number of epochs and pick their learning rate on validation data, "
    "whose labels are right. Dropout and early stopping are the usual means against overfitting; early stopping keeps the "
    "epoch with the best accuracy on validation data.",
    source="Courbariaux et al. 2015, BinaryConnect; Zhang et al. 2017, Understanding Deep Learning Requires Rethinking "
    "Generalization",
)
