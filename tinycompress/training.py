"""Fit, predict and evaluate; recalibrate batch norm."""

from __future__ import annotations

import io
import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from . import functional as F
from . import optim
from .checkpoint import Checkpoint
from .data import Dataset
from .graph import no_grad
from .guards import idle_latents
from .nn import BatchNorm, Module, trace
from .nn.init import generator
from .optim import Optimizer, Schedule, constant
from .tensor import Tensor
from .text.names import by_name, keywords

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from tqdm import tqdm

Pair = tuple[np.ndarray, np.ndarray]


class TrainingDiverged(FloatingPointError):
    """The loss is no longer finite; the message names the layer where that began. `.history` holds the epochs before that."""


@by_name("loss", "lr", "val_accuracy")
@dataclass(repr=False)
class History:
    """Loss, learning rate and validation accuracy, one entry per epoch; `interrupted`: whether Ctrl-C ended training."""

    loss: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    interrupted: bool = False

    def __repr__(self):
        if not self.loss:
            return "<History: no epoch>"
        accuracy = f", validation accuracy {100 * self.val_accuracy[-1]:.1f} %" if self.val_accuracy else ""
        return f"<History: {len(self.loss)} epochs, loss {self.loss[0]:.3g} → {self.loss[-1]:.3g}{accuracy}>"

    def add(self, loss: float, lr: float, val_accuracy: float | None) -> None:
        """Append an epoch."""
        self.loss.append(loss)
        self.lr.append(lr)
        if val_accuracy is not None:
            self.val_accuracy.append(val_accuracy)

    def entries(self) -> dict[str, list[float]]:
        """The lists by name; `History(**entries)` is this history."""
        return {"loss": self.loss, "lr": self.lr, "val_accuracy": self.val_accuracy}

    def _repr_png_(self):
        return self.plot()._repr_png_(), {"alt": repr(self)}

    def plot(self) -> Figure:
        """A matplotlib Figure of the loss and, if there was validation data, the accuracy over epochs."""
        from matplotlib.figure import Figure

        class ShownFigure(Figure):
            """A Figure that Jupyter displays although pyplot does not manage it."""

            def _repr_png_(self):
                picture = io.BytesIO()
                self.savefig(picture, format="png")
                return picture.getvalue()

        figure = ShownFigure(figsize=(7, 4), layout="constrained")
        left = figure.subplots()
        epochs = range(1, len(self.loss) + 1)
        left.plot(epochs, self.loss, color="#0072B2")
        left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
        if self.val_accuracy:
            right = left.twinx()
            right.plot(epochs, np.multiply(100, self.val_accuracy), color="#D55E00")
            right.set_ylabel("validation accuracy (%)", color="#D55E00")
        return figure


@by_name("accuracy", "loss")
@dataclass(frozen=True)
class Evaluation:
    """Accuracy (a share from 0 to 1) and mean cross-entropy (nats)."""

    accuracy: float
    loss: float


@keywords(
    "inputs and targets are one pair: fit(net, (x, y), …)",
    **dict.fromkeys(("criterion", "loss_fn"), "loss"),
    **dict.fromkeys(
        ("learning_rate", "lr"),
        "it belongs to the optimiser, optimizer=tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)",
    ),
    **dict.fromkeys(("random_state", "seed"), "rng"),
    **dict.fromkeys(("val", "validation_data"), "validation"),
    callbacks="checkpoint=path writes a file after each epoch; for anything else, call fit(…, epochs=1) in a loop",
    device="everything runs on the CPU",
    metrics="with validation=data.val, the accuracy of each epoch is in History.val_accuracy",
    scheduler="schedule",
    shuffle="each epoch is shuffled, with rng",
    teacher="a loss: tc.distillation.DistillationLoss(4, 0.9), on tc.distillation.teacher_targets(teacher, data)",
    validation_split="validation=data.val, or a pair of your own",
    verbose="progress",
)
def fit(
    model: Module,
    train: Pair | Dataset,
    *,
    optimizer: Optimizer,
    epochs: int,
    rng: np.random.Generator | int,
    batch_size: int = 64,
    loss: Callable[[Tensor, np.ndarray], Tensor] = F.cross_entropy,
    schedule: Schedule = constant,
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    clip_grad_norm: float | None = None,
    validation: Pair | Dataset | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | tqdm = True,
) -> History:
    """Train `model` in place and return its History; leaves the model in evaluation mode.

    train: x (N, …) and its targets (N, …), usually labels; loss(outputs, targets) gets batches of them, so the targets can
    also be the outputs of a teacher. A Dataset stands for its training split, and as `validation` for its validation split.
    rng: a generator, or its seed. schedule(t) scales the optimiser's learning rate when the share t of the training is done.
    augment(x, rng) changes each batch (see `data.shift`). clip_grad_norm: as `max_norm` in `optim.clip_grad_norm`. The same
    seed gives the same bits. Ctrl-C stops training and keeps the result so far. checkpoint: a file that is written after each
    epoch; training goes on from an existing one, bit for bit: make net and optimiser anew, and call `fit` as before.
    progress: show a bar, or a bar of epochs to advance. Batches have `batch_size` images at most and are equal, or differ by one.
    Raises TrainingDiverged if the loss is not finite, ValueError or TypeError if arguments do not fit.
    """
    x, y = _pair("fit", model, train, "train")
    rng = generator(rng)
    validation = None if validation is None else _pair("fit", model, validation, "val")
    _check(model, optimizer, x, y, epochs, batch_size, loss=loss, schedule=schedule, augment=augment)
    starts = _batch_starts(model, len(x), batch_size)
    batches, base_lr = len(starts) - 1, optimizer.lr
    settings = {"epochs": epochs, "batch_size": batch_size, "inputs": [*np.shape(x)]}
    saved = Checkpoint(checkpoint, model, optimizer, rng, settings) if checkpoint else None
    history = History(**saved.load()) if saved else History()
    bar = _bar(epochs, batches, len(history.loss), progress)
    try:
        for epoch in range(len(history.loss), epochs):
            model.train()
            order, total = rng.permutation(len(x)), 0.0
            for i in range(batches):
                optimizer.lr = base_lr * float(schedule((epoch * batches + i) / (epochs * batches)))
                rows = order[starts[i] : starts[i + 1]]
                xb = augment(x[rows], rng) if augment else x[rows]
                value = _step(model, optimizer, loss, xb, y[rows], clip_grad_norm)
                if not np.isfinite(value):
                    raise _diverged(model, xb, epoch, i, optimizer.lr, history)
                total += value * len(rows)
                bar.update()
            history.add(total / len(x), optimizer.lr, validation and evaluate(model, validation).accuracy)
            if saved:
                saved.save(history.entries())
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        bar.close()
        optimizer.lr = base_lr
        model.eval()
    return history


def _check(model: Module, optimizer: Optimizer, x, y, epochs: int, batch_size: int, **functions: Callable):
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"fit: {len(x)} inputs and {len(y)} targets; pass one target per input, and at least one")
    _check_whole("fit", "epochs", epochs, 0)
    _check_whole("fit", "batch_size", batch_size, 1)
    _check_optimizer(model, optimizer, **functions)


def _step(model: Module, optimizer: Optimizer, loss, x, y, clip_grad_norm: float | None) -> float:
    """Take one step on a batch, unless the loss is not finite. Returns the loss."""
    optimizer.zero_grad()
    value = loss(model(x), y)
    if not isinstance(value, Tensor):
        raise TypeError(
            f"fit: the loss must be a tensor of one number, which knows how it was computed, got {value!r}; compute it with the "
            "operators and methods of the net's output, and with tc.functional"
        )
    if np.isfinite(value.data).all():
        value.backward()
        if clip_grad_norm is not None:
            optim.clip_grad_norm(optimizer.parameters, clip_grad_norm)
        optimizer.step()
    return value.item()


def _pair(what: str, model: Module, data: Pair | Dataset, split: str) -> Pair:
    """The inputs and targets of a pair, or of this split of a Dataset, for a net, which is checked first."""
    _check_module(what, model)
    pair = getattr(data, split) if isinstance(data, Dataset) else data
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"{what}: expected a Dataset or a pair, {what}(net, (x, y), …); got {type(pair).__name__}")
    x, y = (_array(what, part) for part in pair)
    return x, y


def inputs(what: str, x) -> np.ndarray:
    """The inputs (N, …) that `what` got, as an array. Raises TypeError where they come with targets, and for masked arrays."""
    if isinstance(x, tuple | Dataset):
        raise TypeError(f"{what} takes inputs alone, such as data.x_train; got {type(x).__name__}")
    return _array(what, x)


def _array(what: str, values) -> np.ndarray:
    """Inputs or targets as an array, in which the numbers of lists are float32 or integers."""
    if isinstance(values, np.ndarray) and hasattr(values, "mask"):
        raise TypeError(
            f"{what}: a masked array hides values that are used; leave those examples out, or fill them: x.filled(0)"
        )
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{what}: expected an array (N, …), got a {type(values).__name__} whose parts differ in shape"
        ) from None
    if array.ndim == 0:
        raise ValueError(f"{what}: expected an array (N, …), got {values!r}")
    return array.astype(np.float32) if isinstance(values, list) and array.dtype == np.float64 else array


def _check_module(what: str, model):
    if not isinstance(model, Module):
        given = f"the class {model.__name__}, not a net" if isinstance(model, type) else type(model).__name__
        raise TypeError(f"{what}: the net comes first, {what}(net, …); got {given}")


def _check_whole(what: str, name: str, value, least: int):
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{what}: {name} must be a whole number, {least} or more; got {value!r}")


def _check_optimizer(model: Module, optimizer: Optimizer, **functions: Callable):
    """Refuse names in place of an optimiser and functions, and an optimiser made before the net got new parameters: it would
    train arrays that are no longer used."""
    for name, given in functions.items():
        if not callable(given) and (name, given) != ("augment", None):
            ours = {"loss": "tc.functional.cross_entropy", "schedule": "tc.optim.cosine", "augment": "tc.data.shift"}
            raise TypeError(f"fit: {name} is a function, such as {ours[name]}; got {given!r}")
    if not isinstance(optimizer, Optimizer):
        ours = "tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)"
        raise TypeError(f"fit: the optimiser is an object such as {ours}; got {optimizer!r}")
    if made := next((module for module in model.modules() if module.inference_only), None):
        raise ValueError(f"fit: {type(made).__name__} was made for inference; train the net that it was made from")
    held = {id(parameter) for parameter in optimizer.parameters}
    named = dict(model.named_parameters())
    idle = {id(latent) for latent in idle_latents(model)}
    used = {id(parameter) for parameter in named.values()} - idle
    missing = [name for name, p in named.items() if p.requires_grad and id(p) in used - held]
    shapes = {named[name].shape for name in missing}
    strays = any(p.shape in shapes for p in optimizer.parameters if id(p) not in used)
    # Training a part of the net together with parameters of the loss is fine: all of those arrays are in use.
    if missing and (not held & used or held & idle or strays):
        raise ValueError(
            f"fit: the optimiser does not hold {', '.join(missing[:3])}{', …' if missing[3:] else ''}, and "
            f"{len(held - used)} of the {len(held)} arrays that it holds are not used by this net. Functions that "
            "make a new net or new parameters (copy, remove_neurons, bake, cluster_weights, factorise, …) come before the "
            "optimiser: make a new one with the net's parameters(); to freeze a parameter, set requires_grad = False"
        )


def _batch_starts(model: Module, n: int, batch_size: int) -> list[int]:
    """The start of each batch, and the end of the last one.

    Batches are as equal as possible, since a few images left over would count as much as a whole batch in the running averages of
    batch norm and for the weights. With batch norm, a single image, which has no variance, joins two others.
    """
    count = -(-n // batch_size)
    if n < 2 * count and 1 < batch_size < n and any(isinstance(m, BatchNorm) for m in model.modules()):
        count = n // 2
    return [i * n // count for i in range(count + 1)]


def predict(model: Module, x: np.ndarray, batch_size: int | None = None) -> np.ndarray:
    """Return the outputs (N, classes) for x (N, …), computed in batches, in evaluation mode and without a graph.

    batch_size: by default 512, or as many inputs as have the numbers of 512 MNIST images, which limits the memory.
    Raises ValueError if there are no inputs, TypeError for anything but a net and an array.
    """
    _check_module("predict", model)
    x = inputs("predict", x)
    if len(x) == 0:
        raise ValueError("predict: there are no inputs")
    if batch_size is not None:
        _check_whole("predict", "batch_size", batch_size, 1)
    batch_size = batch_size or min(512, max(1, 512 * 28 * 28 // max(1, x[0].size)))
    with no_grad(), model.evaluation():
        return np.concatenate([model(x[i : i + batch_size]).data for i in range(0, len(x), batch_size)])


def evaluate(model: Module, data: Pair | Dataset, batch_size: int | None = None) -> Evaluation:
    """Return the accuracy and the mean cross-entropy on (x, labels), or on the test split of a Dataset."""
    x, y = _pair("evaluate", model, data, "test")
    logits = predict(model, x, batch_size)
    loss = F.cross_entropy(Tensor(logits), y).item()  # first: it checks the labels
    return Evaluation(float((logits.argmax(1) == y).mean()), loss)


def recalibrate_batch_norm(model: Module, x: np.ndarray, batch_size: int = 256) -> Module:
    """Replace the running mean and variance of every `BatchNorm` by averages over x (N, …), in place.

    The averages are over about equal batches, each weighted by its size; the variance is that within a batch.

    Needed where evaluation uses other weights than training did (stochastic signs, a width never trained): the running
    averages then belong to another net. All other layers run in evaluation mode. For a `Slimmable` or
    `MultiExit`, pass the net of one width or exit. Returns the model. Raises ValueError if x is empty.
    """
    if len(x) == 0:
        raise ValueError("recalibrate_batch_norm: there are no inputs")
    _check_whole("recalibrate_batch_norm", "batch_size", batch_size, 1)
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    before = [norm.momentum for norm in norms]
    try:
        with model.evaluation(), no_grad():
            for norm in norms:
                norm.training = True
            for start, stop in itertools.pairwise(_batch_starts(model, len(x), batch_size)):
                for norm in norms:
                    norm.momentum = (stop - start) / stop
                model(x[start:stop])
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
    return model


def _bar(epochs: int, batches: int, done: int, progress: bool | tqdm):
    """A bar over the batches of all epochs, so that it tells the time left from the first few batches on."""
    if hasattr(progress, "update"):
        return _Part(progress, batches, done)
    if progress:
        from tqdm.auto import tqdm
    else:
        from tqdm.std import tqdm
    settings = {"desc": f"{epochs} epochs", "unit": "batch", "leave": False, "disable": not progress or unwatched()}
    return tqdm(total=epochs * batches, initial=done * batches, **settings)


def unwatched() -> bool | None:
    """Whether nobody would see a bar: `disable` of tqdm, for which None means unless the output is a terminal."""
    return False if "ipykernel" in sys.modules else None


class _Part:
    """The part of somebody else's bar, which counts epochs, that one training fills."""

    def __init__(self, bar: tqdm, batches: int, done: int):
        self.bar, self.batches = bar, batches
        bar.n += done
        bar.initial = bar.last_print_n = bar.n  # the time left follows from what this process trains

    def update(self):
        self.bar.update(1 / self.batches)

    def close(self):
        """Left to whoever opened it."""


def _diverged(model, x, epoch, batch, lr, history) -> TrainingDiverged:
    """Find where the numbers went wrong: the input, a parameter, or the first layer with a non-finite output."""
    where = "the loss function itself"
    bad = [name for name, p in model.named_parameters() if not np.isfinite(p.data).all()]
    if not np.isfinite(x).all():
        where = "the input batch (check the data)"
    elif bad:
        where = f"parameter {bad[0]}"
    else:
        names = {id(module): name for name, module in model.named_modules()}
        with trace() as calls, no_grad():
            model(x)
        for module, _, out in calls:
            # a module may return several tensors; each is the output of an earlier module in the list
            if id(module) in names and isinstance(out, Tensor) and not np.isfinite(out.data).all():
                where = f"layer {names[id(module)] or '(the model)'}: {module!r}"
                break
    error = TrainingDiverged(
        f"the loss is not finite in epoch {epoch + 1}, batch {batch + 1} (learning rate {lr:g}); first seen in {where}. "
        "A smaller learning rate or a warm-up usually fixes it"
    )
    error.history = history
    return error
