"""Times on a busy machine: the fastest of several turns, beside what else runs in the same turns."""

from types import SimpleNamespace

import pytest

from tinycompress.course import speed


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when work is done."""
    now = SimpleNamespace(time=0.0)
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: now.time))
    return now


@pytest.fixture
def race(clock):
    """Race an answer against a loop; both are given as the seconds that each turn takes. Returns (ratio, turns)."""

    def race(answer, loop, enough=10, **more):
        turns, answer, loop = [], iter(answer), iter(loop)

        def yours():
            turns.append(next(answer))
            clock.time += turns[-1]
            return turns[-1]

        def other():
            clock.time += next(loop)

        return speed.speedup(SimpleNamespace(close=lambda: None), yours, other, enough, **more), len(turns)

    return race


def test_an_answer_that_is_fast_enough_takes_one_turn(race):
    assert race([1], [20]) == (pytest.approx(20), 1)


def test_compiling_and_a_disturbed_turn_cost_nothing(race):
    assert race([5, 3, 0.1], [2, 2, 2]) == (pytest.approx(20), 3)


def test_a_slow_answer_is_slow_in_all_turns(race):
    assert race([1] * 9, [1] * 9) == (pytest.approx(1), speed.TURNS)


def test_a_slow_machine_ends_after_three_turns(race):
    assert race([30] * 9, [30] * 9) == (pytest.approx(1), speed.LEAST_TURNS)


def test_a_loop_over_a_part_counts_as_the_whole(race):
    assert race([1], [1], part=1 / 16) == (pytest.approx(16), 1)


def test_threads_that_a_submission_leaves_running_do_not_slow_down_the_loop(clock):
    """They would: each turn but the first has them, and the submission had some from an earlier test."""
    submission = SimpleNamespace(busy=True)
    submission.close = lambda: setattr(submission, "busy", False)

    def yours():
        submission.busy = True
        clock.time += 1
        return 1

    def loop():
        clock.time += 20 if submission.busy else 2

    assert speed.speedup(submission, yours, loop, 10) == pytest.approx(2)
