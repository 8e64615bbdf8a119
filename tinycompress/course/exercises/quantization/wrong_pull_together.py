"""Plausible wrong answers to pull_together, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


def nearest(weight, centroids):
    return np.abs(weight[..., None] - centroids).argmin(-1)


def away_from(weight, centroids):
    return np.where(weight == 0, 0, weight - centroids[nearest(weight, centroids)])


def pulled(weight, centroids, strength):
    away = away_from(weight, centroids)
    return float(strength / 2 * (away**2).sum()), strength * away


@wrong("pull", points=2.8, why="takes the mean over the weights")
def mean_over_weights(weight, centroids, strength):
    loss, grad = pulled(weight, centroids, strength)
    return loss / weight.size, grad / weight.size


@wrong("pull", points=4, why="forgets the half, so that the derivative does not belong to P")
def without_half(weight, centroids, strength):
    loss, grad = pulled(weight, centroids, strength)
    return 2 * loss, grad


@wrong("pull", points=4.2, why="pulls away from the centroid")
def pushes(weight, centroids, strength):
    loss, grad = pulled(weight, centroids, strength)
    return loss, -grad


@wrong("pull", points=4.2, why="pulls with the same force at any distance")
def by_sign(weight, centroids, strength):
    loss, grad = pulled(weight, centroids, strength)
    return loss, strength * np.sign(grad)


@wrong("pull", points=4.9, why="pulls pruned weights, too")
def pruned_too(weight, centroids, strength):
    away = weight - centroids[nearest(weight, centroids)]
    return float(strength / 2 * (away**2).sum()), strength * away


@wrong("pull", points=5.7, why="gives weights in the middle to the last of the nearest centroids")
def last_of_equals(weight, centroids, strength):
    return pulled(weight, centroids[::-1], strength)


@wrong("pull", points=3.4, why="takes the centroids for sorted")
def by_search(weight, centroids, strength):
    edges = (centroids[1:] + centroids[:-1]) / 2
    away = np.where(weight == 0, 0, weight - centroids[np.searchsorted(edges, weight)])
    return float(strength / 2 * (away**2).sum()), strength * away


@wrong("pull", points=4.17, why="moves the caller's weights to their distances")
def in_place(weight, centroids, strength):
    weight -= np.where(weight == 0, 0, centroids[nearest(weight, centroids)])
    return float(strength / 2 * (weight**2).sum()), strength * weight


def moved(weight, centroids, empty=None):
    near = nearest(weight, centroids)
    return np.array(
        [
            weight[near == j].mean() if (near == j).any() else (c if empty is None else empty)
            for j, c in enumerate(centroids)
        ]
    )


@wrong("followed", points=4.8, why="counts pruned weights as weights of 0")
def zeros_count(weight, centroids):
    return moved(weight, centroids)


@wrong("followed", points=5, why="moves a centroid without weights to 0")
def empty_to_zero(weight, centroids):
    return moved(weight[weight != 0], centroids, 0.0)


@wrong("followed", points=5, why="sorts the centroids")
def in_order(weight, centroids):
    return np.sort(moved(weight[weight != 0], centroids))


@wrong("lost", points=5.5, why="is the sum, not a share")
def not_a_share(weight, centroids):
    return float((away_from(weight, centroids) ** 2).sum())


@wrong("lost", points=5.6, why="divides 0 by 0 where all weights are 0")
def not_a_number(weight, centroids):
    with np.errstate(invalid="ignore"):
        return float((away_from(weight, centroids) ** 2).sum() / (weight**2).sum())


def gradients(weights, x, labels):
    h = np.maximum(x @ weights[0], 0)
    error = np.exp(h @ weights[1])
    error = (error / error.sum(1, keepdims=True) - np.eye(weights[1].shape[1])[labels]) / len(x)
    return x.T @ (error @ weights[1].T * (h > 0)), h.T @ error


def descended(weights, centroids, x, labels, steps, lr, strength, follow=True, early=False, stay=True):
    """The training; whether the centroids follow, whether they do so before the weights, and whether zeros stay."""
    weights, centroids, kept = list(weights), list(centroids), [(w != 0) | (not stay) for w in weights]
    for _ in range(steps):
        for i, grad in enumerate(gradients(weights, x, labels)):
            old = weights[i]
            weights[i] = (old - lr * (grad + pulled(old, centroids[i], strength)[1])) * kept[i]
            followers = old if early else weights[i]
            centroids[i] = moved(followers[followers != 0], centroids[i]) if follow else centroids[i]
    return weights, centroids


@wrong("train", points=4.5, why="leaves the centroids where they are")
def fixed_centroids(weights, centroids, x, labels, steps, lr, strength):
    return descended(weights, centroids, x, labels, steps, lr, strength, follow=False)


@wrong("train", points=4.5, why="moves the centroids before the weights")
def centroids_first(weights, centroids, x, labels, steps, lr, strength):
    return descended(weights, centroids, x, labels, steps, lr, strength, early=True)


@wrong("train", points=4.5, why="forgets the pull")
def not_pulled(weights, centroids, x, labels, steps, lr, strength):
    return descended(weights, centroids, x, labels, steps, lr, 0.0)


@wrong("train", points=5.7, why="lets pruned weights grow again")
def zeros_grow(weights, centroids, x, labels, steps, lr, strength):
    return descended(weights, centroids, x, labels, steps, lr, strength, stay=False)


@wrong("train", points=5.64, why="puts the new weights and centroids into the lists that it was given")
def into_the_lists(weights, centroids, x, labels, steps, lr, strength):
    weights[:], centroids[:] = descended(weights, centroids, x, labels, steps, lr, strength)
    return weights, centroids
