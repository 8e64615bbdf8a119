"""Tests of whole_file. Public: a tiny layer. Hidden: each link by itself, and the whole chain."""

import numpy as np
import pytest

from tinycompress.course import (
    Partial,
    SubmissionProblem,
    expect_array,
    expect_close,
    expect_equal,
    expect_error,
    expect_tuple,
)

MAY_IMPORT = ()

# 1 x 3 weights of the values 0, 2, -1 with codes of 1, 2 and 2 bits: 0 10 0
TINY = [1, 0, 3, 0, 3, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 128, 191, 1, 2, 2, 0b01000000]


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_smallest_weights_go(submission):
    """Half of four weights."""
    found = submission.prune(np.array([[3.0, -1.0], [0.5, -2.0]]), 0.5)
    expect_close(found, [[3, 0], [0, -2]], "magnitude decides, not the sign")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_two_clusters_and_zero(submission):
    """Weights about -1 and about 2."""
    values, symbols = expect_tuple(submission.cluster(np.array([[0, 2.5, -1], [1.5, 0, -1]]), 3), 2)
    expect_close(values, [0, -1, 2], "the first value is 0, the others are means of neighbouring weights")
    expect_equal(symbols, np.array([[0, 2, 1], [2, 0, 1]]), "a weight of 0 is the symbol 0")


@pytest.mark.public
@pytest.mark.points(0.6)
def test_a_tiny_file_is_read(submission):
    """Three weights in 21 bytes."""
    found = submission.read(np.array(TINY, np.uint8))
    expect_close(found, [[0, 2, 0]], "the lengths 1, 2, 2 give the codes 0, 10, 11, and the bits are 0 10 0")


def layer(rng, rows, columns):
    return (rng.normal(size=(rows, columns)) * np.exp(0.5 * rng.normal(size=(rows, columns)))).astype(np.float32)


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_pruning(submission, rng):
    """Shares that give no whole number, 0 and 1; equal magnitudes; zeros from before; arrays that lie in memory by columns."""
    changed = False
    for rows, columns, share, least in (
        (5, 7, 0.63, 0.25),
        (3, 4, 0, 0.25),
        (2, 6, 1, 0.25),
        (9, 9, 0.5, 0),
        (4, 7, 0.74, 0),
    ):
        weight = np.rint(2 * layer(rng, columns, rows)).T + np.float32(least)
        found = expect_array(submission.prune(weight, share), weight.shape, "float")
        changed |= bool(submission.changed)
        order = sorted(np.ndindex(weight.shape), key=lambda at, w=weight: (abs(w[at]), at))
        expected = weight.copy()
        for at in order[: int(share * weight.size)]:
            expected[at] = 0
        assert np.array_equal(found, expected), "exactly int(share * size) weights are 0; of equals the first ones"
    if changed or found.dtype != np.float32:
        raise Partial(0.7, "return a copy, in the dtype of the weight")


def centroids_of(some, k):
    """K-means by its definition: each weight goes to its nearest centroid, each centroid to the mean of its weights."""
    centroids = np.linspace(some.min(), some.max(), k)
    for _ in range(20):
        nearest = np.abs(some[:, None] - centroids).argmin(axis=1)
        for i in set(nearest.tolist()):
            centroids[i] = some[nearest == i].mean()
    return centroids


@pytest.mark.hidden
@pytest.mark.points(1.8)
def test_clusters(submission, rng):
    """Many and few values, more values than weights, and centroids without weights."""
    for rows, columns, k in (8, 10, 5), (60, 50, 24), (2, 3, 9), (5, 5, 2):  # the second takes more than 20 rounds
        weight = layer(rng, rows, columns) * (rng.random((rows, columns)) < 0.5)
        weight[0, 0] = 1
        some = weight[weight != 0].astype(float)
        values, symbols = expect_tuple(submission.cluster(weight, k), 2)
        expect_array(values, (k,), "float", "values")
        symbols = expect_array(symbols, weight.shape, "int", "symbols")
        assert values[0] == 0, "the first value is exactly 0"
        expect_close(
            values[1:], centroids_of(some, k - 1), "20 rounds of k-means, from evenly spaced centroids", 1e-4, 1e-5
        )
        assert np.array_equal(symbols == 0, weight == 0), (
            "the symbol 0 is for the weights that are 0, and for no others"
        )
        near = np.abs(some[:, None] - values[1:].astype(float))
        chosen = near[np.arange(len(some)), symbols[weight != 0] - 1]
        assert (chosen <= near.min(1) + 1e-5).all(), "after the last round each weight goes to its nearest centroid"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_clusters_of_nothing(submission, rng):
    """A weight of zeros, one of zeros and a single value, and one of two values that hardly differ; the dtypes."""
    k = int(rng.integers(2, 9))
    zeros = np.zeros((2, int(rng.integers(2, 9))), np.float32)
    values, symbols = expect_tuple(submission.cluster(zeros, k), 2)
    expect_equal(values, np.zeros(k), "there is nothing to cluster: all values are 0")
    expect_equal(symbols, zeros.astype(int), "all symbols are 0")
    alike = np.where(rng.random((3, 5)) < 0.5, 0, np.float32(rng.normal()))
    symbols = expect_tuple(submission.cluster(alike, k), 2)[1]
    expect_equal(symbols, (alike != 0).astype(int), "of equally near centroids the first one")
    fine = rng.permutation(np.append(np.ones((2, 4)), np.full((2, 4), 1 + 1e-9))).reshape(4, 4)
    symbols = expect_tuple(submission.cluster(fine, 3), 2)[1]
    expect_equal(symbols, 1 + (fine > 1), "these two values are one in float32: compute in float64")
    values, symbols = expect_tuple(submission.cluster(layer(rng, 3, 4), k), 2)
    assert np.asarray(values).dtype == np.float32 and np.asarray(symbols).dtype == np.int64, "float32 and int64"


def message(rng, k, rows, columns):
    """Values and symbols, some of which are frequent."""
    p = rng.permutation(0.5 ** np.arange(1, k + 1))
    return layer(rng, 1, k)[0], rng.choice(k, (rows, columns), p=p / p.sum())


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_the_head_of_a_file(submission, rng):
    """Shape, number of values, values and lengths, each in its place."""
    for k, rows, columns in (4, 3, 300), (200, 40, 7):
        values, symbols = message(rng, k, rows, columns)
        file = expect_array(submission.write(values, symbols), (None,), "int")
        assert file.dtype == np.uint8 and len(file) >= 5 + 5 * k, "a file is uint8, with a head of 5 + 5 k bytes"
        data = file.tobytes()
        assert data[:5] == np.array([rows, columns], "<u2").tobytes() + bytes([k]), "rows, columns, and k"
        assert data[5 : 5 + 4 * k] == values.astype("<f4").tobytes(), "the values as float32"
        lengths = np.frombuffer(data[5 + 4 * k : 5 + 5 * k], np.uint8)
        occur = np.bincount(symbols.ravel(), minlength=k) > 0
        assert np.array_equal(lengths > 0, occur), "a length of 0 for symbols that do not occur, and for no others"


def decoded(file):
    """The weight of a file, or None if it cannot be read: the trusted side's own reader."""
    if len(file) > 50_000:  # of far fewer weights
        return None
    data = file.tobytes()
    k = data[4]
    rows, columns = np.frombuffer(data[:4], "<u2").astype(int)
    values, lengths = np.frombuffer(data[5 : 5 + 4 * k], "<f4"), data[5 + 4 * k : 5 + 5 * k]
    symbol_of, at = {}, 0.0
    for symbol in sorted((s for s in range(len(lengths)) if lengths[s]), key=lambda s: (lengths[s], s)):
        symbol_of[format(int(at * 2 ** lengths[symbol]), f"0{lengths[symbol]}b")] = symbol
        at += 2.0 ** -lengths[symbol]
    found, begun = [], ""
    for bit in np.unpackbits(file[5 + 5 * k :]).tolist():
        begun += str(bit)
        if begun in symbol_of and len(found) < rows * columns:
            found.append(values[symbol_of[begun]])
            begun = ""
    return np.array(found).reshape(rows, columns) if len(found) == rows * columns else None


@pytest.mark.hidden
@pytest.mark.points(2)
def test_files_can_be_read_and_are_small(submission, reference, rng):
    """Many symbols, two, and one; no code needs fewer bits."""
    filled = False
    for k, rows, columns in (16, 30, 20), (2, 5, 9), (3, 1, 9), (3, 1, 8), (90, 12, 40):
        values, symbols = message(rng, k, rows, columns)
        symbols = np.full((1, columns), symbols[0, 0]) if rows == 1 else symbols  # a bit for each
        file = expect_array(submission.write(values, symbols), (None,), "int")
        assert file.dtype == np.uint8 and len(file) > 5 + 5 * k, "after the head there are codes"
        right = decoded(file) if file[4] == k else None
        message_ = "the codes after the head are not the canonical ones of the lengths in the head"
        assert right is not None and np.array_equal(right, values[symbols]), message_
        bits = int(file[5 + 4 * k : 5 + 5 * k].astype(int)[symbols].sum())
        filled |= bool(np.unpackbits(file[5 + 5 * k :])[bits:].any())
        assert len(file) <= len(reference.write(values, symbols)), (
            "another code is shorter, or a byte too many is written"
        )
    if filled:
        raise Partial(0.8, "the last byte is filled up with zeros")


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_files_are_read(submission, reference, rng):
    """Files that the solution wrote."""
    for k, rows, columns in (16, 30, 20), (3, 300, 2), (2, 1, 1), (200, 9, 9):
        values, symbols = message(rng, k, rows, columns)
        found = expect_array(submission.read(reference.write(values, symbols)), (rows, columns), "float")
        assert np.array_equal(found, values[symbols]), "what was written comes back, bit by bit"
    assert found.dtype == np.float32, "the weights are float32"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_files_that_are_cut_off(submission, reference, rng):
    """Within the codes, and within the head."""
    values, symbols = message(rng, 6, 20, 20)
    file = reference.write(values, symbols)
    for end in len(file) - 3, int(rng.integers(7, 30)):  # within the codes, and within the head
        expect_error(ValueError, submission.read, file[:end], message="this file ends too early: raise ValueError")
    for end in 0, int(rng.integers(1, 5)):
        expect_error(ValueError, submission.read, file[:end], message="not even the first five bytes are there")
    found = expect_array(submission.read(file), (20, 20), "float")
    assert np.array_equal(found, values[symbols]), "a whole file is read as before"


def link(own, solution, arguments, good):
    """(result, 1) of one's own link, or that of the solution and 0 if one's own is no good."""
    try:
        found = own(*arguments)
        if good(found):
            return found, 1
    except (SubmissionProblem, TypeError, ValueError, LookupError, AttributeError):
        pass
    return solution(*arguments), 0


def chain(submission, reference, weight, share, k):
    """The layer that comes back, the bytes of its file, and how many of the four links were one's own."""
    zeros = int(share * weight.size)
    pruned, first = link(
        submission.prune,
        reference.prune,
        (weight, share),
        lambda w: w.shape == weight.shape and np.isin(w, (0, *weight.ravel())).all() and (w == 0).sum() == zeros,
    )
    (values, symbols), second = link(
        submission.cluster,
        reference.cluster,
        (pruned, k),
        lambda c: len(c) == 2 and c[0].shape == (k,) and np.abs(c[0][c[1]] - pruned).sum() < 0.5 * np.abs(pruned).sum(),
    )
    file, third = link(
        submission.write, reference.write, (values, symbols), lambda f: np.array_equal(decoded(f), values[symbols])
    )
    restored, fourth = link(
        submission.read,
        reference.read,
        (file,),
        lambda w: isinstance(w, np.ndarray) and np.array_equal(w, values[symbols]),
    )
    return restored, len(file), first + second + third + fourth


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_the_whole_chain(submission, reference, rng):
    """Prune, cluster, write and read: the solution's link stands in for one that fails."""
    own = 0
    for share, k in (0.9, 6), (0.5, 17):
        weight = layer(rng, 40, 30)
        restored, size, links = chain(submission, reference, weight, share, k)
        best, least, _ = chain(reference, reference, weight, share, k)
        message = "the layer that comes back is worse than that of the solution"
        assert ((restored - weight) ** 2).sum() <= 1.02 * ((best - weight) ** 2).sum(), message
        assert size <= 1.02 * least, "the file is larger than that of the solution"
        own += links
    assert own, "none of the links is your own"
    if own < 8:
        raise Partial(own / 8, f"in {8 - own} of 8 places the solution's link had to stand in for yours")
