"""Clustered weights that stay clustered in memory: four bits per weight, looked up in a table while multiplying."""

import numpy as np

from ..guards import check_distinct, computes_as
from ..nn import Dense, Module, Residual, Sequential
from ..nn.weighted import effective
from ..tensor import Tensor
from .clustering import Clustered
from .products.codebook import codebook_matvec, pack_codes, unpack_codes

FEW_ROWS = 8
"""Up to this many rows, each row looks the weights up; for more, unpacking the weights once is faster."""


class CodebookDense(Module):
    """x @ weight + bias, for inference, with 4-bit indices into at most 16 values as weights: 8 times smaller than
    float32 (Han et al. 2016, section 3).

    (…, in) to (…, out), float32. weight: (in, out). Raises ValueError if it has more than 16 distinct values.
    """

    inference_only = True

    def __init__(self, weight: np.ndarray, bias: np.ndarray | None = None):
        values, codes = np.unique(weight, return_inverse=True)
        if len(values) > 16:
            raise ValueError(
                f"CodebookDense: four bits encode 16 values, but the weight has {len(values)}; call cluster_weights with k=16 "
                "or less first, or with k=15 if some weights are pruned, since 0 is one more value"
            )
        self.packed = pack_codes(codes.reshape(weight.shape), values)
        self.bias = np.zeros(weight.shape[1], np.float32) if bias is None else np.array(bias, np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of indices, values and biases."""
        return self.packed.nbytes + self.bias.nbytes

    def forward(self, x):
        rows = x.data.reshape(-1, x.shape[-1])
        if len(rows) <= FEW_ROWS:
            sums = np.array([codebook_matvec(row, self.packed) for row in rows]).reshape(len(rows), len(self.bias))
        else:
            sums = rows @ unpack_codes(self.packed)
        return Tensor((sums + self.bias).reshape(*x.shape[:-1], len(self.bias)))

    def extra_repr(self) -> str:
        return "{}, {}".format(*self.packed.shape)


def pack_codebook(model: Module) -> Module:
    """A copy for inference in which each dense layer with a `Clustered` weight becomes a `CodebookDense`.

    Convolutions, and dense layers that are not clustered, stay as they are. Raises ValueError for a clustered dense layer
    with more than 16 values, for float64 weights, and for a layer that appears twice in the net.
    """
    check_distinct("pack_codebook", model)
    if not isinstance(model, Sequential | Residual):
        raise ValueError(f"pack_codebook: expected a Sequential or a Residual, got {type(model).__name__}")
    model = model.copy().eval()
    for container in model.modules():
        if isinstance(container, Sequential):
            container.layers = [_packed(layer) for layer in container.layers]
    return model


def _packed(layer: Module) -> Module:
    if not computes_as(layer, Dense) or layer.parametrization("weight", Clustered) is None:
        return layer
    weight = effective(layer, "weight")
    if weight.dtype != np.float32:
        raise ValueError(f"pack_codebook: {layer!r} has {weight.dtype} weights, but a codebook holds float32")
    return CodebookDense(weight, None if layer.latent("bias") is None else effective(layer, "bias"))
