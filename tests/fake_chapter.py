"""A chapter of quick claims, for the tests of the machinery around claims; worker processes import it, too."""

import os
import time
from pathlib import Path

import numpy as np
from waiting import LONG, wait_for

from tinycompress.lecture import Claim, Effect
from tinycompress.workshop.style import COLORS, curve_with_band, figure


def before_task(seed):
    """Replaced by tests that count tasks or interrupt one."""


def measure(seed, shift):
    before_task(seed)
    noise = np.random.default_rng(seed).standard_normal((2, 4), np.float32)
    return [
        {"seed": seed, "arm": arm, "x": x, "accuracy": value + shift * (arm == "ours")}
        for arm, values in zip(("ours", "theirs"), noise @ noise.T @ noise, strict=True)
        for x, value in enumerate(values)
    ]


def prepare(seed, shift):
    return os.getpid()


def here_and_there(seed, shift, prepared):
    return [row | {"prepared_by": prepared, "measured_by": os.getpid()} for row in measure(seed, shift)]


def measure_slowly(seed):
    Path(os.environ["FAKE_STARTED"]).touch()
    time.sleep(2 * LONG)  # whoever waits for its end has given up before
    return []


def die(after):
    """End this process as the kernel does when memory is short, once the file `after` is there."""
    wait_for(f"{after} is written", Path(after).exists)
    os._exit(1)


def effect(rows):
    def mean(seed, arm):
        return np.mean([row["accuracy"] for row in rows if (row["seed"], row["arm"]) == (seed, arm)])

    return [mean(seed, "ours") - mean(seed, "theirs") for seed in sorted({row["seed"] for row in rows})]


def draw(rows):
    """Accuracy over x, ours and theirs."""
    fig = figure()
    (ax,) = fig.axes
    for arm, role in (("ours", "claim"), ("theirs", "rival")):
        chosen = [row["accuracy"] for row in rows if row["arm"] == arm]
        curve_with_band(ax, range(4), np.reshape(chosen, (-1, 4)), arm, COLORS[role])
    return fig


def make(claim_id, shift, effect=effect, **fields):
    """A claim; fields of Effect go into its only effect, the others into the claim."""
    its = {"name": "accuracy, ours minus theirs", "unit": "points"}
    its |= {name: fields.pop(name) for name in [*fields] if name in ("unit", "margin", "smallest", "equal", "holds")}
    defaults = {
        "chapter": "fake",
        "title": f"Fake {claim_id}",
        "question": "Ours is better.",
        "tasks": lambda settings: [(seed, shift) for seed in settings.each_seed],
        "measure": measure,
        "effects": (Effect(of=effect, **its),),
        "figure": draw,
    }
    return Claim(id=claim_id, **defaults | fields)


CLAIMS = [
    make("F1", 100.0, ratios=lambda rows: {"theory": 10.0, "disk": 9.0, "clock": 0.5}),
    make("F2", -100.0),
    make("F3", 100.0, timed=True),
    make("F4", 0.0, effect=lambda rows: len(rows) > 0),
]
SLOW = [make("S0", 100.0)] + [
    make(claim_id, 0.0, measure=measure_slowly, tasks=lambda settings: [(seed,) for seed in range(4)], timed=timed)
    for claim_id, timed in (("S1", False), ("S2", True))
]
