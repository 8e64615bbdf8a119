"""How long a user waits for the import, for the first call of a kernel, and for the first step if nothing is compiled.

Whole processes are timed, from start to end. The goals are in seconds. Beside each is the time of a process that only
imports our dependencies.
"""

import os
import subprocess
import sys
import tempfile

from .case import Case, Row, Suite, Times, Work, make_row

PROGRAMS = {
    "import tinycompress": "import tinycompress",
    "import numpy": "import numpy",
    "import numpy, numba": "import numpy, numba",
    "first kernel call": """
import numpy as np
import tinycompress as tc
tc.kernels.conv2d(np.ones((1, 8, 8, 1), np.float32), np.ones((3, 3, 1, 4), np.float32), (1, 1), ((1, 1), (1, 1)))
""",
    "first LeNet-5 step": """
import numpy as np
import tinycompress as tc
rng = np.random.default_rng(0)
net = tc.models.lenet_5(rng=rng)
optimizer = tc.optim.SGD(net.parameters(), 0.01, momentum=0.9)
loss = tc.functional.cross_entropy(net(rng.standard_normal((64, 28, 28, 1), np.float32)), rng.integers(0, 10, 64))
loss.backward()
optimizer.step()
""",
}


def whole_process(rng, program, least):
    return {"ours": Work(lambda: _run(program), None)}


def without_cache(rng, program, least):
    """The same in a process that finds no compiled kernels in its cache."""

    def run():
        with tempfile.TemporaryDirectory() as folder:
            _run(program, NUMBA_CACHE_DIR=folder)

    return {"ours": Work(run, None)}


def least_process(rng, program, least):
    return {least: Work(lambda: _run(least), None)}


def _run(program, **changes):
    """Run a program as users do: Python keeps the byte code of earlier imports."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | changes
    command = [sys.executable, "-c", PROGRAMS[program]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the program {program!r} failed: {done.stderr.strip().splitlines()[-1]}")


def seconds_row(case: Case, times: Times) -> list[Row]:
    """Our seconds, which the goal limits, beside the least possible."""
    ((least, seconds),) = times["least"].items()
    return [make_row(case, times["ours"]["ours"], seconds, f"{least} (the least)", judged="ours")]


def case(name, goal, program, least, ours=whole_process, most_rounds=None):
    sides, arguments = {"ours": ours, "least": least_process}, {"program": program, "least": least}
    return Case("startup", name, goal, sides, arguments, seconds_row, most_rounds=most_rounds)


SUITES = [
    Suite(
        "startup",
        [
            case("import tinycompress", 0.12, "import tinycompress", "import numpy"),
            case("import and first kernel call, cached", 0.6, "first kernel call", "import numpy, numba"),
            case(
                "import and first LeNet-5 step, nothing compiled",
                3.5,
                "first LeNet-5 step",
                "import numpy, numba",
                without_cache,
                most_rounds=5,
            ),
        ],
    )
]
