"""Modules made of modules."""

from typing import overload

from .. import functional as F
from ..tensor import Tensor
from .layers import BatchNorm, MaxPool2d, ReLU
from .module import Module, tracing


class Sequential(Module):
    """Layers applied in order. input_shape: the shape of one example, if known, for `Module.summary`.

    Raises TypeError for anything but modules.

    >>> import numpy as np
    >>> from tinycompress import nn
    >>> rng = np.random.default_rng(0)  # one for all layers
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, rng=rng), nn.ReLU(), nn.GlobalAvgPool(), nn.Dense(4, 10, rng=rng))
    >>> net(np.ones((2, 8, 8, 1), np.float32)).shape
    (2, 10)
    """

    def __init__(self, *layers: Module, input_shape: tuple[int, ...] | None = None):
        self.layers = [_module(layer) for layer in layers]
        self.input_shape = input_shape

    def children(self):
        yield from ((str(i), layer) for i, layer in enumerate(self.layers))

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> list[Module]: ...

    def __getitem__(self, index):
        return self.layers[index]

    def __setitem__(self, index: int, layer: Module) -> None:
        self.layers[index] = _module(layer)

    def __len__(self) -> int:
        return len(self.layers)

    def forward(self, x: Tensor) -> Tensor:
        done = False
        for layer, following in zip(self.layers, [*self.layers[1:], None], strict=False):
            if done:  # this ReLU was fused into the layer before it
                done = False
                continue
            # Subclasses are not fused, as they may compute something else, nor is anything in a trace, which records every layer.
            done = type(following) is ReLU and type(layer) in TAKE_RELU and not tracing()
            x = layer(x, relu=True) if done else layer(x)
        return x

    def extra_repr(self) -> str:
        return ", ".join(map(repr, self.layers))


def _module(layer: Module) -> Module:
    if not isinstance(layer, Module):
        raise TypeError(f"Sequential takes modules, got {layer!r}; unpack a list: nn.Sequential(*layers)")
    return layer


class Residual(Module):
    """body(x) + shortcut(x); without a shortcut, body(x) + x (He et al. 2016). ValueError if their shapes differ."""

    def __init__(self, body: Module, shortcut: Module | None = None):
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor, relu: bool = False) -> Tensor:
        y, around = self.body(x), self.shortcut(x) if self.shortcut else x
        if y.shape != around.shape:
            raise ValueError(
                f"Residual: the body gives {y.shape} and the shortcut {around.shape}; they are added, so make them equal"
            )
        return F.add_relu(y, around) if relu else y + around

    def extra_repr(self) -> str:
        return f"{self.body!r}, {self.shortcut!r}" if self.shortcut else repr(self.body)


TAKE_RELU = (BatchNorm, MaxPool2d, Residual)
"""Layers whose `forward` can apply the ReLU after them: the same numbers, with one pass over memory less."""


class MultiExit(Module):
    """A trunk in stages, each with a head that classifies the output of the stage (Teerapittayanon et al. 2016).

    In training mode the output is a tuple of logits (N, classes), one per exit, the earliest first. In evaluation mode it
    is that of the last exit, and the other heads are not run. `dynamic.EarlyExit` can leave at any exit.
    frozen: freeze the trunk and the last head, and keep them in evaluation mode, while the other heads are trained. Raises
    ValueError unless there is one head per stage.
    """

    def __init__(self, stages, heads, input_shape: tuple[int, ...] | None = None, frozen: bool = False):
        self.stages, self.heads = list(stages), list(heads)
        if len(self.stages) != len(self.heads) or not self.stages:
            raise ValueError(
                f"MultiExit needs at least one stage, and one head per stage; got {len(self.stages)} stages and "
                f"{len(self.heads)} heads"
            )
        self.input_shape, self.frozen = input_shape, frozen
        for part in self._frozen_parts():
            for parameter in part.parameters():
                parameter.requires_grad = False

    def _frozen_parts(self):
        return [*self.stages, self.heads[-1]] if self.frozen else []

    def train(self, mode: bool = True) -> Module:
        super().train(mode)
        for part in self._frozen_parts():
            part.eval()  # or batch norm would keep updating its running averages
        return self

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        if not self.training:
            return self.exit(-1)(x)
        logits = []
        for stage, head in zip(self.stages, self.heads, strict=True):
            x = stage(x)
            logits.append(head(x))
        return tuple(logits)

    def exit(self, i: int) -> Sequential:
        """The plain net that ends at exit i; it shares its layers with this one."""
        last = range(len(self.stages))[i]
        return Sequential(*self.stages[: last + 1], self.heads[last], input_shape=self.input_shape)

    def extra_repr(self) -> str:
        return ", ".join(f"{stage!r}, {head!r}" for stage, head in zip(self.stages, self.heads, strict=True))
