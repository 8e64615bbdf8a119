"""Waiting for another thread without falling asleep, for a moment, as OpenMP does.

A thread that sleeps takes 50 to 100 µs to wake where its core has gone idle, more than most kernels of a small net run. One
that looks at a number in memory again and again ("spins") notices a change within less than 1 µs, but keeps its core busy. So
threads spin for a bounded time after their last work, and then fall asleep.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import jit

INT = types.int64

PAUSE = {
    "x86_64": "llvm.x86.sse2.pause",
    "AMD64": "llvm.x86.sse2.pause",
    "arm64": "llvm.aarch64.isb",
    "aarch64": "llvm.aarch64.isb",
}.get(platform.machine())
"""The instruction that waits for some ten nanoseconds and leaves the core to its other hyperthread."""


def _place(context, builder, signature, args):
    """The address of numbers[i]."""
    return builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])


@intrinsic
def _pause(typingctx):
    def codegen(context, builder, signature, args):
        if PAUSE:
            number = [ir.Constant(ir.IntType(32), 15)] if "isb" in PAUSE else []
            kind = ir.FunctionType(ir.VoidType(), [n.type for n in number])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, PAUSE), number)
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _look(typingctx, numbers, i):
    """numbers[i], from memory each time, and not from a register."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(_place(context, builder, signature, args), "acquire", 8)

    return INT(numbers, INT), codegen


@intrinsic
def _put(typingctx, numbers, i, number):
    """numbers[i] = number, after all that this thread has written before."""

    def codegen(context, builder, signature, args):
        builder.store_atomic(args[2], _place(context, builder, signature, args), "release", 8)
        return context.get_dummy_value()

    return types.void(numbers, INT, INT), codegen


@jit
def wait_until(flag, pauses):
    """Whether flag[0] is set within so many pauses."""
    for _ in range(pauses):
        if _look(flag, 0):
            return True
        _pause()
    return False


@jit
def set_and_wait(flag, changes, before, pauses, more):
    """Set flag[0]. Then whether changes[0] becomes another number than `before` within so many pauses; if so, `more` pauses."""
    _put(flag, 0, 1)
    for _ in range(pauses):
        if _look(changes, 0) != before:
            for _ in range(more):
                _pause()
            return True
        _pause()
    return False
