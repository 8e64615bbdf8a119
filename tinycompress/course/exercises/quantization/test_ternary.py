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
@pytest.mark.points(1)
def test_the_weights_of_the_statement(submission):
    """4, -3, 1 become 3.5, -3.5, 0."""
    signs, scales = ternary(submission.ternarize(np.array([[4.0], [-3.0], [1.0]])), (3, 1))
    assert signs[:, 0].tolist() == [1, -1, 0], "keep the m largest magnitudes, for the m with the largest sum**2 / m"
    expect_close(scales, [3.5], "the scale is the mean magnitude of the weights that are kept")


@pytest.mark.public
@pytest.mark.points(1)
def test_the_byte_of_the_statement(submission):
    """The signs 1, -1, 0, 0, 1 are packed into the byte 200."""
    packed = expect_array(submission.pack(np.array([1, -1, 0, 0, 1], np.int8)), (1,), "int", "the bytes")
    assert packed.tolist() == [200], "the five digits count 1, 3, 9, 27 and 81, and a digit is the sign plus 1"


@pytest.mark.public
@pytest.mark.points(1)
def test_back_from_the_byte(submission):
    """The byte 200 gives the signs 1, -1, 0, 0, 1."""
    signs = expect_array(submission.unpack(np.array([200], np.uint8), 5), (5,), "int", "the signs")
    assert signs.tolist() == [1, -1, 0, 0, 1], "digit k is byte // 3**k % 3, and the sign is the digit minus 1"


def error_of(weight, signs, scales):
    return ((weight - signs * scales) ** 2).sum(0)


@pytest.mark.hidden
@pytest.mark.points(4)
def test_no_threshold_is_better(submission, rng):
    """Your choice is compared with every number of kept weights, channel by channel."""
    best, channels = 0, 6
    weight = rng.normal(size=(15, channels)) * np.exp(rng.normal(size=(15, channels)))
    signs, scales = ternary(submission.ternarize(weight), weight.shape)
    size = -np.sort(-np.abs(weight), axis=0)
    for c in range(channels):
        least = min((weight[:, c] ** 2).sum() - size[:m, c].sum() ** 2 / m for m in range(1, 16))
        best += error_of(weight, signs, scales)[c] <= least * (1 + 1e-9)
    mean = [np.abs(weight[signs[:, c] != 0, c]).mean() for c in range(channels) if signs[:, c].any()]
    assert signs.any(0).all() and np.allclose(scales, mean), "the scale of a channel is the mean of its kept magnitudes"
    assert (signs * weight >= 0).all(), "each kept weight keeps its sign"
    if best < channels:
        raise Partial(0.4, "some channels have a better m: try all m instead of a rule of thumb")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_zeros_and_equal_weights(submission):
    """One channel is all zeros, and one has equal magnitudes."""
    weight = np.array([[0.0, 2.0], [0.0, -2.0], [0.0, 0.0]])
    signs, scales = ternary(submission.ternarize(weight), (3, 2))
    assert not signs[:, 0].any() and scales[0] == 0, "a channel of zeros has signs of 0 and the scale 0"
    assert signs[:, 1].tolist() == [1, -1, 0] and scales[1] == 2, "equal magnitudes are all kept, if that is best"


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_many_signs_in_bytes(submission, rng):
    """Any number of signs can be packed."""
    for count in 5, 1, 13, 40:
        signs = rng.integers(-1, 2, count).astype(np.int8)
        packed = expect_array(submission.pack(signs), (-(-count // 5),), "int", "the bytes")
        assert packed.dtype == np.uint8, "bytes are uint8"
        filled = np.append(signs, np.zeros(-count % 5, np.int8)).tolist()
        expected = [sum((filled[i + k] + 1) * 3**k for k in range(5)) for i in range(0, len(filled), 5)]
        assert packed.tolist() == expected, (
            "int8 overflows above 127, so compute in a larger type; and fill up the last byte with signs of 0"
        )


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_many_signs_from_bytes(submission, rng):
    """Every byte can be unpacked, and the last one may hold fewer signs."""
    signs = np.array([[byte // 3**k % 3 - 1 for k in range(5)] for byte in range(243)]).ravel()
    for count in 1215, 1211:
        found = expect_array(submission.unpack(np.arange(243).astype(np.uint8), count), (count,), "int", "the signs")
        assert np.array_equal(found, signs[:count]), "digit k is byte // 3**k % 3, and the sign is the digit minus 1"
    assert found.dtype == np.int8, "signs are int8"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_bytes_that_are_no_signs(submission):
    """Damaged bytes are refused."""
    message = "five signs make at most 242; a larger byte shows that the file is damaged"
    expect_error(ValueError, submission.unpack, np.array([243], np.uint8), 5, message=message)
    message = "one byte holds five signs; raise ValueError if more are asked for"
    expect_error(ValueError, submission.unpack, np.array([0], np.uint8), 6, message=message)
