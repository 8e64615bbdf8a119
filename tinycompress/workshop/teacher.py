"""Teachers: nets that take long to train, kept in the user's cache and found again by the hash of their plan and data.

net = teacher(TeacherPlan(seed=7), "cifar10")      trained at the first call, read from a file at all others

That of seed 0 on CIFAR-10 comes with the package, in `trained/`.
"""

import functools
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__, models
from .. import functional as F
from ..data import cutout, load, mirror, shift
from ..data.download import cache_folder
from ..files import alone, replace_file
from ..nn import Module
from ..optim import SGD, one_cycle
from ..quantization import tcz
from ..training import evaluate, fit
from .identity import fingerprint

if TYPE_CHECKING:
    from tqdm import tqdm

TRAINED = Path(__file__).with_name("trained")  # teachers that come with the package, named as in the cache
FORMAT = 4  # raised when the same plan would train another net


@dataclass(frozen=True)
class TeacherPlan:
    """How a teacher is trained: by SGD with Nesterov's momentum of 0.9 and one cycle of the learning rate, up to `lr`.

    net: the name of a function in `models`. shift, mirror, cutout: its augmentation (`data.shift`, by up to this many pixels,
    `data.mirror`, and `data.cutout`, of squares of this size). No labels are smoothed by default, since a teacher's outputs then
    say less about the other classes (Müller et al. 2019).
    """

    net: str = "resnet20"
    seed: int = 0
    epochs: int = 50
    lr: float = 0.2
    batch_size: int = 128
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    clip_grad_norm: float | None = 5.0
    shift: int = 4
    mirror: bool = True
    cutout: int = 8


def teacher(plan: TeacherPlan, data: str = "cifar10", progress: "bool | tqdm" = True) -> Module:
    """The net of this plan, trained on the training split of the data set of that name, on raw pixels (`models.normalized`).

    It is read from the user's cache, or else from the package, which stderr tells. Otherwise the first call trains it, for an
    hour by the default plan, and goes on where an earlier one was stopped; other processes wait for it. It writes two files,
    `<hash>.tcz` and `<hash>.json`, which says how it was trained and how well it does. progress: as in `fit`. Ctrl-C raises
    KeyboardInterrupt.
    Raises AttributeError for an unknown net, what `data.load` raises, and OSError if the cache cannot be written.
    """
    path = teacher_file(plan, data)
    found = _read(path) or _packaged(plan, TRAINED / path.name)
    if found is not None:
        return found
    waiting = f"{plan.net}, seed {plan.seed}: another process trains it; waiting"
    with alone(cache_folder("locks") / path.stem, waiting):
        return _read(path) or _trained(plan, data, path, progress)


def _trained(plan: TeacherPlan, data: str, path: Path, progress: "bool | tqdm") -> Module:
    start, unfinished = time.perf_counter(), path.with_suffix(".unfinished")
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset, rng = load(data), np.random.default_rng(plan.seed)
    net = getattr(models, plan.net)(dataset.image_shape, dataset.num_classes, rng=rng)
    net = models.normalized(net, dataset.x_train)
    history = fit(
        net,
        dataset,
        optimizer=SGD(net.parameters(), plan.lr, momentum=0.9, nesterov=True, weight_decay=plan.weight_decay),
        epochs=plan.epochs,
        rng=rng,
        batch_size=plan.batch_size,
        loss=lambda outputs, labels: F.cross_entropy(outputs, labels, plan.label_smoothing),
        schedule=one_cycle(),
        augment=functools.partial(augmented, plan=plan),
        clip_grad_norm=plan.clip_grad_norm,
        validation=dataset,
        checkpoint=unfinished,
        progress=progress,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    about = {"plan": asdict(plan), "data": data, "origin": dataset.origin, "data_fingerprint": fingerprint(data)}
    about |= {"version": __version__} | history.entries()
    about |= {"test_accuracy": evaluate(net, dataset).accuracy, "seconds_of_last_start": time.perf_counter() - start}
    replace_file(path.with_suffix(".json"), json.dumps(about, indent=1))
    tcz.save(net, path)
    unfinished.unlink(missing_ok=True)
    return tcz.load(path)


def _read(path: Path) -> Module | None:
    try:
        return tcz.load(path)
    except (OSError, ValueError):  # not there, or damaged
        return None


def _packaged(plan: TeacherPlan, path: Path) -> Module | None:
    net = _read(path)
    if net is not None:
        right = json.loads(path.with_suffix(".json").read_text())["test_accuracy"]
        told = f"{plan.net}, seed {plan.seed}: comes with tinycompress, right on {right:.2%} of the test images"
        print(told, file=sys.stderr, flush=True)
    return net


def teacher_file(plan: TeacherPlan, data: str) -> Path:
    """Where the teacher of this plan is, or will be: `<hash of the plan and the data's content>.tcz` in the user's cache."""
    return cache_folder("teachers") / file_name(plan, fingerprint(data))


def file_name(plan: TeacherPlan, data_fingerprint: str) -> str:
    key = json.dumps([FORMAT, asdict(plan), data_fingerprint])
    return f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.tcz"


def augmented(x: np.ndarray, rng: np.random.Generator, plan: TeacherPlan) -> np.ndarray:
    """The images x (N, H, W, C), changed at random as the plan says. Their mean colour replaces what is lost."""
    mean = x.mean((0, 1, 2))
    x = shift(x, rng, plan.shift, mean) if plan.shift else x
    x = mirror(x, rng) if plan.mirror else x
    return cutout(x, rng, plan.cutout, mean) if plan.cutout else x
