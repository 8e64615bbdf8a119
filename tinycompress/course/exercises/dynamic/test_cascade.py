"""Tests of cascade. Public: the statement's numbers. Hidden: ties, a single net, and all subsets."""

from itertools import combinations

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(1)
def test_images_leave_where_a_net_is_sure(submission):
    """The first net that is sure enough answers."""
    confidences = np.array([[0.9, 0.5, 0.5], [0.9, 0.8, 0.5], [0.1, 0.2, 0.3]])
    found = expect_array(submission.leaving(confidences, np.array([0.8, 0.8])), (3,), "int", "the exits")
    assert found.tolist() == [0, 1, 2], (
        "take the first net whose confidence reaches its threshold; all remaining images leave at the last net"
    )


@pytest.mark.public
@pytest.mark.points(1)
def test_the_cost_of_the_statement(submission):
    """The mean cost is 35 million MACs."""
    exits = np.array([0] * 7 + [1] * 2 + [2])
    found = submission.mean_cost(np.array([10.0, 50.0, 100.0]), exits)
    expect_close(found, 35.0, "an image pays for the net that answers and for all that were asked before it")


@pytest.mark.public
@pytest.mark.points(1)
def test_a_choice_of_one(submission):
    """If the budget allows only the cheap net, there is one choice."""
    found = submission.best_subset(np.array([1.0, 9.0]), np.full((2, 4), 0.5), np.ones((2, 4), bool), 0.9, 2.0)
    assert isinstance(found, list | tuple) and list(found) == [0], "the other choices cost 9 and 1 + 9"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_exits_of_many_images(submission, rng):
    """Thresholds may differ, confidences may equal them, and there may be a single net."""
    for nets in 2, 4, 1:
        c, t = rng.integers(0, 5, (nets, 60)) / 4, rng.integers(1, 5, nets - 1) / 4
        found = expect_array(submission.leaving(c, t), (60,), "int", "the exits")
        expected = [next((i for i in range(nets - 1) if c[i, n] >= t[i]), nets - 1) for n in range(60)]
        assert found.tolist() == expected, "a confidence equal to the threshold is enough; the last net has none"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_costs_of_many_images(submission, rng):
    """The costs of many images are added up image by image."""
    costs, exits = rng.uniform(1, 9, 4), rng.integers(0, 4, 30)
    expected = sum(costs[: e + 1].sum() for e in exits.tolist()) / 30
    expect_close(
        submission.mean_cost(costs, exits), expected, "add up the costs of all nets that were asked about an image"
    )


@pytest.mark.hidden
@pytest.mark.points(1)
def test_the_share_that_pays(submission, rng):
    """At this share the cascade costs as much as the costly net."""
    for cheap, costly in (1.0, 4.0), (3.0, 2.0), tuple(rng.uniform(1, 2, 2).tolist()):
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


@pytest.mark.hidden
@pytest.mark.points(2)
def test_the_best_of_all_choices(submission, rng):
    """Your choice is compared with all choices of four nets, for several budgets."""
    right = 0
    for budget in 12.0, 40.0, 90.0, 1000.0:
        costs = np.array([3.0, 11.0, 37.0, 80.0]) * rng.uniform(0.95, 1.05, 4)
        skill = np.array([0.6, 0.75, 0.85, 0.9])[:, None]
        correct = rng.random((4, 50)) < skill
        confidences = np.clip(rng.normal(0.45, 0.2, (4, 50)) + 0.35 * correct, 0, 1)
        choices = {}
        for nets in (c for r in range(1, 5) for c in combinations(range(4), r)):
            accuracy, cost = judged(nets, costs, confidences, correct, 0.7)
            if cost <= budget:
                choices[nets] = (accuracy, -cost)
        found = submission.best_subset(costs, confidences, correct, 0.7, budget)
        assert isinstance(found, list | tuple), "the result should be a list of the nets' indices"
        found = [expect_number(i, "a net") for i in found]
        assert tuple(found) in choices, "a choice is a list of increasing indices with a mean cost within the budget"
        right += tuple(found) == max(choices, key=choices.get)
    assert right, "another choice is more accurate within the budget, or as accurate and cheaper"
    if right < 4:
        raise Partial(right / 8, f"the best choice for only {right} of 4 budgets: any of the nets may be left out")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_a_budget_below_the_cheapest_net(submission):
    """If no choice fits the budget, it is refused."""
    arguments = np.array([2.0, 9.0]), np.full((2, 4), 0.5), np.ones((2, 4), bool), 0.9, 1.0
    expect_error(ValueError, submission.best_subset, *arguments, message="even the cheapest net costs more")
