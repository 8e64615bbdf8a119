"""Claim P5: why train a large net and prune it, rather than train a small one."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ... import data, models
from ...data import Dataset
from ...nn import Module
from ...optim import cosine
from ...pruning import cubic, keep_neurons, prunable, prune_gradually, remove_neurons, sparsity, widen
from ...selection import pick_on_validation, train
from ...training import evaluate
from ...workshop.style import COLORS, curve_with_band, figure, table
from ..claim import Claim, Effect, Settings
from ..images.doubt import decided
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import plan_of

LARGER, SMALLER = 4, 0.5  # initial widths of the nets to prune and to grow, relative to the final net
FEWEST = 6  # neurons in a layer of the net to grow: all of two or three ReLUs may die, and nothing that grows from them learns
SMALLEST = 1.0  # points of accuracy that matter
NOISE = 0.1  # on the copies that widening makes, so that they can diverge


@dataclass(frozen=True)
class Plan:
    """epochs: of the large net before pruning starts. Every arm may spend the multiplications of twice as many.

    widths: of the final nets' first hidden layer. The second is a third as wide, as in LeNet-300-100.
    """

    epochs: int
    widths: tuple[int, ...]
    batch_size: int
    lrs: tuple[float, ...]


PLANS = {
    "quick": Plan(epochs=6, widths=(18, 48), batch_size=64, lrs=(0.02, 0.1)),
    "quick, many images": Plan(epochs=4, widths=(18, 48), batch_size=128, lrs=(0.02, 0.1)),
    "full": Plan(epochs=30, widths=(12, 18, 24, 48, 96), batch_size=64, lrs=(0.01, 0.03, 0.1)),
    # No paper has this exact experiment. With two sizes, five epochs and two rates, five seeds take ten minutes on MNIST.
    "paper": Plan(epochs=5, widths=(12, 48), batch_size=128, lrs=(0.02, 0.1)),
}


class Spending:
    """One arm at one learning rate: builds and trains nets, and counts the multiplications of their epochs, per image."""

    def __init__(self, dataset: Dataset, plan: Plan, width: int, lr: float, seed: int):
        self.dataset, self.plan, self.lr, self.rng = dataset, plan, lr, np.random.default_rng(seed)
        self.final = np.array([width, width // 3])
        self.large = LARGER * self.final
        self.smaller = np.minimum(self.final, np.maximum(FEWEST, np.round(SMALLER * self.final).astype(int)))
        self.allowed = 2 * plan.epochs * self.macs_of(self.large)
        self.macs = self.epochs = 0

    def macs_of(self, widths) -> int:
        """Multiply-accumulates of one image through the net with these hidden widths."""
        sizes = [int(np.prod(self.dataset.image_shape)), *map(int, widths), self.dataset.num_classes]
        return sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))

    def affordable(self, widths, share: float = 1.0) -> int:
        """The number of epochs that a net of these widths can train on `share` of the remaining multiplications."""
        return round(share * (self.allowed - self.macs) / self.macs_of(widths))

    def new(self, widths) -> Module:
        return models.mlp(self.dataset.image_shape, widths.tolist(), self.dataset.num_classes, rng=self.rng)

    def train(self, net: Module, epochs: int, after: int = 0, of: int | None = None) -> Module:
        """Train for `epochs` epochs, which follow the first `after` of the `of` epochs that share one cosine schedule."""
        self.epochs += epochs
        self.macs += epochs * self.macs_of(hidden_widths(net))
        of = of or epochs
        return train(
            net,
            self.dataset,
            lr=self.lr,
            epochs=epochs,
            rng=self.rng,
            batch_size=self.plan.batch_size,
            schedule=lambda t: cosine((after + t * epochs) / of),
        )


def weights_pruned(run: Spending) -> Module:
    """The large net, its weights pruned a little at a time down to the final net's number of parameters."""
    net, epochs, steps = run.train(run.new(run.large), run.plan.epochs), run.plan.epochs, run.plan.epochs // 2
    weights, wanted = _sizes(net)[0], sum(_sizes(run.new(run.final))) - _sizes(net)[1]
    prune_gradually(net, 1 - wanted / weights, steps, lambda net, step: run.train(net, 1, step - 1, epochs))
    return run.train(net, epochs - steps, steps, epochs)


def neurons_pruned(run: Spending) -> Module:
    """The large net, its neurons pruned a little at a time down to the final net's widths."""
    net, steps = run.train(run.new(run.large), run.plan.epochs), run.plan.epochs // 2
    shares = [1 - cubic(step / steps, 1 - 1 / LARGER) for step in range(1, steps + 1)]
    path = [np.round(share * run.large).astype(int) for share in shares]
    # The path takes one epoch at each of its widths; the final net gets what they leave.
    rest = run.affordable(run.final) - round(sum(run.macs_of(widths) for widths in path) / run.macs_of(run.final))
    for step, widths in enumerate(path):
        kept = {name: w / now for name, w, now in zip(prunable(net), widths, hidden_widths(net), strict=False)}
        net = run.train(remove_neurons(net, keep_neurons(net, kept)), 1, step, steps + rest)
    return run.train(net, rest, steps, steps + rest)


def small(run: Spending) -> Module:
    """The final net, trained from the start."""
    return run.train(run.new(run.final), run.affordable(run.final))


def grown(run: Spending) -> Module:
    """A smaller net, widened to the final one halfway; up to noise, that does not change its outputs."""
    net = run.train(run.new(run.smaller), run.affordable(run.smaller, 0.5))
    net = widen(net, dict(zip(prunable(net), run.final.tolist(), strict=False)), rng=run.rng, noise=NOISE)
    return run.train(net, run.affordable(run.final))


LARGE_FIRST = {"large, weights pruned": weights_pruned, "large, neurons pruned": neurons_pruned}
SMALL_FIRST = {"small from the start": small, "smaller, then grown": grown}


def tasks_p5(settings: Settings):
    plan = plan_of(PLANS, settings.budget, data.load(settings.data))
    return [(settings.data, settings.budget, w, seed) for seed in settings.each_seed for w in plan.widths]


def measure_p5(data_name: str, budget: str, width: int, seed: int) -> list[dict]:
    """Test accuracy of nets with the same number of parameters, from four arms with the same number of multiplications."""
    dataset = data.load(data_name)
    plan, rows = plan_of(PLANS, budget, dataset), []
    for arm, make in (LARGE_FIRST | SMALL_FIRST).items():
        runs = {lr: Spending(dataset, plan, width, lr, seed) for lr in plan.lrs}
        net, lr = pick_on_validation(lambda lr, make=make, runs=runs: make(runs[lr]), plan.lrs, dataset)
        weights, biases = _sizes(net)
        rows.append(
            {
                "seed": seed,
                "arm": arm,
                "width": width,
                "parameters": weights + biases,
                "accuracy": accuracy_on(net, dataset.test),
                "val_loss": evaluate(net, dataset.val).loss,
                "lr": lr,
                "epochs": runs[lr].epochs,
                "macs_per_image": runs[lr].macs,
            }
        )
    return rows


def hidden_widths(net: Module) -> list[int]:
    return [int(layer.latent("weight").shape[-1]) for layer in prunable(net).values()][:-1]


def _sizes(net: Module) -> tuple[int, int]:
    """The numbers of unmasked weights and of biases."""
    layers = prunable(net).values()
    weights = sum(layer.latent("weight").size for layer in layers)
    return round(weights * (1 - sparsity(net))), sum(layer.bias.size for layer in layers)


def ahead_of_growing(rows, rivals: Collection[str]) -> list[float]:
    """Per seed, accuracy of the best of the rival arms minus that of the net that grew, mean over final sizes.

    The best of several arms is the one with the lowest validation loss.
    """
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        gains = []
        for width in sorted({row["width"] for row in rows}):
            arms = {row["arm"]: row for row in rows if (row["seed"], row["width"]) == (seed, width)}
            best = min((arms[name] for name in rivals), key=lambda row: row["val_loss"])
            gains.append(best["accuracy"] - arms["smaller, then grown"]["accuracy"])
        effects.append(float(np.mean(gains)))
    return effects


def effect_of(name: str, rivals: Collection[str], smallest: float = 0.0) -> Effect:
    """Growing compared with the rival arms, and with the size of the final net for which it is shown."""

    def by_size(rows):
        words = []
        for size in sorted({row["parameters"] for row in rows}):
            chosen = [row for row in rows if row["parameters"] == size]
            one = decided(chosen, ahead_of_growing, rivals, smallest=smallest)
            words.append(f"{size:,} parameters: {one.effect:+.1f} ({one.verdict})")
        return ", ".join(words)

    return Effect(
        name=f"test accuracy, {name} minus smaller, then grown; mean over final sizes",
        of=lambda rows: ahead_of_growing(rows, rivals),
        unit="points",
        smallest=smallest,
        decides=("N11",),
        holds=by_size,
    )


def p5(rows):
    """Accuracy over the final net's size, for four ways to reach it."""
    fig = figure(width=11)
    (ax,) = fig.axes
    arms = (
        ("large, weights pruned", "claim"),
        ("large, neurons pruned", "last"),
        ("small from the start", "more"),
        ("smaller, then grown", "rival"),
    )
    sizes = {row["width"]: row["parameters"] for row in rows}
    best = max(row["accuracy"] for row in rows)
    middle, worst = (float(find([row["accuracy"] for row in rows])) for find in (np.median, np.min))
    bottom = max(0, worst - 2, best - 4 * (best - middle) - 4)
    for arm, role in arms:
        widths, accuracy = table(rows, arm, "width", "accuracy")
        shown = np.array(accuracy, float)
        for column, width in enumerate(widths):
            mean = shown[:, column].mean()
            if mean < bottom:  # nets that do not learn at all would squeeze the others into one line
                shown[:, column] = np.nan
                at = {"xytext": (8, 2), "textcoords": "offset points", "va": "bottom"}
                ax.annotate(f"↓ {arm}: {mean:.0f} %", (sizes[width], bottom), color=COLORS[role], **at)
        curve_with_band(ax, [sizes[width] for width in widths], shown, arm, COLORS[role], marker="o")
    ax.set_ylim(bottom, min(100, best + 1))
    ax.set_xscale("log")
    ax.set_xticks([*sizes.values()], [f"{size:,}" for size in sizes.values()])
    ax.minorticks_off()
    ax.set(xlabel="parameters of the final net", ylabel="test accuracy")
    ax.yaxis.set_major_formatter("{x:g} %")
    ax.set_title("Same parameters, same multiplications in training")
    return fig


CLAIM = Claim(
    id="P5",
    chapter="pruning",
    title="Large first, then pruned",
    tasks=tasks_p5,
    measure=measure_p5,
    plans=PLANS,
    rests_on=(learns(by="width"),),
    effects=(
        effect_of("better large-first arm", LARGE_FIRST),
        effect_of("small from the start", ["small from the start"], SMALLEST),
    ),
    figure=p5,
    note="At each size, all arms end with the same number of parameters and spend the same number of multiplications in "
    "training, so the small net trains for several times as many epochs. The large net starts four times as wide; the better "
    "way to prune it is chosen on validation data. The smaller one starts half as wide, but with six neurons per layer at "
    "least, and is widened after half of its multiplications. The sentence is about growing, which has two "
    "rivals: to prune a larger net, and to start at the final size.",
    source="Chen et al. 2016, Net2Net; Li et al. 2020, Train Large, Then Compress; Liu et al. 2019, Rethinking the Value "
    "of Network Pruning",
)
