"""Claim Y1: adjust the depth with early exits."""

import numpy as np

from ... import data
from ...data import Dataset
from ...dynamic import EarlyExit, ExitTable, choose_thresholds, exit_at, exit_table, mac_costs, ms_costs
from ...graph import no_grad
from ...nn import Module, MultiExit
from ...profiling import latency
from ...tensor import Tensor
from ...training import evaluate
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from .nets import PLANS, exit_net, plain_net

THRESHOLDS = (0.5, 0.7, 0.9, 0.99)  # on the confidence, the same at every exit

ONE_BY_ONE, BATCH = 40, 256  # number of images timed: one at a time, and together

PUBLISHED = {"accuracy": 99.25, "plain": 99.20, "speedup": 5.4, "share": 0.943}  # BranchyNet's LeNet, on a CPU


def prepare_y1(data_name: str, budget: str, seed: int) -> tuple[Module, MultiExit]:
    """The plain net, and the one with exits."""
    return plain_net(data_name, budget, seed), exit_net(data_name, budget, seed)


def measure_y1(data_name: str, budget: str, seed: int, nets: tuple[Module, MultiExit]) -> list[dict]:
    """Accuracy, MACs and time of the plain net, of each exit, and of exiting at several thresholds."""
    dataset = data.load(data_name)
    plain, net = nets
    exits = len(net.stages)
    macs, on_test, on_val = mac_costs(net), exit_table(net, dataset.test), exit_table(net, dataset.val)
    deepest = on_val.judge(exit_at(-1, exits), macs)[0]
    chosen = choose_thresholds(on_val, ms_costs(net, dataset.x_val[:1]), accuracy=deepest)
    settings = {("exit", str(i + 1)): exit_at(i, exits) for i in range(exits)}
    settings |= {("threshold", str(t)): (t,) * (exits - 1) for t in THRESHOLDS}
    settings["chosen", ""] = chosen
    runs = {key: EarlyExit(net, thresholds).run for key, thresholds in settings.items()}
    runs["plain", ""] = _run_plain(plain)
    ms_1, ms_batch = _times(runs, dataset, on_test)
    rows = []
    for arm, name in runs:
        if arm == "plain":
            accuracy, cost, shares = evaluate(plain, dataset.test).accuracy, plain.summary().macs, []
        else:
            thresholds = settings[arm, name]
            accuracy, cost = on_test.judge(thresholds, macs)
            shares = np.bincount(on_test.leaving(thresholds), minlength=exits) / len(dataset.y_test)
        rows.append(
            {
                "seed": seed,
                "arm": arm,
                "setting": name,
                "thresholds": settings.get((arm, name), ()),
                "accuracy": 100 * accuracy,
                "macs": cost,
                "ms_1": ms_1[arm, name],
                "ms_batch": ms_batch[arm, name],
                "shares": shares,
                "published": PUBLISHED if budget == "paper" else None,
            }
        )
    return rows


def _run_plain(net):
    def run(x):
        with no_grad():
            return net(Tensor(x)).data

    return run


def _times(runs: dict, dataset: Dataset, table: ExitTable) -> tuple[dict, dict]:
    """Milliseconds per image, one image at a time and in a batch. All runs are timed in turn."""
    x = dataset.x_test[table.sample(ONE_BY_ONE)]
    single = latency(
        {key: lambda run=run: [run(x[i : i + 1]) for i in range(len(x))] for key, run in runs.items()}, 5, 1
    )
    batch = dataset.x_test[table.sample(BATCH)]
    many = latency({key: lambda run=run: run(batch) for key, run in runs.items()}, 5, 1)
    return tuple(
        {key: t.median / len(some) for key, t in times.items()} for times, some in ((single, x), (many, batch))
    )


def _ratio(rows, seed: int, value: str) -> float:
    """The plain net's value over that of the chosen thresholds."""
    found = {row["arm"]: row[value] for row in rows if row["seed"] == seed}
    return found["plain"] / found["chosen"]


def effect_y1(rows):
    """Per seed, log2 of the speed-up of the net with exits, one image at a time."""
    return [float(np.log2(_ratio(rows, seed, "ms_1"))) for seed in sorted({row["seed"] for row in rows})]


def ratios_y1(rows):
    seeds = {row["seed"] for row in rows}
    values = {"theory": "macs", "clock": "ms_1"}
    return {name: float(np.median([_ratio(rows, s, value) for s in seeds])) for name, value in values.items()}


def y1(rows):
    """Accuracy over cost: multiplications, and time for one image at a time and in a batch."""
    from matplotlib.ticker import MaxNLocator

    fig = figure(ncols=3, width=20, height=6.4, sharey=True)
    panels = (
        ("macs", "multiplications per image", "in theory"),
        ("ms_1", "ms per image", "on the clock, one image at a time"),
        ("ms_batch", "ms per image", "on the clock, in a batch"),
    )
    for ax, (key, label, title) in zip(fig.axes, panels, strict=True):
        ax.plot(*_means(rows, "threshold", key), "o-", color=COLORS["claim"])
        for arm, marker, role, size in (("exit", "s", "ideal", 11), ("plain", "D", "reference", 12)):
            ax.plot(*_means(rows, arm, key), marker, color=COLORS[role], markersize=size)
        ax.plot(*_means(rows, "chosen", key), "*", color=COLORS["rival"], markersize=24)
        ax.set(xlabel=label, xlim=(0, None))
        ax.set_title(f"{title}: ★ {_times_less(rows, key):.1f}× less")
    first = fig.axes[0]
    first.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f}k")
    first.xaxis.set_major_locator(MaxNLocator(5))
    first.set_ylabel("test accuracy")
    low, high = first.get_ylim()
    first.set_ylim(low - 0.75 * (high - low), high)  # room for the labels
    percent_axis(first.yaxis, 100)
    for i, (x, y) in enumerate(zip(*_means(rows, "exit", "macs"), strict=True)):
        place = (
            {"xytext": (-12, 0), "ha": "right", "va": "center"}
            if i
            else {"xytext": (0, -12), "ha": "center", "va": "top"}
        )
        first.annotate(f"exit {i + 1}", (x, y), textcoords="offset points", color=COLORS["ideal"], **place)
    key = (
        ("◆ without exits", "reference"),
        ("■ all images leave at one exit", "ideal"),
        ("● leave at a confidence of 50 … 99 %", "claim"),
        ("★ chosen on validation data", "rival"),
    )
    for i, (words, role) in enumerate(key):
        fig.axes[1].text(0.98, 0.28 - 0.08 * i, words, color=COLORS[role], ha="right", transform=fig.axes[1].transAxes)
    fig.axes[2].text(
        *(0.98, 0.05, _shares(rows)), color=COLORS["rival"], ha="right", va="bottom", transform=fig.axes[2].transAxes
    )
    return fig


def _means(rows, arm, key):
    """The values of `key` and the accuracies of an arm's settings, means over seeds, in the order of the rows."""
    names = list(dict.fromkeys(row["setting"] for row in rows if row["arm"] == arm))
    chosen = [[row for row in rows if (row["arm"], row["setting"]) == (arm, name)] for name in names]
    return [[float(np.mean([row[k] for row in some])) for some in chosen] for k in (key, "accuracy")]


def _times_less(rows, key) -> float:
    plain, chosen = ({row["seed"]: row[key] for row in rows if row["arm"] == arm} for arm in ("plain", "chosen"))
    return float(np.median([plain[seed] / chosen[seed] for seed in plain]))


def _shares(rows) -> str:
    chosen = [row for row in rows if row["arm"] == "chosen"]
    accuracy, plain = (np.mean([row["accuracy"] for row in rows if row["arm"] == arm]) for arm in ("chosen", "plain"))
    shares = 100 * np.mean([row["shares"] for row in chosen], axis=0)
    words = f"★ {accuracy:.2f} % correct (◆ {plain:.2f} %)\nleave at exit " + ", ".join(
        f"{i + 1}: {share:.0f} %" for i, share in enumerate(shares)
    )
    if published := chosen[0]["published"]:
        words += (
            f"\nBranchyNet: {published['accuracy']:.2f} % (◆ {published['plain']:.2f} %),\n"
            f"{published['speedup']}× faster, at exit 1: {100 * published['share']:.1f} %"
        )
    return words


CLAIM = Claim(
    id="Y1",
    chapter="dynamic",
    title="Adjust the depth",
    prepare=prepare_y1,
    measure=measure_y1,
    plans=PLANS,
    effects=(
        Effect(
            name="speed-up over the net without exits, one image at a time, at thresholds chosen on validation data",
            of=effect_y1,
            unit="log2 ×",
            decides=("N30",),
        ),
    ),
    timed=True,
    figure=y1,
    ratios=ratios_y1,
    note="An image leaves at the first exit whose confidence reaches a threshold; later layers do not run for it. The star "
    "marks the fastest thresholds at which the net was as accurate as its last exit on validation data (200 images do not "
    "resolve half a point). Accuracy and time are measured on test images. All nets train for the same number of epochs. "
    "In a batch, the images that stay continue together.",
    source="Teerapittayanon et al. 2016, BranchyNet; Kaya et al. 2019, Shallow-Deep Networks",
)
