"""Plausible wrong answers to whole_file, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("prune", points=10.8, why="keeps what is above a threshold, so that equals stay or go together")
def by_threshold(weight, share):
    threshold = np.sort(np.abs(weight), axis=None)[max(0, int(share * weight.size) - 1)]
    return np.where(np.abs(weight) > threshold, weight, 0).astype(weight.dtype) if int(share * weight.size) else weight


@wrong("prune", points=9.1, why="removes the smallest values, not the smallest magnitudes")
def smallest_values(weight, share):
    pruned = weight.flatten()
    pruned[np.argsort(pruned, kind="stable")[: int(share * weight.size)]] = 0
    return pruned.reshape(weight.shape)


@wrong("cluster", points=9.3, why="lets the zeros take part, so that no value is exactly 0")
def zeros_too(weight, k):
    flat = weight.ravel().astype(np.float64)
    centroids = np.linspace(flat.min(), flat.max(), k)
    for _ in range(20):
        nearest = np.abs(flat[:, None] - centroids).argmin(1)
        counts = np.bincount(nearest, minlength=k)
        centroids = np.where(counts > 0, np.bincount(nearest, flat, k) / np.maximum(counts, 1), centroids)
    return centroids.astype(np.float32), np.abs(weight[..., None] - centroids).argmin(-1)


def clustered(weight, k, rounds, again=True):
    there = weight != 0
    some, symbols = weight[there].astype(np.float64), np.zeros(weight.shape, np.int64)
    if not len(some):
        return np.zeros(k, np.float32), symbols
    centroids = np.linspace(some.min(), some.max(), k - 1)
    for _ in range(rounds):
        nearest = np.abs(some[:, None] - centroids).argmin(1)
        counts = np.bincount(nearest, minlength=k - 1)
        centroids = np.where(counts > 0, np.bincount(nearest, some, k - 1) / np.maximum(counts, 1), centroids)
    symbols[there] = 1 + np.abs(some[:, None] - centroids).argmin(1)
    return np.append(0, centroids).astype(np.float32), symbols


@wrong("cluster", points=8.5, why="leaves the values evenly spaced")
def evenly_spaced(weight, k):
    return clustered(weight, k, 0)


@wrong("cluster", points=11.4, why="fails where all weights are 0")
def not_of_nothing(weight, k):
    if not weight.any():
        raise IndexError
    return clustered(weight, k, 20)


def canonical(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        code <<= length - before
        codes[symbol], before = format(code, f"0{length}b"), length
        code += 1
    return codes


def head(values, symbols, lengths, shape="<u2", k=None):
    parts = (
        np.array(symbols.shape, shape).tobytes(),
        bytes([len(values)]),
        values.astype("<f4").tobytes(),
        bytes(lengths),
    )
    return np.frombuffer(b"".join(parts), np.uint8)


def tail(symbols, codes):
    return np.packbits(np.array([int(bit) for s in symbols.ravel() for bit in codes[s]], np.uint8))


def fixed(values, symbols):
    """Lengths of a code in which all symbols that occur have as many bits."""
    occur = np.bincount(symbols.ravel(), minlength=len(values)) > 0
    return [max(1, int(np.ceil(np.log2(occur.sum())))) if there else 0 for there in occur]


def huffman(counts):
    lengths = [0] * len(counts)
    trees = [(int(n), [s]) for s, n in enumerate(counts) if n]
    if len(trees) == 1:
        lengths[trees[0][1][0]] = 1
    while len(trees) > 1:
        trees.sort(key=lambda tree: -tree[0])
        (a, left), (b, right) = trees.pop(), trees.pop()
        for symbol in left + right:
            lengths[symbol] += 1
        trees.append((a + b, left + right))
    return lengths


def best(values, symbols):
    return huffman(np.bincount(symbols.ravel(), minlength=len(values)))


@wrong("write", points=8.6, why="gives all symbols codes of equal length")
def equal_lengths(values, symbols):
    lengths = fixed(values, symbols)
    return np.append(head(values, symbols, lengths), tail(symbols, canonical(lengths)))


@wrong("write", points=8.05, why="writes the shape in the other byte order")
def big_endian(values, symbols):
    lengths = best(values, symbols)
    return np.append(head(values, symbols, lengths, ">u2"), tail(symbols, canonical(lengths)))


@wrong("write", points=9.65, why="uses codes that are Huffman's, but not the canonical ones")
def not_canonical(values, symbols):
    lengths = best(values, symbols)
    flipped = [code.translate(str.maketrans("01", "10")) for code in canonical(lengths)]
    return np.append(head(values, symbols, lengths), tail(symbols, flipped))


@wrong("write", points=9.65, why="writes the weights column by column")
def by_columns(values, symbols):
    lengths = best(values, symbols)
    return np.append(head(values, symbols, lengths), tail(symbols.T, canonical(lengths)))


def parsed(file, complete=True):
    data = file.tobytes()
    if complete and (len(data) < 5 or len(data) < 5 + 5 * data[4]):
        raise ValueError
    k = data[4]
    rows, columns = (int(n) for n in np.frombuffer(data[:4], "<u2"))
    values, lengths = np.frombuffer(data[5 : 5 + 4 * k], "<f4"), list(data[5 + 4 * k : 5 + 5 * k])
    symbol_of = {code: s for s, code in enumerate(canonical(lengths)) if code}
    found, begun = [], ""
    for bit in np.unpackbits(file[5 + 5 * k :]).tolist():
        begun += str(bit)
        if begun in symbol_of and len(found) < rows * columns:
            found.append(values[symbol_of[begun]])
            begun = ""
    return found, rows, columns


@wrong("read", points=11.4, why="fills up with zeros what is missing")
def filled_up(file):
    found, rows, columns = parsed(file)
    return np.array(found + [0] * (rows * columns - len(found)), np.float32).reshape(rows, columns)


@wrong("read", points=9.45, why="exchanges rows and columns")
def exchanged(file):
    found, rows, columns = parsed(file)
    if len(found) < rows * columns:
        raise ValueError
    return np.array(found, np.float32).reshape(columns, rows)


@wrong("read", points=10.4, why="looks at one byte of the number of rows and of columns")
def one_byte(file):
    found, rows, columns = parsed(file)
    if len(found) < rows * columns:
        raise ValueError
    rows, columns = rows % 256, columns % 256
    return np.array(found[: rows * columns], np.float32).reshape(rows, columns)


@wrong("prune", points=10.8, why="rounds the number of weights to the nearest")
def rounded(weight, share):
    order = np.argsort(np.abs(weight), axis=None, kind="stable")[: round(share * weight.size)]
    pruned = weight.copy()
    pruned[np.unravel_index(order, weight.shape)] = 0
    return pruned


@wrong("write", points=11.6, why="fills the last byte up with ones")
def filled_with_ones(values, symbols):
    lengths = best(values, symbols)
    codes = canonical(lengths)
    bits = "".join(codes[s] for s in symbols.ravel())
    bits += "1" * (-len(bits) % 8)
    return np.append(head(values, symbols, lengths), np.packbits(np.array(list(bits), np.uint8)))


@wrong("write", points=10, why="adds a byte of zeros to codes that fill their last byte")
def an_extra_byte(values, symbols):
    lengths = best(values, symbols)
    file = np.append(head(values, symbols, lengths), tail(symbols, canonical(lengths)))
    return file if np.take(lengths, symbols).sum() % 8 else np.append(file, np.uint8(0))


@wrong("read", points=11.4, why="looks at byte 4 of a file that is shorter")
def no_first_bytes(file):
    if 5 * int(file[4]) + 5 > len(file):
        raise ValueError
    found, rows, columns = parsed(file)
    if len(found) < rows * columns:
        raise ValueError
    return np.array(found, np.float32).reshape(rows, columns)


@wrong("prune", points=10.8, why="takes the share of the weights that are not 0 yet")
def of_what_is_left(weight, share):
    pruned = weight.flatten()
    there = np.flatnonzero(pruned)
    order = np.argsort(np.abs(pruned[there]), kind="stable")
    pruned[there[order[: int(share * len(there))]]] = 0
    return pruned.reshape(weight.shape)


@wrong("prune", points=10.8, why="takes equals in the order in which they lie in memory")
def in_the_order_of_memory(weight, share):
    layout = "C" if weight.flags.c_contiguous else "F"
    pruned = weight.flatten(layout)
    pruned[np.argsort(np.abs(pruned), kind="stable")[: int(share * weight.size)]] = 0
    return pruned.reshape(weight.shape, order=layout)


@wrong("cluster", points=10.2, why="stops a round too early")
def a_round_too_few(weight, k):
    return clustered(weight, k, 19)


@wrong("cluster", points=10.2, why="keeps the symbols of the round before the last values")
def symbols_of_the_last_round(weight, k):
    return clustered(weight, k, 20)[0], clustered(weight, k, 19)[1]


@wrong("cluster", points=11.4, why="computes in float32")
def in_single_precision(weight, k):
    return clustered(weight.astype(np.float32), k, 20)
