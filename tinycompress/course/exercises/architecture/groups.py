"""Groups of channels, and a shuffle (25 minutes, 5 points).

A 1 x 1 convolution from C to O channels has C * O weights, and nets of separable layers have most of theirs there. Split the
channels into g groups, and let each group of outputs see only its own group of inputs: what is left is C * O / g weights and
as many multiplications per pixel. But then information never leaves its group. So a shuffle follows: it deals the channels
out like cards, so that each group of the next layer gets some of every group (Zhang et al. 2018, ShuffleNet).

    6 channels in 2 groups:      a0 a1 a2 | b0 b1 b2        after the shuffle:     a0 b0 a1 | b1 a2 b2

Images are (batch, height, width, channels), as everywhere in this course. The weight of a grouped layer has one matrix per
group, (groups, C / groups, O / groups).
"""

import numpy as np


def grouped(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The grouped 1 x 1 convolution: (batch, height, width, O), in the dtype of x.

    Output group k is the k-th O / groups channels, and sees the k-th C / groups channels of x. Raises ValueError if the
    channels of x are not those of the weight.
    """
    ### BEGIN SOLUTION
    groups, inputs, outputs = weight.shape
    if x.shape[-1] != groups * inputs:
        raise ValueError(f"{groups} groups of {inputs} are not the {x.shape[-1]} channels of the image")
    parts = x.reshape(*x.shape[:-1], groups, inputs)
    return np.einsum("nhwgi,gio->nhwgo", parts, weight).reshape(*x.shape[:-1], groups * outputs)
    ### END SOLUTION


def shuffled(x: np.ndarray, groups: int) -> np.ndarray:
    """The channels dealt out as above: first the first of each group, then the second of each, and so on.

    x: (batch, height, width, channels). Raises ValueError if the groups do not divide the channels.
    """
    ### BEGIN SOLUTION
    if x.shape[-1] % groups:
        raise ValueError(f"{x.shape[-1]} channels do not make {groups} equal groups")
    return x.reshape(*x.shape[:-1], groups, -1).swapaxes(-1, -2).reshape(x.shape)
    ### END SOLUTION


def unshuffled(grad: np.ndarray, groups: int) -> np.ndarray:
    """The derivative of the loss by the input of `shuffled`, from that by its output: the channels where they came from."""
    ### BEGIN SOLUTION
    return shuffled(grad, grad.shape[-1] // groups)
    ### END SOLUTION


def widest(budget: int, groups: int) -> int:
    """The largest number of channels C, a multiple of `groups`, for which a layer from C to C channels in that many groups
    has at most `budget` weights; 0 if there is none.
    """
    ### BEGIN SOLUTION
    channels = 0
    while (channels + groups) ** 2 // groups <= budget:
        channels += groups
    return channels
    ### END SOLUTION
