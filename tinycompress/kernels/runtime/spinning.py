"""Waiting for numbers that another thread writes, in a loop without the GIL."""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import jit

X86 = platform.machine().lower() in ("x86_64", "amd64")


@intrinsic
def look(typingctx, numbers, i):
    """numbers[i] as it is in memory now: an ordinary load may be done once, before the loop."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "acquire", 8)

    return types.int64(numbers, types.int64), codegen


@intrinsic
def rest(typingctx):
    """Let the other hyperthread of the core work for some cycles; does nothing on CPUs other than x86."""

    def codegen(context, builder, signature, args):
        if X86:
            pause = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"
            )
            builder.call(pause, [])
        return context.get_dummy_value()

    return types.void(), codegen


@jit
def all_change(numbers, old, spin):
    i = 0
    for _ in range(spin + 1):
        while i < len(numbers) and look(numbers, i) != old:
            i += 1
        if i == len(numbers):
            return True
        rest()
    return False
