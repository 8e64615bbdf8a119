"""Which layer can lose most? A sensitivity scan (40 minutes, 8 points).

Layers differ: a first layer with few weights misses each of them, while a wide one hardly notices that half of its own are
gone. To remove the same share of each is therefore a waste. Li et al. (2017, section 3.1) scan the layers one by one: the
smallest weights of a single layer are removed, while all others stay whole, and the validation images that are still classified
correctly are counted, for several shares. Then each layer gets a share of its own, such as the largest that costs at most 2
percentage points, which are 4 of 200 images:

    right of 200        half removed    90 % removed
    layer 0, 72 weights          196             150      half costs exactly 2 points, which is allowed; 90 % costs 25
    layer 1, 4000 weights        199             197      90 % costs 1.5 points

The whole net gets all 200 right. Layers that were scanned one at a time do not say what they cost together; the notebook does.

The net has three layers: a convolution of 3 x 3, a dense layer, and another one that gives the logits. `_logits` computes them
with this course's engine. Only weights are pruned, never biases.
"""

import numpy as np

import tinycompress as tc


def _logits(weights: list, biases: list, x: np.ndarray) -> np.ndarray:
    """The net's logits, (N, classes), for images x (N, height, width, channels).

    weights: [(3, 3, channels, features), (inputs, hidden), (hidden, classes)]; biases: [(features,), (hidden,), (classes,)].
    """
    w, b = [tc.Tensor(weight) for weight in weights], [tc.Tensor(bias) for bias in biases]
    y = tc.functional.max_pool2d(tc.functional.conv2d(tc.Tensor(x), w[0], b[0]).relu(), 2)
    y = (tc.functional.flatten(y) @ w[1] + b[1]).relu()
    return (y @ w[2] + b[2]).data


def pruned(weight: np.ndarray, share: float) -> np.ndarray:
    """A copy of the weight whose int(share * number of weights) values of smallest magnitude are 0.

    The weight has any shape and a float dtype, which the copy keeps. share: from 0 to 1. Of equal magnitudes the first one
    goes, in row-major order, however the array lies in memory. The argument may not be changed.
    """
    ### BEGIN SOLUTION
    order = np.argsort(np.abs(weight), axis=None, kind="stable")
    left = weight.copy()
    left[np.unravel_index(order[: int(share * weight.size)], weight.shape)] = 0
    return left
    ### END SOLUTION


def scan(weights: list, biases: list, x: np.ndarray, labels: np.ndarray, shares: list) -> np.ndarray:
    """How many images are classified correctly if one layer loses a share and the others nothing: int64 (layers, shares).

    weights, biases, x: as in `_logits`; labels: integers (N,); shares: numbers from 0 to 1, in any order. An image is right if
    its greatest logit (of equal ones, the first) is that of its label. No argument may be changed.
    """
    ### BEGIN SOLUTION
    right = np.zeros((len(weights), len(shares)), np.int64)
    for layer, weight in enumerate(weights):
        for column, share in enumerate(shares):
            tried = [*weights[:layer], pruned(weight, share), *weights[layer + 1 :]]
            right[layer, column] = (_logits(tried, biases, x).argmax(1) == labels).sum()
    return right
    ### END SOLUTION


def choose(right: np.ndarray, whole: int, count: int, shares: list, points: float) -> np.ndarray:
    """The share of each layer that removes the most weights such that no layer alone costs more than `points`.

    right: what `scan` returns, (layers, shares); whole: how many images the whole net gets right; count: the number of images;
    shares: as in `scan`, in any order. A share costs a layer 100 * (whole - right) / count percentage points, which may be
    negative; exactly `points` is allowed. Costs do not always rise: a large share may be allowed although a smaller one is not.
    Returns float64 (layers,), with 0 for a layer whose shares all cost too much.
    """
    ### BEGIN SOLUTION
    allowed = 100 * (whole - right) / count <= points
    return np.where(allowed, np.asarray(shares, np.float64), 0.0).max(1, initial=0.0)
    ### END SOLUTION
