"""A small vocabulary of vector registers, in which a fast kernel stays a loop that one can read.

**What a tile is.** A CPU core works on vectors: an AVX-512 register holds 16 float32 numbers ("lanes"), AVX2's 8. A `Tile` is a
small matrix of sums, `rows` x (`vectors` * lanes), that lives wholly in such registers while a loop adds to it:

    acc = tile_zeros(8, 2, x)                                    # 8 rows of 2 vectors, of the type of x's elements
    for k in range(K):
        acc = tile_outer_add(acc, x, k, K, w, k * OC, columns)    # acc[p, :] += x[k + p*K] * w[k*OC :]
    tile_store(acc, y, 0, OC, rows, columns)

computes a block of the matrix product y = x @ w (x has rows of K elements, w and y rows of OC): each step adds the outer product of
a column of x and a row of w.

              w[k, :]   | lane lane lane ... |  2 vectors, loaded once for all 8 rows
                        +--------------------+
        x[0, k]         |  acc[0, :]         |
        x[1, k]         |  acc[1, :]         |   16 registers, 16 multiply-adds a step
          ...           |   ...              |
        x[7, k]         |  acc[7, :]         |
        8 loads of one number, spread to all lanes

**Why it wins.** Such a core can start two vector multiply-adds in a cycle but load only two vectors from its cache. The obvious loop,
y[p, o] += x[p, k] * w[k, o], loads two numbers (y and w) and stores one for each multiply-add: it waits for memory, always. With
the tile above one step makes 10 loads and no store for 16 multiply-adds. In general an R x V tile does R*V multiply-adds with R + V
loads: arithmetic per load (the "arithmetic intensity") grows with the tile, and the register file is the limit: R*V sums, V
vectors of w and one of x must fit into 32 registers (AVX-512) or 16 (AVX2, whence 6 x 2 tiles). The R*V sums are also independent of each
other, which hides the 4 cycles that one multiply-add takes. This is the inner loop of every fast matrix library
(Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008, section 4).

**Remainders.** Where fewer than vectors * lanes columns are left, `columns` says how many; loads and stores beyond them are masked off, so
that neither the channels need padding nor foreign memory is touched. `rows` does the same for the rows of loads and stores.

Arrays are one-dimensional here and positions are counted in elements. Nothing is checked: a position outside the array is
a wild read, as in C. The words are Numba intrinsics: Python functions that emit LLVM instructions where they are called.
They are at module level since Numba cannot cache users of an intrinsic made inside a function.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from .jit import host_cpu

_FEATURES = host_cpu()[1]
VECTOR_BYTES = 64 if "avx512f" in _FEATURES else 32 if "avx" in _FEATURES else 16
HAS_MASKS = "avx" in _FEATURES  # otherwise a masked access is a branch for every lane
_REGISTERS = 32 if "avx512f" in _FEATURES or platform.machine() in ("arm64", "aarch64") else 16
ROWS = 8 if _REGISTERS == 32 else 6
VECTORS = 2

INT = types.int64
_I32, _I64 = ir.IntType(32), ir.IntType(64)


class Tile(types.Type):
    """The Numba type of rows x vectors registers of numbers of type `dtype`."""

    def __init__(self, dtype, rows, vectors):
        self.dtype, self.rows, self.vectors = dtype, rows, vectors
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Tile({dtype}, {rows}, {vectors}, {self.lanes})")

    @property
    def vector(self):
        element = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}.get(self.dtype)
        return ir.VectorType(element or ir.IntType(self.dtype.bitwidth), self.lanes)


@register_model(Tile)
class TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        super().__init__(manager, tile, ir.ArrayType(tile.vector, tile.rows * tile.vectors))


# --- helpers that emit instructions -------------------------------------------------------------------------------------------------


def _const(n):
    return ir.Constant(_I64, n)


def _pointer(context, builder, array_type, array, offset):
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def _spread(builder, scalar, vector):
    """The scalar in all lanes of a vector."""
    lane0 = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(
        lane0, lane0, ir.Constant(ir.VectorType(_I32, vector.count), [0] * vector.count)
    )


def _masks(builder, tile, columns):
    """For each of the tile's vectors: which lanes lie within `columns`."""
    lanes = ir.VectorType(_I32, tile.lanes)
    left = _spread(builder, builder.trunc(columns, _I32), lanes)
    number = [
        ir.Constant(lanes, [v * tile.lanes + lane for lane in range(tile.lanes)]) for v in range(tile.vectors)
    ]
    return [builder.icmp_signed("<", n, left) for n in number]


def _masked(builder, tile, v, columns, whole, partial):
    """Emit `whole()` or `partial()`: the latter alone where masks are cheap, else a branch on whether vector v is whole."""
    if HAS_MASKS:
        return partial()
    fits = builder.icmp_signed(">=", columns, _const((v + 1) * tile.lanes))
    with builder.if_else(fits, likely=True) as (then, otherwise):
        with then:
            a, a_block = whole(), builder.block
        with otherwise:
            b, b_block = partial(), builder.block
    if a is not None:
        value = builder.phi(a.type)
        value.add_incoming(a, a_block)
        value.add_incoming(b, b_block)
        return value


def _load(builder, tile, address, v, mask, columns):
    """Vector v of the row that starts at `address`; zeros beyond `columns`."""
    vector, align = tile.vector, tile.dtype.bitwidth // 8
    address = builder.bitcast(builder.gep(address, [_const(v * tile.lanes)]), vector.as_pointer())

    def whole():
        value = builder.load(address)
        value.align = align
        return value

    def partial():
        name = f"llvm.masked.load.{_suffix(vector)}.p0"
        kind = ir.FunctionType(vector, [vector.as_pointer(), _I32, mask.type, vector])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, [address, ir.Constant(_I32, align), mask, _zeros(vector)])

    return _masked(builder, tile, v, columns, whole, partial)


def _store(builder, tile, value, address, v, mask, columns):
    vector, align = tile.vector, tile.dtype.bitwidth // 8
    address = builder.bitcast(builder.gep(address, [_const(v * tile.lanes)]), vector.as_pointer())

    def whole():
        builder.store(value, address).align = align

    def partial():
        name = f"llvm.masked.store.{_suffix(vector)}.p0"
        kind = ir.FunctionType(ir.VoidType(), [vector, vector.as_pointer(), _I32, mask.type])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [value, address, ir.Constant(_I32, align), mask])

    _masked(builder, tile, v, columns, whole, partial)


def _suffix(vector):
    kind = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}.get(
        vector.element, f"i{getattr(vector.element, 'width', 0)}"
    )
    return f"v{vector.count}{kind}"


def _zeros(vector):
    zero = 0 if isinstance(vector.element, ir.IntType) else 0.0
    return ir.Constant(vector, [zero] * vector.count)


def _multiply_add(builder, a, b, c):
    """a * b + c. "contract" lets LLVM fuse the two where the CPU can; `llvm.fma` would call a slow function where it cannot."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _literals(*numbers):
    return all(isinstance(n, types.IntegerLiteral) for n in numbers)


# --- the vocabulary -----------------------------------------------------------------------------------------------------------------


@intrinsic(prefer_literal=True)
def tile_zeros(typingctx, rows, vectors, like):
    """A tile of zeros with the element type of the array `like`. `rows` and `vectors` must be constants."""
    if not _literals(rows, vectors):
        return None
    tile = Tile(like.dtype, rows.literal_value, vectors.literal_value)

    def codegen(context, builder, signature, args):
        n = tile.rows * tile.vectors
        return ir.Constant(ir.ArrayType(tile.vector, n), [_zeros(tile.vector)] * n)

    return tile(rows, vectors, like), codegen


@intrinsic
def tile_outer_add(typingctx, acc, x, x0, x_step, w, w0, columns):
    """acc[p, :] += x[x0 + p*x_step] * w[w0 : w0 + columns] for every row p."""

    def codegen(context, builder, signature, args):
        acc_, x_, x0_, step_, w_, w0_, columns_ = args
        tile = signature.args[0]
        x_at = _pointer(context, builder, signature.args[1], x_, x0_)
        w_at = _pointer(context, builder, signature.args[4], w_, w0_)
        masks = _masks(builder, tile, columns_)
        weights = [_load(builder, tile, w_at, v, masks[v], columns_) for v in range(tile.vectors)]
        for p in range(tile.rows):
            pixel = builder.load(builder.gep(x_at, [builder.mul(step_, _const(p))]))
            pixel = _spread(builder, pixel, tile.vector)
            for v in range(tile.vectors):
                i = p * tile.vectors + v
                total = _multiply_add(builder, pixel, weights[v], builder.extract_value(acc_, i))
                acc_ = builder.insert_value(acc_, total, i)
        return acc_

    return acc(acc, x, INT, INT, w, INT, INT), codegen


@intrinsic
def tile_store(typingctx, acc, out, out0, out_step, rows, columns):
    """out[out0 + p*out_step : ... + columns] = acc[p, :] for the first `rows` rows p."""

    def codegen(context, builder, signature, args):
        acc_, out_, out0_, step_, rows_, columns_ = args
        tile = signature.args[0]
        masks = _masks(builder, tile, columns_)
        for p in range(tile.rows):
            with builder.if_then(builder.icmp_signed("<", _const(p), rows_), likely=True):
                row = _pointer(
                    context,
                    builder,
                    signature.args[1],
                    out_,
                    builder.add(out0_, builder.mul(step_, _const(p))),
                )
                for v in range(tile.vectors):
                    value = builder.extract_value(acc_, p * tile.vectors + v)
                    _store(builder, tile, value, row, v, masks[v], columns_)
        return context.get_dummy_value()

    return types.void(acc, out, INT, INT, INT, INT), codegen


@intrinsic
def tile_add_to(typingctx, acc, out, out0, out_step, rows, columns):
    """out[out0 + p*out_step : ... + columns] += acc[p, :] for the first `rows` rows p."""

    def codegen(context, builder, signature, args):
        acc_, out_, out0_, step_, rows_, columns_ = args
        tile = signature.args[0]
        masks = _masks(builder, tile, columns_)
        for p in range(tile.rows):
            with builder.if_then(builder.icmp_signed("<", _const(p), rows_), likely=True):
                row = _pointer(
                    context,
                    builder,
                    signature.args[1],
                    out_,
                    builder.add(out0_, builder.mul(step_, _const(p))),
                )
                for v in range(tile.vectors):
                    before = _load(builder, tile, row, v, masks[v], columns_)
                    value = builder.fadd(before, builder.extract_value(acc_, p * tile.vectors + v))
                    _store(builder, tile, value, row, v, masks[v], columns_)
        return context.get_dummy_value()

    return types.void(acc, out, INT, INT, INT, INT), codegen


@intrinsic
def copy(typingctx, to, to0, source, source0, n):
    """to[to0 : to0 + n] = source[source0 : source0 + n], by memcpy."""

    def codegen(context, builder, signature, args):
        to_, to0_, source_, source0_, n_ = args
        to_at = _pointer(context, builder, signature.args[0], to_, to0_)
        source_at = _pointer(context, builder, signature.args[2], source_, source0_)
        cgutils.raw_memcpy(builder, to_at, source_at, n_, signature.args[0].dtype.bitwidth // 8, align=4)
        return context.get_dummy_value()

    return types.void(to, INT, source, INT, INT), codegen
