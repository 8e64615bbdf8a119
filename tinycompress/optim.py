"""Optimisers (one `step` after each `backward`) and learning-rate schedules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import cos, inf, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from .kernels import elementwise
from .tensor import Tensor
from .text.names import keywords, lacking

OURS = {"learning_rate": "lr", "params": "parameters"}


class Optimizer:
    """Base class: the parameters, the learning rate, the weight decay, and the checks, which raise ValueError.

    `fit` takes these steps; by hand, one is:

    >>> import numpy as np
    >>> from tinycompress import Tensor
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> sgd = SGD([w], lr=0.1)
    >>> sgd.zero_grad()
    >>> (w * w).sum().backward()
    >>> sgd.step()
    >>> w.data
    array([ 0.8, -1.6], dtype=float32)
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float):
        parameters = list(parameters)
        if not parameters or not all(isinstance(p, Tensor) for p in parameters):
            raise ValueError("an optimiser needs a non-empty list of parameters: pass model.parameters()")
        if any(p._edges for p in parameters):
            raise ValueError(
                "an optimiser needs trainable parameters, not results of operations; for a parametrized weight, pass "
                "layer.latent('weight'), or pass model.parameters()"
            )
        for what, value in (("learning rate", lr), ("weight decay", weight_decay)):
            if not isinstance(value, int | float | np.number) or not 0 <= value < inf:
                raise ValueError(f"the {what} must be finite and must not be negative, got {value!r}")
        self.parameters = list(dict.fromkeys(parameters))  # a shared parameter is updated once
        self.lr, self.weight_decay = lr, weight_decay
        self._state = [self._start(p.data) for p in self.parameters]

    def __repr__(self) -> str:
        settings = {name: value for name, value in vars(self).items() if name not in ("parameters", "_state")}
        numbers = sum(parameter.size for parameter in self.parameters)
        shown = ", ".join(f"{name}={value}" for name, value in settings.items())
        return f"{type(self).__name__}({len(self.parameters)} parameters of {numbers:,} numbers, {shown})"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            lacking("an optimiser", self, name, [*vars(self), *dir(type(self))])

    def _start(self, data: np.ndarray) -> list:
        """The state kept for one parameter between steps, such as a velocity."""
        return []

    def _update(self, data: np.ndarray, g: np.ndarray, state: list) -> np.ndarray:
        """Return the new values of one parameter; may update `state` in place."""
        raise NotImplementedError

    def step(self) -> None:
        """Update every parameter that has a gradient and is not frozen."""
        for parameter, state in zip(self.parameters, self._state, strict=True):
            if parameter.grad is not None and parameter.requires_grad:
                parameter.data = self._update(parameter.data, parameter.grad, state)

    def state_dict(self) -> dict[str, np.ndarray]:
        """What is kept between steps, such as velocities, by the number of the parameter and its place: "0.1"."""
        states = enumerate(self._state)
        return {f"{i}.{j}": np.array(value) for i, state in states for j, value in enumerate(state)}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Load what `state_dict` returned: name -> array, of the shapes of this optimiser's own state.

        Raises ValueError, and changes nothing, if it does not fit the parameters.
        """
        own = self.state_dict()
        if {name: values.shape for name, values in own.items()} != {name: np.shape(v) for name, v in state.items()}:
            raise ValueError(
                f"the state is that of another optimiser or of other parameters: it has {len(state)} arrays, "
                f"{self!r} has {len(own)}, whose shapes must agree"
            )
        for i, values in enumerate(self._state):
            for j, value in enumerate(values):
                new = np.array(state[f"{i}.{j}"])
                values[j] = new if isinstance(value, np.ndarray) else new.item()

    def zero_grad(self) -> None:
        """Forget all gradients: `grad` of every parameter becomes None."""
        for parameter in self.parameters:
            parameter.grad = None


@keywords(**OURS)
class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum v + g + weight_decay w, w -= lr v; Nesterov: w -= lr (g + momentum v).

    As in PyTorch, the learning rate is applied outside the velocity, unlike in Sutskever et al. 2013. Raises ValueError
    unless momentum lies in [0, 1).
    """

    def __init__(self, parameters: Iterable[Tensor], lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0) -> None:
        if not 0 <= momentum < 1 or (nesterov and momentum == 0):
            raise ValueError(f"SGD: momentum must lie in [0, 1), and above 0 for Nesterov; got {momentum}")
        self.momentum, self.nesterov = momentum, nesterov
        super().__init__(parameters, lr, weight_decay)

    def _start(self, data):
        return [np.zeros(data.shape, data.dtype)] if self.momentum else []

    def _update(self, data, g, state):  # never in place: the caller may have kept the old values
        if self.momentum:
            return elementwise.sgd(data, g, *state, self.lr, self.momentum, self.weight_decay, self.nesterov)
        return data - self.lr * (g + self.weight_decay * data if self.weight_decay else g)


@keywords(**OURS)
class Adam(Optimizer):
    """Adaptive moments (Kingma & Ba 2015, algorithm 1); weight decay is added to the gradient.

    As in PyTorch, each parameter counts its own steps, those with a gradient, so that the bias correction matches the
    number of gradients in its moments. Raises ValueError unless both betas lie in [0, 1).
    """

    decoupled = False

    def __init__(self, parameters: Iterable[Tensor], lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0) -> None:
        if not (isinstance(betas, tuple | list) and len(betas) == 2 and all(0 <= beta < 1 for beta in betas)):
            raise ValueError(f"{type(self).__name__}: both betas must lie in [0, 1), got {betas}")
        self.betas, self.eps = betas, eps
        super().__init__(parameters, lr, weight_decay)

    def _start(self, data):
        return [np.zeros_like(data), np.zeros_like(data), 0]

    def _update(self, data, g, state):
        state[2] += 1
        mean, square, steps = state
        beta1, beta2 = self.betas
        if self.weight_decay and not self.decoupled:
            g = g + self.weight_decay * data
        mean += (1 - beta1) * (g - mean)
        square += (1 - beta2) * (g * g - square)
        root = np.sqrt(square / (1 - beta2**steps)) + self.eps
        if self.decoupled:
            data = data * (1 - self.lr * self.weight_decay)
        return data - (self.lr / (1 - beta1**steps)) * mean / root


@keywords(**OURS)
class AdamW(Adam):
    """Adam with decoupled weight decay: w -= lr weight_decay w (Loshchilov & Hutter 2019, algorithm 2)."""

    decoupled = True

    def __init__(self, parameters: Iterable[Tensor], lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by one factor so that their norm, taken over all of them together, is at most `max_norm` (Pascanu et
    al. 2013, algorithm 1). Returns the norm that they had. Parameters without a gradient do not count.

    Raises ValueError unless max_norm is above 0.
    """
    if not max_norm > 0:
        raise ValueError(f"clip_grad_norm: max_norm must be above 0, got {max_norm}")
    found = [parameter for parameter in dict.fromkeys(parameters) if parameter.grad is not None]
    norm = sqrt(sum(float(np.square(parameter.grad, dtype=np.float64).sum()) for parameter in found))
    if norm > max_norm:
        for parameter in found:
            parameter.grad = parameter.grad * parameter.grad.dtype.type(max_norm / norm)
    return norm


# A schedule maps the share of training done (0 at the first step, towards 1 at the last) to a factor on the learning rate.
Schedule = Callable[[float], float]


@dataclass(frozen=True)
class _Schedule:
    name: str
    factor: Schedule

    def __call__(self, t: float) -> float:
        return self.factor(t)

    def __repr__(self):
        return self.name


def constant(t: float) -> float:
    """Always 1: the learning rate stays as it is."""
    return 1.0


def cosine(t: float) -> float:
    """Decay from 1 to 0 along half a cosine (Loshchilov & Hutter 2017, equation 5).

    >>> [round(cosine(t), 3) for t in (0, 0.25, 0.5, 1)]
    [1.0, 0.854, 0.5, 0.0]
    """
    return 0.5 * (1 + cos(pi * t))


def steps(at: float | Iterable[float], gamma: float = 0.1) -> Schedule:
    """Multiply by gamma at each share of training in `at`, for example steps((0.5, 0.75)) or steps(0.5)."""
    at = (at,) if isinstance(at, int | float) else tuple(at)
    return _Schedule(f"steps({at}, gamma={gamma})", lambda t: gamma ** sum(t >= milestone for milestone in at))


def warmup(share: float, then: Schedule = constant) -> Schedule:
    """Rise linearly from 0 over the first `share` of training, above 0 and below 1, then follow `then` over the rest.

    Raises ValueError for another share.

    >>> [warmup(0.5)(t) for t in (0, 0.25, 0.5, 1)]
    [0.0, 0.5, 1.0, 1.0]
    """
    if not 0 < share < 1:
        raise ValueError(f"warmup: the share of training must lie between 0 and 1, got {share}")
    rise = lambda t: t / share if t < share else then((t - share) / (1 - share))  # noqa: E731
    return _Schedule(f"warmup({share}, {getattr(then, '__name__', repr(then))})", rise)


def one_cycle(pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4) -> Schedule:
    """Rise from 1 / div_factor to 1 over the share `pct_start` of training, then fall to 1 / (div_factor final_div_factor), both
    along half a cosine (Smith & Topin 2019), with the names of PyTorch's OneCycleLR. The optimiser's rate is the highest one; its
    momentum stays as it is. Raises ValueError for a share outside of (0, 1) and for factors below 1.

    >>> [round(one_cycle()(t), 3) for t in (0, 0.15, 0.3, 0.65, 1)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    if not 0 < pct_start < 1 or not (div_factor >= 1 and final_div_factor >= 1):
        raise ValueError(
            "one_cycle: pct_start must lie between 0 and 1, and both factors must be 1 or more; got "
            f"{pct_start}, {div_factor} and {final_div_factor}"
        )
    first, last = 1 / div_factor, 1 / (div_factor * final_div_factor)

    def factor(t: float) -> float:
        rising = t < pct_start
        end, share = (first, 1 - t / pct_start) if rising else (last, (t - pct_start) / (1 - pct_start))
        return end + (1 - end) * cosine(share)

    return _Schedule(f"one_cycle({pct_start}, {div_factor}, {final_div_factor})", factor)
