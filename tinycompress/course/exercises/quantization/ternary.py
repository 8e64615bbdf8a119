"""Three values and 1.6 bits (45 minutes, 12 points).

A ternary weight is -a, 0 or +a, with one scale a for each output channel (Li & Liu 2016). Which weights should be 0? The
lecture takes those below 0.7 times the mean magnitude, which is a rule of thumb. The best choice can be computed: if the m
largest magnitudes of a channel are kept, the best a is their mean, and what the squared error then loses is

    (their sum)**2 / m

so the best m is the one where this is largest. With the weights 4, -3, 1: 16 for m = 1, 24.5 for m = 2, 21.3 for m = 3.
So 4 and -3 are kept, with a = 3.5.

Three values carry log2(3) = 1.58 bits. Five of them fit into a byte, as 3**5 = 243: write t = sign + 1, which is 0, 1 or
2, and the byte is t0 + 3 t1 + 9 t2 + 27 t3 + 81 t4. The signs 1, -1, 0, 0, 1 make 2 + 0 + 9 + 27 + 162 = 200.
"""

import numpy as np


def ternarize(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The signs and scales of least squared error: signs int8 of the weight's shape, scales float64 (channels,).

    weight: (inputs, channels). Of equal magnitudes the earlier input is kept; of equally good m the smallest is taken. A
    channel of zeros has the scale 0 and the signs 0.
    """
    ### BEGIN SOLUTION
    size = np.abs(weight).astype(np.float64)
    order = np.argsort(-size, axis=0, kind="stable")
    sums = np.cumsum(np.take_along_axis(size, order, axis=0), axis=0)
    counts = np.arange(1, len(weight) + 1)[:, None]
    most = (sums**2 / counts).argmax(0)
    kept = np.zeros(weight.shape, bool)
    np.put_along_axis(kept, order, np.arange(len(weight))[:, None] <= most, axis=0)
    return (np.sign(weight) * kept).astype(np.int8), sums[most, np.arange(weight.shape[1])] / (most + 1)
    ### END SOLUTION


def pack(signs: np.ndarray) -> np.ndarray:
    """Five signs a byte, as above: uint8, (count / 5, rounded up). signs: (count,) of -1, 0, 1.

    Where the last byte has fewer than five, signs of 0 fill it up.
    """
    ### BEGIN SOLUTION
    filled = np.zeros(-(-len(signs) // 5) * 5, np.int64)
    filled[: len(signs)] = signs
    return ((filled.reshape(-1, 5) + 1) @ 3 ** np.arange(5)).astype(np.uint8)
    ### END SOLUTION


def unpack(packed: np.ndarray, count: int) -> np.ndarray:
    """The first `count` signs, int8 (count,), of bytes that `pack` made.

    Raises ValueError for bytes that hold fewer, and for a byte above 242, which no five signs make.
    """
    ### BEGIN SOLUTION
    if len(packed) * 5 < count or (packed > 242).any():
        raise ValueError(f"these {len(packed)} bytes are not {count} signs")
    digits = packed.astype(np.int64)[:, None] // 3 ** np.arange(5) % 3
    return (digits.ravel()[:count] - 1).astype(np.int8)
    ### END SOLUTION
