"""Where tasks run: in this process, in several processes of this machine, or on the workers of a Dask cluster.

All are `concurrent.futures.Executor`s, so no other code sees a difference, and their results are the same bits.
"""

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess

CONNECT_SECONDS = 20


@contextmanager
def local_processes(workers: int) -> Iterator[Executor | None]:
    """A pool of `workers` processes, or None for 1: this process. When the run is interrupted, they end at once."""
    if workers == 1:
        yield None
        return
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, _Workers(), initializer=_follow_parent)
    try:
        yield pool
    except BaseException:
        # Otherwise the pool's own thread may try to mark cancelled tasks as failed, and print a traceback.
        getattr(pool, "_pending_work_items", {}).clear()
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker(SpawnProcess):
    """A process that leaves Ctrl-C, which reaches every process of a terminal, to its parent from the start. It cannot
    ignore the signal while it still imports its modules, but it inherits the signals that its parent blocks."""

    def start(self):
        if not hasattr(signal, "pthread_sigmask"):  # Windows: only `_follow_parent`, a moment later
            return super().start()
        resource_tracker.ensure_running()  # started later, it would unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Workers(SpawnContext):
    """Spawned, since a fork copies the locks of threads but not the threads."""

    Process = _Worker


def _follow_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, warn in a line as it does, and end when it ends, even if it was killed."""
    warnings.formatwarning = lambda message, *_: f"tinycompress: {message}\n"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def dask_cluster(address: str, data: str = "digits") -> Iterator[Executor]:
    """The workers of the Dask cluster whose scheduler is at `address`, for example "tcp://10.0.0.1:8786".

    If a worker dies, another one takes its task; if several die on the same task, BrokenExecutor is raised. Raises
    ClusterProblem if `distributed` is missing, no scheduler answers, there are no workers, or a worker has other code,
    other data, or several threads: its numbers would differ from those of a run without a cluster.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ClusterProblem(
            "--dask needs the package `distributed`: pip install 'tinycompress[distributed]'"
        ) from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ClusterProblem(
            f"no Dask scheduler answers at {address!r} within {CONNECT_SECONDS} s; start one with `dask scheduler`, and "
            f"pass the address that it prints, for example tcp://10.0.0.1:8786 ({type(error).__name__})"
        ) from error
    with client:
        _check_workers(client, data)
        try:
            yield client.get_executor(pure=False)  # equal calls must all run, since each is timed
        except KilledWorker as error:
            raise BrokenExecutor(str(error)) from error


class ClusterProblem(Exception):
    """The cluster cannot run the tasks; the message says how to fix it."""


def _check_workers(client, data: str) -> None:
    """Raise ClusterProblem unless there are workers, and each computes what this process would."""
    threads = client.nthreads()
    if not threads:
        raise ClusterProblem(
            f"the cluster has no workers; start some: dask worker {client.scheduler.address} --nworkers 2 --nthreads 1"
        )
    for address, number in threads.items():
        if number != 1:
            raise ClusterProblem(
                f"worker {address} has {number} threads; a task sets the threads of its whole process, so each worker "
                "must be a process with one thread: dask worker … --nthreads 1"
            )
    here = identity(data)
    for address, there in client.run(identity, data, on_error="return").items():
        if isinstance(there, Exception):
            raise ClusterProblem(
                f"worker {address} cannot import tinycompress or load {data!r}: {there}; install both there, too"
            )
        for what, ours in here.items():
            if there[what] != ours:
                raise ClusterProblem(f"worker {address} has another {what} ({there[what]}) than this machine ({ours})")


def identity(data: str) -> dict[str, str]:
    """What a worker must share with this process for its results to be the same bits."""
    from .identity import fingerprint, source_hash, versions

    return {
        "tinycompress": source_hash(),
        f"data {data!r}": fingerprint(data),
        "Python, NumPy, Numba": ", ".join(versions()),
    }
