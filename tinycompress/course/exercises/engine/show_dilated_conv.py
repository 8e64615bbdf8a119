"""# How far a pixel is heard

An image with a single bright pixel passes through five layers with 3 x 3 kernels of equal weights, computed by your
`forward`. Above, all layers have dilation 1; below, they have dilations 1, 2, 4, … The curves show, after each layer, which
outputs depend on the bright pixel. The number beside a curve is your `receptive_field`: how many outputs in a row it should be.

Look for how the width of the curves grows from layer to layer: by the same number of pixels above, doubling below.
Gaps within a curve would be pixels that nothing has heard.
"""

import numpy as np

from tinycompress.workshop import style

SIZE, LAYERS = 129, 5


def measure(exercise):
    """The row of outputs through the bright pixel after each layer, and the student's `receptive_field`."""
    found = {}
    for name, dilations in ("all 1", [1] * LAYERS), ("1, 2, 4, …", [2**k for k in range(LAYERS)]):
        x = np.zeros((1, SIZE, SIZE, 1))
        x[0, SIZE // 2, SIZE // 2, 0] = 1
        w, rows = np.full((3, 3, 1, 1), 1 / 9), []
        for layer, d in enumerate(dilations, 1):
            x = exercise.forward(x, w, d, exercise.output_size(*x.shape[1:3], (3, 3), d))
            row = x[0, x.shape[1] // 2, :, 0]
            pad = (SIZE - len(row)) // 2
            rows.append(
                {
                    "row": np.pad(row / row.max(), pad).tolist(),
                    "field": int(exercise.receptive_field(3, dilations[:layer])),
                }
            )
        found[name] = rows
    return found


def draw(yours, reference):
    """Plot the rows of outputs, layer by layer."""
    with style.applied():
        fig = style.figure(1, len(yours))
        places = np.arange(SIZE) - SIZE // 2
        for ax, (name, rows) in zip(fig.axes, yours.items(), strict=True):
            for layer, row in enumerate(rows):
                expected = np.array(reference[name][layer]["row"])
                ax.fill_between(places, layer, layer + 0.8 * expected, color="0.2", alpha=0.25, lw=0)
                ax.plot(places, layer + 0.8 * np.array(row["row"]), lw=1)
                ax.text(SIZE // 2, layer + 0.1, f"{row['field']} pixels", ha="right")
            ax.set(title=f"dilation {name}", ylabel="layer", yticks=range(LAYERS), yticklabels=range(1, LAYERS + 1))
        fig.axes[-1].set_xlabel("position in the row (pixels); the solution is grey")
    return fig
