"""The process of one side: it builds works, and runs a block of one when asked. Started by `turns.Side`.

It reads requests, one JSON line each: {"do": the name of a function below, "with": its arguments}. It answers each with
one line: {"answer": ...} or {"error": ...}. All other output goes to the standard error stream.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback

import numpy as np

from .case import Work

works: dict[str, Work] = {}


def start(threads: int) -> None:
    """Set the threads of our kernels and of BLAS, which keeps them in a process in which no kernel shares its work."""
    from ..kernels import set_num_threads

    set_num_threads(threads)


def build(function: str, arguments: dict, seed: int) -> list[str]:
    """Build the works of a case's side, "module:function", and return their names. Earlier works are dropped."""
    works.clear()
    module, name = function.split(":")
    works.update(getattr(importlib.import_module(module), name)(np.random.default_rng(seed), **arguments))
    return list(works)


def warm_up(work: str, path: str) -> float:
    """Run the work twice and return the seconds of the second run, when everything is compiled and allocated.

    The second result is saved for comparison: a training step's second loss also shows whether the first update was
    right.
    """
    work = works[work]
    work.run()
    began = time.perf_counter()
    result = work.run()
    seconds = time.perf_counter() - began
    if work.read:
        np.savez(path, *work.read(result))
    return seconds


def block(work: str, repeats: int, wake: int) -> float:
    """Seconds per run, or what the runs return if the work `measures`, over one block. wake: untimed runs before it."""
    run = works[work].run
    if works[work].measures:
        return float(np.mean([run() for _ in range(repeats)]))
    for _ in range(wake):
        run()
    began = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - began) / repeats


REQUESTS = {function.__name__: function for function in (start, build, warm_up, block)}


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent handles it
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # so that no library's output is taken for an answer
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": REQUESTS[request["do"]](**request["with"])}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
