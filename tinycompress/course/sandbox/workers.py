"""A submission whose functions run in workers. This side starts, calls, times, limits and ends them, and trusts no reply.

If a worker fails, its submission has given no answer: the test earns nothing, and the next call gets a new worker. Only a
sandbox that does not start is not the submission's fault; it raises SandboxProblem.
"""

import contextlib
import os
import select
import signal
import time
from pathlib import Path

from ..outcome import SubmissionProblem
from . import ANOTHER_USER, FULL, NONE, Kit, SandboxProblem, another_user, cgroup, start, wire
from .submission import LOAD_SECONDS, Submission, TookTooLong, clean, raised

START_SECONDS = 60  # enough for a busy machine
MOST_LINES = 10_000
SECONDS = 120  # for all calls of one exercise of one hand-in
CANNOT_BE_IMPORTED, ENDED = "cannot be imported", "ended its process instead of returning"
STRIKES = 2  # calls of one function that may take too long; after that it is not called again


class Gone(Exception):
    """The pipe ended: the process at the other end is gone."""


class Worker:
    """One process in the sandbox, and the pipe to it."""

    def __init__(self, kit: Kit, submission: Path, file: str, level: str = FULL, secrets: tuple[str, ...] = ()):
        self._staged = None
        if level == ANOTHER_USER:
            self._staged = another_user.stage(kit.folder, submission)
            kit, submission = Kit(Path(self._staged.name)), Path(self._staged.name) / "submission"
        self._group = None if level == NONE else cgroup.make()
        try:
            started = start(kit, submission, file, level, secrets, self._group)
            self._process, self._requests, self._replies = started
        except BaseException:
            self._tidy()
            raise
        os.set_blocking(self._requests, False)
        os.set_blocking(self._replies, False)
        self._number = 0
        try:
            if self._receive(time.monotonic() + START_SECONDS)[:2] != (0, "ready"):
                raise SandboxProblem("the worker did not begin with the expected message")
        except (Gone, TookTooLong, wire.WireError) as error:
            said = self.close().strip()[-800:]
            raise SandboxProblem(f"the sandbox did not start: {said or type(error).__name__}") from error
        except BaseException:
            self.close()
            raise

    def load(self, seconds: float) -> None:
        """Execute the student's file. Raises SubmissionRaised, Gone, TookTooLong, WireError."""
        self._ask(("load",), 0, "the file", seconds)

    def call(self, function: str, arguments: tuple, keywords: dict, seconds: float) -> tuple[object, list[int | str]]:
        """Call the function and return its result, and the arguments that it changed by its own account.

        Raises SubmissionProblem, Gone, TookTooLong, WireError.
        """
        self._number += 1
        value, changed = self._ask((self._number, function, arguments, keywords), self._number, function, seconds)
        names = [*range(len(arguments)), *keywords]
        if any(type(name) not in (int, str) for name in changed) or changed != [n for n in names if n in changed]:
            raise wire.WireError("names of changed arguments that are none")
        return value, changed

    def _ask(self, request, number, function, seconds):
        deadline = time.monotonic() + seconds
        if select.select([self._replies], [], [], 0)[0]:  # an answer before the question would have taken no time
            if not os.read(self._replies, 1):
                raise Gone
            raise wire.WireError("a reply that nobody asked for")
        self._send(wire.pack(wire.dumps(request)), deadline)
        reply = self._receive(deadline)
        match reply:  # the types first: to compare with an array can raise
            case (int() as n, str("value"), value, list() as changed) if n == number and type(n) is int:
                problem = None
            case (int() as n, str("raised"), str(type_), str(text), int() | None as line) if n == number:
                # An arbitrary integer could carry a hidden test's inputs out of the sandbox.
                problem = raised(function, type_, text, line if line in range(1, MOST_LINES) else None)
            case (int() as n, str("missing")) if n == number:
                problem = SubmissionProblem(f"there is no function {function} in your file")
            case (int() as n, str("unsendable"), str(text)) if n == number:
                problem = SubmissionProblem(
                    f"{function} returned {clean(text)}", hidden=f"{function} returned a value that cannot be sent"
                )
            case _:
                raise wire.WireError("a malformed reply, or one to another call,")
        if select.select([self._replies], [], [], 0)[0]:
            raise wire.WireError("more than one reply")
        if problem:
            raise problem
        return value, changed

    def _send(self, data, deadline):
        view = memoryview(data)
        while view:
            if not select.select([], [self._requests], [], max(0, deadline - time.monotonic()))[1]:
                raise TookTooLong
            try:
                view = view[os.write(self._requests, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise Gone from error

    def _receive(self, deadline):
        def read(count):
            data = bytearray()
            while len(data) < count:
                if not select.select([self._replies], [], [], max(0, deadline - time.monotonic()))[0]:
                    raise TookTooLong
                chunk = os.read(self._replies, min(count - len(data), 1 << 20))
                if not chunk:
                    raise Gone
                data += chunk
            return bytes(data)

        return wire.unpack(read)

    def close(self) -> str:
        """End the worker and everything that it started. Return the sandbox's own messages, not the submission's."""
        if self._process is None:
            return ""
        process, self._process = self._process, None
        os.close(self._requests)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.set_blocking(process.stderr.fileno(), False)
        said = process.stderr.read(8192) or b""
        process.stderr.close()
        try:
            self._await_end(time.monotonic() + 10)
        finally:
            os.close(self._replies)
            self._tidy()
        return said.decode(errors="replace")

    def _tidy(self):
        if self._staged:
            self._staged.cleanup()
        if self._group:
            cgroup.remove(self._group)

    def _await_end(self, deadline):
        """Wait until no process holds the reply pipe. Without the pipe, a process left behind can no longer send anything."""
        while select.select([self._replies], [], [], max(0, deadline - time.monotonic()))[0]:
            if not os.read(self._replies, 1 << 20):
                return
        raise SandboxProblem("a process that a submission started is still running after the worker was killed")


class InWorkers(Submission):
    """The functions of `folder`/`file`, in workers that are started when needed. Call `close` at the end.

    level, secrets: as of `sandbox.start`.
    """

    def __init__(self, kit: Kit, folder: Path, file: str, level: str = FULL, secrets: tuple[str, ...] = ()):
        super().__init__()
        self._start = lambda: Worker(kit, folder, file, level, secrets)
        self._file = file
        self._worker = None
        self._broken = None  # the messages if the file cannot be loaded; it is not tried again
        self._strikes = {}
        self._left = SECONDS

    def _call(self, function, arguments, keywords):
        self.changed = []
        arguments, keywords = wire.loads(wire.dumps((arguments, keywords)), "A")  # a WireError here is the test's fault
        if self._broken:
            raise SubmissionProblem(*self._broken)
        if self._strikes.get(function, 0) >= STRIKES:
            raise SubmissionProblem(f"{function} was not called again, because it took too long {STRIKES} times")
        if self._left <= 0:
            raise SubmissionProblem(f"the {SECONDS} s that all calls of this exercise may take are used up")
        worker, seconds = self._loaded(), min(self.timeout, self._left)
        start_time = time.monotonic()
        try:
            value, self.changed = worker.call(function, arguments, keywords, seconds)
            return value
        except SubmissionProblem:
            raise
        except TookTooLong:
            self._strikes[function] = self._strikes.get(function, 0) + 1
            self.close()
            raise SubmissionProblem(f"{function} took longer than {seconds:.3g} s") from None
        except Gone:
            self.close()
            raise SubmissionProblem(
                f"{function} {ENDED} (exit, a crash, or more memory or time than allowed)"
            ) from None
        except wire.WireError as error:
            self.close()
            raise SubmissionProblem(f"{function} sent {error} instead of its result") from None
        except BaseException:
            self.close()
            raise
        finally:
            self.elapsed = time.monotonic() - start_time
            self._left -= self.elapsed

    def _loaded(self):
        if self._worker is None:
            worker = self._start()
            start_time = time.monotonic()
            try:
                worker.load(LOAD_SECONDS)
            except (SubmissionProblem, Gone, TookTooLong, wire.WireError) as error:
                worker.close()
                why = {Gone: "it ends its process", TookTooLong: f"it takes longer than {LOAD_SECONDS} s"}
                text = why.get(type(error), str(error))
                hidden = getattr(error, "hidden", text)
                self._broken = tuple(f"{self._file} {CANNOT_BE_IMPORTED}: {words}" for words in (text, hidden))
                raise SubmissionProblem(*self._broken) from None
            except BaseException:
                worker.close()
                raise
            finally:
                self._left -= time.monotonic() - start_time
            self._worker = worker
        return self._worker

    def close(self) -> None:
        """End the worker that is running, if any."""
        worker, self._worker = self._worker, None
        if worker:
            worker.close()
