"""Claim C1: every method on one teacher, in theory, on disk and on the clock."""

import numpy as np

from ... import data
from ...data import Dataset
from ...dynamic import EarlyExit, exit_table
from ...inference import optimize
from ...nn import Module
from ...profiling import latency
from ...quantization import tcz
from ...training import TrainingDiverged, predict
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from ..language import DOT
from ..learned import diverged, learns
from .methods import METHODS, trained_on
from .nets import PLANS, Small, few_seeds, plan_for, right, teacher_of

CHAPTER_COLORS = {
    "": "reference",
    "pruning": "claim",
    "distillation": "rival",
    "quantization": "other",
    "architecture": "extra",
    "dynamic": "more",
}
BATCH = 64  # images per timed call


def prepare_c1(data_name: str, budget: str, seed: int) -> list[tuple[dict, Module | None]]:
    """Apply every method at its usual strength: accuracy, bytes of a file that loads again, and counted work.

    Returns pairs of a row and the net that predicts, the teacher's first. The row of a method that diverged says only that, and
    its net is None.
    """
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    whole = trained_on(teacher, dataset, plan, seed)
    found = [_counted("the teacher", "", whole, whole, dataset, seed)]
    for method in METHODS:
        try:
            small = method.apply(teacher, dataset, plan, seed, method.strength)
        except TrainingDiverged as error:  # the others took hours
            found.append((diverged({"seed": seed, "arm": method.name, "chapter": method.chapter}, error), None))
        else:
            found.append(_counted(method.name, method.chapter, small, whole, dataset, seed))
    return found


def _counted(name, chapter, small: Small, whole: Small, dataset, seed) -> tuple[dict, Module]:
    """A row, but for its times, and the net that predicts."""
    row = {
        "seed": seed,
        "arm": name,
        "chapter": chapter,
        "accuracy": 100 * float(right(small.runs, dataset).mean()),
        "bytes": file_bytes(small.net),
        "work_ratio": 32 * whole.macs / (small.factor_bits * small.macs),
        "weights_ratio": 32 * whole.weights / (small.weight_bits * small.weights),
    }
    return row, small.runs


def measure_c1(data_name: str, budget: str, seed: int, nets: list) -> list[dict]:
    """Time the nets of `prepare_c1` in turn."""
    dataset = data.load(data_name)
    x = _images(dataset, [net for _, net in nets])
    fast = {row["arm"]: optimize(net, x) for row, net in nets if net}
    times = latency({arm: lambda net=net: predict(net, x) for arm, net in fast.items()}, rounds=7)
    whole = nets[0][0]
    rows = []
    for row, net in nets:
        if net is None:
            rows.append(row)
            continue
        time = times[row["arm"]]
        low, high = time.spread
        clock = {"ms": time.median, "ms_low": low, "ms_high": high, "threads": time.threads}
        ratios = {
            "disk_ratio": whole["bytes"] / row["bytes"],
            "clock_ratio": times[whole["arm"]].median / time.median,
        }
        rows.append(row | clock | ratios)
    return rows


def _images(dataset: Dataset, nets: list[Module | None]) -> np.ndarray:
    """BATCH test images, of which about as many leave a net with exits early as of all."""
    chosen = np.arange(len(dataset.x_test))
    for net in (net for net in nets if isinstance(net, EarlyExit)):
        chosen = exit_table(net.net, dataset.test).sample(BATCH)
    return dataset.x_test[np.resize(chosen, BATCH)]


def file_bytes(net: Module) -> int:
    """Bytes of the net's .tcz file. Raises ValueError unless it loads to a net with the same predictions."""
    content = tcz.to_bytes(net)
    again = tcz.from_bytes(content)
    x = np.random.default_rng(0).random((8, *net.input_shape), np.float32)
    if predict(again, x).tobytes() != predict(net, x).tobytes():
        raise ValueError(f"the file of {net!r} loads to a net with other predictions")
    return len(content)


def effect_counting(rows):
    """Per seed, log2 of times less counted work over times less time, mean over methods."""
    return _over_clock(rows, "work_ratio")


def effect_disk(rows):
    """Per seed, log2 of times fewer bytes over times less time, mean over methods."""
    return _over_clock(rows, "disk_ratio")


def _over_clock(rows, key) -> list[float]:
    methods = [row for row in rows if row["chapter"]]
    return [
        float(np.mean([np.log2(row[key] / row["clock_ratio"]) for row in methods if row["seed"] == seed]))
        for seed in sorted({row["seed"] for row in methods})
    ]


def holds_c1(rows) -> str:
    """For how many methods the clock's number is the smallest, and which are the others."""
    means = {arm: _means(rows, arm) for arm in dict.fromkeys(row["arm"] for row in rows if row["chapter"])}
    others = [arm for arm, (work, disk, clock) in means.items() if clock > min(work, disk)]
    words = f"the clock's is the smallest for {len(means) - len(others)} of {len(means)} methods"
    return words + (f"; not for {DOT.join(others)}" if others else "")


def _means(rows, arm) -> list[float]:
    """Geometric means over seeds of an arm's three ratios."""
    chosen = [row for row in rows if row["arm"] == arm]
    return [float(np.exp(np.mean(np.log([row[key] for row in chosen])))) for key, *_ in MARKS]


def ratios_c1(rows):
    """Geometric means over methods and seeds."""
    chosen = [row for row in rows if row["chapter"]]
    names = {"theory": "work_ratio", "disk": "disk_ratio", "clock": "clock_ratio"}
    return {name: float(2 ** np.mean([np.log2(row[key]) for row in chosen])) for name, key in names.items()}


def c1(rows):
    """Accuracy over bytes and over milliseconds, with methods as numbers, and the three ratios of each method."""
    fig = figure(ncols=2, nrows=2, width=16, height=8, width_ratios=(1.1, 1))
    by_bytes, right, by_ms, unused = fig.axes
    ratios = fig.add_subplot(right.get_gridspec()[:, 1])
    right.remove()
    unused.remove()
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    for ax, key in ((by_bytes, "bytes"), (by_ms, "ms")):
        _draw_plane(ax, rows, arms, key)
        percent_axis(ax.yaxis, 100)
        ax.set_ylabel("test accuracy")
    _readable_log_ticks(by_bytes, lambda t: f"{t / 1000:g} KB")
    _readable_log_ticks(by_ms, lambda t: f"{t:g} ms")
    by_bytes.set_title("bytes of the file")
    by_ms.set_title(f"time for {BATCH} images")
    _ratios(ratios, rows, arms)
    return fig


PLANE, CIRCLE = np.array([6.0, 2.8]), 0.26  # inches: roughly the size of a plane, and how far circles stay apart


def _draw_plane(ax, rows, arms, key):
    """Draw a numbered circle per method, moved sideways where several would coincide, and a line to where it belongs."""
    from matplotlib.ticker import MaxNLocator

    points, ends = [], []
    for arm in arms:
        chosen = [row for row in rows if row["arm"] == arm]
        mean, low, high = map(float, seed_band(np.array([row["accuracy"] for row in chosen])))
        points.append((float(np.mean(np.log([row[key] for row in chosen]))), mean))
        ends += np.clip([mean if np.isnan(low) else low, mean if np.isnan(high) else high], 0, 100).tolist()
        ax.plot(np.exp([points[-1][0]] * 2), ends[-2:], color=_color(rows, arm), linewidth=2, alpha=0.3, zorder=1)
    points = np.array(points)
    low = np.array([points[:, 0].min(), min(ends)])
    size = np.array([np.ptp(points[:, 0]), np.ptp(ends)]) + 1e-9
    inches = (points - low) / size * (0.85 * PLANE)
    for number, (arm, point, at) in enumerate(zip(arms, points, _apart(inches, CIRCLE), strict=True)):
        (x, y), (circle_x, circle_y) = point, at / (0.85 * PLANE) * size + low
        color = _color(rows, arm)
        ax.plot(np.exp([x, circle_x]), [y, circle_y], color=color, linewidth=1.5, zorder=2)
        ax.plot(np.exp(x), y, ".", color=color, markersize=9, zorder=2)
        ax.plot(np.exp(circle_x), circle_y, "o", color=color, markersize=17, zorder=3)
        ax.annotate(
            *(str(number), (np.exp(circle_x), circle_y)),
            **{"color": "white", "ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold", "zorder": 4},
        )
    ax.set_xscale("log")
    ax.margins(0.08)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))


def _apart(points: np.ndarray, gap: float) -> np.ndarray:
    """The points (n, 2), pushed apart sideways, so that heights stay true, until none is closer than `gap` to another."""
    points = points.copy()
    for _ in range(500):
        close = False
        for i, j in zip(*np.triu_indices(len(points), 1), strict=True):
            away, above = points[i] - points[j]
            wanted = np.sqrt(max(0.0, gap**2 - above**2))
            if abs(away) < wanted:
                close = True
                push = 0.51 * (wanted - abs(away)) * (1 if away > 0 else -1)
                points[i, 0] += push
                points[j, 0] -= push
        if not close:
            break
    return points


def _color(rows, arm) -> str:
    return COLORS[CHAPTER_COLORS[next(row["chapter"] for row in rows if row["arm"] == arm)]]


def _readable_log_ticks(ax, text):
    """Label round numbers, as close as the range asks for: at least three, if possible."""
    low, high = ax.get_xlim()
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 6, 8), (1, 1.2, 1.5, 2, 2.5, *range(3, 10))):
        ticks = [round(m * 10.0**e, 9) for e in range(-4, 8) for m in steps if low <= m * 10.0**e <= high]
        if len(ticks) >= 3:
            break
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
        means = _means(rows, arm)
        ax.plot([min(means), max(means)], [place, place], color="#BBBBBB", linewidth=2, zorder=1)
        for mean, (_, mark, _, role) in zip(means, MARKS, strict=True):
            ax.plot([mean], [place], mark, color=COLORS[role], markersize=12, zorder=2)
    for _, mark, name, role in MARKS:
        ax.plot([], [], mark, color=COLORS[role], label=name, markersize=12)
    ax.set_yticks(range(len(arms)), [f"{arm}  {number}" for number, arm in enumerate(arms)], fontsize=15)
    for tick, arm in zip(ax.get_yticklabels(), arms, strict=True):
        tick.set_color(_color(rows, arm))
    ax.invert_yaxis()
    ax.set_xscale("log")
    _readable_log_ticks(ax, lambda t: f"{t:g}×")
    ax.axvline(1, color=COLORS["reference"], linewidth=1.5)
    ax.grid(axis="x", color="#E4E4E4")
    ax.set_xlabel("times smaller or faster than the teacher")
    place = {"loc": "lower center", "bbox_to_anchor": (0.35, 1.0), "handletextpad": 0.1, "columnspacing": 0.8}
    ax.legend(ncols=len(MARKS), fontsize=15, **place)


CLAIM = Claim(
    id="C1",
    chapter="together",
    title="Theory, disk and clock",
    question="What a method saves by counting, on disk and on the clock are three numbers; on average, "
    "the clock's is the smallest.",
    tasks=few_seeds,
    prepare=prepare_c1,
    measure=measure_c1,
    plans=PLANS,
    rests_on=(learns(arm="the teacher"), learns(arm=tuple(m.name for m in METHODS), one_of_many=True)),
    effects=(
        Effect(
            name="times less counted work over times less time, geometric mean over methods",
            of=effect_counting,
            unit="log2 ×",
            holds=holds_c1,
        ),
        Effect(
            name="times fewer bytes over times less time, geometric mean over methods",
            of=effect_disk,
            unit="log2 ×",
        ),
    ),
    figure=c1,
    ratios=ratios_c1,
    timed=True,
    note="Counted work: multiplications by nonzero weights, times the bits of the wider factor. Integers of 8 bits count a "
    "quarter; binary weights, which multiply 32-bit numbers, count in full. Bytes: those of a .tcz file that loads to the "
    "same predictions, for the teacher, too. Clock: nets in their form for prediction (`inference.optimize`). All methods "
    "start from the same teacher and train equally long, except the small student, which starts anew and trains for the "
    "teacher's epochs as well.",
    source="Blalock et al. 2020, What is the State of Neural Network Pruning?",
)
