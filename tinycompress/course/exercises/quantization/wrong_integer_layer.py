"""Plausible wrong answers to integer_layer, and how many of the 12 points each earns."""

import math

import numpy as np

from tinycompress.course import wrong

INT32 = -(2.0**31), 2.0**31 - 1


def of_scale(weight, bias, w_scale, bias_scale):
    whole = np.clip(np.rint(bias / bias_scale), *INT32).astype(np.int32)
    return np.clip(np.rint(weight / w_scale), -128, 127).astype(np.int8), w_scale, whole


def scale_of(weight, steps=127):
    return float(np.abs(weight).max()) / steps or 1.0


@wrong("quantized", points=9.1, why="has 128 steps for the greatest magnitude, which int8 has no room for")
def one_step_too_many(weight, bias, x_scale):
    scale = scale_of(weight.astype(float), 128)
    return of_scale(weight.astype(float), bias.astype(float), scale, x_scale * scale)


@wrong("quantized", points=9.8, why="takes the greatest weight instead of the greatest magnitude")
def greatest_weight(weight, bias, x_scale):
    scale = float(weight.max()) / 127 or 1.0
    return of_scale(weight.astype(float), bias.astype(float), scale, x_scale * scale)


@wrong("quantized", points=9.8, why="gives biases the scale of the weights")
def bias_like_weights(weight, bias, x_scale):
    scale = scale_of(weight.astype(float))
    return of_scale(weight.astype(float), bias.astype(float), scale, scale)


@wrong("quantized", points=11.6, why="lets large biases wrap around")
def biases_wrap(weight, bias, x_scale):
    scale = scale_of(weight.astype(float))
    w, _, _ = of_scale(weight.astype(float), bias.astype(float), scale, scale)
    return w, scale, np.rint(bias.astype(float) / (x_scale * scale)).astype(np.int64).astype(np.int32)


@wrong("quantized", points=11.6, why="computes in the dtype of the layer")
def in_its_dtype(weight, bias, x_scale):
    scale = np.abs(weight).max() / weight.dtype.type(127)
    scale = scale if scale else weight.dtype.type(1)
    whole = np.clip(np.rint(bias / (bias.dtype.type(x_scale) * scale)).astype(float), *INT32)
    return np.rint(weight / scale).astype(np.int8), float(scale), whole.astype(np.int32)


@wrong("quantized", points=9.5, why="cuts off the fraction instead of rounding")
def cuts_off(weight, bias, x_scale):
    scale = scale_of(weight.astype(float))
    whole = np.clip(bias.astype(float) / (x_scale * scale), *INT32).astype(np.int32)
    return (weight.astype(float) / scale).astype(np.int8), scale, whole


@wrong("quantized", points=11.7, why="rounds halves away from 0")
def halves_away(weight, bias, x_scale):
    def rounded(v):
        return np.sign(v) * np.floor(np.abs(v) + 0.5)

    scale = scale_of(weight.astype(float))
    whole = np.clip(rounded(bias.astype(float) / (x_scale * scale)), *INT32).astype(np.int32)
    return rounded(weight.astype(float) / scale).astype(np.int8), scale, whole


@wrong("fixed_point", points=9.9, why="uses 30 bits only")
def thirty_bits(m):
    mantissa, exponent = math.frexp(m)
    return round(mantissa * 2**30), 30 - exponent


@wrong("fixed_point", points=9.9, why="cuts off the bits beyond 31")
def floors(m):
    mantissa, exponent = math.frexp(m)
    return int(mantissa * 2**31), 31 - exponent


@wrong("fixed_point", points=11.5, why="lets the factor become 2**31 just below a power of two")
def thirty_two_bits(m):
    mantissa, exponent = math.frexp(m)
    return round(mantissa * 2**31), 31 - exponent


@wrong("fixed_point", points=9.9, why="always shifts by at least 31 bits, as if m were always below 1")
def below_one(m):
    shift = max(31, 31 - math.frexp(m)[1])
    return round(m * 2**shift), shift


@wrong("accumulate", points=10.5, why="subtracts the zero of x in uint8, which wraps around")
def wraps(x, x_zero, weight, bias):
    return (x - np.uint8(x_zero)).astype(np.int32) @ weight.astype(np.int32) + bias


@wrong("accumulate", points=10.4, why="takes x for int8")
def signed_x(x, x_zero, weight, bias):
    return (x.astype(np.int8).astype(np.int32) - np.int32(x_zero)) @ weight.astype(np.int32) + bias


@wrong("accumulate", points=10.1, why="forgets the zero of x")
def without_zero(x, x_zero, weight, bias):
    return x.astype(np.int32) @ weight.astype(np.int32) + bias


@wrong("accumulate", points=10.8, why="multiplies in float32, which is exact only up to 2**24")
def in_float32(x, x_zero, weight, bias):
    return ((x.astype(np.float32) - x_zero) @ weight.astype(np.float32)).astype(np.int32) + bias


@wrong("accumulate", points=11.68, why="returns sums of 64 bits")
def in_int64(x, x_zero, weight, bias):
    return (x.astype(np.int64) - x_zero) @ weight.astype(np.int64) + bias


def clipped(y, y_zero, relu):
    return np.clip(y, y_zero if relu else 0, 255).astype(np.uint8)


@wrong("rescale", points=9.5, why="shifts without adding a half, which rounds down")
def rounds_down(sums, factor, shift, y_zero, relu):
    return clipped(y_zero + ((sums.astype(np.int64) * factor) >> shift), y_zero, relu)


@wrong("rescale", points=11.2, why="multiplies in floating point, and rounds halves to even")
def in_floats(sums, factor, shift, y_zero, relu):
    return clipped(y_zero + np.rint(sums * (factor / 2**shift)), y_zero, relu)


@wrong("rescale", points=11.2, why="rounds halves away from 0")
def rounds_away(sums, factor, shift, y_zero, relu):
    product = sums.astype(np.int64) * factor
    size = (np.abs(product) + (1 << (shift - 1))) >> shift
    return clipped(y_zero + np.sign(product) * size, y_zero, relu)


@wrong("rescale", points=8, why="multiplies in 32 bits, which overflow")
def in_32_bits(sums, factor, shift, y_zero, relu):
    product = (sums * np.int32(factor)).astype(np.int64)
    return clipped(y_zero + ((product + (1 << (shift - 1))) >> shift), y_zero, relu)


@wrong("rescale", points=10.3, why="lets bytes wrap around")
def bytes_wrap(sums, factor, shift, y_zero, relu):
    y = y_zero + ((sums.astype(np.int64) * factor + (1 << (shift - 1))) >> shift)
    return (np.maximum(y, y_zero) if relu else y).astype(np.uint8)


@wrong("rescale", points=10.3, why="clips before it adds the zero")
def clips_first(sums, factor, shift, y_zero, relu):
    y = (sums.astype(np.int64) * factor + (1 << (shift - 1))) >> shift
    return (np.clip(y, 0 if relu else -128, 127) + y_zero).astype(np.uint8)


@wrong("rescale", points=11.5, why="takes the byte 0 for the ReLU's 0")
def relu_at_zero(sums, factor, shift, y_zero, relu):
    y = y_zero + ((sums.astype(np.int64) * factor + (1 << (shift - 1))) >> shift)
    return np.clip(y, 0, 255).astype(np.uint8)


@wrong("integer_layer", points=10.5, why="computes with the real weights, and rounds the outputs only")
def real_weights(x, x_grid, weight, bias, y_grid, relu):
    real = x_grid[0] * (x.astype(float) - x_grid[1]) @ weight + bias
    return clipped(np.floor(real / y_grid[0] + 0.5) + y_grid[1], y_grid[1], relu)


@wrong("integer_layer", points=10.5, why="forgets the scale of the outputs")
def without_y_scale(x, x_grid, weight, bias, y_grid, relu):
    scale = scale_of(weight.astype(float))
    w, _, b = of_scale(weight.astype(float), bias.astype(float), scale, x_grid[0] * scale)
    sums = (x.astype(int) - x_grid[1]) @ w.astype(int) + b
    return clipped(np.floor(sums * x_grid[0] * scale + 0.5) + y_grid[1], y_grid[1], relu)
