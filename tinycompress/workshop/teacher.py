"""Teachers: nets that take long to train, kept in the user's cache and found again by the hash of their plan and data.

net = teacher(TeacherPlan(seed=1), "cifar10")      trained at the first call, read from a file at all others
"""

import functools
import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__, models
from .. import functional as F
from ..data import cutout, load, mirror, shift
from ..data.download import cache_folder
from ..files import replace_file
from ..nn import Module
from ..optim import SGD, one_cycle
from ..quantization import tcz
from ..training import evaluate, fit
from .identity import fingerprint

if TYPE_CHECKING:
    from tqdm import tqdm

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

    The first call trains it, for an hour by the default plan, and goes on where an earlier one was stopped. It writes two
    files, `<hash>.tcz` and `<hash>.json`, which says how it was trained and how well it does. progress: as in `fit`. Ctrl-C
    raises KeyboardInterrupt.
    Raises AttributeError for an unknown net, what `data.load` raises, and OSError if the cache cannot be written.
    """
    path = teacher_file(plan, data)
    try:
        return tcz.load(path)
    except (OSError, ValueError):  # not there, or damaged
        path.parent.mkdir(parents=True, exist_ok=True)
    start, unfinished = time.perf_counter(), path.with_suffix(".unfinished")
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
    about = {"plan": asdict(plan), "data": data, "origin": dataset.origin, "version": __version__} | history.entries()
    about |= {"test_accuracy": evaluate(net, dataset).accuracy, "seconds_of_last_start": time.perf_counter() - start}
    replace_file(path.with_suffix(".json"), json.dumps(about, indent=1))
    tcz.save(net, path)
    unfinished.unlink(missing_ok=True)  # another process may have finished the same net
    return tcz.load(path)


def teacher_file(plan: TeacherPlan, data: str) -> Path:
    """Where the teacher of this plan is, or will be: `<hash of the plan and the data's content>.tcz` in the user's cache."""
    key = json.dumps([FORMAT, asdict(plan), fingerprint(data)])
    return cache_folder("teachers") / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.tcz"


def augmented(x: np.ndarray, rng: np.random.Generator, plan: TeacherPlan) -> np.ndarray:
    """The images x (N, H, W, C), changed at random as the plan says. Their mean colour replaces what is lost."""
    mean = x.mean((0, 1, 2))
    x = shift(x, rng, plan.shift, mean) if plan.shift else x
    x = mirror(x, rng) if plan.mirror else x
    return cutout(x, rng, plan.cutout, mean) if plan.cutout else x
