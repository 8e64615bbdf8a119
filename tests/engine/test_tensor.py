"""The graph: what backward does, keeps, refuses and frees; and a tensor as a Python object."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from tensor_operations import spread

import tinycompress as tc
from tinycompress import Tensor, concatenate, gradcheck, no_grad, stack
from tinycompress.tensor import record


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
