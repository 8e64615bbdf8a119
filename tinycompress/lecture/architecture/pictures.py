"""Pictures of chapter 4: what a convolution reads, what a separable one saves, and a layer at low rank."""

import numpy as np

from ...architecture import channel_jacobian, jacobian, separable_share
from ...nn import Module
from ...nn.weighted import effective
from ...workshop.style import COLORS, applied, corner_note, figure, label_end, percent_axis
from ..quantization.pictures import SHOWN, _draw_features


@applied()
def reads(name: str, layer: Module, x: np.ndarray):
    """The pixels and channels that a layer's outputs read. x: the image (H, W, C) at which derivatives are taken."""
    pixels = np.abs(jacobian(layer, x))  # (H', W', outputs, H, W, C)
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].sum((0, 3))
    channels = channel_jacobian(layer, x)
    fig = figure(ncols=2, width=12, height=4.6)
    plane, matrix = fig.axes
    plane.imshow(middle > 0, cmap="Blues", vmin=0, vmax=1.4)
    plane.set_title(f"{name}: reads {int((middle > 0).sum())} of {middle.size} pixels")
    plane.plot(pixels.shape[1] // 2, pixels.shape[0] // 2, "o", color=COLORS["rival"], markersize=14)
    plane.set(xlabel="column of the image", ylabel="row", xticks=[], yticks=[])
    matrix.imshow(channels > 0, cmap="Blues", vmin=0, vmax=1.4)
    matrix.set(xlabel="input channel", ylabel="output channel", xticks=[], yticks=[])
    matrix.set_title(f"and {int((channels > 0).sum(1).max())} of {channels.shape[1]} channels")
    for ax in fig.axes:
        ax.grid(False)
    fig.suptitle(f"{sum(p.size for p in layer.parameters()):,} weights", fontsize=17)
    return fig


@applied()
def savings(measured: dict[int, dict[str, float]], chosen: int, machine: str, kernel: int = 3):
    """A separable convolution's weights and time as shares of the standard one's, over channels.

    measured: channels (both input and output) -> {"standard": ms, "separable": ms}. chosen: the channels to mark.
    """
    fig = figure(width=11, height=5.4)
    (ax,) = fig.axes
    channels = list(measured)
    shares = {
        "weights, multiplications": ([float(separable_share(c, kernel)) for c in channels], "ideal"),
        "the clock": ([measured[c]["separable"] / measured[c]["standard"] for c in channels], "claim"),
    }
    place = channels.index(chosen)
    for label, (values, role) in shares.items():
        ax.plot(range(len(channels)), values, color=COLORS[role], marker="o")
        ax.plot(place, values[place], "o", color=COLORS[role], markersize=17)
        label_end(ax, [(0, values[0]), (len(channels) - 1, values[-1])], label, COLORS[role])
    time = shares["the clock"][0][place]  # the title has the weights
    last = place == len(channels) - 1  # where the curves' names stand to the right
    aside = {"xytext": (-4, 12), "ha": "right"} if last else {"xytext": (9, 9)}
    ax.annotate(f"{100 * time:.0f} %", (place, time), textcoords="offset points", **aside)
    ax.axhline(1, color=COLORS["reference"], linewidth=1.5)
    ax.set_xticks(range(len(channels)), [str(c) for c in channels])
    ax.set(xlabel="input and output channels", ylabel="share of the standard convolution", ylim=(0, None))
    percent_axis(ax.yaxis)
    ax.set_title(f"1/{chosen} + 1/{kernel}² = {100 * float(separable_share(chosen, kernel)):.1f} % of the weights")
    corner_note(fig, machine)
    return fig


@applied()
def low_rank(weight: np.ndarray, rank: int, accuracies: dict[str, dict[int, float]], image_shape, whole: float):
    """A dense layer at low rank: its singular values, its neurons as images, and accuracy over rank.

    weight: (inputs, outputs); the inputs are pixels. accuracies: arm -> rank -> accuracy (0 to 1). whole: the accuracy of
    the net that is not factorised.
    """
    fig = figure(nrows=2, ncols=2, width=13, height=9.5, width_ratios=(1.25, 1))
    spectrum, first, curve, second = fig.axes
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    near = (u[:, :rank] * s[:rank]) @ vt[:rank]
    spectrum.bar(range(1, len(s) + 1), s, color=[COLORS["claim" if k < rank else "ideal"] for k in range(len(s))])
    kept = (s[:rank] ** 2).sum() / (s**2).sum()
    spectrum.set(xlabel="direction", ylabel="singular value")
    spectrum.set_title(f"{rank} of {len(s)} directions hold {100 * kept:.0f} %")
    for ax, matrix, title in ((first, weight, "as trained"), (second, near, f"rank {rank}")):
        _draw_features(ax, matrix, image_shape, np.percentile(np.abs(weight), 99))
        ax.set_title(f"{SHOWN} neurons, {title}")
    ranks = list(next(iter(accuracies.values())))
    for (name, by_rank), role in zip(accuracies.items(), ("rival", "claim"), strict=True):
        values = [by_rank[k] for k in ranks]
        curve.plot(range(len(ranks)), values, color=COLORS[role], marker="o")
        curve.plot(ranks.index(rank), by_rank[rank], "o", color=COLORS[role], markersize=16)
        label_end(curve, [(0, values[0]), (len(ranks) - 1, values[-1])], name, COLORS[role])
    curve.axhline(whole, color=COLORS["ideal"], linestyle="--", linewidth=2)
    curve.set_xticks(range(len(ranks)), [str(k) for k in ranks])
    curve.set(xlabel="rank K", ylabel="test accuracy", ylim=(None, 1.02))
    percent_axis(curve.yaxis)
    inputs, outputs = weight.shape
    curve.set_title(f"{rank} ({inputs} + {outputs}) = {rank * (inputs + outputs):,} weights, not {weight.size:,}")
    return fig


def weight_of(net: Module, layer: str) -> np.ndarray:
    """The weight that the layer with this dotted name uses."""
    return effective(dict(net.named_modules())[layer], "weight")
