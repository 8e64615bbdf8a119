"""Suites of quick cases, for the tests of the machinery around cases; the processes of their sides import it, too."""

import os

import numpy as np

from tinycompress.bench import Case, Suite, Work
from tinycompress.bench.case import Point


def draw(rng, scale):
    return scale * rng.standard_normal((3, 4), np.float32)


def ours(rng, scale):
    x = draw(rng, scale)
    return {"ours": Work(lambda: x @ x.T)}


def theirs(rng, scale):
    x = draw(rng, scale)
    return {"as written": Work(lambda: np.einsum("ij,kj->ik", x, x)), "transposed": Work(lambda: (x @ x.T).T)}


def wrong(rng, scale):
    x = draw(rng, scale)
    return {"wrong": Work(lambda: x @ x.T + 1)}


def raising(rng, scale):
    raise ValueError("no such shape")


def dying(rng, scale):
    print("this is no answer", flush=True)
    os.write(2, b"out of memory\n")
    os._exit(3)


def surroundings(rng, scale):
    """Works named after what the process finds itself in."""
    import threadpoolctl

    from tinycompress import get_num_threads

    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    (blas,) = {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}
    found = [*(f"{name}={os.environ[name]}" for name in names), f"ours={get_num_threads()} BLAS={blas}"]
    return {" ".join(found): Work(lambda: None, None)}


def case(name, goal=1e9, point=None, **rivals):
    return Case("fake", name, goal, {"ours": ours, **rivals}, {"scale": 2.0}, point=point)


GOOD = case("good", plain=theirs, point=Point("conv", flops=24.0, bytes=100.0))
BROKEN = [case("different", plain=wrong), case("raising", plain=raising), case("dying", plain=dying)]
SUITES = [Suite("fake", [GOOD, *BROKEN, case("after", plain=theirs)]), Suite("limits", [])]
