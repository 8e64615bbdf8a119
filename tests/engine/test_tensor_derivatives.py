"""The operations of a tensor: derivatives against finite differences, and the checker that finds these."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensor_operations import BINARY, POSITIVE, UNARY, spread

import tinycompress as tc
from tinycompress import Tensor, concatenate, gradcheck, maximum, stack
from tinycompress.tensor import record


# Derivatives.
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("name", [*UNARY, *POSITIVE])
def test_derivative_of_unary_operation(name, shape, rng):
    positive = name in POSITIVE
    function = POSITIVE[name] if positive else UNARY[name]
    assert gradcheck(function, spread(*shape, rng=rng, positive=positive), rng=rng)


@pytest.mark.parametrize("name", [*UNARY, *POSITIVE])
def test_derivative_where_the_input_is_not_contiguous(name, rng):
    positive = name in POSITIVE
    function = POSITIVE[name] if positive else UNARY[name]
    x = spread(3, 4, rng=rng, positive=positive)
    assert gradcheck(lambda x: function(x.T[::-2]), x, rng=rng)
    if name != "stack":
        assert gradcheck(lambda x: function(x).T, x, rng=rng)  # the gradient that comes back is not contiguous either


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((3,), (2, 3)),
        ((2, 3), ()),
        ((), (2, 3)),
        ((2, 1, 3), (4, 1)),
        ((2, 1), (1, 3)),
        ((1, 1), (2, 3)),
        ((1,), (1, 1)),
        ((0, 3), (3,)),
        ((), ()),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", BINARY)
def test_derivative_of_binary_operation_sums_over_broadcast_axes(name, shapes, rng):
    a, b = (spread(*shape, rng=rng) for shape in shapes)
    assert gradcheck(BINARY[name], a + 0.01, b, rng=rng)


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3))
def test_any_shapes_that_broadcast_have_right_derivatives(shapes):
    rng = np.random.default_rng(len(shapes.result_shape))
    a, b, c = (spread(*shape, rng=rng) for shape in shapes.input_shapes)
    assert gradcheck(lambda a, b, c: (a * b - c) / b + a, a, b, c, rng=rng)


MATMUL_SHAPES = [
    ((2, 3), (3, 4)),
    ((1, 1), (1, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 1)),
    ((4, 1, 2, 3), (2, 3, 2)),
    ((0, 3), (3, 2)),
]


@pytest.mark.parametrize("shapes", MATMUL_SHAPES, ids=str)
def test_derivative_of_matmul(shapes, rng):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    assert gradcheck(lambda a, b: a @ b, a, b, rng=rng)
    assert gradcheck(lambda a: a @ b, a, rng=rng)
    assert gradcheck(lambda b: a @ b, b, rng=rng)  # ndarray @ tensor


@pytest.mark.parametrize("shapes", MATMUL_SHAPES, ids=str)
def test_matmul_is_the_sum_of_products(shapes, rng):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    product = (Tensor(a) @ Tensor(b)).data
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    assert product.shape == (*batch, a.shape[-2], b.shape[-1])
    wide_a, wide_b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    for *n, i, j in np.ndindex(product.shape):
        expected = sum(wide_a[*n, i, k] * wide_b[*n, k, j] for k in range(a.shape[-1]))
        assert product[*n, i, j] == pytest.approx(expected)


REDUCTIONS = ("sum", "mean", "var", "max", "min")
AXES = [None, 0, 1, -1, (0,), (0, 2), (-1, 0), (0, 1, 2), ()]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction_equals_numpy_and_its_derivative_is_right(name, axis, keepdims, rng):
    x = spread(2, 1, 3, rng=rng)

    def reduce(x):
        return getattr(x, name)(axis, keepdims=keepdims)

    np.testing.assert_allclose(reduce(Tensor(x)).data, getattr(np, name)(x, axis=axis, keepdims=keepdims))
    assert gradcheck(reduce, x, rng=rng)


def test_equal_largest_values_share_the_gradient():
    x = Tensor(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), requires_grad=True)
    x.max(1).backward(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [[0, 0.5, 0.5], [10, 0, 0]])


def test_on_a_tie_maximum_gives_the_gradient_to_the_first():
    a, b = (Tensor(np.ones(3), requires_grad=True) for _ in range(2))
    maximum(a, b).sum().backward()
    np.testing.assert_array_equal(a.grad, 1)
    np.testing.assert_array_equal(b.grad, 0)


def test_relu_and_clip_at_their_kinks():
    x = Tensor(np.array([0.0, 1.0, 6.0, 7.0]), requires_grad=True)
    x.relu().sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 1, 1, 1])
    x.grad = None
    x.clip(0, 6).sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1, 1, 0])


INDICES = [
    1,
    -1,
    slice(None, None, -1),
    slice(0, 3, 2),
    (slice(None), 1),
    (Ellipsis, None, 0),
    (None, 1),
    [0, 2, 0, 0],  # picked three times: all three gradients count
    np.array([[0, 1], [1, 1]]),
    ([0, 1, 1], [2, 0, 0]),
    (slice(None), [1, 1, -1]),
    np.array([True, False, True]),
    np.eye(3, 4, dtype=bool),
    (),
]


@pytest.mark.parametrize("index", INDICES, ids=lambda i: str(i).replace("\n", ""))
def test_derivative_of_indexing(index, rng):
    x = rng.standard_normal((3, 4))
    np.testing.assert_array_equal(Tensor(x)[index].data, x[index])
    assert gradcheck(lambda x: x[index], x, rng=rng)


@given(data=st.data())
def test_any_basic_or_repeated_index_has_the_right_derivative(data):
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=4))
    index = data.draw(
        st.one_of(
            hnp.basic_indices(shape, allow_newaxis=True),
            hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3)),
        )
    )
    rng = np.random.default_rng(0)
    assert gradcheck(lambda x: x[index] * 3, rng.standard_normal(shape), rng=rng)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_derivative_of_concatenate_and_stack(axis, rng):
    parts = [spread(*shape, rng=rng) for shape in [(2, 3), (2, 3), (2, 3)]]
    assert gradcheck(lambda *t: concatenate(t, axis), *parts, rng=rng)
    assert gradcheck(lambda *t: stack(t, axis), *parts, rng=rng)
    np.testing.assert_array_equal(concatenate([Tensor(p) for p in parts], axis).data, np.concatenate(parts, axis))
    np.testing.assert_array_equal(stack([Tensor(p) for p in parts], axis).data, np.stack(parts, axis))


def test_concatenate_takes_parts_of_different_lengths(rng):
    a, b = rng.standard_normal((2, 1)), rng.standard_normal((2, 4))
    assert gradcheck(lambda a, b: concatenate([a, b, a], 1), a, b, rng=rng)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, -1, 0), (), ((1, 2, 0),)], ids=str)
def test_derivative_of_transpose(axes, rng):
    x = rng.standard_normal((2, 3, 4))
    np.testing.assert_array_equal(Tensor(x).transpose(*axes).data, x.transpose(*axes))
    assert gradcheck(lambda x: x.transpose(*axes), x, rng=rng)


@pytest.mark.parametrize("shape", [(6, 4), ((2, -1),), ([24],), (1, 2, 3, 4, 1)], ids=str)
def test_derivative_of_reshape(shape, rng):
    x = rng.standard_normal((2, 3, 4))
    np.testing.assert_array_equal(Tensor(x).reshape(*shape).data, x.reshape(*shape))
    assert gradcheck(lambda x: x.reshape(*shape), x, rng=rng)


@pytest.mark.filterwarnings("error")
def test_a_power_of_zero_has_a_gradient():
    x = Tensor(np.array([0.0, 2.0]), requires_grad=True)
    (x**0 + x**1 + x**2).sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 5])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_right_at_the_ends(dtype):
    x = Tensor(np.array([-np.inf, -1e30, -1e4, 0, 1e4, 1e30, np.inf, np.nan], dtype), requires_grad=True)
    y = x.sigmoid()
    y.backward(np.ones(8))
    assert y.dtype == x.grad.dtype == dtype
    np.testing.assert_array_equal(y.data, [0, 0, 0, 0.5, 1, 1, 1, np.nan])
    np.testing.assert_array_equal(x.grad, [0, 0, 0, 0.25, 0, 0, 0, np.nan])


@pytest.mark.parametrize("dtype, end", [(np.float32, 87), (np.float64, 700)])
def test_sigmoid_and_its_derivative_are_exact_while_they_can_be_written(dtype, end):
    x = Tensor(np.linspace(-end, end, 999).astype(dtype), requires_grad=True)
    y = x.sigmoid()
    y.backward(np.ones(999))
    e = np.exp(-np.abs(x.data.astype(np.longdouble)))
    np.testing.assert_allclose(y.data, np.where(x.data < 0, e, 1) / (1 + e), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(x.grad, e / (1 + e) ** 2, rtol=4 * np.finfo(dtype).eps)


# The checker itself.
def test_gradcheck_finds_a_wrong_derivative(rng):
    def wrong(x):
        return record(np.sin(x.data), (x, lambda g: -g * np.cos(x.data)))

    with pytest.raises(AssertionError, match=r"input 0, element \(0, 1\).*derivative says"):
        gradcheck(lambda x: wrong(x) * np.array([[0.0, 1.0]]), np.array([[0.3, 0.4]]), rng=rng)


def test_gradcheck_finds_a_derivative_that_only_a_plain_sum_would_hide(rng):
    def softmax_without_derivative(x):
        return record(tc.functional.softmax(x).data, (x, lambda g: np.zeros_like(x.data)))

    with pytest.raises(AssertionError, match="finite differences"):
        gradcheck(softmax_without_derivative, rng.standard_normal(4), rng=rng)


def test_gradcheck_finds_nan(rng):
    with pytest.raises(AssertionError, match="nan"):
        gradcheck(lambda x: record(x.data, (x, lambda g: g * np.nan)), np.ones(2), rng=rng)


def test_gradcheck_finds_a_cast_to_float32(rng):
    with pytest.raises(TypeError, match="float32"):
        gradcheck(lambda x: record(x.data.astype(np.float32), (x, lambda g: g)), np.ones(2), rng=rng)
