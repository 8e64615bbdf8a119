"""A student that beats the labels (45 minutes, 9 points).

Two hundred examples of six classes that overlap, and a student with eight hidden neurons. Trained on the labels it learns
their accidents by heart: an example that lies between two classes has just one of the two labels. A teacher knows better. It
says how likely each class is (Hinton et al. 2015), and its six numbers per example say more than a label does.

Here you train the student with this course's engine, and the grader measures it. In five problems that it draws, it trains a
student of its own on the labels, lets yours learn from the teacher's logits of the same examples, and counts the errors of
both on 4000 new examples. Your student must be right in at least 11 percentage points more of them, on average; half of the
points are for 5. (A student that learns only the teacher's most likely class gains about 9.)

A net is a list of four float64 arrays, [w1 (inputs, hidden), b1 (hidden,), w2 (hidden, classes), b2 (classes,)], with the
logits relu(x @ w1 + b1) @ w2 + b2. In the engine:

    import tinycompress as tc
    w = tc.Tensor(array, requires_grad=True)          z = (tc.Tensor(x) @ w).relu()
    tc.functional.log_softmax(z)                      loss.backward(), and then w.grad
    adam = tc.optim.Adam([w], lr=0.02)                then adam.zero_grad() before, and adam.step() after it
"""

import numpy as np

import tinycompress as tc

STEPS, LR, TEMPERATURE = 120, 0.03, 2.0  # good enough; you may look for better ones


def _first_weights(inputs: int, hidden: int, classes: int, seed: int) -> list:
    """A net as above, before it has learned anything."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(inputs, hidden)) * (2 / inputs) ** 0.5
    return [first, np.zeros(hidden), rng.normal(size=(hidden, classes)) * hidden**-0.5, np.zeros(classes)]


def predict(net: list, x: np.ndarray) -> np.ndarray:
    """The logits of the net above, (N, classes), for x (N, inputs), with NumPy alone."""
    ### BEGIN SOLUTION
    return np.maximum(x @ net[0] + net[1], 0) @ net[2] + net[3]
    ### END SOLUTION


def soft_loss(logits: np.ndarray, teacher: np.ndarray, temperature: float) -> tuple:
    """(L, dL/dlogits) for L = T^2 * mean over the examples of cross-entropy(softmax(teacher / T), softmax(logits / T)).

    logits, teacher: (N, classes), of any magnitude. The engine can find the derivative: make a Tensor of the logits.
    """
    ### BEGIN SOLUTION
    z = tc.Tensor(logits, requires_grad=True)
    loss = _loss(z, teacher, temperature)
    loss.backward()
    return float(loss.data), z.grad
    ### END SOLUTION


### BEGIN SOLUTION


def _loss(z, teacher, temperature):
    p = np.exp((teacher - teacher.max(1, keepdims=True)) / temperature)
    p /= p.sum(1, keepdims=True)
    each = (tc.Tensor(p) * tc.functional.log_softmax(z * (1 / temperature))).sum(1)
    return each.mean() * (-(temperature**2))


### END SOLUTION


def distil(x: np.ndarray, teacher: np.ndarray, hidden: int, seed: int) -> list:
    """A student with this many hidden neurons that learned from the teacher's logits: a net as above.

    x: (N, inputs), float64; teacher: (N, classes). Begin with `_first_weights`, so that the same arguments give the same
    student, and take STEPS steps of Adam with the whole batch. This takes a second; it has ten.
    """
    ### BEGIN SOLUTION
    net = [tc.Tensor(part, requires_grad=True) for part in _first_weights(x.shape[1], hidden, teacher.shape[1], seed)]
    opt = tc.optim.Adam(net, lr=LR)
    for _step in range(STEPS):
        z = (tc.Tensor(x) @ net[0] + net[1]).relu() @ net[2] + net[3]
        loss = _loss(z, teacher, TEMPERATURE)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return [part.data for part in net]
    ### END SOLUTION
