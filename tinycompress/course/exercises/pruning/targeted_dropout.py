"""Dropout that knows what will be pruned (35 minutes, 7 points).

A net that is pruned without further training loses accuracy, since it was never trained to do without the weights that go.
Dropout trains a net to do without any of its weights, which is more than is needed. Targeted dropout (Gomez et al. 2019,
section 3) drops only what pruning would remove: in each step of training, each of the smallest weights is 0 with the
probability alpha. Which ones are the smallest is found anew in each step, so that a weight that grows is no longer a target.

With one output, the weights 0.5 -0.1 0.3 -0.9, and a share of one half, the targets are -0.1 and 0.3. If alpha is 0.4, and the
numbers drawn are 0.2 0.3 0.7 0.1, then -0.1 is dropped (0.3 < 0.4) and 0.3 is not. The others are no targets: 0.5 0 0.3 -0.9.

Unlike in ordinary dropout, nothing is scaled up, and when the net is used later, nothing is dropped. In the engine:

    import tinycompress as tc
    w1 = tc.Tensor(array, requires_grad=True)       y = (tc.Tensor(x) @ w1).relu()        w1 * mask also takes an array
    loss = tc.functional.cross_entropy(logits, labels)      loss.backward(), and then w1.grad;  w1.grad = None empties it
"""

import numpy as np

import tinycompress as tc


def targets(weight: np.ndarray, share: float) -> np.ndarray:
    """Booleans of the weight's shape (…, outputs): True for what may be dropped.

    These are, of the n weights that lead to an output, the int(share * n) of smallest magnitude, and all whose magnitude equals
    that of the last of these. Each output has targets of its own. With int(share * n) = 0 there are none. share: from 0 to 1.
    """
    ### BEGIN SOLUTION
    size = np.abs(weight).reshape(-1, weight.shape[-1])
    return _smallest(size, share).reshape(weight.shape)
    ### END SOLUTION


### BEGIN SOLUTION


def _smallest(size, share):
    count = int(share * len(size))
    return size <= np.sort(size, axis=0)[count - 1] if count else np.zeros(size.shape, bool)


### END SOLUTION


def dropped(weight: np.ndarray, share: float, alpha: float, u: np.ndarray) -> np.ndarray:
    """A copy of the weight for one step: a target is 0 where u < alpha. What stays is not scaled.

    weight: (…, outputs), of a float dtype, which the copy keeps; alpha: from 0 to 1; u: numbers in [0, 1), of the weight's shape.
    No argument may be changed.
    """
    ### BEGIN SOLUTION
    return np.where(targets(weight, share) & (u < alpha), weight.dtype.type(0), weight)
    ### END SOLUTION


def dropped_neurons(weight: np.ndarray, share: float, alpha: float, u: np.ndarray) -> np.ndarray:
    """The same for whole neurons: all weights that lead to an output are 0, if it is a target and its u < alpha.

    Targets are the int(share * outputs) outputs whose weights have the smallest Euclidean norm, and all whose norm equals that
    of the last of these. weight: (…, outputs); u: (outputs,). No argument may be changed.
    """
    ### BEGIN SOLUTION
    norm = np.linalg.norm(weight.reshape(-1, weight.shape[-1]), axis=0)
    return np.where(_smallest(norm, share) & (u < alpha), weight.dtype.type(0), weight)
    ### END SOLUTION


def train(
    weights: list, x: np.ndarray, labels: np.ndarray, steps: int, lr: float, share: float, alpha: float, seed: int
) -> list:
    """[w1, w2] after this many steps of gradient descent on the whole batch with targeted dropout of weights, float64.

    weights: the first w1 (inputs, hidden) and w2 (hidden, classes), float64; x: (N, inputs); labels: (N,). The logits are
    relu(x @ w1) @ w2, the loss is the mean cross-entropy. Each step draws u for w1 and then u for w2 from
    rng = np.random.default_rng(seed), made once, by rng.random(shape). A weight that is dropped has no gradient in this step, and
    keeps its value for the next. The result has all weights, and no argument may be changed.
    """
    ### BEGIN SOLUTION
    rng, x = np.random.default_rng(seed), tc.Tensor(x)
    net = [tc.Tensor(w.copy(), requires_grad=True) for w in weights]
    for _ in range(steps):
        kept = [~(targets(w.data, share) & (rng.random(w.shape) < alpha)) for w in net]
        loss = tc.functional.cross_entropy((x @ (net[0] * kept[0])).relu() @ (net[1] * kept[1]), labels)
        loss.backward()
        for w in net:
            w.data = w.data - lr * w.grad
            w.grad = None
    return [w.data for w in net]
    ### END SOLUTION
