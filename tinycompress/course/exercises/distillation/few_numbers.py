"""A teacher in a few numbers per image (25 minutes, 5 points).

A teacher that is asked once, and whose answers are stored, need not run while its students learn. But for a thousand classes
an answer takes a thousand numbers, and with a million images that is more than the images themselves. Almost all of these
probabilities are nearly 0. So store only the k largest, and spread what is left evenly over the other classes (Shen & Xing
2021 do this for ImageNet):

    probabilities   0.70  0.02  0.20  0.05  0.03       k = 2: the classes 0, 2 with 0.70, 0.20; the rest is 0.10
    restored        0.70  0.033 0.20  0.033 0.033      three classes share 0.10

What is lost is measured by the Kullback-Leibler divergence, the bits by which a code for the restored probabilities is longer
than one for the true ones:  KL = sum over the classes of p log2(p / q).
"""

import numpy as np


def store(p: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(classes, values): for each image the k most likely classes, most likely first, and their probabilities.

    p: (N, classes), rows with the sum 1; 1 <= k <= classes. classes: uint16 (N, k); values: float16 (N, k). Of equally likely
    classes the smaller number comes first.
    """
    ### BEGIN SOLUTION
    order = np.argsort(-p, axis=1, kind="stable")[:, :k]
    return order.astype(np.uint16), np.take_along_axis(p, order, axis=1).astype(np.float16)
    ### END SOLUTION


def restore(classes: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """The probabilities, float64 (N, count), from what `store` returned; `count` is the number of classes.

    What the stored values leave of 1 is spread evenly over the other classes. In float16 their sum may be slightly above 1:
    then nothing is left. If all classes are stored, there are no others, and the rest is dropped.
    """
    ### BEGIN SOLUTION
    values = values.astype(np.float64)
    others = count - classes.shape[1]
    rest = np.maximum(1 - values.sum(1, keepdims=True), 0) / max(1, others)
    p = np.repeat(rest, count, axis=1)
    np.put_along_axis(p, classes.astype(np.int64), values, axis=1)
    return p
    ### END SOLUTION


def lost_bits(p: np.ndarray, q: np.ndarray) -> float:
    """The mean over the images of KL in bits. p, q: (N, classes), q above 0 wherever p is. 0 log 0 counts as 0."""
    ### BEGIN SOLUTION
    there = p > 0
    ratio = np.divide(p, q, out=np.ones(p.shape), where=there)
    return float((p * np.log2(ratio)).sum(1).mean())
    ### END SOLUTION


def stored_bytes(images: int, classes: int, k: int) -> tuple[int, int]:
    """(bytes of all probabilities in float32, bytes of what `store` returns)."""
    ### BEGIN SOLUTION
    return 4 * images * classes, 4 * images * k
    ### END SOLUTION
