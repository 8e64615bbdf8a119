"""A small vocabulary of vector registers, which keeps fast kernels readable as loops.

**What a tile is.** A CPU core works on vectors: an AVX-512 register holds 16 float32 numbers ("lanes"), AVX2's 8.
A tile is a small matrix of sums, rows x (vectors * lanes), that stays in such registers while a loop adds to it:

    acc = tile_zeros(8, 2, x)                                     # 8 rows of 2 vectors of x's dtype
    for k in range(K):
        acc = tile_outer_add(acc, x, k, K, w, k * OC, columns)    # acc[p, :] += x[k + p*K] * w[k*OC :]
    tile_store(acc, y, 0, OC, rows, columns)

computes a block of the matrix product y = x @ w (x has rows of K elements, w and y of OC): each step adds the outer product
of a column of x and a row of w.

              w[k, :]   | lane lane lane ... |  2 vectors, loaded once for all 8 rows
                        +--------------------+
        x[0, k]         |  acc[0, :]         |
        x[1, k]         |  acc[1, :]         |   16 registers, 16 multiply-adds per step
          ...           |   ...              |
        x[7, k]         |  acc[7, :]         |
        8 loads of one number, broadcast to all lanes

**Why it is fast.** Such a core starts two vector multiply-adds per cycle, but loads only two vectors from its cache. The
obvious loop, y[p, o] += x[p, k] * w[k, o], loads y and w and stores y for each multiply-add, so it always waits for memory.
With the tile above, a step takes 10 loads and no store for 16 multiply-adds. In general, a tile of R x V vectors does R*V
multiply-adds per R + V loads: the arithmetic per load (the "arithmetic intensity") grows with the tile. The limit is the
number of registers: R*V sums, V vectors of w and one of x must fit into 32 (AVX-512) or 16 (AVX2, hence tiles of 6 x 2). And
since the sums are independent, the latency of 4 cycles of a multiply-add is hidden behind the others. This is the inner loop
of every fast matrix library (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 2008,
section 4).

**Remainders.** Where fewer than vectors * lanes columns are left, `columns` gives their number; loads and stores beyond them
are masked, so channels need no padding and no memory outside the array is touched. `rows` does the same for stored rows.

Arrays are contiguous, and positions are counted in elements from the first one, whatever the shape. Nothing is checked: a
position outside the array is undefined behaviour, as in C. The functions are Numba intrinsics: Python functions that emit
LLVM instructions where they are called. They are names of a module, since Numba cannot cache functions that find an intrinsic
in a closure.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin

from .vectors import (
    INT,
    VECTOR_BYTES,
    Tile,
    const,
    literals,
    load,
    load_row,
    multiply_add,
    pointer,
    spread,
    store,
    zeros,
)


def limit(columns):
    """The Numba type of a `columns` argument, which may be None."""
    return types.none if columns == types.none else INT


def _zeros(context, builder, signature, args):
    return context.get_constant_null(signature.return_type)


@intrinsic(prefer_literal=True)
def tile_zeros(typingctx, rows, vectors, like):
    """A tile of zeros with the element type of the array `like`. `rows` and `vectors` must be constants, or tuples of that
    length: Numba compiles a function once per length of a tuple argument, but not per value of an int."""
    shape = constant(rows), constant(vectors)
    if None in shape:
        return None
    return Tile(like.dtype, *shape)(rows, vectors, like), _zeros


@intrinsic(prefer_literal=True)
def tile_narrow(typingctx, rows, vectors, parts, like):
    """As `tile_zeros`, of vectors with a half or a quarter of the lanes if `parts` is 2 or 4: on many CPUs, two of them take the
    time of a whole one."""
    shape = constant(rows), constant(vectors)
    if None in shape or constant(parts) is None:
        return None
    lanes = VECTOR_BYTES * 8 // like.dtype.bitwidth // constant(parts)
    return Tile(like.dtype, *shape, lanes)(rows, vectors, parts, like), _zeros


def constant(n):
    """The value of a Numba type of a constant int, or the length of a tuple's; None for other types."""
    return len(n) if isinstance(n, types.BaseTuple) else n.literal_value if literals(n) else None


@intrinsic
def tile_zeros_like(typingctx, like, array):
    """A tile of zeros with the shape of the tile `like` and the element type of `array`."""
    return Tile(array.dtype, like.rows, like.vectors, like.lanes)(like, array), _zeros


@intrinsic
def lanes_of(typingctx, x):
    """How many elements of the array x fill a vector, as a compile-time constant, which `x.itemsize` is not."""

    def codegen(context, builder, signature, args):
        return const(VECTOR_BYTES * 8 // signature.args[0].dtype.bitwidth)

    return INT(x), codegen


@intrinsic
def tile_load(typingctx, like, x, x0, x_step, columns):
    """Load a tile with the shape of `like`: row p is x[x0 + p*x_step : ... + columns], then zeros."""
    tile = Tile(x.dtype, like.rows, like.vectors, like.lanes)

    def codegen(context, builder, signature, args):
        _, x_, x0_, step_, columns_ = args
        acc = ir.Constant(ir.ArrayType(tile.vector, tile.rows * tile.vectors), ir.Undefined)
        for p in range(tile.rows):
            row = pointer(context, builder, signature.args[1], x_, builder.add(x0_, builder.mul(step_, const(p))))
            for v, value in enumerate(load_row(builder, tile, row, columns_)):
                acc = builder.insert_value(acc, value, p * tile.vectors + v)
        return acc

    return tile(like, x, INT, INT, limit(columns)), codegen


def _add_products(pixels_at):
    """Generate code that adds pixels * w[w0 : w0 + columns] to each row p, where pixels_at(builder, tile, address, columns)
    loads the pixels of a row, one vector per vector of w, from the address of x[x0 + p*x_step]."""

    def codegen(context, builder, signature, args):
        acc, x, x0, x_step, w, w0, columns = args
        tile = signature.args[0]
        x_at = pointer(context, builder, signature.args[1], x, x0)
        weights = load_row(builder, tile, pointer(context, builder, signature.args[4], w, w0), columns)
        for p in range(tile.rows):
            pixels = pixels_at(builder, tile, builder.gep(x_at, [builder.mul(x_step, const(p))]), columns)
            for v in range(tile.vectors):
                i = p * tile.vectors + v
                total = multiply_add(builder, pixels[v], weights[v], builder.extract_value(acc, i))
                acc = builder.insert_value(acc, total, i)
        return acc

    return codegen


def _one_number(builder, tile, address, columns):
    return [spread(builder, builder.load(address), tile.vector)] * tile.vectors


@intrinsic
def tile_outer_add(typingctx, acc, x, x0, x_step, w, w0, columns):
    """acc[p, :] += x[x0 + p*x_step] * w[w0 : w0 + columns] for every row p."""
    return acc(acc, x, INT, INT, w, INT, limit(columns)), _add_products(_one_number)


@intrinsic(prefer_literal=True)
def tile_outer_adds(typingctx, acc, x, x0, x_step, w, w0, steps):
    """`steps` (as in `tile_zeros`) times `tile_outer_add`: with x[x0 + k + p*x_step] and row k of a panel of w, from w0 on.

    A loop of single steps spends as many instructions on the addresses of the rows of x as on products; here they are
    computed once for all steps, and the rest of an address is a constant.
    """
    count = constant(steps)
    if count is None:
        return None

    def codegen(context, builder, signature, args):
        acc, x, x0, x_step, w, w0, _ = args
        tile = signature.args[0]
        x_at, block = pointer(context, builder, signature.args[1], x, x0), tile.vectors * tile.lanes
        rows = [builder.gep(x_at, [builder.mul(x_step, const(p))]) for p in range(tile.rows)]
        for k in range(count):
            at = pointer(context, builder, signature.args[4], w, builder.add(w0, const(k * block)))
            weights = load_row(builder, tile, at, None)
            for p, row in enumerate(rows):
                number = spread(builder, builder.load(builder.gep(row, [const(k)])), tile.vector)
                for v in range(tile.vectors):
                    i = p * tile.vectors + v
                    total = multiply_add(builder, number, weights[v], builder.extract_value(acc, i))
                    acc = builder.insert_value(acc, total, i)
        return acc

    return acc(acc, x, INT, INT, w, INT, steps), codegen


@intrinsic
def tile_multiply_add(typingctx, acc, x, x0, x_step, w, w0, columns):
    """acc[p, :] += x[x0 + p*x_step : ... + columns] * w[w0 : w0 + columns] for every row p."""
    return acc(acc, x, INT, INT, w, INT, limit(columns)), _add_products(load_row)


@intrinsic(prefer_literal=True)
def tile_window_add(typingctx, acc, x, x0, stride, x_step, taps, w, w0):
    """acc[p, :] += the sum over taps j of (pixel p*stride + j of x) * (tap j of w): one filter row applied at each row p.

    The pixels are `x_step` apart, from x0 on; so are the taps of w, from w0 on. `taps` must be a constant. If `stride` and
    `x_step` are constants too, LLVM loads a pixel seen by several rows only once.
    """
    if not literals(taps):
        return None

    def codegen(context, builder, signature, args):
        acc_, x_, x0_, stride_, x_step_, _, w_, w0_ = args
        tile = signature.args[0]
        x_at = pointer(context, builder, signature.args[1], x_, x0_)
        w_at = pointer(context, builder, signature.args[6], w_, w0_)

        def row(start, number):
            return load_row(builder, tile, builder.gep(start, [builder.mul(number, x_step_)]), None)

        weights = [row(w_at, const(j)) for j in range(taps.literal_value)]
        for p in range(tile.rows):
            for j, weight in enumerate(weights):
                pixel = row(x_at, builder.add(builder.mul(stride_, const(p)), const(j)))
                for v in range(tile.vectors):
                    i = p * tile.vectors + v
                    total = multiply_add(builder, pixel[v], weight[v], builder.extract_value(acc_, i))
                    acc_ = builder.insert_value(acc_, total, i)
        return acc_

    return acc(acc, x, INT, INT, INT, taps, w, INT), codegen


def _vector_by_vector(operation):
    """Generate code for a tile like the first argument: operation(builder, *arguments) for the vectors of all tiles at the
    same place, and for arguments that are no tiles as they are."""

    def codegen(context, builder, signature, args):
        result, tile = args[0], signature.return_type
        for i in range(tile.rows * tile.vectors):
            at_i = [
                builder.extract_value(a, i) if isinstance(kind, Tile) else a
                for a, kind in zip(args, signature.args, strict=True)
            ]
            result = builder.insert_value(result, operation(builder, *at_i), i)
        return result

    return codegen


class TileArithmetic(AbstractTemplate):
    """The type of a + b, a - b and a * b for two tiles of the same type."""

    def generic(self, args, kws):
        if len(args) == 2 and isinstance(args[0], Tile) and args[0] == args[1]:
            return signature(args[0], *args)


def tile_operator(operation, name):
    """Define `operation` on tiles, element by element, as the LLVM instruction `name`."""

    def instruction(builder, a, b):
        return getattr(builder, name)(a, b, flags=("contract",))  # a product may be fused into a multiply-add

    infer_global(operation)(type(f"Tile_{name}", (TileArithmetic,), {}))
    lower_builtin(operation, Tile, Tile)(_vector_by_vector(instruction))


tile_operator(operator.add, "fadd")
tile_operator(operator.sub, "fsub")
tile_operator(operator.mul, "fmul")


@intrinsic
def tile_full(typingctx, like, value):
    """A tile with the shape and type of the tile `like`, filled with `value`."""

    def filled(builder, vector, value):
        return spread(builder, value, vector.type)

    return like(like, like.dtype), _vector_by_vector(filled)


@intrinsic
def tile_at_least(typingctx, x, floor):
    """max(x, floor), element by element, with a scalar floor. NaN stays NaN."""

    def larger(builder, x, floor):
        low = spread(builder, floor, x.type)
        return builder.select(builder.fcmp_ordered("<", x, low), low, x)

    return x(x, x.dtype), _vector_by_vector(larger)


@intrinsic
def tile_where_above(typingctx, g, z, floor):
    """g where z > floor (a scalar), else 0, element by element. If z or floor is NaN, g."""

    def kept(builder, g, z, floor):
        return builder.select(builder.fcmp_unordered(">", z, spread(builder, floor, z.type)), g, zeros(g.type))

    return g(g, z, g.dtype), _vector_by_vector(kept)


@intrinsic
def tile_add_where(typingctx, acc, x, where, k):
    """acc += x for the elements with where == k."""

    def added(builder, acc, x, where, k):
        here = builder.icmp_signed("==", where, spread(builder, builder.trunc(k, where.type.element), where.type))
        return builder.select(here, builder.fadd(acc, x), acc)

    return acc(acc, x, where, INT), _vector_by_vector(added)


@intrinsic
def tile_max(typingctx, best, where, x, k):
    """(best, where) with best = max(best, x), element by element, and where = k for the elements taken from x.

    NaN counts as the largest number, and the first one wins, as in numpy.argmax.
    """

    def codegen(context, builder, signature, args):
        best_, where_, x_, k_ = args
        best_tile, where_tile = signature.args[:2]
        k_ = spread(builder, builder.trunc(k_, where_tile.vector.element), where_tile.vector)
        for i in range(best_tile.rows * best_tile.vectors):
            old, new = builder.extract_value(best_, i), builder.extract_value(x_, i)
            greater = builder.fcmp_unordered(">", new, old)  # also true if either is NaN ...
            greater = builder.and_(greater, builder.fcmp_ordered("ord", old, old))  # ... but not if the old one is
            best_ = builder.insert_value(best_, builder.select(greater, new, old), i)
            where_ = builder.insert_value(where_, builder.select(greater, k_, builder.extract_value(where_, i)), i)
        return context.make_tuple(builder, signature.return_type, [best_, where_])

    return types.Tuple((best, where))(best, where, x, INT), codegen


@intrinsic
def tile_larger(typingctx, a, b):
    """max(a, b), element by element, of floats or unsigned integers. NaN counts as the largest number, as in `tile_max`."""

    def codegen(context, builder, signature, args):
        result = args[0]
        for i in range(a.rows * a.vectors):
            old, new = (builder.extract_value(tile, i) for tile in args)
            if isinstance(a.dtype, types.Float):
                kept = builder.or_(builder.fcmp_ordered(">=", old, new), builder.fcmp_unordered("uno", old, old))
            else:
                kept = builder.icmp_unsigned(">=", old, new)
            result = builder.insert_value(result, builder.select(kept, old, new), i)
        return result

    return a(a, b), codegen


def _into_rows(add):
    """Generate code that stores a tile in rows of an array, or adds it to what is there."""

    def codegen(context, builder, signature, args):
        acc, out, out0, step, rows, columns = args
        tile, array = signature.args[:2]
        for p in range(tile.rows):
            with builder.if_then(builder.icmp_signed("<", const(p), rows), likely=True):
                row = pointer(context, builder, array, out, builder.add(out0, builder.mul(step, const(p))))
                for v in range(tile.vectors):
                    value = builder.extract_value(acc, p * tile.vectors + v)
                    if add:
                        value = builder.fadd(load(builder, tile, row, v, columns), value)
                    store(builder, tile, value, row, v, columns)
        return context.get_dummy_value()

    return codegen


@intrinsic
def tile_store(typingctx, acc, out, out0, out_step, rows, columns):
    """out[out0 + p*out_step : ... + columns] = acc[p, :] for the first `rows` rows p."""
    return types.void(acc, out, INT, INT, INT, limit(columns)), _into_rows(add=False)


@intrinsic
def tile_add_to(typingctx, acc, out, out0, out_step, rows, columns):
    """out[out0 + p*out_step : ... + columns] += acc[p, :] for the first `rows` rows p."""
    return types.void(acc, out, INT, INT, INT, limit(columns)), _into_rows(add=True)


@intrinsic
def copy(typingctx, to, to0, source, source0, n):
    """to[to0 : to0 + n] = source[source0 : source0 + n], by memcpy."""

    def codegen(context, builder, signature, args):
        to_, to0_, source_, source0_, n_ = args
        to_at = pointer(context, builder, signature.args[0], to_, to0_)
        source_at = pointer(context, builder, signature.args[2], source_, source0_)
        size = signature.args[0].dtype.bitwidth // 8
        cgutils.raw_memcpy(builder, to_at, source_at, n_, size, align=size)
        return context.get_dummy_value()

    return types.void(to, INT, source, INT, INT), codegen
