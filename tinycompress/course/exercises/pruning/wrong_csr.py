"""Plausible wrong answers to csr, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


def _rows(starts):
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


@wrong("to_csr", points=4.6, why="leaves out the starts of empty rows at the end")
def no_empty_rows_at_the_end(weight):
    rows, columns = np.nonzero(weight)
    starts = np.append(0, np.cumsum(np.bincount(rows)))
    return weight[rows, columns], columns.astype(np.int32), starts.astype(np.int64)


@wrong("to_csr", points=3.8, why="goes through the columns, which is the transposed weight's form")
def by_columns(weight):
    columns, rows = np.nonzero(weight.T)
    starts = np.append(0, np.cumsum(np.bincount(rows, minlength=len(weight))))
    return weight[rows, columns], columns.astype(np.int32), starts.astype(np.int64)


@wrong("to_csr", points=5.4, why="returns columns of 64 bits, which take as many bytes as two values")
def columns_of_64_bits(weight):
    rows, columns = np.nonzero(weight)
    starts = np.append(0, np.cumsum(np.bincount(rows, minlength=len(weight))))
    return weight[rows, columns], columns, starts


@wrong("to_csr", points=4, why="drops negative values")
def positive_only(weight):
    return _of_mask(weight, weight > 0)


@wrong("to_csr", points=4.6, why="takes small values for zeros")
def about_zero(weight):
    return _of_mask(weight, np.abs(weight) > 0.1)


def _of_mask(weight, mask):
    starts = np.append(0, np.cumsum(mask.sum(1)))
    return weight[mask], np.nonzero(mask)[1].astype(np.int32), starts.astype(np.int64)


@wrong("csr_matmul", points=3.4, why="adds with +=, which adds only one of several values of a column")
def one_value_per_column(x, values, columns, starts, outputs):
    y = np.zeros((len(x), outputs), x.dtype)
    y[:, columns] += x[:, _rows(starts)] * values
    return y


@wrong("csr_matmul", points=5, why="builds the whole weight")
def with_all_zeros(x, values, columns, starts, outputs):
    weight = np.zeros((len(starts) - 1, outputs), values.dtype)
    weight[_rows(starts), columns] = values
    return x @ weight


@wrong("csr_matmul", points=3.4, why="ends at the last column that occurs")
def until_the_last_column(x, values, columns, starts, outputs):
    y = np.zeros((int(max(columns, default=-1)) + 1, len(x)), x.dtype)
    np.add.at(y, columns, (x[:, _rows(starts)] * values).T)
    return y.T


@wrong("csr_matmul", points=5.68, why="returns float64")
def in_float64(x, values, columns, starts, outputs):
    y = np.zeros((outputs, len(x)))
    np.add.at(y, columns, (x[:, _rows(starts)] * values).T)
    return y.T


@wrong("most_values", points=5, why="counts as many starts as rows")
def one_start_too_few(inputs, outputs, value_bytes, column_bytes, start_bytes):
    return max(-1, (inputs * outputs * value_bytes - inputs * start_bytes) // (value_bytes + column_bytes))


@wrong("most_values", points=5.7, why="asks for fewer bytes, not for no more")
def strictly_fewer(inputs, outputs, value_bytes, column_bytes, start_bytes):
    spare = inputs * outputs * value_bytes - (inputs + 1) * start_bytes - 1
    return max(-1, spare // (value_bytes + column_bytes))


@wrong("most_values", points=5.7, why="returns 0 where nothing fits")
def never_below_zero(inputs, outputs, value_bytes, column_bytes, start_bytes):
    spare = inputs * outputs * value_bytes - (inputs + 1) * start_bytes
    return max(0, spare // (value_bytes + column_bytes))


@wrong("to_csr", points=4.6, why="takes values below 1e-8 for zeros")
def nearly_zero(weight):
    mask = np.abs(weight) > 1e-8
    return _of_mask(weight, mask)


@wrong("to_csr", points=4.6, why="counts columns in 16 bits on the way, which wide weights exceed")
def in_16_bits(weight):
    values, columns, starts = _of_mask(weight, weight != 0)
    return values, columns.astype(np.int16).astype(np.int32), starts


@wrong("most_values", points=5.7, why="asks for fewer bytes as soon as there are values")
def fewer_with_values(inputs, outputs, value_bytes, column_bytes, start_bytes):
    spare = inputs * outputs * value_bytes - (inputs + 1) * start_bytes
    return -1 if spare < 0 else max(0, (spare - 1) // (value_bytes + column_bytes))


@wrong("to_csr", points=4.6, why="goes through the values in the order of memory")
def in_the_order_of_memory(weight):
    flat = weight.ravel(order="K")
    found = np.flatnonzero(flat)
    starts = np.append(0, np.cumsum((weight != 0).sum(1)))
    return flat[found], (found % weight.shape[1]).astype(np.int32), starts
