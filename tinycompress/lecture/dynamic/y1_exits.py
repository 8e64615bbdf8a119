"""Claim Y1: adjust the depth with early exits."""

import numpy as np

from ... import data
from ...data import Dataset
from ...dynamic import EarlyExit, ExitTable, exit_at, exit_table, mac_costs
from ...inference import InferenceExits, optimize
from ...nn import Module, MultiExit
from ...profiling import latency
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..images.shares import accuracy_on, percent_of
from ..learned import learns
from .drawing import count_label
from .nets import WITH_COLOUR, exit_net, plain_net

THRESHOLDS = (0.5, 0.7, 0.9, 0.99)  # on the confidence, the same at every exit
LEAST_RANGE = 2  # points of accuracy, so that the figure does not enlarge small differences

SURE = 0.9  # the threshold that decides, stated beforehand: a few hundred validation images are too few to choose one

ONE_BY_ONE, BATCH = 40, 256  # number of images timed: one at a time, and together

BRANCHY_EXITS = 2
PUBLISHED = {"accuracy": 99.25, "plain": 99.20, "speedup": 5.4, "share": 0.943}  # BranchyNet's LeNet, on a CPU


def prepare_y1(data_name: str, budget: str, seed: int) -> tuple[Module, MultiExit]:
    """The plain net, and the one with exits."""
    return plain_net(data_name, budget, seed), exit_net(data_name, budget, seed)


def measure_y1(data_name: str, budget: str, seed: int, nets: tuple[Module, MultiExit]) -> list[dict]:
    """Accuracy, MACs and time of the plain net, of each exit, and of exiting at several thresholds."""
    dataset = data.load(data_name)
    plain, net = nets
    exits = len(net.stages)
    macs, on_test = mac_costs(net), exit_table(net, dataset.test)
    settings = {("exit", str(i + 1)): exit_at(i, exits) for i in range(exits)}
    settings |= {("threshold", str(t)): (t,) * (exits - 1) for t in THRESHOLDS}
    ms_1, ms_batch = _times(plain, net, settings, dataset, on_test)
    rows = []
    for arm, name in ms_1:
        if arm == "plain":
            accuracy, cost, shares = accuracy_on(plain, dataset.test), plain.summary().macs, []
        else:
            thresholds = settings[arm, name]
            accuracy, (_, cost) = percent_of(on_test.right(thresholds)), on_test.judge(thresholds, macs)
            shares = np.bincount(on_test.leaving(thresholds), minlength=exits) / len(dataset.y_test)
        rows.append(
            {
                "seed": seed,
                "arm": arm,
                "setting": name,
                "thresholds": settings.get((arm, name), ()),
                "accuracy": accuracy,
                "macs": cost,
                "ms_1": ms_1[arm, name],
                "ms_batch": ms_batch[arm, name],
                "shares": shares,
                "published": PUBLISHED if budget == "paper" and exits == BRANCHY_EXITS else None,
            }
        )
    return rows


def _times(plain: Module, net: MultiExit, settings: dict, dataset: Dataset, table: ExitTable) -> tuple[dict, dict]:
    """Milliseconds per image, one image at a time and in a batch, in the form for prediction. All are timed in turn."""

    def runs(x):
        fast = optimize(EarlyExit(net, exit_at(-1, len(net.stages))), x).net
        found = {key: InferenceExits(fast, thresholds).run for key, thresholds in settings.items()}
        return found | {("plain", ""): optimize(plain, x).run}

    x, batch = dataset.x_test[table.sample(ONE_BY_ONE)], dataset.x_test[table.sample(BATCH)]
    calls = {key: lambda run=run: [run(x[i : i + 1]) for i in range(len(x))] for key, run in runs(x[:1]).items()}
    single = latency(calls, round_ms=1)
    many = latency({key: lambda run=run: run(batch) for key, run in runs(batch).items()}, round_ms=1)
    return tuple(
        {key: t.median / len(some) for key, t in times.items()} for times, some in ((single, x), (many, batch))
    )


def _by_seed(rows, arm, setting, value) -> np.ndarray:
    """One value per seed, of the rows of one setting."""
    found = {row["seed"]: row[value] for row in rows if (row["arm"], row["setting"]) == (arm, setting)}
    return np.array([found[seed] for seed in sorted(found)])


def _log2_times_less(rows, value) -> np.ndarray:
    """Per seed, log2 of the plain net's value over that of the net that leaves once it is sure."""
    return np.log2(_by_seed(rows, "plain", "", value) / _by_seed(rows, "threshold", str(SURE), value))


def effect_speed(rows):
    """Per seed, log2 of the speed-up of the net with exits, one image at a time."""
    return _log2_times_less(rows, "ms_1").tolist()


def effect_accuracy(rows):
    """Per seed, test accuracy of leaving once sure minus that of the net without exits."""
    return (_by_seed(rows, "threshold", str(SURE), "accuracy") - _by_seed(rows, "plain", "", "accuracy")).tolist()


def against_last(rows):
    """Per seed, test accuracy of leaving once sure minus that of the same net's last exit."""
    last = max((row["setting"] for row in rows if row["arm"] == "exit"), key=int)
    return (_by_seed(rows, "threshold", str(SURE), "accuracy") - _by_seed(rows, "exit", last, "accuracy")).tolist()


def ratios_y1(rows):
    """Geometric means over seeds, as the verdict's."""
    return {
        name: float(2 ** _log2_times_less(rows, key).mean()) for name, key in (("theory", "macs"), ("clock", "ms_1"))
    }


def y1(rows):
    """Accuracy over cost: multiplications, and time for one image at a time and in a batch."""
    from matplotlib.ticker import MaxNLocator

    fig = figure(ncols=2, nrows=2, width=16, height=8)
    panels = (
        ("macs", "multiplications per image", "in theory"),
        ("ms_1", "µs per image", "on the clock, one at a time"),
        ("ms_batch", "µs per image", "on the clock, in a batch"),
    )
    for ax, (key, label, title) in zip(fig.axes, panels, strict=False):
        _draw_panel(ax, rows, key)
        ax.set(xlabel=label, xlim=(0, None), ylabel="test accuracy")
        ax.set_title(f"{title}: {_compared(2 ** _log2_times_less(rows, key).mean())}")
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        percent_axis(ax.yaxis, 100)
    most = max(row["macs"] for row in rows)
    fig.axes[0].xaxis.set_major_formatter(lambda value, _: count_label(value, most))
    ends = np.concatenate([_intervals(rows, arm)[1:] for arm in ("plain", "exit", "threshold")], axis=1)
    low, high = np.floor(2 * ends.min()) / 2, np.ceil(2 * ends.max()) / 2
    low, high = min(low, high - LEAST_RANGE), min(high + 0.06 * (high - low), 100)  # with room for half a mark
    for ax in fig.axes[:3]:
        ax.set_ylim(max(0, low - 0.15 * (high - low)), high)  # with room for the words below an interval
    (costs, _), (_, low, _) = _means(rows, "exit", "macs"), _intervals(rows, "exit")
    for i, place in enumerate(zip(costs, low, strict=True)):  # below the interval, which would cross the words
        below = {"xytext": (0, -6), "textcoords": "offset points", "ha": "center", "va": "top"}
        fig.axes[0].annotate(f"exit {i + 1}", place, color=COLORS["ideal"], **below)
    _draw_key(fig.axes[3], rows)
    return fig


def _compared(less: float) -> str:
    """Which needs more, the net without exits (◆) or the one that leaves once sure (★), if ◆ needs `less` times as much as ★."""
    most, least = ("◆", "★") if less >= 1 else ("★", "◆")
    times = f"{max(less, 1 / less):.1f}"
    return f"{most} needs {times}× as much as {least}" if times != "1.0" else "★ needs as much as ◆"


def _draw_panel(ax, rows, key):
    """Draw accuracy over one kind of cost."""
    scale = 1 if key == "macs" else 1000
    for arm, marker, role, size in (
        ("threshold", "o-", "claim", 9),
        ("exit", "s", "ideal", 11),
        ("plain", "D", "reference", 12),
        ("sure", "*", "rival", 24),
    ):
        costs, accuracies = _means(rows, arm, key)
        costs = [scale * cost for cost in costs]
        _, low, high = _intervals(rows, arm)
        if arm != "sure":  # its interval is that of the point below it
            ax.vlines(costs, low, high, color=COLORS[role], linewidth=2, alpha=0.3, zorder=1)
        ax.plot(costs, accuracies, marker, color=COLORS[role], markersize=size)


def _draw_key(ax, rows):
    """Write what each mark is, and the numbers behind the star."""
    ax.set_axis_off()
    (plain,), (sure,), last = (_means(rows, arm, "macs")[1] for arm in ("plain", "sure", "exit"))
    lines = [
        (f"◆ without exits: {plain:.2f} %", "reference"),
        (f"■ all images leave at one exit; at the last, {last[-1]:.2f} %", "ideal"),
        ("● leave at a confidence of 50, 70, 90, 99 %", "claim"),
        (f"★ leave at a confidence of {100 * SURE:.0f} %: {sure:.2f} %", "rival"),
        (f"★ minus ◆: {_points(rows, effect_accuracy)}", "rival"),
        (f"★ minus last ■: {_points(rows, against_last)}", "rival"),
        *[(words, "rival") for words in _shares(rows)],
    ]
    for i, (words, role) in enumerate(lines):
        ax.text(0.02, 0.92 - 0.1 * i, words, color=COLORS[role], va="center", transform=ax.transAxes)


def _points(rows, effect) -> str:
    """The mean of an effect in points with its interval, in words."""
    _, mean, interval = decided(rows, effect)
    return f"{mean:+.2f} points" + (f" [{interval[0]:+.2f}, {interval[1]:+.2f}]" if interval else "")


def _means(rows, arm, key):
    """The values of `key` and the accuracies of an arm's settings, means over seeds, in the order of the rows."""
    return [[float(np.mean(values)) for values in _settings(rows, arm, k)] for k in (key, "accuracy")]


def _intervals(rows, arm) -> np.ndarray:
    """(3, settings): the mean accuracy of an arm's settings and the ends of its band over seeds, or the mean if it has none."""
    found = np.array([seed_band(values) for values in _settings(rows, arm, "accuracy")]).T
    return np.clip(np.where(np.isnan(found), found[0], found), 0, 100)


def _settings(rows, arm, key) -> list[np.ndarray]:
    """Per setting of an arm, in the order of the rows, the values of `key`, one per seed."""
    if arm == "sure":
        rows, arm = [row for row in rows if row["setting"] == str(SURE)], "threshold"
    names = list(dict.fromkeys(row["setting"] for row in rows if row["arm"] == arm))
    return [_by_seed(rows, arm, name, key) for name in names]


def _shares(rows) -> list[str]:
    """Where the images leave, and what the authors of BranchyNet report, if this is their net."""
    shares = 100 * _by_seed(rows, "threshold", str(SURE), "shares").mean(0)
    words = ["★ leaves at exit " + ", ".join(f"{i + 1}: {share:.0f} %" for i, share in enumerate(shares))]
    if published := rows[0]["published"]:
        words += [
            f"BranchyNet: ★ {published['accuracy']:.2f} %, ◆ {published['plain']:.2f} %,",
            f"{published['speedup']}× faster, at exit 1: {100 * published['share']:.1f} %",
        ]
    return words


CLAIM = Claim(
    id="Y1",
    chapter="dynamic",
    title="Adjust the depth",
    prepare=prepare_y1,
    measure=measure_y1,
    plans=WITH_COLOUR,
    rests_on=(
        learns(arm="plain", name="the net without exits"),
        learns(setting=str(SURE), name="the net with exits"),
    ),
    effects=(
        Effect(
            name=f"speed-up over the net without exits, one image at a time, if images leave at {100 * SURE:g} % confidence",
            of=effect_speed,
            unit="log2 ×",
            decides=("N30",),
        ),
        *(
            Effect(
                name=f"test accuracy, images that leave at {100 * SURE:g} % confidence minus {baseline}",
                of=of,
                unit="points",
                margin=-1.0,
                decides=("N30",),
            )
            for baseline, of in (
                ("the net without exits", effect_accuracy),
                ("all images at the last exit", against_last),
            )
        ),
    ),
    timed=True,
    figure=y1,
    ratios=ratios_y1,
    note="An image leaves at the first exit whose confidence reaches a threshold; later layers do not run for it. Supported: "
    "faster than the net without exits, and less than one point less accurate than it and than all layers of the same net. "
    "The net without exits is trained for as many epochs. Accuracy and time are measured on test images, with both nets in "
    "their form for prediction. In a small net, asking the exits can take longer than the layers that they save. In a batch, "
    "the images that stay continue together.",
    source="Teerapittayanon et al. 2016, BranchyNet; Kaya et al. 2019, Shallow-Deep Networks",
)
