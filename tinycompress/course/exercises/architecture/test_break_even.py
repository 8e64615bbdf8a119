"""Tests of break_even. Public: small numbers. Hidden: exactness, both sides of the roofline, and None."""

from fractions import Fraction

import pytest

from tinycompress.course import SubmissionProblem, expect_close, expect_number, expect_tuple

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.2)
def test_two_ninths_begin_at_nine(submission):
    """The share 1/9 + 1/9 = 2/9 is reached at 9 outputs."""
    assert expect_number(submission.least_outputs(3, 2, 9)) == 9, "at 9 outputs the share is exactly 2/9: enough"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_computer_that_only_computes(submission):
    """With an almost unlimited bandwidth, the times are the MACs divided by the peak."""
    found = expect_tuple(submission.layer_times(10, 3, 4, 100.0, 1e12), 2)
    expect_close(found[0], 144.0, "3 * 3 * 10 * 10 weights, at 4 * 4 pixels, 100 per second", name="the standard time")
    expect_close(found[1], 30.4, "90 + 100 weights, at 4 * 4 pixels, 100 per second", name="the separable time")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_twice_as_fast(submission):
    """From C = 3 on, 9 C² is at least twice 9 C + C²."""
    found = expect_number(submission.pays_from(3, 4, 1.0, 1e12, 2.0, 100))
    assert found == 3, "if bandwidth is no limit, 9 C² >= 2 (9 C + C²) holds from C = 3 on"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_shares_are_exact(submission, rng):
    """Shares between those of two numbers of outputs, and a share so large that one output is enough."""
    for _ in range(30):
        kernel, outputs = int(rng.integers(2, 8)), int(rng.integers(2, 400))
        reached, before = (Fraction(1, n) + Fraction(1, kernel**2) for n in (outputs, outputs - 1))
        share = reached + (before - reached) * Fraction(int(rng.integers(1, 5)), 5)
        found = expect_number(submission.least_outputs(kernel, share.numerator, share.denominator))
        assert found == outputs, "1 / outputs + 1 / kernel**2 <= share, exactly"
    many = int(rng.integers(2, 99))
    assert expect_number(submission.least_outputs(int(rng.integers(1, 9)), 2 * many, many)) == 1, (
        "a share of 2 is ample"
    )


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_shares_that_are_just_reached(submission, rng):
    """The share is reached exactly, or missed by a hair; numerator and denominator may be large or have a common factor."""
    for _ in range(30):
        kernel, outputs, factor = int(rng.integers(2, 8)), int(rng.integers(1, 3000)), int(rng.integers(1, 9))
        share = Fraction(1, outputs) + Fraction(1, kernel**2)
        found = expect_number(submission.least_outputs(kernel, factor * share.numerator, factor * share.denominator))
        assert found == outputs, "`at most` includes equality; with floats the last step may round to the wrong side"
    for _ in range(10):  # relative to 1 / outputs, 2.5e-17 is missing
        kernel, outputs = int(rng.integers(2, 8)), int(rng.integers(1, 200))
        share = (
            Fraction(1, outputs) + Fraction(1, kernel**2) - Fraction(1, outputs * kernel**2 * (4 * 10**16 // kernel**2))
        )
        found = expect_number(submission.least_outputs(kernel, share.numerator, share.denominator))
        assert found == outputs + 1, "the share is missed by a hair, which floats do not see: compute with integers"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_shares_that_are_never_reached(submission, rng):
    """The limit is 1/k², which no number of outputs reaches."""
    for below in 0, 0, *rng.integers(1, 20, 4).tolist():
        kernel, factor = int(rng.integers(2, 30)), int(rng.integers(1, 9))
        found = submission.least_outputs(kernel, factor, factor * kernel**2 + below)
        assert found is None, "however many outputs, the share stays above 1/k²"
    kernel, outputs = int(rng.integers(2, 5)), int(rng.integers(100, 200))
    share = Fraction(1, outputs) + Fraction(1, kernel**2) + Fraction(1, 10**6)
    found = expect_number(submission.least_outputs(kernel, share.numerator, share.denominator))
    assert found == outputs, "a share just above 1/k² is reached"


@pytest.mark.hidden
@pytest.mark.points(1)
@pytest.mark.parametrize("which", ["standard", "separable"])
def test_both_sides_of_the_roofline(submission, rng, which):
    """Layers may be limited by bandwidth, by computing, or one part by each."""
    for intensity in 1e-3, 0.2, 1.0, 5.0, 1e3:  # MACs per byte that the machine can compute meanwhile
        channels, kernel, size = int(rng.integers(20, 200)), int(rng.integers(2, 6)), int(rng.integers(3, 30))
        bandwidth = float(rng.uniform(1e9, 1e10))
        peak = intensity * bandwidth
        pixels, times = size * size, []
        for weights in kernel**2 * channels**2, kernel**2 * channels, channels**2:
            numbers = 2 * channels * pixels + weights
            times.append(max(weights * pixels / peak, 4 * numbers / bandwidth))
        found = expect_tuple(submission.layer_times(channels, kernel, size, peak, bandwidth), 2)
        if which == "standard":
            message = (
                "input, weights and output are moved, 4 bytes per number; the longer of moving and computing counts"
            )
            expect_close(found[0], times[0], message, 1e-9, 0, name="the standard time")
        else:
            message = "each part reads and writes its own images, and takes the longer of its own two times"
            expect_close(found[1], times[1] + times[2], message, 1e-9, 0, name="the separable time")


def first_by(layer_times, kernel, size, peak, bandwidth, speedup, most):
    """The first number of channels that pays, by these times."""
    for channels in range(1, most + 1):
        standard, separable = layer_times(channels, kernel, size, peak, bandwidth)
        if standard >= speedup * separable:
            return channels
    return None


def are_times(own, right):
    """Whether these are times that a model of this layer may give, and not numbers made up to agree with `pays_from`."""
    return len(own) == 2 and all(t / 20 <= found <= 20 * t for found, t in zip(own, right, strict=True))


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_where_it_pays(submission, reference, rng):
    """Several machines and kernels. `layer_times` counts as right here even if it is not, but must be of the right size."""
    most = 200
    for kernel in 3, 3, 5:
        size, bandwidth, speedup = int(rng.integers(5, 30)), float(rng.uniform(5e9, 2e10)), float(rng.uniform(1.2, 4))
        case = kernel, size, bandwidth * float(rng.uniform(2, 10)), bandwidth, speedup, most
        found, right = submission.pays_from(*case), first_by(reference.layer_times, *case)
        if found == right:
            continue
        try:
            own = first_by(submission.layer_times, *case)
            for channels in {1, own or 1, most}:
                layer = channels, *case[:4]
                own = own if are_times(submission.layer_times(*layer), reference.layer_times(*layer)) else None
        except (SubmissionProblem, TypeError, ValueError):
            own = None
        consistent = own not in (None, 1) and found == own
        assert consistent, "take the smallest number of channels that is fast enough; a larger one always is, too"


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_where_it_just_pays_and_where_it_never_does(submission, rng):
    """A speedup that is reached exactly, at the last number allowed, and one that no number reaches."""
    peak = 2.0 ** int(rng.integers(0, 20))
    for kernel, channels, speedup in (3, 9, 4.5), (3, 3, 2.25), (2, 4, 2.0), (2, 12, 3.0), (4, 16, 8.0):
        size = 2 ** int(rng.integers(1, 6))
        found = submission.pays_from(kernel, size, peak, 1e30, speedup, channels + int(rng.integers(1, 99)))
        message = "times as fast as asked is fast enough: `at least` includes equality"
        assert found is not None and expect_number(found) == channels, message
        found = submission.pays_from(kernel, size, peak, 1e30, speedup, channels)
        assert found is not None and expect_number(found) == channels, "`most` itself is allowed, too"
        assert submission.pays_from(kernel, size, peak, 1e30, speedup, channels - 1) is None, "None, if there is none"
    size = int(rng.integers(3, 30))
    assert submission.pays_from(3, size, peak, 1e30, 9.0, 200) is None, "1/C + 1/9 is above 1/9 for every C: None"
    assert expect_number(submission.pays_from(3, size, peak, 1e30, 0.01, 5)) == 1, "it may pay from one channel on"
