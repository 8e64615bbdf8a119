"""Operations on each element: the variants agree bit for bit; small velocities of weights that no longer train end at 0."""

import numpy as np
import pytest

from tinycompress import kernels
from tinycompress.kernels import elementwise
from tinycompress.kernels.runtime.threads import WORTH_A_THREAD, are_shared, share


def arguments(rng, dtype, shape=(7, 5)):
    w, g, velocity = (rng.standard_normal(shape).astype(dtype) for _ in range(3))
    return w, g, velocity


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.3}, {"nesterov": True}, {"weight_decay": 0.1, "nesterov": True}]
)
def test_the_variants_give_the_same_bits(rng, dtype, options):
    w, g, velocity = arguments(rng, dtype)
    velocity[0, 0], g[0, 0], g[1, 1], velocity[2, 2], g[2, 2] = 1e-31, 0, np.nan, -1e-31, 0
    found = {}
    for variant in ("numpy", "fast"):
        kept = velocity.copy()
        with kernels.use(variant):
            found[variant] = elementwise.sgd(w, g, kept, 0.1, 0.9, **options).tobytes(), kept.tobytes()
    assert found["numpy"] == found["fast"]


@pytest.mark.parametrize("variant", ["numpy", "fast"])
def test_arrays_in_any_memory_order_are_updated_alike_and_never_in_place(rng, variant):
    w, g, velocity = arguments(rng, np.float32)
    turned = [np.asfortranarray(w), np.repeat(g, 2, axis=1)[:, ::2], velocity.copy()]
    before = [a.copy() for a in (w, g)]
    with kernels.use(variant):
        new = elementwise.sgd(w, g, velocity, 0.1, 0.9)
        assert np.array_equal(elementwise.sgd(*turned, 0.1, 0.9), new)
    assert np.array_equal(w, before[0]) and np.array_equal(g, before[1])
    assert np.array_equal(velocity, turned[2])


@pytest.mark.parametrize("variant", ["numpy", "fast"])
def test_the_velocity_of_a_weight_without_gradient_ends_at_zero_and_not_in_subnormal_numbers(variant):
    w, velocity = np.ones(3, np.float32), np.array([1, -1, 0], np.float32)
    smallest = np.finfo(np.float32).smallest_normal
    with kernels.use(variant):
        for _ in range(1000):
            w = elementwise.sgd(w, np.zeros(3, np.float32), velocity, 0.1, 0.9)
            assert not np.any((velocity != 0) & (np.abs(velocity) < smallest))
    assert np.array_equal(velocity, np.zeros(3))
    assert np.allclose(w, [0.1, 1.9, 1], atol=1e-4)  # lr momentum / (1 - momentum) in total


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_with_relu_is_that_of_numpy_in_place_or_not_and_keeps_nan(rng, dtype, relu):
    a, b = (rng.standard_normal((5, 3, 7)).astype(dtype) for _ in range(2))
    a[0, 0, 0], b[1, 1, 1] = np.nan, np.inf
    expected = np.maximum(a + b, 0) if relu else a + b
    for variant in ("numpy", "fast"):
        with kernels.use(variant):
            y = np.empty_like(a)
            assert elementwise.add(a, b, relu, y) is y
            assert np.array_equal(y, expected, equal_nan=True)
            kept = a.copy()
            elementwise.add(kept, b, relu, kept)
            assert np.array_equal(kept, expected, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 129, 70_001])
def test_sums_and_gradients_of_a_relu_are_the_same_bits_in_every_variant_and_on_any_number_of_threads(rng, dtype, size):
    a, b = (rng.standard_normal(size).astype(dtype) for _ in range(2))
    if size > 2:
        a[0], a[1], b[2], a[-1] = np.nan, np.inf, -np.inf, -0.0
    with np.errstate(invalid="ignore"):
        y = np.maximum(a + b, 0)
        expected = [(a + b).tobytes(), y.tobytes(), np.where(y <= 0, dtype(0), a).tobytes()]
    before = kernels.get_num_threads()
    try:
        for variant, threads in (("numpy", 1), ("fast", 1), ("fast", 2)):
            kernels.set_num_threads(threads)
            with kernels.use(variant), np.errstate(invalid="ignore"):
                found = [elementwise.add(a, b, relu, np.empty_like(a)) for relu in (False, True)]
                found.append(elementwise.passed_relu(a, y))
            assert [part.tobytes() for part in found] == expected
    finally:
        kernels.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_of_many_weights_is_the_same_bits_on_any_number_of_threads(rng, threads):
    w, g, velocity = arguments(rng, np.float32, (300, 701))
    with kernels.use("numpy"):
        expected = elementwise.sgd(w, g, velocity.copy(), 0.1, 0.9)
    before = kernels.get_num_threads()
    kernels.set_num_threads(3)  # ends the pool of an earlier test
    kernels.set_num_threads(threads)
    try:
        assert elementwise.sgd(w, g, velocity.copy(), 0.1, 0.9).tobytes() == expected.tobytes()
        assert not are_shared()  # a net of dense layers keeps the threads of BLAS
        share(lambda start, end: None, 2, 2 * WORTH_A_THREAD)
        assert elementwise.sgd(w, g, velocity, 0.1, 0.9).tobytes() == expected.tobytes()
    finally:
        kernels.set_num_threads(before)
