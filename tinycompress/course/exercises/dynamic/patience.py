"""Patience: leave when the exits agree (20 minutes, 4 points).

A net with several exits gives an answer at each of them. When is it good enough to stop? One may ask how sure an exit is. But
nets are often sure of wrong answers. Patience asks instead whether the answer still changes: an image leaves as soon as
p exits one after another give the same answer (Zhou et al. 2020, "BERT Loses Patience"). This needs no threshold that has to
be chosen for each net, and it works for exits whose probabilities are badly calibrated.

    answers of five exits    3  8  8  8  1       patience 1: leaves at exit 0 with a 3 (a single answer agrees with itself)
                                                 patience 2: leaves at exit 2 with an 8
                                                 patience 3: leaves at exit 3 with an 8
                                                 patience 4: the last exit answers, with a 1

In the example the last exit is wrong, if it is an 8: the net "overthinks" (Kaya et al. 2019). Then patience is not only
cheaper but also better.
"""

import numpy as np


def leaving(answers: np.ndarray, patience: int) -> np.ndarray:
    """The exit at which each image leaves, int64 (N,): the first at which its answer, and those of the patience - 1 exits
    before, are all the same; the last exit, if there is no such exit.

    answers: (exits, N) integers. Raises ValueError if the patience is below 1.
    """
    ### BEGIN SOLUTION
    if patience < 1:
        raise ValueError(f"the patience is at least 1, got {patience}")
    run, left = np.zeros(answers.shape[1], np.int64), np.full(answers.shape[1], len(answers) - 1)
    done = np.zeros(answers.shape[1], bool)
    for exit_, now in enumerate(answers):
        run = np.where(now == answers[exit_ - 1], run + 1, 1) if exit_ else run + 1
        left[~done & (run >= patience)] = exit_
        done |= run >= patience
    return left
    ### END SOLUTION


def result(answers: np.ndarray, labels: np.ndarray, costs: np.ndarray, left: np.ndarray) -> tuple[float, float]:
    """(accuracy, mean cost per image), if image i leaves at the exit left[i].

    labels: (N,); costs: (exits,), what it costs to run the net up to each exit; left: as `leaving` returns it. N is not 0.
    """
    ### BEGIN SOLUTION
    given = answers[left, np.arange(len(labels))]
    return float((given == labels).mean()), float(costs[left].mean())
    ### END SOLUTION


def overthought(answers: np.ndarray, labels: np.ndarray) -> float:
    """The share of all images that the last exit gets wrong, although an earlier one had them right."""
    ### BEGIN SOLUTION
    right = answers == labels
    return float((right[:-1].any(0) & ~right[-1]).mean())
    ### END SOLUTION
