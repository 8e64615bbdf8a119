"""Plausible wrong answers to beat_the_labels, and how many of the 9 points each earns."""

import numpy as np

import tinycompress as tc
from tinycompress.course import wrong


def softmax(t):
    p = np.exp(t - t.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def loss_of(z, p, temperature):
    return -(tc.Tensor(p) * tc.functional.log_softmax(z * (1 / temperature))).sum(1).mean() * temperature**2


def trained(x, targets, hidden, seed, steps=120, scale=1.0, temperature=1.0):
    """A student of these probabilities."""
    rng = np.random.default_rng(seed)
    inputs, classes = x.shape[1], targets.shape[1]
    first = scale * rng.normal(size=(inputs, hidden)) * (2 / inputs) ** 0.5
    last = scale * rng.normal(size=(hidden, classes)) * hidden**-0.5
    net = [tc.Tensor(part, requires_grad=True) for part in (first, np.zeros(hidden), last, np.zeros(classes))]
    optimizer = tc.optim.Adam(net, lr=0.03)
    for _ in range(steps):
        z = (tc.Tensor(x) @ net[0] + net[1]).relu() @ net[2] + net[3]
        loss = loss_of(z, targets, temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [part.data for part in net]


def backward(logits, loss):
    z = tc.Tensor(logits, requires_grad=True)
    found = loss(z)
    found.backward()
    return float(found.data), z.grad


@wrong("predict", points=8.1, why="leaves out the ReLU")
def linear(net, x):
    return (x @ net[0] + net[1]) @ net[2] + net[3]


@wrong("predict", points=8.3, why="applies the ReLU to the logits, too")
def relu_at_the_end(net, x):
    return np.maximum(np.maximum(x @ net[0] + net[1], 0) @ net[2] + net[3], 0)


@wrong("soft_loss", points=6.7, why="forgets T^2")
def without_t_squared(logits, teacher, temperature):
    p = softmax(teacher / temperature)
    return backward(logits, lambda z: loss_of(z, p, temperature) * (1 / temperature**2))


@wrong("soft_loss", points=6.6, why="is a sum over the examples")
def sum_over_the_examples(logits, teacher, temperature):
    p = softmax(teacher / temperature)
    return backward(logits, lambda z: loss_of(z, p, temperature) * len(logits))


@wrong("soft_loss", points=6.7, why="softens the student, but not the teacher")
def teacher_at_one(logits, teacher, temperature):
    return backward(logits, lambda z: loss_of(z, softmax(teacher), temperature))


@wrong("soft_loss", points=8.6, why="overflows")
def overflows(logits, teacher, temperature):
    with np.errstate(all="ignore"):
        p = np.exp(teacher / temperature)
        p = p / p.sum(1, keepdims=True)
    return backward(logits, lambda z: loss_of(z, p, temperature))


@wrong("distil", points=6.9, why="learns the most likely class alone")
def most_likely_class(x, teacher, hidden, seed):
    return trained(x, np.eye(teacher.shape[1])[teacher.argmax(1)], hidden, seed)


@wrong("distil", points=4.8, why="ends after ten steps")
def ten_steps(x, teacher, hidden, seed):
    return trained(x, softmax(teacher), hidden, seed, steps=10)


@wrong("distil", points=3.6, why="begins with weights of 0, so that all neurons stay alike")
def from_zero(x, teacher, hidden, seed):
    return trained(x, softmax(teacher), hidden, seed, scale=0.0)


@wrong("distil", points=8.2, why="ignores the seed")
def always_the_same(x, teacher, hidden, seed):
    return trained(x, softmax(teacher), hidden, 0)


@wrong("distil", points=3.6, why="takes more hidden neurons than it may")
def larger(x, teacher, hidden, seed):
    return trained(x, softmax(teacher), 4 * hidden, seed)


@wrong("distil", points=4.4, why="softens so much that all classes are alike")
def far_too_warm(x, teacher, hidden, seed):
    return trained(x, softmax(teacher / 1000), hidden, seed)


@wrong("soft_loss", points=8.6, why="takes the logarithm of a probability that is 0 in floating point")
def log_of_zero(logits, teacher, temperature):
    p, q = softmax(teacher / temperature), softmax(logits / temperature)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = -(p * np.log(q)).sum(1).mean() * temperature**2
    return float(loss), temperature * (q - p) / len(logits)
