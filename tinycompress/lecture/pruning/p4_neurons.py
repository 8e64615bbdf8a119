"""Claim P4: fewer neurons are a smaller net, and a faster one."""

import numpy as np

from ... import data, models
from ...inference import optimize
from ...nn import Module
from ...profiling import latency, stored_bytes
from ...pruning import channel_groups, keep_neurons, mask_neurons, prunable, remove_neurons, sensitivity
from ...selection import train
from ...training import predict
from ...workshop import colour
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import plan_of, rate_scale
from .drawing import draw_scan
from .nets import JUDGES, WITH_COLOUR, Plan, dense_net, without_pruning

REMOVED, REMOVED_OF_RESNET = (0.5, 0.75), (0.3, 0.5, 0.75)
SCANNED = (0, 0.25, 0.5, 0.75)  # shares of one layer's neurons, in the scan of the ResNet-20
MOST_LABELS = 6  # layers whose widths are written into the figure

NAMES = {"convolutions": "convolutional net"}  # of nets, where the figure's differ from those in the rows
RATIOS_OF = 0.5  # of the neurons removed


def p4(rows):
    """The nets before and after, and the measured speed-up beside the ideal one, above the accuracy before and after."""
    scan = next((row["scan"] for row in rows if "scan" in row), None)
    if scan:
        fig = figure(ncols=3, width=22, height=6, width_ratios=(1, 1, 0.9))
    else:
        fig = figure(ncols=2, width=16, height=6, width_ratios=(1, 1.2))
    _draw_nets(fig.axes[0], rows)
    _draw_speed(fig.axes[1], rows)
    if scan:
        draw_scan(fig.axes[2], scan, SCANNED, "neurons")
    return fig


def _draw_nets(nets, rows):
    """Draw the layers of the first net and of its smaller ones as bars."""
    foot = 0.5 - 0.07 * len(rows[0]["widths"])
    one = [row for row in rows if row["net"] == rows[0]["net"] and row["seed"] == rows[0]["seed"]]
    drawn = [("whole", one[0]["widths_before"])] + [(f"−{100 * row['removed']:.0f} %", row["widths"]) for row in one]
    for column, (label, widths) in enumerate(drawn):
        for level, width in enumerate(widths):
            length = width / max(drawn[0][1])
            y = len(widths) - level
            nets.barh(
                y, 0.9 * length, 0.5, column + 0.45 - 0.45 * length, color=COLORS["claim" if column else "reference"]
            )
            if len(widths) <= MOST_LABELS:
                nets.text(column + 0.45, y + 0.3, str(width), ha="center", va="bottom", fontsize=13)
            elif level == 0 or width != widths[level - 1]:
                nets.text(column + 0.48 + 0.45 * length, y, str(width), va="center", fontsize=15)
        nets.text(column + 0.45, foot, label, ha="center", fontsize=16)
    nets.set_ylim(foot - 0.1, len(drawn[0][1]) + 0.7)
    nets.set_axis_off()
    nets.set_title(f"{rows[0]['net']}: neurons in each layer")


def _draw_speed(bars, rows):
    """Draw the speed-up of each smaller net, by counting and on the clock."""
    settings = list(dict.fromkeys((row["net"], row["removed"]) for row in rows))
    for place, (net, removed) in enumerate(settings):
        chosen = [row for row in rows if (row["net"], row["removed"]) == (net, removed)]
        for shift, key, role in ((-0.2, "ideal_speedup", "ideal"), (0.2, "speedup", "claim")):
            values = [row[key] for row in chosen]
            mean, low, high = seed_band(np.array(values))
            spread = None if key.startswith("ideal") or np.isnan(low) else [[mean - low], [high - mean]]
            bars.bar(
                place + shift,
                mean,
                0.38,
                color=COLORS[role],
                yerr=spread,
                capsize=5,
            )
            bars.text(
                place + shift,
                max(mean, np.nan_to_num(high)) + 0.15,
                f"{mean:.1f}×",
                ha="center",
                va="bottom",
                fontsize=13,
            )
    bars.axhline(1, color=COLORS["reference"], linewidth=1.5)
    bars.set_xticks(range(len(settings)), [_label(rows, *setting) for setting in settings], fontsize=14)
    bars.set(
        ylabel="times as fast as the whole net", xlabel="accuracy of the whole net → of the smaller one, fine-tuned"
    )
    bars.set_title("in theory (grey) and on the clock (blue)")


def _label(rows, net: str, removed: float) -> str:
    """The net, if there are several, the share of its neurons that is removed, and the mean accuracy before (of the ResNet-20,
    trained for as many further epochs) and after."""
    chosen = [row for row in rows if (row["net"], row["removed"]) == (net, removed)]
    before = np.mean([row.get("accuracy_trained_on", row["accuracy_before"]) for row in chosen])
    after = np.mean([row["accuracy"] for row in chosen])
    name = f"{NAMES.get(net, net)}\n" if len({row["net"] for row in rows}) > 1 else ""
    return f"{name}−{100 * removed:.0f} % neurons\n{before:.1f} → {after:.1f} %"


def prepare_p4(data_name: str, budget: str, seed: int) -> list[tuple[dict, Module, Module]]:
    """Remove shares of all hidden neurons, compare outputs with the masked net, and train further.

    Returns tuples of a row, the whole net and the smaller one.
    """
    dataset = data.load(data_name)
    plan = plan_of(WITH_COLOUR, budget, dataset)
    x = _images_p4(dataset)
    rng = np.random.default_rng([seed, 4])
    found = []
    for name, net in _whole_nets(data_name, plan, seed, rng).items():
        trained_on = without_pruning(net, dataset, plan, seed)[0] if plan.stored else net
        for removed in REMOVED_OF_RESNET if plan.stored else REMOVED:
            if plan.stored:  # a net that was kept before draws no numbers
                rng = np.random.default_rng([seed, 4])
            kept = keep_neurons(net, 1 - removed)
            masked, small = predict(mask_neurons(net.copy(), kept), x), remove_neurons(net, kept)
            difference = float(np.abs(masked - predict(small, x)).max() / np.abs(masked).max())
            small = _fine_tuned(small, dataset, plan, rng, f"P4: {100 * removed:g} % removed, seed {seed}")
            whole, cut = net.summary(), small.summary()
            row = {
                "seed": seed,
                "net": name,
                "removed": removed,
                "difference": difference,
                "accuracy_before": accuracy_on(net, dataset.test),
                "accuracy": accuracy_on(small, dataset.test),
                "ideal_speedup": whole.macs / cut.macs,
                "parameter_ratio": whole.parameters / cut.parameters,
                "disk_ratio": stored_bytes(net) / stored_bytes(small),
                "widths_before": _widths(net),
                "widths": _widths(small),
            } | colour.file_sizes(plan, net, small)
            if plan.stored:
                row["accuracy_trained_on"] = accuracy_on(trained_on, dataset.test)
            found.append((row, net, small))
    if plan.stored:
        found[0][0]["scan"] = colour.kept(
            plan, f"P4: a scan, seed {seed}", [net], dataset, lambda: _scan(net, dataset), 0
        )
    return found


def _fine_tuned(small: Module, dataset: data.Dataset, plan: Plan, rng: np.random.Generator, name: str) -> Module:
    epochs = plan.pruned if plan.stored else 5

    def make():
        how = {"epochs": epochs, "batch_size": plan.batch_size, "augment": colour.augmentation(plan)}
        return train(small, dataset, lr=plan.lrs[0], rng=rng, **how)

    return colour.kept(plan, name, [small], dataset, make, epochs)


def _whole_nets(data_name: str, plan: Plan, seed: int, rng: np.random.Generator) -> dict[str, Module]:
    """A dense and a convolutional net, or the ResNet-20."""
    if plan.stored:
        return {"ResNet-20": colour.trained_resnet(data_name, seed)}
    dataset = data.load(data_name)
    convnet = models.convnet(dataset.image_shape, dataset.num_classes, (32, 64), rng=rng)
    lr = 0.05 * rate_scale(dataset)
    return {
        "LeNet-300-100": dense_net(dataset, plan, seed),
        "convolutions": train(convnet, dataset, lr=lr, epochs=3, rng=rng, batch_size=plan.batch_size),
    }


def _scan(net: Module, dataset: data.Dataset) -> dict[str, list[float]]:
    """Validation accuracy (%) with these shares of one layer's neurons removed, for each hidden layer, or group of them that
    must have equally many."""
    hidden = [name for name, group in channel_groups(net).items() if not group.held]
    images = tuple(part[:JUDGES] for part in dataset.val)

    def without(copy, shares):
        return remove_neurons(copy, keep_neurons(copy, {name: 1 - share for name, share in shares.items()}))

    scan = sensitivity(net, images, SCANNED, without, hidden)
    return {name: [100 * found.accuracy for found in curve] for name, curve in scan.items()}


def measure_p4(data_name: str, budget: str, seed: int, nets: list) -> list[dict]:
    """Time the whole and the smaller nets from `prepare_p4`."""
    x = _images_p4(data.load(data_name))
    rows = []
    for row, net, small in nets:
        fast = {"whole": optimize(net, x), "small": optimize(small, x)}
        times = latency({name: lambda n=n: n.run(x) for name, n in fast.items()}, rounds=9)
        ms = {f"ms_{name}": time.median for name, time in times.items()}
        rows.append(row | ms | {"speedup": ms["ms_whole"] / ms["ms_small"], "threads": times["small"].threads})
    return rows


def _images_p4(dataset: data.Dataset) -> np.ndarray:
    return dataset.x_test[np.arange(256) % len(dataset.x_test)]  # and not all of them, which may be mapped


def _widths(net: Module) -> list[int]:
    return [int(layer.latent("weight").shape[-1]) for layer in prunable(net).values()]


def only_sizes_change(rows) -> bool:
    """Whether every smaller net has the same layers, narrower but for the last one, and the outputs of the masked net."""
    return all(
        row["difference"] <= 1e-5
        and len(row["widths"]) == len(row["widths_before"])
        and row["widths"][-1] == row["widths_before"][-1]
        and all(small < whole for small, whole in zip(row["widths"][:-1], row["widths_before"][:-1], strict=True))
        for row in rows
    )


def speed_up(rows):
    """Per seed, log2 of the measured speed-up, mean over nets."""
    return [
        float(np.mean([np.log2(row["speedup"]) for row in rows if row["seed"] == seed]))
        for seed in sorted({row["seed"] for row in rows})
    ]


def ratios_p4(rows):
    chosen = [row for row in rows if (row["net"], row["removed"]) == (rows[0]["net"], RATIOS_OF)]
    return {
        "theory": float(np.median([row["ideal_speedup"] for row in chosen])),
        "disk": float(np.median([row["disk_ratio"] for row in chosen])),
        "clock": float(np.median([row["speedup"] for row in chosen])),
    }


CLAIM = Claim(
    id="P4",
    chapter="pruning",
    title="Neuron pruning is easy and fast",
    prepare=prepare_p4,
    measure=measure_p4,
    plans=WITH_COLOUR,
    rests_on=(
        learns("accuracy_before", name="the whole net"),
        learns(name="the fine-tuned net", by="removed"),
    ),
    effects=(
        Effect(
            name="only the sizes of layers change: the smaller net's outputs equal those of the net with masked neurons",
            of=only_sizes_change,
            decides=("N10",),
        ),
        Effect(
            name="speed-up of the smaller net on the clock, mean over nets and shares",
            of=speed_up,
            unit="log2 ×",
            decides=("N31",),
        ),
    ),
    timed=True,
    figure=p4,
    ratios=ratios_p4,
    note="Outputs are compared before the smaller net is fine-tuned; the whole net does not train on for as long, unless it is "
    "the ResNet-20. Both are timed in their form for prediction. The clock gains less than the multiplications, since the rest "
    "of a layer's work, on its outputs and in Python, shrinks less. The speed-up of the verdict is the mean over all nets "
    "and shares; the ratios in theory, on disk and on the clock are those of the first net in the figure with "
    f"{100 * RATIOS_OF:.0f} % of its neurons removed.",
    source="Li et al. 2017, Pruning Filters for Efficient ConvNets; He et al. 2017, Channel Pruning",
)
