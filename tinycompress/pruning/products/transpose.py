"""Transpose a square of numbers in registers."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ...kernels.registers.vectors import I32, INT, VECTOR_BYTES, Tile, const, load, pointer, store


@intrinsic
def transpose_square(typingctx, x, x0, x_step, out, out0, out_step):
    """out[out0 + i*out_step + j] = x[x0 + j*x_step + i] for all i and j below the number of lanes of a register.

    Swap the off-diagonal quarters of the matrix, then do the same inside each quarter, and so on. Each swap exchanges half
    of one register with half of another.

        a b          a c
        c d   ->     b d
    """
    tile = Tile(x.dtype, VECTOR_BYTES * 8 // x.dtype.bitwidth, 1)

    def codegen(context, builder, signature, args):
        x_, x0_, x_step_, out_, out0_, out_step_ = args
        n = tile.lanes

        def at(array_type, array, first, step, i):
            return pointer(context, builder, array_type, array, builder.add(first, builder.mul(step, const(i))))

        rows = [load(builder, tile, at(signature.args[0], x_, x0_, x_step_, i), 0, None) for i in range(n)]
        half = n // 2
        while half:
            upper = [lane if not lane & half else n + lane - half for lane in range(n)]
            lower = [lane + half if not lane & half else n + lane for lane in range(n)]
            for i in (i for i in range(n) if not i & half):
                pair = rows[i], rows[i + half]
                rows[i], rows[i + half] = (
                    builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(I32, n), order)) for order in (upper, lower)
                )
            half //= 2
        for i in range(n):
            store(builder, tile, rows[i], at(signature.args[3], out_, out0_, out_step_, i), 0, None)
        return context.get_dummy_value()

    return types.void(x, INT, INT, out, INT, INT), codegen
