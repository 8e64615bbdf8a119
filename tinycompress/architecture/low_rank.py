"""Low rank: one layer N × M becomes two, N × K and K × M, with K (N + M) weights instead of N M.

    values = singular_values(net)                 how much each direction of a layer carries
    ranks = ranks_by_energy(net, 0.9)             the smallest that keep 90 % of the energy, or
    ranks = ranks_by_budget(net, 0.25, "macs")    the best for a quarter of the multiplications
    small = factorise(net, ranks)                 a new net; train it further with `fit`

The K largest singular values give the nearest matrix of rank K (Eckart & Young 1936). A convolution's weight becomes a
matrix in one of two ways:

    "channel"   (kh kw in, out): K filters of k × k, then a 1×1 convolution (Zhang et al. 2016, Accelerating Very Deep
                Convolutional Networks, who factorise the responses instead of the weights)
    "spatial"   (kh in, kw out): K filters of kh × 1, then filters of 1 × kw (Jaderberg et al. 2014, scheme 2; Tai et al.
                2016, theorem 1, show that the singular value decomposition gives the best of these, too)
"""

from collections.abc import Iterable

import numpy as np

from ..functional import _two
from ..graph import no_grad
from ..guards import computes_as
from ..nn import Conv2d, Dense, Module, PointwiseConv2d, Sequential, trace
from .replace import chosen_layers, parametrized, replace_layers, with_weights

SCHEMES = ("channel", "spatial")


def factorise(model: Module, ranks: int | dict[str, int], scheme: str = "channel") -> Module:
    """A new net in which two layers of the given rank replace each chosen layer, nearest to it in the sum of squares.

    ranks: layer name -> rank, or one rank for every dense and standard convolution layer (at most a layer's full rank).
    Strides, paddings and biases stay; layers are renumbered. At full rank the net computes the same. Raises ValueError
    for a rank that is not a whole number from 1 to full rank, and for a layer that cannot be factorised, with the reason.

    >>> from tinycompress import models
    >>> net = models.mlp((8, 8, 1), (32,), 10, rng=0)
    >>> net.summary().parameters, factorise(net, {"1": 4}).summary().parameters
    (2410, 746)
    """
    chosen = _factorisable("factorise", model, ranks if isinstance(ranks, dict) else None, scheme)
    full = {name: min(as_matrix(layer.weight.data, scheme).shape) for name, layer in chosen.items()}
    if not isinstance(ranks, dict):
        ranks = {name: min(ranks, most) for name, most in full.items()}
    for name, rank in ranks.items():
        if not isinstance(rank, int | np.integer) or not 1 <= rank <= full[name]:
            raise ValueError(
                f"factorise: the rank of layer {name}, {chosen[name]!r}, must be a whole number from 1 to {full[name]}; "
                f"got {rank!r}"
            )
    return replace_layers(
        model, {name: lambda layer, rank=rank: _factors(layer, rank, scheme) for name, rank in ranks.items()}
    )


def singular_values(
    model: Module, layers: Iterable[str] | None = None, scheme: str = "channel"
) -> dict[str, np.ndarray]:
    """Layer name -> the singular values of its weight as a matrix (`as_matrix`), the largest first."""
    chosen = _factorisable("singular_values", model, layers, scheme)
    return {name: _spectrum(layer, scheme) for name, layer in chosen.items()}


def ranks_by_energy(
    model: Module, energy: float, layers: Iterable[str] | None = None, scheme: str = "channel"
) -> dict[str, int]:
    """For each layer, the smallest rank that keeps the share `energy` of the sum of its squared singular values.

    Layers that would not become smaller at that rank are left out, and so stay whole. Raises ValueError for a share
    outside 0 to 1, and if no layer becomes smaller.
    """
    if not 0 < energy <= 1:
        raise ValueError(f"ranks_by_energy: the energy to keep must be a share above 0, up to 1; got {energy}")
    found = {}
    for name, layer in _factorisable("ranks_by_energy", model, layers, scheme).items():
        kept = np.cumsum(_spectrum(layer, scheme) ** 2)
        rank = 1 + int(np.searchsorted(kept[:-1], energy * kept[-1]))
        if rank * _weights_per_rank(layer, scheme) < layer.weight.size:
            found[name] = rank
    if not found:
        raise ValueError(
            f"ranks_by_energy: no layer becomes smaller when {energy:.1%} of the energy is kept; keep less"
        )
    return found


def ranks_by_budget(
    model: Module,
    share: float,
    of: str = "parameters",
    input_shape: tuple[int, ...] | None = None,
    layers: Iterable[str] | None = None,
    scheme: str = "channel",
) -> dict[str, int]:
    """Ranks that give the factorised net at most `share` of the model's parameters or MACs, with everything counted.

    They maximise the product over layers of the energy (sum of squared singular values) that each keeps, since a single
    layer of too low a rank spoils all others (Zhang et al. 2016, on the ranks of a whole model). The search is greedy: one
    rank at a time, where the product grows most for its cost. Layers that can stay whole within the budget are left out.

    of: "parameters" or "macs". input_shape: of one example; the model's own if None. Raises ValueError for a share
    outside 0 to 1, and for one that even rank 1 everywhere exceeds.
    """
    if of not in ("parameters", "macs") or not 0 < share <= 1:
        raise ValueError(
            f'ranks_by_budget: give a share above 0, up to 1, of "parameters" or "macs"; got {share} of {of!r}'
        )
    chosen = _factorisable("ranks_by_budget", model, layers, scheme)
    whole, price = _prices(model, chosen, of, input_shape, scheme)
    total = getattr(model.summary(input_shape), of)
    least = total - sum(whole.values()) + sum(price.values())
    left = share * total - least
    if left < 0:
        raise ValueError(
            f"ranks_by_budget: even with rank 1 in each of {[*chosen]} the net keeps {least / total:.2%} of its {of}, "
            f"which is more than {share:.2%}"
        )
    # Energies multiply, so their logarithms add: each further rank of a layer offers its growth for the layer's price.
    ranks, offers = dict.fromkeys(chosen, 1), []
    for name, layer in chosen.items():
        kept = np.log(np.cumsum(_spectrum(layer, scheme) ** 2))
        offers += [(growth / price[name], name) for growth in np.diff(kept)]
    for _, name in sorted(offers, key=lambda offer: -offer[0]):
        if price[name] <= left and (ranks[name] + 1) * price[name] < whole[name]:
            ranks[name] += 1
            left -= price[name]
    for name in chosen:
        if whole[name] - ranks[name] * price[name] <= left:
            left -= whole[name] - ranks.pop(name) * price[name]
    return ranks


def as_matrix(weight: np.ndarray, scheme: str = "channel") -> np.ndarray:
    """A weight as a matrix: a dense one unchanged, a convolution's as (kh kw in, out) or, if "spatial", (kh in, kw out)."""
    if weight.ndim == 2:
        return weight
    kh, kw, inputs, outputs = weight.shape
    if scheme == "spatial":
        return weight.transpose(0, 2, 1, 3).reshape(kh * inputs, kw * outputs)
    return weight.reshape(kh * kw * inputs, outputs)


def _factors(layer: Module, rank: int, scheme: str) -> list[Module]:
    """The two layers. Each takes the square root of the singular values: weights of equal size train equally well."""
    weight = layer.weight.data
    u, s, vt = np.linalg.svd(as_matrix(weight, scheme).astype(np.float64), full_matrices=False)
    root = np.sqrt(s[:rank])
    first, second = u[:, :rank] * root, root[:, None] * vt[:rank]
    empty = {"init": "zeros", "rng": np.random.default_rng(0)}  # with_weights replaces them
    has_bias = layer.bias is not None
    if isinstance(layer, Dense):
        kind = type(layer)
        a = kind(weight.shape[0], rank, bias=False, **empty)
        b = kind(rank, weight.shape[1], bias=has_bias, **empty)
    else:
        kh, kw, inputs, outputs = weight.shape
        if scheme == "channel":
            a = Conv2d(inputs, rank, (kh, kw), layer.stride, layer.padding, bias=False, **empty)
            b = PointwiseConv2d(rank, outputs, bias=has_bias, **empty)
            first = first.reshape(kh, kw, inputs, rank)
        else:
            (sh, sw), (rows, columns) = _two("factorise", "stride", layer.stride), _split_padding(layer.padding)
            a = Conv2d(inputs, rank, (kh, 1), (sh, 1), rows, bias=False, **empty)
            b = Conv2d(rank, outputs, (1, kw), (1, sw), columns, bias=has_bias, **empty)
            first = first.reshape(kh, inputs, rank)[:, None]
            second = second.reshape(rank, kw, outputs).swapaxes(0, 1)[None]
    return [with_weights(a, first, layer, bias=False), with_weights(b, second, layer, bias=True)]


def _split_padding(padding):
    """The padding split in two: of rows only, and of columns only."""
    if isinstance(padding, str):
        return padding, padding
    rows, columns = padding if isinstance(padding, tuple | list) else (padding, padding)
    return (rows, 0), (0, columns)


def _factorisable(what: str, model: Module, layers, scheme: str) -> dict[str, Module]:
    if scheme not in SCHEMES:
        raise ValueError(f"{what}: the scheme must be one of {', '.join(SCHEMES)}; got {scheme!r}")
    return chosen_layers(what, model, _why_not_factorisable, layers)


def _why_not_factorisable(layer: Module) -> str:
    if not (computes_as(layer, Dense) or computes_as(layer, Conv2d)):
        return "is not a dense or standard convolution layer (a depthwise filter has no channels to share)"
    return parametrized(layer)


def _spectrum(layer: Module, scheme: str) -> np.ndarray:
    return np.linalg.svd(as_matrix(layer.weight.data, scheme).astype(np.float64), compute_uv=False)


def _weights_per_rank(layer: Module, scheme: str) -> int:
    return sum(as_matrix(layer.weight.data, scheme).shape)


def _prices(model, chosen, of: str, input_shape, scheme) -> tuple[dict[str, int], dict[str, int]]:
    """The cost of each whole layer, and of each rank of its two factors; without biases."""
    if of == "parameters":
        whole = {name: layer.weight.size for name, layer in chosen.items()}
        return whole, {name: _weights_per_rank(layer, scheme) for name, layer in chosen.items()}
    whole = {cost.name: cost.macs for cost in model.summary(input_shape).layers if cost.name in chosen}
    with trace() as calls, no_grad(), model.evaluation():
        model(np.zeros((1, *(input_shape or model.input_shape)), np.float32))
    shapes = {id(module): shape[1:] for module, shape, _ in calls}
    price = {
        name: Sequential(*_factors(layer, 1, scheme)).summary(shapes[id(layer)]).macs for name, layer in chosen.items()
    }
    return whole, price
