"""Three values and 1.6 bits (45 minutes, 9 points).

A ternary weight is -a, 0 or +a, with one scale a per output channel (Li & Liu 2016). Which weights should become 0? The
lecture uses a rule of thumb: those below 0.7 times the mean magnitude. But the best choice can be computed. If the m
largest magnitudes of a channel are kept, the best a is their mean, and this reduces the squared error by

    (their sum)**2 / m

compared with all weights at 0. So the best m is the one for which this is largest. For the weights 4, -3, 1 it is 16 for
m = 1, 24.5 for m = 2 and 21.3 for m = 3. So 4 and -3 are kept, with a = 3.5.

A ternary sign carries log2(3) = 1.58 bits. Five of them fit into a byte, because 3**5 = 243 is less than 256: with the digit
t = sign + 1, which is 0, 1 or 2, the byte is t0 + 3 t1 + 9 t2 + 27 t3 + 81 t4. For example, the signs 1, -1, 0, 0, 1 give
2 + 0 + 9 + 27 + 162 = 200.
"""

import numpy as np


def ternarize(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The signs and scales with the least squared error: signs, int8 with the weight's shape; scales, float64 (channels,).

    weight: (inputs, channels). Of equally good m, the smallest is used. A channel of zeros has the scale 0 and the signs 0.
    """
    ### BEGIN SOLUTION
    size = np.abs(weight).astype(np.float64)
    order = np.argsort(-size, axis=0)
    sums = np.cumsum(np.take_along_axis(size, order, axis=0), axis=0)
    counts = np.arange(1, len(weight) + 1)[:, None]
    most = (sums**2 / counts).argmax(0)
    kept = np.zeros(weight.shape, bool)
    np.put_along_axis(kept, order, np.arange(len(weight))[:, None] <= most, axis=0)
    return (np.sign(weight) * kept).astype(np.int8), sums[most, np.arange(weight.shape[1])] / (most + 1)
    ### END SOLUTION


def pack(signs: np.ndarray) -> np.ndarray:
    """Pack five signs per byte, as above: uint8, (count / 5, rounded up). signs: (count,), each -1, 0 or 1.

    If fewer than five signs are left for the last byte, fill it up with signs of 0.
    """
    ### BEGIN SOLUTION
    filled = np.zeros(-(-len(signs) // 5) * 5, np.int64)
    filled[: len(signs)] = signs
    return ((filled.reshape(-1, 5) + 1) @ 3 ** np.arange(5)).astype(np.uint8)
    ### END SOLUTION


def unpack(packed: np.ndarray, count: int) -> np.ndarray:
    """The first `count` signs, int8 (count,), of bytes that `pack` returned.

    Raises ValueError if the bytes hold fewer signs, or a byte is above 242, which `pack` never writes.
    """
    ### BEGIN SOLUTION
    if len(packed) * 5 < count or (packed > 242).any():
        raise ValueError(f"these {len(packed)} bytes are not {count} signs")
    digits = packed.astype(np.int64)[:, None] // 3 ** np.arange(5) % 3
    return (digits.ravel()[:count] - 1).astype(np.int8)
    ### END SOLUTION
