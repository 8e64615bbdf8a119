"""Pictures of chapter 0: the graph behind a result, learning curves, and the speeds of one kernel's three versions."""

import numpy as np

from ...graph import sum_over_broadcast
from ...tensor import Tensor
from ...workshop.style import COLORS, applied, corner_note, figure, label_end

SYMBOLS = {"__add__": "+", "__sub__": "−", "__mul__": "×", "__truediv__": "÷", "__pow__": "power", "__matmul__": "@"}


def gradients(root: Tensor) -> dict[int, np.ndarray]:
    """d(root)/d(t) for every tensor t behind root: id(t) -> an array of t's shape.

    Computed as by `backward`, but nothing is freed, so that the graph can still be drawn.
    """
    found = {id(root): np.ones(root.shape, root.dtype)}
    for node in sorted(_behind(root), key=lambda tensor: tensor._birth, reverse=True):  # consumers come first
        for parent, _, derivative in node._edges:
            if derivative is not None:
                part = sum_over_broadcast(derivative(found[id(node)]), parent.shape)
                found[id(parent)] = found.get(id(parent), 0) + part
    return found


@applied()
def graph(root: Tensor, names: dict[str, Tensor], title: str = "", width: float = 11, height: float = 4.5):
    """Draw the graph behind a result, inputs on the left, values in black and gradients in orange.

    root: the result; its `backward` must not have been called. names: labels of some tensors. A tensor with one element
    shows its value, others show their shape.
    """
    names = {id(tensor): name for name, tensor in names.items()}
    slopes, places = gradients(root), _places(root)
    fig = figure(width=width, height=height)
    (ax,) = fig.axes
    for node in _behind(root):
        x, y = places[id(node)]
        for parent, _, derivative in node._edges:
            color = COLORS["ideal"] if derivative is None else COLORS["reference"]
            ax.annotate(
                "",
                (x, y),
                places[id(parent)],
                arrowprops={"arrowstyle": "-|>", "color": color, "shrinkA": 30, "shrinkB": 30, "linewidth": 1.8},
            )
        role = "claim" if node._edges else "other" if node.requires_grad else "ideal"
        head = names.get(id(node)) or _operation(node)
        text = f"{head}\n{_brief(node.data)}" if head else _brief(node.data)
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": COLORS[role], "linewidth": 2.5}
        ax.text(x, y, text, ha="center", va="center", fontsize=15, bbox=box)
        if id(node) in slopes:
            slope = f"∂ {_brief(slopes[id(node)])}"
            offset = {"xytext": (0, -34), "textcoords": "offset points", "ha": "center", "va": "top"}
            ax.annotate(slope, (x, y), color=COLORS["rival"], fontsize=15, **offset)
    spots = np.array(list(places.values()))
    ax.set(xlim=(-0.6, spots[:, 0].max() + 0.6), ylim=(spots[:, 1].min() - 0.7, spots[:, 1].max() + 0.4))
    ax.set_axis_off()
    ax.set_title(title)
    return fig


@applied()
def learning(histories: dict[float, list[float]], chosen: float):
    """Training loss over epochs for several learning rates, one of them in colour."""
    fig = figure(width=11, height=5)
    (ax,) = fig.axes
    for lr, loss in histories.items():
        role, line = ("claim", 4) if lr == chosen else ("ideal", 1.5)
        ax.plot(range(1, len(loss) + 1), loss, color=COLORS[role], linewidth=line, zorder=2 + (lr == chosen))
        if lr == chosen:
            label_end(ax, [(1, loss[0]), (len(loss), loss[-1])], f"rate {lr:g}: {loss[-1]:.3f}", COLORS[role])
    ax.set(xlabel="epoch", ylabel="training loss", yscale="log")
    ax.set_title("Same net, same images, same order: only the step size differs")
    return fig


@applied()
def speeds(times: dict[str, float], title: str, machine: str):
    """Milliseconds per call of each variant, on a logarithmic axis, and how many times slower it is than the fastest."""
    fig = figure(width=11, height=4.2)
    (ax,) = fig.axes
    least = min(times.values())
    for place, ms in enumerate(times.values()):
        ax.barh(-place, ms - least / 4, 0.6, left=least / 4, color=COLORS["claim" if ms == least else "ideal"])
        slower = "" if ms == least else f", {ms / least:,.0f}× slower"
        ax.text(1.1 * ms, -place, f"{ms:,.3g} ms{slower}", va="center", fontsize=16)
    ax.set_yticks(-np.arange(len(times)), list(times))
    ax.set(xscale="log", xlabel="milliseconds per call", xlim=(least / 4, 60 * max(times.values())))
    ax.grid(False)
    ax.set_title(title)
    corner_note(fig, machine)
    return fig


def _behind(root: Tensor) -> list[Tensor]:
    """Root and every tensor it was computed from, each once."""
    found, todo = {id(root): root}, [root]
    while todo:
        for parent, _, _ in todo.pop()._edges:
            if id(parent) not in found:
                found[id(parent)] = parent
                todo.append(parent)
    return list(found.values())


def _places(root: Tensor) -> dict[int, tuple[float, float]]:
    """(x, y) of each tensor, by id: results to the right of their operands, inputs just left of their first use."""
    nodes = sorted(_behind(root), key=lambda tensor: tensor._birth)
    depth: dict[int, int] = {}
    for node in nodes:
        depth[id(node)] = max([depth[id(parent)] + 1 for parent, _, _ in node._edges], default=0)
    for node in nodes:
        users = [depth[id(user)] for user in nodes if any(parent is node for parent, _, _ in user._edges)]
        if not node._edges and users:
            depth[id(node)] = min(users) - 1
    height: dict[int, float] = {}
    for column in range(max(depth.values()) + 1):
        members = [node for node in nodes if depth[id(node)] == column]
        for row, node in enumerate(members):
            height[id(node)] = (len(members) - 1) / 2 - row
    return {id(node): (float(depth[id(node)]), 1.3 * height[id(node)]) for node in nodes}


def _operation(node: Tensor) -> str:
    """The name of the operation that computed the node, from the qualified name of its derivative."""
    derivatives = [f for _, _, f in node._edges if f is not None]
    if not derivatives:
        return ""
    name = derivatives[0].__qualname__.split(".<locals>")[0].split(".")[-1]
    return SYMBOLS.get(name, name)


def _brief(array: np.ndarray) -> str:
    return f"{array.item():.3g}" if array.size == 1 else "×".join(map(str, array.shape))
