"""Plausible wrong answers to canonical_huffman, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("canonical_codes", points=9, why="appends only one zero, however much longer the next code is")
def one_zero_at_a_time(lengths):
    if sum(2.0 ** -int(n) for n in lengths if n) > 1:
        raise ValueError
    codes, code, before = [""] * len(lengths), 0, 1
    for length, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        code = code * 2 if length > before else code
        codes[symbol], before = format(code, f"0{length}b"), length
        code += 1
    return codes


@wrong("canonical_codes", points=7, why="puts the larger symbol first among codes of equal length")
def larger_symbol_first(lengths):
    if sum(2.0 ** -int(n) for n in lengths if n) > 1:
        raise ValueError
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted(((int(n), s) for s, n in enumerate(lengths) if n), key=lambda k: (k[0], -k[1])):
        code <<= length - before
        codes[symbol], before = format(code, f"0{length}b"), length
        code += 1
    return codes


@wrong("encode", points=9, why="fills up with zeros at the front, as int(bits, 2) does")
def filled_in_front(symbols, codes):
    bits = "".join(codes[s] for s in symbols)
    bits = bits.zfill(-(-len(bits) // 8) * 8)
    return np.array([int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)], np.uint8)


@wrong("decode", points=8, why="also decodes the zeros that fill up the last byte")
def reads_on(packed, codes, count):
    symbol_of = {code: symbol for symbol, code in enumerate(codes) if code}
    symbols, begun = [], ""
    for bit in np.unpackbits(packed):
        begun += str(bit)
        if begun in symbol_of:
            symbols.append(symbol_of[begun])
            begun = ""
    return np.array(symbols, np.int64)


@wrong("decode", points=11, why="returns fewer symbols if the file is cut off, without an error")
def fewer(packed, codes, count):
    symbol_of = {code: symbol for symbol, code in enumerate(codes) if code}
    symbols, begun = [], ""
    for bit in np.unpackbits(packed):
        begun += str(bit)
        if begun in symbol_of:
            symbols.append(symbol_of[begun])
            begun = ""
    return np.array(symbols[:count], np.int64)
