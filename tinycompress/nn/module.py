"""Modules own parameters; parametrizations say how a compressed weight is computed from a parameter.

A parametrization maps a trainable ("latent") array to the one the layer uses. A pruned weight, for example, is the latent
array times a mask: whatever an optimiser does to the latent array, the pruned weights stay zero.
"""

import copy
import os
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import numpy as np

from ..files import arrays_of, whole_file
from ..graph import no_grad
from ..tensor import Tensor, record
from ..text.names import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .summary import Summary


class Parameter(Tensor):
    """A trainable tensor of a module. `requires_grad = False` freezes it; it remains part of the state."""

    __slots__ = ()

    def __init__(self, data, requires_grad: bool = True):
        super().__init__(data, requires_grad)

    def _in_place(self, other):
        raise TypeError("`p -= …` would make a new tensor and leave the module's parameter as it is; use `p.data -= …`")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = _in_place


class _Thread(threading.local):
    """Settings of the current thread only: other threads may use the same modules at the same time."""

    calls: list | None = None  # where `trace` collects
    modes: dict[int, bool] = {}  # id of a module -> its mode inside `evaluation`


_thread = _Thread()


@contextmanager
def trace() -> "Iterator[list[tuple[Module, tuple[int, ...], Tensor]]]":
    """Collect the module calls of this thread inside this block, innermost first: a list of (module, input shape, output).

    Outputs are the tensors of the graph, so the gradient of a loss on one of them flows back through the net.
    """
    before, _thread.calls = _thread.calls, []
    try:
        yield _thread.calls
    finally:
        if before is not None:  # nested: the outer trace gets these calls too
            before += _thread.calls
        _thread.calls = before


def tracing() -> bool:
    """Whether this thread is inside a `trace` block."""
    return _thread.calls is not None


class Effective(Tensor):
    """A parameter after its parametrizations. It is computed at each access, so assigning to it is an error."""

    __slots__ = ()

    def __init__(self, value: Tensor):
        if not value._edges:  # the step returned its input: a leaf, which would keep the gradient
            value = record(value.data, (value, lambda g: g))
        for slot in ("_data", "_version", "_birth", "_edges", "grad", "requires_grad"):
            object.__setattr__(self, slot, getattr(value, slot))

    def __setattr__(self, name, value):
        if name not in ("_edges", "_version"):  # the graph sets these two
            raise AttributeError(
                f"a parametrized parameter is computed at each access, so a value assigned to its `{name}` would be lost; "
                f"assign to `layer.latent(name).{name}`, or call bake() first"
            )
        object.__setattr__(self, name, value)

    @property
    def data(self) -> np.ndarray:
        """The values, read-only."""
        view = self._data.view()
        view.flags.writeable = False
        return view


class Module:
    """Base class of everything with parameters and a `forward`.

    Attributes that are parameters, ndarrays (buffers: part of the state, but not trained), modules, or lists of modules
    are registered automatically.

    >>> import numpy as np
    >>> from tinycompress import functional, nn
    >>> class Net(nn.Module):
    ...     def __init__(self, rng):
    ...         self.hidden = nn.Dense(4, 8, rng=rng)
    ...         self.out = nn.Dense(8, 2, rng=rng)
    ...     def forward(self, x):
    ...         return self.out(functional.relu(self.hidden(x)))
    >>> net = Net(np.random.default_rng(0))
    >>> net(np.ones((5, 4), np.float32)).shape, len(net.parameters())
    ((5, 2), 4)
    """

    inference_only = False
    """Whether this was converted from a trained layer or net; only that one can be saved, pruned or trained."""

    not_weights: tuple[str, ...] = ()
    """Names of parameters with more than one axis that are not weights, so that compression leaves them alone."""

    @property
    def training(self) -> bool:
        """Whether the module is in training mode; inside `evaluation` this is per thread."""
        return _thread.modes.get(id(self), vars(self).get("_training", True))

    @training.setter
    def training(self, mode: bool):
        if id(self) in _thread.modes:
            _thread.modes[id(self)] = mode
        else:
            vars(self)["_training"] = mode

    def forward(self, x: Tensor) -> Tensor:
        """The output for x, of the shapes in the description of the class. Subclasses define it, else NotImplementedError; a
        call of the module runs it."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(self, x)")

    def __call__(self, x, **options) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        try:
            out = self.forward(x, **options)
        except (ValueError, TypeError) as error:
            error.add_note(f"in {self!r}")
            raise
        if _thread.calls is not None:
            _thread.calls.append((self, x.shape, out))
        return out

    def __getattr__(self, name: str):  # called only if there is no ordinary attribute of that name
        parametrized = self.__dict__.get("_parametrized", {})
        if name in parametrized:
            return Effective(parametrized[name].effective())
        if name.startswith("__"):
            raise AttributeError(name)
        lacking("a module", self, name, [*vars(self), *parametrized, *dir(type(self))])

    def __setattr__(self, name, value):
        old = self.__dict__.get(name)
        if name in self.__dict__.get("_parametrized", {}):
            raise AttributeError(f"{name} is parametrized; assign to `latent({name!r}).data` instead")
        if isinstance(old, Parameter) and not (value is None or isinstance(value, Parameter)):
            raise TypeError(f"{name} is a parameter; assign to `{name}.data`, or set another nn.Parameter")
        if _hides_modules(value):
            raise TypeError(
                f"{name} holds modules or parameters where they are not found for training or saving; use attributes, or a "
                "list of modules"
            )
        object.__setattr__(self, name, value)

    # The tree of modules and their arrays.
    def children(self) -> "Iterator[tuple[str, Module]]":
        """Yield (name, module) for each direct child."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list | tuple):
                yield from ((f"{name}.{i}", m) for i, m in enumerate(value) if isinstance(m, Module))

    def named_modules(self, prefix="", seen: set[int] | None = None) -> "Iterator[tuple[str, Module]]":
        """Yield (dotted name, module) for this module (named "") and all inside, outermost first. A module used in several
        places is listed once, under its first name."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> "list[Module]":
        """This module and all modules in it, each before those inside it."""
        return [module for _, module in self.named_modules()]

    def named_parameters(self) -> "Iterator[tuple[str, Parameter]]":
        """Yield (dotted name, parameter) for every parameter; for a parametrized weight, the latent array."""
        return ((name, value) for name, value in self._named_state() if isinstance(value, Parameter))

    def named_buffers(self) -> "Iterator[tuple[str, np.ndarray]]":
        """Yield (dotted name, array) for every array of the state that is not trained."""
        return ((name, value) for name, value in self._named_state() if isinstance(value, np.ndarray))

    def parameters(self) -> list[Parameter]:
        """All parameters, as an optimiser takes them; for a parametrized weight, the latent array."""
        return [parameter for _, parameter in self.named_parameters()]

    def _named_state(self, seen: set[int] | None = None):
        """Yield (dotted name, value) of every parameter and buffer; shared ones are listed once."""
        seen = set() if seen is None else seen
        for prefix, module in self.named_modules():
            dot = f"{prefix}." if prefix else ""
            for name, value in vars(module).items():
                if isinstance(value, Parameter | np.ndarray) and id(value) not in seen:
                    seen.add(id(value))
                    yield dot + name, value
            for name, parametrized in vars(module).get("_parametrized", {}).items():
                if id(parametrized.latent) not in seen:
                    seen.add(id(parametrized.latent))
                    yield dot + name, parametrized.latent
                for step in parametrized.steps:
                    yield from ((f"{dot}{name}.{inner}", value) for inner, value in step._named_state(seen))

    # Modes.
    def _with_steps(self) -> "list[Module]":
        """All modules and their parametrizations."""
        found = self.modules()
        for module in found[:]:
            for parametrized in vars(module).get("_parametrized", {}).values():
                found += [inner for step in parametrized.steps for inner in step._with_steps()]
        return found

    def train(self, mode: bool = True) -> Self:
        """Set training mode: dropout is active, batch norm uses the statistics of the batch, and binary weights may be
        drawn at random. Returns the module."""
        for module in self._with_steps():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode. Returns the module."""
        return self.train(False)

    @contextmanager
    def evaluation(self) -> "Iterator[Self]":
        """Use evaluation mode inside this block, for this thread only; each module's mode is restored afterwards."""
        modules, before = self._with_steps(), _thread.modes
        _thread.modes = before | {id(module): False for module in modules}
        try:
            yield self
        finally:
            _thread.modes = before

    def zero_grad(self) -> None:
        """Forget all gradients: `grad` of every parameter becomes None."""
        for parameter in self.parameters():
            parameter.grad = None

    def copy(self) -> Self:
        """A deep copy, which shares nothing with this module."""
        return copy.deepcopy(self)

    # Parametrizations.
    def parametrize(self, name: str, step: "Module") -> Self:
        """Compute parameter `name` by `step` (latent tensor -> effective tensor), after its existing steps; returns the module.

        Raises ValueError if there is no such parameter, or a step of the same type.
        """
        parametrized = self.__dict__.setdefault("_parametrized", {})
        if name not in parametrized:
            latent = self.__dict__.get(name)
            if not isinstance(latent, Parameter):
                raise ValueError(f"{self!r} has no parameter {name!r} to parametrize")
            del self.__dict__[name]
            parametrized[name] = Parametrized(latent, [])
        if any(type(step) is type(other) for other in parametrized[name].steps):
            raise ValueError(
                f"{name} already has a {type(step).__name__}; change that one: parametrization({name!r}, …)"
            )
        parametrized[name].steps.append(step)
        return self

    def latent(self, name: str) -> "Parameter | np.ndarray":
        """The trainable array behind the parameter `name`, parametrized or not. A buffer's name gives the buffer."""
        parametrized = self.__dict__.get("_parametrized", {})
        return parametrized[name].latent if name in parametrized else getattr(self, name)

    def parametrization(self, name: str, kind: type) -> "Module | None":
        """The step of type `kind` that parametrizes `name`, or None."""
        return next((step for step in self.parametrizations(name) if type(step) is kind), None)

    def parametrizations(self, name: str) -> "list[Module]":
        """The steps that parametrize `name`, in order; empty for an ordinary parameter."""
        parametrized = self.__dict__.get("_parametrized", {}).get(name)
        return list(parametrized.steps) if parametrized else []

    def replace(self, name: str, latent: Parameter, steps=()) -> Self:
        """Replace parameter `name` by `latent`, of any shape, parametrized by `steps`. Returns the module."""
        self.__dict__.get("_parametrized", {}).pop(name, None)
        object.__setattr__(self, name, latent)
        for step in steps:
            self.parametrize(name, step)
        return self

    def bake(self) -> Self:
        """Replace every parametrization by an ordinary parameter with the effective values. Returns the module."""
        with no_grad(), self.evaluation():
            for module in self.modules():
                for name, parametrized in module.__dict__.pop("_parametrized", {}).items():
                    values = parametrized.effective().data
                    setattr(module, name, Parameter(values.copy(), parametrized.latent.requires_grad))
        return self

    # State.
    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter and buffer by its dotted name. Raises ValueError if a module was made for inference."""
        return {name: _values(value).copy() for name, value in self._whole_state().items()}

    def _whole_state(self) -> "dict[str, Parameter | np.ndarray]":
        if made := next((module for module in self.modules() if module.inference_only), None):
            raise ValueError(
                f"{made!r} was made for inference and has no state to save or load; save the net that it was made from "
                "(its save, or quantization.tcz.save), and convert it again"
            )
        return dict(self._named_state())

    def load_state_dict(self, state: dict[str, np.ndarray]) -> Self:
        """Load a state into this module. Names, shapes and kinds of numbers must match; otherwise a ValueError lists every
        mismatch, and nothing is changed. Raises TypeError for anything but a dict."""
        own = self._whole_state()
        if not isinstance(state, Mapping):
            raise TypeError(
                f"load_state_dict takes a dict, name -> array, as state_dict() returns; got {type(state).__name__}"
            )
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is not in this model" for name in state if name not in own]
        wrong += [
            f"{name} has shape {np.shape(state[name])}, the model's is {value.shape}"
            for name, value in own.items()
            if name in state and np.shape(state[name]) != value.shape
        ]
        wrong += [
            f"{name} is {np.asarray(state[name]).dtype}, the model's is {value.dtype}"
            for name, value in own.items()
            if name in state and not np.can_cast(np.asarray(state[name]).dtype, value.dtype, "same_kind")
        ]
        if wrong:
            raise ValueError(
                "the state does not fit the model: " + "; ".join(wrong) + ". Build the model as it was when saved "
                "(same layers, widths and parametrizations)"
            )
        new = {name: np.array(state[name], value.dtype) for name, value in own.items()}  # first, since it may fail
        for name, value in own.items():
            if isinstance(value, Parameter):
                value.data = new[name]
            else:
                value[...] = new[name]
        return self

    def save(self, path) -> None:
        """Write the state as a compressed .npz, completely or not at all."""
        state = self.state_dict()
        with whole_file(path) as file:
            np.savez_compressed(file, **state)

    def load(self, path) -> Self:
        """Load a state written by `save`; pickled objects are refused. Raises FileNotFoundError, another OSError if it cannot
        be read, or ValueError for a damaged file or a state that does not match."""
        path = os.fspath(path)
        try:
            state = arrays_of(path)
        except FileNotFoundError:
            raise FileNotFoundError(f"no file {path!r}; save a model there first: model.save({path!r})") from None
        except OSError:
            raise
        except Exception as error:  # zip, zlib and NumPy all raise different ones for a damaged file
            raise ValueError(f"{path!r} is not a whole .npz of a model ({error}); save it again") from error
        return self.load_state_dict(state)

    # Display.
    def summary(self, input_shape=None) -> "Summary":
        """A table of layers: output shape, parameters, MACs. input_shape: that of one example, by default the module's own."""
        from .summary import summary

        return summary(self, input_shape)

    def _repr_html_(self):
        if getattr(self, "input_shape", None) is None:
            import html

            return f"<pre>{html.escape(repr(self))}</pre>"
        return self.summary()._repr_html_()

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses: the modules inside. Subclasses can define something else."""
        return ", ".join(f"{name}={module!r}" for name, module in self.children())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def macs(self, in_shape, out_shape) -> int:
        """Multiply-accumulates of this layer alone for one call with these shapes; 0 if it has no weights to multiply."""
        return 0


def _hides_modules(value, depth: int = 0) -> bool:
    """Whether dicts and lists hold modules or parameters deeper than `children` looks."""
    if isinstance(value, dict):
        return any(isinstance(v, Module | Parameter) or _hides_modules(v, depth + 1) for v in value.values())
    if isinstance(value, list | tuple):
        return any(
            isinstance(v, Parameter) or (depth > 0 and isinstance(v, Module)) or _hides_modules(v, depth + 1)
            for v in value
        )
    return False


def _values(value):
    return value.data if isinstance(value, Parameter) else value


class Parametrized:
    """A latent parameter and the steps that are applied to it, in order."""

    def __init__(self, latent: Parameter, steps: list[Module]):
        self.latent, self.steps = latent, steps

    def effective(self) -> Tensor:
        value = self.latent
        for step in self.steps:
            value = step(value)
        return value
