"""Threads that wait for work awake.

A kernel of a small net takes less time than it takes to wake a sleeping thread: 50 µs and more on a virtual machine, and as
long again until the caller hears that it is done. So a worker that has just finished looks out for more work for a moment
(AWAKE) before it goes to sleep, and so does a caller for its workers' results, as OpenMP does. Both wait in compiled code,
without the GIL.
"""

import functools
import threading
import time
from collections import deque

import numpy as np

from . import jit

AWAKE = 200e-6
"""Seconds that a thread waits awake before it goes to sleep."""


here = threading.local()
"""`here.helping`: whether this thread is at work on a part of a job."""


class Job:
    """Work in parts, which threads take one after the other: work(start, end)."""

    def __init__(self, work, parts):
        self.work, self.parts = work, deque(enumerate(parts))
        self.done = np.zeros(len(parts), np.int64)
        self.error = None
        self.finished = threading.Event()

    def help(self):
        """Do parts as long as there are any."""
        here.helping = True
        try:
            while True:
                self._do(*self.parts.popleft())
        except IndexError:  # none is left
            pass
        finally:
            here.helping = False

    def _do(self, place: int, part: tuple[int, int]):
        try:
            self.work(*part)
        except BaseException as error:  # raised again where the work was shared
            self.error = error
        self.done[place] = 1
        self.finished.set()

    def wait(self, spin: int):
        """Wait until all parts are done, and raise what one of them has raised."""
        if not _all_change(self.done, 0, spin):
            while not self.done.all():
                self.finished.wait()
                self.finished.clear()
        if self.error is not None:
            raise self.error


class Worker(threading.Thread):
    """Helps with one job at a time. ready(worker) is called when it is free, from its own thread."""

    def __init__(self, ready, number: int):
        super().__init__(name=f"tinycompress-{number}", daemon=True)
        self.ready, self.job, self.spin = ready, None, 0
        self.posted, self.asleep, self.wake = np.zeros(1, np.int64), False, threading.Event()

    def post(self, job: Job, spin: int):
        """Give a free worker a job. spin: how often to look for the next one afterwards."""
        self.job, self.spin = job, spin
        self.posted[0] += 1
        if (
            self.asleep
        ):  # otherwise it sees the change itself: it looks once more after it has said that it falls asleep
            self.wake.set()

    def run(self):
        seen = 0
        while True:
            if not _all_change(self.posted, seen, self.spin):
                self.asleep = True
                while self.posted[0] == seen:
                    self.wake.wait()
                    self.wake.clear()
                self.asleep = False
            seen, job = int(self.posted[0]), self.job
            job.help()
            self.job = job = None  # its arrays may be large
            self.ready(self)


@functools.cache
def spins() -> int:
    """How often to look within AWAKE seconds."""
    if not jit.available():
        return 0
    numbers, looks = np.zeros(1, np.int64), 1000
    _all_change(numbers, 0, looks)  # compiles
    start = time.perf_counter()
    _all_change(numbers, 0, looks)
    return int(looks * AWAKE / (time.perf_counter() - start))


def _all_change(numbers, old: int, spin: int) -> bool:
    """Look up to `spin` times whether every one of the numbers differs from `old`; whether that has happened."""
    if not jit.available():
        return bool((numbers != old).all())
    from .spinning import all_change

    return all_change(numbers, old, spin)
