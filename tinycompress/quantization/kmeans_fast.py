"""k-means of single numbers, compiled: see `clusters.py` for the algorithms.

**The optimum.** Let every run cost a price beside its squared error. The cheapest runs are then found without counting
them, in one pass from left to right, and the higher the price the fewer they are. The price at which there are k is
found on the least error as a function of the number of runs, which is convex:

    error    few                        `few` and `many` are known. The price is the slope of the chord between them, what
              o                         each run more saves on average. The cheapest runs at this price are where the
              :` .                      curve lies deepest below the chord, at x. They replace `few` or `many`, so that
               :  ` .  chord            k stays between the two, until they are k: after some ten prices.
                x    ` .
                 ` .    ` .             If nothing lies below the chord, both of its ends are cheapest at this price, and
                     ` - _ ` .          k runs are put together from the left of `many` and the right of `few`: see
                           ` - o        `splice`.
                              many
                 number of runs

In the pass, j becomes a beginning of later runs once the cheapest runs of the first j values are known. Of two
beginnings the later one is better from some end on. So a queue holds those that are best for some end yet to come, and
from which end on each is: mostly a few places behind the one before.

Hirschberg & Larmore, "The Least Weight Subsequence Problem", 1987; Aggarwal, Schieber & Tokuyama, "Finding a
Minimum-Weight k-Link Path in Graphs with the Concave Monge Property and Applications", 1994; Grønlund et al. 2017.

**Lloyd's steps.** Two things are faster than in NumPy. From step to step a border moves less and less, so that it is
searched for near its last place. And many values at once find their centroids, without branches that the CPU would
have to guess.
"""

import numpy as np

from ..kernels.runtime.jit import jit
from .kmeans import prefix_sums, within

TOGETHER = 256
"""Values that are searched for together."""


@jit
def cost(sums, least, i, j):
    """The least cost of the first j values if the last run begins at i."""
    total = sums[1, j] - sums[1, i]
    return least[i] + (sums[2, j] - sums[2, i] - total * total / (sums[0, j] - sums[0, i]))


@jit
def overtakes(sums, least, i, j, low):
    """From which end on, at the earliest `low`, a last run should begin at j and not at i < j; beyond the greatest if
    from none. Looks near `low` first, in steps that double, then halves the interval."""
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
    """Fill in the least cost of the first 0 to m values, where each run has a price, and where the last one begins.

    queue: the beginnings that are best for some end from here on, and since: from which one.
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
    """The borders of k runs, which cost as little as both others do if these cost equally little at some price.

    Some run of `many` lies inside of one of `few`, the p-th from the left in `many` and the q-th in `few` with
    p - q = k - the number of `few`. Up to it we follow `many`, and after it `few`: that makes k. Where the two cross
    over, four runs that nest become four that overlap, of which the errors are no more in all.
    """
    more = k + 1 - len(few)
    q = np.argmax(few[1:] >= many[more + 1 : more + len(few)])
    return np.concatenate([many[: more + q + 1], few[q + 1 :]])


def optimal(sums, k):
    m = sums.shape[1] - 1
    least, room = np.empty(m + 1), np.empty((3, m + 1), np.int64)
    few, many = np.array([0, m]), np.arange(m + 1)
    while len(few) <= k:
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
    """How many of the sorted numbers are <= x. Looks near `guess` first, in steps that double, then halves the
    interval."""
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
    """Of ordered[a:b]. It lies among them, whatever is rounded, so that centroids stay in order."""
    return min(max((sums[b] - sums[a]) / (b - a), ordered[a]), ordered[b - 1])


@jit
def squared_error(ordered, sums, a, b):
    """Of ordered[a:b]."""
    squares = 0.0
    for i in range(a, b):
        squares += ordered[i] * ordered[i]
    total = sums[b] - sums[a]
    return squares - total * total / (b - a)


@jit
def without_empty(borders, ordered, sums):
    """Replace empty clusters: the worst one that is left is split, until there are as many as before. Borders stay
    sorted."""
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
    """Up to `iterations` steps, in place. `before` are the borders of the step before."""
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
    """Fill in the assignments, and return the sum of squares. `middles` has one less than a power of two numbers,
    infinity at the end.

    Many values take each step of their binary searches together. They would go different ways at a branch; so all do
    the same arithmetic instead.
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
