"""Plausible wrong answers to zero_points, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("channel_grids", points=7.6, why="covers the range from least to greatest, even if it does not contain 0")
def without_zero(weight, bits):
    columns = weight.reshape(-1, weight.shape[-1]).astype(np.float64)
    scale = np.ptp(columns, axis=0) / (2**bits - 1)
    scale[scale == 0] = 1
    return scale, np.rint(-columns.min(0) / scale).astype(np.int64)


@wrong("channel_grids", points=6.4, why="divides the range into 2**bits steps instead of 2**bits - 1")
def one_step_too_many(weight, bits):
    columns = weight.reshape(-1, weight.shape[-1]).astype(np.float64)
    low, high = np.minimum(columns.min(0), 0), np.maximum(columns.max(0), 0)
    scale = (high - low) / 2**bits
    scale[scale == 0] = 1
    return scale, np.rint(-low / scale).astype(np.int64)


@wrong("quantize", points=9.8, why="wraps around instead of clipping")
def wraps(weight, scale, zero_point, bits):
    return (np.rint(weight / scale) + zero_point).astype(np.int64).astype(np.uint8)


@wrong("integer_matmul", points=8.6, why="subtracts in uint8")
def in_uint8(x, x_zero, weight, weight_zero):
    x, weight = x - np.uint8(x_zero), weight - weight_zero.astype(np.uint8)
    return x.astype(np.int8).astype(np.int32) @ weight.astype(np.int8).astype(np.int32)


@wrong("integer_matmul", points=9.05, why="forgets that the product of the zero points occurs once per input")
def one_product_of_zeros(x, x_zero, weight, weight_zero):
    x, weight = x.astype(np.int32), weight.astype(np.int32)
    sums = x @ weight - x.sum(1, keepdims=True) * weight_zero - x_zero * weight.sum(0) + x_zero * weight_zero
    return sums.astype(np.int32)


@wrong("integer_matmul", points=9.45, why="multiplies in float32, which is exact only up to 2**24")
def in_float32(x, x_zero, weight, weight_zero):
    product = (x.astype(np.float32) - x_zero) @ (weight.astype(np.float32) - weight_zero.astype(np.float32))
    return np.rint(product).astype(np.int32)


@wrong("integer_matmul", points=11.32, why="returns sums of 64 bits")
def in_int64(x, x_zero, weight, weight_zero):
    return (x.astype(np.int64) - x_zero) @ (weight.astype(np.int64) - weight_zero)


@wrong("quantize", points=8.6, why="cuts fractions off instead of rounding")
def truncates(weight, scale, zero_point, bits):
    return np.clip(weight / scale + zero_point, 0, 2**bits - 1).astype(np.uint8)


@wrong("quantize", points=11.2, why="adds the zero point first, and rounds halves away from 0")
def rounds_afterwards(weight, scale, zero_point, bits):
    return np.clip(np.floor(weight / scale + zero_point + 0.5), 0, 2**bits - 1).astype(np.uint8)


@wrong("quantize", points=9.8, why="clips to 255, whatever the number of bits")
def eight_bits(weight, scale, zero_point, bits):
    return np.clip(np.rint(weight / scale) + zero_point, 0, 255).astype(np.uint8)


@wrong("channel_grids", points=11.56, why="computes in the dtype of the weight")
def in_its_dtype(weight, bits):
    columns = weight.reshape(-1, weight.shape[-1])
    low, high = np.minimum(columns.min(0), 0), np.maximum(columns.max(0), 0)
    scale = (high - low) / weight.dtype.type(2**bits - 1)
    scale[scale == 0] = 1
    return scale, np.rint(-low / scale).astype(np.int64)


@wrong("integer_matmul", points=9.875, why="subtracts the zero point of x in uint8")
def x_in_uint8(x, x_zero, weight, weight_zero):
    x = (x - np.uint8(x_zero)).astype(np.int64)
    return (x @ (weight.astype(np.int64) - weight_zero)).astype(np.int32)
