"""Kinds of numbers: float32 and float64 stay what they are, and what does not fit is refused."""

import numpy as np
import pytest
from tensor_operations import BINARY, UNARY, spread

import tinycompress as tc
from tinycompress import Tensor, concatenate, maximum, stack, where

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


@pytest.mark.parametrize("nonsense", [None, "one", 1j, object()], ids=["None", "one", "1j", "object"])
def test_what_is_not_a_real_number_is_refused(nonsense):
    with pytest.raises(TypeError, match="real numbers"):
        Tensor(nonsense)
    with pytest.raises(TypeError, match="real numbers"):
        Tensor(np.ones(2)) + nonsense


def test_a_masked_array_is_refused_rather_than_unmasked():
    with pytest.raises(TypeError, match=r"fill them first: x.filled\(0\)"):
        Tensor(np.ma.masked_array(np.ones(2), [True, False]))


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
