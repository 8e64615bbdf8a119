"""One thread pool that splits the images of a batch. The kernels themselves are serial and run without the GIL.

Waking a Python thread takes about 10 µs, so work of less than a few tens of microseconds stays in the calling thread.
Numba's `parallel=True` is not used: it doubles the compile time, its threading layers abort or hang in concurrent and
forked processes, and they compete with the threads of BLAS.
"""

import functools
import os
import threading
from contextlib import suppress

WORTH_A_THREAD = 400_000
"""Multiply-adds per thread for which waking one pays off: about 10 to 20 µs of one core."""

_threads = None
_pool = None
_workers = []  # the native ids of the pool's threads
_left_to = None  # the core that the pool's threads were last moved away from
_shares = threading.local()  # .inside: whether this thread is at work on a part of something shared


def get_num_threads():
    """The number of threads the kernels use: by default, one per core available to this process."""
    return usable_cores() if _threads is None else _threads


def usable_cores():
    """The number of cores this process may run on; in a container, often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(n):
    """Use `n` threads in our kernels and in the BLAS behind NumPy's matrix products.

    Our kernels give the same bits for any `n`. Raises TypeError unless `n` is an int, ValueError if it is below 1.
    """
    global _threads
    if not hasattr(n, "__index__") or isinstance(n, bool):
        raise TypeError(f"the number of threads must be an int, for example 2, not {n!r}")
    n = n.__index__()
    if n < 1:
        raise ValueError(f"the number of threads must be at least 1, not {n}")
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
    from concurrent.futures import ThreadPoolExecutor  # takes 5 ms to import

    def begin():
        global _left_to
        _shares.inside = True
        _workers.append(threading.get_native_id())
        _left_to = None  # this thread must be moved too

    return ThreadPoolExecutor(max(get_num_threads() - 1, 1), thread_name_prefix="tinycompress", initializer=begin)


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
    if _pool is None:
        _pool = _new_pool()
    _leave_core_to_caller()
    bounds = [n * part // parts for part in range(parts + 1)]
    own, *others = zip(bounds[:-1], bounds[1:], strict=True)
    waiting = [(_pool.submit(work, *part), part) for part in others]
    _shares.inside = True
    try:
        work(*own)
        for future, part in waiting:
            if future.cancel():  # no thread has started it yet: the cores are busy
                work(*part)
            else:
                future.result()
    finally:
        _shares.inside = False
