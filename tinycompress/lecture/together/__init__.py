"""All chapters together: every method on one teacher (C1), and who pays for it (C2)."""

import numpy as np

from ... import data
from ...nn import Module
from ...profiling import latency
from ...quantization import tcz
from ...training import predict
from ..claim import Claim, Settings
from . import drawing as figures
from .methods import METHODS, Small, plan_for, right, teacher_of, trained_on, validation_accuracy

BATCH = 64  # images that are timed together
MOST_SEEDS = 3
MOST_VICTIMS = 12
TOLERANCE = 1.0  # points of validation accuracy that count as equal


def _tasks_per_seed(settings: Settings):
    """One a seed; live in class no more than MOST_SEEDS, since each trains more than a dozen nets."""
    seeds = min(settings.seeds, MOST_SEEDS) if settings.budget == "quick" else settings.seeds
    return [(settings.data, settings.budget, seed) for seed in range(seeds)]


# C1 ------------------------------------------------------------------------------------------------------------------


def prepare_c1(data_name: str, budget: str, seed: int) -> list[tuple[dict, Module]]:
    """Every method at its usual strength: accuracy, bytes of a file that reloads, and what counting says.

    Returns a row and the net that runs for each; first the teacher's.
    """
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    whole = trained_on(teacher, dataset, plan, seed)
    found = {"the teacher": ("", whole)}
    for method in METHODS:
        found[method.name] = method.chapter, method.apply(teacher, dataset, plan, seed, method.strength)
    return [
        (
            {
                "seed": seed,
                "arm": name,
                "chapter": chapter,
                "accuracy": 100 * float(right(small.runs, dataset).mean()),
                "bytes": file_bytes(small.net),
                "work_ratio": 32 * whole.macs / (small.factor_bits * small.macs),
                "weights_ratio": 32 * whole.weights / (small.weight_bits * small.weights),
            },
            small.runs,
        )
        for name, (chapter, small) in found.items()
    ]


def measure_c1(data_name: str, budget: str, seed: int, nets: list) -> list[dict]:
    """Time the nets of `prepare_c1` in turn."""
    dataset = data.load(data_name)
    x = np.resize(dataset.x_test, (BATCH, *dataset.image_shape))
    times = latency({row["arm"]: lambda net=net: predict(net, x) for row, net in nets}, rounds=7)
    whole = nets[0][0]
    rows = []
    for row, _ in nets:
        time = times[row["arm"]]
        low, high = time.spread
        clock = {"ms": time.median, "ms_low": low, "ms_high": high, "threads": time.threads}
        ratios = {
            "disk_ratio": whole["bytes"] / row["bytes"],
            "clock_ratio": times[whole["arm"]].median / time.median,
        }
        rows.append(row | clock | ratios)
    return rows


def file_bytes(net: Module) -> int:
    """Bytes of the net's .tcz file, once it is seen to load to the same net."""
    content = tcz.to_bytes(net)
    again = tcz.from_bytes(content)
    x = np.random.default_rng(0).random((8, *net.input_shape), np.float32)
    if predict(again, x).tobytes() != predict(net, x).tobytes():
        raise ValueError(f"the file of {net!r} loads to a net that predicts otherwise")
    return len(content)


def effect_c1(rows):
    """Per seed, log2 of how many times more work is saved by counting than by the clock, mean over methods."""
    return [
        float(np.mean([np.log2(row["work_ratio"] / row["clock_ratio"]) for row in rows if _counts(row, seed)]))
        for seed in sorted({row["seed"] for row in rows})
    ]


def _counts(row, seed) -> bool:
    return row["seed"] == seed and bool(row["chapter"])


def ratios_c1(rows):
    """Geometric means over methods and seeds."""
    chosen = [row for row in rows if row["chapter"]]
    names = {"theory": "work_ratio", "disk": "disk_ratio", "clock": "clock_ratio"}
    return {name: float(2 ** np.mean([np.log2(row[key]) for row in chosen])) for name, key in names.items()}


# C2 ------------------------------------------------------------------------------------------------------------------


def measure_c2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Every method as strong as validation accuracy allows, and which test images and classes it then gets wrong."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    reference = trained_on(teacher, dataset, plan, seed)
    limit = validation_accuracy(reference.runs, dataset) - TOLERANCE
    before = right(reference.runs, dataset)
    other = trained_on(teacher_of(data_name, plan, seed + 1000), dataset, plan, seed + 1000)
    rows = [_c2_row(seed, "the teacher", None, reference.runs, before, dataset)]
    rows.append(_c2_row(seed, "another start", None, other.runs, before, dataset))
    again = trained_on(teacher, dataset, plan, seed + 2000)
    rows.append(_c2_row(seed, "another order", None, again.runs, before, dataset))
    for method in METHODS:
        small, strength = _strongest(method, teacher, dataset, plan, seed, limit)
        if small is not None:
            rows.append(_c2_row(seed, method.name, strength, small.runs, before, dataset))
    rows[0] |= {"classes": list(dataset.classes), "victims": _victims(rows, dataset)}
    return rows


def _victims(rows, dataset) -> list[dict]:
    """The images that most methods lose, at most MOST_VICTIMS of them, with their pixels (8 bits) for the figure."""
    lost = np.concatenate(
        [np.asarray(row["lost"], int) for row in rows if row["arm"] in {m.name for m in METHODS}] or [[]]
    )
    images, counts = np.unique(lost.astype(int), return_counts=True)
    most = np.argsort(-counts, kind="stable")[:MOST_VICTIMS]
    return [
        {"image": int(i), "label": int(dataset.y_test[i]), "pixels": np.round(255 * dataset.x_test[i]).astype(int)}
        for i in images[most]
    ]


def _strongest(method, teacher, dataset, plan, seed, limit) -> tuple[Small | None, object]:
    """The strongest of the method's settings that keeps validation accuracy above the limit, if any does."""
    for strength in reversed(method.strengths):
        small = method.apply(teacher, dataset, plan, seed, strength)
        if validation_accuracy(small.runs, dataset) >= limit:
            return small, strength
    return None, None


def _c2_row(seed, arm, strength, net, before, dataset) -> dict:
    logits = predict(net, dataset.x_test)
    now = logits.argmax(1) == dataset.y_test
    changed = np.flatnonzero(now != before)
    return {
        "seed": seed,
        "arm": arm,
        "strength": strength,
        "accuracy": 100 * float(now.mean()),
        "flipped": 100 * float(np.mean(now != before)),
        "least": 100 * abs(float(now.mean() - before.mean())),
        "lost": changed[before[changed]],
        "won": changed[~before[changed]],
        "says": logits.argmax(1)[changed[before[changed]]],
        "recalls": [100 * float(now[dataset.y_test == c].mean()) for c in range(dataset.num_classes)],
    }


def effect_c2(rows):
    """Per seed, the share of test images that change sides, mean over methods, minus that of the teacher trained on in
    another order."""
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        chosen = {row["arm"]: row["flipped"] for row in rows if row["seed"] == seed}
        methods = [chosen[method.name] for method in METHODS if method.name in chosen]
        if methods:
            effects.append(float(np.mean(methods)) - chosen["another order"])
    return effects


CLAIMS = [
    Claim(
        id="C1",
        chapter="together",
        title="Theory, disk and clock",
        statement="What a method saves by counting, on disk and on the clock are three numbers, and the clock's is the smallest.",
        tasks=_tasks_per_seed,
        prepare=prepare_c1,
        measure=measure_c1,
        effect=effect_c1,
        effect_name="work saved by counting over work saved on the clock, geometric mean over methods",
        unit="log2 ×",
        figure=figures.c1,
        ratios=ratios_c1,
        timed=True,
        note="Work is multiplications by what is not 0, times the bits of their factors. Bytes are those of a .tcz file that "
        "loads to the same predictions; the teacher's is one, too. All start from the same teacher and train as long.",
        source="Blalock et al. 2020, What is the State of Neural Network Pruning?",
    ),
    Claim(
        id="C2",
        chapter="together",
        title="Who pays",
        statement="At equal overall accuracy a compressed net fails on other images than its teacher: some classes pay.",
        tasks=_tasks_per_seed,
        measure=measure_c2,
        effect=effect_c2,
        effect_name="test images that change sides, compressed minus trained on in another order",
        unit="points",
        figure=figures.c2,
        note=f"Each method is as strong as keeps validation accuracy within {TOLERANCE:g} point of the teacher's. What changes "
        "sides when the teacher trains on in another order, or starts anew, is what chance alone does.",
        source="Hooker et al. 2019, What Do Compressed Deep Neural Networks Forget?",
    ),
]
