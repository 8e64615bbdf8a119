"""Checkpoints: all that a training run has changed, in one file, so that a killed run goes on with the same bits."""

from __future__ import annotations

import json
import os

import numpy as np

from .files import arrays_of, whole_file
from .nn import Module
from .optim import Optimizer


class Checkpoint:
    """The file of one run: the net, the optimiser's state, every generator of random numbers, and the history so far.

    settings: plain values that must be the same when the run goes on, as must the optimiser's settings.
    """

    def __init__(
        self, path: str | os.PathLike, model: Module, optimizer: Optimizer, rng: np.random.Generator, settings
    ):
        self.path, self.model, self.optimizer = os.fspath(path), model, optimizer
        self.settings = settings | {"optimizer": repr(optimizer)}
        inside = [value for module in model._with_steps() for value in vars(module).values()]
        generators = [rng, *(value for value in inside if isinstance(value, np.random.Generator))]
        self.generators = list(dict.fromkeys(generators))  # a net's dropout may draw from the run's own generator

    def save(self, history: dict[str, list[float]]) -> None:
        """Write the file, completely or not at all. Raises OSError if that fails."""
        states = [generator.bit_generator.state for generator in self.generators]
        about = {"settings": self.settings, "history": history, "generators": states}
        arrays = {f"net/{name}": values for name, values in self.model.state_dict().items()}
        arrays |= {f"optimizer/{name}": values for name, values in self.optimizer.state_dict().items()}
        with whole_file(self.path) as file:
            np.savez(file, about=np.array(json.dumps(about, default=lambda value: value.tolist())), **arrays)

    def load(self) -> dict[str, list[float]]:
        """Bring net, optimiser and generators to where the run was, and return its history; {} if there is no file.

        Raises ValueError for a damaged file, and for one of another run; OSError if the file cannot be read.
        """
        try:
            arrays = arrays_of(self.path)
            about = json.loads(arrays.pop("about").item())
            states = about["generators"]
        except FileNotFoundError:
            return {}
        except OSError:  # no permission, or the disk is away: the file may well be whole
            raise
        except Exception as error:  # zip, zlib, json and NumPy all raise different ones for a damaged file
            raise ValueError(f"{self.path} is not a whole checkpoint ({error}); remove it to start anew") from error
        if about["settings"] != self.settings or len(states) != len(self.generators):
            raise ValueError(
                f"{self.path} is the checkpoint of another run: {about['settings']} and {len(states)} generators, but this one "
                f"has {self.settings} and {len(self.generators)}; give another file, or remove it to start anew"
            )
        self.model.load_state_dict(_under("net/", arrays))
        self.optimizer.load_state_dict(_under("optimizer/", arrays))
        for generator, state in zip(self.generators, states, strict=True):
            generator.bit_generator.state = state
        return about["history"]


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
