"""When separable pays (30 minutes, 10 points).

A separable convolution has 1 / outputs + 1 / kernel**2 of a standard one's weights (Howard et al. 2017, section 3.1). So 3×3
filters never come below 1/9, and with 9 outputs they still have 2/9. From how many outputs on is a given share reached?

Fewer multiplications are not always less time. The roofline model (Williams et al. 2009) says how fast a layer can be at
best: it takes the longer of computing, MACs / peak, and moving its bytes, bytes / bandwidth. A layer reads its input and
its weights once, and writes its output once; numbers are float32, 4 bytes. The two parts of a separable layer run one after
the other, and each takes the longer of *its own* two times. Here layers are C channels to C channels, kernel k×k, on S×S
pixels that keep their size, without biases:

    standard:    k² C² S² MACs;    4 (C S² + k² C² + C S²) bytes
    depthwise:   k² C S² MACs;     4 (C S² + k² C + C S²) bytes
    pointwise:   C² S² MACs;       4 (C S² + C² + C S²) bytes
"""


def least_outputs(kernel: int, numerator: int, denominator: int) -> int | None:
    """The smallest number of outputs at which a separable layer has at most numerator / denominator of the standard one's
    weights; None if there is none.

    All are whole numbers above 0, and the answer is exact: a share of 2/9 of a 3×3 layer begins at 9.
    """
    ### BEGIN SOLUTION
    # 1 / o + 1 / k² <= n / d   <=>   d k² <= o (n k² - d)
    slack = numerator * kernel**2 - denominator
    return -(-denominator * kernel**2 // slack) if slack > 0 else None
    ### END SOLUTION


def layer_times(channels: int, kernel: int, size: int, peak: float, bandwidth: float) -> tuple[float, float]:
    """(seconds of the standard layer, seconds of the separable one), by the model above.

    peak: MACs a second; bandwidth: bytes a second.
    """
    ### BEGIN SOLUTION
    pixels = size * size

    def seconds(weights):
        return max(weights * pixels / peak, 4 * (2 * channels * pixels + weights) / bandwidth)

    standard = seconds(kernel**2 * channels**2)
    return standard, seconds(kernel**2 * channels) + seconds(channels**2)
    ### END SOLUTION


def pays_from(kernel: int, size: int, peak: float, bandwidth: float, speedup: float, most: int) -> int | None:
    """The smallest number of channels, from 1 to `most`, from which on the separable layer is at least `speedup` times as
    fast as the standard one for *all* numbers up to `most`; None if there is none.
    """
    ### BEGIN SOLUTION
    first = None
    for channels in range(most, 0, -1):
        standard, separable = layer_times(channels, kernel, size, peak, bandwidth)
        if standard < speedup * separable:
            break
        first = channels
    return first
    ### END SOLUTION
