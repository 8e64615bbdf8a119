"""Common initialisations, by name."""

from __future__ import annotations

import numpy as np

INITS = {
    "he_normal": lambda fan_in, fan_out: ("normal", (2 / fan_in) ** 0.5),
    "he_uniform": lambda fan_in, fan_out: ("uniform", (6 / fan_in) ** 0.5),
    "glorot_normal": lambda fan_in, fan_out: ("normal", (2 / (fan_in + fan_out)) ** 0.5),
    "glorot_uniform": lambda fan_in, fan_out: ("uniform", (6 / (fan_in + fan_out)) ** 0.5),
    "lecun_normal": lambda fan_in, fan_out: ("normal", (1 / fan_in) ** 0.5),
    "zeros": lambda fan_in, fan_out: ("normal", 0.0),
}


def generator(rng) -> np.random.Generator:
    """A Generator, as it is or from its seed. Raises TypeError for anything else."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(
            f"rng is a numpy.random.Generator, or a seed for one, a whole number from 0 on; got {rng!r}"
        ) from None


def check_generator(rng) -> None:
    """Raise TypeError for anything but a Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {rng!r}; make rng = numpy.random.default_rng(0) once, and pass it to "
            "all layers, since with a seed each, layers of one shape would draw the same numbers"
        )


def initialise(shape, init: str, rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw a float32 array by one of `INITS`: He et al. 2015 (eq. 10), Glorot & Bengio 2010 (eq. 16), LeCun et al. 1998.

    Raises ValueError for an unknown `init` or an empty shape, and TypeError for an rng that is not a Generator.
    """
    if init not in INITS:
        raise ValueError(f"no initialisation is called {init!r}; choose one of {', '.join(INITS)}")
    check_generator(rng)
    if not all(isinstance(length, int | np.integer) and length > 0 for length in shape):
        image = "; is the image (H, W, C), channels last, and large enough for the pooling?" if 0 in shape[:-1] else ""
        raise ValueError(
            f"a layer needs whole numbers of inputs and outputs, above 0; its weight would be {shape}{image}"
        )
    kind, scale = INITS[init](fan_in, fan_out)
    values = rng.normal(0, scale, shape) if kind == "normal" else rng.uniform(-scale, scale, shape)
    return values.astype(np.float32)
