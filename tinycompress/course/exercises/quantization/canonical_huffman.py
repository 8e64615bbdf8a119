"""A code from its lengths (1 hour, 12 points).

A Huffman code need not be stored bit by bit. If codes are assigned in a fixed order, their lengths determine them, and a file
stores only one small number per symbol (Schwartz & Kallick 1964; DEFLATE, JPEG and this lecture's .tcz files do this):

    shorter codes come first; among codes of equal length, the smaller symbol comes first;
    the first code is all zeros; each next code is the previous one plus 1, with zeros appended up to its own length.

    symbol    A    B    C    D           in order    B     A    C     D
    length    2    1    3    3           codes       0    10   110   111

So B A D is 0 10 111. As bytes, from the highest bit down and filled up with zeros, this is 01011100 = 92.
Write the code, the packing and the unpacking. `encode` and `decode` are given the codes that `canonical_codes` returns.
"""

import numpy as np


def canonical_codes(lengths: np.ndarray) -> list[str]:
    """The code of each symbol 0, 1, … as a string of "0" and "1", by the rule above.

    lengths: (symbols,) integers, 0 to 40; a symbol of length 0 does not occur, and its code is "". Raises ValueError for lengths
    that no code has, that is, if the sum of 2**-length over the symbols that occur is above 1 (Kraft 1949).
    """
    ### BEGIN SOLUTION
    longest = int(max(lengths, default=0))
    if sum(2 ** (longest - int(n)) for n in lengths if n) > 2**longest:
        raise ValueError("no code has these lengths: the sum of 2**-length is above 1")
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        code <<= length - before
        codes[symbol], before = format(code, f"0{length}b"), length
        code += 1
    return codes
    ### END SOLUTION


def encode(symbols: np.ndarray, codes: list[str]) -> np.ndarray:
    """The codes of the symbols one after another, as bytes: uint8, (bits / 8, rounded up).

    symbols: (count,) integers. The first bit is the highest bit of the first byte; the last byte is filled up with zeros.
    Raises ValueError for a symbol without a code, as are those below 0 or beyond the last one.
    """
    ### BEGIN SOLUTION
    if any(not (0 <= s < len(codes) and codes[s]) for s in symbols):
        raise ValueError("a symbol has no code")
    bits = "".join(codes[s] for s in symbols)
    return np.packbits(np.array([int(bit) for bit in bits], np.uint8))
    ### END SOLUTION


def decode(packed: np.ndarray, codes: list[str], count: int) -> np.ndarray:
    """The first `count` symbols, (count,) int64, of bytes that `encode` returned.

    Raises ValueError if the bytes end before `count` symbols, or contain bits that do not begin any code.
    """
    ### BEGIN SOLUTION
    symbol_of = {code: symbol for symbol, code in enumerate(codes) if code}
    symbols, begun = [], ""
    for bit in np.unpackbits(packed):
        if len(symbols) == count:
            break
        begun += str(bit)
        if begun in symbol_of:
            symbols.append(symbol_of[begun])
            begun = ""
    if len(symbols) < count:
        raise ValueError(f"the bytes hold {len(symbols)} symbols, not {count}")
    return np.array(symbols, np.int64)
    ### END SOLUTION
