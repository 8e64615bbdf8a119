"""The machine's limits, the roof of the roofline: multiply-adds in BLAS, and bytes that come from memory or from a cache."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..kernels import get_num_threads
from .case import Case, Row, Suite, Times, Work, make_row


def sgemm(rng, size):
    a, b = rng.standard_normal((2, size, size), np.float32)
    y = np.empty((size, size), np.float32)
    return {"ours": Work(lambda: np.matmul(a, b, out=y), None)}


def copy(rng, megabytes):
    """A copy too large for any cache, on as many threads as everything else uses."""
    source = rng.integers(0, 2**63, megabytes * (1 << 20) // 8)
    target = np.empty_like(source)
    threads = get_num_threads()
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    pool = ThreadPoolExecutor(threads)
    return {"ours": Work(lambda: list(pool.map(lambda part: np.copyto(*part), parts)), None)}


def read(rng, kilobytes):
    """A dot product of vectors so short that they stay in a core's cache."""
    a, b = rng.standard_normal((2, kilobytes * 1024 // 8), np.float32)
    return {"ours": Work(lambda: np.dot(a, b), None)}


def rate_row(amount: float, unit: str):
    """A row in billions per second, for a call that does `amount` operations or bytes."""

    def rows(case: Case, times: Times) -> list[Row]:
        return [make_row(case, [amount / seconds / 1e9 for seconds in times["ours"]["ours"]], unit=unit)]

    return rows


SIZE, MEGABYTES, KILOBYTES = 2048, 128, 512
SGEMM, COPY, READ = f"sgemm, {SIZE}²", f"copy of {MEGABYTES} MB", f"read of {KILOBYTES} kB"

SUITES = [
    Suite(
        "limits",
        [
            Case(
                "limits",
                SGEMM,
                None,
                {"ours": sgemm},
                {"size": SIZE},
                rate_row(2.0 * SIZE**3, "GFLOP/s"),
                most_rounds=5,
            ),
            # A copy reads as many bytes as it writes.
            Case(
                "limits",
                COPY,
                None,
                {"ours": copy},
                {"megabytes": MEGABYTES},
                rate_row(2.0 * (MEGABYTES << 20), "GB/s"),
            ),
            Case(
                "limits",
                READ,
                None,
                {"ours": read},
                {"kilobytes": KILOBYTES},
                rate_row(float(KILOBYTES << 10), "GB/s"),
            ),
        ],
    )
]
