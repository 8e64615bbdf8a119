"""Tests of budget. Public: small tables. Hidden: hulls, mixtures and deadlines of any table."""

import numpy as np
import pytest

from tinycompress.course import expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()

COSTS, ACCURACIES = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.80, 0.88, 0.85, 0.96])


def settings(value):
    value = value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else value
    assert isinstance(value, list | tuple) and value, "the result should be a list of settings, not empty"
    return [expect_number(i, "a setting") for i in value]


@pytest.mark.public
@pytest.mark.points(0.4)
def test_a_setting_below_the_hull(submission):
    """A setting that costs more than another one and is less accurate is not on the hull."""
    found = settings(submission.hull(np.array([1.0, 2.0, 3.0]), np.array([0.7, 0.9, 0.8])))
    assert found == [0, 1], "the hull goes from the cheapest setting to the most accurate one"


@pytest.mark.public
@pytest.mark.points(0.4)
def test_half_and_half(submission):
    """A mean of 3 ms is half of the images at 2 ms and half at 4 ms."""
    found = submission.mixture(COSTS, ACCURACIES, [0, 1, 3], 3.0)
    expect_close(found, [0, 0.5, 0, 0.5], "mix the two settings of the hull on either side of the budget to meet it")


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_next_of_three_images(submission):
    """Of 6 ms, the two later images need 1 ms each, so 4 ms are left for this one."""
    found = expect_number(submission.next_setting(COSTS, ACCURACIES, 6.0, 3))
    assert found == 3, "6 - 2 * 1 = 4 ms may be spent on this image"


def best_mixture(costs, accuracies, budget):
    """The accuracy of the best mixture of two settings, by trying all pairs."""
    best = max((a for c, a in zip(costs, accuracies, strict=True) if c <= budget), default=-1)
    for i, low in enumerate(costs):
        for j, high in enumerate(costs):
            if low <= budget < high:
                share = (budget - low) / (high - low)
                best = max(best, share * accuracies[j] + (1 - share) * accuracies[i])
    return best


def table(rng, n):
    costs = rng.permutation(np.cumsum(rng.uniform(0.5, 2, n)))
    return costs, np.clip(0.6 + 0.05 * np.sqrt(costs) + rng.normal(0, 0.03, n), 0, 1)


@pytest.mark.hidden
@pytest.mark.points(3)
def test_hulls_of_any_table(submission, rng):
    """Settings may come in any order; each one on the hull is useful, and none is missing."""
    for n in 1, 2, 5, 12, 20:
        costs, accuracies = table(rng, n)
        found = settings(submission.hull(costs, accuracies))
        assert set(found) <= set(range(n)), "settings are numbers from 0, in the order of the table"
        expected = []
        for i in range(n):
            others = [j for j in range(n) if j != i]
            if not others or accuracies[i] > best_mixture(costs[others], accuracies[others], costs[i]):
                expected.append(i)
        expected.sort(key=lambda i: costs[i])
        assert set(found) <= set(expected), "a mixture of two other settings is as good as one of these"
        assert found == expected, "a setting that no mixture of others beats is missing, or the order is wrong"


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_points_on_a_line_and_equal_accuracies(submission, rng):
    """A setting that a mixture equals is left out; of equally accurate settings the cheapest stays."""
    for n in 3, 6:
        order = rng.permutation(n)
        steps = np.arange(n)[order] * 2.0 ** int(rng.integers(-2, 3))
        found = settings(submission.hull(1 + steps, 0.25 + steps / 64))
        ends = [int(np.flatnonzero(order == i)[0]) for i in (0, n - 1)]
        assert found == ends, "settings between two others lie on their line: a mixture of the two is as good"
    costs, accuracies = rng.permutation([3.0, 4.0, 5.0]), np.full(3, float(rng.random()))
    found = settings(submission.hull(costs, accuracies))
    assert found == [int(costs.argmin())], "of equally accurate settings, the more expensive ones are useless"
    costs, accuracies = np.append(1.0, costs), np.append(0.1, np.full(3, 0.75))
    found = settings(submission.hull(costs, accuracies))
    assert found == [0, 1 + int(costs[1:].argmin())], "it ends at the cheapest of the most accurate settings"


def check_mixture(submission, costs, accuracies, corners, budget):
    shares = expect_array(submission.mixture(costs, accuracies, corners, budget), costs.shape, "float", "the shares")
    assert (shares >= 0).all() and abs(shares.sum() - 1) < 1e-9, "shares are not negative, and their sum is 1"
    assert shares @ costs <= budget * (1 + 1e-9), "the mean cost is above the budget"
    best = best_mixture(costs, accuracies, budget)
    assert shares @ accuracies >= best - 1e-9, "another mixture within the budget is more accurate"
    assert shares.dtype == np.float64, "shares are float64"


@pytest.mark.hidden
@pytest.mark.points(2.4)
def test_mixtures_of_any_table(submission, reference, rng):
    """No mixture of two settings is better within the budget."""
    for n in 1, 3, 8, 15:
        costs, accuracies = table(rng, n)
        corners = list(reference.hull(costs, accuracies))
        for budget in [*(costs.min() + rng.uniform(0.01, 0.99, 5) * max(1, np.ptp(costs))), costs.max() + 3]:
            check_mixture(submission, costs, accuracies, corners, budget)


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_budgets_that_equal_a_cost(submission, reference, rng):
    """A budget may be just the cost of a setting on the hull, also of the cheapest."""
    costs, accuracies = table(rng, 8)
    corners = list(reference.hull(costs, accuracies))
    for budget in costs[corners]:
        check_mixture(submission, costs, accuracies, corners, budget)


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_a_budget_below_the_cheapest(submission, reference, rng):
    """No mixture is cheaper than the cheapest setting."""
    costs, accuracies = table(rng, 6)
    arguments = costs, accuracies, list(reference.hull(costs, accuracies)), costs.min() - 0.01
    message = "a mean below the cheapest cost is impossible: raise ValueError"
    expect_error(ValueError, submission.mixture, *arguments, message=message)
    check_mixture(submission, *arguments[:3], costs.max() + 1)


@pytest.mark.hidden
@pytest.mark.points(1.8)
def test_a_batch_is_ready_in_time(submission, rng):
    """Settings are chosen image after image; each image may take less time than its setting's cost."""
    for n, images in (4, 10), (7, 25):
        costs, accuracies = table(rng, n)
        left = images * float(rng.uniform(costs.min(), costs.max()))
        for todo in range(images, 0, -1):
            found = int(expect_number(submission.next_setting(costs, accuracies, left, todo)))
            assert found in range(n), "the result should be the number of a setting in the table"
            spare = left - (todo - 1) * costs.min()
            assert costs[found] <= spare + 1e-9, "the images after this one could no longer be finished"
            fitting = accuracies[costs <= spare - 1e-9]
            assert accuracies[found] >= fitting.max(initial=0), "a more accurate setting would have left enough time"
            left -= costs[found] * float(rng.uniform(0.5, 1))


@pytest.mark.hidden
@pytest.mark.points(1)
def test_too_late_just_in_time_and_equally_accurate(submission, rng):
    """If no setting fits, take the cheapest; a setting may fit exactly; of equally accurate ones take the cheapest."""
    for _ in range(4):
        costs, images = rng.permutation([1.0, 2.0, 3.0, 5.0]), int(rng.integers(1, 9))
        accuracies = 0.5 + costs / 10
        found = expect_number(submission.next_setting(costs, accuracies, images - 0.5, images))
        assert costs[int(found)] == 1, "it is already too late: take the cheapest, to lose no more time than necessary"
        for cost in 1, 2, 3, 5:
            found = expect_number(submission.next_setting(costs, accuracies, images - 1.0 + cost, images))
            assert costs[int(found)] == cost, "a setting that leaves just enough time for the others fits"
        same = np.where(costs > 2, 0.9, 0.5)
        found = expect_number(submission.next_setting(costs, same, images + 9.0, images))
        assert costs[int(found)] == 3, "of equally accurate settings, the cheapest leaves more time for the others"
