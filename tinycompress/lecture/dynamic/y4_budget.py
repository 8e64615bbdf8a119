"""Claim Y4: the depth and width that fit a budget in milliseconds."""

from itertools import product

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
    frontier,
    mac_costs,
)
from ...profiling import latency
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from ..images.shares import Share, percent_of
from ..learned import learns
from .drawing import draw_budgets, draw_settings
from .nets import PLANS, plan_for, slimmable, with_exits

THRESHOLDS = (0.7, 0.9)
BUDGETS = 12
# Images per timed call. With one image per call, the overhead of calls would dominate the time of nets this small,
# whatever their width.
BATCH = 192
ROUNDS, REPEATS = 15, 5  # of all settings, and of each step; the fastest counts, since other programs only add time
TURNS = 3  # of the changing budget
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
    """Measure all depths and widths on validation and on test images, in turns, and follow a changing budget.

    For each fixed budget, a setting is chosen by its time and accuracy on validation images; what is reported is its time and
    accuracy on test images.
    """
    dataset = data.load(data_name)
    exits = len(slim.cut(1.0).stages)
    thresholds = [exit_at(i, exits) for i in range(exits)] + [(t,) * (exits - 1) for t in THRESHOLDS]
    nets = {width: slim.cut(width) for width in slim.widths}
    table, fresh, accuracies = _measured(nets, thresholds, dataset)
    again = dict(zip(table, zip(fresh, accuracies, strict=True), strict=True))
    rows = []
    for turn in range(TURNS):
        rows += _follow(nets, table, dataset, {"seed": seed, "turn": turn})
    arms = {
        "depth and width": table,
        "depth alone": [s for s in table if s.width == 1],
        "width alone": [s for s in table if s.thresholds == exit_at(-1, exits)],
    }
    low, high = min(s.ms for s in table), frontier(table)[-1].ms
    for ms in np.geomspace(1.2 * low, high, BUDGETS):
        for arm, some in arms.items():
            chosen = best_within(some, ms=ms) if min(s.ms for s in some) <= ms else None
            found = {"accuracy": None, "ms": None, "setting": ""} if chosen is None else _row(*again[chosen])
            rows.append({"seed": seed, "arm": arm, "budget": float(ms)} | found)
    return rows + [
        {"seed": seed, "arm": "table", "width": s.width, "exit": _exit(s.thresholds), "accuracy": 100 * s.accuracy}
        | {"ms": s.ms, "macs": s.macs}
        for s in table
    ]


def _measured(nets: dict, thresholds: list, dataset) -> tuple[list[Setting], list[Setting], list[Share]]:
    """All settings on validation and on test images, and their accuracies (%) on the latter.

    All are timed in turn, so that a slow moment affects both.
    """
    calls, found, accuracies = {}, {}, []
    for name, (width, net) in product(("val", "test"), nets.items()):
        split = getattr(dataset, name)
        table, costs = exit_table(net, split), mac_costs(net)
        x = split[0][table.sample(BATCH)]
        for t in thresholds:
            run = EarlyExit(net, t).run
            calls[name, width, t] = lambda run=run, x=x: run(x)
            found[name, width, t] = *table.judge(t, costs), len(x)
            accuracies += [percent_of(table.right(t))] if name == "test" else []
    times = latency(calls, ROUNDS, round_ms=1)

    def settings(split):
        for (name, width, t), (accuracy, macs, images) in found.items():
            if name == split:
                yield Setting(width, t, accuracy, macs, min(times[name, width, t].rounds) / images)

    return list(settings("val")), list(settings("test")), accuracies


def _row(s: Setting, accuracy: Share) -> dict:
    return {"accuracy": accuracy, "ms": s.ms, "setting": f"{s.width:g} × {_exit(s.thresholds)}"}


def _exit(thresholds) -> str:
    fixed = [exit_at(i, len(thresholds) + 1) for i in range(len(thresholds) + 1)]
    return f"exit {fixed.index(thresholds) + 1}" if thresholds in fixed else f"sure by {thresholds[0]:g}"


def _follow(nets: dict, table: list[Setting], dataset, common: dict) -> list[dict]:
    """Follow a changing budget, one batch per step, and record the time that the controller's choices take."""
    controller, rows = BudgetController(table), []
    low, high = controller.settings[0].ms, controller.settings[-1].ms
    for step in range(len(PHASES) * STEPS):
        budget = low + PHASES[step // STEPS] * (high - low)
        setting = controller.choose(budget)
        run = EarlyExit(nets[setting.width], setting.thresholds).run
        images = dataset.x_test[(BATCH * step + np.arange(BATCH)) % len(dataset.x_test)]
        times = latency({"step": lambda run=run, images=images: run(images)}, REPEATS, round_ms=0)
        ms = min(times["step"].rounds) / len(images)
        controller.observe(setting, ms)
        row = common | {"arm": "controller", "step": step, "budget": budget, "ms": ms}
        rows.append(row | {"slowdown": controller.slowdown, "choices": len(controller.settings)})
    return rows


def kept(rows, arm: str) -> list[float]:
    """Per seed, the share of an arm's budgets that were kept within TOLERANCE."""
    found = {}
    for row in rows:
        if row["arm"] == arm and row["ms"] is not None:
            found.setdefault(row["seed"], []).append(row["ms"] <= TOLERANCE * row["budget"])
    return [float(np.mean(found[seed])) for seed in sorted(found)]


def effect_fixed(rows):
    """Per seed, the share of budgets that the chosen depth and width kept on other images."""
    return kept(rows, "depth and width")


def effect_changing(rows):
    """Per seed, the share of the steps of a changing budget in which the controller's choice kept it."""
    return kept(rows, "controller")


def effect_width(rows):
    """Per seed, test accuracy of depth and width minus that of depth alone, mean over the budgets that fit both."""
    both = [_accuracies(rows, arm) for arm in ("depth and width", "depth alone")]
    gains = {}
    for place in both[0].keys() & both[1].keys():
        gains.setdefault(place[0], []).append(both[0][place] - both[1][place])
    return [float(np.mean(gains[seed])) for seed in sorted(gains)]


def _accuracies(rows, arm) -> dict[tuple, float]:
    """(seed, budget) -> test accuracy, for the budgets within which an arm has a setting."""
    found = {(row["seed"], row["budget"]): row["accuracy"] for row in rows if row["arm"] == arm}
    return {place: accuracy for place, accuracy in found.items() if accuracy is not None}


def holds_width(rows) -> str:
    """How many of the budgets each arm has a setting for."""
    whole = sum(row["arm"] == "depth and width" for row in rows)
    shares = [f"{arm} for {len(_accuracies(rows, arm)) / whole:.0%}" for arm in ("depth alone", "width alone")]
    return f"fast enough: {' and '.join(shares)} of the budgets".replace("%", " %")


def y4(rows):
    """All settings and their frontier, the accuracy that a budget buys, and whether fixed and changing budgets are kept."""
    fig = figure(ncols=2, nrows=2, width=16, height=12)
    everything, bought, fixed, changing = fig.axes
    draw_settings(everything, [row for row in rows if row["arm"] == "table"])
    draw_budgets(bought, rows)
    _draw_kept(fixed, rows)
    _draw_controller(changing, rows)
    for ax in (everything, bought):
        ax.set_ylim(max(0, ax.get_ylim()[0]), min(100, ax.get_ylim()[1]))
        percent_axis(ax.yaxis, 100)
    return fig


def _draw_kept(ax, rows):
    """Draw the time that the chosen settings took on other images, over the budget, and the line that they should not cross."""
    chosen = [row for row in rows if row["arm"] == "depth and width"]
    _draw_points(ax, [1000 * row["budget"] for row in chosen], chosen)
    most = 1000 * max(row["budget"] for row in chosen)
    ax.plot([0, most], [0, most], color=COLORS["ideal"])
    ax.set(xlabel="budget, µs per image", ylabel="taken on other images, µs", xlim=(0, None), ylim=(0, None))
    ax.set_title(f"fixed budgets (grey line): {100 * np.mean(effect_fixed(rows)):.0f} % kept")


def _draw_points(ax, x, rows):
    """Draw the time of each row over x, in another colour where it exceeds the budget by more than the tolerance."""
    above = np.array([row["ms"] > TOLERANCE * row["budget"] for row in rows])
    x, us = np.array(x, float), 1000 * np.array([row["ms"] for row in rows])
    for some, marker, role in ((~above, "o", "claim"), (above, "X", "rival")):
        ax.plot(x[some], us[some], marker, color=COLORS[role], markersize=8)
    for y, words, role in ((0.93, "● kept", "claim"), (0.85, f"✖ over by more than {TOLERANCE - 1:.0%}", "rival")):
        ax.text(0.03, y, words.replace("%", " %"), color=COLORS[role], transform=ax.transAxes)


def _draw_controller(ax, rows):
    """Draw a changing budget, and the time taken, of the run that keeps about as many steps as all runs do."""
    runs = {}  # means over runs would smooth the controller's jumps
    for row in rows:
        if row["arm"] == "controller":
            runs.setdefault((row["seed"], row.get("turn")), []).append(row)
    shares = {key: np.mean([row["ms"] <= TOLERANCE * row["budget"] for row in run]) for key, run in runs.items()}
    every = np.mean(effect_changing(rows))
    key = min(runs, key=lambda key: abs(shares[key] - every))
    run, x = runs[key], [row["step"] for row in runs[key]]
    ax.step(x, [1000 * row["budget"] for row in run], where="mid", color=COLORS["ideal"])
    _draw_points(ax, x, run)
    top = 1.45 * max(max(1000 * row[key] for row in run) for key in ("budget", "ms"))
    ax.set(xlabel="step (one batch each) of one run", ylabel="µs per image", ylim=(0, top))
    ax.set_title(
        f"a changing budget (grey line): kept in\n{shares[key]:.0%} of this run's steps, {every:.0%} of all".replace(
            "%", " %"
        )
    )


CLAIM = Claim(
    id="Y4",
    chapter="dynamic",
    title="Adjust the computation freely",
    prepare=prepare_y4,
    measure=measure_y4,
    plans=PLANS,
    rests_on=(learns(arm="table", width=1, name="the net at full width"),),
    effects=(
        Effect(
            name="fixed budgets in ms that the chosen setting keeps on other images, within 10 %",
            of=effect_fixed,
            unit="share",
            margin=MARGIN,
            decides=("N30",),
        ),
        Effect(
            name="steps of a changing budget in ms that the controller keeps, within 10 %",
            of=effect_changing,
            unit="share",
            margin=MARGIN,
            decides=("N30",),
        ),
        Effect(
            name="test accuracy, depth and width minus depth alone, at budgets that fit both",
            of=effect_width,
            unit="points",
            smallest=1.0,
            holds=holds_width,
            decides=("N30",),
        ),
    ),
    timed=True,
    figure=y4,
    note="One set of weights, at every width and exit. Settings are chosen from a table measured on validation images; their "
    "accuracy and time on test images are what counts. Times are those of the fastest of several runs. Supported: more than "
    "four fifths of the budgets are kept. The last effect asks what width adds to depth. A step of the changing budget is a "
    "single batch; the controller learns from each how fast the machine is now.",
    source="Yu et al. 2019; Huang et al. 2018; Bolukbasi et al. 2017, Adaptive Neural Networks for Efficient Inference",
)
