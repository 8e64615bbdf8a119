"""Plausible wrong answers to break_even, and what each is worth of the 10 points."""

import math

from tinycompress.course import wrong


@wrong("least_outputs", points=6, why="strictly below the share, not at most")
def strictly_below(kernel, numerator, denominator):
    slack = numerator * kernel**2 - denominator
    return denominator * kernel**2 // slack + 1 if slack > 0 else None


@wrong("least_outputs", points=9, why="divides by the share that is left, also if it is negative")
def negative_outputs(kernel, numerator, denominator):
    slack = numerator * kernel**2 - denominator
    return math.ceil(denominator * kernel**2 / slack) if slack else 0


@wrong("layer_times", points=6, why="MACs alone")
def macs_alone(channels, kernel, size, peak, bandwidth):
    pixels = size * size
    return kernel**2 * channels**2 * pixels / peak, (kernel**2 * channels + channels**2) * pixels / peak


@wrong("pays_from", points=9, why="0 where it never pays")
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
