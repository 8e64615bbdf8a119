"""Tests of low_rank. Public: the statement's spectrum. Hidden: edge cases, nearness, balance and budgets."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_number, expect_tuple

MAY_IMPORT = ()

SPECTRUM = np.array([4.0, 2.0, 1.0, 0.0])


def ranks(value, count):
    return [expect_number(rank, "a rank") for rank in expect_tuple(value, count, "the ranks")]


@pytest.mark.public
@pytest.mark.points(1)
def test_the_spectrum_of_the_statement(submission):
    """Rank 1 keeps 76 % of the energy, rank 2 keeps 95 %."""
    message = "energy is the sum of squares: 16, 20, 21, 21 of 21"
    assert expect_number(submission.rank_for_energy(SPECTRUM, 0.7), "the rank") == 1, message
    assert expect_number(submission.rank_for_energy(SPECTRUM, 0.9), "the rank") == 2, message


@pytest.mark.public
@pytest.mark.points(1)
def test_a_product_of_rank_one(submission):
    """A weight of rank 1 equals the product of its factors."""
    weight = np.outer([1.0, 2.0], [3.0, 0.0, 1.0])
    first, second = expect_tuple(submission.factors(weight, 1), 2)
    first, second = expect_array(first, (2, 1), "float", "first"), expect_array(second, (1, 3), "float", "second")
    expect_close(first @ second, weight, "first @ second should equal the weight: do not lose the singular value")


@pytest.mark.public
@pytest.mark.points(1)
def test_a_budget_for_two_layers(submission):
    """The steep layer needs no second rank; the flat one does."""
    found = ranks(submission.ranks_for_budget([np.array([9.0, 1.0]), np.array([5.0, 5.0])], [10, 10], 30), 2)
    assert found == [1, 2], "a second rank gains 1/82 of the first layer's energy, but half of the other's"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_ranks_by_energy(submission, rng):
    """Many spectra, no energy, and all of it."""
    for energy in 0.3, 0.8, 0.99:
        s = np.sort(rng.exponential(size=12))[::-1]
        rank = expect_number(submission.rank_for_energy(s, energy), "the rank")
        kept = (s[: int(rank)] ** 2).sum() / (s**2).sum()
        less = (s[: int(rank) - 1] ** 2).sum() / (s**2).sum()
        assert kept >= energy - 1e-9, "the rank keeps less than was asked for"
        assert less < energy, "a smaller rank keeps enough: sum the squares, not the singular values"
    assert expect_number(submission.rank_for_energy(SPECTRUM, 0.0)) == 1, "a rank is at least 1"
    assert expect_number(submission.rank_for_energy(SPECTRUM, 1.0)) == 3, "zeros hold no energy: rank 3 keeps all"
    s = np.full(10, 0.1)
    assert expect_number(submission.rank_for_energy(s, 0.3)) == 3, "3 of 10 equal squares are 0.3, up to rounding"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_spectra_and_shares_that_are_special(submission):
    """A spectrum of zeros has rank 1; a share above 1 is refused."""
    assert expect_number(submission.rank_for_energy(np.zeros(3), 0.9)) == 1, "0 / 0 is not a share; the rank is 1"
    expect_error(ValueError, submission.rank_for_energy, SPECTRUM, 1.5, message="no rank keeps more than all energy")


@pytest.mark.hidden
@pytest.mark.points(3)
def test_factors_are_nearest_and_balanced(submission, rng):
    """Products of several ranks, for tall and for wide weights."""
    balanced = True
    for shape in (8, 5), (4, 9):
        weight = rng.normal(size=shape)
        s = np.linalg.svd(weight, compute_uv=False)
        for rank in 1, 3, 4:
            first, second = expect_tuple(submission.factors(weight, rank), 2)
            expect_array(first, (shape[0], rank), "float", "first")
            expect_array(second, (rank, shape[1]), "float", "second")
            lost = ((weight - first @ second) ** 2).sum()
            assert abs(lost - (s[rank:] ** 2).sum()) < 1e-8, "a nearer product exists: take the largest singular values"
            diagonal = np.diag(s[:rank])
            balanced &= np.allclose(first.T @ first, diagonal) and np.allclose(second @ second.T, diagonal)
    if not balanced:
        raise Partial(0.6, "the product is right, but give each factor the square root of the singular values")


@pytest.mark.hidden
@pytest.mark.points(2)
def test_budgets_are_spent_where_they_buy_most(submission, reference, rng):
    """Three layers have different prices and scales."""
    for budget in 90, 150, 200, 250, 300, 350, 10000:
        spectra = [scale * np.sort(rng.exponential(size=n))[::-1] for scale, n in ((1, 6), (100, 9), (0.01, 4))]
        prices = [20, 50, 12]
        found = ranks(submission.ranks_for_budget(spectra, prices, budget), 3)
        assert all(1 <= r <= len(s) for r, s in zip(found, spectra, strict=True)), "each rank is from 1 to full rank"
        assert sum(r * p for r, p in zip(found, prices, strict=True)) <= budget, "the ranks cost more than the budget"
        message = "energy is a share of the layer's own squares; divide its gain by the price; go on while a rank fits"
        assert found == list(reference.ranks_for_budget(spectra, prices, budget)), message


@pytest.mark.hidden
@pytest.mark.points(1)
def test_a_small_budget_and_a_rank_that_does_not_fit(submission):
    """Another layer may use what the best one cannot; a budget that is too small is refused."""
    spectra = [np.array([5.0, 5.0]), np.array([9.0, 1.0])]
    found = ranks(submission.ranks_for_budget(spectra, [100, 10], 125), 2)
    assert found == [1, 2], "if the best layer's next rank is too expensive, the next best layer that fits gets one"
    expect_error(
        ValueError, submission.ranks_for_budget, spectra, [100, 10], 109, message="rank 1 everywhere costs more"
    )
