"""Arithmetic coding: a stream of binary decisions as one number between 0 and 1. Each decision takes -log2(its
probability) bits.

Huffman coding gives each symbol a whole number of bits. So "no weight here", a hundred times as frequent as the opposite,
still takes one bit each time, where 0.015 would do. Here each decision splits the interval of the number in proportion
to the probabilities, and keeps one side:

    interval      low |-------------------- 0: 99 % -------------------|- 1: 1 % -| high
    after "0"     low |------------------------------------------------|
    after "1"                                                          |----------|

Probable decisions hardly shrink the interval. As soon as low and high have the same first byte, it is written and
dropped (Rissanen & Langdon, "Arithmetic Coding", 1979; with integers as in Witten, Neal & Cleary, "Arithmetic Coding for
Data Compression", 1987).

**Where the probabilities come from.** They are not stored. Encoder and decoder both count the decisions so far, in each of
several *contexts* (this column, this row, these neighbours), and each context predicts the next decision. The predictions
are mixed: their log-odds are added with weights, which a step of gradient descent improves after each decision (Mahoney,
"Adaptive Weighing of Context Models for Lossless Data Compression", 2005). All of this is integer arithmetic, so that
every machine decodes the same.

    code = Encoder()                                  code = Decoder(data)
    code.positions(mask)                              mask = code.positions(shape)
    code.symbols(symbols, mask, k)                    symbols = code.symbols(mask, k)
    data = code.finish()                              code.finish()

For any bytes, a Decoder returns what an Encoder could have been given, or raises ValueError. Its time is proportional to
the requested shapes.
"""

import functools
from collections import defaultdict

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

WHOLE = 0xFFFFFFFF
"""The largest value of low and high, which have 32 bits."""

HALF = 1 << 21
"""Probabilities of contexts have 22 bits; this is ½."""

MEMORY = 250
"""The probability of a context is the mean of its decisions; after this many, older ones fade."""

POSITION_CONTEXTS, POSITION_WEIGHT, POSITION_RATE = 5, 16384, 16
SYMBOL_CONTEXTS, SYMBOL_WEIGHT, SYMBOL_RATE = 2, 26214, 14
"""The number of contexts; their initial weights, where 65,536 means 1; the learning rate of the weights is 2^-RATE."""

STEEPEST = 3071
"""The largest log-odds, in units of 1/256."""


@functools.cache
def _fast():
    from . import arithmetic_fast

    return arithmetic_fast


@functools.cache
def tables():
    """(stretch, squash): the log-odds of the probabilities (i + ½) / 4096, and, indexed by log-odds + 3072, the 16-bit
    probabilities."""
    i = np.arange(4096)
    odds = np.arange(-STEEPEST - 1, STEEPEST + 1) + 0.5
    stretch = np.rint(256 * np.log((i + 0.5) / (4095.5 - i)))
    squash = np.clip(np.rint(65536 / (1 + np.exp(-odds / 256))), 1, 65535)
    return stretch.astype(np.int64), squash.astype(np.int64)


class Encoder:
    """Writes masks and symbols into one stream, one after the other."""

    def __init__(self):
        self._state = np.array([0, WHOLE, 0, 0], np.int64)  # low, high, the decoder's number, position
        self._parts = []

    def positions(self, mask, neighbours=(1, 0), busy=None):
        """Write where a matrix is not 0. mask: booleans (rows, columns).

        neighbours: if the rows are pixels of an image, how many rows up the neighbours to the left and above are (0:
        none). busy: integers (rows,), 0 to 15, a hint of how full each row is; the decoder must know it too.
        """
        mask = np.array(mask, np.uint8)
        left, above, busy = _check_model(mask.shape, neighbours, busy)
        code = choose(code_positions, None, lambda: _fast().code_positions)
        self._write(code, mask.size, mask, left, above, busy)

    def symbols(self, symbols, mask, k, neighbours=(1, 0)):
        """Write the symbols, 0 to k - 1 with k <= 256, where the mask is true. Both are (rows, columns)."""
        mask, symbols = np.array(mask, np.uint8), np.asarray(symbols)
        left, above, _ = _check_model(mask.shape, neighbours, None)
        check(symbols.shape == mask.shape, f"the symbols have shape {symbols.shape}, but the mask {mask.shape}")
        check(1 <= k <= 256, f"k should be 1 to 256 distinct symbols, not {k}")
        check(
            not mask.any() or (symbols[mask > 0].min() >= 0 and symbols[mask > 0].max() < k),
            f"symbols should go from 0 to {k - 1}",
        )
        bits = int(k - 1).bit_length()
        code = choose(code_symbols, None, lambda: _fast().code_symbols)
        self._write(code, mask.size * bits, symbols.astype(np.uint8), mask, bits, left, above)

    def _write(self, code, decisions, *arguments):
        data = np.empty(2 * decisions + 8, np.uint8)  # no decision takes more than 16 bits
        self._state[3] = 0
        code(self._state, data, *arguments, True)
        self._parts.append(data[: self._state[3]].tobytes())

    @property
    def nbytes(self):
        """The number of bytes that are final so far; up to four more are pending."""
        return sum(map(len, self._parts))

    def finish(self):
        """Return the whole stream as bytes."""
        return b"".join([*self._parts, _last_bytes(*self._state[:2].tolist())])


class Decoder:
    """Reads what an `Encoder` wrote; call the same methods with the same shapes in the same order."""

    def __init__(self, data):
        self._data = np.frombuffer(data, np.uint8).copy()  # compiled loops expect a writable array
        first = bytes(data[:4]).ljust(4, b"\0")
        self._state = np.array([0, WHOLE, int.from_bytes(first, "big"), 0], np.int64)

    def positions(self, shape, neighbours=(1, 0), busy=None):
        """Read a mask, booleans of `shape` (rows, columns)."""
        mask = np.zeros(shape, np.uint8)
        left, above, busy = _check_model(mask.shape, neighbours, busy)
        code = choose(code_positions, None, lambda: _fast().code_positions)
        code(self._state, self._data, mask, left, above, busy, False)
        self._check_end()
        return mask.astype(bool)

    def symbols(self, mask, k, neighbours=(1, 0)):
        """Read symbols, uint8 of the mask's shape, 0 where it is false."""
        mask = np.array(mask, np.uint8)
        left, above, _ = _check_model(mask.shape, neighbours, None)
        check(1 <= k <= 256, f"k should be 1 to 256 distinct symbols, not {k}")
        symbols = np.zeros(mask.shape, np.uint8)
        bits = int(k - 1).bit_length()
        code = choose(code_symbols, None, lambda: _fast().code_symbols)
        code(self._state, self._data, symbols, mask, bits, left, above, False)
        self._check_end()
        check(int(symbols.max(initial=0)) < k, f"the stream has a symbol above the last one, {k - 1}")
        return symbols

    @property
    def nbytes(self):
        """The number of bytes used so far."""
        return int(self._state[3])

    def _check_end(self):
        check(self.nbytes <= len(self._data), "the stream ends before its symbols do; part of it is missing")

    def finish(self):
        """Check that the stream ends here; raises ValueError otherwise."""
        low, high, _, used = self._state.tolist()
        check(self._data[used:].tobytes() == _last_bytes(low, high), "the stream does not end with its last symbol")


def _last_bytes(low, high):
    """The fewest bytes that, followed by zeros, are a number in low .. high."""
    for count in range(5):
        unit = 1 << 32 - 8 * count
        number = -(-low // unit)
        if number * unit <= high:
            return number.to_bytes(count, "big")


def _check_model(shape, neighbours, busy):
    check(len(shape) == 2, f"a matrix should have rows and columns, but this one has shape {shape}")
    left, above = neighbours
    check(left >= 0 and above >= 0, f"neighbours should be 0 or more rows up, not {neighbours}")
    never = shape[0] + 1  # rows up, so that the neighbour never exists
    busy = np.zeros(shape[0], np.int64) if busy is None else np.ascontiguousarray(busy, np.int64)
    check(busy.shape == shape[:1], f"busy should have as many hints as rows, {shape[0]}, but has shape {busy.shape}")
    return min(left or never, never), min(above or never, never), np.clip(busy, 0, 15)


# The loops. Those in arithmetic_fast.py compute the same, bit by bit.


class Mixture:
    """Predicts decisions by mixing contexts, and learns from each outcome."""

    def __init__(self, contexts, weight, rate):
        self.weights, self.rate = [weight] * contexts, rate
        self.probability, self.count = defaultdict(lambda: HALF), defaultdict(int)

    def predict(self, contexts):
        """The probability of a 1 in these contexts (hashable), in units of 1/65,536."""
        stretch, squash = tables()
        self.contexts = list(enumerate(contexts))
        self.odds = [int(stretch[self.probability[context] >> 10]) for context in self.contexts]
        mixed = sum(w * odds for w, odds in zip(self.weights, self.odds, strict=True)) >> 16
        self.p = int(squash[min(max(mixed, -STEEPEST - 1), STEEPEST) + STEEPEST + 1])
        return self.p

    def learn(self, bit):
        """Update the weights and the contexts: the predicted decision turned out to be `bit`."""
        # For log-odds mixed as sum w_i * odds_i, the gradient of the code length by w_i is (p - bit) * odds_i. The mean of
        # a context starts with a prior of half a decision: the step is 1 / (n + 1.5).
        error = (bit << 16) - self.p
        for context in self.contexts:
            i = context[0]
            self.weights[i] += (self.odds[i] * error + (1 << self.rate - 1)) >> self.rate
            n = self.count[context]
            self.probability[context] += 2 * ((bit << 22) - self.probability[context]) // (2 * n + 3)
            self.count[context] = min(n + 1, MEMORY)


def code_bit(state, data, p, bit, encode):
    """Code one decision that is 1 with probability p / 65,536; returns it. state: low, high, value, position; updated.

    The lower part of the interval means 1 (in the figure above, 0). value: the next 32 bits of the stream, for decoding.
    """
    low, high, value, position = state.tolist()
    middle = low + ((high - low) * p >> 16)
    if not encode:
        bit = int(value <= middle)
    if bit:
        high = middle
    else:
        low = middle + 1
    while low >> 24 == high >> 24:
        if encode:
            data[position] = high >> 24
        else:
            value = value << 8 & WHOLE | (int(data[position + 4]) if position + 4 < len(data) else 0)
        position += 1
        low, high = low << 8 & WHOLE, high << 8 & WHOLE | 255
    state[:] = low, high, value, position
    return bit


def code_positions(state, data, mask, left, above, busy, encode):
    rows, columns = mask.shape
    mixture = Mixture(POSITION_CONTEXTS, POSITION_WEIGHT, POSITION_RATE)

    def there(row, column, up):
        return int(0 < up <= row and mask[row - up, column])

    for r in range(rows):
        if not encode and state[3] > len(data):
            return  # beyond the end of the stream; the caller reports it
        for c in range(columns):
            near = [there(r, c, up) for up in (left, above, above + left, above - left)]
            far = [there(r, c, up) for up in far_neighbours(left, above)]
            filled = int(np.count_nonzero(mask[:r, c]))
            contexts = (
                c,
                r,
                tuple(near),
                (sum(near), sum(far)),
                (int(busy[r]), min(filled.bit_length(), 15)),
            )
            mask[r, c] = code_bit(state, data, mixture.predict(contexts), int(mask[r, c]), encode)
            mixture.learn(int(mask[r, c]))


def far_neighbours(left, above):
    """How many rows up the pixels two steps away are, of those that come before this one."""
    around = [2 * left, above + 2 * left, above - 2 * left]
    return [*around, *(2 * above + side * left for side in (-2, -1, 0, 1, 2))]


def code_symbols(state, data, symbols, mask, bits, left, above, encode):
    mixture = Mixture(SYMBOL_CONTEXTS, SYMBOL_WEIGHT, SYMBOL_RATE)
    for r, c in np.argwhere(mask).tolist():
        if not encode and state[3] > len(data):
            return
        neighbour = next((int(symbols[r - up, c]) for up in (left, above) if r >= up and mask[r - up, c]), None)
        # The bits of a symbol, highest first, lead down a binary tree. Each node has its own contexts, so that all 2^bits
        # probabilities can be learned. Leaves have the numbers 2^bits + symbol.
        node = 1
        for place in reversed(range(bits)):
            p = mixture.predict((node, (node, neighbour)))
            bit = code_bit(state, data, p, int(symbols[r, c]) >> place & 1, encode)
            mixture.learn(bit)
            node = 2 * node + bit
        symbols[r, c] = node - (1 << bits)
