"""Parametrizations: maps from a latent weight to the one the layer uses. They compose (see `Module.parametrize`)."""

import numpy as np

from ..tensor import record
from .module import Module


class Mask(Module):
    """Parametrization latent * mask. mask: booleans in the shape of the weight, else ValueError; True: kept."""

    def __init__(self, mask: np.ndarray):
        self.mask = np.array(mask, bool)

    def forward(self, latent):
        if latent.shape != self.mask.shape:
            raise ValueError(f"Mask: the mask has shape {self.mask.shape}, the weight {latent.shape}")
        return record(latent.data * self.mask, (latent, lambda g: g * self.mask))

    def take(self, kept, axis: int) -> "Mask":
        """The mask of the smaller weight that keeps the indices `kept` along `axis`."""
        return Mask(self.mask.take(kept, axis))

    def extra_repr(self) -> str:
        return f"{self.mask.sum()} of {self.mask.size} kept"
