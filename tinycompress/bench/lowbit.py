"""Products with weights of 8, 4 and 1 bit, against float32 BLAS on the numbers that the bits stand for."""

import numpy as np

from ..quantization.products.binary import binary_matmul, pack_signs
from ..quantization.products.codebook import codebook_matvec, pack_codes
from ..quantization.products.int8 import int8_linear, pack_int8
from ..workshop.machine import cpu_features
from .case import Case, Suite, Work

ZERO_POINT = 100  # the 8-bit number that stands for 0 in the activations


def blas_work(x, weight) -> dict[str, Work]:
    """x @ weight, into memory that is already allocated."""
    y = np.empty((*x.shape[:-1], weight.shape[1]), np.float32)
    return {"BLAS": Work(lambda: np.matmul(x, weight, out=y))}


def draw_int8(rng, inputs, outputs, batch):
    """x uint8 (batch, in), weights int8 (in, out), and each output's scale."""
    x = rng.integers(0, 256, (batch, inputs), np.uint8)
    return x, rng.integers(-127, 128, (inputs, outputs), np.int8), rng.uniform(0.001, 0.002, outputs).astype(np.float32)


def our_int8(rng, **sizes):
    x, weight, scale = draw_int8(rng, **sizes)
    packed = pack_int8(weight)
    return {"ours": Work(lambda: int8_linear(x, packed, scale, ZERO_POINT))}


def float_of_int8(rng, **sizes):
    x, weight, scale = draw_int8(rng, **sizes)
    return blas_work(x.astype(np.float32) - ZERO_POINT, weight * scale)


def draw_floats(rng, inputs, outputs, batch):
    """x (batch, in) and weights (in, out), of which only the signs are used."""
    return rng.standard_normal((batch, inputs), np.float32), rng.standard_normal((inputs, outputs), np.float32)


def our_signs(rng, **sizes):
    x, weight = draw_floats(rng, **sizes)
    packed = pack_signs(weight)
    return {"ours": Work(lambda: binary_matmul(x, packed))}  # packs the signs of x in every call


def float_of_signs(rng, **sizes):
    x, weight = draw_floats(rng, **sizes)
    one = np.float32(1)
    return blas_work(np.where(x < 0, -one, one), np.where(weight < 0, -one, one))


def draw_codes(rng, inputs, outputs):
    """x (in,), codes 0 .. 15 (in, out), and the 16 numbers that they stand for."""
    x = rng.standard_normal(inputs, np.float32)
    return x, rng.integers(0, 16, (inputs, outputs), np.uint8), rng.standard_normal(16, np.float32)


def our_codes(rng, **sizes):
    x, codes, codebook = draw_codes(rng, **sizes)
    packed = pack_codes(codes, codebook)
    return {"ours": Work(lambda: codebook_matvec(x, packed))}


def float_of_codes(rng, **sizes):
    """Both orientations of the weights: which one BLAS prefers depends on its release and the CPU."""
    x, codes, codebook = draw_codes(rng, **sizes)
    weight = codebook[codes]
    weight_t = np.ascontiguousarray(weight.T)
    y, y_t = np.empty((2, codes.shape[1]), np.float32)
    return {"x @ w": Work(lambda: np.dot(x, weight, out=y)), "w.T @ x": Work(lambda: np.dot(weight_t, x, out=y_t))}


INT8_GOAL = 0.2 if "VNNI" in cpu_features() else 0.5
LAYER = {"inputs": 1024, "outputs": 1024, "batch": 128}

SUITES = [
    Suite(
        "lowbit",
        [
            Case("lowbit", "int8, 1024², batch 128", INT8_GOAL, {"ours": our_int8, "float32": float_of_int8}, LAYER),
            Case("lowbit", "binary, 1024², batch 128", 0.07, {"ours": our_signs, "float32": float_of_signs}, LAYER),
            Case(
                "lowbit",
                "4-bit codebook, 4096², one vector",
                1 / 4,
                {"ours": our_codes, "float32": float_of_codes},
                {"inputs": 4096, "outputs": 4096},
            ),
        ],
    )
]
