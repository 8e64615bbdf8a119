"""When separable pays (30 minutes, 6 points).

A separable convolution has a share of 1 / outputs + 1 / kernel**2 of a standard one's weights (Howard et al. 2017, section
3.1). So with 3×3 filters the share never falls to 1/9, and with 9 outputs it is still 2/9. How many outputs does a given
share need?

Fewer multiplications do not always take less time. The roofline model (Williams et al. 2009) says how fast a layer can be at
best. Its time is the longer of two: that of computing, MACs / peak, and that of moving data, bytes / bandwidth. A layer reads
its input and its weights once, and writes its output once. Numbers are float32, 4 bytes each. The two parts of a separable
layer, depthwise and pointwise, run one after the other, and each takes the longer of *its own* two times. Here a layer maps C
channels to C channels on S×S pixels, with a k×k kernel and without biases; the number of pixels does not change:

    standard:    k² C² S² MACs;    4 (C S² + k² C² + C S²) bytes
    depthwise:   k² C S² MACs;     4 (C S² + k² C + C S²) bytes
    pointwise:   C² S² MACs;       4 (C S² + C² + C S²) bytes
"""


def least_outputs(kernel: int, numerator: int, denominator: int) -> int | None:
    """The smallest number of outputs at which a separable layer has at most numerator / denominator of a standard one's
    weights; None if no number of outputs is enough.

    All arguments are whole numbers above 0. The answer must be exact: with a 3×3 kernel, the share 2/9 is reached at 9.
    """
    ### BEGIN SOLUTION
    # 1 / o + 1 / k² <= n / d   <=>   d k² <= o (n k² - d)
    slack = numerator * kernel**2 - denominator
    return -(-denominator * kernel**2 // slack) if slack > 0 else None
    ### END SOLUTION


def layer_times(channels: int, kernel: int, size: int, peak: float, bandwidth: float) -> tuple[float, float]:
    """(seconds of the standard layer, seconds of the separable layer), by the model above.

    peak: MACs per second; bandwidth: bytes per second.
    """
    ### BEGIN SOLUTION
    pixels = size * size

    def seconds(weights):
        return max(weights * pixels / peak, 4 * (2 * channels * pixels + weights) / bandwidth)

    standard = seconds(kernel**2 * channels**2)
    return standard, seconds(kernel**2 * channels) + seconds(channels**2)
    ### END SOLUTION


def pays_from(kernel: int, size: int, peak: float, bandwidth: float, speedup: float, most: int) -> int | None:
    """The smallest number of channels, from 1 to `most`, at which the separable layer is at least `speedup` times as fast as
    the standard one; None if there is none.
    """
    ### BEGIN SOLUTION
    for channels in range(1, most + 1):
        standard, separable = layer_times(channels, kernel, size, peak, bandwidth)
        if standard >= speedup * separable:
            return channels
    return None
    ### END SOLUTION
