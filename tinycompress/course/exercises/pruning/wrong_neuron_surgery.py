"""Plausible wrong answers to neuron_surgery, and how many of the 10 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("flattened_rows", points=8, why="treats the channels as first in memory")
def channels_first(kept, height, width):
    return np.repeat(kept, height * width)


@wrong("remove", points=6.5, why="forgets what the removed neurons contributed")
def deleted(weight, bias, reader, reader_bias, kept, constant):
    return weight[:, kept], bias[kept], reader[kept], reader_bias


@wrong("remove", points=6.5, why="adds the constants of the kept neurons, too")
def all_constants(weight, bias, reader, reader_bias, kept, constant):
    return weight[:, kept], bias[kept], reader[kept], (reader_bias + constant @ reader).astype(reader_bias.dtype)


@wrong("merge", points=7, why="adds the rows without the factor, and checks nothing")
def twins_only(weight, bias, reader, stays, goes):
    reader = reader.copy()
    reader[stays] += reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)


@wrong("merge", points=9, why="accepts negative multiples")
def any_multiple(weight, bias, reader, stays, goes):
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError
    reader = reader.copy()
    reader[stays] += factor * reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)
