"""What the claims of chapter 2 share: the nets of each budget, the teacher, and students with equal initial weights."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ... import data, models
from ... import functional as F
from ...data import Dataset
from ...nn import Module
from ...optim import cosine
from ...selection import pick_on_validation, train
from ...tensor import Tensor
from ...training import predict
from ...workshop import colour
from ..images.shares import percent_of
from ..plans import COLOUR, CannotMeasure, plan_of


@dataclass(frozen=True)
class Plan:
    """The nets, by their hidden widths, and how they are trained.

    An arm tries each learning rate with each value of one more setting: `soft` has pairs of (temperature, alpha), `decays`
    weight decays, and `smoothings` shares of label smoothing. Arms that are compared try the same number of combinations.

    stored: whether the teacher is the ResNet-20 of `colour`, and the student half as wide.
    """

    teacher: tuple[int, ...] = (300, 100)
    teacher_epochs: int = 30
    teacher_lrs: tuple[float, ...] = (0.03, 0.1)
    jitter: int = 0  # the teacher's training images are shifted by up to this many pixels
    batch_size: int = 64

    # Shares of the training images that students see. D1 uses all of these shares; D1b, D3 and D4 the first.
    shares: tuple[float, ...] = (0.1, 1)
    student: tuple[int, ...] = (16,)
    epochs: int = 30  # with all images; more with fewer images
    lrs: tuple[float, ...] = (0.05, 0.2)
    soft: tuple[tuple[float, float], ...] = ((2, 1), (5, 1))
    decays: tuple[float, ...] = (0, 1e-3)
    smoothings: tuple[float, ...] = (0.05, 0.2)

    # D1b: imperfect teachers, each by the share of the images that it sees and the share of its training that it finishes.
    teachers: tuple[tuple[float, float], ...] = ((1, 0.03), (1, 0.06), (1, 0.12), (0.05, 1), (0.1, 1), (1, 1))
    worth_shares: tuple[float, ...] = (0.02, 0.05, 0.15, 0.4, 1)  # D1c

    unseen_student: tuple[int, ...] = (30,)  # D2
    unseen_lrs: tuple[float, ...] = (0.03, 0.1)
    unseen_temperatures: tuple[float, ...] = (5, 20)

    members: int = 8  # D3
    narrow_student: tuple[int, ...] = (16,)  # D4
    temperatures: tuple[float, ...] = (1, 2, 4, 8, 16, 32, math.inf)
    deep_student: tuple[int, ...] = (16,) * 10  # D5, with all images
    deep_epochs: int = 15
    deep_lrs: tuple[float, ...] = (0.03, 0.1)
    deep_temperatures: tuple[float, ...] = (5,)
    hint_weights: tuple[float, ...] = (0.3,)
    stored: bool = False


PLANS = {
    "quick": Plan(),
    "full": Plan(
        shares=(0.1, 0.3, 1),
        epochs=100,
        lrs=(0.02, 0.05, 0.1, 0.2),
        soft=((2, 1), (5, 1), (5, 0.9)),
        decays=(0, 1e-4, 1e-3),
        smoothings=(0.05, 0.1, 0.2),
        unseen_lrs=(0.02, 0.05, 0.1),
        deep_epochs=40,
        deep_lrs=(0.01, 0.03, 0.1),
        deep_temperatures=(5, 2),
        hint_weights=(0.1, 1),
    ),
    # D1, D2 and D4 use the nets and the temperature of Hinton et al. 2015, section 3, cut to half an hour per seed: 40 and
    # 20 epochs instead of hundreds, and two learning rates but only one T, decay and smoothing. The teacher learns from
    # shifted images, like theirs, but without dropout, for which 50 epochs were too few: the validation error was 1.6 %
    # instead of 1.0 %.
    "paper": Plan(
        teacher=(1200, 1200),
        teacher_epochs=40,
        teacher_lrs=(0.1,),
        jitter=2,
        batch_size=128,
        shares=(1,),
        teachers=((1, 0.03), (1, 0.1), (0.01, 1), (1, 1)),
        worth_shares=(0.001, 0.01, 0.1, 1),
        student=(800, 800),
        epochs=20,
        lrs=(0.01, 0.03),
        soft=((20, 1),),
        decays=(0,),
        smoothings=(0.1,),
        unseen_student=(800, 800),
        unseen_lrs=(0.01, 0.03),
        unseen_temperatures=(20,),
        members=5,
        narrow_student=(30, 30),
        deep_temperatures=(5,),
        hint_weights=(1,),
    ),
}
PLANS |= {
    f"{budget}, many images": replace(
        PLANS[budget],
        teacher_epochs=10,
        epochs=PLANS[budget].epochs // 6,
        deep_epochs=5,
        batch_size=128,
        teachers=((1, 0.1), (1, 0.2), (0.002, 1), (0.01, 1), (0.1, 1), (1, 1)),
        worth_shares=(0.001, 0.005, 0.025, 0.1, 1),
    )
    for budget in ("quick", "full")
}
WITH_COLOUR = PLANS | {  # of D1
    f"paper, {COLOUR}": Plan(
        teacher_epochs=colour.PLAN.epochs,
        batch_size=128,
        epochs=10,
        lrs=(colour.PLAN.lr,),
        soft=((4, 0.9),),
        decays=(colour.PLAN.weight_decay,),  # that of the other arms
        smoothings=(0.1,),
        stored=True,
    )
}
MOST_EPOCHS = 150


def plan_for(budget: str, dataset: Dataset, plans: dict[str, Plan] = PLANS) -> Plan:
    return plan_of(plans, budget, dataset)


def with_fewer_images(dataset: Dataset, plan: Plan, share: float, seed) -> tuple[Dataset, Plan]:
    """The data with a random `share` of the training images, and a plan of more epochs, so that the steps stay about equal.

    A smaller share is part of a larger one. seed: an int, or several. Raises CannotMeasure if not one image is left.
    """
    if share == 1:
        return dataset, plan
    count = round(share * len(dataset.x_train))
    if count == 0:
        few = f"{100 * share:g} % of {len(dataset.x_train)} training images is less than one image"
        raise CannotMeasure(few, f"Give data with {int(0.5 / share) + 1} training images or more.")
    kept = np.sort(np.random.default_rng([*np.atleast_1d(seed), 4]).permutation(len(dataset.x_train))[:count])
    fewer = replace(dataset, x_train=dataset.x_train[kept], y_train=dataset.y_train[kept])
    longer = {name: min(round(getattr(plan, name) / share), MOST_EPOCHS) for name in ("epochs", "teacher_epochs")}
    return fewer, replace(plan, **longer)


@functools.lru_cache(maxsize=16)
def teacher_of(data_name: str, plan: Plan, seed: int) -> Module:
    """The teacher of this seed. Cached: the claims of a process share it, so do not modify it."""
    if plan.stored:
        return colour.trained_resnet(data_name, seed)
    return train_teacher(data.load(data_name), plan, plan.teacher_epochs, seed)


def train_teacher(dataset: Dataset, plan: Plan, epochs: int, seed: int) -> Module:
    """A teacher that stops after this many of the plan's epochs, at the learning rate that it then has."""
    stop = epochs / plan.teacher_epochs

    def arm(lr):
        rng = np.random.default_rng([seed, 1])
        net = models.mlp(dataset.image_shape, plan.teacher, dataset.num_classes, rng=rng)
        return train(
            net,
            dataset,
            lr=lr,
            epochs=epochs,
            rng=rng,
            batch_size=plan.batch_size,
            schedule=lambda t: cosine(stop * t),
            augment=(lambda x, rng: data.shift(x, rng, plan.jitter)) if plan.jitter else None,
        )

    return pick_on_validation(arm, plan.teacher_lrs, dataset)[0]


def train_student(dataset: Dataset, plan: Plan, widths, seed, lr: float, targets=None, **options) -> Module:
    """A net trained on the labels, or on other targets; all arms of a seed start with the same weights."""
    rng = np.random.default_rng([*np.atleast_1d(seed), 2])
    if plan.stored:
        net = colour.new_resnet(dataset, 0.5, rng)
        options = colour.from_scratch() | options
    else:
        net = models.mlp(dataset.image_shape, widths, dataset.num_classes, rng=rng)
    dataset = dataset if targets is None else replace(dataset, y_train=targets)
    return train(net, dataset, lr=lr, epochs=plan.epochs, rng=rng, batch_size=plan.batch_size, **options)


def choose(make: Callable, lrs, values, dataset: Dataset, loss: Callable | None = None) -> tuple[Module, dict]:
    """The best of make(lr, value, curve) on validation data (see `pick_on_validation`), and its settings as row fields."""
    curves = {(lr, value): [] for lr in lrs for value in values}
    net, (lr, value) = pick_on_validation(lambda s: make(*s, curves[s]), curves, dataset, loss)
    curve = [100 * accuracy for accuracy in curves[lr, value]]
    return net, {"lr": lr, "setting": value, "tried": len(curves), "curve": curve}


def scores(net: Module, dataset: Dataset) -> dict:
    """Accuracy in per cent, and the number of errors, on the test split."""
    right = predict(net, dataset.x_test).argmax(1) == dataset.y_test
    return {"accuracy": percent_of(right), "errors": int((~right).sum()), "tested": len(right)}


def soften(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """softmax(logits / T), as an array."""
    return F.softmax(Tensor(logits), temperature).data
