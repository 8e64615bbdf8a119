"""Sparsity that hardware likes: 2 of every 4 (45 minutes, 9 points).

Single weights are hard to skip: their places must be stored and read one by one. So recent GPUs require a regular
pattern instead: of every m consecutive inputs of a neuron, at most n weights are not zero, with n:m = 2:4 (Mishra et al.
2021). Then it is enough to store half of the values, each with a place of two bits, and every group takes the same time.

Here a weight is (inputs, outputs), as everywhere in this course, so a group is m consecutive rows of one column:

    column 0 of weight:   0.1  -0.9   0.3   0.2  |  0.5  -0.1  -0.6   0.4
    kept, 2 of 4:          0   -0.9   0.3    0   |  0.5    0   -0.6    0
    values:                    -0.9   0.3        |  0.5        -0.6
    places:                       1     2        |    0           2

Write three functions. Each is given what the one before should return, so you can begin with any of them.
"""

import numpy as np


def n_of_m_mask(weight: np.ndarray, n: int, m: int) -> np.ndarray:
    """Which weights to keep: in each group of m consecutive inputs of a neuron, the n of largest magnitude.

    weight: (inputs, outputs). Returns booleans of the same shape, True = kept. Of equal magnitudes, the earlier input is
    kept. Raises ValueError if m does not divide the number of inputs.
    """
    ### BEGIN SOLUTION
    inputs, outputs = weight.shape
    if inputs % m:
        raise ValueError(f"{inputs} inputs do not make whole groups of {m}")
    groups = np.abs(weight).reshape(-1, m, outputs)
    largest = np.argsort(-groups, axis=1, kind="stable")[:, :n]
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, largest, True, axis=1)
    return mask.reshape(weight.shape)
    ### END SOLUTION


def pack(weight: np.ndarray, mask: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """The kept weights without the zeros, and their places within their groups.

    weight, mask: (inputs, outputs), with n weights kept in each group of m. Returns values, of the weight's dtype, and
    places (uint8, 0 to m - 1), both (inputs / m * n, outputs): group after group, and within a group in the order of the
    inputs.
    """
    ### BEGIN SOLUTION
    outputs = weight.shape[1]
    groups = mask.reshape(-1, m, outputs)
    places = np.argsort(~groups, axis=1, kind="stable")[:, :n]  # False sorts first: kept weights, in order
    values = np.take_along_axis(weight.reshape(-1, m, outputs), places, axis=1)
    return values.reshape(-1, outputs), places.astype(np.uint8).reshape(-1, outputs)
    ### END SOLUTION


def packed_matmul(x: np.ndarray, values: np.ndarray, places: np.ndarray, n: int, m: int) -> np.ndarray:
    """x @ weight, computed from the packed weight: each neuron looks at only n of every m inputs.

    x: (batch, inputs); values, places: (inputs / m * n, outputs), as `pack` returns them. Returns (batch, outputs).
    """
    ### BEGIN SOLUTION
    rows = np.arange(len(values))[:, None] // n * m + places  # which input each value multiplies
    return np.einsum("bko,ko->bo", x[:, rows], values)
    ### END SOLUTION
