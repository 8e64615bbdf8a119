"""Plausible wrong answers to lottery, and how many of the 9 points each earns."""

import numpy as np

from tinycompress.course import wrong


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def stepped(w1, w2, x, labels, lr, scale=1.0):
    h = np.maximum(x @ w1, 0)
    error = scale * (softmax(h @ w2) - np.eye(w2.shape[1])[labels]) / len(x)
    return w1 - lr * x.T @ (error @ w2.T * (h > 0)), w2 - lr * h.T @ error


def right(weights, masks, x, labels, steps, lr):
    w1, w2 = (w * m for w, m in zip(weights, masks, strict=True))
    for _ in range(steps):
        w1, w2 = stepped(w1, w2, x, labels, lr)
        w1, w2 = w1 * masks[0], w2 * masks[1]
    return [w1, w2]


@wrong("train", points=7.7, why="applies the masks at the end alone, so that removed weights take part")
def masks_at_the_end(weights, masks, x, labels, steps, lr):
    w1, w2 = weights
    for _ in range(steps):
        w1, w2 = stepped(w1, w2, x, labels, lr)
    return [w1 * masks[0], w2 * masks[1]]


@wrong("train", points=7.3, why="applies the masks at the start alone, so that removed weights grow again")
def masks_at_the_start(weights, masks, x, labels, steps, lr):
    w1, w2 = (w * m for w, m in zip(weights, masks, strict=True))
    for _ in range(steps):
        w1, w2 = stepped(w1, w2, x, labels, lr)
    return [w1, w2]


@wrong("train", points=5.7, why="takes the sum over the batch")
def sum_over_the_batch(weights, masks, x, labels, steps, lr):
    return right(weights, masks, x, labels, steps, lr * len(x))


@wrong("train", points=5.7, why="lets gradients pile up over the steps")
def gradients_pile_up(weights, masks, x, labels, steps, lr):
    w = [w * m for w, m in zip(weights, masks, strict=True)]
    total = [0.0, 0.0]
    for _ in range(steps):
        after = stepped(*w, x, labels, 1.0)
        total = [t + (a - b) * m for t, a, b, m in zip(total, w, after, masks, strict=True)]
        w = [a - lr * t for a, t in zip(w, total, strict=True)]
    return w


def removed(weight, mask, count):
    after = mask.copy()
    order = np.argsort(np.where(mask, np.abs(weight), np.inf), axis=None, kind="stable")[:count]
    after[np.unravel_index(order, mask.shape)] = False
    return after


@wrong("pruned", points=4.2, why="takes the share of all weights, not of those that are left")
def share_of_all(trained, masks, share):
    return [removed(w, m, min(int(share * m.size), int(m.sum()))) for w, m in zip(trained, masks, strict=True)]


@wrong("pruned", points=7.1, why="ranks removed weights again")
def revived(trained, masks, share):
    new = []
    for weight, mask in zip(trained, masks, strict=True):
        count = int((~mask).sum()) + int(share * mask.sum())
        new.append(removed(weight, np.ones(mask.shape, bool), count))
    return new


@wrong("pruned", points=6.1, why="removes the largest")
def largest(trained, masks, share):
    return [removed(-1 / (np.abs(w) + 1e-9), m, int(share * m.sum())) for w, m in zip(trained, masks, strict=True)]


@wrong("pruned", points=8.5, why="removes the last of equals")
def last_of_equals(trained, masks, share):
    new = []
    for weight, mask in zip(trained, masks, strict=True):
        flipped = removed(weight[::-1, ::-1], mask[::-1, ::-1], int(share * mask.sum()))
        new.append(flipped[::-1, ::-1])
    return new


@wrong("ticket", points=6.8, why="goes on with the trained weights instead of the first ones")
def without_rewinding(first, x, labels, rounds, share, steps, lr):
    masks, weights = [np.ones(w.shape, bool) for w in first], first
    for _ in range(rounds):
        weights = right(weights, masks, x, labels, steps, lr)
        masks = [removed(w, m, int(share * m.sum())) for w, m in zip(weights, masks, strict=True)]
    return masks


@wrong("ticket", points=6.1, why="prunes the first weights, without any training")
def without_training(first, x, labels, rounds, share, steps, lr):
    masks = [np.ones(w.shape, bool) for w in first]
    for _ in range(rounds):
        masks = [removed(w, m, int(share * m.sum())) for w, m in zip(first, masks, strict=True)]
    return masks


@wrong("ticket", points=6.8, why="prunes once, by what all rounds would remove")
def at_once(first, x, labels, rounds, share, steps, lr):
    masks = [np.ones(w.shape, bool) for w in first]
    weights = right(first, masks, x, labels, steps, lr)
    return [removed(w, m, int((1 - (1 - share) ** rounds) * m.size)) for w, m in zip(weights, masks, strict=True)]


@wrong("train", points=7.7, why="returns the first weights without their masks if there is no step")
def no_step_no_mask(weights, masks, x, labels, steps, lr):
    return right(weights, masks, x, labels, steps, lr) if steps else [w.copy() for w in weights]


@wrong("pruned", points=8.5, why="removes the first of equals in the order of memory")
def in_the_order_of_memory(trained, masks, share):
    new = []
    for weight, mask in zip(trained, masks, strict=True):
        layout = "C" if weight.flags.c_contiguous else "F"
        kept = mask.flatten(layout)
        there = np.flatnonzero(kept)
        order = np.argsort(np.abs(weight.flatten(layout)[there]), kind="stable")
        kept[there[order[: int(share * len(there))]]] = False
        new.append(kept.reshape(mask.shape, order=layout))
    return new
