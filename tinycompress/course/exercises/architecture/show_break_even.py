"""# Multiplications, and time

How much faster than a standard layer can a separable 3×3 layer be, by your `layer_times`? The images have 14×14 pixels, and
the core computes 30 billion MACs per second and moves 10 billion bytes per second. Dashed: what the number of
multiplications promises. The dots are where your `pays_from` says that it becomes 1.5, 2, 3 and 4 times as fast.

Look for how far your line lies below the dashed one where there are few channels: there moving data takes the time,
and two layers move more than one.
"""

from tinycompress.workshop import style

CHANNELS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MACHINE = (3e10, 1e10)  # MACs and bytes per second
SPEEDUPS = (1.5, 2, 3, 4)


def measure(exercise):
    """Speedups by the model, and the channels at which four of them are reached."""
    times = [exercise.layer_times(c, 3, 14, *MACHINE) for c in CHANNELS]
    return {
        "speedup": [standard / separable for standard, separable in times],
        "from": [exercise.pays_from(3, 14, *MACHINE, speedup, 600) for speedup in SPEEDUPS],
    }


def draw(yours, reference):
    """Plot speedup over channels."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(CHANNELS, [1 / (1 / c + 1 / 9) for c in CHANNELS], "--", color="0.6", label="by multiplications")
        ax.plot(CHANNELS, reference["speedup"], color="0.2", lw=7, alpha=0.3, label="the solution's model")
        ax.plot(CHANNELS, yours["speedup"], label="your model")
        dots = [(c, s) for c, s in zip(yours["from"], SPEEDUPS, strict=True) if c is not None]
        if dots:
            ax.plot(*zip(*dots, strict=True), "o", color=style.COLORS["rival"], label="your pays_from")
        ax.set(xlabel="channels", ylabel="times as fast", xscale="log")
        ax.set_xticks(CHANNELS[::2], [str(c) for c in CHANNELS[::2]])
        ax.legend()
    return fig
