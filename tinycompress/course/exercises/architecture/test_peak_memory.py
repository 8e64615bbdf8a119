"""Tests of peak_memory. Public: the statement's block. Hidden: nets with branches, orders, and what is never read."""

import itertools

import pytest

from tinycompress.course import SubmissionProblem, expect_equal, expect_number, expect_tuple

MAY_IMPORT = ()

SIZES, READS = [8, 4, 6, 4, 4], [[], [0], [1], [2], [1, 3]]


@pytest.mark.public
@pytest.mark.points(0.1)
def test_last_uses_of_the_block(submission):
    """Tensor 1 is read again by step 4."""
    expect_equal(submission.last_uses(READS), [1, 4, 3, 4, 4], "the last step that reads it, not the first")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_peak_of_the_block(submission):
    """14 bytes, while step 3 runs."""
    expect_equal(submission.peak(SIZES, READS), 14, "tensor 1 is read again later, so that it is alive in step 3, too")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_order_of_a_chain(submission):
    """A chain of steps has only one order."""
    expect_equal(submission.best_order([4, 2, 7, 1], [[], [0], [1], [2]]), [1, 2, 3], "each step needs the one before")


def net(rng, steps):
    """Random sizes, and one to three earlier tensors for each step."""
    sizes = rng.integers(1, 1000, steps + 1).tolist()
    reads = [[]]
    for step in range(1, steps + 1):
        reads.append(sorted(rng.choice(step, min(step, int(rng.integers(1, 4))), replace=False).tolist()))
    return sizes, reads


def alive(sizes, reads, order):
    """The bytes that are alive during each step of an order, by its definition."""
    result = len(sizes) - 1
    return [
        sum(
            sizes[t]
            for t in {0, *order[: at + 1]}
            if t == order[at] or t == result or any(t in reads[later] for later in order[at:])
        )
        for at in range(len(order))
    ]


def in_order(reads, order):
    return all(t == 0 or t in order[:at] for at, step in enumerate(order) for t in reads[step])


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_last_uses_of_any_net(submission, rng):
    """Tensors that several steps read, or none; a net of one step."""
    for steps in 1, 5, 12, 20:
        _, reads = net(rng, steps)
        expected = [max([s for s in range(steps + 1) if t in reads[s]], default=t) for t in range(steps)]
        found = submission.last_uses(reads)
        expect_equal(found, [*expected, steps], "the largest number of a step that reads it; its own if none does")


def by_own_uses(submission, sizes, reads):
    """The peak by the student's own last uses, which may be wrong; None if they are of no use."""
    try:
        last = [int(n) for n in submission.last_uses(reads)]
        found = max(sum(sizes[t] for t in range(s + 1) if last[t] >= s) for s in range(1, len(sizes)))
    except (SubmissionProblem, TypeError, ValueError, LookupError):
        return None
    useful = max(sizes) < found < sum(sizes) or len(sizes) < 4  # tensors neither stay for ever nor go at once
    return found if found and useful else None


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_peaks_of_any_net(submission, rng):
    """Chains and branches, with outputs that nobody reads. Your own `last_uses` counts as right here."""
    for steps in 1, 2, 6, 12, 25:
        sizes, reads = net(rng, steps)
        reads[-1] = 2 * reads[-1]  # a tensor that a step reads twice is there once
        found = expect_number(submission.peak(sizes, reads), "the peak")
        right = max(alive(sizes, reads, list(range(1, steps + 1))))
        message = "alive in a step: its output, and all earlier tensors that this step or a later one reads"
        assert found == right or found == by_own_uses(submission, sizes, reads), message


def branches(rng):
    """Three steps that read the image, two that read some of these, and a last one that reads both."""
    a, b, c = rng.permutation([1, 2, 3]).tolist()
    return rng.integers(1, 1000, 7).tolist(), [[], [0], [0], [0], [a], sorted([b, c]), [4, 5]]


def steps_of(value, count):
    order = [expect_number(step, "a step") for step in expect_tuple(value, count, "the order")]
    assert sorted(order) == list(range(1, count + 1)), "the order has each step once"
    return order


@pytest.mark.hidden
@pytest.mark.points(1.7)
def test_no_order_needs_less(submission, rng):
    """Nets of up to six steps, several of which can run in many orders."""
    for steps in 2, 3, 6, 6, 6, 6:
        sizes, reads = net(rng, steps) if steps < 6 else branches(rng)
        order = steps_of(submission.best_order(sizes, reads), steps)
        assert in_order(reads, order), "a step runs before what it reads"
        possible = [p for p in itertools.permutations(range(1, steps + 1)) if in_order(reads, p)]
        least = min(max(alive(sizes, reads, p)) for p in possible)
        assert max(alive(sizes, reads, order)) == least, "another order has a smaller peak: try all of them"


@pytest.mark.hidden
@pytest.mark.points(0.2)
def test_two_branches(submission, rng):
    """Two branches with a large tensor each: one after the other, not side by side."""
    large = rng.integers(500, 900, 2).tolist()
    sizes, reads = [10, large[0], large[1], 5, 5, 8], [[], [0], [0], [1], [2], [3, 4]]
    order = steps_of(submission.best_order(sizes, reads), 5)
    assert in_order(reads, order), "a step runs before what it reads"
    first = order.index(1) < order.index(2)
    done, other = (3, 2) if first else (4, 1)
    assert order.index(done) < order.index(other), "finish one branch before you begin the other"


@pytest.mark.hidden
@pytest.mark.points(0.2)
def test_a_result_that_is_early(submission, rng):
    """The result is there before a step that nobody reads: it is kept to the end."""
    unit = int(rng.integers(20, 90))
    sizes, reads = [4 * unit, unit, 10 * unit, 8 * unit], [[], [0], [1], [0]]
    order = steps_of(submission.best_order(sizes, reads), 3)
    assert in_order(reads, order), "a step runs before what it reads"
    possible = [p for p in itertools.permutations((1, 2, 3)) if in_order(reads, p)]
    least = min(max(alive(sizes, reads, p)) for p in possible)
    assert max(alive(sizes, reads, order)) == least, "count the result in each step that runs after it"
