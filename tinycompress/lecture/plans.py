"""The rules by which all chapters pick how long their nets train, and at which learning rates."""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Dataset

if TYPE_CHECKING:
    from .claim import Settings

MANY_IMAGES = 10_000
COLOUR = "colour images"
BRIGHTEST = (
    200.0  # ‖x‖² of an image, on average; below it plans keep their rates: digits 15, MNIST 88, Fashion-MNIST 162
)
LOOKED_AT = 1000  # training images


class CannotMeasure(Exception):
    """These data do not allow what a claim measures. `.why`: what is missing, `.how`: how to measure it, as in `not_measured`."""

    def __init__(self, why: str, how: str):
        super().__init__(f"{why}; {how}")
        self.why, self.how = why, how


def plan_name(plans: dict[str, object], budget: str, images: int, channels: int = 1) -> str:
    """The name of the chapter's plan for a budget and this many training images of so many channels.

    With MANY_IMAGES or more, an epoch has many more steps, so fewer epochs are enough: the plan is then "<budget>, many
    images" or, if the chapter has no such plan, "paper". Some chapters have a plan "<budget>, colour images", for many of them.
    """
    if images < MANY_IMAGES:
        return budget
    if channels > 1 and f"{budget}, {COLOUR}" in plans:
        return f"{budget}, {COLOUR}"
    return f"{budget}, many images" if f"{budget}, many images" in plans else "paper"


def plan_of(plans: dict[str, object], budget: str, dataset: Dataset):
    """The plan that `plan_name` picks for this data set, with learning rates that fit its images (see `fitting`), unless it was
    made for such images."""
    name = plan_name(plans, budget, len(dataset.y_train), dataset.image_shape[-1])
    return plans[name] if name.endswith(COLOUR) else fitting(plans[name], dataset)


def fitting(plan, dataset: Dataset):
    """The plan with all its learning rates, the fields `lr`, `lrs`, `..._lr` and `..._lrs`, times `rate_scale`."""
    scale = rate_scale(dataset)
    if scale == 1 or not is_dataclass(plan):
        return plan
    rates = {f.name: getattr(plan, f.name) for f in fields(plan) if f.name.split("_")[-1] in ("lr", "lrs")}
    return replace(plan, **{name: _scaled(rate, scale) for name, rate in rates.items()})


def _scaled(rates, scale: float):
    """A rate or a tuple of rates, times `scale`, with three digits, so that tables stay readable."""
    return tuple(_scaled(rate, scale) for rate in rates) if isinstance(rates, tuple) else float(f"{scale * rates:.3g}")


def rate_scale(dataset: Dataset) -> float:
    """The factor, at most 1, that fits the plans' learning rates, which were made for digits and MNIST, to larger images.

    Gradient descent is stable up to a rate of 2 / λ, with λ the largest eigenvalue of the Hessian. That of a first layer grows
    with the mean of ‖x‖² over the images x, since pixels are never negative (LeCun et al. 1998, Efficient BackProp, section
    5). On CIFAR-10 it is ten times that of MNIST: at the plans' own rates all ReLUs of a dense net die in the first epoch.
    """
    x = dataset.x_train[:: -(-len(dataset.x_train) // LOOKED_AT)].astype(float)
    return min(1.0, BRIGHTEST / max(float(np.mean(x.reshape(len(x), -1) ** 2, axis=0).sum()), 1e-9))


MUCH = 4  # gigabytes
# Measured at the peak of `fit` on batches of 128: 0.46 GB for images of 32×32, 1.36 for 64×64 and 2.85 for 96×96.
GIGABYTES_PER_PIXEL = 0.3 / 32**2


def cautions_on_colour(all_plans: Iterable[dict[str, object]], settings: "Settings", dataset: Dataset) -> list[str]:
    """What a user should know before claims with these plans run, if one of them is for colour images: how long they take, how
    the images are changed, how much memory large ones need, and how many images are missing, in words."""
    images, (height, width, channels) = len(dataset.y_train), dataset.image_shape
    special = f"{settings.budget}, {COLOUR}"
    if channels == 1 or not any(special in plans for plans in all_plans):
        return []
    if images < MANY_IMAGES:
        needed = f"from {MANY_IMAGES:,} on (those for validation not counted) it is a ResNet-20"
        return [f"with {images:,} training images, these claims compress the small nets of this budget; {needed}"]
    found = []
    if settings.seeds > 1:
        one = "from ten minutes to over an hour, and an hour or more for a ResNet-20 that is not there yet"
        found.append(
            f"a claim takes {settings.seeds} times as long as with one seed ({one}); for a first look, give --seeds 1"
        )
    if settings.data != "cifar10":
        found.append(
            "at this budget, the claims with a ResNet-20 show most nets images that are moved by up to 4 pixels, mirrored, and "
            "without a square of up to 8×8; where left and right tell classes apart, or images are small, take the budget full"
        )
    if (needed := GIGABYTES_PER_PIXEL * height * width) >= MUCH:
        found.append(
            f"a ResNet-20 needs some {needed:.0f} GB to train on images of {height}×{width}, beside the data; scale them down, "
            "or take the budget full"
        )
    return found
