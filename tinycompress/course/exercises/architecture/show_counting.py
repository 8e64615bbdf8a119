"""# Where the cost of a net goes

Your `total` counts the cost of the lecture's net with two 3×3 convolutions on 28×28 images, at several widths, with standard
and with separable convolutions. Left: weights. Right: multiply-accumulates. Nothing is trained, and you already know which
net will be small.

Look for the distance between the two lines, which grows with the width: a standard layer from C to O channels has k²
C O weights, a separable one only (k² + O) C.
"""

from tinycompress.workshop import style

WIDTHS = (4, 8, 16, 32, 64)


def net(kind, width):
    """A standard convolution that reads the image, then a convolution of this kind, each with pooling, and a dense layer."""
    conv = {"kind": "conv", "kernel": 3, "stride": 1, "padding": 1, "outputs": width, "bias": False}
    pool = {"kind": "pool", "size": 2}
    second = {**conv, "kind": kind, "outputs": 2 * width}
    return [conv, pool, second, pool, {"kind": "flatten"}, {"kind": "dense", "outputs": 10, "bias": True}]


def measure(exercise):
    """(weights, MACs) for each width, in thousands."""
    found = {}
    for kind in "conv", "separable":
        found[kind] = [[n / 1000 for n in exercise.total(net(kind, width), (28, 28, 1))] for width in WIDTHS]
    return found


def draw(yours, reference):
    """Plot weights and MACs over width."""
    with style.applied():
        fig = style.figure(ncols=2)
        for i, (ax, what) in enumerate(zip(fig.axes, ("weights", "MACs per image"), strict=True)):
            for kind, label, color in (("conv", "standard", "rival"), ("separable", "separable", "claim")):
                ax.plot(WIDTHS, [n[i] for n in reference[kind]], color="0.2", lw=7, alpha=0.3)
                ax.plot(WIDTHS, [n[i] for n in yours[kind]], "o-", color=style.COLORS[color], label=f"{label}, by you")
            ax.plot([], [], color="0.2", lw=7, alpha=0.3, label="the solution")
            ax.set(xlabel="channels of the first layer", ylabel=f"{what} (thousands)", yscale="log")
        fig.axes[0].legend()
    return fig
