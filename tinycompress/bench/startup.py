"""How long a user waits for the import, for the first call of a kernel, and for the first step if nothing is compiled.

Whole processes are timed, from start to end. The goals are in seconds. Beside each is the time of a process that only
imports our dependencies.

Also the most memory that ResNet-20 takes for images of CIFAR-10's size, while it trains and while it predicts: the peak of a
fresh process, with Python, NumPy, Numba and the images. These goals are in megabytes.
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


MEMORY_START = """
import numpy as np
import tinycompress as tc
from tinycompress.bench.startup import peak
rng = np.random.default_rng(0)
net = tc.models.resnet20(rng=rng)
x, y = rng.random(({images}, 32, 32, 3), np.float32), rng.integers(0, 10, {images})
"""
MEMORY_PROGRAMS = {
    "training": """
sgd = tc.optim.SGD(net.parameters(), 0.1, momentum=0.9)
tc.fit(net, (x, y), optimizer=sgd, epochs=1, rng=rng, batch_size={batch}, progress=False)
print(peak())
""",
    "prediction": """
tc.predict(net, x)
print(peak())
""",
    "form for prediction": """
from tinycompress.inference import optimize
fast = optimize(net, x[:{batch}])
tc.predict(fast, x, {batch})
print(peak())
""",
}


def peak() -> float:
    """The most memory that this process has held so far, in megabytes; on Linux and macOS."""
    try:
        # Not getrusage, which on Linux also counts what the parent held when it started this process.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def fresh_process(rng, program, images, batch):
    source = (MEMORY_START + MEMORY_PROGRAMS[program]).format(images=images, batch=batch)

    def run():
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the program for {program} failed: {done.stderr.strip().splitlines()[-1]}")
        return float(done.stdout)

    return {"ours": Work(run, None, measures=True)}


def megabytes_row(case: Case, values: Times) -> list[Row]:
    """Our megabytes, which the goal limits."""
    return [make_row(case, values["ours"]["ours"], judged="ours", unit="MB")]


def memory_case(name, goal, program, images, batch):
    arguments = {"program": program, "images": images, "batch": batch}
    return Case("memory", name, goal, {"ours": fresh_process}, arguments, megabytes_row, most_rounds=2)


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
    ),
    Suite(
        "memory",
        [
            memory_case("ResNet-20, training, batch 128", 2000, "training", 256, 128),
            memory_case("ResNet-20, prediction of 1,024 images", 300, "prediction", 1024, 128),
            memory_case("ResNet-20, form for prediction, batch 64", 300, "form for prediction", 1024, 64),
        ],
    ),
]
