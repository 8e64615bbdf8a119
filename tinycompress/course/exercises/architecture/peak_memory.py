"""Will it fit? The most memory a net needs at once (25 minutes, 5 points).

A small chip has memory for its weights and, far less of it, for what the layers pass on. The latter is often what a net does
not fit into (Lin et al. 2020, MCUNet). A layer's output can be forgotten as soon as the last layer that reads it has run. So
what counts is not the sum of all outputs but the most that is alive at once.

A net is a list of sizes in bytes and a list of what each reads. Tensor 0 is the image; step k computes tensor k from those in
reads[k]; the last tensor is the result. While a step runs, its inputs and its output are alive, and so is everything that was
computed before and is read later. The image is alive from the beginning until its last use. The result is kept to the end.

    a residual block:    sizes 8 4 6 4 4      reads []  [0]  [1]  [2]  [1, 3]
    step 1: 0 and 1 are alive, 12.    2: 1 and 2, 10.    3: 2 and 3, and 1, which step 4 reads again, 14.    4: 1, 3, 4, 12.
    So its peak is 14 bytes.

Where a net has branches, steps can run in different orders, and some need less memory than others (Liberis & Lane 2019).
"""

import itertools


def last_uses(reads: list) -> list:
    """For each tensor the last step that needs it, if steps run in the order 1, 2, …: the last that reads it, the step that
    computes it if none does (0 for the image), and the last step of all for the result, the last tensor.
    """
    ### BEGIN SOLUTION
    last = list(range(len(reads)))
    for step, inputs in enumerate(reads):
        for tensor in inputs:
            last[tensor] = step
    last[-1] = len(reads) - 1
    return last
    ### END SOLUTION


def peak(sizes: list, reads: list) -> int:
    """The most bytes that are alive while a step runs, for the steps in the order 1, 2, …; at least one step."""
    ### BEGIN SOLUTION
    last = last_uses(reads)
    return max(sum(sizes[t] for t in range(step + 1) if last[t] >= step) for step in range(1, len(sizes)))
    ### END SOLUTION


def best_order(sizes: list, reads: list) -> list:
    """An order of the steps 1, 2, … with the least peak: a list of their numbers. No step runs before what it reads.

    The result is the last tensor, whatever the order, and is kept to the end once it is there. At most 8 steps. Of several
    best orders, any.
    """
    ### BEGIN SOLUTION
    result = len(sizes) - 1

    def most(order):
        held = 0
        for at, step in enumerate(order):
            ahead = {t for later in order[at:] for t in reads[later]} | {step, result}
            held = max(held, sum(sizes[t] for t in ahead & {0, *order[:at], step}))
        return held

    def possible(order):
        return all(set(reads[step]) <= {0, *order[:at]} for at, step in enumerate(order))

    orders = itertools.permutations(range(1, len(sizes)))
    return list(min(filter(possible, orders), key=most))
    ### END SOLUTION
