"""Plausible wrong answers to neuron_surgery, and how many of the 9 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("flattened_rows", points=7.6, why="treats the channels as first in memory")
def channels_first(kept, height, width):
    return np.repeat(kept, height * width)


@wrong("remove", points=6.4, why="forgets what the removed neurons contributed")
def deleted(weight, bias, reader, reader_bias, kept, constant):
    return weight[:, kept], bias[kept], reader[kept], reader_bias


@wrong("remove", points=6.4, why="adds the constants of the kept neurons, too")
def all_constants(weight, bias, reader, reader_bias, kept, constant):
    return weight[:, kept], bias[kept], reader[kept], (reader_bias + constant @ reader).astype(reader_bias.dtype)


@wrong("merge", points=4.3, why="adds the rows without the factor, and checks nothing")
def twins_only(weight, bias, reader, stays, goes):
    reader = reader.copy()
    reader[stays] += reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)


@wrong("remove", points=8.31, why="lets the bias become float64")
def grown_bias(weight, bias, reader, reader_bias, kept, constant):
    return weight[:, kept], bias[kept], reader[kept], reader_bias + constant[~kept] @ reader[~kept]


def _merged(weight, bias, reader, stays, goes, factor):
    reader = reader.copy()
    reader[stays] += factor * reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)


@wrong("merge", points=8.1, why="accepts a neuron that is 10 % off")
def ten_percent_off(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if factor <= 0 or np.abs(other - factor * one).max() > 0.1 * np.abs(other).max():
        raise ValueError
    return _merged(weight, bias, reader, stays, goes, factor)


@wrong("merge", points=8.1, why="compares the difference with a fixed number, whatever the weights are")
def absolute_difference(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if factor <= 0 or np.abs(other - factor * one).max() > 1e-3:
        raise ValueError
    return _merged(weight, bias, reader, stays, goes, factor)


@wrong("merge", points=6.4, why="takes the factor from the first weight, which may be 0")
def factor_of_the_first(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    with np.errstate(all="ignore"):
        factor = other[0] / one[0]
    if not factor > 0 or np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError
    return _merged(weight, bias, reader, stays, goes, factor)


@wrong("merge", points=7.8, why="accepts a neuron of zeros")
def zeros_too(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if factor < 0 or np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError
    return _merged(weight, bias, reader, stays, goes, factor)


@wrong("merge", points=7.8, why="compares the weights, but not the bias")
def without_the_bias(weight, bias, reader, stays, goes):
    one, other = weight[:, stays], weight[:, goes]
    factor = one @ other / (one @ one)
    if factor <= 0 or np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError
    return _merged(weight, bias, reader, stays, goes, factor)


@wrong("merge", points=7.8, why="accepts negative multiples")
def any_multiple(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError
    reader = reader.copy()
    reader[stays] += factor * reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)


@wrong("remove", points=8.54, why="adds to the caller's reader_bias")
def bias_in_place(weight, bias, reader, reader_bias, kept, constant):
    reader_bias += (constant[~kept] @ reader[~kept]).astype(reader_bias.dtype)
    return weight[:, kept], bias[kept], reader[kept], reader_bias


@wrong("merge", points=8.48, why="adds up the rows in the caller's reader")
def reader_in_place(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if factor <= 0 or np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError
    reader[stays] += factor * reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)


@wrong("merge", points=8.1, why="compares each weight with 0.1 % of itself, not of the largest")
def of_each_weight(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if factor <= 0 or (np.abs(other - factor * one) > 1e-3 * np.abs(factor * one)).any():
        raise ValueError
    return _merged(weight, bias, reader, stays, goes, factor)
