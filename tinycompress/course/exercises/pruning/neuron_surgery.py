"""Neuron surgery: how the next layer must change, too (45 minutes, 9 points).

A neuron is a column of one layer and a row of the layer that reads its output. Here the layer is h = relu(x W + b) and its
reader is y = h R + c, so neuron k is column k of W, entry k of b and row k of R.

1. If the reader comes after a flattened image, (height, width, channels) with the channels last, a channel has not one row
   but one per pixel: channels 0 and 1 of two pixels lie in memory as 0 1 0 1.
2. A neuron whose output is constant is not needed. But what it contributed still is: it moves into the reader's bias. For a
   neuron that hardly varies, its mean is the constant of least squared error. Simply deleting it would assume that its
   output was always 0.
3. Of two neurons with the same output, one is enough (Srinivas & Babu 2015, "Data-free parameter pruning"): the reader adds
   up its two rows. And since relu(s h) = s relu(h) for s > 0, this works for positive multiples, too.
"""

import numpy as np


def flattened_rows(kept: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which rows of the reader stay if only some channels of a flattened image are kept.

    kept: (channels,) booleans. Returns (height * width * channels,) booleans.
    """
    ### BEGIN SOLUTION
    return np.tile(kept, height * width)
    ### END SOLUTION


def remove(weight, bias, reader, reader_bias, kept, constant) -> tuple:
    """Both layers without the neurons that are not kept, each of which is taken to have had a constant output.

    weight: (inputs, neurons); bias: (neurons,); reader: (neurons, outputs); reader_bias: (outputs,); kept: (neurons,)
    booleans; constant: (neurons,), the constant outputs, used only for removed neurons. Returns the new weight, bias,
    reader and reader_bias, in this order, with the dtypes they had. No argument may be changed.
    """
    ### BEGIN SOLUTION
    said = constant[~kept] @ reader[~kept]
    return weight[:, kept], bias[kept], reader[kept], (reader_bias + said).astype(reader_bias.dtype)
    ### END SOLUTION


def merge(weight, bias, reader, stays: int, goes: int) -> tuple:
    """The layers without neuron `goes`, whose incoming weights and bias are a positive multiple of those of neuron `stays`.

    weight, bias, reader: as in `remove`. Returns the three arrays with one neuron less; the net's outputs do not change. No
    argument may be changed. Raises ValueError if `goes` is not a positive multiple of `stays`. Rounding is allowed for: a
    weight or bias of `goes` may differ from the multiple by up to 0.1 % of the largest magnitude among them. The weights and
    bias of `stays` are not all 0.
    """
    ### BEGIN SOLUTION
    one, other = (np.append(weight[:, k], bias[k]) for k in (stays, goes))
    factor = one @ other / (one @ one)
    if factor <= 0 or np.abs(other - factor * one).max() > 1e-3 * np.abs(other).max():
        raise ValueError(f"neuron {goes} is not a positive multiple of neuron {stays}")
    reader = reader.copy()
    reader[stays] += factor * reader[goes]
    return np.delete(weight, goes, axis=1), np.delete(bias, goes), np.delete(reader, goes, axis=0)
    ### END SOLUTION
