"""Large first, or grow? A wider net that computes the same (30 minutes, 6 points).

Why train a large net and prune it, if one could train a small net and let it grow? To find out, both must be able to spend the
same multiplications on training, and a net must grow without forgetting what it has learned. The latter is simple (Chen,
Goodfellow & Shlens 2016, Net2Net, section 2.2). A neuron is copied with its incoming weights and its bias. Whoever reads it now
reads the same value more than once, so each of these weights is divided by the number of times that the neuron is there:

    neurons 0 1, of which 1 is copied twice:    0 1 1 1        the reader's weights 5 6 become 5 2 2 2

The wide net computes the same. But copies that are equal also get equal gradients, and stay equal forever. A little noise on the
incoming weights of the new ones lets them part.

A net is a list of four float64 arrays, [w1 (inputs, hidden), b1 (hidden,), w2 (hidden, classes), b2 (classes,)], with the logits
relu(x @ w1 + b1) @ w2 + b2. `_train` trains it with this course's engine.
"""

import numpy as np

import tinycompress as tc


def _train(net: list, x: np.ndarray, labels: np.ndarray, steps: int, lr: float) -> list:
    """The net after this many steps of gradient descent on the whole batch. The net that is given does not change."""
    parts, x = [tc.Tensor(array.copy(), requires_grad=True) for array in net], tc.Tensor(x)
    for _step in range(steps):
        logits = (x @ parts[0] + parts[1]).relu() @ parts[2] + parts[3]
        tc.functional.cross_entropy(logits, labels).backward()
        for part in parts:
            part.data, part.grad = part.data - lr * part.grad, None
    return [part.data for part in parts]


def widened(weight: np.ndarray, bias: np.ndarray, reader: np.ndarray, copies: np.ndarray) -> tuple:
    """(weight, bias, reader) of a layer with more neurons or channels, such that what is read does not change.

    weight: (…, neurons); bias: (neurons,); reader: (…, neurons, outputs). A dense layer has no other axes than `inputs` before
    them, a convolution has (height, width, channels). copies: integers (new,), the neurons to copy, in any order; one may occur
    several times, and there may be none. The copies come after all old neurons, in the order given. The results have the dtypes
    that the arrays had. No argument may be changed.
    """
    ### BEGIN SOLUTION
    source = np.append(np.arange(len(bias)), copies).astype(int)
    times = np.bincount(source)[source].astype(reader.dtype)
    return weight[..., source], bias[source], reader[..., source, :] / times[:, None]
    ### END SOLUTION


def parted(weight: np.ndarray, before: int, noise: float, z: np.ndarray) -> np.ndarray:
    """A copy of the weight (…, neurons) with noise on all but the first `before` neurons, whose weights stay as they are.

    z: random numbers (…, neurons - before). Added is noise * s * z, where s is the standard deviation of all numbers in the
    given weight, as np.std computes it. The weight is float64 and may not be changed.
    """
    ### BEGIN SOLUTION
    found = weight.copy()
    found[..., before:] += noise * weight.std() * z
    return found
    ### END SOLUTION


def epochs_left(inputs: int, classes: int, small: list, large: list, allowed: int, before: int) -> int:
    """How many whole epochs of the large net can be paid for after `before` epochs of the small one.

    small, large: the widths of the hidden layers of each, none to many, all dense; both nets have the same inputs and classes.
    An epoch costs as many multiplications as the net has weights (per example; biases cost none), and `allowed` is what all
    epochs may cost together. Raises ValueError if the first epochs alone cost more. Numbers may be large: use integers only.
    """
    ### BEGIN SOLUTION
    one, other = ([inputs, *map(int, widths), classes] for widths in (small, large))
    one, other = (sum(a * b for a, b in zip(w[:-1], w[1:], strict=True)) for w in (one, other))
    if before * one > allowed:
        raise ValueError(f"{before} epochs of the small net cost {before * one}, more than {allowed}")
    return (allowed - before * one) // other
    ### END SOLUTION


def grown(
    net: list,
    x: np.ndarray,
    labels: np.ndarray,
    steps: tuple,
    lr: float,
    copies: np.ndarray,
    noise: float,
    z: np.ndarray,
) -> list:
    """A net that is trained for steps[0] steps, widened, parted by noise, and trained for steps[1] more steps.

    copies: as in `widened`; noise, z (inputs, new): as in `parted`, for w1. Use `_train`. No argument may be changed.
    """
    ### BEGIN SOLUTION
    w1, b1, w2, b2 = _train(net, x, labels, steps[0], lr)
    wide, b1, w2 = widened(w1, b1, w2, copies)
    return _train([parted(wide, w1.shape[1], noise, z), b1, w2, b2], x, labels, steps[1], lr)
    ### END SOLUTION
