"""Claim Q5: prune, cluster and code a net into one file (Han et al. 2016, Deep Compression), and how small it gets."""

import base64
import functools
from dataclasses import replace

import numpy as np

from ... import data
from ...data import Dataset
from ...nn import Module
from ...nn.weighted import effective
from ...pruning import prunable
from ...quantization import Clustered, tcz
from ...recipe import Recipe, compress, lesson_of
from ...recipe import dense_net as dense_net_of
from ...training import evaluate, predict
from ...workshop import colour
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect, Settings
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import fitting
from .bytes_drawn import LABELS, draw_bytes, draw_line, size_label
from .nets import WITH_COLOUR, dense_net, longer_net, plan_for
from .q5_paper import NAMES, q5_paper

ORDERS = ("prune, then cluster", "cluster, then prune")

# The budget "paper": how the dense nets are trained; the shares and bits of Han et al. 2016 (tables 4 and 5); and all
# methods of chapters 1 to 3 together, with shares that were chosen on validation images.
DENSE = {
    "lenet_300_100": Recipe(
        "lenet_300_100", dense=20, lrs=(0.07,), centroid_lrs=(0.002,), batch_size=128, augment=data.shift
    ),
    "lenet_5": Recipe("lenet_5", dense=14, lrs=(0.05,), centroid_lrs=(0.002,), batch_size=64, augment=data.shift),
}
DEEP_COMPRESSION = {"prune": 10, "tune": 3}
HAN = {
    "lenet_300_100": {"kept": (0.08, 0.09, 0.26), "k": 64},
    "lenet_5": {"kept": (0.66, 0.12, 0.08, 0.19), "k": (256, 256, 32, 32)},
}
ALL_MEANS = {"prune": 30, "pull": 4, "tune": 2, "bias_bits": 4, "distil": True, "per_bit": True}
NARROW = {"k": 6, "neurons": (0.6, 0.64, 0.3), "prune": 20, "pull": 3}  # fewer epochs, because each takes much longer
FURTHER = {
    "lenet_300_100": [
        {"kept": (0.019, 0.038, 0.38), "k": 6},
        {"kept": (0.013, 0.028, 0.3), "k": 5},
        {"kept": (0.009, 0.02, 0.22), "k": 5},
    ],
    "lenet_5": [
        {"kept": (0.33, 0.05, 0.004, 0.08), **NARROW},
        {"kept": (0.3, 0.04, 0.003, 0.06), **NARROW},
        {"kept": (0.245, 0.03, 0.0021, 0.046), **NARROW},
    ],
}


def tasks_q5(settings: Settings):
    """One task per seed and order; at the budget "paper" one per seed, net and recipe, unless it is the ResNet-20."""
    seeds = settings.each_seed
    if settings.budget != "paper" or plan_for("paper", data.load(settings.data), WITH_COLOUR).stored:
        return [(settings.data, settings.budget, order, seed) for seed in seeds for order in ORDERS]
    return [(settings.data, "paper", arm, seed) for net in HAN for seed in seeds for arm in paper_recipes(net)]


def paper_recipes(net: str) -> dict[str, Recipe]:
    """The recipes for a net at the budget "paper": arm -> Recipe."""
    recipes = {f"{net}, Deep Compression": replace(DENSE[net], **DEEP_COMPRESSION, **HAN[net])}
    for i, means in enumerate(FURTHER[net]):
        recipes[f"{net}, all means {i + 1}"] = replace(DENSE[net], **(ALL_MEANS | means))
    return recipes


def recipe_for(budget: str, dataset: Dataset, arm: str) -> Recipe:
    """The recipe of an arm."""
    if arm not in ORDERS:
        return fitting(paper_recipes(arm.split(", ")[0])[arm], dataset)
    plan = plan_for(budget, dataset, WITH_COLOUR)
    return Recipe(
        net="resnet20" if plan.stored else "lenet_300_100",
        augment=colour.augmentation(plan),
        kept=1 - plan.removed,
        k=plan.k,
        dense=plan.dense,
        prune=2 * plan.more,
        tune=max(1, 3 * plan.more // 4),
        lrs=plan.small_lrs,
        centroid_lrs=plan.centroid_lrs,
        batch_size=plan.batch_size,
        swapped=arm == ORDERS[1],
    )


@functools.lru_cache(maxsize=1)
def _paper_start(data_name: str, net: str, seed: int) -> tuple[Module, dict]:
    """The dense net from which all recipes of the budget "paper" start, and its lesson (see `lesson_of`). Cached."""
    dataset = data.load(data_name)
    recipe = fitting(DENSE[net], dataset)
    dense = dense_net_of(recipe, dataset, seed)
    return dense, lesson_of(recipe, dense, dataset)


def measure_q5(data_name: str, budget: str, arm: str, seed: int) -> list[dict]:
    """Bytes of a real file and its errors after each stage, and whether the loaded net predicts exactly the same."""
    dataset = data.load(data_name)
    recipe, plan = recipe_for(budget, dataset, arm), plan_for(budget, dataset, WITH_COLOUR)
    if arm not in ORDERS:
        return _by_stage(recipe, dataset, arm, seed, *_paper_start(data_name, recipe.net, seed))
    start, more = dense_net(data_name, plan, seed), recipe.epochs - plan.dense

    def make():
        return _by_stage(recipe, dataset, arm, seed, start)

    rows = colour.kept(plan, f"Q5: {arm}, seed {seed}", [start], dataset, make, more)
    if arm != ORDERS[0]:  # the verdicts are the first order's
        return rows
    longer, _ = longer_net(data_name, plan, seed, more)
    return [rows[0] | {"longer_error": accuracy_on(longer, dataset.test).rest}, *rows[1:]]


def _by_stage(recipe: Recipe, dataset: Dataset, arm: str, seed: int, *start) -> list[dict]:
    """A row for each stage of `compress`. start: the net to begin with, and its lesson."""
    rows = []

    def note(stage: str, net: Module, coding: str):
        found = tcz.to_bytes(net, coding)
        again, contents = tcz.from_bytes(found), tcz.inspect_bytes(found)
        x, weights = dataset.x_test[:1000], _weights(net)
        row = {
            "seed": seed,
            "arm": arm,
            "net": recipe.net,
            "stage": stage,
            "bytes": len(found),
            "error": accuracy_on(again, dataset.test).rest,
            "val_error": 100 * (1 - evaluate(again, dataset.val).accuracy),
            "same": predict(again, x).tobytes() == predict(net, x).tobytes(),
            "weights": weights,
            "kept": sum(weights) / (rows[0]["size"] if rows else sum(weights)),
            "size": rows[0]["size"] if rows else sum(weights),
            "widths": [layer.latent("weight").shape[-1] for layer in prunable(net).values()],
            "epochs": recipe.epochs,
            "bits": _index_bits(net),
            "float_bytes": rows[0]["float_bytes"] if rows else contents.float_bytes,
        }
        if stage == "arithmetic":
            row["parts"] = [[p.array, p.kind, p.offset, p.nbytes] for p in contents.parts]
            if (
                seed == 0 and arm == ORDERS[0]
            ):  # the one that is drawn; as a list of numbers, it would be three times as long
                row["file"] = base64.b64encode(found).decode()
        rows.append(row)

    compress(recipe, dataset, seed, note, *start)
    return rows


def _weights(net: Module) -> list[int]:
    """The number of nonzero weights in each layer."""
    return [int(np.count_nonzero(effective(layer, "weight"))) for layer in prunable(net).values()]


def _index_bits(net: Module) -> float:
    """Bits of an index into its layer's codebook, or 32 without a codebook; mean over the nonzero weights."""
    bits, weights = 0.0, 0
    for layer in prunable(net).values():
        step, count = layer.parametrization("weight", Clustered), np.count_nonzero(effective(layer, "weight"))
        bits += count * (np.log2(step.centroids.size) if step else 32)
        weights += count
    return float(bits / weights)


def final_rows(rows) -> list[dict]:
    """The rows of the finished files."""
    return [row for row in rows if row["stage"] == "arithmetic"]


def effect_q5(rows):
    """Per seed, error of the dense net minus that of the file's net, in points; False if a file loads to another net.

    The dense net is the one that trained for as long, if there is one.
    """
    if not all(row["same"] for row in rows):
        return False
    order = rows[0]["arm"]
    first = [row for row in rows if row["stage"] == "float32" and row["arm"] == order]
    dense = {row["seed"]: row.get("longer_error", row["error"]) for row in first}
    return [dense[row["seed"]] - row["error"] for row in final_rows(rows) if row["arm"] == order]


def effect_size(rows):
    """Per seed, log2 of the bytes of the float32 file over those of the finished one; False if a file loads to another net."""
    if not all(row["same"] for row in rows):
        return False
    chosen = [row for row in final_rows(rows) if row["arm"] == rows[0]["arm"]]
    return [float(np.log2(row["float_bytes"] / row["bytes"])) for row in chosen]


def ratios_q5(rows):
    chosen = [row for row in final_rows(rows) if row["arm"] == rows[0]["arm"]]
    return {
        "theory": float(np.mean([32 / (row["kept"] * row["bits"]) for row in chosen])),  # positions are not counted
        "disk": float(np.mean([row["float_bytes"] / row["bytes"] for row in chosen])),
    }


def q5(rows):
    """Bytes of the file after each stage, and every byte of a finished file."""
    fig = figure(ncols=2, width=18, height=7, width_ratios=(1.15, 1))
    _draw_stages(fig.axes[0], rows)
    shown = next((row for row in rows if row.get("file")), None)
    if shown:
        draw_bytes(fig.axes[1], base64.b64decode(shown["file"]), shown["parts"], f", seed {shown['seed']}")
    else:
        fig.axes[1].set_axis_off()
    return fig


def huffman_longer(rows) -> str:
    """In how many files of each order Huffman's codes with their tables take more bytes than the fixed-length code before; "" if
    in none."""
    words, found = [], 0
    for arm in dict.fromkeys(row["arm"] for row in rows):
        seeds = sorted({row["seed"] for row in rows if row["arm"] == arm})
        files = [[row["bytes"] for row in rows if (row["arm"], row["seed"]) == (arm, seed)] for seed in seeds]
        longer = sum(stages[-2] > stages[-3] for stages in files)
        found += longer
        words.append(f"{arm}: {longer} of {len(files)} files")
    about = ["Huffman's codes with their tables are longer", "than the fixed-length code,"]
    return "\n".join([*about, *words]) if found else ""


def _draw_stages(ax, rows):
    """Draw the bytes after each stage as dots on a logarithmic axis, with the size and the error beside them."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    stages = {arm: list(dict.fromkeys(row["stage"] for row in rows if row["arm"] == arm)) for arm in arms}
    ticks = [
        at[0] if len(set(at)) == 1 else f"step {place}" for place, at in enumerate(zip(*stages.values(), strict=True))
    ]
    places = ((8, 4, "left", "bottom"), (-8, -6, "right", "top"))
    for line, (arm, role, (dx, dy, ha, va)) in enumerate(zip(arms, ("claim", "rival"), places, strict=False)):
        some = [[row for row in rows if row["arm"] == arm and row["stage"] == stage] for stage in stages[arm]]
        sizes = [np.mean([row["bytes"] for row in at]) for at in some]
        errors = [seed_band([row["error"] for row in at]) for at in some]
        draw_line(ax, sizes, COLORS[role])
        ax.text(0.98, 0.95 - 0.08 * line, arm, transform=ax.transAxes, ha="right", color=COLORS[role], fontsize=16)
        for place, (stage, size, (mean, _, high)) in enumerate(zip(stages[arm], sizes, errors, strict=True)):
            if place or line == 0:  # all arms begin with the same net
                spread = "" if np.isnan(high) else f" ± {high - mean:.1f}"
                words = f"{size_label(size)}\n{mean:.1f}{spread} %"
                ax.annotate(
                    words if stage in ticks else f"{stage}\n{words}", (place, size), (dx, dy),
                    textcoords="offset points", ha=ha, va=va, color=COLORS[role], fontsize=14,
                )  # fmt: skip
    longer = [row["longer_error"] for row in rows if "longer_error" in row]
    seeds = len({row["seed"] for row in rows})
    spread = {1: "", 2: " (± half of what two seeds are apart)"}.get(seeds, " (± 95 %)")
    dense = f"dense, trained on for as long: {np.mean(longer):.1f} %" if longer else ""
    notes = "\n".join(filter(None, [f"below each size: test error{spread}", dense, huffman_longer(rows)]))
    ax.text(0.98, 0.99 - 0.08 * len(arms), notes, transform=ax.transAxes, ha="right", va="top", fontsize=14)
    ax.set_yscale("log")
    ax.set_xticks(range(len(ticks)), [LABELS.get(tick, tick) for tick in ticks])
    ax.set_xlim(-0.3, len(ticks) - 0.4)
    smallest, largest = min(row["bytes"] for row in rows), max(row["bytes"] for row in rows)
    ax.set_ylim(smallest * 0.4, largest * 2.2)
    ticks = [t for t in (1e3, 1e4, 1e5, 1e6) if smallest * 0.4 <= t <= largest * 2.2]
    ax.set_yticks(ticks, [size_label(t) for t in ticks])
    ax.minorticks_off()
    ax.set_ylabel("bytes of the file")
    ax.set_title(f"{NAMES[rows[0]['net']]}: {ratios_q5(rows)['disk']:.0f}× smaller, stage by stage")


def _figure_q5(rows):
    """Bytes of the file and test error after each stage.

    At the budget "paper" for both of its nets; else for two orders of the steps, beside every byte of one file.
    """
    return q5_paper(rows) if rows[0]["arm"].startswith(rows[0]["net"]) else q5(rows)


CLAIM = Claim(
    id="Q5",
    chapter="quantization",
    title="All in all: one small file",
    tasks=tasks_q5,
    measure=measure_q5,
    plans=WITH_COLOUR,
    rests_on=(
        learns("error", error=True, stage="float32", name="the dense net"),
        learns("error", error=True, stage="arithmetic", arm=lambda arm: arm != ORDERS[1], name="the net in the file"),
    ),
    effects=(
        Effect(
            name="test error of the dense net minus that of the net in the file",
            of=effect_q5,
            unit="points",
            margin=-1.0,
            decides=("N25",),
        ),
        Effect(
            name="size, bytes of the float32 file over those of the finished file",
            of=effect_size,
            unit="log2 ×",
            decides=("N25",),
        ),
    ),
    figure=_figure_q5,
    ratios=ratios_q5,
    note="Every byte of a real file is counted: headers, tables, checksum. The error is supported if less than one point is "
    'lost, against the dense net trained on for as many epochs as compression takes (at the budget "paper", for grey '
    "images, against the net that is compressed). Both verdicts are those of the first recipe: prune, then cluster, then an "
    "arithmetic code, which the file has in place of Huffman's. They fail if a loaded net predicts anything other than the "
    "saved one. Theory counts the bits of the values of the weights left alone; the file must also say where these weights "
    "are. In the other order only the clusters' values still learn after pruning. In a small net, the tables of Huffman's "
    "codes can cost more bytes than the codes save.",
    source="Han et al. 2016, Deep Compression",
)
