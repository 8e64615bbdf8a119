"""Plausible wrong answers to break_even, and how many of the 10 points each earns."""

import math

from tinycompress.course import wrong


@wrong("least_outputs", points=6, why="asks for strictly less than the share, not at most")
def strictly_below(kernel, numerator, denominator):
    slack = numerator * kernel**2 - denominator
    return denominator * kernel**2 // slack + 1 if slack > 0 else None


@wrong("least_outputs", points=9, why="does not check the sign of what it divides by")
def negative_outputs(kernel, numerator, denominator):
    slack = numerator * kernel**2 - denominator
    return math.ceil(denominator * kernel**2 / slack) if slack else 0


@wrong("layer_times", points=6, why="counts only the MACs")
def macs_alone(channels, kernel, size, peak, bandwidth):
    pixels = size * size
    return kernel**2 * channels**2 * pixels / peak, (kernel**2 * channels + channels**2) * pixels / peak


@wrong("pays_from", points=9, why="returns 0 if it never pays")
def zero_for_never(kernel, size, peak, bandwidth, speedup, most):
    pixels = size * size

    def seconds(weights, channels):
        return max(weights * pixels / peak, 4 * (2 * channels * pixels + weights) / bandwidth)

    first = 0
    for c in range(most, 0, -1):
        if seconds(kernel**2 * c**2, c) < speedup * (seconds(kernel**2 * c, c) + seconds(c**2, c)):
            break
        first = c
    return first
