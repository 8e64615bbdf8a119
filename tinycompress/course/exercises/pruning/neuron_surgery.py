"""Neuron surgery: what its readers must learn of it (45 minutes, 10 points).

A neuron is a column of one layer and, wherever its output is read, a row of another. Here the layer is
h = relu(x W + b) and its reader y = h R + c, so that neuron k is column k of W, entry k of b and row k of R.

1. If the reader comes after a flattened image, (height, width, channels) with the channels last, a channel is not one row
   but one for each pixel: channels 0 and 1 of two pixels lie in memory as 0 1 0 1.
2. A neuron that always says the same is not needed; what it said is, and moves into the reader's bias. For one that hardly
   varies, its mean is the best constant in the squared error. Simply deleting it would say that it was always 0.
3. Of two neurons that say the same, one is enough (Srinivas & Babu 2015, "Data-free parameter pruning"): the reader listens to
   it twice. And since relu(s h) = s relu(h) for s > 0, multiples are as good as twins.
"""

import numpy as np


def flattened_rows(kept: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which rows of the reader stay when only some channels of a flattened image do.

    kept: (channels,) booleans. Returns (height * width * channels,) booleans.
    """
    ### BEGIN SOLUTION
    return np.tile(kept, height * width)
    ### END SOLUTION


def remove(weight, bias, reader, reader_bias, kept, constant) -> tuple:
    """Both layers without some neurons, each of which is taken to have always said its constant.

    weight: (inputs, neurons); bias: (neurons,); reader: (neurons, outputs); reader_bias: (outputs,); kept: (neurons,)
    booleans; constant: (neurons,), read only where a neuron goes. Returns the four arrays of weights, in this order, with
    the dtypes they had.
    """
    ### BEGIN SOLUTION
    said = constant[~kept] @ reader[~kept]
    return weight[:, kept], bias[kept], reader[kept], (reader_bias + said).astype(reader_bias.dtype)
    ### END SOLUTION


def merge(weight, bias, reader, stays: int, goes: int) -> tuple:
    """The layers without the neuron `goes`, whose incoming weights and bias are a positive multiple of those of `stays`.

    weight, bias, reader: as in `remove`. Returns the three arrays, with one neuron less; no output changes. Raises
    ValueError where the one is not a positive multiple of the other (but for 0.1 % of rounding). `stays` is not all 0.
    """
    ### BEGIN SOLUTION
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if factor <= 0 or np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError(f"neuron {goes} is no positive multiple of neuron {stays}")
    reader = reader.copy()
    reader[stays] += factor * reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)
    ### END SOLUTION
