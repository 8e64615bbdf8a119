"""Vector registers as Numba types, and the instructions that load and store them: the building blocks of `tile.py`.

Everything here emits LLVM instructions into the function that is being compiled; LLVM then selects instructions of the CPU.
Only the width of the registers, and whether the CPU can load and store single lanes cheaply, must be known here.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

from ..runtime.jit import host_cpu

_FEATURES = host_cpu()[1]
VECTOR_BYTES = 64 if "avx512f" in _FEATURES else 32 if "avx" in _FEATURES else 16
MASKS_ARE_FREE = "avx512f" in _FEATURES
"""Whether a masked access is as fast as a whole one. AVX-512 can mask every instruction. AVX and AVX2 have masked loads and
stores, but on many CPUs they take ten times as long as whole ones. Other CPUs have none, and LLVM emits a branch per
lane."""

_REGISTERS = 32 if "avx512f" in _FEATURES or platform.machine() in ("arm64", "aarch64") else 16
ROWS, VECTORS = (8, 2) if _REGISTERS == 32 else (6, 2)
"""The size of a tile that fits into the registers together with the vectors that are multiplied into it."""

TALL_ROWS = 14 if _REGISTERS == 32 else 6
WIDE_ROWS, WIDE_VECTORS = (8, 3) if _REGISTERS == 32 else (4, 3)
"""Tiles, of VECTORS and of WIDE_VECTORS vectors, that load less per product. Their rows must be neighbouring numbers, since a CPU
has at most 16 registers for addresses."""

INT = types.int64
I32, I64 = ir.IntType(32), ir.IntType(64)


class Tile(types.Type):
    """The Numba type of rows x vectors registers, each with `lanes` numbers of type `dtype` (None: a full register)."""

    def __init__(self, dtype, rows, vectors, lanes=None):
        self.dtype, self.rows, self.vectors = dtype, rows, vectors
        self.lanes = lanes or VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Tile({dtype}, {rows}, {vectors}, {self.lanes})")

    @property
    def vector(self):
        element = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}.get(self.dtype)
        return ir.VectorType(element or ir.IntType(self.dtype.bitwidth), self.lanes)


@register_model(Tile)
class TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        super().__init__(manager, tile, ir.ArrayType(tile.vector, tile.rows * tile.vectors))


def const(n):
    return ir.Constant(I64, n)


def pointer(context, builder, array_type, array, offset):
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def spread(builder, scalar, vector):
    """The scalar in all lanes of a vector."""
    lane0 = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(lane0, lane0, ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count))


def call(builder, name, result, *args):
    """Call the LLVM intrinsic `name`, which returns a value of type `result`."""
    kind = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def masked(builder, tile, v, columns, whole, partial):
    """Emit an access to vector v: `whole()` if `columns` is None, of Python or of Numba, else `partial(mask)`, where the mask
    has the lanes within `columns`. Where masks are not free, emit a branch that takes `whole()` if that is all of them."""
    if columns is None or columns.type != I64:
        return whole()
    lanes = ir.VectorType(I32, tile.lanes)
    number = ir.Constant(lanes, [v * tile.lanes + lane for lane in range(tile.lanes)])
    mask = builder.icmp_signed("<", number, spread(builder, builder.trunc(columns, I32), lanes))
    if MASKS_ARE_FREE:
        return partial(mask)
    fits = builder.icmp_signed(">=", columns, const((v + 1) * tile.lanes))
    with builder.if_else(fits, likely=True) as (then, otherwise):
        with then:
            a, a_block = whole(), builder.block
        with otherwise:
            b, b_block = partial(mask), builder.block
    if a is not None:
        value = builder.phi(a.type)
        value.add_incoming(a, a_block)
        value.add_incoming(b, b_block)
        return value


def load(builder, tile, address, v, columns):
    """Vector v of the row that starts at `address`; zeros beyond `columns`."""
    vector, align = tile.vector, tile.dtype.bitwidth // 8
    address = builder.bitcast(builder.gep(address, [const(v * tile.lanes)]), vector.as_pointer())

    def whole():
        value = builder.load(address)
        value.align = align
        return value

    def partial(mask):
        name = f"llvm.masked.load.v{vector.count}{vector.element.intrinsic_name}.p0"
        return call(builder, name, vector, address, ir.Constant(I32, align), mask, zeros(vector))

    return masked(builder, tile, v, columns, whole, partial)


def load_row(builder, tile, address, columns):
    """The vectors of the row that starts at `address`; zeros beyond `columns`."""
    return [load(builder, tile, address, v, columns) for v in range(tile.vectors)]


def store(builder, tile, value, address, v, columns):
    """Store `value` as vector v of the row that starts at `address`; lanes beyond `columns` are not written."""
    vector, align = tile.vector, tile.dtype.bitwidth // 8
    address = builder.bitcast(builder.gep(address, [const(v * tile.lanes)]), vector.as_pointer())

    def whole():
        builder.store(value, address).align = align

    def partial(mask):
        name = f"llvm.masked.store.v{vector.count}{vector.element.intrinsic_name}.p0"
        call(builder, name, ir.VoidType(), value, address, ir.Constant(I32, align), mask)

    masked(builder, tile, v, columns, whole, partial)


def zeros(vector):
    return ir.Constant(vector, None)


def multiply_add(builder, a, b, c):
    """a * b + c. "contract" lets LLVM fuse them if the CPU can; if it cannot, `llvm.fma` would be a slow call."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def literals(*numbers):
    return all(isinstance(n, types.IntegerLiteral) for n in numbers)
