"""Tests of break_even. Public: small numbers. Hidden: exactness, both sides of the roofline, and None."""

from fractions import Fraction

import pytest

from tinycompress.course import expect_close, expect_number, expect_tuple

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(1)
def test_two_ninths_begin_at_nine(submission):
    """The share 1/9 + 1/9 = 2/9 is reached at 9 outputs."""
    assert expect_number(submission.least_outputs(3, 2, 9)) == 9, "at 9 outputs the share is exactly 2/9: enough"


@pytest.mark.public
@pytest.mark.points(1)
def test_a_computer_that_only_computes(submission):
    """With an almost unlimited bandwidth, the times are the MACs divided by the peak."""
    found = expect_tuple(submission.layer_times(10, 3, 4, 100.0, 1e12), 2)
    expect_close(found[0], 144.0, "3 * 3 * 10 * 10 weights, at 4 * 4 pixels, 100 per second", name="the standard time")
    expect_close(found[1], 30.4, "90 + 100 weights, at 4 * 4 pixels, 100 per second", name="the separable time")


@pytest.mark.public
@pytest.mark.points(1)
def test_twice_as_fast(submission):
    """From C = 3 on, 9 C² is at least twice 9 C + C²."""
    found = expect_number(submission.pays_from(3, 4, 1.0, 1e12, 2.0, 100))
    assert found == 3, "if bandwidth is no limit, 9 C² >= 2 (9 C + C²) holds from C = 3 on"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_shares_are_exact(submission):
    """Many shares are compared with exact fractions."""
    for kernel, n, d in (3, 1, 2), (3, 1, 8), (5, 1, 10), (5, 1, 20), (3, 7, 10), (7, 1, 48), (2, 1, 3), (1, 3, 2):
        share, outputs = Fraction(n, d), 1
        while Fraction(1, outputs) + Fraction(1, kernel**2) > share:
            outputs += 1
        found = expect_number(submission.least_outputs(kernel, n, d))
        assert found == outputs, (
            "1 / outputs + 1 / kernel**2 <= share; with floats the last step may round to the wrong side"
        )


@pytest.mark.hidden
@pytest.mark.points(1)
def test_shares_that_are_never_reached(submission):
    """The limit is 1/k², which no number of outputs reaches."""
    for kernel, n, d in (3, 1, 9), (3, 1, 10), (5, 1, 25):
        assert submission.least_outputs(kernel, n, d) is None, "however many outputs, the share stays above 1/k²"
    assert expect_number(submission.least_outputs(3, 2, 17)) == 153, "a share just above 1/k² is reached"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_both_sides_of_the_roofline(submission):
    """Layers may be limited by bandwidth, by computing, or one part by each."""
    for channels, kernel, size, peak, bandwidth in (
        (64, 3, 14, 1e30, 1e9),
        (64, 3, 14, 3e10, 1e10),
        (16, 5, 7, 2e9, 1e9),
        (256, 3, 2, 1e10, 1e10),
    ):
        pixels, times = size * size, []
        for weights in kernel**2 * channels**2, kernel**2 * channels, channels**2:
            numbers = 2 * channels * pixels + weights
            times.append(max(weights * pixels / peak, 4 * numbers / bandwidth))
        found = expect_tuple(submission.layer_times(channels, kernel, size, peak, bandwidth), 2)
        message = "input, weights and output are moved, 4 bytes per number; the longer of moving and computing counts"
        expect_close(found[0], times[0], message, name="the standard time")
        message = "each part reads and writes its own images, and takes the longer of its own two times"
        expect_close(found[1], times[1] + times[2], message, name="the separable time")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_where_it_pays(submission, reference):
    """The number of channels from which on it pays, on several machines."""
    for size, peak, bandwidth, speedup in (14, 3e10, 1e10, 2.0), (28, 1e11, 1e10, 1.5), (7, 1e9, 1e10, 5.5):
        fast = []
        for channels in range(1, 301):
            standard, separable = reference.layer_times(channels, 3, size, peak, bandwidth)
            fast.append(standard >= speedup * separable)
        expected = max((i + 1 for i, is_fast in enumerate(fast) if not is_fast), default=0) + 1
        found = expect_number(submission.pays_from(3, size, peak, bandwidth, speedup, 300))
        assert found == expected, "take the smallest number that, like all larger ones up to `most`, is fast enough"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_where_it_never_pays(submission):
    """A separable layer is never nine times as fast as a 3×3 one."""
    assert submission.pays_from(3, 7, 1.0, 1e12, 9.0, 200) is None, "1/C + 1/9 is above 1/9 for every C: None"
    assert submission.pays_from(3, 7, 1e30, 1.0, 1.2, 3) is None, (
        "if moving bytes takes the time, two parts move more than one layer"
    )
    assert expect_number(submission.pays_from(3, 7, 1.0, 1e12, 0.01, 5)) == 1, "it may pay from one channel on"
