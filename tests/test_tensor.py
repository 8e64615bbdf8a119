"""The graph and its operations: derivatives against finite differences, and the promises of `Tensor` one by one."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinycompress as tc
from tinycompress import Tensor, concatenate, gradcheck, maximum, no_grad, stack, where
from tinycompress.tensor import record


def spread(*shape, rng, positive=False):
    """Values that all differ in size, none near 0: no operation has a kink or a tie there."""
    n = int(np.prod(shape))
    values = rng.permutation(np.linspace(0.3, 2.0, max(n, 1)))[:n]
    if not positive:
        values = values * rng.choice((-1, 1), n)
    return values.reshape(shape)


UNARY = {
    "neg": lambda x: -x,
    "exp": lambda x: x.exp(),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "relu": lambda x: x.relu(),
    "abs": lambda x: x.abs(),
    "clip": lambda x: x.clip(-0.77, 1.11),
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "inverse": lambda x: x**-1,
    "power 0": lambda x: x**0 * x,
    "3 - x": lambda x: 3 - x,
    "3 + x": lambda x: 3 + x,
    "3 x": lambda x: 3 * x,
    "3 / x": lambda x: 3 / x,
    "sum": lambda x: x.sum() * x,
    "mean": lambda x: x.mean() * x,
    "var": lambda x: x.var() * x,
    "max": lambda x: x.max() * x,
    "min": lambda x: x.min() * x,
    "reshape": lambda x: x.reshape(-1) * 2,
    "transpose": lambda x: x.T * 2,
    "index": lambda x: x[...] * 2,
    "stack": lambda x: stack([x, 2 * x, x]),
}
POSITIVE = {
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "power 1.5": lambda x: x**1.5,
    "power -0.5": lambda x: x**-0.5,
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": maximum,
    "where": lambda a, b: where(np.arange(3) % 2 == 0, a, b),
}


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
def test_sigmoid_of_huge_numbers_does_not_overflow():
    x = Tensor(np.float32([-1e30, -100, 0, 100, 1e30]), requires_grad=True)
    y = x.sigmoid()
    np.testing.assert_allclose(y.data, [0, 0, 0.5, 1, 1], atol=1e-7)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [0, 0, 0.25, 0, 0], atol=1e-7)


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


# The graph.
def test_a_chain_of_ten_thousand_operations():
    x = Tensor(np.float64(1.5), requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    y.backward()
    assert x.grad == pytest.approx(1.0001**10_000)


def test_a_deep_graph_that_is_never_used_goes_away_quietly():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 1
    alive = weakref.ref(y)
    del y
    assert alive() is None


def test_shared_parts_are_walked_once_and_not_once_a_path():
    x = Tensor(np.float64(1), requires_grad=True)
    y = x
    for _ in range(60):  # 2**60 paths lead from y to x
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def test_diamonds_add_up_all_their_branches(rng):
    def diamond(x):
        a, b = x * x, x.exp()
        return a * b + a / b - x * a + (a + b) * x

    assert gradcheck(diamond, spread(2, 3, rng=rng), rng=rng)


def test_a_branch_that_is_used_early_and_late_gets_its_whole_gradient_before_passing_it_on():
    x = Tensor(np.float64(2), requires_grad=True)
    early = x * x
    late = early
    for _ in range(5):
        late = late * 1.0 + 0.0
    (early * late).backward()
    assert x.grad == pytest.approx(4 * 2.0**3)


def test_two_backward_calls_add_their_gradients(rng):
    x = Tensor(rng.standard_normal((2, 3)), requires_grad=True)
    (x * x).sum().backward()
    once = x.grad.copy()
    (x * x).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * once)


def test_the_gradient_of_a_number_is_an_array_after_any_number_of_calls():
    x = Tensor(np.float32(3), requires_grad=True)
    for calls in (1, 2, 3):
        (x * x + x).backward()
        assert isinstance(x.grad, np.ndarray) and x.grad.shape == () and x.grad.dtype == np.float32
        assert x.grad == 7 * calls


def test_backward_of_a_leaf_is_one():
    x = Tensor(np.float64(5), requires_grad=True)
    x.backward()
    assert x.grad == 1


ALIASES = {
    "added": lambda a, b: a + b,
    "subtracted": lambda a, b: a - b,
    "summed": lambda a, b: a.sum(1, keepdims=True) + b,
    "transposed": lambda a, b: a.T + b.T,
    "reshaped": lambda a, b: a.reshape(9) + b.reshape(9),
    "joined": lambda a, b: concatenate([a, b]),
    "stacked": lambda a, b: stack([a, b, a]),
    "indexed": lambda a, b: a[:2] + b[1:],
}


@pytest.mark.parametrize("name", ALIASES)
def test_a_gradient_shares_memory_with_nothing(name):
    a, b = (Tensor(np.ones((3, 3)), requires_grad=True) for _ in range(2))
    out = ALIASES[name](a, b)
    gradient = np.ones(out.shape)
    out.backward(gradient)
    arrays = [a.grad, b.grad, gradient, a.data, b.data]
    for i, one in enumerate(arrays):
        for other in arrays[:i]:
            assert not np.shares_memory(one, other)
    before = b.grad.copy()
    a.grad *= 100  # as when gradients are clipped
    np.testing.assert_array_equal(b.grad, before)
    assert a.grad.flags.c_contiguous and a.grad.flags.writeable


def test_a_second_backward_is_refused_and_changes_nothing():
    x = Tensor(np.ones(3), requires_grad=True)
    y = x.exp()
    loss = y.sum()
    loss.backward()
    before = x.grad.copy()
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        loss.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        (y * 2).sum().backward()  # a new loss over an old, freed part
    np.testing.assert_array_equal(x.grad, before)


def test_backward_frees_what_the_graph_kept():
    x = Tensor(np.ones(3), requires_grad=True)
    middle = x * 2
    loss = (middle * middle).sum()
    alive = weakref.ref(middle)
    del middle
    gc.collect()
    assert alive() is not None
    loss.backward()
    gc.collect()
    assert alive() is None


def test_backward_of_more_than_one_number_needs_a_gradient():
    x = Tensor(np.arange(3.0), requires_grad=True)
    y = x * x
    with pytest.raises(ValueError, match=r"shape \(3,\) is not a single number.*sum"):
        y.backward()
    with pytest.raises(ValueError, match=r"gradient has shape \(2,\), the tensor \(3,\)"):
        y.backward(np.ones(2))
    y.backward([1, 10, 100])
    np.testing.assert_allclose(x.grad, 2 * x.data * [1, 10, 100])


def test_backward_of_one_element_in_several_axes_needs_no_gradient():
    x = Tensor(np.ones((1, 1)), requires_grad=True)
    (x * 3).backward()
    assert x.grad.shape == (1, 1) and x.grad.item() == 3


def test_backward_without_a_graph_is_refused():
    with pytest.raises(RuntimeError, match="requires a gradient"):
        (Tensor(np.ones(1)) * 2).backward()


@pytest.mark.parametrize("change", ["assigned", "in place"])
def test_data_changed_between_forward_and_backward_is_refused(change):
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    loss = (x * x).sum()
    if change == "assigned":
        x.data = x.data - 0.1
    else:
        x.data -= 0.1
    with pytest.raises(RuntimeError, match=r"shape \(2, 2\) was changed after the forward pass"):
        loss.backward()
    (x * x).sum().backward()  # a new forward pass uses the new values
    np.testing.assert_allclose(x.grad, 2 * x.data)


@pytest.mark.parametrize("operation", [lambda x, c: x * c, lambda x, c: c @ x, lambda x, c: x / c], ids="*@/")
def test_a_constant_changed_between_forward_and_backward_is_refused(operation):
    x, constant = Tensor(np.ones((2, 2)), requires_grad=True), Tensor(np.ones((2, 2)))
    loss = operation(x, constant).sum()
    constant.data = np.full((2, 2), 7.0)  # the derivative towards x reads it
    with pytest.raises(RuntimeError, match="was changed after the forward pass"):
        loss.backward()


def test_items_cannot_be_assigned():
    x = Tensor(np.zeros(3))
    with pytest.raises(TypeError, match="in place.*where"):
        x[0] = 1


def test_data_keeps_its_shape_and_dtype():
    x = Tensor(np.zeros(3, np.float32))
    x.data = np.arange(3.0)
    assert x.dtype == np.float32
    with pytest.raises(ValueError, match=r"\(3,\) cannot take data of shape \(4,\)"):
        x.data = np.zeros(4)


def test_no_grad_records_nothing_and_ends_with_its_block():
    x = Tensor(np.ones(2), requires_grad=True)
    with no_grad():
        assert not (x * 2).requires_grad
        with no_grad():
            pass
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (x * 2).requires_grad


def test_no_grad_holds_for_its_own_thread_only():
    x = Tensor(np.ones(2), requires_grad=True)
    elsewhere = []
    with no_grad():
        thread = threading.Thread(target=lambda: elsewhere.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert elsewhere == [True]


def test_no_gradient_flows_through_detach():
    x = Tensor(np.array([2.0, 3.0]), requires_grad=True)
    (x * x.detach()).sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 3])
    assert np.shares_memory(x.detach().data, x.data)


def test_edges_to_constants_are_never_followed():
    def never(g):
        raise AssertionError("the gradient of a constant was computed")

    x, constant = Tensor(np.ones(2), requires_grad=True), Tensor(np.ones(2))
    record(x.data, (x, lambda g: g), (constant, never)).sum().backward()
    assert constant.grad is None
    behind = weakref.ref(constant)
    kept = x * constant
    dropped = kept.detach() + x
    assert dropped.requires_grad
    del constant, kept
    gc.collect()
    assert behind() is None


def test_frozen_leaves_get_no_gradient():
    x, y = Tensor(np.ones(2), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    y.requires_grad = False
    (x * y).sum().backward()
    assert y.grad is None and x.grad is not None


# Kinds of numbers.
DOUBLE = np.float64(1.5)
KINDS = UNARY | {
    "tensor + scalar": lambda x: x + DOUBLE,
    "scalar + tensor": lambda x: DOUBLE + x,
    "tensor - scalar": lambda x: x - DOUBLE,
    "scalar - tensor": lambda x: DOUBLE - x,
    "tensor * scalar": lambda x: x * DOUBLE,
    "scalar * tensor": lambda x: DOUBLE * x,
    "tensor / scalar": lambda x: x / DOUBLE,
    "scalar / tensor": lambda x: DOUBLE / x,
    "tensor ** scalar": lambda x: x**DOUBLE,
    "tensor + array": lambda x: x + np.ones((3, 2)),
    "array + tensor": lambda x: np.ones((3, 2)) + x,
    "array - tensor": lambda x: np.ones((3, 2)) - x,
    "array * tensor": lambda x: np.ones((3, 2)) * x,
    "array / tensor": lambda x: np.ones((3, 2)) / x,
    "tensor @ array": lambda x: x @ np.ones((2, 3)),
    "array @ tensor": lambda x: np.ones((2, 3)) @ x,
    "integers * tensor": lambda x: np.arange(6).reshape(3, 2) * x,
    "booleans * tensor": lambda x: np.ones((3, 2), bool) * x,
    "clip": lambda x: x.clip(np.float64(0.5), np.float64(1.5)),
    "maximum": lambda x: maximum(x, DOUBLE),
    "maximum, scalar first": lambda x: maximum(DOUBLE, x),
    "where": lambda x: where(np.ones(2, bool), x, DOUBLE),
    "where, scalar first": lambda x: where(np.zeros(2, bool), DOUBLE, x),
    "concatenate": lambda x: concatenate([x, np.ones((1, 2))]),
    "concatenate, array first": lambda x: concatenate([np.ones((1, 2)), x]),
    "stack": lambda x: stack([x, np.ones((3, 2))]),
    "stack, array first": lambda x: stack([np.ones((3, 2)), x]),
    "mean": lambda x: x.mean(),
    "var": lambda x: x.var(0),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "max": lambda x: x.max(0),
    "index": lambda x: x[[0, 0]],
    "leaky_relu": lambda x: tc.functional.leaky_relu(x, np.float64(0.01)),
    "gelu": tc.functional.gelu,
    "hard_swish": tc.functional.hard_swish,
    "softmax": lambda x: tc.functional.softmax(x, np.float64(2)),
    "log_softmax": lambda x: tc.functional.log_softmax(x, np.float64(2)),
    "cross_entropy": lambda x: tc.functional.cross_entropy(x, [0, 1, 1]),
    "kl_div": lambda x: tc.functional.kl_div(x, np.ones((3, 2)), np.float64(2)),
    "mse_loss": lambda x: tc.functional.mse_loss(x, np.ones((3, 2))),
    "dropout": lambda x: tc.functional.dropout(x, np.float64(0.5), np.random.default_rng(0)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", KINDS)
def test_numbers_and_arrays_take_the_tensors_dtype(name, dtype, rng):
    function = KINDS[name]
    x = Tensor(spread(3, 2, rng=rng, positive=True).astype(dtype), requires_grad=True)
    out = function(x)
    assert out.data.dtype == dtype and isinstance(out.data, np.ndarray)
    out.backward(np.ones(out.shape))  # float64, whatever x is
    assert x.grad.dtype == dtype


def test_a_python_number_keeps_all_its_digits_beside_float64():
    assert (Tensor(np.float64(1)) * 0.1).item() == 0.1


@pytest.mark.parametrize(
    ("given_", "dtype"),
    [
        ([1, 2], np.float32),
        (3, np.float32),
        (0.1, np.float32),
        (np.arange(3, dtype=np.uint8), np.float32),
        (np.array([True]), np.float32),
        (np.float16([1]), np.float32),
        (np.zeros(2, np.float32), np.float32),
        (np.zeros(2), np.float64),
    ],
    ids=str,
)
def test_float32_is_the_default_and_float64_stays(given_, dtype):
    assert Tensor(given_).dtype == dtype


TWO_DTYPES = {
    **BINARY,
    "matmul": lambda a, b: a @ b,
    "concatenate": lambda *t: concatenate(t),
    "stack": lambda *t: stack(t),
}


@pytest.mark.parametrize("name", TWO_DTYPES)
def test_two_tensors_of_different_dtype_are_refused(name):
    a, b = Tensor(np.ones((3, 3), np.float32)), Tensor(np.ones((3, 3), np.float64))
    for pair in ((a, b), (b, a)):
        with pytest.raises(TypeError, match="nothing is promoted silently"):
            TWO_DTYPES[name](*pair)


@pytest.mark.parametrize("nonsense", [None, "one", 1j, object()], ids=str)
def test_what_is_not_a_real_number_is_refused(nonsense):
    with pytest.raises(TypeError, match="real numbers"):
        Tensor(nonsense)
    with pytest.raises(TypeError, match="real numbers"):
        Tensor(np.ones(2)) + nonsense


def test_a_tensor_of_a_tensor_is_refused():
    with pytest.raises(TypeError, match="detach"):
        Tensor(Tensor(1.0))


def test_the_exponent_of_a_power_is_a_number():
    with pytest.raises(TypeError, match="exponent must be a"):
        Tensor(np.ones(2)) ** Tensor(np.ones(2))


@pytest.mark.parametrize("shapes", [((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (2, 3))], ids=str)
def test_matmul_of_shapes_that_do_not_fit_names_both(shapes):
    a, b = (Tensor(np.ones(shape)) for shape in shapes)
    with pytest.raises(ValueError) as error:
        a @ b
    assert str(shapes[0]) in str(error.value) and str(shapes[1]) in str(error.value)


# As a Python object.
def test_comparisons_are_arrays_of_booleans():
    x, y = Tensor(np.arange(3.0)), Tensor(np.ones(3))
    np.testing.assert_array_equal(x < y, [True, False, False])
    np.testing.assert_array_equal(x <= 1, [True, True, False])
    np.testing.assert_array_equal(x > np.ones(3), [False, False, True])
    np.testing.assert_array_equal(1 <= x, [False, True, True])


def test_a_tensor_that_requires_a_gradient_does_not_become_an_array_unnoticed():
    assert np.asarray(Tensor(np.arange(3.0))).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="detach"):
        np.asarray(Tensor(np.arange(3.0), requires_grad=True))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"])
def test_a_copy_is_an_equal_leaf_that_shares_nothing(clone):
    x = tc.nn.Parameter(np.arange(3.0, dtype=np.float32))
    other = clone(x)
    assert type(other) is tc.nn.Parameter and other.requires_grad and other.dtype == np.float32
    np.testing.assert_array_equal(other.data, x.data)
    assert not np.shares_memory(other.data, x.data)


def test_len_float_bool_item_and_repr():
    assert len(Tensor(np.zeros((4, 2)))) == 4
    assert float(Tensor(2.5)) == Tensor(2.5).item() == 2.5
    assert Tensor(1.0) and not Tensor(0.0)
    assert "requires_grad=True" in repr(Tensor([1.0], requires_grad=True))


def test_a_gradient_is_copied_where_another_array_sees_its_memory_and_only_there():
    kept = np.arange(4.0)
    made = []

    def alone(g):
        view = np.arange(4.0)[1:3]
        made.append(view.ctypes.data)
        return view

    x, y = Tensor(np.zeros(2), True), Tensor(np.zeros(2), True)
    record(np.zeros(2), (x, lambda g: kept[1:3]), (y, alone)).sum().backward()
    assert not np.shares_memory(x.grad, kept)
    assert [y.grad.ctypes.data] == made
