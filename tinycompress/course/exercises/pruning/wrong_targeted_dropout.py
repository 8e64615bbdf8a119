"""Plausible wrong answers to targeted_dropout, and how many of the 7 points each earns."""

import numpy as np

from tinycompress.course import wrong


def smallest(size, share):
    count = int(share * len(size))
    return size <= np.sort(size, axis=0)[count - 1] if count else np.zeros(size.shape, bool)


def of_outputs(weight, share):
    return smallest(np.abs(weight).reshape(-1, weight.shape[-1]), share).reshape(weight.shape)


@wrong("targets", points=5, why="takes the smallest of the whole layer, so that some outputs have no targets")
def of_the_layer(weight, share):
    return smallest(np.abs(weight).ravel(), share).reshape(weight.shape)


@wrong("targets", points=3.4, why="takes the smallest of each input")
def of_each_input(weight, share):
    return smallest(np.abs(weight).reshape(-1, weight.shape[-1]).T, share).T.reshape(weight.shape)


@wrong("targets", points=4.6, why="takes the most negative weights")
def with_signs(weight, share):
    return smallest(weight.reshape(-1, weight.shape[-1]), share).reshape(weight.shape)


@wrong("targets", points=6.6, why="takes only as many of equals as the share says")
def exact_count(weight, share):
    size = np.abs(weight).reshape(-1, weight.shape[-1])
    rank = np.argsort(np.argsort(size, axis=0, kind="stable"), axis=0, kind="stable")
    return (rank < int(share * len(size))).reshape(weight.shape)


@wrong("targets", points=5.4, why="has a target at least")
def one_at_least(weight, share):
    size = np.abs(weight).reshape(-1, weight.shape[-1])
    return (size <= np.sort(size, axis=0)[max(1, int(share * len(size))) - 1]).reshape(weight.shape)


@wrong("targets", points=4.5, why="sorts along the first axis, which is the height of a convolution's kernel")
def first_axis(weight, share):
    return smallest(np.abs(weight), share)


@wrong("targets", points=5, why="takes a quantile as the threshold")
def quantile(weight, share):
    size = np.abs(weight).reshape(-1, weight.shape[-1])
    return (size < np.quantile(size, share, axis=0)).reshape(weight.shape)


@wrong("dropped", points=5.3, why="scales up what stays, as ordinary dropout does")
def scaled_up(weight, share, alpha, u):
    kept = ~(of_outputs(weight, share) & (u < alpha))
    return (weight * kept / max(1 - alpha * share, 1e-9)).astype(weight.dtype)


@wrong("dropped", points=5.3, why="drops any weight with the probability alpha")
def any_weight(weight, share, alpha, u):
    return np.where(u < alpha, 0, weight).astype(weight.dtype)


@wrong("dropped", points=5.3, why="drops all targets, whatever is drawn")
def always(weight, share, alpha, u):
    return np.where(of_outputs(weight, share), 0, weight).astype(weight.dtype)


@wrong("dropped", points=5.3, why="keeps a target with the probability alpha")
def keeps_with_alpha(weight, share, alpha, u):
    return np.where(of_outputs(weight, share) & (u >= alpha), 0, weight).astype(weight.dtype)


@wrong("dropped", points=6.7, why="drops where u equals alpha")
def at_most_alpha(weight, share, alpha, u):
    return np.where(of_outputs(weight, share) & (u <= alpha), 0, weight).astype(weight.dtype)


@wrong("dropped", points=6.52, why="changes the weight that it was given")
def in_place(weight, share, alpha, u):
    weight[of_outputs(weight, share) & (u < alpha)] = 0
    return weight


@wrong("dropped", points=6.52, why="returns float64, whatever the weight's dtype")
def in_double(weight, share, alpha, u):
    return np.where(of_outputs(weight, share) & (u < alpha), 0.0, weight.astype(np.float64))


def neurons(weight, share, alpha, u, size):
    return np.where(smallest(size, share) & (u < alpha), weight.dtype.type(0), weight)


@wrong("dropped_neurons", points=6, why="takes the sum of magnitudes instead of the Euclidean norm")
def sum_of_magnitudes(weight, share, alpha, u):
    return neurons(weight, share, alpha, u, np.abs(weight).reshape(-1, weight.shape[-1]).sum(0))


@wrong("dropped_neurons", points=6, why="lets the greatest weight decide")
def greatest_weight(weight, share, alpha, u):
    return neurons(weight, share, alpha, u, np.abs(weight).reshape(-1, weight.shape[-1]).max(0))


@wrong("dropped_neurons", points=5.5, why="drops inputs instead of outputs")
def inputs(weight, share, alpha, u):
    size = np.linalg.norm(weight, axis=-1).ravel()
    gone = smallest(size, share) & (np.resize(u, size.shape) < alpha)
    return np.where(gone.reshape(weight.shape[:-1])[..., None], weight.dtype.type(0), weight)


def descended(weights, x, labels, steps, lr, share, alpha, seed, kept_of, through=False, forget=False):
    rng, (w1, w2) = np.random.default_rng(seed), weights
    for _ in range(steps):
        k1, k2 = (kept_of(w, share, alpha, rng.random(w.shape)) for w in (w1, w2))
        if forget:
            w1, w2 = w1 * k1, w2 * k2
        h = np.maximum(x @ (w1 * k1), 0)
        z = np.exp(h @ (w2 * k2))
        error = (z / z.sum(1, keepdims=True) - np.eye(w2.shape[1])[labels]) / len(x)
        back = error @ (w2 * k2).T * (h > 0)
        g1, g2 = (1, 1) if through else (k1, k2)
        w1, w2 = w1 - lr * x.T @ back * g1, w2 - lr * h.T @ error * g2
    return [w1, w2]


def kept(weight, share, alpha, u):
    return ~(of_outputs(weight, share) & (u < alpha))


@wrong("train", points=5.5, why="forgets the value of what is dropped, so that it begins at 0 in the next step")
def forgets(weights, x, labels, steps, lr, share, alpha, seed):
    return descended(weights, x, labels, steps, lr, share, alpha, seed, kept, forget=True)


@wrong("train", points=5.5, why="lets the gradient reach what is dropped")
def straight_through(weights, x, labels, steps, lr, share, alpha, seed):
    return descended(weights, x, labels, steps, lr, share, alpha, seed, kept, through=True)


@wrong("train", points=5.5, why="draws the same numbers in each step")
def same_draws(weights, x, labels, steps, lr, share, alpha, seed):
    draws = {}

    def first_draw(weight, share, alpha, u):
        return kept(weight, share, alpha, draws.setdefault(weight.shape, u))

    return descended(weights, x, labels, steps, lr, share, alpha, seed, first_draw)


@wrong("train", points=5.5, why="finds the targets once, before the first step")
def targets_of_the_first(weights, x, labels, steps, lr, share, alpha, seed):
    first = {w.shape: of_outputs(w, share) for w in weights}

    def old_targets(weight, share, alpha, u):
        return ~(first[weight.shape] & (u < alpha))

    return descended(weights, x, labels, steps, lr, share, alpha, seed, old_targets)


@wrong("train", points=5.5, why="drops once more at the end")
def dropped_at_the_end(weights, x, labels, steps, lr, share, alpha, seed):
    found = descended(weights, x, labels, steps, lr, share, alpha, seed, kept)
    return [np.where(of_outputs(w, share), 0, w) for w in found] if steps else found


@wrong("train", points=5.5, why="trains without dropping anything")
def without_dropout(weights, x, labels, steps, lr, share, alpha, seed):
    return descended(weights, x, labels, steps, lr, 0.0, alpha, seed, kept)


@wrong("train", points=5.5, why="adds up the loss over the batch")
def sum_over_the_batch(weights, x, labels, steps, lr, share, alpha, seed):
    return descended(weights, x, labels, steps, lr * len(x), share, alpha, seed, kept)
