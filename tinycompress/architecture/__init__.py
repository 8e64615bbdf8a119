"""Chapter 4: architecture design. Layers that do the same job with fewer weights, and why that works.

    separable            make_separable(net): depthwise and pointwise convolutions in place of standard ones;
                         separable_block for your own nets; separable_share: 1/O + 1/k², exactly; nearest_separable
    low rank             factorise(net, ranks): two thin layers in place of one; singular_values, ranks_by_energy,
                         ranks_by_budget; as_matrix: a convolution's weight as a matrix
    dependence           channel_jacobian, jacobian: which outputs depend on which inputs

All return new nets and leave the given one unchanged.

>>> import numpy as np
>>> from tinycompress import architecture, models
>>> rng = np.random.default_rng(0)
>>> net = models.lenet_5(rng=rng)
>>> [round(m.summary().parameters / net.summary().parameters, 2) for m in (
...     architecture.make_separable(net, rng=rng),
...     architecture.factorise(net, architecture.ranks_by_energy(net, 0.5)),
... )]
[0.95, 0.37]
>>> architecture.separable_share(outputs=64, kernel_size=3)
Fraction(73, 576)
>>> from tinycompress.nn import DepthwiseConv2d
>>> layer = DepthwiseConv2d(3, 3, padding=1, rng=rng)
>>> image = rng.standard_normal((5, 5, 3)).astype(np.float32)
>>> (architecture.channel_jacobian(layer, image) > 0).astype(int)  # each output channel sees its own input channel
array([[1, 0, 0],
       [0, 1, 0],
       [0, 0, 1]])
"""

from ..text import names
from .jacobian import channel_jacobian, jacobian
from .low_rank import as_matrix, factorise, ranks_by_budget, ranks_by_energy, singular_values
from .separable import make_separable, nearest_separable, separable_block, separable_share

__all__ = [
    "as_matrix",
    "channel_jacobian",
    "factorise",
    "jacobian",
    "make_separable",
    "nearest_separable",
    "ranks_by_budget",
    "ranks_by_energy",
    "separable_block",
    "separable_share",
    "singular_values",
]

names.answer()
