"""Threads: one pool, which shares out the images of a batch. The kernels themselves are serial and run without the GIL.

A Python thread costs about 10 µs to wake, so that less work than a few tens of microseconds stays where it is. Numba's own
`parallel=True` is not used: it doubles the time to compile, its thread layers abort or hang in concurrent and forked
processes, and they compete with the threads of BLAS.
"""

import os

WORTH_A_THREAD = 400_000
"""Least number of multiply-adds for which another thread is woken: some 10 to 20 µs of one core."""

_threads = None
_pool = None


def get_num_threads():
    """How many threads the kernels use: as set, else as many as this process may use cores."""
    if _threads is not None:
        return _threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    global _pool
    _pool = None


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
        from concurrent.futures import ThreadPoolExecutor  # costs 5 ms of a start

        _pool = ThreadPoolExecutor(max(get_num_threads() - 1, 1), thread_name_prefix="tinycompress")
    bounds = [n * part // parts for part in range(parts + 1)]
    own, *others = zip(bounds[:-1], bounds[1:], strict=True)
    waiting = [(_pool.submit(work, *part), part) for part in others]
    work(*own)
    for future, part in waiting:
        if future.cancel():  # no thread has come to it yet, as the cores are busy with something else
            work(*part)
        else:
            future.result()
