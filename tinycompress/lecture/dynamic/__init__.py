"""Chapter 5, dynamic computation: its claims, and how Y1 and Y3, on depth, are measured.

At the budget "paper" Y1 is the experiment of Teerapittayanon et al. 2016: LeNet with exits on MNIST.
"""

import numpy as np

from ... import data
from ...data import Dataset
from ...dynamic import EarlyExit, ExitTable, choose_thresholds, exit_at, exit_table, mac_costs, ms_costs
from ...nn import Module, MultiExit
from ...profiling import latency
from ...tensor import Tensor, no_grad
from ...training import evaluate
from ..claim import Claim
from . import drawing as figures
from . import y2_width as dynamic_width
from . import y4_budget as dynamic_budget
from .nets import exit_net, plain_net, tasks_per_seed

THRESHOLDS = (0.5, 0.7, 0.9, 0.99)  # on the confidence, the same at every exit
ONE_BY_ONE, BATCH = 40, 256  # images that are timed
PUBLISHED = {"accuracy": 99.25, "plain": 99.20, "speedup": 5.4, "share": 0.943}  # BranchyNet's LeNet, on a CPU

# Y1 ------------------------------------------------------------------------------------------------------------------


def prepare_y1(data_name: str, budget: str, seed: int) -> tuple[Module, MultiExit]:
    """The plain net, and the one with exits."""
    return plain_net(data_name, budget, seed), exit_net(data_name, budget, seed)


def measure_y1(data_name: str, budget: str, seed: int, nets: tuple[Module, MultiExit]) -> list[dict]:
    """Accuracy, MACs and time of the plain net, of each exit, and of images that leave as soon as they are sure."""
    dataset = data.load(data_name)
    plain, net = nets
    exits = len(net.stages)
    macs, on_test, on_val = mac_costs(net), exit_table(net, dataset.test), exit_table(net, dataset.val)
    deepest = on_val.judge(exit_at(-1, exits), macs)[0]
    chosen = choose_thresholds(on_val, ms_costs(net, dataset.x_val[:1]), accuracy=deepest)
    settings = {("exit", str(i + 1)): exit_at(i, exits) for i in range(exits)}
    settings |= {("threshold", str(t)): (t,) * (exits - 1) for t in THRESHOLDS}
    settings["chosen", ""] = chosen
    runs = {key: EarlyExit(net, thresholds).run for key, thresholds in settings.items()}
    runs["plain", ""] = _run_plain(plain)
    ms_1, ms_batch = _times(runs, dataset, on_test)
    rows = []
    for arm, name in runs:
        if arm == "plain":
            accuracy, cost, shares = evaluate(plain, dataset.test).accuracy, plain.summary().macs, []
        else:
            thresholds = settings[arm, name]
            accuracy, cost = on_test.judge(thresholds, macs)
            shares = np.bincount(on_test.leaving(thresholds), minlength=exits) / len(dataset.y_test)
        rows.append(
            {
                "seed": seed,
                "arm": arm,
                "setting": name,
                "thresholds": settings.get((arm, name), ()),
                "accuracy": 100 * accuracy,
                "macs": cost,
                "ms_1": ms_1[arm, name],
                "ms_batch": ms_batch[arm, name],
                "shares": shares,
                "published": PUBLISHED if budget == "paper" else None,
            }
        )
    return rows


def _run_plain(net):
    def run(x):
        with no_grad():
            return net(Tensor(x)).data

    return run


def _times(runs: dict, dataset: Dataset, table: ExitTable) -> tuple[dict, dict]:
    """Milliseconds an image, for images one at a time and in a batch; all ways in turn."""
    x = dataset.x_test[table.sample(ONE_BY_ONE)]
    single = latency(
        {key: lambda run=run: [run(x[i : i + 1]) for i in range(len(x))] for key, run in runs.items()}, 5, 1
    )
    batch = dataset.x_test[table.sample(BATCH)]
    many = latency({key: lambda run=run: run(batch) for key, run in runs.items()}, 5, 1)
    return tuple(
        {key: t.median / len(some) for key, t in times.items()} for times, some in ((single, x), (many, batch))
    )


def _ratio(rows, seed: int, value: str) -> float:
    """The plain net's over the chosen thresholds'."""
    found = {row["arm"]: row[value] for row in rows if row["seed"] == seed}
    return found["plain"] / found["chosen"]


def effect_y1(rows):
    """Per seed, log2 of how much faster the net with exits is, one image at a time."""
    return [float(np.log2(_ratio(rows, seed, "ms_1"))) for seed in sorted({row["seed"] for row in rows})]


def ratios_y1(rows):
    seeds = {row["seed"] for row in rows}
    values = {"theory": "macs", "clock": "ms_1"}
    return {name: float(np.median([_ratio(rows, s, value) for s in seeds])) for name, value in values.items()}


# Y3 ------------------------------------------------------------------------------------------------------------------

LEAVING = 0.75  # of the validation images that reach an exit, the share that leaves there
NEIGHBOURS = 10
SHOWN = 2  # images of each class and exit


def measure_y3(data_name: str, budget: str, seed: int) -> list[dict]:
    """Who leaves at which exit: how many of each class, and how hard they are to tell apart without any net."""
    dataset = data.load(data_name)
    net = exit_net(data_name, budget, seed)
    thresholds = leaving_by_share(exit_table(net, dataset.val), LEAVING)
    table = exit_table(net, dataset.test)
    left, hard = table.leaving(thresholds), difficulty(dataset)
    rows = []
    for i in range(len(net.stages)):
        here = np.flatnonzero(left == i)
        shown = [here[dataset.y_test[here] == label][:SHOWN] for label in range(dataset.num_classes)]
        rows.append(
            {
                "seed": seed,
                "exit": i + 1,
                "share": len(here) / len(left),
                "difficulty": 100 * hard[here].mean() if len(here) else None,
                "error": 100 * (1 - table.correct[i, here].mean()) if len(here) else None,
                "error_at_first": 100 * (1 - table.correct[0, here].mean()) if len(here) else None,
                "by_class": np.bincount(dataset.y_test[here], minlength=dataset.num_classes),
                "classes": dataset.classes,
                "images": [[_grey(dataset.x_test[j]) for j in some] for some in shown] if seed == 0 else [],
            }
        )
    return rows


def leaving_by_share(table: ExitTable, share: float) -> tuple[float, ...]:
    """Thresholds by which that share of the images that reach an exit leaves there."""
    staying, thresholds = np.ones(table.scores.shape[1], bool), []
    for scores in table.scores[:-1]:
        thresholds.append(float(np.quantile(scores[staying], 1 - share)) if staying.any() else 0.0)
        staying &= scores < thresholds[-1]
    return tuple(thresholds)


def difficulty(dataset: Dataset) -> np.ndarray:
    """For each test image, the share of its nearest training images, by their pixels, that are of another class."""
    train, test = (x.reshape(len(x), -1) for x in (dataset.x_train, dataset.x_test))
    shares, half_norms = [], (train**2).sum(1) / 2
    for start in range(0, len(test), 500):
        near = np.argpartition(half_norms - test[start : start + 500] @ train.T, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        shares.append((dataset.y_train[near] != dataset.y_test[start : start + 500, None]).mean(1))
    return np.concatenate(shares)


def _grey(image: np.ndarray) -> np.ndarray:
    return np.round(255 * image.mean(-1)).astype(int)


def effect_y3(rows):
    """Per seed, the difficulty of the images that go on beyond the first exit, minus that of those that leave there."""
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        mine = [row for row in rows if row["seed"] == seed and row["share"]]
        late = [row for row in mine if row["exit"] > 1]
        first = next(row["difficulty"] for row in mine if row["exit"] == 1)
        beyond = np.average([row["difficulty"] for row in late], weights=[row["share"] for row in late])
        effects.append(float(beyond - first))
    return effects


CLAIMS = [
    Claim(
        id="Y1",
        chapter="dynamic",
        title="Adjust the depth",
        statement="A net can adjust its depth: whoever is sure after a few layers needs no more of them.",
        tasks=tasks_per_seed,
        prepare=prepare_y1,
        measure=measure_y1,
        effect=effect_y1,
        effect_name="speed-up over the net without exits, one image at a time, by thresholds chosen on validation data",
        unit="log2 ×",
        timed=True,
        figure=figures.y1,
        ratios=ratios_y1,
        note="An image leaves at the first exit whose confidence reaches a threshold; later layers are not run for it. The "
        "thresholds of the star are the fastest that were as accurate as the last exit on validation data (200 images tell no "
        "differences of half a point); accuracy and time are of test images. All nets train for equally many epochs. In a "
        "batch, those that have not left go on together.",
        source="Teerapittayanon et al. 2016, BranchyNet; Kaya et al. 2019, Shallow-Deep Networks",
    ),
    dynamic_width.CLAIM,
    Claim(
        id="Y3",
        chapter="dynamic",
        title="As much computation as needed",
        statement="A net can spend as much computation on an image as that image needs.",
        tasks=tasks_per_seed,
        measure=measure_y3,
        effect=effect_y3,
        effect_name="nearest training images of another class, images that go on minus images that leave at exit 1",
        unit="points",
        figure=figures.y3,
        note="Thresholds let three quarters of the validation images that reach an exit leave there. No net says how hard "
        "an image is: that is the share of its ten nearest training images, by their pixels, that are of another class.",
        source="Teerapittayanon et al. 2016; Huang et al. 2018, Multi-Scale Dense Networks",
    ),
    dynamic_budget.CLAIM,
]
