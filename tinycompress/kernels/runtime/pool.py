"""Threads that do parts of a work, and spin for a moment before they fall asleep (see `spin.py`)."""

import collections
import threading
from contextlib import suppress

import numpy as np

from .jit import available

SPIN = 4000
"""Pauses before a thread that waits falls asleep: 100 to 300 µs. A net that trains or predicts has new work sooner than that."""

UNTIL_CALLER_WORKS = 100
"""Pauses between seeing work and asking for the GIL, which the caller holds until its own part begins, a few µs later. A thread
that asks in vain falls asleep."""


class Part:
    """work(start, end), for a thread of the pool."""

    def __init__(self, work, start, end):
        self.work, self.start, self.end, self.error = work, start, end, None
        self.done, self.finished = np.zeros(1, np.int64), threading.Lock()
        self.finished.acquire()

    def run(self):
        try:
            self.work(self.start, self.end)
        except BaseException as error:  # reaches the caller, who waits
            self.error = error
        self.finished.release()


class Pool:
    """`count` threads. begin(): called in each of them first. spin: whether there is a core for each of them and the caller."""

    def __init__(self, count, begin, spin):
        self.pauses, self.begin = SPIN if spin and available() else 0, begin
        self.parts, self.changes = collections.deque(), np.zeros(1, np.int64)  # changes: grows when parts are added
        self.asleep, self.closed, self.condition = 0, False, threading.Condition()
        for _ in range(count):
            threading.Thread(target=self._serve, name="tinycompress", daemon=True).start()

    def add(self, parts):
        self.parts.extend(parts)
        self.changes[0] += 1
        if self.asleep:
            with self.condition:
                self.condition.notify(len(parts))

    def take_back(self, part):
        """Whether no thread has begun with the part, which is then the caller's."""
        try:
            self.parts.remove(part)
        except ValueError:
            return False
        return True

    def wait(self, part):
        """Return when the part is done; raise what it raised."""
        if not (self.pauses and _spin().wait_until(part.done, self.pauses)):
            part.finished.acquire()
        if part.error is not None:
            raise part.error

    def close(self):
        """Let the threads end after the parts that they have."""
        self.closed = True
        with self.condition:
            self.condition.notify_all()

    def _serve(self):
        self.begin()
        done = np.zeros(1, np.int64)
        while not self.closed:
            before = self.changes[0]
            if not self.parts:
                self._wait(done, before)
            with suppress(IndexError):  # another thread was faster
                part = self.parts.popleft()
                done[0] = 1
                part.run()
                done, part = part.done, None  # None: the arrays of its work may go

    def _wait(self, done, before):
        """Set `done`, but only when this thread has left the GIL, which the caller will want; and wait for more parts."""
        if not (self.pauses and _spin().set_and_wait(done, self.changes, before, self.pauses, UNTIL_CALLER_WORKS)):
            self._sleep()

    def _sleep(self):
        with self.condition:
            self.asleep += 1
            self.condition.wait_for(lambda: self.parts or self.closed)
            self.asleep -= 1


def _spin():
    from . import spin  # loads Numba

    return spin
