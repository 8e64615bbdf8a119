"""The most memory that ResNet-20 takes for images of CIFAR-10's size, while it trains and while it predicts.

Each value is the peak of a fresh process, with Python, NumPy, Numba and the images. The goals are in megabytes.
"""

import subprocess
import sys

from .case import Case, Row, Suite, Times, Work, make_row

START = """
import numpy as np
import tinycompress as tc
from tinycompress.bench.memory import peak
rng = np.random.default_rng(0)
net = tc.models.resnet20(rng=rng)
x, y = rng.random(({images}, 32, 32, 3), np.float32), rng.integers(0, 10, {images})
"""
PROGRAMS = {
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
        with open(
            "/proc/self/status"
        ) as status:  # getrusage would count what the parent held when it started this process
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def fresh_process(rng, program, images, batch):
    source = (START + PROGRAMS[program]).format(images=images, batch=batch)

    def run():
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the program for {program} failed: {done.stderr.strip().splitlines()[-1]}")
        return float(done.stdout)

    return {"ours": Work(run, None, measures=True)}


def megabytes_row(case: Case, values: Times) -> list[Row]:
    """Our megabytes, which the goal limits."""
    return [make_row(case, values["ours"]["ours"], judged="ours", unit="MB")]


def case(name, goal, program, images, batch):
    arguments = {"program": program, "images": images, "batch": batch}
    return Case("memory", name, goal, {"ours": fresh_process}, arguments, megabytes_row, most_rounds=2)


SUITES = [
    Suite(
        "memory",
        [
            case("ResNet-20, training, batch 128", 2000, "training", 256, 128),
            case("ResNet-20, prediction of 1,024 images", 300, "prediction", 1024, 128),
            case("ResNet-20, form for prediction, batch 64", 300, "form for prediction", 1024, 64),
        ],
    )
]
