"""Tests of low_rank. Public: the statement's spectrum. Hidden: edge cases, nearness, balance and budgets."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_number, expect_tuple

MAY_IMPORT = ()

SPECTRUM = np.array([4.0, 2.0, 1.0, 0.0])


def ranks(value, count):
    value = value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else value
    return [expect_number(rank, "a rank") for rank in expect_tuple(value, count, "the ranks")]


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_spectrum_of_the_statement(submission):
    """Rank 1 keeps 76 % of the energy, rank 2 keeps 95 %."""
    message = "energy is the sum of squares: 16, 20, 21, 21 of 21"
    assert expect_number(submission.rank_for_energy(SPECTRUM, 0.7), "the rank") == 1, message
    assert expect_number(submission.rank_for_energy(SPECTRUM, 0.9), "the rank") == 2, message


@pytest.mark.public
@pytest.mark.points(0.4)
def test_a_product_of_rank_one(submission):
    """A weight of rank 1 equals the product of its factors, which are equally large."""
    weight = np.outer([1.0, 2.0], [3.0, 0.0, 1.0])
    first, second = expect_tuple(submission.factors(weight, 1), 2)
    first, second = expect_array(first, (2, 1), "float", "first"), expect_array(second, (1, 3), "float", "second")
    expect_close(first @ second, weight, "first @ second should equal the weight: do not lose the singular value")
    message = "the factors are equally large: each gets the square root of the singular value"
    expect_close((first**2).sum(), (second**2).sum(), message)


@pytest.mark.public
@pytest.mark.points(0.4)
def test_a_budget_for_two_layers(submission):
    """The steep layer needs no second rank; the flat one does."""
    found = ranks(submission.ranks_for_budget([np.array([9.0, 1.0]), np.array([5.0, 5.0])], [10, 10], 30), 2)
    assert found == [1, 2], "a second rank gains 1/82 of the first layer's energy, but half of the other's"


def spectrum(rng, n):
    return np.sort(rng.exponential(size=n))[::-1]


@pytest.mark.hidden
@pytest.mark.points(2)
def test_ranks_by_energy(submission, rng):
    """Many spectra and energies."""
    for energy in 0.3, 0.8, 0.99, *rng.uniform(0.1, 0.9, 5).tolist():
        s = spectrum(rng, int(rng.integers(5, 20)))
        rank = int(expect_number(submission.rank_for_energy(s, energy), "the rank"))
        assert 1 <= rank <= len(s), "a rank is from 1 to the number of singular values"
        shares = np.cumsum(s**2) / (s**2).sum()
        assert shares[rank - 1] >= energy - 1e-9, "the rank keeps less than was asked for"
        assert rank == 1 or shares[rank - 2] < energy, "a smaller rank keeps enough: sum squares, not singular values"


@pytest.mark.hidden
@pytest.mark.points(1.3)
def test_spectra_and_shares_that_are_special(submission, rng):
    """No energy and all of it, equal values, a spectrum of zeros, and shares that are none."""
    n, zeros = int(rng.integers(5, 30)), int(rng.integers(1, 5))
    s = np.append(spectrum(rng, n), np.zeros(zeros))
    assert expect_number(submission.rank_for_energy(s, 0.0)) == 1, "a rank is at least 1"
    assert expect_number(submission.rank_for_energy(s, 1.0)) == n, "zeros hold no energy: the others keep all"
    assert expect_number(submission.rank_for_energy(np.zeros(n), 0.9)) == 1, "0 / 0 is not a share; the rank is 1"
    for size, energy in 20 * ((10, 0.3), (10, 0.7), (5, 0.6), (100, 0.35)):
        s = np.full(size, float(rng.uniform(0.1, 0.2)))
        message = "a whole number of equal squares keeps exactly the share, up to rounding: that is enough"
        assert expect_number(submission.rank_for_energy(s, energy)) == round(size * energy), message
    for bad in 1 + float(rng.uniform(0.01, 1)), -float(rng.uniform(0.01, 1)):
        message = "a share of the energy is from 0 to 1: raise ValueError for any other"
        expect_error(ValueError, submission.rank_for_energy, s, bad, message=message)


@pytest.mark.hidden
@pytest.mark.points(3.5)
def test_factors_are_nearest_and_balanced(submission, rng):
    """Products of several ranks up to the full one, for tall and for wide weights, in either order of memory."""
    balanced = True
    for shape in (8, 5), (4, 9), (1, 3):
        weight = rng.normal(size=shape[::-1]).T
        s = np.linalg.svd(weight, compute_uv=False)
        for rank in {1, len(s) - 1, len(s)} - {0}:
            first, second = expect_tuple(submission.factors(weight, rank), 2)
            expect_array(first, (shape[0], rank), "float", "first")
            expect_array(second, (rank, shape[1]), "float", "second")
            lost = ((weight - first @ second) ** 2).sum()
            assert abs(lost - (s[rank:] ** 2).sum()) < 1e-8, "a nearer product exists: take the largest singular values"
            diagonal = np.diag(s[:rank])
            balanced &= np.allclose(first.T @ first, diagonal) and np.allclose(second @ second.T, diagonal)
    if not balanced:
        raise Partial(0.6, "the product is right, but give each factor the square root of the singular values")


def layers(rng):
    spectra = [scale * spectrum(rng, n) for scale, n in ((1, 6), (100, 9), (0.01, 4))]
    return spectra, rng.permutation([20, 50, 12]).tolist()


@pytest.mark.hidden
@pytest.mark.points(2.5)
def test_budgets_are_spent_where_they_buy_most(submission, reference, rng):
    """Three layers have different prices and scales."""
    for budget in *rng.integers(82, 500, 8).tolist(), 10000:
        spectra, prices = layers(rng)
        found = ranks(submission.ranks_for_budget(spectra, prices, budget), 3)
        assert all(1 <= r <= len(s) for r, s in zip(found, spectra, strict=True)), "each rank is from 1 to full rank"
        assert sum(r * p for r, p in zip(found, prices, strict=True)) <= budget, "the ranks cost more than the budget"
        message = "energy is a share of the layer's own squares; divide its gain by the price; go on while a rank fits"
        assert found == list(reference.ranks_for_budget(spectra, prices, budget)), message


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_a_small_budget_and_a_rank_that_does_not_fit(submission, reference, rng):
    """A budget may be spent to the last weight; equal gains; a budget below rank 1 everywhere is refused."""
    spectra, prices = layers(rng)
    full = list(reference.ranks_for_budget(spectra, prices, 300))
    spent = sum(r * p for r, p in zip(full, prices, strict=True))
    found = ranks(submission.ranks_for_budget(spectra, prices, spent), 3)
    assert found == full, "a rank that costs exactly what is left fits"
    size = float(rng.integers(2, 9))
    spectra = [np.full(2, size), np.array([9.0, 1.0])]
    dear, cheap = int(rng.integers(90, 120)), int(rng.integers(5, 12))
    found = ranks(submission.ranks_for_budget(spectra, [dear, cheap], dear + 2 * cheap + 3), 2)
    assert found == [1, 2], "if the best layer's next rank is too expensive, the next best layer that fits gets one"
    found = ranks(submission.ranks_for_budget([spectra[0], 2 * spectra[0]], [cheap, cheap], 3 * cheap), 2)
    assert found == [2, 1], "of equal gains the first layer's counts"
    found = ranks(submission.ranks_for_budget([np.append(spectra[1], 0), spectra[0]], [cheap, cheap], 5 * cheap), 2)
    assert found == [3, 2], "stop when no rank fits, even if the next one gains nothing"
    assert ranks(submission.ranks_for_budget(spectra, [dear, cheap], dear + cheap), 2) == [1, 1], "rank 1 fits exactly"
    arguments = spectra, [dear, cheap], dear + cheap - 1
    expect_error(ValueError, submission.ranks_for_budget, *arguments, message="rank 1 everywhere costs more")
