"""Plausible wrong answers to peak_memory, and how many of the 5 points each earns."""

import itertools

from tinycompress.course import wrong


def uses(reads):
    last = list(range(len(reads)))
    for step, inputs in enumerate(reads):
        for tensor in inputs:
            last[tensor] = step
    last[-1] = len(reads) - 1
    return last


@wrong("last_uses", points=3.8, why="takes the first step that reads a tensor")
def first_use(reads):
    last = list(range(len(reads)))
    for step in reversed(range(len(reads))):
        for tensor in reads[step]:
            last[tensor] = step
    return last


@wrong("last_uses", points=4.1, why="keeps all that is never read to the end")
def unread_to_the_end(reads):
    last = [len(reads) - 1] * len(reads)
    for step, inputs in enumerate(reads):
        for tensor in inputs:
            last[tensor] = step
    last[-1] = len(reads) - 1
    return last


@wrong("peak", points=3.3, why="adds up all outputs")
def sum_of_all(sizes, reads):
    return sum(sizes)


@wrong("peak", points=3.3, why="counts a step's inputs and output alone")
def inputs_and_output(sizes, reads):
    return max(sizes[step] + sum(sizes[t] for t in reads[step]) for step in range(1, len(sizes)))


@wrong("peak", points=3.3, why="forgets the inputs of the step that runs, if no later one reads them")
def inputs_are_gone(sizes, reads):
    last = uses(reads)
    return max(sum(sizes[t] for t in range(step + 1) if last[t] > step or t == step) for step in range(1, len(sizes)))


@wrong("peak", points=3.3, why="takes the largest tensor")
def largest(sizes, reads):
    return max(sizes)


@wrong("best_order", points=3.1, why="leaves the steps as they are")
def as_given(sizes, reads):
    return list(range(1, len(sizes)))


@wrong("best_order", points=3.1, why="always runs the step next whose output is smallest")
def smallest_next(sizes, reads):
    order = []
    while len(order) < len(sizes) - 1:
        ready = [s for s in range(1, len(sizes)) if s not in order and all(t == 0 or t in order for t in reads[s])]
        order.append(min(ready, key=lambda s: sizes[s]))
    return order


@wrong("best_order", points=3.1, why="also tries orders in which a step runs before what it reads")
def any_order(sizes, reads):
    def most(order):
        return max(
            sum(
                sizes[t]
                for t in {0, *order[: at + 1]}
                if t == order[at] or any(t in reads[s] for s in order[at:]) or t == len(sizes) - 1
            )
            for at in range(len(order))
        )

    return list(min(itertools.permutations(range(1, len(sizes))), key=most))


@wrong("peak", points=3.5, why="counts a tensor twice that a step reads twice")
def once_per_reading(sizes, reads):
    last = uses(reads)
    waiting = [[t for t in range(s) if last[t] >= s and t not in reads[s]] for s in range(len(sizes))]
    return max(sum(sizes[t] for t in (s, *reads[s], *waiting[s])) for s in range(1, len(sizes)))


@wrong("best_order", points=4.8, why="forgets the result if other steps run after it")
def result_is_forgotten(sizes, reads):
    def peak(order):
        seen = [
            sum(sizes[t] for t in {0, *order[: at + 1]} if any(t in (s, *reads[s]) for s in order[at:]))
            for at in range(len(order))
        ]
        return max(seen)

    orders = itertools.permutations(range(1, len(sizes)))
    possible = [o for o in orders if all(t in (0, *o[: o.index(s)]) for s in o for t in reads[s])]
    return list(min(possible, key=peak))
