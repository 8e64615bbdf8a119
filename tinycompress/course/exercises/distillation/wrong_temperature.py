"""Plausible wrong answers to temperature, and how many of the 7 points each earns."""

import numpy as np

from tinycompress.course import wrong


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def parts(student, teacher, labels, temperature):
    hard = softmax(student)
    hard[np.arange(len(labels)), labels] -= 1
    return softmax(student / temperature) - softmax(teacher / temperature), hard


@wrong("soften", points=6, why="overflows")
def naive(logits, temperature):
    if temperature <= 0:
        raise ValueError
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.exp(logits / temperature)
        return p / p.sum(1, keepdims=True)


@wrong("gradient", points=4.6, why="forgets that the derivative of s / T cancels one T of T^2")
def t_squared(student, teacher, labels, temperature, alpha):
    soft, hard = parts(student, teacher, labels, temperature)
    return (alpha * temperature**2 * soft + (1 - alpha) * hard) / len(labels)


@wrong("gradient", points=4.6, why="leaves out T^2, so that the teacher's influence vanishes as T grows")
def without_t_squared(student, teacher, labels, temperature, alpha):
    soft, hard = parts(student, teacher, labels, temperature)
    return (alpha / temperature * soft + (1 - alpha) * hard) / len(labels)


@wrong("gradient", points=4.6, why="takes the sum over the batch instead of the mean")
def sum_over_the_batch(student, teacher, labels, temperature, alpha):
    soft, hard = parts(student, teacher, labels, temperature)
    return alpha * temperature * soft + (1 - alpha) * hard


@wrong("calibrate", points=4.3, why="tries a coarse grid, which also ends too early")
def coarse_grid(logits, labels):
    grid = np.arange(0.5, 10.1, 0.5)
    rows = np.arange(len(labels))
    return float(min(grid, key=lambda T: -np.log(softmax(logits / T)[rows, labels] + 1e-300).mean()))


@wrong("soften", points=6, why="subtracts one maximum from the whole batch, so that other examples become 0 / 0")
def one_maximum(logits, temperature):
    if temperature <= 0:
        raise ValueError
    p = np.exp((logits - logits.max()) / temperature)
    with np.errstate(invalid="ignore"):
        return p / p.sum(1, keepdims=True)


@wrong("soften", points=5.8, why="multiplies by the temperature")
def cooled(logits, temperature):
    if temperature <= 0:
        raise ValueError
    return softmax(logits * temperature)


@wrong("soften", points=6.6, why="accepts a temperature of 0 or less")
def any_temperature(logits, temperature):
    with np.errstate(all="ignore"):
        return softmax(logits / temperature)


def _loss_at(temperature, logits, labels):
    return -np.log(softmax(logits / temperature)[np.arange(len(labels)), labels] + 1e-300).mean()


@wrong("calibrate", points=5.2, why="tries a grid with steps of 2 %")
def grid_of_two_percent(logits, labels):
    return float(min(np.geomspace(0.05, 20, 303), key=lambda T: _loss_at(T, logits, labels)))


@wrong("calibrate", points=4.3, why="returns 1 / T")
def inverse(logits, labels):
    return float(1 / min(np.geomspace(0.05, 20, 3000), key=lambda T: _loss_at(T, logits, labels)))


@wrong("calibrate", points=4.5, why="stops at 10")
def up_to_ten(logits, labels):
    return float(min(np.geomspace(0.05, 10, 8000), key=lambda T: _loss_at(T, logits, labels)))
