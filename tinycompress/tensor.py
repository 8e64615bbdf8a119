"""The tensor: an ndarray that remembers which arrays it came from. The resulting graph is in `graph.py`.

Each operation lists its value and its derivatives side by side, as in a table of derivatives:

    def mul(a, b):
        return record(a.data * b.data, (a, lambda g: g * b.data), (b, lambda g: g * a.data))

`record` keeps only the derivatives that lead to something trainable.
"""

import operator
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from .graph import Node, births, mode
from .kernels import matmul
from .kernels.reductions import axis_sums
from .text.names import lacking

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_ZERO = {dtype: np.zeros((), dtype) for dtype in FLOATS}  # saves NumPy converting 0 on each use


def _compared_by(operation):
    """A comparison of a tensor with a tensor or an array. The result, an array of booleans, has no derivative."""
    return lambda self, other: operation(self._data, other.data if isinstance(other, Tensor) else other)


class Tensor(Node):
    """An array of float32 or float64, of any shape, that can be part of a graph.

    data: anything NumPy can turn into an array. float64 arrays stay float64 (for gradient checks); everything else
    becomes float32. requires_grad: whether `backward` should leave a gradient in `.grad` (an ndarray, or None).

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.], dtype=float32)
    """

    __slots__ = ()
    __array_ufunc__ = None  # makes `ndarray * tensor` call Tensor.__rmul__

    def __init__(self, data, requires_grad: bool = False):
        self._data = _as_float(data)
        self._version = 0
        self._birth = next(births)
        self._edges = ()
        self.grad: np.ndarray | None = None
        self.requires_grad = requires_grad

    @property
    def data(self) -> np.ndarray:
        """The values. Assign to it (or use `t.data -= step`) to change a leaf between two passes."""
        return self._data

    @data.setter
    def data(self, value):
        value = np.asarray(value, self._data.dtype)  # a leaf keeps its dtype
        if value.shape != self._data.shape:
            raise ValueError(f"a tensor of shape {self.shape} cannot take data of shape {value.shape}")
        self._data = value
        self._version += 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self._data.dtype

    def item(self) -> float:
        """The value of a tensor with one element, as a Python float."""
        return self._data.item()

    def numpy(self) -> np.ndarray:
        """The values as an ndarray; gradients do not flow through it."""
        return self.data

    def detach(self) -> "Tensor":
        """The same values (shared, not copied) with no graph behind them."""
        return Tensor(self._data)

    def __deepcopy__(self, memo):
        copy = type(self).__new__(type(self))
        Tensor.__init__(copy, self._data.copy(), self.requires_grad)
        return copy

    def __reduce__(self):
        return type(self), (self._data, self.requires_grad)

    if not TYPE_CHECKING:  # for a type checker, there are no other attributes

        def __getattr__(self, name):  # called only if there is no attribute of that name
            lacking("a tensor", self, name, dir(type(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._data}{', requires_grad=True' if self.requires_grad else ''})"

    def __len__(self) -> int:
        return len(self._data)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return float(self._data)

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise TypeError(
                "a tensor that requires gradients is not converted to an array silently; use `.data` or `.detach()`"
            )
        return np.array(self._data, dtype, copy=copy)

    def __setitem__(self, index, value):
        raise TypeError(
            "tensors cannot be changed in place, since a graph may still need the old values; build a new one "
            "(where, concatenate), or assign to `.data` of a leaf"
        )

    __lt__ = _compared_by(operator.lt)
    __le__ = _compared_by(operator.le)
    __gt__ = _compared_by(operator.gt)
    __ge__ = _compared_by(operator.ge)

    # Arithmetic: each operation is a row of the table of derivatives.
    def __add__(self, other) -> "Tensor":
        a, b = _alike(self, other)
        return record(a.data + b.data, (a, lambda g: g), (b, lambda g: g))

    def __sub__(self, other) -> "Tensor":
        a, b = _alike(self, other)
        return record(a.data - b.data, (a, lambda g: g), (b, lambda g: -g))

    def __mul__(self, other) -> "Tensor":
        a, b = _alike(self, other)
        return record(a.data * b.data, (a, lambda g: g * b.data), (b, lambda g: g * a.data))

    def __truediv__(self, other) -> "Tensor":
        a, b = _alike(self, other)
        y = a.data / b.data
        return record(y, (a, lambda g: g / b.data), (b, lambda g: -g * y / b.data))

    def __pow__(self, exponent) -> "Tensor":
        if not isinstance(exponent, int | float | np.number):
            raise TypeError(f"power: the exponent must be a number, got {exponent!r}; use (x.log() * p).exp()")
        p = exponent.item() if isinstance(exponent, np.number) else exponent
        before = p - 1 if p else 1  # the derivative of x ** 0 is 0, at 0 too
        return record(self.data**p, (self, lambda g: g * p * self.data**before))

    def __matmul__(self, other) -> "Tensor":
        a, b = _alike(self, other)
        x, y = a.data, b.data
        if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-2]:
            raise ValueError(
                f"matmul: {a.shape} @ {b.shape} do not match; both need at least two axes, and the last axis of the first "
                "must equal the second-to-last of the second (reshape a vector to a row or a column)"
            )
        multiply = matmul if x.ndim == y.ndim == 2 else np.matmul
        return record(multiply(x, y), (a, lambda g: multiply(g, y.mT)), (b, lambda g: multiply(x.mT, g)))

    def __neg__(self) -> "Tensor":
        return record(-self.data, (self, lambda g: -g))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other) -> "Tensor":
        return _alike(self, other)[1] - self

    def __rtruediv__(self, other) -> "Tensor":
        return _alike(self, other)[1] / self

    def __rmatmul__(self, other) -> "Tensor":
        return _alike(self, other)[1] @ self

    # Elementary functions.
    def exp(self) -> "Tensor":
        """e to the power of each element."""
        y = np.exp(self.data)
        return record(y, (self, lambda g: g * y))

    def log(self) -> "Tensor":
        """The natural logarithm."""
        return record(np.log(self.data), (self, lambda g: g / self.data))

    def sqrt(self) -> "Tensor":
        """The square root."""
        y = np.sqrt(self.data)
        return record(y, (self, lambda g: g / (2 * y)))

    def tanh(self) -> "Tensor":
        """The hyperbolic tangent."""
        y = np.tanh(self.data)
        return record(y, (self, lambda g: g * (1 - y * y)))

    @np.errstate(over="ignore")  # if exp(-x) overflows, 1 / (1 + inf) is 0, as it should be
    def sigmoid(self) -> "Tensor":
        """1 / (1 + exp(-x))."""
        y = 1 / (1 + np.exp(-self.data))
        return record(y, (self, lambda g: g * y * Tensor(-self.data).sigmoid().data))  # 1 - y would round to 0 too soon

    def relu(self) -> "Tensor":
        """max(x, 0)."""
        y = np.maximum(self.data, _ZERO[self._data.dtype])
        return record(y, (self, lambda g: g * (y > _ZERO[y.dtype])))

    def abs(self) -> "Tensor":
        """The absolute value, whose derivative at 0 is taken as 0."""
        return record(np.abs(self.data), (self, lambda g: g * np.sign(self.data)))

    def clip(self, low, high) -> "Tensor":
        """Clip the values to [low, high]; the gradient passes only inside, bounds included."""
        x, low, high = self.data, float(low), float(high)
        return record(np.clip(x, low, high), (self, lambda g: g * ((x >= low) & (x <= high))))

    # Reductions.
    def sum(self, axis=None, keepdims=False) -> "Tensor":
        """The sum over `axis`: None (all), an int or a tuple of ints. keepdims: keep these axes, with length 1."""
        return record(
            axis_sums(self.data, axis, keepdims),
            (self, lambda g: np.broadcast_to(_restore(g, self.shape, axis), self.shape)),
        )

    def mean(self, axis=None, keepdims=False) -> "Tensor":
        """The mean over `axis`, given as for `sum`."""
        return self.sum(axis, keepdims) / prod(self.shape[a] for a in _axes(self.shape, axis))

    def var(self, axis=None, keepdims=False) -> "Tensor":
        """The population variance (divided by n, not n - 1) over `axis`, given as for `sum`."""
        return ((self - self.mean(axis, keepdims=True)) ** 2).mean(axis, keepdims)

    def max(self, axis=None, keepdims=False) -> "Tensor":
        """The largest value over `axis`, given as for `sum`; on a tie, the gradient is shared equally."""
        y = self.data.max(axis, keepdims=True)

        def derivative(g):
            hit = self.data == y
            return hit * (_restore(g, self.shape, axis) / hit.sum(axis, keepdims=True, dtype=self.dtype))

        return record(y if keepdims else y.squeeze(axis), (self, derivative))

    def min(self, axis=None, keepdims=False) -> "Tensor":
        """The smallest value over `axis`, given as for `sum`; on a tie, the gradient is shared equally."""
        return -((-self).max(axis, keepdims))

    # Shapes.
    def reshape(self, *shape) -> "Tensor":
        """The same elements in another shape, in C order; one length may be -1. Raises ValueError if the sizes differ."""
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return record(self.data.reshape(shape), (self, lambda g: g.reshape(self.shape)))

    def transpose(self, *axes) -> "Tensor":
        """Permute the axes; reverse them all if none are given."""
        axes = (axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes) or range(self.ndim)[::-1]
        back = np.argsort([axis % self.ndim for axis in axes])
        return record(self.data.transpose(axes), (self, lambda g: g.transpose(back)))

    @property
    def T(self) -> "Tensor":
        """The tensor with all its axes reversed."""
        return self.transpose()

    def __getitem__(self, index) -> "Tensor":
        def derivative(g):
            full = np.zeros_like(self.data)
            np.add.at(full, index, g)  # an element picked twice gets both gradients
            return full

        return record(self.data[index], (self, derivative))


def record(data, *edges: tuple[Tensor, Callable[[np.ndarray], np.ndarray]]) -> Tensor:
    """The result of an operation: its value and, for each input, the function from the output's gradient to the input's.

    A derivative may return the broadcast shape; `backward` sums it back. For an input that needs no gradient, only the
    version is kept, since the other derivatives may read its values. Under `no_grad` nothing is kept.
    """
    out = Tensor.__new__(Tensor)
    out._data = data if type(data) is np.ndarray else np.asarray(data)
    out._version = 0
    out._birth = next(births)
    out.grad = None
    out.requires_grad = any([parent.requires_grad for parent, _ in edges]) and mode.recording
    out._edges = ()
    if out.requires_grad:
        out._edges = [(p, p._version, f if p.requires_grad else None) for p, f in edges]
    return out


def concatenate(tensors, axis=0) -> Tensor:
    """Join the tensors along `axis`; all other axes must agree."""
    tensors = _alike(*tensors)
    ends = np.cumsum([t.shape[axis] for t in tensors])

    def part(i):
        return lambda g: np.split(g, ends[:-1], axis)[i]

    data = np.concatenate([t.data for t in tensors], axis)
    return record(data, *((t, part(i)) for i, t in enumerate(tensors)))


def stack(tensors, axis=0) -> Tensor:
    """Join tensors of the same shape along a new `axis`."""
    tensors = _alike(*tensors)
    data = np.stack([t.data for t in tensors], axis)
    return record(data, *((t, lambda g, i=i: g.take(i, axis)) for i, t in enumerate(tensors)))


def where(condition, a, b) -> Tensor:
    """`a` where the boolean array `condition` holds, else `b`; all broadcast together."""
    a, b = _alike(a, b)
    condition = np.asarray(condition, bool)
    return record(np.where(condition, a.data, b.data), (a, lambda g: g * condition), (b, lambda g: g * ~condition))


def maximum(a, b) -> Tensor:
    """The elementwise maximum; on a tie the gradient goes to the first."""
    a, b = _alike(a, b)
    return where(a.data >= b.data, a, b)


def _real(data) -> np.ndarray:
    if isinstance(data, Tensor):
        raise TypeError("data must be an array or numbers, got a Tensor; use its `.detach()` or `.data`")
    if isinstance(data, np.ndarray) and hasattr(data, "mask"):
        raise TypeError("a masked array hides numbers that a tensor would show; fill them first: x.filled(0)")
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"a tensor holds real numbers; got {type(data).__name__} with dtype {array.dtype}")
    return array


def _as_float(data) -> np.ndarray:
    array = _real(data)
    keep = array.dtype in FLOATS and isinstance(data, np.ndarray | np.generic)
    return array if keep else array.astype(np.float32)


def _alike(*values) -> Sequence[Tensor]:
    """The values as tensors of one dtype: numbers and arrays take the dtype of the tensors, which must already agree."""
    if not values:
        raise ValueError("there are no tensors to join")
    if len(values) == 2:  # fast path for the usual case
        a, b = values
        if isinstance(a, Tensor) and isinstance(b, Tensor) and a._data.dtype is b._data.dtype:
            return values
    dtypes = {x.dtype for x in values if isinstance(x, Tensor)} or {_as_float(values[0]).dtype}
    if len(dtypes) > 1:
        raise TypeError(
            f"operands are {' and '.join(sorted(map(str, dtypes)))}; nothing is promoted silently, so convert one of them: "
            "Tensor(x.data.astype(numpy.float32))"
        )
    (dtype,) = dtypes
    return [x if isinstance(x, Tensor) else Tensor(_real(x).astype(dtype, copy=False)) for x in values]


def _axes(shape, axis):
    axis = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int | np.integer) else axis
    return tuple(a % len(shape) for a in axis)


def _restore(g, shape, axis):
    """Put the reduced axes back, with length 1."""
    axes = _axes(shape, axis)
    return np.reshape(g, [1 if a in axes else n for a, n in enumerate(shape)])
