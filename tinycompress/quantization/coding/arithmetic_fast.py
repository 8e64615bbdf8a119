"""Arithmetic coding, compiled: see `arithmetic.py` for the algorithm, and for readable versions of the same loops.

Instead of dictionaries, a context is an index into `slots` (number of contexts, 2), which holds its probability and its
count. In `code_all_positions`, `first` is the start of each kind of context: columns, rows, patterns of the four near
neighbours, numbers of near and far neighbours, and hints with numbers of weights in the column so far.
"""

import numpy as np

from ...kernels.runtime.jit import jit
from .arithmetic import (
    HALF,
    MEMORY,
    POSITION_CONTEXTS,
    POSITION_RATE,
    POSITION_WEIGHT,
    STEEPEST,
    SYMBOL_CONTEXTS,
    SYMBOL_RATE,
    SYMBOL_WEIGHT,
    WHOLE,
    tables,
)


@jit
def predict(slots, weights, contexts, odds, stretch, squash):
    mixed = 0
    for i in range(len(contexts)):
        odds[i] = stretch[slots[contexts[i], 0] >> 10]
        mixed += weights[i] * odds[i]
    return squash[min(max(mixed >> 16, -STEEPEST - 1), STEEPEST) + STEEPEST + 1]


@jit
def learn(slots, weights, contexts, odds, p, bit, rate):
    error = (bit << 16) - p
    for i in range(len(contexts)):
        weights[i] += (odds[i] * error + (1 << rate - 1)) >> rate
        slot, n = contexts[i], slots[contexts[i], 1]
        slots[slot, 0] += 2 * ((bit << 22) - slots[slot, 0]) // (2 * n + 3)
        slots[slot, 1] = min(n + 1, MEMORY)


@jit
def code_bit(state, data, p, bit, encode):
    low, high = state[0], state[1]
    middle = low + ((high - low) * p >> 16)
    if not encode:
        bit = 1 if state[2] <= middle else 0
    if bit:
        high = middle
    else:
        low = middle + 1
    while low >> 24 == high >> 24:
        at = state[3]
        if encode:
            data[at] = high >> 24
        else:
            following = np.int64(data[at + 4]) if at + 4 < len(data) else 0
            state[2] = (state[2] << 8 & WHOLE) | following
        state[3] = at + 1
        low, high = low << 8 & WHOLE, (high << 8 & WHOLE) | 255
    state[0], state[1] = low, high
    return bit


@jit
def bit_length(n):
    length = 0
    while n:
        length += 1
        n >>= 1
    return length


@jit
def there(mask, r, c, up):
    return np.int64(mask[r - up, c]) if 0 < up <= r else 0


@jit(allocates=True)
def code_all_positions(state, data, mask, left, above, busy, encode, stretch, squash):
    rows, columns = mask.shape
    first = np.cumsum(np.array([0, columns, rows, 16, 5 * 9, 16 * 16]))
    slots = np.zeros((first[-1], 2), np.int64)
    slots[:, 0] = HALF
    weights = np.full(POSITION_CONTEXTS, POSITION_WEIGHT)
    contexts, odds = np.empty(POSITION_CONTEXTS, np.int64), np.empty(POSITION_CONTEXTS, np.int64)
    filled = np.zeros(columns, np.int64)
    for r in range(rows):
        if not encode and state[3] > len(data):
            return
        for c in range(columns):
            n0, n1 = there(mask, r, c, left), there(mask, r, c, above)
            n2, n3 = there(mask, r, c, above + left), there(mask, r, c, above - left)
            far = there(mask, r, c, 2 * left)
            far += there(mask, r, c, above + 2 * left) + there(mask, r, c, above - 2 * left)
            for side in range(-2, 3):
                far += there(mask, r, c, 2 * above + side * left)
            contexts[0] = first[0] + c
            contexts[1] = first[1] + r
            contexts[2] = first[2] + n0 + 2 * n1 + 4 * n2 + 8 * n3
            contexts[3] = first[3] + 9 * (n0 + n1 + n2 + n3) + far
            contexts[4] = first[4] + 16 * busy[r] + min(bit_length(filled[c]), 15)
            p = predict(slots, weights, contexts, odds, stretch, squash)
            bit = code_bit(state, data, p, np.int64(mask[r, c]), encode)
            learn(slots, weights, contexts, odds, p, bit, POSITION_RATE)
            mask[r, c] = bit
            filled[c] += bit


@jit(allocates=True)
def code_all_symbols(state, data, symbols, mask, bits, left, above, encode, stretch, squash):
    # Contexts: the node alone, and the node with the neighbour's symbol, where `nodes` means that there is no neighbour.
    nodes = 1 << bits
    slots = np.zeros((nodes * (nodes + 2), 2), np.int64)
    slots[:, 0] = HALF
    weights = np.full(SYMBOL_CONTEXTS, SYMBOL_WEIGHT)
    contexts, odds = np.empty(SYMBOL_CONTEXTS, np.int64), np.empty(SYMBOL_CONTEXTS, np.int64)
    rows, columns = mask.shape
    for r in range(rows):
        if not encode and state[3] > len(data):
            return
        for c in range(columns):
            if not mask[r, c]:
                continue
            neighbour = nodes
            if r >= left and mask[r - left, c]:
                neighbour = np.int64(symbols[r - left, c])
            elif r >= above and mask[r - above, c]:
                neighbour = np.int64(symbols[r - above, c])
            node = 1
            for place in range(bits - 1, -1, -1):
                contexts[0] = node
                contexts[1] = nodes * (neighbour + 1) + node
                p = predict(slots, weights, contexts, odds, stretch, squash)
                bit = code_bit(state, data, p, np.int64(symbols[r, c]) >> place & 1, encode)
                learn(slots, weights, contexts, odds, p, bit, SYMBOL_RATE)
                node = 2 * node + bit
            symbols[r, c] = node - nodes


def code_positions(state, data, mask, left, above, busy, encode):
    code_all_positions(state, data, mask, left, above, busy, encode, *tables())


def code_symbols(state, data, symbols, mask, bits, left, above, encode):
    code_all_symbols(state, data, symbols, mask, bits, left, above, encode, *tables())
