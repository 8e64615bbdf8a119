"""Chapter 4: architecture design. Layers of the same use with fewer weights, and why that can work.

make_separable(net, rng=rng)                   depthwise and pointwise convolutions in the place of standard ones
factorise(net, ranks_by_energy(net, 0.9))      two thin layers in the place of one, at the rank that keeps 90 %
channel_jacobian(layer, image)                 which channels an output depends on
"""

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
