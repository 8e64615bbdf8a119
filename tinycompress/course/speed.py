"""How fast an answer is, on a machine on which others work, too."""

import math
import time
from collections.abc import Callable

TURNS, LEAST_TURNS, SECONDS = 8, 3, 20.0


def speedup(
    submission, yours: Callable[[], float], loop: Callable[[], object], enough: float, part: float = 1.0
) -> float:
    """How many times as fast as `loop` an answer is: the fastest of each of up to eight turns.

    In each turn both run once, so that whatever else the machine does slows down both, and the fastest turn is the least
    disturbed one; the first may compile. The turns end as soon as the answer is `enough` times as fast, or after 20 s, but
    not before the third. The first loop runs while the submission has no process, whose threads could slow it down.

    yours: calls the submission, checks the result, and returns `submission.elapsed`; loop: what it is compared with, which
    is timed here, in each turn before `yours`; part: the share of the work that `loop` does, if all of it would take too long.
    """
    submission.close()
    mine = loops = math.inf
    begin = time.perf_counter()
    for turn in range(1, TURNS + 1):
        start = time.perf_counter()
        loop()
        loops = min(loops, (time.perf_counter() - start) / part)
        mine = min(mine, yours())
        if loops >= enough * mine or (turn >= LEAST_TURNS and time.perf_counter() - begin > SECONDS):
            break
    return loops / mine
