"""The thread pool of the kernels: who does a work, and on which core."""

import os
import threading
import time

import pytest
from waiting import LONG

import tinycompress as tc
from tinycompress.kernels.runtime import threads

ENOUGH = 10 * threads.WORTH_A_THREAD


@pytest.fixture(autouse=True)
def two_threads():
    before = tc.get_num_threads()
    tc.set_num_threads(1)  # so that the next line makes a new pool
    tc.set_num_threads(2)
    yield
    tc.set_num_threads(before)


def share_with_a_worker():
    """Share a work of which each of two threads has to do a part; returns the worker's number."""
    both, seen = threading.Barrier(2, timeout=LONG), []

    def work(start, end):
        both.wait()
        seen.append(threading.get_native_id())

    threads.share(work, 2, ENOUGH)
    (worker,) = set(seen) - {threading.get_native_id()}
    return worker


def test_every_part_is_done_once_whatever_the_number_of_threads():
    for count in (1, 2, 3, 7):
        tc.set_num_threads(count)
        done = []
        threads.share(lambda start, end, done=done: done.extend(range(start, end)), 100, 100 * ENOUGH)
        assert sorted(done) == list(range(100))


def test_what_a_thread_raises_reaches_the_caller():
    def work(start, end):
        if start:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        threads.share(work, 2, ENOUGH)


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two cores"
)
def test_the_pools_threads_leave_the_core_to_their_caller(monkeypatch):
    allowed = os.sched_getaffinity(0)
    for core in sorted(allowed)[:2]:
        monkeypatch.setattr(threads, "_current_core", lambda core=core: core)
        share_with_a_worker()  # begins the thread, the first time
        assert os.sched_getaffinity(share_with_a_worker()) == allowed - {core}
    assert os.sched_getaffinity(0) == allowed  # the caller stays free


def test_where_cores_cannot_be_told_apart_threads_work_all_the_same(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert threads._current_core() is None
    share_with_a_worker()


def test_threads_without_work_fall_asleep():
    share_with_a_worker()
    time.sleep(0.1)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1  # a thread that spins takes 0.5
    share_with_a_worker()


@pytest.mark.parametrize("cores", [1, 2])
def test_threads_spin_only_where_each_has_a_core(monkeypatch, cores):
    monkeypatch.setattr(threads, "usable_cores", lambda: cores)
    threads._close_pool()
    share_with_a_worker()
    assert (threads._pool.pauses > 0) == (cores == 2)
    share_with_a_worker()


def test_a_pool_that_is_replaced_ends_its_threads():
    worker = share_with_a_worker()
    tc.set_num_threads(3)
    deadline = time.monotonic() + LONG
    while worker in {thread.native_id for thread in threading.enumerate()}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_work_is_done_whether_threads_spin_or_sleep_when_it_comes():
    done = []
    for pause in [0, 1e-4, 1e-3, 1e-2] * 25:
        time.sleep(pause)
        threads.share(lambda start, end: done.extend(range(start, end)), 2, ENOUGH)
    assert sorted(done) == [0] * 100 + [1] * 100


def test_work_that_is_shared_inside_of_a_part_stays_in_its_thread():
    both, seen = threading.Barrier(2, timeout=LONG), []

    def outer(start, end):
        both.wait()
        here = threading.get_ident()
        threads.share(lambda a, b: seen.append((here, threading.get_ident(), a, b)), 2, ENOUGH)

    threads.share(outer, 2, ENOUGH)
    assert len({outside for outside, *_ in seen}) == 2
    assert all(outside == inside and part == [0, 2] for outside, inside, *part in seen)


def test_callers_in_several_threads_get_their_own_work_done():
    tc.set_num_threads(3)
    totals = {}

    def caller(name):
        for _ in range(200):
            done = []
            threads.share(lambda start, end, done=done: done.extend(range(start, end)), 30, 30 * ENOUGH)
            assert sorted(done) == list(range(30))
        totals[name] = True

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(4)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(LONG)
    assert len(totals) == 4


def test_after_an_error_the_next_work_is_done():
    def work(start, end):
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        threads.share(work, 2, ENOUGH)
    share_with_a_worker()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_workers_of_its_own():
    share_with_a_worker()
    child = os.fork()
    if child == 0:
        try:
            share_with_a_worker()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
