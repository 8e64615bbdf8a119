"""A task that needs two channels at once, and the nets of claims A1 and A2 for it.

An example has two channels, each with an image of one of two classes. The question is whether both images are of the same
class. Every image occurs equally often in pairs of the same class and in pairs of different classes. A net that looks at
one channel alone is therefore right in exactly half of all pairs, however good it is.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ... import data
from ... import functional as F
from ...data import Dataset
from ...nn import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    Module,
    PointwiseConv2d,
    Sequential,
)
from ...selection import pick_on_validation, train
from ...tensor import Tensor, concatenate
from ...training import predict
from ..images.shares import Share, groups_of, percent_of
from ..learned import Split
from .nets import Plan

PAIRS = 1000  # per split, or a few more
PAIR_SPLIT = Split(PAIRS, classes=2, largest=PAIRS // 2, smallest=PAIRS // 2)
WIDTH = 16  # hidden channels of the nets that mix channels


@dataclass(frozen=True)
class Pairs(Dataset):
    """Images in pairs. group (N, 2): the groups (`shares.groups_of`) of both images of each pair of the test split."""

    group: np.ndarray | None = None


def pair_data(dataset: Dataset, seed: int, question: str = "same") -> Pairs:
    """The first two classes in pairs: x (N, H, W, 2), and targets (N, 2), the right answer of each channel, 1 for yes.

    question: "same", whether both channels show the same class; or "own", whether the channel itself shows the second
    class, which needs no other channel. Colour images become grey.
    """
    rng = np.random.default_rng([seed, 4])
    splits = {}
    for name in ("train", "val", "test"):
        splits[f"x_{name}"], splits[f"y_{name}"], chosen = _pairs(*getattr(dataset, name), rng, question)
    group = groups_of(len(dataset.x_test))[chosen]  # the last split
    return Pairs(name=f"{dataset.name} in pairs", classes=("no", "yes"), group=group, **splits)


def _pairs(x, y, rng, question):
    of_class = [np.flatnonzero(y == label) for label in (0, 1)]
    count = min(map(len, of_class))
    of_class = [rng.permutation(places)[:count] for places in of_class]
    pairs, answers = [], []
    for _ in range(-(-PAIRS // (4 * count))):
        # All four combinations of classes use every image once, so no single channel predicts the answer.
        for own in ((0, 0), (0, 1), (1, 0), (1, 1)):
            pairs.append(np.stack([rng.permutation(of_class[label]) for label in own], axis=1))
            same = own[0] == own[1]
            answers.append(np.tile((same, same) if question == "same" else own, (count, 1)))
    chosen = np.concatenate(pairs)
    images = np.ascontiguousarray(np.moveaxis(x.mean(-1)[chosen], 1, -1))
    return images, np.concatenate(answers).astype(np.int64), chosen


def build(arm: str, image_shape, rng: np.random.Generator) -> Sequential:
    """The net of an arm, from pairs (N, H, W, 2) to answers (N, 2), above 0 for yes; (N, 1) if the answers are added.

    Twice convolution, batch norm, leaky ReLU and average pooling, then a convolution as large as the remaining image. ReLU
    or max pooling would be risky: with one filter per channel, a dead unit leaves nothing.
    """
    left = image_shape[0] // 4, image_shape[1] // 4

    def norm(channels, pool=True):
        return [BatchNorm(channels), LeakyReLU(), *([AvgPool2d(2)] if pool else [])]

    def depthwise(channels, size=3):
        return DepthwiseConv2d(channels, size, padding="same" if size == 3 else "valid", rng=rng)

    if arm in ("depthwise alone", "depthwise, answers added"):
        layers = [depthwise(2), *norm(2), depthwise(2), *norm(2), depthwise(2, left), Flatten()]
        if arm == "depthwise, answers added":
            layers.append(Dense(2, 1, rng=rng))
    elif arm == "pointwise alone":
        layers = [PointwiseConv2d(2, WIDTH, rng=rng), *norm(WIDTH, False)]
        layers += [PointwiseConv2d(WIDTH, WIDTH, rng=rng), *norm(WIDTH, False)]
        layers += [PointwiseConv2d(WIDTH, 2, rng=rng), GlobalAvgPool()]
    elif arm == "depthwise and pointwise":
        layers = []
        for inputs in (2, WIDTH):
            layers += [depthwise(inputs), *norm(inputs, False), PointwiseConv2d(inputs, WIDTH, rng=rng), *norm(WIDTH)]
        layers += [depthwise(WIDTH, left), PointwiseConv2d(WIDTH, 2, rng=rng), Flatten()]
    else:
        layers = [Conv2d(2, WIDTH, 3, padding="same", rng=rng), *norm(WIDTH)]
        layers += [Conv2d(WIDTH, WIDTH, 3, padding="same", rng=rng), *norm(WIDTH)]
        layers += [Conv2d(WIDTH, 2, left, rng=rng), Flatten()]
    return Sequential(*layers, input_shape=(*image_shape[:2], 2))


def yes_or_no(answers: Tensor, targets: np.ndarray) -> Tensor:
    """Mean cross-entropy of the answers (N, channels); each answer a has the logits -a for no and a for yes."""
    each = answers.reshape(answers.size, 1)
    return F.cross_entropy(concatenate([-each, each], axis=1), targets[:, : answers.shape[1]].ravel())


def accuracy(net: Module, pairs: Pairs) -> Share:
    """The share of correct answers, over all test pairs and channels, in per cent."""
    x, targets = pairs.test
    answers = predict(net, x) > 0
    return percent_of((answers == targets[:, : answers.shape[1]]).mean(1), group=pairs.group)


@functools.lru_cache(maxsize=16)
def trained(data_name: str, plan: Plan, seed: int, arm: str, question: str = "same") -> tuple[Module, Pairs]:
    """The arm's net, trained on pairs at the learning rate picked on validation pairs, and the pairs. Cached."""
    pairs = pair_data(data.load(data_name), seed, question)

    def at(lr):
        rng = np.random.default_rng(seed)
        net = build(arm, pairs.image_shape, rng)
        epochs = plan.pair_epochs
        return train(net, pairs, lr=lr, epochs=epochs, rng=rng, batch_size=plan.batch_size, loss=yes_or_no)

    def loss(net):
        return float(yes_or_no(Tensor(predict(net, pairs.x_val)), pairs.y_val).item())

    return pick_on_validation(at, plan.lrs, pairs, loss)[0], pairs
