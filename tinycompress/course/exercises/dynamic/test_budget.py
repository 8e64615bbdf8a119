"""Tests of budget: the statement's table in public; hulls, mixtures and deadlines of any table after hand-in."""

import numpy as np
import pytest

from tinycompress.course import expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()

COSTS, ACCURACIES = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.80, 0.88, 0.85, 0.96])


def settings(value):
    assert isinstance(value, list | tuple) and value, "there should be a list of settings"
    return [expect_number(i, "a setting") for i in value]


@pytest.mark.public
@pytest.mark.points(1)
def test_a_setting_below_the_hull(submission):
    """A setting that is dearer than another one and less accurate is not on the hull."""
    found = settings(submission.hull(np.array([1.0, 2.0, 3.0]), np.array([0.7, 0.9, 0.8])))
    assert found == [0, 1], "the hull goes from the cheapest setting to the most accurate one"


@pytest.mark.public
@pytest.mark.points(1)
def test_half_and_half(submission):
    """3 ms are half of the images at 2 ms and half at 4 ms."""
    found = submission.mixture(COSTS, ACCURACIES, [0, 1, 3], 3.0)
    expect_close(found, [0, 0.5, 0, 0.5], "the two settings of the hull on either side of the budget, mixed to meet it")


@pytest.mark.public
@pytest.mark.points(1)
def test_the_next_of_three_images(submission):
    """Of 6 ms the two later images need 1 each, so that 4 are to spare."""
    found = expect_number(submission.next_setting(COSTS, ACCURACIES, 6.0, 3))
    assert found == 3, "6 - 2 * 1 = 4 ms may be spent on this image"


def best_mixture(costs, accuracies, budget):
    """The accuracy of the best pair, by trying all."""
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
@pytest.mark.points(2)
def test_hulls_of_any_table(submission, rng):
    """Settings in any order of cost; each on the hull is of use, and none is missing."""
    for n in 1, 2, 5, 12, 20:
        costs, accuracies = table(rng, n)
        found = settings(submission.hull(costs, accuracies))
        assert set(found) <= set(range(n)), "settings are numbered from 0, in the order of the table"
        expected = []
        for i in range(n):
            others = [j for j in range(n) if j != i]
            if not others or accuracies[i] > best_mixture(costs[others], accuracies[others], costs[i]):
                expected.append(i)
        expected.sort(key=lambda i: costs[i])
        assert set(found) <= set(expected), "a mixture of two other settings is as good as one of these"
        assert found == expected, "some setting that no mixture of others beats is missing, or they are not in order"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_points_on_a_line_and_equal_accuracies(submission):
    """What a mixture equals is left out; of equally accurate settings the cheapest stays."""
    found = settings(submission.hull(np.array([1.0, 2.0, 3.0]), np.array([0.25, 0.5, 0.75])))
    assert found == [0, 2], "the middle one lies on the line: a mixture of the others is as good"
    found = settings(submission.hull(np.array([3.0, 1.0, 2.0]), np.array([0.75, 0.25, 0.75])))
    assert found == [1, 2], "of two equally accurate settings the dearer one is of no use"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_mixtures_of_any_table(submission, reference, rng):
    """No pair of settings is better within the budget."""
    for n in 3, 8, 15:
        costs, accuracies = table(rng, n)
        corners = list(reference.hull(costs, accuracies))
        for budget in [costs.min(), *rng.uniform(costs.min(), costs.max(), 4).tolist(), costs.max() + 3]:
            shares = expect_array(submission.mixture(costs, accuracies, corners, budget), (n,), "float", "the shares")
            assert (shares >= 0).all() and abs(shares.sum() - 1) < 1e-9, "shares are not negative, and their sum is 1"
            assert shares @ costs <= budget * (1 + 1e-9), "the mean cost is above the budget"
            best = best_mixture(costs, accuracies, budget)
            assert shares @ accuracies >= best - 1e-9, "another mixture within the budget is more accurate"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_a_budget_below_the_cheapest(submission):
    """No mixture is cheaper than the cheapest setting."""
    message = "a mean below the cheapest cost cannot be: say so"
    expect_error(ValueError, submission.mixture, COSTS, ACCURACIES, [0, 1, 3], 0.5, message=message)


@pytest.mark.hidden
@pytest.mark.points(2)
def test_a_batch_is_ready_in_time(submission, rng):
    """Image after image, with times that come out shorter than feared."""
    for n, images in (4, 10), (7, 25):
        costs, accuracies = table(rng, n)
        left = images * float(rng.uniform(costs.min(), costs.max()))
        for todo in range(images, 0, -1):
            found = int(expect_number(submission.next_setting(costs, accuracies, left, todo)))
            assert found in range(n), "a setting is a number of the table"
            spare = left - (todo - 1) * costs.min()
            assert costs[found] <= spare + 1e-9, "the images after this one could not be finished any more"
            fitting = accuracies[costs <= spare - 1e-9]
            assert accuracies[found] >= fitting.max(initial=0), "a more accurate setting would have left enough"
            left -= costs[found] * float(rng.uniform(0.5, 1))


@pytest.mark.hidden
@pytest.mark.points(1)
def test_too_late_and_equally_accurate(submission):
    """Where nothing fits it is the cheapest; of equally accurate settings, too."""
    costs = np.array([3.0, 1.0, 2.0])
    found = expect_number(submission.next_setting(costs, np.array([0.9, 0.5, 0.9]), 0.2, 4))
    assert found == 1, "it is too late already: lose as little more as possible"
    found = expect_number(submission.next_setting(costs, np.array([0.9, 0.5, 0.9]), 9.0, 1))
    assert found == 2, "of equally accurate settings the cheapest leaves more for the others"
