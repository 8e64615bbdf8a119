"""Chapter 5, claim Y4: given a budget in milliseconds, the depth and width that fit it."""

import time

import numpy as np

from ... import data
from ...dynamic import (
    BudgetController,
    EarlyExit,
    Setting,
    Slimmable,
    best_within,
    exit_at,
    exit_table,
    mac_costs,
    measure_settings,
)
from ...profiling import latency
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis
from ..claim import Claim
from .nets import PLANS, plan_for, slimmable, with_exits

THRESHOLDS = (0.7, 0.9)
BUDGETS = 6
# Images a call, and images that are timed. One at a time, the calls themselves take most of the time of nets this small,
# whatever their width.
BATCH = 192
TOLERANCE = 1.1  # a budget counts as kept up to this factor: two timings of the same thing differ by a few per cent
MARGIN = 0.8  # share of budgets kept
PHASES, STEPS = (0.8, 0.3, 1.0, 0.15, 0.5), 8  # of the changing budget, between the cheapest and the dearest setting


def prepare_y4(data_name: str, budget: str, seed: int) -> Slimmable:
    """The net with several exits and widths."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    trunk = with_exits(dataset, "quick", np.random.default_rng(seed))  # a convnet with batch norm at every budget
    return slimmable(trunk, dataset, plan, seed, plan.joint_lrs[0])  # the gradient is a sum over widths and exits


def measure_y4(data_name: str, budget: str, seed: int, slim: Slimmable) -> list[dict]:
    """Measure all depths and widths on validation data, choose for each budget, and measure the choice on test images."""
    dataset = data.load(data_name)
    exits = len(slim.cut(1.0).stages)
    thresholds = [exit_at(i, exits) for i in range(exits)] + [(t,) * (exits - 1) for t in THRESHOLDS]
    nets = {width: slim.cut(width) for width in slim.widths}
    table = measure_settings(nets, thresholds, dataset.val, BATCH, images=BATCH, rounds=9)
    arms = {
        "depth and width": table,
        "depth alone": [s for s in table if s.width == 1],
        "width alone": [s for s in table if s.thresholds == exit_at(-1, exits)],
    }
    low, high = (f(s.ms for s in table) for f in (min, max))
    chosen = {}
    for ms in np.geomspace(1.2 * low, high, BUDGETS):
        for arm, some in arms.items():
            chosen[arm, float(ms)] = best_within(some, ms=ms) if min(s.ms for s in some) <= ms else None
    fresh = _measure_again(nets, {s for s in chosen.values() if s}, dataset)
    rows = [
        {"seed": seed, "arm": arm, "budget": ms}
        | ({"accuracy": None, "ms": None, "setting": ""} if s is None else _row(s, *fresh[s]))
        for (arm, ms), s in chosen.items()
    ]
    rows += [
        {"seed": seed, "arm": "table", "width": s.width, "exit": _exit(s.thresholds), "accuracy": 100 * s.accuracy}
        | {"ms": s.ms, "macs": s.macs}
        for s in table
    ]
    return rows + _follow(nets, table, dataset, seed)


def _measure_again(nets, settings: set[Setting], dataset) -> dict[Setting, tuple[float, float]]:
    """Test accuracy and milliseconds an image of each setting, on images that its table has not seen."""
    tables = {width: exit_table(net, dataset.test) for width, net in nets.items()}
    images = {width: dataset.x_test[table.sample(BATCH)] for width, table in tables.items()}
    calls = {}
    for s in settings:
        run, x = EarlyExit(nets[s.width], s.thresholds).run, images[s.width]
        calls[s] = lambda run=run, x=x: run(x)
    times = latency(calls, rounds=9, round_ms=1)
    costs = {width: mac_costs(net) for width, net in nets.items()}
    return {
        s: (tables[s.width].judge(s.thresholds, costs[s.width])[0], times[s].median / len(images[s.width]))
        for s in settings
    }


def _row(s: Setting, accuracy: float, ms: float) -> dict:
    return {"accuracy": 100 * accuracy, "ms": ms, "setting": f"{s.width:g} × {_exit(s.thresholds)}"}


def _exit(thresholds) -> str:
    fixed = [exit_at(i, len(thresholds) + 1) for i in range(len(thresholds) + 1)]
    return f"exit {fixed.index(thresholds) + 1}" if thresholds in fixed else f"sure by {thresholds[0]:g}"


def _follow(nets: dict, table: list[Setting], dataset, seed: int) -> list[dict]:
    """A budget that changes, and what the controller's choice really took, a batch a step."""
    controller, rows = BudgetController(table), []
    low, high = controller.settings[0].ms, controller.settings[-1].ms
    for step in range(len(PHASES) * STEPS):
        budget = low + PHASES[step // STEPS] * (high - low)
        setting = controller.choose(budget)
        run = EarlyExit(nets[setting.width], setting.thresholds).run
        images = dataset.x_test[(BATCH * step + np.arange(BATCH)) % len(dataset.x_test)]
        run(images)  # warm caches, as in the table
        start = time.perf_counter()
        run(images)
        ms = 1000 * (time.perf_counter() - start) / len(images)
        controller.observe(setting, ms)
        row = {"seed": seed, "arm": "controller", "step": step, "budget": budget, "ms": ms}
        rows.append(row | {"slowdown": controller.slowdown, "choices": len(controller.settings)})
    return rows


def effect_y4(rows):
    """Per seed, the share of budgets that the chosen depth and width kept when measured again."""
    kept = {}
    for row in rows:
        if row["arm"] == "depth and width":
            kept.setdefault(row["seed"], []).append(row["ms"] <= TOLERANCE * row["budget"])
    return [float(np.mean(kept[seed])) for seed in sorted(kept)]


def y4(rows):
    """All settings and their frontier, the accuracy that a budget buys, and a budget that changes."""
    fig = figure(ncols=3, width=21, height=6.6)
    everything, bought, followed = fig.axes
    settings = [row for row in rows if row["arm"] == "table"]
    widths = sorted({row["width"] for row in settings})
    for width, color in zip(widths, (COLORS[r] for r in ("last", "other", "more", "claim")), strict=False):
        points = _over_seeds([row for row in settings if row["width"] == width])
        everything.plot(*zip(*points, strict=True), "o", color=color, markersize=10)
        everything.text(
            0.97,
            0.06 + 0.08 * widths.index(width),
            f"width {width:g}",
            color=color,
            ha="right",
            transform=everything.transAxes,
        )
    best = []
    for us, accuracy in sorted(_over_seeds(settings)):
        if not best or accuracy > best[-1][1]:
            best.append((us, accuracy))
    everything.step(*zip(*best, strict=True), where="post", color=COLORS["reference"], linewidth=2)
    everything.set(xlabel="µs an image, in batches", ylabel="validation accuracy", xlim=(0, None))
    everything.set_title("every width and exit, and the frontier")

    arms = (("depth and width", "claim"), ("width alone", "more"), ("depth alone", "rival"))
    for arm, role in arms:
        seeds = sorted({row["seed"] for row in rows if row["arm"] == arm})
        mine = [[row for row in rows if row["arm"] == arm and row["seed"] == seed] for seed in seeds]
        budgets = np.mean([[row["budget"] for row in some] for some in mine], 0)
        accuracy = np.array([[row["accuracy"] for row in some] for some in mine], float)  # NaN where nothing fits
        accuracy = accuracy[:, np.isfinite(accuracy).all(0)]
        budgets = budgets[-accuracy.shape[1] :] if accuracy.size else budgets[:0]
        shown = accuracy if role == "claim" else [accuracy.mean(0)]  # three bands would hide each other
        if accuracy.size:
            curve_with_band(bought, 1000 * budgets, shown, arm, COLORS[role], marker="o")
    bought.set(xlabel="budget, µs an image", ylabel="test accuracy")
    bought.set_xscale("log")
    ticks = 1000 * np.mean([[r["budget"] for r in rows if r["arm"] == arms[0][0] and r["seed"] == s] for s in seeds], 0)
    bought.set_xticks(ticks, [f"{us:.1f}" for us in ticks])
    bought.minorticks_off()
    bought.set_title("what a budget buys")

    steps = [row for row in rows if row["arm"] == "controller"]
    steps = [
        row for row in steps if row["seed"] == max(steps, key=lambda row: row["choices"])["seed"]
    ]  # most to choose from
    x = [row["step"] for row in steps]
    followed.step(x, [1000 * row["budget"] for row in steps], where="mid", color=COLORS["ideal"])
    followed.plot(x, [1000 * row["ms"] for row in steps], "o", color=COLORS["claim"], markersize=7)
    followed.set(xlabel="step, a batch each", ylabel="µs an image", ylim=(0, None))
    followed.set_title("a changing budget (grey), time taken (blue)")
    for ax in (everything, bought):
        percent_axis(ax.yaxis, 100)
    return fig


def _over_seeds(settings) -> list[tuple[float, float]]:
    """(µs, accuracy) of each setting, the mean over seeds."""
    keys = list(dict.fromkeys((row["width"], row["exit"]) for row in settings))
    same = [[row for row in settings if (row["width"], row["exit"]) == key] for key in keys]
    return [
        tuple(float(np.mean([row[k] * unit for row in some])) for k, unit in (("ms", 1000), ("accuracy", 1)))
        for some in same
    ]


CLAIM = Claim(
    id="Y4",
    chapter="dynamic",
    title="Computation adjusted freely",
    statement="Depth and width together adjust a net's computation freely: given a budget, one of the settings fits it.",
    prepare=prepare_y4,
    measure=measure_y4,
    plans=PLANS,
    effect=effect_y4,
    effect_name="budgets in ms that the chosen setting keeps (to 10 %) when measured again on other images",
    unit="share",
    margin=MARGIN,
    timed=True,
    figure=y4,
    note="One set of weights, at every width and exit. Settings are chosen by a table measured on validation images; accuracy "
    "and time by budget are of test images, measured anew. Supported means that more than four fifths of the budgets are kept.",
    source="Yu et al. 2019; Huang et al. 2018; Bolukbasi et al. 2017, Adaptive Neural Networks for Efficient Inference",
)
