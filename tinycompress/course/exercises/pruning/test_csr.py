"""Tests of csr. Public: the statement's weight. Hidden: any shape, empty rows, a weight that no memory holds, and bytes."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_number, expect_tuple

MAY_IMPORT = ()

WEIGHT = np.array([[0, 5, 0, 0], [0, 0, 0, 0], [7, 0, 0, 8]], np.float32)


def three(answer, count, rows):
    """The answer's arrays, checked for their shapes and kinds."""
    values, columns, starts = expect_tuple(answer, 3)
    expect_array(values, (count,), "number", "values")
    expect_array(columns, (count,), "int", "columns")
    expect_array(starts, (rows + 1,), "int", "starts")
    return values, columns, starts


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_weight_of_the_statement(submission):
    """5, 7, 8 in the columns 1, 0, 3, and an empty row."""
    values, columns, starts = three(submission.to_csr(WEIGHT), 3, 3)
    assert values.tolist() == [5, 7, 8] and columns.tolist() == [1, 0, 3], "row after row, what is not zero"
    assert starts.tolist() == [0, 1, 1, 3], "row 1 is empty: it ends where it starts"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_product_of_the_statement(submission):
    """(1, 2, 3) times the weight of the statement."""
    csr = np.array([5, 7, 8], np.float32), np.array([1, 0, 3], np.int32), np.array([0, 1, 1, 3])
    found = submission.csr_matmul(np.array([[1, 2, 3]], np.float32), *csr, 4)
    expect_close(found, [[21, 5, 0, 24]], "input i adds x[i] times each value of row i to that value's column")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_bytes_of_a_small_weight(submission):
    """A 3 x 4 weight of 4-byte values takes 48 bytes; 4 starts of 8 bytes leave 16, which is enough for 2 values."""
    found = expect_number(submission.most_values(3, 4, 4, 2, 8), "the number of values")
    assert found == 2, "a value takes 4 bytes, and its column another 2"


def sparse(rng, rows, columns, share, dtype="float32"):
    """A weight with this share of values that are not zero; some rows and columns are empty."""
    weight = (rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < share)).astype(dtype)
    weight[rng.integers(0, rows)] = 0
    weight[:, rng.integers(0, columns)] = 0
    return weight


def of(weight):
    """The definition, in loops."""
    values, columns, starts = [], [], [0]
    for row in weight:
        kept = [c for c in range(len(row)) if row[c] != 0]
        values += [row[c] for c in kept]
        columns += kept
        starts.append(len(values))
    return np.array(values, weight.dtype), np.array(columns, np.int32), np.array(starts)


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_any_weight_in_rows(submission, rng):
    """Empty rows at the ends and in between, empty columns, full weights, weights of zeros, in either order of memory."""
    edge = sparse(rng, 6, 5, 0.7)
    edge[[0, 2, 5]] = 0
    cases = [sparse(rng, 9, 300, 0.1), edge, sparse(rng, 40, 7, 0.2).T, rng.normal(size=(3, 4)) + 9, np.zeros((3, 2))]
    cases += [1e-20 * sparse(rng, 5, 4, 0.5), sparse(rng, 3, 70_000, 0.001)]  # tiny is not zero; int16 is too small
    for weight in cases:
        expected = of(weight)
        values, columns, starts = three(submission.to_csr(weight), len(expected[0]), len(weight))
        expect_close(values, expected[0], "values go row by row", 0, 0, "values")
        assert np.array_equal(columns, expected[1]), "a column counts within its row, and columns increase"
        assert np.array_equal(starts, expected[2]), "an empty row has a start, too, also at the end"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_dtypes_of_the_parts(submission, rng):
    """Values keep the weight's dtype; columns are int32; starts are int64."""
    for dtype in "float16", "float32", "int8":
        weight = (9 * sparse(rng, 8, 8, 0.6, "float32")).astype(dtype)
        values, columns, starts = three(submission.to_csr(weight), np.count_nonzero(weight), 8)
        assert np.array_equal(values, weight[weight != 0]), "values go row by row"
        assert values.dtype == weight.dtype, "values keep the weight's dtype"
        assert columns.dtype == np.int32, "a column needs no 8 bytes: int32"
        assert starts.dtype == np.int64, "there may be more than 2**31 values: starts are int64"


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_products_of_any_shape(submission, rng):
    """Batches of any size, empty rows and columns, and several values in the same column."""
    for batch, rows, outputs, share in (5, 30, 20, 0.2), (1, 4, 9, 0.9), (7, 50, 3, 0.5), (3, 6, 6, 0.0):
        weight = sparse(rng, rows, outputs, share)
        x = rng.normal(size=(batch, rows)).astype(np.float32)
        found = submission.csr_matmul(x, *of(weight), outputs)
        message = "y[n, columns[k]] gains x[n, row of k] * values[k]; y[:, columns] += … forgets columns that recur"
        expect_close(found, x @ weight, message, 1e-4, 1e-5)
    if found.dtype != np.float32:
        raise Partial(0.8, "the product has the dtype of x")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_a_weight_that_no_memory_holds(submission, rng):
    """A weight of 400,000 x 400,000 with a thousand values."""
    size, count = 400_000, 1000
    rows = np.sort(rng.choice(size, count, replace=False))
    columns = rng.integers(0, size, count).astype(np.int32)
    values = rng.normal(size=count).astype(np.float32)
    starts = np.append(0, np.cumsum(np.bincount(rows, minlength=size)))
    x = rng.normal(size=(1, size)).astype(np.float32)
    found = expect_array(submission.csr_matmul(x, values, columns, starts, size), (1, size), "float")
    expected = np.bincount(columns, x[0, rows] * values, size)
    expect_close(found[0], expected, "work through the values, not through the places of the weight", 1e-4, 1e-5)


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_the_largest_number_of_values(submission, rng):
    """One value more would take more bytes than the whole weight."""
    for _ in range(20):
        inputs, outputs = (int(n) for n in rng.integers(5, 300, 2))
        value, column, start = (int(n) for n in rng.choice([1, 2, 4], 3))
        found = expect_number(submission.most_values(inputs, outputs, value, column, start), "the number of values")
        spare = inputs * outputs * value - (inputs + 1) * start
        if spare >= 0 and spare % (value + column):  # no equality, which has a test of its own
            assert found >= 0, "a weight of zeros only takes the starts, and they fit"
            message = "count values, their columns, and one start more than there are rows"
            assert found * (value + column) <= spare < (found + 1) * (value + column), message


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_bytes_of_tiny_weights(submission, rng):
    """The starts alone may take more bytes than the weight, or exactly as many; so may values."""
    inputs = int(rng.integers(1, 50))
    exact = expect_number(submission.most_values(inputs, inputs + 1, 1, 2, inputs), "the number of values")
    assert exact == 0, "no value fits, but the starts do: equally many bytes are allowed"
    a, b = (int(n) for n in rng.integers(5, 50, 2))
    several = expect_number(submission.most_values(3 * a, b, 1, 2, 3), "the number of values")
    assert several == a * (b - 3) - 1, "this many values take exactly as many bytes as the weight: that is allowed"
    none = expect_number(submission.most_values(inputs, 1, 1, 2, 9), "the number of values")
    assert none == -1, "even without values the starts take more than the whole weight: return -1"
