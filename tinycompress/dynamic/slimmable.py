"""Width: one set of weights that runs at any of several widths (Yu et al. 2019, Slimmable Neural Networks)."""

from collections.abc import Sequence

import numpy as np

from ..channels import channel_groups, select_channels
from ..nn import BatchNorm, Module
from ..tensor import Tensor, record
from ..training import recalibrate_batch_norm


class Narrow(Module):
    """A parametrization that shows the first channels of a weight: those of a layer of smaller width.

    shape: of the whole weight. kept: axis (-1 or -2) -> (channels, how many of them are kept). An axis fed by a flattened
    image holds all channels of one pixel, then all of the next.
    """

    def __init__(self, shape: tuple[int, ...], kept: dict[int, tuple[int, int]]):
        self.split, self.index, self.shape = [], [], []
        for axis, length in enumerate(shape):
            channels, keep = kept.get(axis - len(shape), (length, length))
            self.split += [length // channels, channels]
            self.index += [slice(None), slice(keep)]
            self.shape.append(length // channels * keep)

    def forward(self, latent):
        small = self._part(latent.data)

        def derivative(g):
            whole = np.zeros_like(latent.data)
            self._part(whole)[...] = g.reshape(small.shape)
            return whole

        return record(small.reshape(self.shape), (latent, derivative))

    def _part(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(self.split)[tuple(self.index)]

    def extra_repr(self) -> str:
        return "×".join(map(str, self.shape))


class Slimmable(Module):
    """A net whose hidden layers can run with only the first of their channels, at any of several widths.

        slim = Slimmable(net, widths=(0.25, 0.5, 0.75, 1.0))
        fit(slim, data.train, loss=JointLoss(distil=1.0), optimizer=SGD(slim.parameters()), …)
        slim.at(0.5)   # an ordinary net that shares its weights
        slim.cut(0.5)  # an independent net that is really smaller

    In training mode the output is the tuple of all widths' outputs, the narrowest first (for a `MultiExit`, all exits of
    each width); in evaluation mode it is the widest's. widths: shares of each hidden layer's channels, the largest 1.
    batch_norm: "own" per width (section 3.2), or "shared", the naive way, where the widths disturb each other's statistics.
    The net, any that `channel_groups` can follow, becomes the widest one; it is not copied. Raises ValueError for invalid
    widths and for weights seen through a parametrization.

    >>> from tinycompress import models
    >>> slim = Slimmable(models.mlp((8, 8, 1), (32, 32), 10, rng=0), widths=(0.5, 1.0))
    >>> slim.at(0.5).summary().parameters, slim.at(1.0).summary().parameters
    (1482, 3466)
    """

    def __init__(self, net: Module, widths: Sequence[float] = (0.25, 0.5, 0.75, 1.0), batch_norm: str = "own"):
        widths = sorted(set(map(float, widths)))
        if not widths or widths[0] <= 0 or widths[-1] != 1:
            raise ValueError(f"Slimmable: widths must be shares above 0, and the largest is 1; got {widths}")
        if batch_norm not in ("own", "shared"):
            raise ValueError(f'Slimmable: batch_norm must be "own" or "shared", got {batch_norm!r}')
        if seen := [m for m in net.modules() for name, _ in m.named_parameters() if m.parametrizations(name)]:
            raise ValueError(f"Slimmable: {seen[0]!r} already has a parametrization; call bake() first")
        self.net, self.batch_norm, self.input_shape = net, batch_norm, getattr(net, "input_shape", None)
        self.widths = tuple(widths)
        self.narrow = [_narrowed(net, width, batch_norm == "shared") for width in widths[:-1]]
        self._share_statistics()

    def forward(self, x):
        if not self.training:
            return self.net(x)
        outputs = [view(x) for view in (*self.narrow, self.net)]
        return sum((out if isinstance(out, tuple) else (out,) for out in outputs), ())

    def extra_repr(self) -> str:
        return f"{self.net!r}, {self.widths}"

    def at(self, width: float) -> Module:
        """The net at one of the trained widths: an ordinary net that shares its weights with the others."""
        if width not in self.widths:
            raise ValueError(
                f"{width} is not one of the trained widths {list(self.widths)}; use `between` for other widths"
            )
        return (*self.narrow, self.net)[self.widths.index(width)]

    def cut(self, width: float) -> Module:
        """An independent net of a trained width: it computes the same as `at(width)` but shares nothing with it."""
        return self.at(width).copy().bake()

    def between(self, width: float, x: np.ndarray, batch_size: int = 256) -> Module:
        """The net at a width that was not trained, from 0 to 1; like `at`, it shares its weights.

        Its batch norm has the scales of the next larger trained width. Its statistics are measured in training mode on
        the images x (N, …), since those of other widths do not fit (Yu & Huang 2019, section 3.2).
        """
        if not 0 < width <= 1:
            raise ValueError(f"Slimmable: a width must be a share above 0, up to 1; got {width}")
        view = _narrowed(self.net, width, False)
        wider = self.at(min(w for w in self.widths if w >= width))
        for norm, source in zip(_norms(view), _norms(wider), strict=True):
            for name in ("weight", "bias"):
                values = getattr(source, name).data
                norm.latent(name).data = values[: len(norm.running_mean)].copy()
        return recalibrate_batch_norm(view, x, batch_size)

    def __setstate__(self, state):  # copy(), deepcopy and pickle copy every array, so the views are made again
        vars(self).update(state)
        self._share_statistics()

    def _share_statistics(self):
        """Make every width's statistics views of the first of the widest's: one array that all of them update."""
        for view in self.narrow if self.batch_norm == "shared" else ():
            for norm, whole in zip(_norms(view), _norms(self.net), strict=True):
                norm.running_mean = whole.running_mean[: len(norm.running_mean)]
                norm.running_var = whole.running_var[: len(norm.running_var)]


def _norms(net: Module) -> list[BatchNorm]:
    return [module for module in net.modules() if isinstance(module, BatchNorm)]


def _narrowed(net: Module, width: float, share_norms: bool) -> Module:
    """A net with the first channels of every hidden layer; its weights are those of `net`, seen through `Narrow`."""
    groups = {name: group for name, group in channel_groups(net).items() if not group.held}
    keep = {name: max(1, round(width * group.count)) for name, group in groups.items()}
    view = select_channels(net, {name: np.arange(k) for name, k in keep.items()})
    names = {id(module): name for name, module in net.named_modules()}
    kept = {}
    for name, group in groups.items():
        for layer, array, axis in group.arrays():
            kept.setdefault((names[id(layer)], array), {})[axis] = (group.count, keep[name])
    small = dict(view.named_modules())
    for name, layer in net.named_modules():
        if isinstance(layer, BatchNorm) and not share_norms:
            continue
        for array, parameter in [*vars(layer).items()]:
            if not isinstance(parameter, Tensor):
                continue
            axes = kept.get((name, array))
            steps = [Narrow(parameter.shape, axes)] if axes else []
            small[name].replace(array, parameter, steps)
    return view
