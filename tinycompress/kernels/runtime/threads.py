"""Threads: one pool, which shares out the images of a batch. The kernels themselves are serial and run without the GIL.

A Python thread costs about 10 µs to wake, so that less work than a few tens of microseconds stays where it is. Numba's own
`parallel=True` is not used: it doubles the time to compile, its thread layers abort or hang in concurrent and forked
processes, and they compete with the threads of BLAS.
"""

import functools
import os
import threading
from contextlib import suppress

WORTH_A_THREAD = 400_000
"""Least number of multiply-adds for which another thread is woken: some 10 to 20 µs of one core."""

_threads = None
_pool = None
_workers = []  # the system's numbers of the pool's threads
_left_to = None  # the core that the pool's threads were last told to leave to their caller


def get_num_threads():
    """How many threads the kernels use: as set, else as many as this process may use cores."""
    return usable_cores() if _threads is None else _threads


def usable_cores():
    """The cores this process may run on, which in a container are often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(n):
    """Use `n` threads in our kernels and in the BLAS behind NumPy's matrix products.

    Our kernels give the same bits for any number. Raises TypeError unless `n` is an int, ValueError below 1.
    """
    global _threads
    if not hasattr(n, "__index__") or isinstance(n, bool):
        raise TypeError(f"the number of threads is a whole number, for example 2, not {n!r}")
    n = n.__index__()
    if n < 1:
        raise ValueError(f"the number of threads is at least 1, not {n}")
    import threadpoolctl

    threadpoolctl.threadpool_limits(n, user_api="blas")
    if n != _threads:
        _forget_pool()
    _threads = n


def _forget_pool():
    global _pool, _left_to
    _pool, _left_to = None, None
    _workers.clear()


def _new_pool():
    from concurrent.futures import ThreadPoolExecutor  # costs 5 ms of a start

    def begin():
        global _left_to
        _workers.append(threading.get_native_id())
        _left_to = None  # this thread is to be told, too

    return ThreadPoolExecutor(max(get_num_threads() - 1, 1), thread_name_prefix="tinycompress", initializer=begin)


def _leave_core_to_caller():
    """Keep the pool's threads off the core on which the calling thread runs.

    Linux often wakes a thread on the core of the thread that wakes it, although another one idles, above all where there
    are only two; both then take turns there, and two threads are as slow as one.
    """
    global _left_to
    here = _current_core()
    if here == _left_to or here is None:
        return
    others = os.sched_getaffinity(0) - {here}
    for thread in list(_workers) if others else ():
        with suppress(OSError):  # it has just ended
            os.sched_setaffinity(thread, others)
    _left_to = here


@functools.cache
def _libc():
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _current_core():
    """The number of the core that this thread runs on, or None where that cannot be known or threads not be moved."""
    if not hasattr(os, "sched_setaffinity") or not hasattr(_libc(), "sched_getcpu"):
        return None
    return _libc().sched_getcpu()


# A forked child inherits the pool but not its threads: work given to it would wait for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def share(work, n, multiply_adds=0):
    """Call work(start, end) over consecutive parts of range(n), in as many threads as pay off. Returns when all are done.

    `multiply_adds` is the size of the whole work. The calling thread does a part itself, and those that no other began.
    """
    global _pool
    parts = max(1, min(get_num_threads(), n, multiply_adds // WORTH_A_THREAD))
    if parts == 1:
        work(0, n)
        return
    if _pool is None:
        _pool = _new_pool()
    _leave_core_to_caller()
    bounds = [n * part // parts for part in range(parts + 1)]
    own, *others = zip(bounds[:-1], bounds[1:], strict=True)
    waiting = [(_pool.submit(work, *part), part) for part in others]
    work(*own)
    for future, part in waiting:
        if future.cancel():  # no thread has come to it yet, as the cores are busy with something else
            work(*part)
        else:
            future.result()
