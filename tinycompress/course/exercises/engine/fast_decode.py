"""Ten times faster: a decoder, compiled (45 minutes, 9 points).

A file of Huffman codes must be read bit by bit, since nobody knows where a code begins before the one in front of it was
read. No NumPy function does that, and a loop in Python takes a second per million bits:

    def slow_decode(packed, tree, count):
        found, node = [], tree
        for place in range(8 * len(packed)):
            if len(found) == count:
                break
            node = node[int(packed[place // 8]) >> (7 - place % 8) & 1]
            if isinstance(node, int):
                found.append(node)
                node = tree
        return np.array(found, np.int64)

A tree is a symbol, or a pair of trees, for the bits 0 and 1. Numba compiles loops over numbers and arrays, but not over pairs of
pairs. So first change what the loop works on. In a canonical code, the codes of one length are consecutive numbers, and shorter
codes come first. So two arrays say everything: how many codes there are of each length, and all symbols in the order of their
codes. (This is how zlib's `puff` reads.)

    symbol  A  B  C  D      codes  10  0  110  111        counts of the lengths 0 to 3:  0 1 1 2      symbols:  B A C D

    Read bit after bit. Let `code` be the number that the bits of the current code make so far, `first` the first code of that
    length, and `index` the place of its symbol in `symbols`. If code - first < counts[length], the symbol is found: it is
    symbols[index + code - first]. If not, the next length has first = 2 * (first + counts[length]) and
    index = index + counts[length].

Then decorate it with `numba.njit`, and measure it: the second call, since the first one compiles. Compiled code does not check
indices, and one that is wrong may overwrite anything; `numba.njit(boundscheck=True)` checks them, and is fast enough here. The
grader measures your `decode` in turns with `slow_decode`, from the call to the result. Ten times faster earns all points, three
times about half.
"""

import numba
import numpy as np


def tables(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(counts, symbols) of the canonical code with these lengths, both int64.

    lengths: (symbols,) integers; a symbol of length 0 does not occur. counts: (longest + 1,), how many codes have the lengths
    0, 1, …; counts[0] is 0. symbols: the symbols that occur, in the order of their codes: by length, then by number.
    """
    ### BEGIN SOLUTION
    counts = np.bincount(lengths, minlength=1)
    counts[0] = 0
    order = np.argsort(lengths, kind="stable")
    return counts.astype(np.int64), order[lengths[order] > 0].astype(np.int64)
    ### END SOLUTION


### BEGIN SOLUTION


@numba.njit(boundscheck=True)
def _read(packed, counts, symbols, out):
    """Fill `out`; the number of symbols that could be read."""
    done, length, code, first, index = 0, 0, 0, 0, 0
    for position in range(8 * len(packed)):
        if done == len(out):
            break
        code = 2 * code + (packed[position >> 3] >> (7 - (position & 7)) & 1)
        index, first = index + counts[length], 2 * (first + counts[length])
        length += 1
        if length == len(counts):
            break
        if code - first < counts[length]:
            out[done] = symbols[index + code - first]
            done += 1
            length, code, first, index = 0, 0, 0, 0
    return done


### END SOLUTION


def decode(packed: np.ndarray, counts: np.ndarray, symbols: np.ndarray, count: int) -> np.ndarray:
    """The first `count` symbols, int64 (count,). packed: uint8, from the highest bit of a byte down.

    counts, symbols: as `tables` returns them. Raises ValueError if the bytes end before `count` symbols, or hold bits that
    begin no code.
    """
    ### BEGIN SOLUTION
    out = np.zeros(count, np.int64)
    done = _read(packed, counts, symbols, out)
    if done < count:
        raise ValueError(f"only {done} of {count} symbols could be read")
    return out
    ### END SOLUTION
