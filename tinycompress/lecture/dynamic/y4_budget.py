"""Claim Y4: the depth and width that fit a budget in milliseconds."""

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
from ..claim import Claim, Effect
from .nets import PLANS, plan_for, slimmable, with_exits

THRESHOLDS = (0.7, 0.9)
BUDGETS = 6
# Images per timed call. With one image per call, the overhead of calls would dominate the time of nets this small,
# whatever their width.
BATCH = 192
TOLERANCE = 1.1  # a budget counts as kept up to this factor, because repeated timings differ by a few per cent
MARGIN = 0.8  # share of budgets that must be kept
PHASES, STEPS = (0.8, 0.3, 1.0, 0.15, 0.5), 8  # of the changing budget, from the cheapest to the most expensive setting


def prepare_y4(data_name: str, budget: str, seed: int) -> Slimmable:
    """The net with several exits and widths."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    trunk = with_exits(dataset, "quick", np.random.default_rng(seed))  # a convnet with batch norm at every budget
    return slimmable(trunk, dataset, plan, seed, plan.joint_lrs[0])  # the gradient is a sum over widths and exits


def measure_y4(data_name: str, budget: str, seed: int, slim: Slimmable) -> list[dict]:
    """Measure all depths and widths on validation images, choose one per budget, and measure it again on test images."""
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
    """Test accuracy and milliseconds per image of each setting, on images that were not used to choose it."""
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
    """Follow a changing budget, one batch per step, and record the time that the controller's choices take."""
    controller, rows = BudgetController(table), []
    low, high = controller.settings[0].ms, controller.settings[-1].ms
    for step in range(len(PHASES) * STEPS):
        budget = low + PHASES[step // STEPS] * (high - low)
        setting = controller.choose(budget)
        run = EarlyExit(nets[setting.width], setting.thresholds).run
        images = dataset.x_test[(BATCH * step + np.arange(BATCH)) % len(dataset.x_test)]
        run(images)  # warm the caches, as for the table
        start = time.perf_counter()
        run(images)
        ms = 1000 * (time.perf_counter() - start) / len(images)
        controller.observe(setting, ms)
        row = {"seed": seed, "arm": "controller", "step": step, "budget": budget, "ms": ms}
        rows.append(row | {"slowdown": controller.slowdown, "choices": len(controller.settings)})
    return rows


def effect_y4(rows):
    """Per seed, the share of budgets that the chosen depth and width kept when timed again."""
    kept = {}
    for row in rows:
        if row["arm"] == "depth and width":
            kept.setdefault(row["seed"], []).append(row["ms"] <= TOLERANCE * row["budget"])
    return [float(np.mean(kept[seed])) for seed in sorted(kept)]


def y4(rows):
    """All settings and their frontier, the accuracy that a budget buys, and a budget that changes."""
    fig = figure(ncols=3, width=21, height=6.6)
    everything, bought, followed = fig.axes
    _draw_settings(everything, [row for row in rows if row["arm"] == "table"])
    _draw_budgets(bought, rows)
    _draw_controller(followed, [row for row in rows if row["arm"] == "controller"])
    for ax in (everything, bought):
        percent_axis(ax.yaxis, 100)
    return fig


def _draw_settings(ax, settings):
    """Draw accuracy over time of each setting, by width, and the frontier of settings that none dominates."""
    widths = sorted({row["width"] for row in settings})
    for width, color in zip(widths, (COLORS[r] for r in ("last", "other", "more", "claim")), strict=False):
        points = _over_seeds([row for row in settings if row["width"] == width])
        ax.plot(*zip(*points, strict=True), "o", color=color, markersize=10)
        # The points are too scattered for labels beside them, so the widths are listed where slow, bad settings would be.
        y = 0.06 + 0.08 * widths.index(width)
        ax.text(0.97, y, f"width {width:g}", color=color, ha="right", transform=ax.transAxes)
    best = []  # by rising time, only what is more accurate than everything faster
    for us, accuracy in sorted(_over_seeds(settings)):
        if not best or accuracy > best[-1][1]:
            best.append((us, accuracy))
    ax.step(*zip(*best, strict=True), where="post", color=COLORS["reference"], linewidth=2)
    ax.set(xlabel="µs per image, in batches", ylabel="validation accuracy", xlim=(0, None))
    ax.set_title("every width and exit, and the frontier")


def _draw_budgets(ax, rows):
    """Draw test accuracy over budget, by what may be adjusted."""
    for arm, role in (("depth and width", "claim"), ("width alone", "more"), ("depth alone", "rival")):
        budgets, accuracy = _by_budget(rows, arm)
        if role == "claim":
            ticks = 1000 * budgets
        # An arm that cannot get fast enough has no accuracy at small budgets. Its curve starts where all seeds have one.
        accuracy = accuracy[:, np.isfinite(accuracy).all(0)]
        budgets = budgets[-accuracy.shape[1] :] if accuracy.size else budgets[:0]
        shown = accuracy if role == "claim" else [accuracy.mean(0)]  # three bands would hide each other
        if accuracy.size:
            curve_with_band(ax, 1000 * budgets, shown, arm, COLORS[role], marker="o")
    ax.set(xlabel="budget, µs per image", ylabel="test accuracy")
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{us:.1f}" for us in ticks])
    ax.minorticks_off()
    ax.set_title("what a budget buys")


def _by_budget(rows, arm) -> tuple[np.ndarray, np.ndarray]:
    """Budgets in ms, means over seeds because each seed has its own; and accuracies (seeds, budgets), NaN if none fits."""
    seeds = sorted({row["seed"] for row in rows if row["arm"] == arm})
    mine = [[row for row in rows if row["arm"] == arm and row["seed"] == seed] for seed in seeds]
    budgets = np.mean([[row["budget"] for row in some] for some in mine], 0)
    return budgets, np.array([[row["accuracy"] for row in some] for some in mine], float)


def _draw_controller(ax, steps):
    """Draw a changing budget, and the time taken, of the seed whose controller has the most settings to choose from."""
    shown = max(steps, key=lambda row: row["choices"])["seed"]  # means over seeds would smooth the controller's jumps
    steps = [row for row in steps if row["seed"] == shown]
    x = [row["step"] for row in steps]
    ax.step(x, [1000 * row["budget"] for row in steps], where="mid", color=COLORS["ideal"])
    ax.plot(x, [1000 * row["ms"] for row in steps], "o", color=COLORS["claim"], markersize=7)
    ax.set(xlabel="step (one batch each)", ylabel="µs per image", ylim=(0, None))
    ax.set_title("a changing budget (grey), time taken (blue)")


def _over_seeds(settings) -> list[tuple[float, float]]:
    """(µs, accuracy) of each setting, means over seeds."""
    keys = list(dict.fromkeys((row["width"], row["exit"]) for row in settings))
    same = [[row for row in settings if (row["width"], row["exit"]) == key] for key in keys]
    return [
        tuple(float(np.mean([row[k] * unit for row in some])) for k, unit in (("ms", 1000), ("accuracy", 1)))
        for some in same
    ]


CLAIM = Claim(
    id="Y4",
    chapter="dynamic",
    title="Adjust the computation freely",
    prepare=prepare_y4,
    measure=measure_y4,
    plans=PLANS,
    effects=(
        Effect(
            name="budgets in ms that the chosen setting keeps, within 10 %, when timed again on other images",
            of=effect_y4,
            unit="share",
            margin=MARGIN,
            decides=("N30",),
        ),
    ),
    timed=True,
    figure=y4,
    note="One set of weights, at every width and exit. Settings are chosen from a table measured on validation images; their "
    "accuracy and time are then measured again on test images. Supported: more than four fifths of the budgets are kept.",
    source="Yu et al. 2019; Huang et al. 2018; Bolukbasi et al. 2017, Adaptive Neural Networks for Efficient Inference",
)
