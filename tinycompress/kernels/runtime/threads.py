"""One thread pool that splits the images of a batch. The kernels themselves are serial and run without the GIL.

Once it is at work, it is the only one: BLAS gets a single thread. Threads of BLAS that have finished spin for up to 30 ms, and
take turns with the kernels on their cores: with a dense layer between two convolutions, these were no faster on two cores than
on one.

Handing a part to another thread takes about 25 µs, so work of less than a few tens of microseconds stays in the calling thread.
Numba's `parallel=True` is not used: it doubles the compile time, its threading layers abort or hang in concurrent and
forked processes, and they compete with the threads of BLAS.
"""

import functools
import os
import threading
from contextlib import suppress

from .pool import Part, Pool

WORTH_A_THREAD = 400_000
"""Multiply-adds per thread for which another one pays off: about 10 to 20 µs of one core."""

_threads = None
_pool = None
_beginning = threading.Lock()  # held while the pool is made: two callers must not make two
_workers = []  # the native ids of the pool's threads
_left_to = None  # the core that the pool's threads were last moved away from
_shares = threading.local()  # .inside: whether this thread is at work on a part of something shared


def get_num_threads() -> int:
    """The number of threads the kernels use: by default, one per core available to this process."""
    return usable_cores() if _threads is None else _threads


def usable_cores():
    """The number of cores this process may run on; in a container, often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(n: int) -> None:
    """Use `n` threads in our kernels and in the BLAS behind NumPy's matrix products.

    From the first kernel on that shares its work, BLAS has one thread, since its threads would disturb ours; `kernels.matmul`,
    which our layers use, then splits products itself. Our kernels give the same bits for any `n`. Raises TypeError unless `n` is
    an int, ValueError if it is below 1.
    """
    global _threads
    if not hasattr(n, "__index__") or isinstance(n, bool):
        raise TypeError(f"the number of threads must be an int, for example 2, not {n!r}")
    n = n.__index__()
    if n < 1:
        raise ValueError(f"the number of threads must be at least 1, not {n}")
    if n != _threads:
        _close_pool()
    if _pool is None:
        _limit_blas(n)
    _threads = n


def _limit_blas(threads):
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads, user_api="blas")


def are_shared():
    """Whether the pool exists, so that BLAS has one thread only."""
    return _pool is not None


def _forget_pool():
    global _pool, _left_to, _beginning
    _pool, _left_to, _beginning = None, None, threading.Lock()
    _workers.clear()


def _close_pool():
    if _pool is not None:
        _pool.close()
    _forget_pool()


def _new_pool():
    def begin():
        global _left_to
        _shares.inside = True
        _workers.append(threading.get_native_id())
        _left_to = None  # this thread must be moved too

    _limit_blas(1)
    return Pool(max(get_num_threads() - 1, 1), begin, spin=usable_cores() >= get_num_threads())


def _leave_core_to_caller():
    """Keep the pool's threads off the core on which the calling thread runs.

    Linux often wakes a thread on the core of the waking thread although another core is idle, especially if there are only
    two. Both threads then take turns on one core, and are as slow as one thread.
    """
    global _left_to
    here = _current_core()
    if here == _left_to or here is None:
        return
    others = os.sched_getaffinity(0) - {here}
    for thread in list(_workers) if others else ():
        with suppress(OSError):  # the thread has just ended
            os.sched_setaffinity(thread, others)
    _left_to = here


@functools.cache
def _libc():
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _current_core():
    """The core this thread runs on; None if it is unknown or threads cannot be pinned."""
    if not hasattr(os, "sched_setaffinity") or not hasattr(_libc(), "sched_getcpu"):
        return None
    return _libc().sched_getcpu()


# A forked child inherits the pool but not its threads, so submitted work would wait for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def share(work, n, multiply_adds=0):
    """Call work(start, end) for consecutive parts of range(n), on as many threads as pay off. Returns when all are done.

    `multiply_adds` is the size of the whole work. The calling thread does one part, and then any that have not started. Work
    that is shared inside of a part stays in its thread.
    """
    global _pool
    parts = max(1, min(get_num_threads(), n, multiply_adds // WORTH_A_THREAD))
    if parts == 1 or getattr(_shares, "inside", False):
        work(0, n)
        return
    with _beginning:
        if _pool is None:
            _pool = _new_pool()
        pool = _pool
    _leave_core_to_caller()
    bounds = [n * part // parts for part in range(parts + 1)]
    own, *others = zip(bounds[:-1], bounds[1:], strict=True)
    waiting = [Part(work, *part) for part in others]
    pool.add(waiting)
    _shares.inside = True
    try:
        work(*own)
        for part in waiting:
            if pool.take_back(part):  # no thread has started it yet: the cores are busy
                work(part.start, part.end)
            else:
                pool.wait(part)
    finally:
        _shares.inside = False
        for part in waiting:  # those left after an error
            pool.take_back(part)
