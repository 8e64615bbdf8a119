"""Plausible wrong answers to patience, and how many of the 4 points each earns."""

import numpy as np

from tinycompress.course import wrong


def runs(answers):
    """How often each answer was given without a break."""
    run = np.ones(answers.shape, np.int64)
    for e in range(1, len(answers)):
        run[e] = np.where(answers[e] == answers[e - 1], run[e - 1] + 1, 1)
    return run


def first(good):
    return np.where(good.any(0), good.argmax(0), len(good) - 1)


def refuse(patience):
    if patience < 1:
        raise ValueError


@wrong("leaving", points=2, why="needs one answer too many")
def one_more(answers, patience):
    refuse(patience)
    return first(runs(answers) > patience)


@wrong("leaving", points=2.6, why="counts how often an answer was given at all, with breaks, too")
def with_breaks(answers, patience):
    refuse(patience)
    seen = np.array([(answers[: e + 1] == answers[e]).sum(0) for e in range(len(answers))])
    return first(seen >= patience)


@wrong("leaving", points=2.6, why="does not begin to count anew when the answer changes")
def never_begins_anew(answers, patience):
    refuse(patience)
    same = np.vstack([np.ones((1, answers.shape[1]), bool), answers[1:] == answers[:-1]])
    return first(np.cumsum(same, axis=0) >= patience)


@wrong("leaving", points=2, why="lets images leave at exit 0 whose answer never stays long enough")
def at_exit_zero(answers, patience):
    refuse(patience)
    return (runs(answers) >= patience).argmax(0)


@wrong("leaving", points=2, why="takes the last run that is long enough")
def last_run(answers, patience):
    refuse(patience)
    good = runs(answers) >= patience
    return np.where(good.any(0), len(good) - 1 - good[::-1].argmax(0), len(good) - 1)


@wrong("leaving", points=3.6, why="accepts a patience of 0")
def any_patience(answers, patience):
    return first(runs(answers) >= patience)


@wrong("result", points=2.9, why="adds up the costs of all exits on the way, which are already sums")
def added_up(answers, labels, costs, left):
    given = answers[left, np.arange(len(labels))]
    return float((given == labels).mean()), float(np.cumsum(costs)[left].mean())


@wrong("result", points=2.9, why="takes the last exit's answers")
def last_answers(answers, labels, costs, left):
    return float((answers[-1] == labels).mean()), float(costs[left].mean())


@wrong("overthought", points=3.2, why="is a share of the images that are wrong in the end")
def of_the_wrong(answers, labels):
    right = answers == labels
    return float((right[:-1].any(0) & ~right[-1]).sum() / max(1, (~right[-1]).sum()))


@wrong("overthought", points=3.1, why="looks at the first exit alone")
def first_exit(answers, labels):
    return float(((answers[0] == labels) & (answers[-1] != labels)).mean())


@wrong("overthought", points=3.2, why="counts all images that were right earlier, even if they are in the end, too")
def ever_right(answers, labels):
    return float((answers == labels)[:-1].any(0).mean())
