"""More operations on register tiles (`kernels/registers/tile.py`): products of bytes and of bits. Look-ups are in
`tables.py`.

Low-bit weights are stored in *lines* of 64 bytes, with 32 bits for each of 16 neighbouring outputs: four 8-bit weights
or 32 binary ones. So a line is one AVX-512 register or two AVX2 registers, and lane o of a tile sums for output o, as
in a tile of floats:

                      lane 0           lane 1                   lane 15
    line of w     | 32 bits of     | 32 bits of     |  ...  | 32 bits of     |      16 outputs x 4 int8, or x 32 signs
                  | output 0       | output 1       |       | output 15      |
    word of x     | 32 bits        | the same       |  ...  | the same       |      4 uint8, or 32 signs, of a row of x
    total (int32) | += their product, 4 or 32 multiply-adds in each lane     |

A block is the lines of 16 outputs for all inputs; the block of the next 16 outputs follows. Where one register holds a
whole line, a tile covers two blocks. As for all tiles, arrays are one-dimensional, positions count elements, and
nothing is checked.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ...kernels.registers.vectors import (
    I32,
    I64,
    INT,
    VECTOR_BYTES,
    VECTORS,
    Tile,
    call,
    const,
    load_row,
    pointer,
    spread,
    zeros,
)
from ...kernels.runtime.jit import host_cpu

I8, I16 = ir.IntType(8), ir.IntType(16)

WORDS = VECTOR_BYTES // 4
"""32-bit words per register."""

LINE = 16
"""32-bit words per line, one per output."""

TILE_OUTPUTS = VECTORS * WORDS
"""Outputs per tile."""

FEATURES = host_cpu()[1]


def vector_of(element, count=WORDS):
    return ir.VectorType(element, count)


def constants(vector, values):
    return ir.Constant(vector, [values] * vector.count if isinstance(values, int) else list(values))


def load_whole(builder, address, vector):
    value = builder.load(builder.bitcast(address, vector.as_pointer()))
    value.align = 1
    return value


def line_vectors(builder, address, block_step, vectors=VECTORS):
    """Load the tile's vectors: the line at `address`, and the one `block_step` words later if a line is a single
    register."""
    for v in range(vectors):
        block, part = divmod(v * WORDS, LINE)
        at = builder.add(builder.mul(block_step, const(block)), const(part))
        yield load_whole(builder, builder.gep(address, [at]), vector_of(I32))


def _rows_times_line(combine, parts=1):
    """Generate code that combines, for each row p, the word that begins at x[x0 + p*x_step] with a line of w. With several
    parts, consecutive words of x meet the parts of the line. Rows beyond `rows` repeat the last one. The elements of x may be
    smaller than words."""

    def codegen(context, builder, signature, args):
        acc, x, x0, x_step, rows, w, w0, block_step = args
        tile = signature.args[0]
        x_at = pointer(context, builder, signature.args[1], x, x0)
        per_word = 32 // signature.args[1].dtype.bitwidth
        w_at = pointer(context, builder, signature.args[5], w, w0)
        line = list(line_vectors(builder, w_at, block_step, tile.vectors))
        last = builder.sub(rows, const(1))
        for part in range(parts):
            weights = line if parts == 1 else [_widened(builder, words, part) for words in line]
            for p in range(tile.rows):
                row = builder.select(builder.icmp_signed("<", last, const(p)), last, const(p))
                at = builder.add(builder.mul(x_step, row), const(part * per_word))
                word = builder.load(builder.bitcast(builder.gep(x_at, [at]), I32.as_pointer()))
                word.align = 4 // per_word
                word = spread(builder, word, tile.vector)
                for v in range(tile.vectors):
                    i = p * tile.vectors + v
                    acc = builder.insert_value(
                        acc, combine(builder, builder.extract_value(acc, i), word, weights[v]), i
                    )
        return acc

    return codegen


# --- products of bytes ----------------------------------------------------------------------------------------------


def _has_vnni():
    if WORDS == 16:
        return "avx512vnni" in FEATURES
    return "avxvnni" in FEATURES or {"avx512vnni", "avx512vl"} <= set(FEATURES)


PARTS = 1 if _has_vnni() else 2
"""Words of x per word of weights (four bytes): without VNNI, two words of two 16-bit numbers each."""

_PAIRS = {16: ("avx512bw", "avx512.pmaddw.d.512"), 8: ("avx2", "avx2.pmadd.wd"), 4: ("sse2", "sse2.pmadd.wd")}[WORDS]


def _dot4(builder, total, x, w):
    """total + the sum of four products of unsigned bytes of x and signed bytes of w, per lane, exact."""
    return call(builder, f"llvm.x86.avx512.vpdpbusd.{VECTOR_BYTES * 8}", total.type, total, x, w)


def _dot2(builder, total, x, w):
    """total + the sum of two products of 16-bit numbers, per lane, exact.

    The similar instruction for bytes (pmaddubsw) adds in 16 bits and would saturate, for example at 2 * 255 * 127.
    """
    if _PAIRS[0] in FEATURES:
        pairs = vector_of(I16, 2 * WORDS)
        x, w = builder.bitcast(x, pairs), builder.bitcast(w, pairs)
        return builder.add(total, call(builder, f"llvm.x86.{_PAIRS[1]}", total.type, x, w))
    sixteen = constants(x.type, 16)
    low = [builder.ashr(builder.shl(word, sixteen), sixteen) for word in (x, w)]
    high = [builder.ashr(word, sixteen) for word in (x, w)]
    return builder.add(total, builder.add(builder.mul(*low), builder.mul(*high)))


def _widened(builder, words, part):
    """Two of the signed bytes of each word, 0 and 1 or 2 and 3, as 16-bit numbers."""
    bytes_ = builder.bitcast(words, vector_of(I8, 4 * WORDS))
    # Duplicate each byte: the upper copy is then shifted down by 8 bits, which extends its sign.
    twice = [4 * word + 2 * part + byte for word in range(WORDS) for byte in (0, 0, 1, 1)]
    pairs = builder.shuffle_vector(bytes_, bytes_, constants(vector_of(I32, 4 * WORDS), twice))
    pairs = builder.bitcast(pairs, vector_of(I16, 2 * WORDS))
    return builder.bitcast(builder.ashr(pairs, constants(pairs.type, 8)), words.type)


@intrinsic
def tile_dot4_add(typingctx, acc, x, x0, x_step, rows, w, w0, block_step):
    """acc[p, o] += x[p] · w[o], four products each. x[p]: the PARTS words from x[x0 + p*x_step] on; x may be an array of words
    or of the numbers in them. w[o]: word o, four int8, of the line at w0.

    Only the first `rows` rows have to exist. block_step: the distance in words to the next 16 outputs.
    """
    return acc(acc, x, INT, INT, INT, w, INT, INT), _rows_times_line(_dot4 if PARTS == 1 else _dot2, PARTS)


@intrinsic
def tile_dot2_add(typingctx, acc, x, x0, x_step, rows, w, w0):
    """acc[p, o] += x[p] · w[o], two products of 16-bit numbers each. x[p]: the word x[x0 + p*x_step]. w[o]: the word
    w[w0 + o]."""

    def codegen(context, builder, signature, args):
        signature = acc(*signature.args, INT)
        return _rows_times_line(_dot2)(context, builder, signature, (*args, const(LINE)))

    return acc(acc, x, INT, INT, INT, w, INT), codegen


@intrinsic
def widen_line(typingctx, w, w0, block_step, out, out0):
    """Widen the tile's part of a line of signed bytes to 16-bit numbers, 2 * TILE_OUTPUTS words for two
    `tile_dot2_add`."""

    def codegen(context, builder, signature, args):
        w_, w0_, block_step_, out_, out0_ = args
        line = line_vectors(builder, pointer(context, builder, signature.args[0], w_, w0_), block_step_)
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
    """float32(acc) * scale[at : at + columns] + shift[at : at + columns], row by row."""
    result = Tile(scale.dtype, acc.rows, acc.vectors)

    def codegen(context, builder, signature, args):
        acc_, scale_, shift_, at_, columns_ = args
        factors = load_row(builder, result, pointer(context, builder, signature.args[1], scale_, at_), columns_)
        terms = load_row(builder, result, pointer(context, builder, signature.args[2], shift_, at_), columns_)
        scaled = ir.Constant(ir.ArrayType(result.vector, result.rows * result.vectors), ir.Undefined)
        for v in range(result.vectors):
            for i in range(v, result.rows * result.vectors, result.vectors):
                total = builder.sitofp(builder.extract_value(acc_, i), result.vector)
                # Not fused, so that the result equals NumPy's bit for bit.
                scaled = builder.insert_value(scaled, builder.fadd(builder.fmul(total, factors[v]), terms[v]), i)
        return scaled

    return result(acc, scale, shift, INT, INT), codegen


@intrinsic
def tile_widened(typingctx, x, like):
    """The bytes of a tile as numbers of the element type of the array `like`."""
    result = Tile(like.dtype, x.rows, x.vectors, x.lanes)

    def codegen(context, builder, signature, args):
        wide = ir.Constant(ir.ArrayType(result.vector, result.rows * result.vectors), ir.Undefined)
        for i in range(result.rows * result.vectors):
            wide = builder.insert_value(wide, builder.zext(builder.extract_value(args[0], i), result.vector), i)
        return wide

    return result(x, like), codegen


@intrinsic
def tile_multiply_add_bytes(typingctx, acc, x, x0, x_step, w, w0):
    """acc[p, :] += x[x0 + p*x_step : ...] * w[w0 : ...], for every row p. x: bytes, or bytes kept as 16-bit numbers. w: int32."""

    def codegen(context, builder, signature, args):
        acc_, x_, x0_, step_, w_, w0_ = args
        tile = signature.args[0]
        x_at = pointer(context, builder, signature.args[1], x_, x0_)
        w_at = pointer(context, builder, signature.args[4], w_, w0_)
        narrow = vector_of(ir.IntType(signature.args[1].dtype.bitwidth), tile.lanes)
        weights = [
            load_whole(builder, builder.gep(w_at, [const(v * tile.lanes)]), tile.vector) for v in range(tile.vectors)
        ]
        for p in range(tile.rows):
            for v in range(tile.vectors):
                at = builder.add(builder.mul(step_, const(p)), const(v * tile.lanes))
                seen = load_whole(builder, builder.gep(x_at, [at]), narrow)
                product = builder.mul(builder.zext(seen, tile.vector), weights[v])
                i = p * tile.vectors + v
                acc_ = builder.insert_value(acc_, builder.add(builder.extract_value(acc_, i), product), i)
        return acc_

    return acc(acc, x, INT, INT, w, INT), codegen


def _to_bytes(builder, sums, shift, zero_point, low, high, result):
    """clip(zero_point + (sums >> shift), low, high), vectors of integers, as bytes."""
    q = builder.add(builder.ashr(sums, shift), zero_point)
    q = builder.select(builder.icmp_signed("<", q, low), low, q)
    q = builder.select(builder.icmp_signed(">", q, high), high, q)
    return builder.trunc(q, result)


def _short(builder, wide):
    """Vectors of 64-bit integers that fit 32 bits: told so, LLVM multiplies them with one instruction."""
    return builder.sext(builder.trunc(wide, vector_of(I32, wide.type.count)), wide.type)


@intrinsic
def tile_requantized(typingctx, acc, offset, factor, shift, at, zero_point, low, high):
    """clip(zero_point + ((acc * factor + offset) >> shift), low, high) as bytes, row by row.

    offset, factor (below 2^31) and shift: int64 arrays, whole vectors from position `at` on.
    """
    result = Tile(types.uint8, acc.rows, acc.vectors, acc.lanes)
    wide = vector_of(I64, acc.lanes)

    def codegen(context, builder, signature, args):
        acc_, *columns, at_, zero_point_, low_, high_ = args
        places = [pointer(context, builder, kind, a, at_) for kind, a in zip(signature.args[1:4], columns, strict=True)]
        ends = [spread(builder, number, wide) for number in (zero_point_, low_, high_)]
        out = ir.Constant(ir.ArrayType(result.vector, result.rows * result.vectors), ir.Undefined)
        for v in range(result.vectors):
            add, times, by = (load_whole(builder, builder.gep(place, [const(v * acc.lanes)]), wide) for place in places)
            for i in range(v, result.rows * result.vectors, result.vectors):
                total = builder.sext(builder.extract_value(acc_, i), wide)
                scaled = builder.add(builder.mul(total, _short(builder, times)), add)
                out = builder.insert_value(out, _to_bytes(builder, scaled, by, *ends, result.vector), i)
        return out

    return result(acc, offset, factor, shift, INT, INT, INT, INT), codegen


@intrinsic
def tile_sum_requantized(typingctx, a, b, a_factor, b_factor, offset, shift, zero_point, low, high):
    """clip(zero_point + ((a * a_factor + b * b_factor + offset) >> shift), low, high) for two tiles of bytes, as bytes. In 32
    bits if the numbers are int32, else in 64."""
    kind, element = (types.int32, I32) if a_factor == types.int32 else (INT, I64)
    wide = vector_of(element, a.lanes)

    def codegen(context, builder, signature, args):
        out, other, *numbers = args
        a_times, b_times, add, *ends = (spread(builder, number, wide) for number in numbers)
        if element == I64:
            a_times, b_times = _short(builder, a_times), _short(builder, b_times)
        for i in range(a.rows * a.vectors):
            values = [builder.zext(builder.extract_value(tile, i), wide) for tile in (out, other)]
            products = [builder.mul(value, times) for value, times in zip(values, (a_times, b_times), strict=True)]
            scaled = builder.add(builder.add(*products), add)
            out = builder.insert_value(out, _to_bytes(builder, scaled, *ends, a.vector), i)
        return out

    return a(a, b, *[kind] * 7), codegen


# --- 32 products of signs per lane ----------------------------------------------------------------------------------


def _add_popcount_of_xor(builder, total, x, w):
    return builder.add(total, call(builder, f"llvm.ctpop.v{WORDS}i32", total.type, builder.xor(x, w)))


@intrinsic
def tile_count_differences(typingctx, acc, x, x0, x_step, rows, w, w0, block_step):
    """acc[p, o] += the number of bits that differ between the word x[x0 + p*x_step] and word o of the line at w0."""
    return acc(acc, x, INT, INT, INT, w, INT, INT), _rows_times_line(_add_popcount_of_xor)


@intrinsic
def tile_dots_of_signs(typingctx, different, n):
    """n - 2 * different, elementwise: sums of n products of signs of which `different` are -1."""

    def codegen(context, builder, signature, args):
        acc, n_ = args
        vector = signature.args[0].vector
        n_ = spread(builder, builder.trunc(n_, I32), vector)
        for i in range(signature.args[0].rows * VECTORS):
            twice = builder.shl(builder.extract_value(acc, i), constants(vector, 1))
            acc = builder.insert_value(acc, builder.sub(n_, twice), i)
        return acc

    return different(different, INT), codegen


@intrinsic
def sign_bits(typingctx, x, x0):
    """The signs of x[x0 : x0 + 32] as a uint32: bit k is set where x[x0 + k] < 0."""

    def codegen(context, builder, signature, args):
        element = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[signature.args[0].dtype]
        numbers = load_whole(builder, pointer(context, builder, signature.args[0], *args), vector_of(element, 32))
        return builder.bitcast(builder.fcmp_ordered("<", numbers, zeros(numbers.type)), I32)

    return types.uint32(x, INT), codegen
