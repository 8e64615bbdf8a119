"""Your own machine.

It computes at most {giga} billion MACs per second, and moves at most {bandwidth} billion bytes per second. A layer maps
{channels} channels to {channels} channels on {size} × {size} pixels with a {kernel} × {kernel} kernel. By your `layer_times`, how
many times as fast as the standard layer is the separable one? (It has only 1 / {channels} + 1 / {kernel}² of the weights. Does
the clock agree?)
"""

POINTS = 2
NUMBERS = {
    "giga": range(20, 200),
    "bandwidth": range(5, 40),
    "channels": range(16, 300),
    "size": range(7, 57),
    "kernel": (3, 5, 7),
}


def answer(exercise, giga, bandwidth, channels, size, kernel):
    """A ratio of two times."""
    standard, separable = exercise.layer_times(channels, kernel, size, giga * 1e9, bandwidth * 1e9)
    return standard / separable
