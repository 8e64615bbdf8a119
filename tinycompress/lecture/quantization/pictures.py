"""Pictures of chapter 3: weights on a grid or in clusters, and the tree of Huffman's code."""

import numpy as np

from ...nn import Module
from ...nn.weighted import effective, weighted_layers
from ...quantization import entropy, huffman_bits, huffman_code
from ...workshop.style import COLORS, applied, figure, label_end, percent_axis
from .q3_huffman import _draw_tree

SHOWN = 16  # neurons whose weights are shown as images
CLUSTER_COLORS = [COLORS[role] for role in ("rival", "more", "last", "claim")]


@applied()
def few_values(
    before: Module, after: Module, layer: int, accuracies: dict[str, dict], chosen, axis: str, image_shape, whole: float
):
    """A layer's weights before and after rounding to few values, also as images, and accuracy over the number of values.

    accuracies: arm -> number (of bits or values) -> accuracy (0 to 1). chosen: the number shown. axis: what the number is.
    layer: 1 for the first one with weights, whose inputs are pixels of images of image_shape. whole: the accuracy in float32.
    """
    fig = figure(nrows=2, ncols=2, width=13, height=9.5, width_ratios=(1.25, 1))
    histogram, first, curve, second = fig.axes
    real, few = (effective(list(weighted_layers(net).values())[layer - 1], "weight") for net in (before, after))
    histogram.hist(real.ravel(), 81, color=COLORS["ideal"], alpha=0.6)
    values = np.unique(few)
    for value in values if len(values) <= 300 else ():
        histogram.axvline(value, color=COLORS["claim"], linewidth=max(0.8, 3 - len(values) / 40))
    reach = 1.1 * np.abs(real).max()
    histogram.set(xlabel="weight", ylabel=f"weights of layer {layer}", xlim=(-reach, reach))
    histogram.set_title(f"Every weight becomes one of these {len(values)} values")
    for ax, weight, title in ((first, real, "as trained"), (second, few, f"{len(values)} values")):
        _draw_features(ax, weight, image_shape, np.percentile(np.abs(real), 99))
        ax.set_title(f"{SHOWN} neurons, {title}")

    numbers = list(next(iter(accuracies.values())))
    places = np.arange(len(numbers))
    for (name, by_number), role in zip(accuracies.items(), ("rival", "claim"), strict=True):
        shares = [by_number[number] for number in numbers]
        curve.plot(places, shares, color=COLORS[role], marker="o")
        curve.plot(numbers.index(chosen), by_number[chosen], "o", color=COLORS[role], markersize=16)
        label_end(curve, [(places[0], shares[0]), (places[-1], shares[-1])], name, COLORS[role])
    curve.axhline(whole, color=COLORS["ideal"], linestyle="--", linewidth=2)
    curve.set_xticks(places, [str(number) for number in numbers])
    curve.set(xlabel=axis, ylabel="test accuracy", ylim=(None, 1.02))
    percent_axis(curve.yaxis)
    curve.set_title("Accuracy (dashed: 32 bits)")
    return fig


@applied()
def members(weight: np.ndarray, rows: int = 40):
    """The first rows of a matrix with few values, one colour per value, and the table of values.

    Raises ValueError for more values than colours.
    """
    values, which = np.unique(weight, return_inverse=True)
    if len(values) > len(CLUSTER_COLORS):
        raise ValueError(f"members: {len(values)} values, but only {len(CLUSTER_COLORS)} colours; use fewer clusters")
    fig = figure(width=9, height=6)
    (ax,) = fig.axes
    _draw_clusters(ax, which.reshape(weight.shape)[:rows], values)
    ax.set_title("Stored: an index per weight, and the table of values")
    return fig


def _draw_clusters(ax, members, values):
    """Draw a matrix in the colours of its clusters, with the table of their values beside it."""
    from matplotlib.colors import ListedColormap

    colors = CLUSTER_COLORS[: len(values)]
    ax.imshow(members, cmap=ListedColormap(colors), vmin=-0.5, vmax=len(values) - 0.5, aspect="auto")
    ax.set(xlabel="neuron", ylabel="input", xticks=[], yticks=[])
    ax.grid(False)
    for i, (value, color) in enumerate(zip(values, colors, strict=True)):
        y = 0.72 - 0.13 * i
        ax.annotate(
            "■", (1.06, y), xycoords="axes fraction", color=color, fontsize=26, va="center", annotation_clip=False
        )
        code = f"{i:0{max(1, (len(values) - 1).bit_length())}b}"
        ax.annotate(f"{code}   {value:+.3f}", (1.15, y), xycoords="axes fraction", fontsize=16, va="center")
    ax.annotate("stored", (1.15, 0.85), xycoords="axes fraction", fontsize=14, color=COLORS["ideal"])


@applied()
def drawn_together(weights: np.ndarray, start: np.ndarray, values: np.ndarray):
    """A histogram of a layer's weights while they are pulled, over that at the start; values: lines where they are pulled to."""
    fig = figure(width=11, height=5)
    (ax,) = fig.axes
    reach = np.percentile(np.abs(start), 99.5)
    edges = np.linspace(-reach, reach, 82)
    ax.hist(weights.ravel(), edges, color=COLORS["claim"])
    ax.hist(start.ravel(), edges, histtype="step", color=COLORS["ideal"], linewidth=2)
    for value in values:
        ax.axvline(value, color=COLORS["rival"], linewidth=1.5, linestyle="--")
    ax.set(xlabel="weight", ylabel="weights of this layer", xlim=(-reach, reach))
    ax.set_title("Blue: now. Grey: before the pull. Dashed: the values of the groups")
    return fig


@applied()
def code_tree(weight: np.ndarray):
    """The tree of Huffman's code for the nonzero values of a matrix; zeros are stored as gaps."""
    values, counts = np.unique(weight[weight != 0], return_counts=True)
    fig = figure(width=13, height=6)
    (ax,) = fig.axes
    _draw_tree(ax, huffman_code(counts), counts, values)
    fixed = max(1, int(len(values) - 1).bit_length())
    ax.set_title(
        f"Bits per weight: {fixed} in a fixed-length code, {huffman_bits(counts):.2f} in Huffman's, "
        f"at least {entropy(counts):.2f} (entropy)"
    )
    return fig


@applied()
def bytes_of(file: bytes, parts):
    """Every byte of a .tcz file as a square, coloured by what it is for. parts: from `tcz.inspect`."""
    from .bytes_drawn import draw_bytes

    fig = figure(width=7, height=8.4)
    fig.axes[0].set_anchor("N")  # the legend below needs the room
    draw_bytes(fig.axes[0], file, [[p.array, p.kind, p.offset, p.nbytes] for p in parts])
    (ax,) = fig.axes
    ax.set_anchor("N")
    for text in ax.texts:  # they stand in the room that the squares leave
        text.set_in_layout(False)
    return fig


def _draw_features(ax, weight, image_shape, reach):
    """Draw the incoming weights of the first neurons as images in a square grid: blue below 0, red above."""
    height, width, channels = image_shape
    side = int(np.sqrt(SHOWN))
    images = weight.T[:SHOWN].reshape(SHOWN, height, width, channels).sum(-1)
    framed = np.pad(images, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    sheet = framed.reshape(side, side, height + 1, width + 1).swapaxes(1, 2).reshape(side * (height + 1), -1)
    ax.imshow(sheet[:-1, :-1], cmap="RdBu_r", vmin=-reach, vmax=reach)
    ax.set_axis_off()
