"""k-means in one dimension, compiled: see `kmeans.py` for the algorithms.

**The optimum.** Add a fixed price per run to the squared error. The cheapest runs can then be found in one pass from left
to right, without counting them, and the higher the price, the fewer runs there are. What remains is to find the price
that gives k runs. The least error is a convex function of the number of runs, which guides the search:

    error    few                        `few` and `many` are known. Use the slope of the chord between them as the price:
              o                         what one more run saves on average. The cheapest runs at this price are where the
              :` .                      curve lies deepest below the chord, at x. They replace `few` or `many`, so that
               :  ` .  chord            k stays between the two, until k is hit: after about ten prices.
                x    ` .
                 ` .    ` .             If nothing lies below the chord, both ends are cheapest at this price, and some
                     ` - _ ` .          optimum with k runs costs the same. `splice` joins the left of `many` to the
                           ` - o        right of `few` to get it.
                              many
                 number of runs

In the pass, j becomes a possible start of the last run once the cheapest runs of the first j values are known. Of two
starts, the later one is better from some end on. So a queue holds the starts that are best for some end still to come,
each with the first end for which it is best.

Hirschberg & Larmore, "The Least Weight Subsequence Problem", 1987; Aggarwal, Schieber & Tokuyama, "Finding a
Minimum-Weight k-Link Path in Graphs with the Concave Monge Property and Applications", 1994; Grønlund et al. 2017.

**Lloyd's steps.** Two things make them faster than in NumPy. Borders move less and less from step to step, so each is
searched for near its last place. And many values are assigned to their centroids at once, without branches that the
CPU would mispredict.
"""

import numpy as np

from ..kernels.runtime.jit import jit
from .kmeans import prefix_sums, within

TOGETHER = 256
"""Number of values whose binary searches run in lockstep."""


@jit
def cost(sums, least, i, j):
    """The least cost of the first j values if the last run starts at i (without the price of that run)."""
    total = sums[1, j] - sums[1, i]
    return least[i] + (sums[2, j] - sums[2, i] - total * total / (sums[0, j] - sums[0, i]))


@jit
def overtakes(sums, least, i, j, low):
    """The first end, `low` or later, for which the start j is cheaper than the start i < j; len(least) if none is.

    Start j stays cheaper from there on, so search: from `low` in steps that double, then by bisection.
    """
    high, step = low, 1
    while high < len(least) and cost(sums, least, j, high) >= cost(sums, least, i, high):
        low, high, step = high + 1, high + step, 2 * step
    high = min(high, len(least))
    while low < high:
        middle = (low + high) // 2
        if cost(sums, least, j, middle) < cost(sums, least, i, middle):
            high = middle
        else:
            low = middle + 1
    return low


@jit
def pay(sums, price, least, begin, queue, since):
    """Fill in `least`, the least cost of the first 0 to m values at this price per run, and `begin`, the last runs' starts.

    queue: the starts that are best for some end from here on. since: the first end for which each of them is.
    """
    least[0], queue[0], since[0] = 0.0, 0, 1
    head, last = 0, 0
    for j in range(1, len(least)):
        if head < last and since[head + 1] == j:
            head += 1
        begin[j] = queue[head]
        least[j] = cost(sums, least, begin[j], j) + price
        if j + 1 == len(least):
            break
        # j joins the end of the queue. A start whose turn would come no earlier than that of j is never best: drop it.
        while True:
            end = overtakes(sums, least, queue[last], j, max(since[last], j + 1))
            if head == last or end > since[last]:
                break
            last -= 1
        if end < len(least):
            last += 1
            queue[last], since[last] = j, end


def error(sums, borders):
    return np.sum(within(sums, borders[:-1], borders[1:]))


def splice(few, many, k):
    """The borders of k runs, as cheap as `few` and `many` if these are both cheapest at some price.

    Some run of `many` lies inside a run of `few`: the p-th from the left of `many` in the q-th of `few`, where p - q is k
    minus the number of runs in `few`. Following `many` up to it and `few` after it gives k runs. Where the two cross
    over, a pair of nested runs becomes a pair of overlapping ones, whose total error is no larger.
    """
    more = k + 1 - len(few)
    q = np.argmax(few[1:] >= many[more + 1 : more + len(few)])
    return np.concatenate([many[: more + q + 1], few[q + 1 :]])


def optimal(sums, k):
    m = sums.shape[1] - 1
    least, room = np.empty(m + 1), np.empty((3, m + 1), np.int64)
    few, many = np.array([0, m]), np.arange(m + 1)
    while len(few) <= k:  # few has len(few) - 1 runs
        price = (error(sums, few) - error(sums, many)) / (len(many) - len(few))
        pay(sums, price, least, *room)
        found = [m]
        while found[-1] > 0:
            found.append(room[0, found[-1]])
        if not len(few) < len(found) < len(many):
            return splice(few, many, k)
        if len(found) <= k + 1:
            few = np.array(found[::-1])
        else:
            many = np.array(found[::-1])
    return few


@jit
def border(ordered, x, guess):
    """How many of the sorted numbers are <= x. Searches from `guess` in steps that double, then by bisection."""
    low, high = 0, len(ordered)  # ordered[:low] <= x < ordered[high:]
    step = 1
    if guess < high and ordered[guess] <= x:
        low = guess + 1
        while low + step < high and ordered[low + step] <= x:
            low += step + 1
            step *= 2
        high = min(high, low + step)
    else:
        high = guess
        while high - step > 0 and ordered[high - step] > x:
            high -= step
            step *= 2
        low = max(0, high - step)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def mean(ordered, sums, a, b):
    """The mean of ordered[a:b], clipped to its range, so that rounding never puts centroids out of order."""
    return min(max((sums[b] - sums[a]) / (b - a), ordered[a]), ordered[b - 1])


@jit
def squared_error(ordered, sums, a, b):
    """The sum of squared distances of ordered[a:b] from its mean."""
    squares = 0.0
    for i in range(a, b):
        squares += ordered[i] * ordered[i]
    total = sums[b] - sums[a]
    return squares - total * total / (b - a)


@jit
def without_empty(borders, ordered, sums):
    """Drop empty clusters, then split the one with the largest error until there are as many as before, in place.

    Borders stay sorted.
    """
    k = len(borders) - 1
    kept = 0
    for j in range(k):
        if borders[j + 1] > borders[j]:
            kept += 1
            borders[kept] = borders[j + 1]
    while kept < k:
        worst, most = 0, -np.inf
        for j in range(kept):
            a, b = borders[j], borders[j + 1]
            if ordered[a] < ordered[b - 1]:
                error = squared_error(ordered, sums, a, b)
                if error > most:
                    worst, most = j, error
        a, b = borders[worst], borders[worst + 1]
        at = mean(ordered, sums, a, b)
        middle = border(ordered, at if at < ordered[b - 1] else ordered[a], a)
        kept += 1
        for j in range(kept, worst + 1, -1):
            borders[j] = borders[j - 1]
        borders[worst + 1] = middle


@jit
def iterate(ordered, sums, centroids, borders, before, iterations):
    """Take up to `iterations` steps of Lloyd's algorithm, in place. before: the borders of the previous step."""
    k = len(centroids)
    for _ in range(iterations):
        empty = False
        for j in range(1, k):
            borders[j] = border(ordered, (centroids[j - 1] + centroids[j]) / 2, before[j])
            empty |= borders[j] == borders[j - 1]
        if empty or borders[k - 1] == borders[k]:
            without_empty(borders, ordered, sums)
        changed = False
        for j in range(k):
            centroids[j] = mean(ordered, sums, borders[j], borders[j + 1])
            changed |= before[j + 1] != borders[j + 1]
            before[j + 1] = borders[j + 1]
        if not changed:
            break


@jit
def nearest(values, middles, centroids, place, assignments):
    """Fill in the assignments, and return the sum of squared distances.

    middles: the midpoints between centroids, filled up with infinity to a power of two minus 1. place: one integer per
    value searched at once. These values take each step of their binary searches together. At a branch they would go
    different ways, so the next place is computed by arithmetic that is the same for all.
    """
    inertia = 0.0
    half = (len(middles) + 1) // 2
    for start in range(0, len(values), len(place)):
        count = min(len(place), len(values) - start)
        place[:count] = 0
        step = half
        while step > 0:
            for i in range(count):
                j = place[i]
                place[i] = j + (step if middles[j + step - 1] < values[start + i] else 0)
            step //= 2
        for i in range(count):
            assignments[start + i] = place[i]
            distance = values[start + i] - centroids[place[i]]
            inertia += distance * distance
    return inertia


def lloyd(ordered, start, iterations):
    centroids, borders = start.copy(), np.zeros(len(start) + 1, np.int64)
    borders[-1] = len(ordered)
    iterate(ordered, prefix_sums(ordered), centroids, borders, np.zeros_like(borders), iterations)
    return centroids


def assign(values, centroids):
    k = len(centroids)
    centroids = centroids.astype(np.float64)
    middles = np.full((1 << (k - 1).bit_length()) - 1, np.inf)
    middles[: k - 1] = (centroids[:-1] + centroids[1:]) / 2
    assignments = np.empty(len(values), np.min_scalar_type(k - 1))
    return assignments, nearest(values, middles, centroids, np.zeros(TOGETHER, np.int64), assignments)
