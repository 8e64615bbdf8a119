"""Tests of cascade. Public: the statement's numbers. Hidden: ties, a single net, and all subsets."""

import contextlib
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from tinycompress.course import Partial, SubmissionProblem, expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()


def nets_of(value):
    value = value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else value
    assert isinstance(value, list | tuple), "the result should be a list of the nets' indices"
    return [expect_number(i, "a net") for i in value]


@pytest.mark.public
@pytest.mark.points(0.15)
def test_images_leave_where_a_net_is_sure(submission):
    """The first net that is sure enough answers."""
    confidences = np.array([[0.9, 0.5, 0.5], [0.9, 0.8, 0.5], [0.1, 0.2, 0.3]])
    found = expect_array(submission.leaving(confidences, np.array([0.8, 0.8])), (3,), "int", "the exits")
    assert found.tolist() == [0, 1, 2], (
        "take the first net whose confidence reaches its threshold; all remaining images leave at the last net"
    )


@pytest.mark.public
@pytest.mark.points(0.15)
def test_the_cost_of_the_statement(submission):
    """The mean cost is 35 million MACs."""
    exits = np.array([0] * 7 + [1] * 2 + [2])
    found = submission.mean_cost(np.array([10.0, 50.0, 100.0]), exits)
    expect_close(found, 35.0, "an image pays for the net that answers and for all that were asked before it")


@pytest.mark.public
@pytest.mark.points(0.15)
def test_a_choice_of_one(submission):
    """If the budget allows only the cheap net, there is one choice."""
    found = submission.best_subset(np.array([1.0, 9.0]), np.full((2, 4), 0.5), np.ones((2, 4), bool), 0.9, 2.0)
    assert nets_of(found) == [0], "the other choices cost 9 and 1 + 9"


@pytest.mark.public
@pytest.mark.points(0.15)
def test_a_quarter_must_leave(submission):
    """A net of cost 1 before one of cost 4."""
    found = expect_number(submission.share_to_pay(1.0, 4.0), "the share")
    expect_close(found, 0.25, "if a quarter leaves, an image costs 1 + 3/4 * 4 = 4 on average")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_exits_of_many_images(submission, rng):
    """Thresholds may differ, and there may be a single net."""
    for nets in 2, 4, 1:
        c, t = rng.random((60, nets)).T, rng.random(nets - 1)
        found = expect_array(submission.leaving(c, t), (60,), "int", "the exits")
        expected = [next((i for i in range(nets - 1) if c[i, n] >= t[i]), nets - 1) for n in range(60)]
        assert found.tolist() == expected, "the first net that is sure enough answers; the last net has no threshold"


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_confidences_that_equal_the_threshold(submission, rng):
    """`At least` includes equality."""
    c, t = rng.integers(0, 5, (4, 60)) / 4, rng.integers(1, 5, 3) / 4
    found = expect_array(submission.leaving(c, t), (60,), "int", "the exits")
    expected = [next((i for i in range(3) if c[i, n] >= t[i]), 3) for n in range(60)]
    assert found.tolist() == expected, "a confidence equal to the threshold is enough"
    if found.dtype != np.int64:
        raise Partial(0.5, "exits are int64")


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_costs_of_many_images(submission, rng):
    """The costs of many images are added up image by image; nets may have no image, and there may be one net."""
    for nets, images in (4, 30), (5, 2), (1, 7):
        costs, exits = rng.uniform(1, 9, nets), rng.integers(0, nets, images)
        expected = sum(costs[: e + 1].sum() for e in exits.tolist()) / images
        found = submission.mean_cost(costs, exits)
        expect_close(found, expected, "add up the costs of all nets that were asked about an image")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_the_share_that_pays(submission, rng):
    """At this share the cascade costs as much as the costly net."""
    for low, high in (1, 2), (5, 9), (0.1, 0.2):
        cheap, costly = float(rng.uniform(low, high)), float(rng.uniform(1, 5))
        share = expect_number(submission.share_to_pay(cheap, costly))
        message = "all images pay for the cheap net, and those that do not leave also pay for the costly one"
        expect_close(cheap + (1 - share) * costly, costly, message)


def judged(nets, costs, confidences, correct, threshold):
    """(share of right answers, mean cost), computed image by image."""
    right = cost = 0
    for n in range(confidences.shape[1]):
        for i in nets:
            cost += costs[i]
            if confidences[i, n] >= threshold or i == nets[-1]:
                right += correct[i, n]
                break
    return right / confidences.shape[1], cost / confidences.shape[1]


def judged_by(submission, nets, costs, confidences, correct, threshold):
    """The same with the student's own `leaving` and `mean_cost`."""
    nets = list(nets)
    exits = expect_array(submission.leaving(confidences[nets], np.full(len(nets) - 1, threshold)), (64,), "int")
    cost = expect_number(submission.mean_cost(costs[nets], exits))
    assert 0 <= exits.min() and exits.max() < len(nets) and cost > 0
    return correct[nets][exits, np.arange(64)].mean(), cost


def best(judge, costs, budget, *rest):
    """The best choice of all by these judgements; None if there is none."""
    found = {}
    for nets in (c for r in range(1, 5) for c in combinations(range(4), r)):
        accuracy, cost = judge(nets, costs, *rest)
        if cost <= budget:
            found[nets] = (accuracy, -cost)
    return max(found, key=found.get) if found else None


def four_nets(rng):
    """Whole numbers as costs, and 64 images: mean costs are exact."""
    costs = np.array([3.0, 11.0, 37.0, 80.0]) + rng.integers(-2, 3, 4)
    correct = rng.random((4, 64)) < np.array([0.6, 0.75, 0.85, 0.9])[:, None]
    return costs, np.clip(rng.normal(0.45, 0.2, (4, 64)) + 0.35 * correct, 0, 1), correct, 0.7


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_the_best_of_all_choices(submission, rng):
    """Your choice is compared with all choices of four nets. Your own `leaving` and `mean_cost` count as right here."""
    right, budgets = 0, (12.0, 40.0, 60.0, 90.0, 1000.0)
    for budget in budgets:
        costs, *rest = four_nets(rng)
        found = tuple(nets_of(submission.best_subset(costs, *rest, budget)))
        good = found == best(judged, costs, budget, *rest)
        if not good:
            with contextlib.suppress(AssertionError, SubmissionProblem):
                good = found == best(partial(judged_by, submission), costs, budget, *rest)
        right += good
    assert right, "another choice is more accurate within the budget, or as accurate and cheaper"
    if right < len(budgets):
        message = f"the best choice for only {right} of {len(budgets)} budgets: any of the nets may be left out"
        raise Partial(right / len(budgets) / 2, message)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_equally_accurate_choices(submission, rng):
    """If all nets are always right, the cheapest choice counts, wherever it is; if each knows its own images, all nets do."""
    for cheapest in range(4):
        costs = np.roll([5.0, 9.0, 14.0, 20.0], cheapest) + float(rng.random())
        found = nets_of(submission.best_subset(costs, rng.random((4, 64)), np.ones((4, 64), bool), 0.5, 1e3))
        assert found == [cheapest], "of equally accurate choices take the cheapest"
    order = rng.permutation(64) % 4
    knows = np.arange(4)[:, None] == order
    found = nets_of(submission.best_subset(costs, np.where(knows, 0.9, 0.1), knows, 0.5, 1e3))
    assert found == [0, 1, 2, 3], "each net knows what no other knows: all of them are a choice, too"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_budgets_that_just_suffice(submission, rng):
    """A choice may cost exactly the budget; a budget below all costs is refused."""
    costs = rng.integers(5, 50, 2).astype(float) * [1, 10]
    arguments = costs, np.full((2, 64), 0.5), np.ones((2, 64), bool), 0.9
    assert nets_of(submission.best_subset(*arguments, costs[0])) == [0], "a mean cost of exactly the budget is allowed"
    expect_error(
        ValueError, submission.best_subset, *arguments, costs[0] - 1, message="even the cheapest net costs more"
    )
