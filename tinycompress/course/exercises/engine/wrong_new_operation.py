"""Plausible wrong answers to new_operation, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong
from tinycompress.tensor import Tensor, record


def value(x, b):
    return np.logaddexp(0, b * x) / b


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


def _graph(x, weight, b, of_h, of_b, reduce):
    """The graph with these derivatives and this end."""
    weight, b = Tensor(weight, requires_grad=True), Tensor(b, requires_grad=True)
    h = Tensor(x) @ weight
    y = record(value(h.data, b.data), (h, lambda g: of_h(g, h.data, b.data)), (b, lambda g: of_b(g, h.data, b.data)))
    loss = reduce(y)
    loss.backward()
    return float(loss.data), weight.grad, b.grad


def by_h(grad, h, b):
    return grad * sigmoid(b * h)


def by_b(grad, h, b):
    return (grad * (h * sigmoid(b * h) - value(h, b)) / b).sum(0)


@wrong("softplus", points=5.5, why="overflows")
def literal(x, b):
    with np.errstate(over="ignore"):
        return np.log(1 + np.exp(b * x)) / b


@wrong("softplus", points=5.5, why="is exact for large values, but returns 0 for all below -20")
def clipped(x, b):
    return np.where(b * x > 30, x, np.log(1 + np.exp(np.clip(b * x, -20, 30))) / b)


@wrong("softplus", points=4.3, why="forgets to divide by b")
def undivided(x, b):
    return np.logaddexp(0, b * x)


@wrong("gradients", points=3.6, why="forgets what comes from above")
def of_the_output(grad, x, b, y):
    s = sigmoid(b * x)
    return s, ((x * s - y) / b).sum(0)


@wrong("gradients", points=5.2, why="takes the mean over the rows for b")
def mean_over_rows(grad, x, b, y):
    s = sigmoid(b * x)
    return grad * s, (grad * (x * s - y) / b).mean(0)


@wrong("gradients", points=5.2, why="takes b into dy/dx, as if y were not divided by it")
def with_b(grad, x, b, y):
    s = sigmoid(b * x)
    return grad * s * b, (grad * (x * s - y) / b).sum(0)


@wrong("gradients", points=4.4, why="forgets that y is divided by b, too")
def without_y(grad, x, b, y):
    s = sigmoid(b * x)
    return grad * s, (grad * x * s / b).sum(0)


@wrong("gradients", points=5.6, why="makes NaN of infinity by infinity")
def infinite(grad, x, b, y):
    with np.errstate(all="ignore"):
        s = np.exp(b * x) / (1 + np.exp(b * x))
    return grad * s, (grad * (x * s - y) / b).sum(0)


@wrong("in_the_graph", points=4.5, why="adds the squares up instead of taking the mean")
def sum_of_squares(x, weight, b):
    return _graph(x, weight, b, by_h, by_b, lambda y: (y * y).sum())


@wrong("in_the_graph", points=4.3, why="does not square")
def mean_of_outputs(x, weight, b):
    return _graph(x, weight, b, by_h, by_b, lambda y: y.mean())


@wrong("in_the_graph", points=4.3, why="returns the gradient of b as if it were fixed")
def b_is_fixed(x, weight, b):
    return _graph(x, weight, b, by_h, lambda g, h, b: np.zeros_like(b), lambda y: (y * y).mean())


@wrong("in_the_graph", points=4.5, why="records dy/dx without what comes from above")
def ignores_the_gradient(x, weight, b):
    return _graph(x, weight, b, lambda g, h, b: sigmoid(b * h), by_b, lambda y: (y * y).mean())


@wrong("softplus", points=5.5, why="takes x itself from b x = 10 on")
def linear_from_ten(x, b):
    return np.where(b * x > 10, x, np.logaddexp(0, np.minimum(b * x, 10)) / b)
