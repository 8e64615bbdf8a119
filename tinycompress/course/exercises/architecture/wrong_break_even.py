"""Plausible wrong answers to break_even, and how many of the 6 points each earns."""

import math

from tinycompress.course import wrong


@wrong("least_outputs", points=5.3, why="asks for strictly less than the share, not at most")
def strictly_below(kernel, numerator, denominator):
    slack = numerator * kernel**2 - denominator
    return denominator * kernel**2 // slack + 1 if slack > 0 else None


@wrong("least_outputs", points=4.9, why="does not check the sign of what it divides by")
def negative_outputs(kernel, numerator, denominator):
    slack = numerator * kernel**2 - denominator
    return math.ceil(denominator * kernel**2 / slack) if slack else 0


@wrong("layer_times", points=4, why="counts only the MACs")
def macs_alone(channels, kernel, size, peak, bandwidth):
    pixels = size * size
    return kernel**2 * channels**2 * pixels / peak, (kernel**2 * channels + channels**2) * pixels / peak


@wrong("layer_times", points=5, why="lets the separable layer take the longer of its two parts' sums")
def one_roofline_for_both(channels, kernel, size, peak, bandwidth):
    pixels, weights = size * size, kernel**2 * channels + channels**2
    moved = 4 * (2 * channels * pixels + kernel**2 * channels**2)
    standard = max(kernel**2 * channels**2 * pixels / peak, moved / bandwidth)
    return standard, max(weights * pixels / peak, 4 * (4 * channels * pixels + weights) / bandwidth)


@wrong("layer_times", points=4, why="forgets that weights are read, too")
def images_alone(channels, kernel, size, peak, bandwidth):
    pixels = size * size

    def seconds(weights):
        return max(weights * pixels / peak, 8 * channels * pixels / bandwidth)

    return seconds(kernel**2 * channels**2), seconds(kernel**2 * channels) + seconds(channels**2)


@wrong("layer_times", points=2.3, why="makes up numbers with which any search for the first one is right")
def made_up(channels, kernel, size, peak, bandwidth):
    return float(channels), 1.0


def _first(good, most, otherwise=None):
    return next((c for c in range(1, most + 1) if good(c)), otherwise)


def _times(channels, kernel, size, peak, bandwidth):
    pixels = size * size

    def seconds(weights):
        return max(weights * pixels / peak, 4 * (2 * channels * pixels + weights) / bandwidth)

    return seconds(kernel**2 * channels**2), seconds(kernel**2 * channels) + seconds(channels**2)


@wrong("pays_from", points=5.3, why="returns 0 if it never pays")
def zero_for_never(kernel, size, peak, bandwidth, speedup, most):
    def good(c):
        standard, separable = _times(c, kernel, size, peak, bandwidth)
        return standard >= speedup * separable

    return _first(good, most, 0)


@wrong("pays_from", points=5.3, why="asks for more than `speedup`, not at least")
def strictly_faster(kernel, size, peak, bandwidth, speedup, most):
    def good(c):
        standard, separable = _times(c, kernel, size, peak, bandwidth)
        return standard > speedup * separable

    return _first(good, most)


@wrong("pays_from", points=5.3, why="stops before `most`")
def without_the_last(kernel, size, peak, bandwidth, speedup, most):
    def good(c):
        standard, separable = _times(c, kernel, size, peak, bandwidth)
        return standard >= speedup * separable

    return _first(good, most - 1)


@wrong("pays_from", points=5.4, why="counts MACs, and not time")
def by_macs(kernel, size, peak, bandwidth, speedup, most):
    return _first(lambda c: kernel**2 * c >= speedup * (kernel**2 + c), most)


@wrong("least_outputs", points=5.5, why="divides in floats, which round before `ceil` does")
def rounded_quotient(kernel, numerator, denominator):
    gain = numerator * kernel**2 - denominator
    return math.ceil(denominator * kernel**2 / gain) if gain > 0 else None
