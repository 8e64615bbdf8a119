"""Claim C1: every method on one teacher, in theory, on disk and on the clock."""

import numpy as np

from ... import data
from ...nn import Module
from ...profiling import latency
from ...quantization import tcz
from ...training import predict
from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from .methods import METHODS, PLANS, few_seeds, plan_for, right, teacher_of, trained_on

CHAPTER_COLORS = {
    "": "reference",
    "pruning": "claim",
    "distillation": "rival",
    "quantization": "other",
    "architecture": "extra",
    "dynamic": "more",
}
BATCH = 64  # images per timed call


def prepare_c1(data_name: str, budget: str, seed: int) -> list[tuple[dict, Module]]:
    """Apply every method at its usual strength: accuracy, bytes of a file that loads again, and counted work.

    Returns pairs of a row and the net that predicts, the teacher's first.
    """
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    whole = trained_on(teacher, dataset, plan, seed)
    found = {"the teacher": ("", whole)}
    for method in METHODS:
        found[method.name] = method.chapter, method.apply(teacher, dataset, plan, seed, method.strength)
    return [
        (
            {
                "seed": seed,
                "arm": name,
                "chapter": chapter,
                "accuracy": 100 * float(right(small.runs, dataset).mean()),
                "bytes": file_bytes(small.net),
                "work_ratio": 32 * whole.macs / (small.factor_bits * small.macs),
                "weights_ratio": 32 * whole.weights / (small.weight_bits * small.weights),
            },
            small.runs,
        )
        for name, (chapter, small) in found.items()
    ]


def measure_c1(data_name: str, budget: str, seed: int, nets: list) -> list[dict]:
    """Time the nets of `prepare_c1` in turn."""
    dataset = data.load(data_name)
    x = np.resize(dataset.x_test, (BATCH, *dataset.image_shape))
    times = latency({row["arm"]: lambda net=net: predict(net, x) for row, net in nets}, rounds=7)
    whole = nets[0][0]
    rows = []
    for row, _ in nets:
        time = times[row["arm"]]
        low, high = time.spread
        clock = {"ms": time.median, "ms_low": low, "ms_high": high, "threads": time.threads}
        ratios = {
            "disk_ratio": whole["bytes"] / row["bytes"],
            "clock_ratio": times[whole["arm"]].median / time.median,
        }
        rows.append(row | clock | ratios)
    return rows


def file_bytes(net: Module) -> int:
    """Bytes of the net's .tcz file. Raises ValueError unless it loads to a net with the same predictions."""
    content = tcz.to_bytes(net)
    again = tcz.from_bytes(content)
    x = np.random.default_rng(0).random((8, *net.input_shape), np.float32)
    if predict(again, x).tobytes() != predict(net, x).tobytes():
        raise ValueError(f"the file of {net!r} loads to a net with other predictions")
    return len(content)


def effect_c1(rows):
    """Per seed, log2 of work saved by counting over work saved on the clock, mean over methods."""
    return [
        float(np.mean([np.log2(row["work_ratio"] / row["clock_ratio"]) for row in rows if _counts(row, seed)]))
        for seed in sorted({row["seed"] for row in rows})
    ]


def _counts(row, seed) -> bool:
    return row["seed"] == seed and bool(row["chapter"])


def ratios_c1(rows):
    """Geometric means over methods and seeds."""
    chosen = [row for row in rows if row["chapter"]]
    names = {"theory": "work_ratio", "disk": "disk_ratio", "clock": "clock_ratio"}
    return {name: float(2 ** np.mean([np.log2(row[key]) for row in chosen])) for name, key in names.items()}


def c1(rows):
    """Accuracy over bytes and over milliseconds, with methods as numbers, and the three ratios of each method."""
    fig = figure(ncols=3, width=22, height=8, width_ratios=(1, 1, 1.15))
    by_bytes, by_ms, ratios = fig.axes
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    for ax, key, label in ((by_bytes, "bytes", "bytes of the file"), (by_ms, "ms", "ms for 64 images")):
        for number, arm in enumerate(arms):
            chosen = [row for row in rows if row["arm"] == arm]
            _point(ax, chosen, key, number)
        ax.set_xscale("log")
        ax.set(xlabel=label, ylabel="test accuracy")
        percent_axis(ax.yaxis, 100)
        ax.margins(0.09)
    _readable_log_ticks(by_bytes, lambda t: f"{t / 1000:g} KB")
    _readable_log_ticks(by_ms, lambda t: f"{t:g}")
    by_ms.set_ylabel("")
    by_bytes.set_title("On disk: upper left is best")
    by_ms.set_title("On the clock")
    _ratios(ratios, rows, arms)
    return fig


def _point(ax, chosen, key, number):
    color = COLORS[CHAPTER_COLORS[chosen[0]["chapter"]]]
    x = float(np.exp(np.mean(np.log([row[key] for row in chosen]))))
    mean, low, high = map(float, mean_interval(np.array([row["accuracy"] for row in chosen])))
    if not np.isnan(low):
        ax.plot([x, x], [low, high], color=color, linewidth=2, alpha=0.6)
    ax.plot([x], [mean], "o", color=color, markersize=21)
    ax.annotate(str(number), (x, mean), color="white", ha="center", va="center", fontsize=12, fontweight="bold")


def _readable_log_ticks(ax, text):
    low, high = ax.get_xlim()
    ticks = [m * 10.0**e for e in range(-4, 8) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    ax.set_xticks(ticks, [text(t) for t in ticks])
    ax.minorticks_off()


MARKS = (
    ("work_ratio", "s", "counted work", "ideal"),
    ("disk_ratio", "D", "disk", "last"),
    ("clock_ratio", "o", "clock", "rival"),
)


def _ratios(ax, rows, arms):
    """Draw how many times smaller or faster each method is by counting, on disk and on the clock."""
    for place, arm in enumerate(arms):
        chosen = [row for row in rows if row["arm"] == arm]
        means = [float(np.exp(np.mean(np.log([row[key] for row in chosen])))) for key, *_ in MARKS]
        ax.plot([min(means), max(means)], [place, place], color="#BBBBBB", linewidth=2, zorder=1)
        for mean, (_, mark, _, role) in zip(means, MARKS, strict=True):
            ax.plot([mean], [place], mark, color=COLORS[role], markersize=11, zorder=2)
    for _, mark, name, role in MARKS:
        ax.plot([], [], mark, color=COLORS[role], label=name, markersize=11)
    ax.set_yticks(range(len(arms)), [f"{arm}  {number}" for number, arm in enumerate(arms)])
    for tick, arm in zip(ax.get_yticklabels(), arms, strict=True):
        tick.set_color(COLORS[CHAPTER_COLORS[next(row["chapter"] for row in rows if row["arm"] == arm)]])
    ax.invert_yaxis()
    ax.set_xscale("log")
    _readable_log_ticks(ax, lambda t: f"{t:g}×")
    ax.axvline(1, color=COLORS["reference"], linewidth=1.5)
    ax.grid(axis="x", color="#E4E4E4")
    ax.set_xlabel("times smaller or faster than the teacher")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handletextpad=0.1, columnspacing=1.0)


CLAIM = Claim(
    id="C1",
    chapter="together",
    title="Theory, disk and clock",
    question="What a method saves by counting, on disk and on the clock are three numbers, and the clock's is the smallest.",
    tasks=few_seeds,
    prepare=prepare_c1,
    measure=measure_c1,
    plans=PLANS,
    effects=(
        Effect(
            name="work saved by counting over work saved on the clock, geometric mean over methods",
            of=effect_c1,
            unit="log2 ×",
        ),
    ),
    figure=c1,
    ratios=ratios_c1,
    timed=True,
    note="Work: multiplications by nonzero weights, times the bits of their factors. Bytes: those of a .tcz file that loads "
    "to the same predictions, for the teacher, too. All methods start from the same teacher and train equally long.",
    source="Blalock et al. 2020, What is the State of Neural Network Pruning?",
)
