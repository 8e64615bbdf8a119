"""Plausible wrong answers to n_of_m, and how many of the 9 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("n_of_m_mask", points=5.3, why="forms groups along the outputs")
def groups_of_outputs(weight, n, m):
    if len(weight) % m:
        raise ValueError
    if weight.shape[1] % m:
        return np.zeros(weight.shape, bool)
    groups = np.abs(weight).reshape(len(weight), -1, m)
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, np.argsort(-groups, axis=2)[:, :, :n], True, axis=2)
    return mask.reshape(weight.shape)


@wrong("n_of_m_mask", points=6.4143, why="forms groups of m numbers that lie side by side in memory, in the rows")
def groups_in_memory(weight, n, m):
    if len(weight) % m:
        raise ValueError
    groups = np.abs(weight).reshape(-1, m)
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, np.argsort(-groups, axis=1, kind="stable")[:, :n], True, axis=1)
    return mask.reshape(weight.shape)


@wrong("n_of_m_mask", points=8, why="uses a threshold in each group, which keeps all equals")
def threshold(weight, n, m):
    if len(weight) % m:
        raise ValueError
    groups = np.abs(weight).reshape(-1, m, weight.shape[1])
    return (groups >= np.sort(groups, axis=1)[:, [m - n]]).reshape(weight.shape)


@wrong("n_of_m_mask", points=5.9143, why="always assumes 2 of 4, and ignores inputs that are left over")
def always_two_of_four(weight, n, m):
    mask = np.zeros(weight.shape, bool)
    for start in range(0, len(weight) - 3, 4):
        order = np.argsort(-np.abs(weight[start : start + 4]), axis=0, kind="stable")
        np.put_along_axis(mask[start : start + 4], order[:2], True, axis=0)
    return mask


@wrong("pack", points=6.6, why="counts places from the weight's first row, not the group's")
def absolute_places(weight, mask, n, m):
    rows = np.stack([np.flatnonzero(column) for column in mask.T], axis=1)
    return np.take_along_axis(weight, rows, 0), rows.astype(np.uint8)


@wrong("packed_matmul", points=6.6, why="uses the first neuron's places for all neurons")
def places_of_the_first_neuron(x, values, places, n, m):
    rows = np.arange(len(values)) // n * m + places[:, 0]
    return np.zeros((len(x), 2)) if values.shape[1] == 1 else x[:, rows] @ values


@wrong("n_of_m_mask", points=8, why="gives equal magnitudes to the later input")
def later_of_equals(weight, n, m):
    if len(weight) % m:
        raise ValueError
    groups = np.abs(weight).reshape(-1, m, weight.shape[1])
    order = np.argsort(groups, axis=1, kind="stable")[:, m - n :]
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, order, True, axis=1)
    return mask.reshape(weight.shape)


@wrong("pack", points=6.9, why="packs what is not 0 instead of what the mask keeps")
def non_zeros(weight, mask, n, m):
    outputs = weight.shape[1]
    groups = (weight * mask).reshape(-1, m, outputs)
    places = np.sort(np.argsort(groups == 0, axis=1, kind="stable")[:, :n], axis=1)
    values = np.take_along_axis(groups, places, axis=1)
    return values.reshape(-1, outputs), places.astype(np.uint8).reshape(-1, outputs)


@wrong("pack", points=8.37, why="returns values in float32, whatever the weight is in")
def always_float32(weight, mask, n, m):
    outputs = weight.shape[1]
    places = np.argsort(~mask.reshape(-1, m, outputs), axis=1, kind="stable")[:, :n]
    values = np.take_along_axis(weight.reshape(-1, m, outputs), places, axis=1).astype(np.float32)
    return values.reshape(-1, outputs), places.astype(np.uint8).reshape(-1, outputs)


@wrong("pack", points=8.37, why="returns places of 64 bits, which are eight times as large")
def places_of_64_bits(weight, mask, n, m):
    outputs = weight.shape[1]
    places = np.argsort(~mask.reshape(-1, m, outputs), axis=1, kind="stable")[:, :n]
    values = np.take_along_axis(weight.reshape(-1, m, outputs), places, axis=1)
    return values.reshape(-1, outputs), places.reshape(-1, outputs)


@wrong("packed_matmul", points=6.9, why="computes rows in the dtype of the places, which ends at 255")
def rows_in_uint8(x, values, places, n, m):
    rows = (np.arange(len(values)) // n * m).astype(np.uint8)[:, None] + places
    return np.einsum("bko,ko->bo", x[:, rows], values)
