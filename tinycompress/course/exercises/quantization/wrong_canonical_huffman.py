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


@wrong("canonical_codes", points=8.6, why="puts the larger symbol first among codes of equal length")
def larger_symbol_first(lengths):
    if sum(2.0 ** -int(n) for n in lengths if n) > 1:
        raise ValueError
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted(((int(n), s) for s, n in enumerate(lengths) if n), key=lambda k: (k[0], -k[1])):
        code <<= length - before
        codes[symbol], before = format(code, f"0{length}b"), length
        code += 1
    return codes


@wrong("encode", points=8.6, why="fills up with zeros at the front, as int(bits, 2) does")
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


@wrong("decode", points=10.4, why="returns fewer symbols if the file is cut off, without an error")
def fewer(packed, codes, count):
    symbol_of = {code: symbol for symbol, code in enumerate(codes) if code}
    symbols, begun = [], ""
    for bit in np.unpackbits(packed):
        begun += str(bit)
        if begun in symbol_of:
            symbols.append(symbol_of[begun])
            begun = ""
    return np.array(symbols[:count], np.int64)


@wrong("canonical_codes", points=7.4, why="refuses complete codes, whose sum is exactly 1")
def sum_below_one(lengths):
    if sum(2.0 ** -int(n) for n in lengths if n) >= 1:
        raise ValueError
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        code <<= length - before
        codes[symbol], before = format(code, f"0{length}b"), length
        code += 1
    return codes


@wrong("encode", points=9.6, why="adds a byte of zeros to bits that fill their last byte")
def an_extra_byte(symbols, codes):
    if any(not (0 <= s < len(codes) and codes[s]) for s in symbols):
        raise ValueError
    bits = "".join(codes[s] for s in symbols)
    bits += "0" * (8 - len(bits) % 8)
    return np.array([int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)], np.uint8)


@wrong("encode", points=11.4, why="takes a negative symbol for one counted from the end")
def from_the_end(symbols, codes):
    if any(s >= len(codes) or not codes[s] for s in symbols):
        raise ValueError
    return np.packbits(np.array([int(bit) for s in symbols for bit in codes[s]], np.uint8))


@wrong("decode", points=11.2, why="returns what it has where the bits begin no code")
def gives_up(packed, codes, count):
    symbol_of = {code: symbol for symbol, code in enumerate(codes) if code}
    longest, symbols, begun = max(map(len, codes), default=0), [], ""
    for bit in np.unpackbits(packed):
        if len(symbols) == count or len(begun) > longest:
            return np.array(symbols, np.int64)
        begun += str(bit)
        if begun in symbol_of:
            symbols.append(symbol_of[begun])
            begun = ""
    if len(symbols) < count:
        raise ValueError
    return np.array(symbols, np.int64)


@wrong("canonical_codes", points=10.8, why="allows a sum that is slightly above 1, as if it were rounding")
def with_a_tolerance(lengths):
    codes, at = [""] * len(lengths), 0.0
    if sum(2.0 ** -int(n) for n in lengths if n) > 1 + 1e-6:
        raise ValueError
    for n, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        codes[symbol], at = format(int(at * 2**n), f"0{n}b"), at + 2.0**-n
    return codes


@wrong("decode", points=11.2, why="skips bits that begin no code, and goes on behind them")
def skips(packed, codes, count):
    symbol_of = {code: symbol for symbol, code in enumerate(codes) if code}
    longest, symbols, begun = max(map(len, codes), default=0), [], ""
    for bit in np.unpackbits(packed):
        begun = begun + str(bit) if len(begun) < longest else str(bit)
        if begun in symbol_of and len(symbols) < count:
            symbols.append(symbol_of[begun])
            begun = ""
    if len(symbols) < count:
        raise ValueError
    return np.array(symbols, np.int64)
