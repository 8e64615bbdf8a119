"""More operations on register tiles (`kernels/registers/tile.py`): look-ups in tables of 16 numbers held in registers."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ...kernels.registers.vectors import I32, I64, INT, call, const, multiply_add, pointer, zeros
from .bytes_and_bits import FEATURES, I8, I16, WORDS, constants, line_vectors, load_whole, vector_of

F32 = ir.FloatType()

BYTE_TABLES = WORDS == 8 and "avx2" in FEATURES
"""Whether looking up bytes beats looking up 32-bit numbers: AVX2 looks up 32 bytes at once in a table of 16."""

COUNTS_BY_TABLE = BYTE_TABLES or (WORDS == 16 and "avx512bw" in FEATURES and "avx512vpopcntdq" not in FEATURES)
"""Whether bits are counted by looking up bytes: the CPU has no instruction that counts them in all lanes."""


def _register_table(context, builder, array_type, array, at):
    """table[at : at + 16] of float32, loaded into registers if the CPU can look up in them; else its address."""
    address = pointer(context, builder, array_type, array, at)
    if WORDS < 8 or "avx2" not in FEATURES:
        return address
    return [load_whole(builder, builder.gep(address, [const(i)]), vector_of(F32)) for i in range(0, 16, WORDS)]


def _look_up(builder, table, index):
    """table[index & 15] in each lane."""
    # AVX-512 has one register and one instruction for it. AVX2 looks up in both halves, and selects by bit 3 of the index.
    # Others load lane by lane.
    if WORDS == 16:
        return call(builder, "llvm.x86.avx512.permvar.sf.512", table[0].type, table[0], index)
    if isinstance(table, list):
        low, high = (call(builder, "llvm.x86.avx2.permps", half.type, half, index) for half in table)
        in_high = builder.icmp_unsigned("!=", builder.and_(index, constants(index.type, 8)), zeros(index.type))
        return builder.select(in_high, high, low)
    value = ir.Constant(vector_of(F32), ir.Undefined)
    index = builder.and_(index, constants(index.type, 15))
    for lane in range(WORDS):
        at = builder.extract_element(index, ir.Constant(I32, lane))
        number = builder.load(builder.gep(table, [builder.zext(at, I64)]))
        value = builder.insert_element(value, number, ir.Constant(I32, lane))
    return value


def _sum(builder, values):
    """The sum of a power of two of values, in pairs, and pairs of pairs: in a chain, each addition would wait for the
    last."""
    while len(values) > 1:
        values = [builder.fadd(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
    return values[0]


@intrinsic
def tile_add_nibble_sums(typingctx, acc, tables, t0, w, w0, block_step):
    """acc[0, o] += sum over j of tables[t0 + 16*j + n_j], where n_j are the eight nibbles of word o of the line at w0."""

    def codegen(context, builder, signature, args):
        acc_, tables_, t0_, w_, w0_, block_step_ = args
        table = [
            _register_table(context, builder, signature.args[1], tables_, builder.add(t0_, const(16 * j)))
            for j in range(8)
        ]
        line = line_vectors(builder, pointer(context, builder, signature.args[3], w_, w0_), block_step_)
        for v, words in enumerate(line):
            nibbles = [builder.lshr(words, constants(words.type, 4 * j)) for j in range(8)]
            total = _sum(builder, [_look_up(builder, table[j], nibbles[j]) for j in range(8)])
            acc_ = builder.insert_value(acc_, builder.fadd(builder.extract_value(acc_, v), total), v)
        return acc_

    return acc(acc, tables, INT, w, INT, INT), codegen


def order_for_codes(x):
    """Reorder x, in groups of 32, to the order in which `tile_add_code_products` looks up the weights."""
    return x.reshape(-1, 2, 4, 4).swapaxes(1, 2).reshape(-1) if BYTE_TABLES else x


def _byte_tables(context, builder, array_type, array):
    """Split the first 16 float32 of an array into four tables of 16 bytes, one per byte of a number, each in both halves
    of a register."""
    numbers = load_whole(builder, pointer(context, builder, array_type, array, const(0)), vector_of(F32, 16))
    numbers = builder.bitcast(numbers, vector_of(I8, 64))
    for byte in range(4):
        every_fourth = constants(vector_of(I32, 32), [4 * i + byte for i in range(16)] * 2)
        yield builder.shuffle_vector(numbers, numbers, every_fourth)


def _interleave(builder, a, b):
    """Interleave a and b within each half of a register, as AVX2 does: yields the lower parts of both halves, then the
    upper parts."""
    n = a.type.count
    for first in (0, n // 4):
        order = [k + i + part * n for k in (0, n // 2) for i in range(first, first + n // 4) for part in (0, 1)]
        yield builder.shuffle_vector(a, b, constants(vector_of(I32, n), order))


def _weights_by_bytes(builder, tables, codes):
    """Look up the weights of 32 codes: vector v has those of inputs 4*v .. 4*v+3 and 16+4*v .. 16+4*v+3.

    AVX2 has no register for 16 numbers, but looks up 32 bytes at once in a table of 16: the first bytes of all 32
    weights, then the second ones, and so on. Interleaving bytes, and then pairs of bytes, restores whole weights.
    """
    # The low codes go to the first half of the register, the high codes, shifted down, to the second.
    twice = builder.shuffle_vector(codes, codes, constants(vector_of(I32, 32), [*range(16)] * 2))
    shifted = builder.lshr(builder.bitcast(twice, vector_of(I64, 4)), constants(vector_of(I64, 4), [0, 0, 4, 4]))
    index = builder.and_(builder.bitcast(shifted, twice.type), constants(twice.type, 15))
    found = [call(builder, "llvm.x86.avx2.pshuf.b", index.type, table, index) for table in tables]
    halves = [
        [builder.bitcast(pair, vector_of(I16, 16)) for pair in _interleave(builder, *found[k : k + 2])] for k in (0, 2)
    ]
    for low, high in zip(*halves, strict=True):
        for weights in _interleave(builder, low, high):
            yield builder.bitcast(weights, vector_of(F32))


def _weights_by_numbers(builder, table, codes):
    """Look up the weights of 32 codes, in the order of their inputs."""
    for half in range(2):
        for k in range(0, 16, WORDS):
            few = builder.shuffle_vector(codes, codes, constants(vector_of(I32), range(k, k + WORDS)))
            index = builder.lshr(builder.zext(few, vector_of(I32)), constants(vector_of(I32), 4 * half))
            yield _look_up(builder, table, index)


@intrinsic
def tile_add_code_products(typingctx, acc, codebook, codes, c0, c_step, x, x0):
    """acc[p, :] += the products of x[x0 : x0 + 32] and the 32 weights coded in the 16 bytes at codes[c0 + p*c_step].

    Byte k has the code of input k in its low half, and of input 16 + k in its high half. x is in the order of
    `order_for_codes`. It does not matter which lane a product goes to, since `tile_store_row_sums` adds all lanes.
    """

    def codegen(context, builder, signature, args):
        acc_, codebook_, codes_, c0_, c_step_, x_, x0_ = args
        tile = signature.args[0]
        if BYTE_TABLES:
            weights_of, table = _weights_by_bytes, list(_byte_tables(context, builder, signature.args[1], codebook_))
        else:
            weights_of, table = (
                _weights_by_numbers,
                _register_table(context, builder, signature.args[1], codebook_, const(0)),
            )
        x_at = pointer(context, builder, signature.args[5], x_, x0_)
        numbers = [load_whole(builder, builder.gep(x_at, [const(k)]), vector_of(F32)) for k in range(0, 32, WORDS)]
        for p in range(tile.rows):
            at = builder.add(c0_, builder.mul(c_step_, const(p)))
            bytes_ = load_whole(builder, pointer(context, builder, signature.args[2], codes_, at), vector_of(I8, 16))
            for v, weights in enumerate(weights_of(builder, table, bytes_)):
                i = p * tile.vectors + v % tile.vectors
                total = multiply_add(builder, weights, numbers[v], builder.extract_value(acc_, i))
                acc_ = builder.insert_value(acc_, total, i)
        return acc_

    return acc(acc, codebook, codes, INT, INT, x, INT), codegen


@intrinsic
def tile_store_row_sums(typingctx, acc, out, out0):
    """out[out0 + p] = the sum of row p over all vectors and lanes, halving the lanes in each step."""

    def codegen(context, builder, signature, args):
        tile = signature.args[0]
        for p in range(tile.rows):
            total = _sum(builder, [builder.extract_value(args[0], p * tile.vectors + v) for v in range(tile.vectors)])
            for half in (8, 4, 2, 1):
                if half < tile.lanes:
                    order = constants(vector_of(I32, tile.lanes), [lane ^ half for lane in range(tile.lanes)])
                    total = builder.fadd(total, builder.shuffle_vector(total, total, order))
            address = pointer(context, builder, signature.args[1], args[1], builder.add(args[2], const(p)))
            builder.store(builder.extract_element(total, ir.Constant(I32, 0)), address)
        return context.get_dummy_value()

    return types.void(acc, out, INT), codegen


@intrinsic
def tile_add_looked_up(typingctx, acc, tables, x, x0, x_step, rows, w, w0):
    """acc[p, o] += tables[16*low + w[w0 + o]] + tables[16*high + w[w0 + lanes + o]], all of them bytes, where low and high are
    the halves of the byte x[x0 + p*x_step], and lanes a row of the tile. Requires COUNTS_BY_TABLE.

    x selects a table of 16 entries for all outputs, w an entry per output. Only the first `rows` rows have to exist.
    """

    def codegen(context, builder, signature, args):
        acc_, tables_, x_, x0_, x_step_, rows_, w_, w0_ = args
        tile = signature.args[0]
        name = f"llvm.x86.{'avx512' if tile.lanes == 64 else 'avx2'}.pshuf.b{'.512' if tile.lanes == 64 else ''}"
        everywhere = constants(vector_of(I32, tile.lanes), [*range(16)] * (tile.lanes // 16))
        w_at = pointer(context, builder, signature.args[6], w_, w0_)
        index = [
            load_whole(builder, builder.gep(w_at, [const(v * tile.lanes)]), tile.vector)
            for v in range(2 * tile.vectors)
        ]
        last = builder.sub(rows_, const(1))
        for p in range(tile.rows):
            row = builder.select(builder.icmp_signed("<", last, const(p)), last, const(p))
            at = pointer(context, builder, signature.args[2], x_, builder.add(x0_, builder.mul(x_step_, row)))
            byte = builder.zext(builder.load(at), I64)
            low = builder.shl(builder.and_(byte, const(15)), const(4))
            for half, table in enumerate((low, builder.and_(byte, const(240)))):
                table_at = pointer(context, builder, signature.args[1], tables_, table)
                entries = load_whole(builder, table_at, vector_of(I8, 16))
                entries = builder.shuffle_vector(entries, entries, everywhere)
                for v in range(tile.vectors):
                    i = p * tile.vectors + v
                    found = call(builder, name, tile.vector, entries, index[half * tile.vectors + v])
                    acc_ = builder.insert_value(acc_, builder.add(builder.extract_value(acc_, i), found), i)
        return acc_

    return acc(acc, tables, x, INT, INT, INT, w, INT), codegen


@intrinsic
def tile_add_bytes_to(typingctx, acc, out, out0):
    """out[out0 + i] += the unsigned bytes of the tile, row after row. out: int32."""

    def codegen(context, builder, signature, args):
        tile = signature.args[0]
        for i in range(tile.rows * tile.vectors):
            address = pointer(context, builder, signature.args[1], args[1], builder.add(args[2], const(i * tile.lanes)))
            numbers = builder.zext(builder.extract_value(args[0], i), vector_of(I32, tile.lanes))
            total = builder.add(load_whole(builder, address, numbers.type), numbers)
            builder.store(total, builder.bitcast(address, numbers.type.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.void(acc, out, INT), codegen
