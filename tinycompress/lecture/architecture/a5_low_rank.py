"""Claim A5: trained layers are closer to low rank than random ones, and two thin layers can replace one."""

import numpy as np

from ... import data, models
from ...architecture import factorise, ranks_by_budget, singular_values
from ...data import Dataset
from ...nn import Module
from ...profiling import stored_bytes
from ...selection import pick_on_validation, train
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis
from ..claim import Claim, Effect
from ..images.shares import accuracy_on
from ..learned import learns
from .nets import PLANS, Plan, plan_for

BUDGET = 0.25  # the share of the parameters to keep
REPEATS = 3  # how often the factorised net that decides is fine-tuned, each time with the images in another order
DIRECTIONS = 0.25  # at most this share of a layer's directions is compared
SMALLEST = 1.0  # points of the sum of squares


def measure_a5(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy over rank of a trained LeNet-300-100, before and after fine-tuning, and its singular values."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)

    def dense(lr):
        rng = np.random.default_rng(seed)
        net = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=rng)
        return train(net, dataset, lr=lr, epochs=plan.dense, rng=rng, batch_size=plan.batch_size)

    start = pick_on_validation(dense, plan.lrs, dataset)[0]
    parameters, size = start.summary().parameters, stored_bytes(start)
    whole = accuracy_on(_fine_tuned(start, dataset, plan, [seed, 1, 0]), dataset.test)
    common = {"seed": seed, "epochs": plan.dense + plan.more, "whole_accuracy": whole}
    tries = [(str(rank), {name: rank for name in ("1", "3")}, 0) for rank in plan.ranks]
    tries += [("by budget", ranks_by_budget(start, BUDGET), repeat) for repeat in range(REPEATS)]
    rows = []
    for choice, ranks, repeat in tries:
        small = factorise(start, ranks)
        tuned = _fine_tuned(small, dataset, plan, [seed, 1, repeat])
        for arm, net in (("before", small), ("after", tuned)):
            rows.append(
                common
                | {"arm": arm, "choice": choice, "repeat": repeat, "ranks": ranks}
                | {
                    "accuracy": accuracy_on(net, dataset.test),
                    "kept": net.summary().parameters / parameters,
                    "disk_ratio": size / stored_bytes(net),
                }
            )
    untrained = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=np.random.default_rng(seed))
    for arm, net in (("trained", start), ("untrained", untrained)):
        for layer, values in singular_values(net).items():
            rows.append(
                common | {"arm": arm, "layer": layer, "shape": net[int(layer)].weight.shape, "values": values.round(5)}
            )
    return rows


def _fine_tuned(net: Module, dataset: Dataset, plan: Plan, seed: list[int]) -> Module:
    """A copy, trained for `plan.more` further epochs at the learning rate picked on validation data."""

    def arm(lr):
        rng = np.random.default_rng(seed)
        return train(net.copy(), dataset, lr=lr, epochs=plan.more, rng=rng, batch_size=plan.batch_size)

    return pick_on_validation(arm, plan.lrs, dataset)[0]


def effect_spectrum(rows):
    """Per seed, the share of the sum of squares in at most a quarter of the directions, trained minus random, in points; mean
    over layers."""
    gains = [_gain(rows, layer) for layer in _layers(rows)]
    return np.mean(gains, axis=0).tolist()


def _layers(rows) -> list[str]:
    return list(dict.fromkeys(row["layer"] for row in rows if "layer" in row))


def _held(rows, layer, arm) -> np.ndarray:
    """Per seed and K = 0, 1, ..., the share of the sum of squares that the K largest singular values hold."""
    squares = np.array([row["values"] for row in rows if row.get("layer") == layer and row["arm"] == arm]) ** 2
    held = np.cumsum(squares, axis=1) / squares.sum(1, keepdims=True)
    return np.hstack([np.zeros((len(held), 1)), held])  # no direction holds nothing


def _quarter(held: np.ndarray) -> int:
    return max(1, int(DIRECTIONS * (held.shape[1] - 1)))


def _gain(rows, layer) -> np.ndarray:
    trained, random = (_held(rows, layer, arm) for arm in ("trained", "untrained"))
    return 100 * (trained - random)[:, _quarter(trained)]


def holds_spectrum(rows) -> str:
    """For which layers the difference from a random one matters, and how large it is, mean over seeds."""
    shapes = {row["layer"]: "×".join(map(str, row["shape"])) for row in rows if "layer" in row}
    gains = {shape: _gain(rows, layer).mean() for layer, shape in shapes.items()}
    large = [f"{shape}: {gain:+.1f}" for shape, gain in gains.items() if gain >= SMALLEST]
    small = [f"{shape}: {gain:+.1f}" for shape, gain in gains.items() if gain < SMALLEST]
    words = f"at least {SMALLEST:g} point for {', '.join(large) or 'no layer'}"
    return words + (f"; less for {', '.join(small)}" if small else "")


def effect_accuracy(rows):
    """Per seed, accuracy with a quarter of the parameters minus that of the whole net, mean over repeats."""
    chosen = [row for row in rows if row["arm"] == "after" and row["choice"] == "by budget"]
    return [
        float(np.mean([row["accuracy"] - row["whole_accuracy"] for row in chosen if row["seed"] == seed]))
        for seed in sorted({row["seed"] for row in chosen})
    ]


def ratios_a5(rows):
    chosen = [row for row in rows if row["arm"] == "after" and row["choice"] == "by budget"]
    return {
        "theory": float(np.mean([1 / row["kept"] for row in chosen])),
        "disk": float(np.mean([row["disk_ratio"] for row in chosen])),
    }


def a5(rows):
    """Singular values of each trained layer and of a random one; accuracy over rank, before and after fine-tuning."""
    layers = _layers(rows)
    fig = figure(ncols=len(layers), nrows=2, width=16, height=12, height_ratios=(1, 1.4))
    for ax, layer in zip(fig.axes, layers, strict=False):
        _draw_spectrum(ax, rows, layer)
    fig.axes[0].set_ylabel("share of the sum of squares")
    grid = fig.axes[0].get_gridspec()
    for ax in fig.axes[len(layers) :]:
        ax.remove()
    _draw_accuracy(fig.add_subplot(grid[1, :]), rows)
    return fig


def _draw_spectrum(ax, rows, layer):
    """Draw the share that the K largest singular values hold, as trained and before; how far apart they are at a quarter."""
    trained, random = (_held(rows, layer, arm) for arm in ("trained", "untrained"))
    most = trained.shape[1] - 1
    for held, line, role in ((random, ":", "ideal"), (trained, "-", "claim")):
        curve_with_band(ax, range(most + 1), held, "", COLORS[role], linestyle=line)
    at = _quarter(trained)
    ax.plot([at, at], [random[:, at].mean(), trained[:, at].mean()], color=COLORS["rival"], linewidth=4)
    words = f"K = {at}:\n{_gain(rows, layer).mean():+.1f} points"
    ax.text(at + 0.07 * most, random[:, at].mean() - 0.05, words, color=COLORS["rival"], va="top")
    for y, words, role in ((0.15, "— trained", "claim"), (0.04, "··· random", "ideal")):
        ax.text(0.97, y, words, color=COLORS[role], ha="right", transform=ax.transAxes)
    percent_axis(ax.yaxis)
    ax.set(xlabel="K largest singular values", ylim=(0, 1.02), xlim=(0, None))
    shape = next(row["shape"] for row in rows if row.get("layer") == layer)
    ax.set_title("layer of {}×{}".format(*shape))


def _draw_accuracy(ax, rows):
    """Draw accuracy over the parameters left, for equal ranks K and for ranks chosen per layer."""
    ranks = sorted({row["choice"] for row in rows if row.get("choice", "").isdigit()}, key=int)
    kept = _draw_ranks(ax, rows, ranks)
    # K is not linear in the parameters, so it is written along the lower edge, not on a second axis.
    for rank, x in zip(ranks, kept, strict=True):
        ax.annotate(f"K = {rank}", (x, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=13)
    whole = np.mean([row["whole_accuracy"] for row in rows if row["arm"] == "after"])
    ax.axhline(whole, color=COLORS["reference"], linestyle="--", linewidth=2)
    ax.annotate(f"not factorised: {whole:.1f} %", (kept[0], whole), xytext=(0, 6), textcoords="offset points")
    ax.set_xscale("log")
    percent_axis(ax.xaxis)
    ax.minorticks_off()
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if min(kept) < t < max(kept) * 1.2]
    ax.set_xticks(ticks, [f"{100 * t:g} %" for t in ticks])
    ax.set(xlabel="parameters left", ylabel="test accuracy")
    ax.set_ylim(0, 112)
    ax.set_yticks(range(0, 101, 20))
    percent_axis(ax.yaxis, 100)
    epochs = rows[0]["epochs"]
    ax.set_title(
        f"N×M weights become N×K and K×M ({epochs} epochs; ★ ranks chosen to keep {100 * BUDGET:g} % of the parameters)"
    )


def _draw_ranks(ax, rows, ranks) -> list[float]:
    """Draw the curves and stars of both arms; return the share of parameters that each of `ranks` keeps."""
    seeds = sorted({row["seed"] for row in rows})
    arms = (
        ("after", "fine-tuned", "claim", (-14, -26, "right"), (0, 14, "center")),
        ("before", "only factorised", "rival", (14, -26, "left"), (-16, -4, "right")),
    )
    for arm, label, role, *places in arms:
        beside, above = ({"xytext": p[:2], "textcoords": "offset points", "ha": p[2]} for p in places)
        found = {(r["seed"], r["choice"]): r for r in rows if r["arm"] == arm and not r.get("repeat")}
        kept = [found[seeds[0], rank]["kept"] for rank in ranks]
        values = [[found[seed, rank]["accuracy"] for rank in ranks] for seed in seeds]
        curve_with_band(ax, kept, values, "", COLORS[role], marker="o")
        # Both curves end near the same point on the right, so the labels stand at their middles.
        at = len(ranks) // 2
        ax.annotate(label, (kept[at], np.mean(values, axis=0)[at]), color=COLORS[role], **beside)
        chosen = [row for row in rows if row["arm"] == arm and row["choice"] == "by budget"]
        x, y = (np.mean([row[key] for row in chosen]) for key in ("kept", "accuracy"))
        ax.plot(x, y, "*", color=COLORS[role], markersize=22, markeredgecolor="black", zorder=5)
        ax.annotate(f"{y:.1f} %", (x, y), color=COLORS[role], **above)
    return kept


CLAIM = Claim(
    id="A5",
    chapter="architecture",
    title="Low rank",
    question="Trained layers are closer to low rank than random ones; and a net whose layers of N×M weights are split into N×K "
    "and K×M is about as accurate with a quarter of the parameters.",
    measure=measure_a5,
    plans=PLANS,
    rests_on=(learns("whole_accuracy", name="the whole net"),),
    effects=(
        Effect(
            name="sum of squares in at most a quarter of the directions, trained minus random layer of the same size, mean over "
            "layers",
            of=effect_spectrum,
            unit="points",
            smallest=SMALLEST,
            holds=holds_spectrum,
            tested_on="none",
        ),
        Effect(
            name="test accuracy, fine-tuned with a quarter of the parameters minus the whole net trained equally long",
            of=effect_accuracy,
            unit="points",
            margin=-1.0,
            rests_on=(
                learns("whole_accuracy", name="the whole net"),
                learns(arm="after", choice="by budget", name="the net of low rank"),
            ),
        ),
    ),
    figure=a5,
    ratios=ratios_a5,
    note="The second half is supported if less than one point is lost. Without fine-tuning, much more is lost. The random layer "
    "is the same layer before training. Where the two curves coincide, the trained layer is not of low rank, and the net "
    "that is split does well since it can adapt. Stars: the ranks within a quarter of the parameters at which the layers "
    "keep most of their sums of squares.",
    source="Denil et al. 2013, Predicting Parameters in Deep Learning; Zhang et al. 2016; Sainath et al. 2013",
)
