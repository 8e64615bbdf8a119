"""More words for `tile.py`: products of bytes and of bits, look-ups in a table that sits in a register, and a
transpose.

Low-bit weights are kept in *lines* of 64 bytes: 32 bits for each of 16 neighbouring outputs, which are four 8-bit
weights, or 32 binary ones. So a line is one AVX-512 register, or two of AVX2, and lane o of a tile sums for output o,
as in a tile of floats:

                      lane 0           lane 1                   lane 15
    line of w     | 32 bits of     | 32 bits of     |  ...  | 32 bits of     |      16 outputs x 4 int8, or x 32 signs
                  | output 0       | output 1       |       | output 15      |
    word of x     | 32 bits        | the same       |  ...  | the same       |      4 uint8, or 32 signs, of a row of x
    total (int32) | += their product, 4 or 32 multiply-adds in each lane     |

The lines of 16 outputs follow each other, for all their inputs; then come those of the next 16. A tile takes two such
blocks at once where a register holds a whole line. As in `tile.py`, arrays are one-dimensional, positions are counted
in elements, and nothing is checked.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import host_cpu
from .vectors import INT, VECTOR_BYTES, VECTORS, Tile, const, load, masks, multiply_add, pointer, spread, zeros

LINE = 16
"""Words of 32 bits in a line: one for each output."""

WORDS = VECTOR_BYTES // 4
"""Words in a register."""

TILE_OUTPUTS = VECTORS * WORDS
"""Outputs that a tile has."""

_FEATURES = host_cpu()[1]
_I8, _I16, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


def _vector(element, count=WORDS):
    return ir.VectorType(element, count)


def _constants(vector, values):
    return ir.Constant(vector, [values] * vector.count if isinstance(values, int) else list(values))


def _load(builder, address, vector):
    value = builder.load(builder.bitcast(address, vector.as_pointer()))
    value.align = 1
    return value


def _call(builder, name, result, *args):
    kind = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _line_vectors(builder, address, block_step):
    """The tile's vectors of the line at `address`, and of the one `block_step` words further on where a line is a
    single register."""
    for v in range(VECTORS):
        block, part = divmod(v * WORDS, LINE)
        at = builder.add(builder.mul(block_step, const(block)), const(part))
        yield _load(builder, builder.gep(address, [at]), _vector(_I32))


def _rows_times_line(combine, parts=1):
    """The code of a word that combines, in each row p, the word x[x0 + p*x_step] with a line of w, or the words from
    there on with its parts; rows from `rows` on repeat the last one."""

    def codegen(context, builder, signature, args):
        acc, x, x0, x_step, rows, w, w0, block_step = args
        tile = signature.args[0]
        x_at = pointer(context, builder, signature.args[1], x, x0)
        line = list(_line_vectors(builder, pointer(context, builder, signature.args[5], w, w0), block_step))
        last = builder.sub(rows, const(1))
        for part in range(parts):
            weights = line if parts == 1 else [_widened(builder, words, part) for words in line]
            for p in range(tile.rows):
                row = builder.select(builder.icmp_signed("<", last, const(p)), last, const(p))
                at = builder.add(builder.mul(x_step, row), const(part))
                word = spread(builder, builder.load(builder.gep(x_at, [at])), tile.vector)
                for v in range(VECTORS):
                    i = p * VECTORS + v
                    acc = builder.insert_value(
                        acc, combine(builder, builder.extract_value(acc, i), word, weights[v]), i
                    )
        return acc

    return codegen


# --- products of bytes ----------------------------------------------------------------------------------------------


def _has_vnni():
    if WORDS == 16:
        return "avx512vnni" in _FEATURES
    return "avxvnni" in _FEATURES or {"avx512vnni", "avx512vl"} <= set(_FEATURES)


PARTS = 1 if _has_vnni() else 2
"""Words of x for a word of weights, four bytes: without VNNI, two words of two 16-bit numbers."""

_PAIRS = {16: ("avx512bw", "avx512.pmaddw.d.512"), 8: ("avx2", "avx2.pmadd.wd"), 4: ("sse2", "sse2.pmadd.wd")}[WORDS]


def _dot4(builder, total, x, w):
    """total + the sum of four products of an unsigned byte of x and a signed byte of w, in each lane, exactly."""
    return _call(builder, f"llvm.x86.avx512.vpdpbusd.{VECTOR_BYTES * 8}", total.type, total, x, w)


def _dot2(builder, total, x, w):
    """total + the sum of two products of 16-bit numbers, in each lane, exactly.

    The sister of this instruction for pairs of bytes (pmaddubsw) adds in 16 bits and saturates: 255 * 127 + 255 * 127
    is too much for it.
    """
    if _PAIRS[0] in _FEATURES:
        pairs = _vector(_I16, 2 * WORDS)
        x, w = builder.bitcast(x, pairs), builder.bitcast(w, pairs)
        return builder.add(total, _call(builder, f"llvm.x86.{_PAIRS[1]}", total.type, x, w))
    sixteen = _constants(x.type, 16)
    low = [builder.ashr(builder.shl(word, sixteen), sixteen) for word in (x, w)]
    high = [builder.ashr(word, sixteen) for word in (x, w)]
    return builder.add(total, builder.add(builder.mul(*low), builder.mul(*high)))


def _widened(builder, words, part):
    """Two of the signed bytes of each word, 0 and 1 or 2 and 3, as 16-bit numbers."""
    bytes_ = builder.bitcast(words, _vector(_I8, 4 * WORDS))
    # Each byte twice: in the upper half of 16 bits, from where it is shifted down with its sign.
    twice = [4 * word + 2 * part + byte for word in range(WORDS) for byte in (0, 0, 1, 1)]
    pairs = builder.shuffle_vector(bytes_, bytes_, _constants(_vector(_I32, 4 * WORDS), twice))
    pairs = builder.bitcast(pairs, _vector(_I16, 2 * WORDS))
    return builder.bitcast(builder.ashr(pairs, _constants(pairs.type, 8)), words.type)


@intrinsic
def tile_dot4_add(typingctx, acc, x, x0, x_step, rows, w, w0, block_step):
    """acc[p, o] += x[p] · w[o], of four bytes each: x[p] the PARTS words from x[x0 + p*x_step] on, w[o] a word of int8
    of the line at w0.

    Only the first `rows` rows need be there. `block_step` is the distance to the next 16 outputs.
    """
    return acc(acc, x, INT, INT, INT, w, INT, INT), _rows_times_line(_dot4 if PARTS == 1 else _dot2, PARTS)


@intrinsic
def tile_dot2_add(typingctx, acc, x, x0, x_step, rows, w, w0):
    """acc[p, o] += x[p] · w[o], of two 16-bit numbers each: x[p] the word x[x0 + p*x_step], w[o] word w0 + o."""

    def codegen(context, builder, signature, args):
        signature = acc(*signature.args, INT)
        return _rows_times_line(_dot2)(context, builder, signature, (*args, const(LINE)))

    return acc(acc, x, INT, INT, INT, w, INT), codegen


@intrinsic
def widen_line(typingctx, w, w0, block_step, out, out0):
    """What the tile needs of a line of signed bytes as 16-bit numbers for two `tile_dot2_add`: 2 * TILE_OUTPUTS words."""

    def codegen(context, builder, signature, args):
        w_, w0_, block_step_, out_, out0_ = args
        line = _line_vectors(builder, pointer(context, builder, signature.args[0], w_, w0_), block_step_)
        for v, words in enumerate(line):
            for part in range(2):
                at = builder.add(out0_, const(part * TILE_OUTPUTS + v * WORDS))
                address = pointer(context, builder, signature.args[3], out_, at)
                builder.store(
                    _widened(builder, words, part), builder.bitcast(address, words.type.as_pointer())
                ).align = 4
        return context.get_dummy_value()

    return types.void(w, INT, INT, out, INT), codegen


@intrinsic
def tile_scaled(typingctx, acc, scale, shift, at, columns):
    """float32(acc) * scale[at : at + columns] + shift[at : at + columns] in each row."""
    result = Tile(scale.dtype, acc.rows, acc.vectors)

    def codegen(context, builder, signature, args):
        acc_, scale_, shift_, at_, columns_ = args
        mask = masks(builder, result, columns_)
        scale_at = pointer(context, builder, signature.args[1], scale_, at_)
        shift_at = pointer(context, builder, signature.args[2], shift_, at_)
        scaled = ir.Constant(ir.ArrayType(result.vector, result.rows * result.vectors), ir.Undefined)
        for v in range(result.vectors):
            factor = load(builder, result, scale_at, v, mask[v], columns_)
            term = load(builder, result, shift_at, v, mask[v], columns_)
            for i in range(v, result.rows * result.vectors, result.vectors):
                total = builder.sitofp(builder.extract_value(acc_, i), result.vector)
                # Not fused, so that the bits are NumPy's.
                scaled = builder.insert_value(scaled, builder.fadd(builder.fmul(total, factor), term), i)
        return scaled

    return result(acc, scale, shift, INT, INT), codegen


# --- 32 products of signs in a lane ---------------------------------------------------------------------------------


def _add_popcount_of_xor(builder, total, x, w):
    return builder.add(total, _call(builder, f"llvm.ctpop.v{WORDS}i32", total.type, builder.xor(x, w)))


@intrinsic
def tile_count_differences(typingctx, acc, x, x0, x_step, rows, w, w0, block_step):
    """acc[p, o] += the number of bits in which the word x[x0 + p*x_step] and word o of the line at w0 differ."""
    return acc(acc, x, INT, INT, INT, w, INT, INT), _rows_times_line(_add_popcount_of_xor)


@intrinsic
def tile_dots_of_signs(typingctx, different, n):
    """n - 2 * different in each element: sums of n products of signs, of which `different` are -1."""

    def codegen(context, builder, signature, args):
        acc, n_ = args
        vector = signature.args[0].vector
        n_ = spread(builder, builder.trunc(n_, _I32), vector)
        for i in range(signature.args[0].rows * VECTORS):
            twice = builder.shl(builder.extract_value(acc, i), _constants(vector, 1))
            acc = builder.insert_value(acc, builder.sub(n_, twice), i)
        return acc

    return different(different, INT), codegen


@intrinsic
def sign_bits(typingctx, x, x0):
    """The signs of x[x0 : x0 + 32] as a uint32: bit k is set where x[x0 + k] < 0."""

    def codegen(context, builder, signature, args):
        element = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[signature.args[0].dtype]
        numbers = _load(builder, pointer(context, builder, signature.args[0], *args), _vector(element, 32))
        return builder.bitcast(builder.fcmp_ordered("<", numbers, zeros(numbers.type)), _I32)

    return types.uint32(x, INT), codegen


# --- tables of 16 numbers -------------------------------------------------------------------------------------------


def _register_table(context, builder, array_type, array, at):
    """table[at : at + 16] of float32, in registers where the CPU can look up there; else its address."""
    address = pointer(context, builder, array_type, array, at)
    if WORDS < 8 or "avx2" not in _FEATURES:
        return address
    return [_load(builder, builder.gep(address, [const(i)]), _vector(_F32)) for i in range(0, 16, WORDS)]


def _look_up(builder, table, index):
    """table[index & 15] in each lane."""
    if WORDS == 16:
        return _call(builder, "llvm.x86.avx512.permvar.sf.512", table[0].type, table[0], index)
    if isinstance(table, list):
        low, high = (_call(builder, "llvm.x86.avx2.permps", half.type, half, index) for half in table)
        in_high = builder.icmp_unsigned("!=", builder.and_(index, _constants(index.type, 8)), zeros(index.type))
        return builder.select(in_high, high, low)
    value = ir.Constant(_vector(_F32), ir.Undefined)
    index = builder.and_(index, _constants(index.type, 15))
    for lane in range(WORDS):
        at = builder.extract_element(index, ir.Constant(_I32, lane))
        number = builder.load(builder.gep(table, [builder.zext(at, _I64)]))
        value = builder.insert_element(value, number, ir.Constant(_I32, lane))
    return value


def _sum(builder, values):
    """In pairs, and pairs of pairs: a chain of additions would wait for each in turn."""
    while len(values) > 1:
        values = [builder.fadd(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
    return values[0]


@intrinsic
def tile_add_nibble_sums(typingctx, acc, tables, t0, w, w0, block_step):
    """acc[0, o] += the sum over the eight nibbles n_j of word o of the line at w0 of tables[t0 + 16*j + n_j]."""

    def codegen(context, builder, signature, args):
        acc_, tables_, t0_, w_, w0_, block_step_ = args
        table = [
            _register_table(context, builder, signature.args[1], tables_, builder.add(t0_, const(16 * j)))
            for j in range(8)
        ]
        line = _line_vectors(builder, pointer(context, builder, signature.args[3], w_, w0_), block_step_)
        for v, words in enumerate(line):
            nibbles = [builder.lshr(words, _constants(words.type, 4 * j)) for j in range(8)]
            total = _sum(builder, [_look_up(builder, table[j], nibbles[j]) for j in range(8)])
            acc_ = builder.insert_value(acc_, builder.fadd(builder.extract_value(acc_, v), total), v)
        return acc_

    return acc(acc, tables, INT, w, INT, INT), codegen


BY_BYTES = WORDS == 8 and "avx2" in _FEATURES
"""Whether codes are looked up a byte at a time, which needs x in another order: `order_for_codes`."""


def order_for_codes(x):
    """x, in groups of 32, in the order in which `tile_add_code_products` finds its weights."""
    return x.reshape(-1, 2, 4, 4).swapaxes(1, 2).reshape(-1) if BY_BYTES else x


def _byte_tables(context, builder, array_type, array):
    """The 16 numbers of float32 at the start of an array as four tables of 16 bytes, one for each byte of a number, in both
    halves of a register."""
    numbers = _load(builder, pointer(context, builder, array_type, array, const(0)), _vector(_F32, 16))
    numbers = builder.bitcast(numbers, _vector(_I8, 64))
    for byte in range(4):
        every_fourth = _constants(_vector(_I32, 32), [4 * i + byte for i in range(16)] * 2)
        yield builder.shuffle_vector(numbers, numbers, every_fourth)


def _interleave(builder, a, b):
    """Each half of a register apart: the first halves of a and b in turns, and their second halves."""
    n = a.type.count
    for first in (0, n // 4):
        order = [k + i + part * n for k in (0, n // 2) for i in range(first, first + n // 4) for part in (0, 1)]
        yield builder.shuffle_vector(a, b, _constants(_vector(_I32, n), order))


def _weights_by_bytes(builder, tables, codes):
    """The weights of 32 codes: in vector v those of inputs 4*v .. 4*v+3 and 16+4*v .. 16+4*v+3.

    AVX2 has no register for 16 numbers, but looks up 32 bytes at once in a table of 16: the lowest bytes of all 32
    weights, their second ones, and so on. The four bytes of each weight are then put side by side.
    """
    twice = builder.shuffle_vector(codes, codes, _constants(_vector(_I32, 32), [*range(16)] * 2))
    shifted = builder.lshr(builder.bitcast(twice, _vector(_I64, 4)), _constants(_vector(_I64, 4), [0, 0, 4, 4]))
    index = builder.and_(builder.bitcast(shifted, twice.type), _constants(twice.type, 15))
    found = [_call(builder, "llvm.x86.avx2.pshuf.b", index.type, table, index) for table in tables]
    halves = [
        [builder.bitcast(pair, _vector(_I16, 16)) for pair in _interleave(builder, *found[k : k + 2])] for k in (0, 2)
    ]
    for low, high in zip(*halves, strict=True):
        for weights in _interleave(builder, low, high):
            yield builder.bitcast(weights, _vector(_F32))


def _weights_by_numbers(builder, table, codes):
    """The weights of 32 codes, in the order of their inputs."""
    for half in range(2):
        for k in range(0, 16, WORDS):
            few = builder.shuffle_vector(codes, codes, _constants(_vector(_I32), range(k, k + WORDS)))
            index = builder.lshr(builder.zext(few, _vector(_I32)), _constants(_vector(_I32), 4 * half))
            yield _look_up(builder, table, index)


@intrinsic
def tile_add_code_products(typingctx, acc, codebook, codes, c0, c_step, x, x0):
    """acc[p, :] += products of 32 numbers x[x0 : x0 + 32] and the weights that the 16 bytes codes[c0 + p*c_step :]
    stand for.

    Byte k is the code of input k in its low, and of input 16 + k in its high half; x is in the order of
    `order_for_codes`. Which lane a product goes to does not matter: `tile_store_row_sums`.
    """

    def codegen(context, builder, signature, args):
        acc_, codebook_, codes_, c0_, c_step_, x_, x0_ = args
        tile = signature.args[0]
        if BY_BYTES:
            weights_of, table = _weights_by_bytes, list(_byte_tables(context, builder, signature.args[1], codebook_))
        else:
            weights_of, table = (
                _weights_by_numbers,
                _register_table(context, builder, signature.args[1], codebook_, const(0)),
            )
        x_at = pointer(context, builder, signature.args[5], x_, x0_)
        numbers = [_load(builder, builder.gep(x_at, [const(k)]), _vector(_F32)) for k in range(0, 32, WORDS)]
        for p in range(tile.rows):
            at = builder.add(c0_, builder.mul(c_step_, const(p)))
            bytes_ = _load(builder, pointer(context, builder, signature.args[2], codes_, at), _vector(_I8, 16))
            for v, weights in enumerate(weights_of(builder, table, bytes_)):
                i = p * tile.vectors + v % tile.vectors
                total = multiply_add(builder, weights, numbers[v], builder.extract_value(acc_, i))
                acc_ = builder.insert_value(acc_, total, i)
        return acc_

    return acc(acc, codebook, codes, INT, INT, x, INT), codegen


@intrinsic
def tile_store_row_sums(typingctx, acc, out, out0):
    """out[out0 + p] = the sum of all elements of row p."""

    def codegen(context, builder, signature, args):
        tile = signature.args[0]
        for p in range(tile.rows):
            total = _sum(builder, [builder.extract_value(args[0], p * tile.vectors + v) for v in range(tile.vectors)])
            for half in (8, 4, 2, 1):
                if half < tile.lanes:
                    order = _constants(_vector(_I32, tile.lanes), [lane ^ half for lane in range(tile.lanes)])
                    total = builder.fadd(total, builder.shuffle_vector(total, total, order))
            address = pointer(context, builder, signature.args[1], args[1], builder.add(args[2], const(p)))
            builder.store(builder.extract_element(total, ir.Constant(_I32, 0)), address)
        return context.get_dummy_value()

    return types.void(acc, out, INT), codegen


# --- transpose ------------------------------------------------------------------------------------------------------


@intrinsic
def transpose_square(typingctx, x, x0, x_step, out, out0, out_step):
    """out[out0 + i*out_step + j] = x[x0 + j*x_step + i] for all i and j below the number of lanes of a register.

    The quarters of a matrix swap, then those of each quarter, and so on: each time half of one register with half of
    another.

        a b          a c
        c d   ->     b d
    """
    tile = Tile(x.dtype, VECTOR_BYTES * 8 // x.dtype.bitwidth, 1)

    def codegen(context, builder, signature, args):
        x_, x0_, x_step_, out_, out0_, out_step_ = args
        n = tile.lanes

        def at(array_type, array, first, step, i):
            return pointer(context, builder, array_type, array, builder.add(first, builder.mul(step, const(i))))

        rows = [_load(builder, at(signature.args[0], x_, x0_, x_step_, i), tile.vector) for i in range(n)]
        half = n // 2
        while half:
            upper = [lane if not lane & half else n + lane - half for lane in range(n)]
            lower = [lane + half if not lane & half else n + lane for lane in range(n)]
            for i in (i for i in range(n) if not i & half):
                pair = rows[i], rows[i + half]
                rows[i], rows[i + half] = (
                    builder.shuffle_vector(*pair, _constants(_vector(_I32, n), order)) for order in (upper, lower)
                )
            half //= 2
        for i in range(n):
            address = at(signature.args[3], out_, out0_, out_step_, i)
            builder.store(rows[i], builder.bitcast(address, tile.vector.as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(x, INT, INT, out, INT, INT), codegen
