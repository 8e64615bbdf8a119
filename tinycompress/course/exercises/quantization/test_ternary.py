"""Tests of ternary. Public: the statement's numbers. Hidden: optimality, zeros, incomplete bytes and errors."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_tuple

MAY_IMPORT = ()


def ternary(value, shape):
    signs, scales = expect_tuple(value, 2)
    expect_array(signs, shape, "int", "signs")
    expect_array(scales, shape[1:], "float", "scales")
    assert np.isin(signs, (-1, 0, 1)).all(), "signs are -1, 0 or 1"
    return signs, scales


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_weights_of_the_statement(submission):
    """4, -3, 1 become 3.5, -3.5, 0."""
    signs, scales = ternary(submission.ternarize(np.array([[4.0], [-3.0], [1.0]])), (3, 1))
    assert signs[:, 0].tolist() == [1, -1, 0], "keep the m largest magnitudes, for the m with the largest sum**2 / m"
    expect_close(scales, [3.5], "the scale is the mean magnitude of the weights that are kept")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_byte_of_the_statement(submission):
    """The signs 1, -1, 0, 0, 1 are packed into the byte 200."""
    packed = expect_array(submission.pack(np.array([1, -1, 0, 0, 1], np.int8)), (1,), "int", "the bytes")
    assert packed.tolist() == [200], "the five digits count 1, 3, 9, 27 and 81, and a digit is the sign plus 1"


@pytest.mark.public
@pytest.mark.points(0.3)
def test_back_from_the_byte(submission):
    """The byte 200 gives the signs 1, -1, 0, 0, 1."""
    signs = expect_array(submission.unpack(np.array([200], np.uint8), 5), (5,), "int", "the signs")
    assert signs.tolist() == [1, -1, 0, 0, 1], "digit k is byte // 3**k % 3, and the sign is the digit minus 1"


def error_of(weight, signs, scales):
    return ((weight - signs * scales) ** 2).sum(0)


@pytest.mark.hidden
@pytest.mark.points(3)
def test_no_threshold_is_better(submission, rng):
    """Your choice is compared with every number of kept weights, channel by channel."""
    best, channels = 0, 40
    large, _ = ternary(submission.ternarize(rng.uniform(1.5, 2, (300, 1))), (300, 1))
    assert large.all(), "magnitudes that are much alike are all kept, however many there are"
    weight = rng.normal(size=(15, channels)) * np.exp(1.5 * rng.normal(size=(15, channels)))
    weight[:, 0] = rng.permutation([3.2, *np.ones(14)]) * rng.choice([-1, 1], 15)  # m = 1 beats m = 2, but not m = 15
    signs, scales = ternary(submission.ternarize(weight), weight.shape)
    size = -np.sort(-np.abs(weight), axis=0)
    for c in range(channels):
        least = min((weight[:, c] ** 2).sum() - size[:m, c].sum() ** 2 / m for m in range(1, 16))
        best += error_of(weight, signs, scales)[c] <= least * (1 + 1e-9)
    mean = [np.abs(weight[signs[:, c] != 0, c]).mean() for c in range(channels) if signs[:, c].any()]
    assert signs.any(0).all() and np.allclose(scales, mean), "the scale of a channel is the mean of its kept magnitudes"
    assert (signs * weight >= 0).all(), "each kept weight keeps its sign"
    if best < channels:
        raise Partial(0.3, "some channels have a better m: try all m instead of a rule of thumb")


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_zeros_and_single_weights(submission, rng):
    """One channel is all zeros, one has equal magnitudes, and one only a single weight that is not 0."""
    size, single = float(rng.uniform(1, 9)), float(rng.uniform(1, 9))
    signs = rng.permutation([1, -1, 1, -1, 0])
    alone = rng.permutation([0, 0, -1, 0, 0])
    weight = np.stack([np.zeros(5), size * signs, single * alone], axis=1)
    found, scales = ternary(submission.ternarize(weight), (5, 3))
    assert not found[:, 0].any() and scales[0] == 0, "a channel of zeros has signs of 0 and the scale 0"
    assert found[:, 1].tolist() == signs.tolist(), "equal magnitudes are all kept, since that is best; zeros stay 0"
    assert found[:, 2].tolist() == alone.tolist(), "a single weight is kept alone"
    expect_close(scales, [0, size, single], "the scale is the mean magnitude of the weights that are kept")


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_the_smallest_of_equally_good_numbers(submission, rng):
    """Of 3, 1, 1, 1 one may keep the first weight or all: 9 for m = 1, 36 / 4 for m = 4."""
    for _ in range(3):
        weight = 2.0 ** int(rng.integers(-3, 4)) * rng.permutation([3, 1, -1, 1])[:, None] * rng.choice([-1, 1])
        signs, scales = ternary(submission.ternarize(weight), (4, 1))
        assert np.abs(signs).sum() == 1 and scales[0] == np.abs(weight).max(), "of equally good m the smallest is used"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_dtypes_of_signs_and_scales(submission, rng):
    """Weights in float32, in any order in memory: signs are int8, scales float64."""
    weight = rng.normal(size=(4, 9)).astype(np.float32).T
    signs, scales = ternary(submission.ternarize(weight), weight.shape)
    expected = [np.abs(weight[signs[:, c] != 0, c].astype(float)).mean() for c in range(4)]
    expect_close(scales, expected, "the scale is the mean magnitude of the weights that are kept")
    assert signs.dtype == np.int8 and scales.dtype == np.float64, "signs need one byte each; scales are float64"


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_many_signs_in_bytes(submission, rng):
    """Any number of signs can be packed, even none."""
    for count in 5, 1, 13, 40, 0, int(rng.integers(50, 99)):
        signs = rng.integers(-1, 2, count).astype(np.int8)
        packed = expect_array(submission.pack(signs), (-(-count // 5),), "int", "the bytes")
        assert packed.dtype == np.uint8, "bytes are uint8"
        filled = np.append(signs, np.zeros(-count % 5, np.int8)).tolist()
        expected = [sum((filled[i + k] + 1) * 3**k for k in range(5)) for i in range(0, len(filled), 5)]
        assert packed.tolist() == expected, (
            "int8 overflows above 127, so compute in a larger type; and fill up the last byte with signs of 0"
        )


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_many_signs_from_bytes(submission, rng):
    """Every byte can be unpacked, and not all signs of the bytes need to be asked for."""
    for count in 1215, 1211, int(rng.integers(1, 1000)), 0:
        packed = rng.permutation(243).astype(np.uint8)
        signs = np.array([[byte // 3**k % 3 - 1 for k in range(5)] for byte in packed.tolist()]).ravel()
        found = expect_array(submission.unpack(packed, count), (count,), "int", "the signs")
        assert np.array_equal(found, signs[:count]), "digit k is byte // 3**k % 3, and the sign is the digit minus 1"
        assert found.dtype == np.int8, "signs are int8"


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_bytes_that_are_no_signs(submission, rng):
    """Damaged bytes are refused, as are more signs than there are."""
    for bad in 243, int(rng.integers(244, 256)):
        packed = rng.integers(0, 243, 6).astype(np.uint8)
        expect_array(submission.unpack(packed, 30), (30,), "int", "the signs")
        packed[int(rng.integers(0, 6))] = bad
        message = "five signs make at most 242; a larger byte shows that the file is damaged"
        expect_error(ValueError, submission.unpack, packed, 30, message=message)
    packed = rng.integers(0, 243, int(rng.integers(1, 9))).astype(np.uint8)
    message = "one byte holds five signs; raise ValueError if more are asked for"
    expect_error(ValueError, submission.unpack, packed, 5 * len(packed) + 1, message=message)
