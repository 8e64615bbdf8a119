"""Optimisers against textbook recursions on single numbers, and against PyTorch; schedules at their ends."""

import math

import numpy as np
import pytest

from tinycompress import Tensor, nn, optim


# Textbook: one weight, Python floats. Each takes w and the gradients g1, g2, … and returns w after each step.
def textbook_sgd(w, gradients, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    v = 0.0
    for g in gradients:
        g = g + weight_decay * w
        v = momentum * v + g
        w = w - lr * (g + momentum * v if nesterov else v)
        yield w


def textbook_adam(w, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False):
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        if not decoupled:
            g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        decay = lr * weight_decay * w if decoupled else 0.0
        w = w - decay - lr * m_hat / (math.sqrt(v_hat) + eps)
        yield w


def textbook_adamw(w, gradients, lr, **options):
    return textbook_adam(w, gradients, lr, decoupled=True, **{"weight_decay": 0.01, **options})


CASES = [
    ("SGD", textbook_sgd, {"lr": 0.1}),
    ("SGD", textbook_sgd, {"lr": 0.1, "weight_decay": 0.2}),
    ("SGD", textbook_sgd, {"lr": 0.1, "momentum": 0.9}),
    ("SGD", textbook_sgd, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.2}),
    ("SGD", textbook_sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", textbook_sgd, {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.2}),
    ("Adam", textbook_adam, {"lr": 0.1}),
    ("Adam", textbook_adam, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 0.01, "weight_decay": 0.2}),
    ("AdamW", textbook_adamw, {"lr": 0.1}),
    ("AdamW", textbook_adamw, {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.2}),
]
NAMES = [f"{name} {options}" for name, _, options in CASES]


@pytest.mark.parametrize(("name", "textbook", "options"), CASES, ids=NAMES)
def test_optimizer_follows_the_textbook(name, textbook, options, rng):
    start, gradients = rng.standard_normal((2, 3)), rng.standard_normal((6, 2, 3))
    weight = nn.Parameter(start.copy())
    optimizer = getattr(optim, name)([weight], **options)
    expected = [[textbook(start[i, j], gradients[:, i, j], **options) for j in range(3)] for i in range(2)]
    for g in gradients:
        weight.grad = g.copy()
        optimizer.step()
        np.testing.assert_allclose(weight.data, [[next(w) for w in row] for row in expected], rtol=1e-12)
        np.testing.assert_array_equal(weight.grad, g)  # the gradient is read, not changed


@pytest.mark.parametrize(("name", "textbook", "options"), CASES, ids=NAMES)
def test_optimizer_agrees_with_pytorch(name, textbook, options, rng):
    torch = pytest.importorskip("torch")
    ours = nn.Parameter(rng.standard_normal((2, 3)).astype(np.float32))
    theirs = torch.nn.Parameter(torch.from_numpy(ours.data.copy()))
    optimizer, rival = getattr(optim, name)([ours], **options), getattr(torch.optim, name)([theirs], **options)
    for _ in range(5):
        ours.grad = rng.standard_normal((2, 3)).astype(np.float32)
        theirs.grad = torch.from_numpy(ours.grad.copy())
        optimizer.step()
        rival.step()
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "textbook", "options"), CASES, ids=NAMES)
def test_frozen_parameters_and_those_without_a_gradient_do_not_move(name, textbook, options):
    moving, frozen, unused = (nn.Parameter(np.ones(2, np.float32)) for _ in range(3))
    optimizer = getattr(optim, name)([moving, frozen, unused], **options)
    frozen.requires_grad = False
    for parameter in (moving, frozen):
        parameter.grad = np.ones(2, np.float32)
    optimizer.step()
    assert (moving.data != 1).all() and (frozen.data == 1).all() and (unused.data == 1).all()


@pytest.mark.parametrize("make", [optim.Adam, optim.AdamW])
def test_the_first_gradient_moves_a_parameter_by_the_learning_rate_whenever_it_comes(make):
    # Corrected, moments that have seen one gradient are g and g², so that the step is lr g / |g|.
    often, late = (nn.Parameter(np.ones(2)) for _ in range(2))
    optimizer = make([often, late], lr=0.1, weight_decay=0.0)
    for _ in range(9):
        often.grad = np.ones(2)
        optimizer.step()
    late.grad = np.array([3.0, -0.5])
    optimizer.step()
    np.testing.assert_allclose(late.data, [0.9, 1.1])


@pytest.mark.parametrize(("name", "textbook", "options"), CASES, ids=NAMES)
def test_gradients_that_come_now_and_then_are_taken_as_in_the_textbook(name, textbook, options, rng):
    pause = [nn.Parameter(np.ones(1)) for _ in range(3)]
    optimizer = getattr(optim, name)(pause, **options)
    expected = [[1.0] for _ in pause]
    seen = [[] for _ in pause]
    for step in range(12):
        for every, parameter in enumerate(pause, 1):
            parameter.grad = rng.standard_normal(1) if step % every == 0 else None
        optimizer.step()
        for parameter, gradients, w in zip(pause, seen, expected, strict=True):
            if parameter.grad is not None:
                gradients.append(parameter.grad.item())
                w[:] = list(textbook(1.0, gradients, **options))[-1:]
            np.testing.assert_allclose(parameter.data, w, rtol=1e-12)


@pytest.mark.parametrize(("name", "textbook", "options"), CASES, ids=NAMES)
def test_gradients_that_come_now_and_then_are_taken_as_in_pytorch(name, textbook, options, rng):
    torch = pytest.importorskip("torch")
    ours = [nn.Parameter(np.ones(3, np.float32)) for _ in range(3)]
    theirs = [torch.nn.Parameter(torch.ones(3)) for _ in ours]
    optimizer, rival = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(12):
        for every, (parameter, other) in enumerate(zip(ours, theirs, strict=True), 1):
            parameter.grad = rng.standard_normal(3).astype(np.float32) if step % every == 0 else None
            other.grad = None if parameter.grad is None else torch.from_numpy(parameter.grad.copy())
        optimizer.step()
        rival.step()
    for parameter, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(parameter.data, other.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_zero_grad_forgets_gradients():
    weight = nn.Parameter(np.ones(2))
    weight.grad = np.ones(2)
    optim.SGD([weight]).zero_grad()
    assert weight.grad is None


def test_a_learning_rate_of_numpy_does_not_promote_weights():
    weight = nn.Parameter(np.ones(2, np.float32))
    optimizer = optim.SGD([weight], np.float64(0.1), momentum=np.float64(0.9), weight_decay=np.float64(0.1))
    weight.grad = np.ones(2, np.float32)
    optimizer.step()
    assert weight.data.dtype == np.float32


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_parameter_of_a_single_number_moves(momentum):
    scale = Tensor(np.float32(2.0), requires_grad=True)
    scale.grad = np.array(0.5, np.float32)
    optim.SGD([scale], lr=0.1, momentum=momentum).step()
    assert scale.shape == () and scale.item() == pytest.approx(1.95)


def test_a_parameter_listed_twice_moves_once():
    weight = nn.Parameter(np.ones(1))
    weight.grad = np.ones(1)
    optim.SGD([weight, weight], lr=0.25).step()
    np.testing.assert_array_equal(weight.data, [0.75])


def test_the_learning_rate_may_change_between_steps():
    weight = nn.Parameter(np.zeros(1))
    optimizer = optim.SGD([weight], lr=1.0)
    for optimizer.lr in (1.0, 0.5, 0.0):
        weight.grad = np.ones(1)
        optimizer.step()
    np.testing.assert_array_equal(weight.data, [-1.5])


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW])
def test_a_parabola_is_descended(make):
    weight = nn.Parameter(np.array([3.0, -2.0]))
    optimizer = make([weight], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (weight * weight).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(weight.data, 0, atol=1e-2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.SGD([]), "non-empty list of parameters.*model.parameters"),
        (lambda p: optim.SGD([np.ones(2)]), "list of parameters"),
        (lambda p: optim.SGD({"weight": p}), "list of parameters"),
        (lambda p: optim.SGD([p], lr=-1), "must not be negative, got -1"),
        (lambda p: optim.SGD([p], lr=float("nan")), "must not be negative, got nan"),
        (lambda p: optim.SGD([p], lr=float("inf")), "must be finite and must not be negative, got inf"),
        (lambda p: optim.SGD([p], lr="0.1"), "must be finite and must not be negative, got '0.1'"),
        (lambda p: optim.Adam([p], betas=0.9), r"Adam: both betas must lie in \[0, 1\), got 0.9"),
        (lambda p: optim.SGD([p], momentum=1), "momentum must lie in"),
        (lambda p: optim.SGD([p], nesterov=True), "above 0 for Nesterov"),
        (lambda p: optim.Adam([p], betas=(-0.1, 0.9)), r"Adam: both betas must lie in \[0, 1\), got \(-0.1, 0.9\)"),
        (lambda p: optim.Adam([p], betas=(0.9, 1.0)), r"Adam: both betas must lie in \[0, 1\), got \(0.9, 1.0\)"),
        (lambda p: optim.SGD([p], weight_decay=-0.1), "weight decay must be finite and must not be negative, got -0.1"),
        (
            lambda p: optim.AdamW([p], weight_decay=-0.1),
            "weight decay must be finite and must not be negative, got -0.1",
        ),
        (lambda p: optim.warmup(0), "between 0 and 1, got 0"),
        (lambda p: optim.warmup(1.5), "between 0 and 1, got 1.5"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(Tensor(np.ones(2), requires_grad=True))


# Schedules.
TIMES = np.linspace(0, 1, 101).tolist()


def test_schedules_begin_and_end_where_they_should():
    assert [optim.constant(t) for t in (0, 0.3, 1)] == [1, 1, 1]
    assert optim.cosine(0) == 1 and optim.cosine(0.5) == pytest.approx(0.5) and optim.cosine(1) == pytest.approx(0)
    drop = optim.steps((0.5, 0.75), gamma=0.1)
    assert [drop(t) for t in (0, 0.49, 0.5, 0.74, 0.75, 1)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    rise = optim.warmup(0.2, optim.cosine)
    assert rise(0) == 0 and rise(0.1) == pytest.approx(0.5) and rise(0.2) == pytest.approx(1)
    assert rise(0.6) == pytest.approx(0.5) and rise(1) == pytest.approx(0)
    assert optim.warmup(0.5)(0.9) == 1


def test_cosine_is_half_a_cosine():
    assert [optim.cosine(t) for t in TIMES] == pytest.approx([(1 + math.cos(math.pi * t)) / 2 for t in TIMES])


@pytest.mark.parametrize("schedule", [optim.cosine, optim.steps([0.3, 0.6]), optim.warmup(0.3, optim.cosine)])
def test_schedules_stay_between_0_and_1_and_fall_after_any_warm_up(schedule):
    factors = [schedule(t) for t in TIMES]
    assert all(0 <= f <= 1 for f in factors)
    top = factors.index(max(factors))
    assert all(a <= b for a, b in zip(factors[:top], factors[1 : top + 1], strict=True))
    assert all(a >= b for a, b in zip(factors[top:-1], factors[top + 1 :], strict=True))


def test_steps_may_be_given_as_a_generator():
    drop = optim.steps(t / 4 for t in (1, 2))
    assert drop(1) == drop(1) == pytest.approx(0.01)


def test_one_cycle_rises_to_1_and_falls_to_almost_0():
    cycle = optim.one_cycle(pct_start=0.25, div_factor=10, final_div_factor=100)
    assert [cycle(t) for t in (0, 0.125, 0.25, 0.625, 1)] == pytest.approx([0.1, 0.55, 1, 0.5005, 0.001])
    assert repr(cycle) == "one_cycle(0.25, 10, 100)"
    for wrong in ({"pct_start": 0}, {"pct_start": 1}, {"div_factor": 0.5}, {"final_div_factor": 0}):
        with pytest.raises(ValueError, match="one_cycle: pct_start must lie"):
            optim.one_cycle(**wrong)


def test_one_cycle_has_the_rates_of_pytorch():
    torch = pytest.importorskip("torch")
    steps, options = 40, {"pct_start": 0.25, "div_factor": 20, "final_div_factor": 50}
    sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(sgd, 0.4, total_steps=steps, cycle_momentum=False, **options)
    rates = []
    for _ in range(steps):
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        theirs.step()
    top = options["pct_start"] * steps - 1  # theirs reaches the top and the end one step earlier
    times = [i / top * 0.25 if i < top else 0.25 + (i - top) / (steps - 1 - top) * 0.75 for i in range(steps)]
    assert rates == pytest.approx([0.4 * optim.one_cycle(**options)(t) for t in times])


# The norm of the gradient.
def with_gradients(*gradients):
    parameters = [Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    for parameter, g in zip(parameters, gradients, strict=True):
        parameter.grad = g
    return parameters


def test_clipping_scales_all_gradients_by_one_factor_and_only_if_their_norm_is_larger(rng):
    gradients = [rng.standard_normal(shape).astype(np.float32) for shape in ((3, 4), (5,), ())]
    norm = math.sqrt(sum((g.astype(float) ** 2).sum() for g in gradients))
    for limit, factor in ((norm / 3, 1 / 3), (norm * 1.01, 1)):
        parameters = [*with_gradients(*gradients), Tensor(np.ones(2), requires_grad=True)]
        assert optim.clip_grad_norm([*parameters, parameters[0]], limit) == pytest.approx(norm)
        for parameter, g in zip(parameters, gradients, strict=False):
            np.testing.assert_allclose(parameter.grad, g * factor, rtol=1e-5)
            assert parameter.grad.dtype == np.float32
        assert parameters[3].grad is None
    with pytest.raises(ValueError, match="max_norm must be above 0, got 0"):
        optim.clip_grad_norm(parameters, 0)


def test_clipping_agrees_with_pytorch(rng):
    torch = pytest.importorskip("torch")
    gradients = [rng.standard_normal(shape).astype(np.float32) for shape in ((3, 4), (5,))]
    ours, theirs = with_gradients(*gradients), [torch.zeros(g.shape, requires_grad=True) for g in gradients]
    for parameter, g in zip(theirs, gradients, strict=True):
        parameter.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(theirs, 0.7)
    assert optim.clip_grad_norm(ours, 0.7) == pytest.approx(norm.item())
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.grad, two.grad.numpy(), rtol=1e-5)


# The state.
@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.Adam(p, 0.1)])
def test_an_optimiser_goes_on_from_its_state(make, rng):
    def step(parameters, optimizer, gradient):
        for parameter in parameters:
            parameter.grad = gradient * np.ones_like(parameter.data)
        optimizer.step()

    parameters = [Tensor(rng.random((2, 3), np.float32), requires_grad=True), Tensor(np.ones(4), requires_grad=True)]
    one = make(parameters)
    for gradient in (0.5, -1, 2):
        step(parameters, one, np.float32(gradient))
    twins = [Tensor(parameter.data.copy(), requires_grad=True) for parameter in parameters]
    two = make(twins)
    two.load_state_dict(one.state_dict())
    for gradient in (1, 3):
        step(parameters, one, np.float32(gradient))
        step(twins, two, np.float32(gradient))
    assert all(a.data.tobytes() == b.data.tobytes() for a, b in zip(parameters, twins, strict=True))
    with pytest.raises(ValueError, match="the state is that of another optimiser"):
        make(parameters[:1]).load_state_dict(one.state_dict())
