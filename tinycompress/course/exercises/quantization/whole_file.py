"""From a layer to a file, and back (1 hour, 12 points).

Deep compression (Han et al. 2016) is a chain: remove the small weights, let the others share a few values, code the frequent
ones in few bits, and write it all into a file. Each link is short. What makes it worth something is the file: its bytes are
all that is needed, so that whoever reads them gets the layer back, exactly as it was written.

The file's bytes are, in this order:

    4 bytes     rows and columns of the weight, each as a little-endian uint16
    1 byte      k, the number of values, 1 to 255
    4 k bytes   the values, as little-endian float32
    k bytes     the lengths of their codes in bits, 0 for a value that does not occur
    the rest    the codes of all weights, row by row, from the highest bit of a byte down, filled up with zeros

The codes are canonical: shorter codes come first; among equal lengths the smaller symbol comes first; the first code is all
zeros, and each next one is the previous one plus 1, with zeros appended up to its own length. Lengths of 1, 2 and 2 thus give
0, 10 and 11.

Each function is graded by itself. At the end the grader runs your whole chain on layers that it draws, puts the solution's
link in the place of one that fails, and compares bytes and error with those of the solution.
"""

import numpy as np


def prune(weight: np.ndarray, share: float) -> np.ndarray:
    """A copy of weight, (rows, columns), in which the int(share * size) weights of smallest magnitude are 0.

    Of equal magnitudes, the one that comes first, row by row, goes first. 0 <= share <= 1. The dtype stays.
    """
    ### BEGIN SOLUTION
    pruned = weight.flatten()
    pruned[np.argsort(np.abs(pruned), kind="stable")[: int(share * weight.size)]] = 0
    return pruned.reshape(weight.shape)
    ### END SOLUTION


def cluster(weight: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(values, symbols): values float32 (k,), of which the first is exactly 0 and stands for the weights that are 0.

    The other k - 1 values are centroids of the weights that are not 0: begin with k - 1 values from the smallest to the
    largest of these weights, evenly spaced (np.linspace), and improve them by 20 rounds of k-means: each weight goes to the
    nearest centroid, the first of equally near ones, and each centroid becomes the mean of its weights, or stays if it has
    none. symbols: int64, the shape of weight: 0 for a 0, otherwise 1 + the number of the nearest centroid after the last
    round. k >= 2. A weight of zeros only has the values 0, in all k places. Compute in float64, and round to float32 at the end.
    """
    ### BEGIN SOLUTION
    there = weight != 0
    some = weight[there].astype(np.float64)
    symbols = np.zeros(weight.shape, np.int64)
    if not len(some):
        return np.zeros(k, np.float32), symbols
    centroids = np.linspace(some.min(), some.max(), k - 1)
    for _ in range(20):
        nearest = np.abs(some[:, None] - centroids).argmin(1)
        counts = np.bincount(nearest, minlength=k - 1)
        sums = np.bincount(nearest, some, k - 1)
        centroids = np.where(counts > 0, sums / np.maximum(counts, 1), centroids)
    symbols[there] = 1 + np.abs(some[:, None] - centroids).argmin(1)
    return np.append(0, centroids).astype(np.float32), symbols
    ### END SOLUTION


### BEGIN SOLUTION


def _canonical(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        code <<= length - before
        codes[symbol], before = format(code, f"0{length}b"), length
        code += 1
    return codes


def _huffman(counts):
    lengths = [0] * len(counts)
    trees = [(int(n), [s]) for s, n in enumerate(counts) if n]
    for _, single in trees if len(trees) == 1 else ():
        lengths[single[0]] = 1
    while len(trees) > 1:
        trees.sort(key=lambda tree: -tree[0])
        (a, left), (b, right) = trees.pop(), trees.pop()
        for symbol in left + right:
            lengths[symbol] += 1
        trees.append((a + b, left + right))
    return lengths


### END SOLUTION


def write(values: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """The file, uint8 (bytes,), with a Huffman code for the symbols: no prefix code may need fewer bits in all.

    values: float32 (k,); symbols: integers (rows, columns), 0 to k - 1. If only one symbol occurs, its code has one bit.
    """
    ### BEGIN SOLUTION
    lengths = _huffman(np.bincount(symbols.ravel(), minlength=len(values)))
    codes = _canonical(lengths)
    bits = np.array([int(bit) for s in symbols.ravel() for bit in codes[s]], np.uint8)
    head = (
        np.array(symbols.shape, "<u2").tobytes()
        + bytes([len(values)])
        + values.astype("<f4").tobytes()
        + bytes(lengths)
    )
    return np.append(np.frombuffer(head, np.uint8), np.packbits(bits))
    ### END SOLUTION


def read(file: np.ndarray) -> np.ndarray:
    """The weight, float32 (rows, columns), from the bytes of a file, uint8 (bytes,).

    Raises ValueError if the file ends too early: within its head or within the codes.
    """
    ### BEGIN SOLUTION
    data = file.tobytes()
    k = data[4] if len(data) > 4 else 0
    if len(data) < 5 + 5 * k or not k:
        raise ValueError(f"a file of {len(data)} bytes ends within its head")
    rows, columns = (int(n) for n in np.frombuffer(data[:4], "<u2"))
    values, lengths = np.frombuffer(data[5 : 5 + 4 * k], "<f4"), list(data[5 + 4 * k : 5 + 5 * k])
    symbol_of = {code: s for s, code in enumerate(_canonical(lengths)) if code}
    symbols, begun = [], ""
    for bit in np.unpackbits(file[5 + 5 * k :]):
        if len(symbols) == rows * columns:
            break
        begun += str(bit)
        if begun in symbol_of:
            symbols.append(symbol_of[begun])
            begun = ""
    if len(symbols) < rows * columns:
        raise ValueError(f"the file holds {len(symbols)} of {rows * columns} weights")
    return values[np.array(symbols, np.int64)].reshape(rows, columns)
    ### END SOLUTION
