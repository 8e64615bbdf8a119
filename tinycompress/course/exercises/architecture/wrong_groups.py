"""Plausible wrong answers to groups, and how many of the 5 points each earns."""

import numpy as np

from tinycompress.course import wrong


def check(x, weight):
    if x.shape[-1] != weight.shape[0] * weight.shape[1]:
        raise ValueError


@wrong("grouped", points=3.1, why="takes every g-th channel for a group")
def interleaved(x, weight):
    check(x, weight)
    groups = len(weight)
    return np.concatenate([x[..., k::groups] @ weight[k] for k in range(groups)], axis=-1)


@wrong("grouped", points=2.9, why="adds the groups up")
def added_up(x, weight):
    check(x, weight)
    parts = np.split(x, len(weight), axis=-1)
    return np.tile(sum(p @ w for p, w in zip(parts, weight, strict=True)), len(weight))


@wrong("grouped", points=3.3, why="uses the first group's weights for all")
def one_weight(x, weight):
    check(x, weight)
    return np.concatenate([part @ weight[0] for part in np.split(x, len(weight), axis=-1)], axis=-1)


@wrong("grouped", points=4.76, why="returns float64")
def in_float64(x, weight):
    check(x, weight)
    y = np.zeros((*x.shape[:-1], weight.shape[0] * weight.shape[2]))
    for k, part in enumerate(np.split(x, len(weight), axis=-1)):
        y[..., k * weight.shape[2] : (k + 1) * weight.shape[2]] = part @ weight[k]
    return y


@wrong("grouped", points=4.7, why="drops channels that have no group")
def drops(x, weight):
    x = x[..., : weight.shape[0] * weight.shape[1]]
    return np.concatenate([part @ weight[k] for k, part in enumerate(np.split(x, len(weight), axis=-1))], axis=-1)


def deal(x, groups):
    return x.reshape(*x.shape[:-1], groups, -1).swapaxes(-1, -2).reshape(x.shape)


@wrong("shuffled", points=2.9, why="splits the channels the other way round")
def wrong_way(x, groups):
    if x.shape[-1] % groups:
        raise ValueError
    return deal(x, x.shape[-1] // groups)


@wrong("shuffled", points=2.6, why="moves the groups, but keeps their channels together")
def turned(x, groups):
    if x.shape[-1] % groups:
        raise ValueError
    return np.roll(x, x.shape[-1] // groups, axis=-1)


@wrong(
    "unshuffled",
    points=4.1,
    why="shuffles once more, which is the way back only for as many groups as channels in each",
)
def shuffles_again(grad, groups):
    return deal(grad, groups)


@wrong("unshuffled", points=4.1, why="returns the gradient as it came")
def unmoved(grad, groups):
    return grad


@wrong("widest", points=4.5, why="forgets that groups save weights")
def without_groups(budget, groups):
    return int(budget**0.5) // groups * groups


@wrong("widest", points=4.6, why="asks for fewer weights than the budget")
def strictly_fewer(budget, groups):
    channels = 0
    while (channels + groups) ** 2 // groups < budget:
        channels += groups
    return channels
