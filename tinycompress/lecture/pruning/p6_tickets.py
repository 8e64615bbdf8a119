"""Claim P6: the lottery ticket, or why a large net trains well and a small one does not."""

from dataclasses import dataclass

import numpy as np

from ... import data, models
from ...nn import Module
from ...pruning import iterative_pruning, prunable, rewind, shuffle_masks, sparsity
from ...selection import train
from ...training import evaluate
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis, table
from ..claim import Claim, Effect, Settings
from ..images.doubt import decided
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import plan_of
from ..rows import paired

SHARE, LAST_SHARE = 0.2, 0.1  # of the weights left, removed per round: of most layers, of the last one
SMALLEST = 1.0  # points of accuracy that matter
JUDGED = (7, 15)  # rounds that decide: 21 % and 3.6 % of the weights left on MNIST


@dataclass(frozen=True)
class Plan:
    """rounds: of pruning. compared: those after which all arms train. epochs: of each training run. lrs: small, large."""

    rounds: int
    compared: tuple[int, ...]
    epochs: int
    batch_size: int
    lrs: tuple[float, float]


PLANS = {
    "quick": Plan(rounds=15, compared=(3, 7, 15), epochs=6, batch_size=64, lrs=(0.01, 0.1)),
    "quick, many images": Plan(rounds=15, compared=(3, 7, 15), epochs=5, batch_size=128, lrs=(0.02, 0.2)),
    "full": Plan(rounds=18, compared=(3, 5, 7, 9, 11, 13, 15, 18), epochs=30, batch_size=64, lrs=(0.01, 0.1)),
    # Cut to 15 minutes for five seeds. Frankle & Carbin 2019 train for 50,000 steps of 60 images with Adam, reach the lowest
    # validation loss after some 5,000, and compare after every round. Here a cosine schedule ends after 2,400 steps.
    "paper": Plan(rounds=15, compared=(7, 15), epochs=3, batch_size=64, lrs=(0.02, 0.1)),
}


def tasks_p6(settings: Settings):
    plan = plan_of(PLANS, settings.budget, data.load(settings.data))
    return [(settings.data, settings.budget, lr, seed) for seed in settings.each_seed for lr in plan.lrs]


def measure_p6(data_name: str, budget: str, lr: float, seed: int) -> list[dict]:
    """Winning tickets of LeNet-300-100 over the rounds, and the nets that they are compared with."""
    dataset = data.load(data_name)
    plan = plan_of(PLANS, budget, dataset)

    def new(seed, make=models.lenet_300_100):
        return make(dataset.image_shape, dataset.num_classes, rng=np.random.default_rng(seed))

    def trained(net: Module, curve=None) -> Module:
        rng = np.random.default_rng([seed, 1])  # the same order of images for every arm
        return train(net, dataset, lr=lr, epochs=plan.epochs, rng=rng, batch_size=plan.batch_size, curve=curve)

    net, fresh, rows = new(seed), new([seed, 2]), []
    start, shares = net.state_dict(), dict.fromkeys(prunable(net), SHARE)
    shares[[*shares][-1]] = LAST_SHARE
    curves = []

    def train_round(net):
        curves.append([])
        trained(net, curves[-1])

    for number, found in enumerate(iterative_pruning(net, train_round, plan.rounds, shares, start)):
        arms = {"ticket": (found, curves[-1])}
        if number in plan.compared:
            begins = {
                "re-initialised": rewind(found.copy(), fresh.state_dict()),
                "shuffled mask": shuffle_masks(rewind(found.copy(), start), np.random.default_rng([seed, 3])),
                "small dense": new([seed, 4], make=_dense_with(_weights_left(found))),
            }
            for arm, begin in begins.items():
                curve = []
                arms[arm] = trained(begin, curve), curve
        for arm, (end, curve) in arms.items():
            rows.append(
                {
                    "seed": seed,
                    "arm": arm,
                    "lr": lr,
                    "large_lr": lr == plan.lrs[-1],
                    "round": number,
                    "kept": 1 - sparsity(found),
                    "weights": _weights_left(end),
                    "accuracy": accuracy_on(end, dataset.test),
                    "val_loss": evaluate(end, dataset.val).loss,
                    "val_curve": [100 * accuracy for accuracy in curve],
                    "epochs": plan.epochs,
                }
            )
    return rows


def _weights_left(net: Module) -> int:
    return round((1 - sparsity(net)) * sum(layer.latent("weight").size for layer in prunable(net).values()))


def _dense_with(weights: int):
    """A function that makes a net of two hidden layers, 3 to 1 as in LeNet-300-100, with about this many weights."""

    def make(image_shape, classes, *, rng):
        inputs = int(np.prod(image_shape))
        shapes = [(w, max(1, w // 3)) for w in range(1, 301)]
        near = min(shapes, key=lambda s: abs(inputs * s[0] + s[0] * s[1] + s[1] * classes - weights))
        return models.mlp(image_shape, near, classes, rng=rng)

    return make


def best_rate(rows, arm: str, number: int, seed: int) -> dict:
    """The row of this arm, round and seed whose learning rate is best on the validation split."""
    chosen = [row for row in rows if (row["arm"], row["round"], row["seed"]) == (arm, number, seed)]
    return min(chosen, key=lambda row: row["val_loss"])


def lead(rows, rival: str) -> list[float]:
    """Per seed, ticket minus rival, mean over the judged rounds, each at its learning rate picked on validation data."""

    def accuracy(arm, seed):
        return np.mean([best_rate(rows, arm, number, seed)["accuracy"] for number in JUDGED])

    return [float(accuracy("ticket", seed) - accuracy(rival, seed)) for seed in sorted({row["seed"] for row in rows})]


def at_which_rates(rows, rival: str) -> str:
    """How many weights are left, and by how many points the ticket leads the rival at each learning rate, both at this rate."""
    kept = {row["round"]: row["kept"] for row in rows}
    words = ["at " + " and ".join(percent(kept[number]) for number in JUDGED) + " of the weights left"]
    for lr in sorted({row["lr"] for row in rows}):
        here = {"lr": lr.__eq__, "round": JUDGED.__contains__}
        found = decided(rows, paired, "ticket", rival, "accuracy", smallest=SMALLEST, **here)
        words.append(f"at rate {lr:g}: {found.effect:+.0f} points, {found.verdict}")
    return "; ".join(words)


def effect_of(rival: str, name: str) -> Effect:
    """The winning ticket compared with one of its rivals."""
    return Effect(
        name=f"test accuracy, winning ticket minus {name}, mean over two numbers of weights left",
        of=lambda rows: lead(rows, rival),
        unit="points",
        smallest=SMALLEST,
        holds=lambda rows: at_which_rates(rows, rival),
    )


ARMS = {  # in which role it is drawn, and what it is
    "ticket": ("claim", "the mask, and\nthe first weights"),
    "re-initialised": ("rival", "the same mask,\nnew random weights"),
    "shuffled mask": ("extra", "the first weights,\nthe mask shuffled"),
    "small dense": ("other", "fewer neurons, no mask,\nas many weights"),
}


def p6(rows):
    """Accuracy over the weights left at both learning rates, how fast each net learns, and what each net is."""
    fig = figure(ncols=3, nrows=2, width=18, height=8.8, height_ratios=(1, 0.4))
    small, large, learning, explained, *spare = fig.axes
    for ax in spare:
        ax.remove()
    explained.set_subplotspec(explained.get_subplotspec().get_gridspec()[1, :])
    for ax, is_large in ((small, False), (large, True)):
        chosen = [row for row in rows if row["large_lr"] == is_large]
        for arm, (role, _) in ARMS.items():
            kept, accuracy = table(chosen, arm, "kept", "accuracy")
            curve_with_band(ax, kept, accuracy, arm, COLORS[role], marker="o")
        ax.set_xscale("log")
        ax.invert_xaxis()
        ticks = sorted({row["kept"] for row in chosen if row["arm"] != "ticket"} | {1.0})
        ax.set_xticks(ticks, [percent(share) for share in ticks])
        ax.minorticks_off()
        ax.set(xlabel="weights left", ylabel="test accuracy")
        ax.set_title(f"{'large' if is_large else 'small'} learning rate, {chosen[0]['lr']:g}")
        percent_axis(ax.yaxis, 100)
    lows, highs = zip(small.get_ylim(), large.get_ylim(), strict=True)
    for ax in (small, large):
        ax.set_ylim(max(0, min(lows)), min(101, max(highs)))
    middle = [row for row in chosen if row["round"] == JUDGED[0]]
    for arm, (role, _) in ARMS.items():
        curves = [row["val_curve"] for row in middle if row["arm"] == arm]
        curve_with_band(learning, range(1, len(curves[0]) + 1), curves, arm, COLORS[role], marker="o")
    learning.set(xlabel="epoch", ylabel="validation accuracy")
    learning.xaxis.get_major_locator().set_params(integer=True)
    learning.set_title(f"learning curves: {percent(middle[0]['kept'])} left, rate {middle[0]['lr']:g}")
    percent_axis(learning.yaxis, 100)
    _explain(explained)
    return fig


def _explain(ax):
    """Draw a weight matrix of each arm at the start of its training: which weights there are, and how large each is."""
    rng, side = np.random.default_rng(4), 6
    first, new = rng.uniform(0.3, 1, (2, side, side)) * rng.choice((-1, 1), (2, side, side))
    mask = rng.permutation(side * side).reshape(side, side) < 9
    shuffled = rng.permutation(mask.ravel()).reshape(mask.shape)
    starts = (
        np.where(mask, first, np.nan),
        np.where(mask, new, np.nan),
        np.where(shuffled, first, np.nan),
        new[:3, :3],
    )
    for place, (values, (arm, (role, meaning))) in enumerate(zip(starts, ARMS.items(), strict=True)):
        left, size = 17.5 * place, len(values)
        ax.imshow(values, cmap="PuOr", vmin=-1, vmax=1, extent=(left, left + size, side - size, side), zorder=2)
        lines = np.arange(size + 1)
        ax.hlines(side - lines, left, left + size, color=COLORS["ideal"], linewidth=0.8, zorder=3)
        ax.vlines(left + lines, side - size, side, color=COLORS["ideal"], linewidth=0.8, zorder=3)
        ax.text(left + size + 0.5, side, arm, color=COLORS[role], va="top", fontsize=18)
        ax.text(left + size + 0.5, side - 1.5, meaning, va="top", fontsize=15)
    ax.set(xlim=(-1, 68), ylim=(-0.3, side + 0.3), aspect="equal")
    ax.set_axis_off()
    ax.set_title("one weight matrix of each net before it trains; the colour is the weight's value")


def percent(share: float) -> str:
    """A share in per cent, with at most two digits."""
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"


CLAIM = Claim(
    id="P6",
    chapter="pruning",
    title="The lottery ticket",
    question="Why large first: among its many small nets a large one holds some that drew lucky numbers.",
    tasks=tasks_p6,
    measure=measure_p6,
    plans=PLANS,
    rests_on=(learns(arm="ticket", round=0, large_lr=True, name="the whole net"),),
    effects=(
        effect_of("re-initialised", "the same net re-initialised"),
        effect_of("small dense", "a small dense net of as many weights"),
    ),
    figure=p6,
    note="LeNet-300-100. Each round trains, removes the smallest fifth of the weights and resets the others to their initial "
    "values. Every net trains for the same number of epochs. Finding the mask takes all earlier rounds, a cost that all arms "
    "but the small dense net share. The effects compare arms at the learning rates that they pick on validation data. The "
    "small dense net is the rival that says whether to train large first.",
    source="Frankle & Carbin 2019, The Lottery Ticket Hypothesis; Liu et al. 2019, Rethinking the Value of Network "
    "Pruning, who find that the answer depends on the learning rate",
)
