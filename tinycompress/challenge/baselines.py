"""The lecture's own hand-ins: the plain net, each chapter's methods alone, and all together, at several strengths."""

from collections.abc import Iterator
from pathlib import Path

from ..dynamic import EarlyExit
from ..lecture.together.methods import METHODS, trained_on
from ..lecture.together.nets import Plan, Small, plan_for, teacher_of
from ..nn import Module
from ..quantization import tcz
from ..recipe import Recipe, compress
from .exits import with_thresholds
from .images import DATA, public_data
from .rules import Rules

TOGETHER = {"all together": 0.2, "all together, smaller": 0.1, "all together, smallest": 0.05}  # shares of weights kept


def names() -> list[str]:
    """What the baselines are called, in the order in which they are trained."""
    return ["plain net", *(method.name for method in METHODS), *TOGETHER]


def baselines(folder: Path, rules: Rules, seed: int, without: set[str]) -> Iterator[tuple[str, bytes]]:
    """Train the baselines that are not in `without`, and yield the name and the .tcz bytes of each as soon as it is there.

    folder: of the challenge, whose data.npz is all that they see; as in the lecture, the test split, here the public half,
    is used for nothing.
    """
    wanted = [baseline for baseline in names() if baseline not in without]
    if not wanted:
        return
    dataset = public_data(folder)
    plan = plan_for("quick", dataset)
    teacher = teacher_of(str(folder / DATA), plan, seed)
    methods = {method.name: method for method in METHODS}
    for baseline in wanted:
        if baseline == "plain net":
            small = trained_on(teacher, dataset, plan, seed)
        elif baseline in TOGETHER:
            small = compress(together(plan, TOGETHER[baseline]), dataset, seed, net=teacher)
        else:
            small = methods[baseline].apply(teacher, dataset, plan, seed, methods[baseline].strength)
        yield baseline, tcz.to_bytes(_stored(small, dataset.x_val, rules))


def together(plan: Plan, kept: float) -> Recipe:
    """Prune by bits and remove the neurons that die, learn from the teacher, pull together and cluster, round, and code."""
    return Recipe(
        kept=kept,
        k=6,
        prune=2 * plan.more,
        pull=plan.more,
        tune=plan.more,
        lrs=plan.lrs,
        centroid_lrs=plan.small_lrs,
        batch_size=plan.batch_size,
        bias_bits=5,
        distil=True,
        per_bit=True,
    )


def _stored(small: Small | Module, x, rules: Rules) -> Module:
    """The net to hand in; with exits, one that stops by itself at the probability that the rules give."""
    if isinstance(small, Module):
        return small
    if not isinstance(small.runs, EarlyExit):
        return small.net
    if max(small.runs.thresholds) == 1:  # an exit at which nobody leaves would only cost
        return small.net.exit(-1)
    return with_thresholds(small.net, small.runs.thresholds, x, rules.leave_at)
