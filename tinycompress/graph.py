"""The graph behind tensors: which tensor came from which, and how gradients flow back.

A node knows its parents and, for each parent, the function from the node's gradient to the parent's. `Node.backward` walks
the graph once in topological order, sums gradients over broadcast axes, adds them into the leaves' `.grad`, and frees the
graph. Only first-order derivatives are supported: gradients are plain arrays.
"""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .kernels import elementwise
from .kernels.reductions import axis_sums, column_sums
from .kernels.runtime.memory import aligned_empty, is_shared

LARGE = 1 << 16
"""Numbers in an array from which on a kernel adds two of them faster than NumPy."""


class Mode(threading.local):
    """Whether this thread records a graph."""

    recording = True


mode = Mode()
births = itertools.count()  # numbers the nodes in order of creation


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing inside this block: results are plain values with no graph behind them."""
    before, mode.recording = mode.recording, False
    try:
        yield
    finally:
        mode.recording = before


class Node:
    """An array in a graph.

    `_edges` lists (parent, the parent's version when it was used, derivative). It is empty for a leaf, and None once
    `backward` has freed it.
    """

    __slots__ = ("_data", "_version", "_birth", "_edges", "grad", "requires_grad", "__weakref__")

    def backward(self, gradient=None) -> None:
        """Add d(self)/d(leaf), weighted by `gradient` (this tensor's shape; 1 for a single number), to every leaf's `.grad`.

        Raises RuntimeError if this tensor has no graph, if an earlier `backward` freed it, or if a tensor was changed
        after the forward pass; ValueError for a gradient of another shape, or a missing one if this tensor has more
        than one element.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "backward: nothing behind this tensor requires a gradient (made under no_grad, or detached?)"
            )
        if gradient is None and self.size != 1:
            raise ValueError(
                f"backward: a tensor of shape {self.shape} is not a single number; reduce it first (`.sum()` or `.mean()`), "
                "or pass `gradient`"
            )
        gradient = np.ones(self.shape, self.dtype) if gradient is None else np.asarray(gradient, self.dtype)
        if gradient.shape != self.shape:
            raise ValueError(
                f"backward: the gradient has shape {gradient.shape}, the tensor {self.shape}; they must be equal"
            )
        pending = {self: gradient}
        owned = {id(gradient)}
        for node in _youngest_first(self):
            g = pending.pop(node)
            if not node._edges:  # a leaf
                _accumulate(node, g, owned)
                continue
            for parent, version, derivative in node._edges:
                if parent._version != version:
                    raise RuntimeError(
                        f"backward: a tensor of shape {parent.shape} was changed after the forward pass used it; "
                        "call backward before the optimiser's step or any other assignment to `.data`"
                    )
                if derivative is not None:
                    part = derivative(g)
                    if part.shape != parent._data.shape:
                        part = sum_over_broadcast(part, parent._data.shape)
                    pending[parent] = _sum(pending[parent], part) if parent in pending else part
            node._edges = None  # frees the arrays kept by the derivatives


def _youngest_first(root: Node) -> list[Node]:
    """Every node behind `root`, youngest first: a node is younger than its parents, so this is a topological order."""
    found, todo = {root}, [root]
    while todo:
        node = todo.pop()
        if node._edges is None:
            raise RuntimeError(
                "backward: the graph behind this tensor was freed by an earlier backward; run the forward pass again, "
                "or sum the losses and call backward once"
            )
        for parent, _, derivative in node._edges:
            if derivative is not None and parent not in found:
                found.add(parent)
                todo.append(parent)
    return sorted(found, key=lambda node: node._birth, reverse=True)


def _sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b, of one shape; in the kernel, which has several threads, where that pays."""
    if a.size >= LARGE and a.dtype == b.dtype and a.flags.c_contiguous and b.flags.c_contiguous:
        return elementwise.add(a, b, False, aligned_empty(a.shape, a.dtype))
    return a + b


def _accumulate(leaf: Node, g: np.ndarray, owned: set[int]):
    """Add g into `.grad`, which must not share memory with another gradient: users scale and clip it in place."""
    if leaf.grad is not None:
        g = leaf.grad + g  # for two 0-d arrays this is a scalar, not an array
    if is_shared(g) or id(g) in owned or not g.flags.c_contiguous:
        g = np.array(g, order="C")
    owned.add(id(g))
    leaf.grad = g


def sum_over_broadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo broadcasting: sum g over the axes that the forward pass repeated; returns an array of `shape`."""
    if len(shape) == 1 and shape[0] == g.shape[-1] and g.size:  # a bias
        return column_sums(g.reshape(-1, shape[0]))
    wide = (1,) * (g.ndim - len(shape)) + shape
    return axis_sums(g, tuple(a for a, n in enumerate(wide) if n != g.shape[a]), keepdims=True).reshape(shape)
