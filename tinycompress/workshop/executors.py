"""Who measures the tasks: this process, processes of this machine, or the workers of a Dask cluster.

All of them are `concurrent.futures.Executor`, so that nothing else knows the difference, and give the same bits.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess

CONNECT_SECONDS = 20


@contextmanager
def local_processes(workers: int) -> Iterator[Executor | None]:
    """So many processes, or None for one worker: this process. They end at once when the run is broken off."""
    if workers == 1:
        yield None
        return
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, _Workers(), initializer=_follow_parent)
    try:
        yield pool
    except BaseException:
        # Else the pool's own thread may come upon tasks that were cancelled, fail to mark them as failed, and say so.
        getattr(pool, "_pending_work_items", {}).clear()
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker(SpawnProcess):
    """A process that leaves Ctrl-C, which reaches every process of a terminal, to its parent from the first moment: while
    it still imports its modules it cannot say so itself, but it inherits what its parent blocks."""

    def start(self):
        if not hasattr(signal, "pthread_sigmask"):  # Windows: `_follow_parent` comes a moment late
            return super().start()
        resource_tracker.ensure_running()  # its start would unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Workers(SpawnContext):
    """Spawned, since a fork copies threads' locks but not the threads."""

    Process = _Worker


def _follow_parent() -> None:
    """In a worker: leave Ctrl-C to the parent; end when the parent ends, even if it was killed and could tell nobody."""
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

    A task whose worker dies is given to another one; BrokenExecutor is raised for one of which several died. Raises
    ClusterProblem where `distributed` is missing, no scheduler answers, there are no workers, or a worker has other
    code, other data, or several threads: its numbers would not be those of a run without a cluster.
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
            f"give the address that it prints, for example tcp://10.0.0.1:8786 ({type(error).__name__})"
        ) from error
    with client:
        _check_workers(client, data)
        try:
            yield client.get_executor(pure=False)  # equal calls are not one call: each is measured
        except KilledWorker as error:
            raise BrokenExecutor(str(error)) from error


class ClusterProblem(Exception):
    """The cluster cannot measure what was asked for; the message says how to mend it."""


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
                f"worker {address} has {number} threads; a task sets the threads of its whole process, so that each worker "
                "needs to be a process with one: dask worker … --nthreads 1"
            )
    here = identity(data)
    for address, there in client.run(identity, data, on_error="return").items():
        if isinstance(there, Exception):
            raise ClusterProblem(
                f"worker {address} cannot import tinycompress or load {data!r}: {there}; install the same there"
            )
        for what, ours in here.items():
            if there[what] != ours:
                raise ClusterProblem(f"worker {address} has another {what} ({there[what]}) than this machine ({ours})")


def identity(data: str) -> dict[str, str]:
    """What a worker must have in common with this process for its numbers to be the same bits."""
    from .identity import fingerprint, source_hash, versions

    return {
        "tinycompress": source_hash(),
        f"data {data!r}": fingerprint(data),
        "Python, NumPy, Numba": ", ".join(versions()),
    }
