"""Workers that split the images of a batch (see `workers.py`). The kernels themselves are serial and run without the GIL.

Handing work to another thread takes some 10 µs, so work of less than a few tens of microseconds stays in the calling thread.
Numba's `parallel=True` is not used: it doubles the compile time, its threading layers abort or hang in concurrent and
forked processes, and they compete with the threads of BLAS.
"""

import functools
import os
from collections import deque
from contextlib import suppress

from .workers import Job, Worker, here, spins

WORTH_A_THREAD = 400_000
"""Multiply-adds per thread for which waking one pays off: about 10 to 20 µs of one core."""

_threads = None
_workers = []
_free = deque()  # those without a job
_left_to = None  # the core that the workers were last moved away from


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
    _threads = n


def _forget_workers():
    global _free, _left_to
    _free, _left_to = deque(), None
    _workers.clear()


def _hire(count):
    """Start workers until there are `count`."""
    global _left_to
    while len(_workers) < count:
        worker = Worker(lambda worker: _free.append(worker), len(_workers))
        _workers.append(worker)
        _free.append(worker)
        worker.start()
        _left_to = None  # this one must be moved, too


def _leave_core_to_caller():
    """Keep the workers off the core on which the calling thread runs.

    Linux often wakes a thread on the core of the waking thread although another core is idle, especially if there are only
    two. Both threads then take turns on one core, and are as slow as one thread.
    """
    global _left_to
    here = _current_core()
    if here == _left_to or here is None:
        return
    others = os.sched_getaffinity(0) - {here}
    for worker in list(_workers) if others else ():
        with suppress(OSError):  # the thread has just ended
            os.sched_setaffinity(worker.native_id, others)
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


# A forked child inherits the list of workers but not their threads, so its work would wait for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


def share(work, n, multiply_adds=0):
    """Call work(start, end) for consecutive parts of range(n), on as many threads as pay off. Returns when all are done.

    `multiply_adds` is the size of the whole work. The calling thread does one part, and then any that have not started. Work
    that is shared inside of a part stays in its thread.
    """
    parts = max(1, min(get_num_threads(), n, multiply_adds // WORTH_A_THREAD))
    if parts == 1 or getattr(here, "helping", False):
        work(0, n)
        return
    _hire(parts - 1)
    _leave_core_to_caller()
    bounds = [n * part // parts for part in range(parts + 1)]
    job = Job(work, list(zip(bounds[:-1], bounds[1:], strict=True)))
    # With fewer cores, threads that wait awake would keep others from working.
    spin = spins() if get_num_threads() <= usable_cores() else 0
    for _ in range(parts - 1):
        with suppress(IndexError):  # all are busy with other callers' work: fewer hands, the same work
            _free.pop().post(job, spin)
    job.help()
    job.wait(spin)
