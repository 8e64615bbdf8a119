"""Fit, predict, evaluate: repeatable, honest about what went wrong, and independent of how the work is cut into batches."""

import io
import pickle

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import Tensor, architecture, dynamic, evaluate, fit, nn, optim, predict, pruning, quantization
from tinycompress import functional as F
from tinycompress.training import History, TrainingDiverged


def blobs(n=90, rng=None):
    """Three well separated clouds in the plane: (x, labels)."""
    rng = rng or np.random.default_rng(7)
    labels = np.arange(n) % 3
    centres = np.array([[3, 0], [-3, 2], [0, -4]])
    return (centres[labels] + 0.5 * rng.standard_normal((n, 2))).astype(np.float32), labels


def tiny_images(n=20):
    rng = np.random.default_rng(7)
    return rng.standard_normal((n, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, n)


def net_for_images(seed=1):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same", rng=rng),
        nn.BatchNorm(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3, rng=rng),
        nn.Dense(64, 3, rng=rng),
    )


def run(model, train, seed=0, epochs=3, optimizer=None, **options):
    optimizer = optimizer or optim.SGD(model.parameters(), 0.05, momentum=0.9)
    options = {"progress": False, "batch_size": 8, **options}
    return fit(model, train, optimizer=optimizer, epochs=epochs, rng=np.random.default_rng(seed), **options)


def noise(x, rng):
    return x + 0.1 * rng.standard_normal(x.shape, np.float32)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    states, histories = [], []
    for seed in (0, 0, 1):
        model = net_for_images()
        histories.append(
            run(model, tiny_images(), seed, augment=noise, validation=tiny_images(), schedule=optim.cosine)
        )
        states.append(model.state_dict())
    assert histories[0] == histories[1] != histories[2]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(np.array_equal(states[0][name], states[2][name]) for name in states[0])


def test_a_separable_problem_is_learnt():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(2, 8, rng=rng), nn.Tanh(), nn.Dense(8, 3, rng=rng))
    history = run(model, blobs(), epochs=10, validation=blobs(60, rng))
    assert history.loss[-1] < 0.05 < history.loss[0]
    assert history.val_accuracy[-1] == 1.0 and len(history.loss) == len(history.lr) == len(history.val_accuracy) == 10
    result = evaluate(model, blobs(60, np.random.default_rng(3)))
    assert result.accuracy == 1.0 and result.loss < 0.05


def test_every_example_is_seen_once_an_epoch_in_a_new_order():
    x, y = np.arange(22, dtype=np.float32).reshape(11, 2), np.zeros(11, int)
    seen = []

    def look(x, rng):
        seen.append(x[:, 0].copy())
        return x

    run(nn.Dense(2, 3, rng=np.random.default_rng(0)), (x, y), epochs=2, batch_size=4, augment=look)
    assert [len(batch) for batch in seen] == [3, 4, 4] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert set(first) == set(second) == set(x[:, 0]) and list(first) != list(second)


def test_augmentation_changes_the_batch_and_not_the_data():
    x, y = tiny_images()
    before = x.copy()

    def destroy(x, rng):
        x *= 0
        return x

    run(net_for_images(), (x, y), epochs=1, augment=destroy)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 11, 50])
def test_the_loss_of_an_epoch_is_the_mean_over_examples_however_they_are_batched(batch_size):
    model, data = nn.Dense(2, 3, rng=np.random.default_rng(0)), blobs(11)
    history = run(model, data, epochs=1, batch_size=batch_size, optimizer=optim.SGD(model.parameters(), 0.0))
    assert history.loss[0] == pytest.approx(evaluate(model, data).loss, rel=1e-5)


def test_the_schedule_scales_every_step_and_the_learning_rate_comes_back():
    model, rates, times = nn.Dense(2, 3, rng=np.random.default_rng(0)), [], []

    class Spy(optim.SGD):
        def step(self):
            rates.append(self.lr)
            super().step()

    def schedule(t):
        times.append(t)
        return 1 - t

    optimizer = Spy(model.parameters(), lr=0.5)
    history = run(model, blobs(10), epochs=2, batch_size=4, optimizer=optimizer, schedule=schedule)
    assert times == pytest.approx([i / 6 for i in range(6)])
    assert rates == pytest.approx([0.5 * (1 - i / 6) for i in range(6)])
    assert history.lr == pytest.approx([rates[2], rates[5]]) and optimizer.lr == 0.5


def test_targets_may_be_a_teachers_outputs():
    teacher = nn.Dense(2, 3, rng=np.random.default_rng(5))
    student = nn.Dense(2, 3, rng=np.random.default_rng(0))
    x, _ = blobs()
    soft = predict(teacher, x)
    run(student, (x, soft), epochs=60, loss=lambda z, v: F.kl_div(z, v, temperature=2.0))
    np.testing.assert_allclose(F.softmax(student(x)).data, F.softmax(Tensor(soft)).data, atol=0.02)


def test_nothing_happens_in_no_epochs():
    model = net_for_images()
    before = model.state_dict()
    assert run(model, tiny_images(), epochs=0) == History()
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())
    assert not model.training


def test_no_step_has_a_gradient_above_the_norm_it_is_clipped_to():
    norms = []

    class Spy(optim.SGD):
        def step(self):
            norms.append(np.sqrt(sum((p.grad.astype(float) ** 2).sum() for p in self.parameters)))
            super().step()

    for limit in (None, 0.1):
        model = nn.Dense(2, 3, rng=np.random.default_rng(0))
        run(model, blobs(), epochs=1, optimizer=Spy(model.parameters(), 0.05), clip_grad_norm=limit)
    assert max(norms[:12]) > 0.2 and max(norms[12:]) == pytest.approx(0.1)


# When it goes wrong.
class Log(nn.Module):
    def forward(self, x):
        return x.log()


def diverge(model, train, **options):
    optimizer = optim.SGD(model.parameters(), options.pop("lr", 0.1))
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged) as error:
        run(model, train, optimizer=optimizer, **options)
    assert not model.training
    return error.value


def test_nan_in_a_layer_names_the_layer():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(2, 4, rng=rng), nn.Sequential(nn.ReLU(), Log()), nn.Dense(4, 3, rng=rng))
    error = diverge(model, blobs())
    assert "epoch 1, batch 1" in str(error) and "first seen in layer 1.1: Log()" in str(error)


def test_nan_in_a_parametrization_names_the_layer_that_is_seen_through_it():
    model = nn.Sequential(nn.Dense(2, 4, rng=np.random.default_rng(0)), nn.Dense(4, 3, rng=np.random.default_rng(0)))
    model[1].parametrize("weight", Log())
    assert "first seen in layer 1: Dense(4, 3)" in str(diverge(model, blobs()))


def test_nan_in_a_model_of_one_layer_says_so():
    class LogDense(nn.Dense):
        def forward(self, x):
            return super().forward(x).log()

    error = diverge(LogDense(2, 3, rng=np.random.default_rng(0)), blobs())
    assert "first seen in layer (the model): LogDense(2, 3)" in str(error)


def test_a_huge_learning_rate_is_told_with_the_parameter_and_the_history_so_far():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(2, 4, rng=rng), nn.Dense(4, 3, rng=rng))
    optimizer = optim.SGD(model.parameters(), 0.01)
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged) as error:
        run(model, blobs(), optimizer=optimizer, epochs=5, schedule=lambda t: 1 if t < 0.5 else 1e45)
    assert "parameter 0.weight" in str(error.value) and "learning rate 1e+43" in str(error.value)
    assert "warm-up" in str(error.value) and len(error.value.history.loss) == 2
    assert optimizer.lr == 0.01 and not model.training


def test_nan_in_the_data_and_in_the_loss_are_told_apart():
    x, y = blobs()
    x[5, 1] = np.nan
    assert "the input batch" in str(diverge(nn.Dense(2, 3, rng=np.random.default_rng(0)), (x, y)))
    error = diverge(nn.Dense(2, 3, rng=np.random.default_rng(0)), blobs(), loss=lambda z, y: (z * 0).sum().log())
    assert "the loss function itself" in str(error)


def test_a_loss_that_is_no_single_number_is_refused():
    with pytest.raises(ValueError, match="not a single number"):
        run(nn.Dense(2, 3, rng=np.random.default_rng(0)), blobs(), loss=lambda z, y: z * 1)
    with pytest.raises(TypeError, match="the loss must be a tensor of one number, .* got "):
        run(nn.Dense(2, 3, rng=np.random.default_rng(0)), blobs(), loss=lambda z, y: z.sum().item())


def interrupt_at(batch):
    count = iter(range(1000))

    def augment(x, rng):
        if next(count) == batch:
            raise KeyboardInterrupt
        return x

    return augment


def test_ctrl_c_returns_what_was_trained_so_far():
    whole, cut = net_for_images(), net_for_images()
    optimizer = optim.SGD(cut.parameters(), 0.05, momentum=0.9)
    history = run(cut, tiny_images(), augment=interrupt_at(6), optimizer=optimizer, schedule=lambda t: 0.5)
    assert history.interrupted and len(history.loss) == 2  # 3 batches an epoch: two whole ones
    run(whole, tiny_images(), epochs=2, schedule=lambda t: 0.5)
    assert all(np.array_equal(values, cut.state_dict()[name]) for name, values in whole.state_dict().items())
    assert not cut.training and optimizer.lr == 0.05


def test_ctrl_c_while_validating_leaves_a_history_that_can_be_drawn(monkeypatch):
    calls = iter(range(10))

    def evaluate_twice(model, data):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(model, data)

    monkeypatch.setattr(tc.training, "evaluate", evaluate_twice)
    history = run(net_for_images(), tiny_images(), epochs=5, validation=tiny_images())
    assert history.interrupted and len(history.loss) == len(history.lr) == len(history.val_accuracy) == 2
    history.plot()


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        ((np.zeros((3, 2), np.float32), np.zeros(2, int)), {}, "3 inputs and 2 targets"),
        ((np.zeros((0, 2), np.float32), np.zeros(0, int)), {}, "at least one"),
        (blobs(), {"epochs": -1}, "epochs must be a whole number, 0 or more; got -1"),
        (blobs(), {"batch_size": 0}, "batch_size must be a whole number, 1 or more; got 0"),
        ((blobs()[0], blobs()[1] + 1), {}, "labels run from"),
    ],
)
def test_data_and_settings_that_do_not_fit_are_refused(train, options, message):
    with pytest.raises(ValueError, match=message):
        run(nn.Dense(2, 3, rng=np.random.default_rng(0)), train, **options)


# Predict and evaluate.
@pytest.mark.parametrize("batch_size", [1, 3, 20, 100])
def test_predictions_do_not_depend_on_the_batch_size(batch_size):
    model, (x, y) = net_for_images(), tiny_images()
    run(model, (x, y))
    expected = predict(model, x)
    np.testing.assert_allclose(predict(model, x, batch_size), expected, atol=1e-5)
    result = evaluate(model, (x, y), batch_size)
    assert result.accuracy == (expected.argmax(1) == y).mean()
    assert result.loss == pytest.approx(F.cross_entropy(Tensor(expected), y).item(), rel=1e-5)


def test_large_inputs_are_predicted_in_smaller_batches():
    sizes = []

    class Look(nn.Module):
        def forward(self, x):
            sizes.append(len(x))
            return x.reshape(len(x), -1)

    for shape in ((5,), (28, 28, 1), (32, 32, 3), (800, 800, 1)):
        predict(Look(), np.zeros((514, *shape) if len(shape) == 1 else (3, *shape), np.float32))
        predict(Look(), np.zeros((600, *shape), np.float32)) if shape == (32, 32, 3) else None
    assert sizes == [512, 2, 3, 3, 130, 130, 130, 130, 80, 1, 1, 1]


def test_predictions_are_those_of_evaluation_mode_whatever_mode_the_model_is_in():
    model, (x, _) = net_for_images(), tiny_images()
    before = model.state_dict()
    np.testing.assert_allclose(predict(model, x), model.copy().eval()(x).data, atol=1e-6)
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())


def test_predicting_leaves_every_mode_as_it_was_and_records_no_graph():
    model, (x, y) = net_for_images(), tiny_images()
    model[1].eval()  # batch norm frozen on purpose
    before = model.state_dict()
    predict(model, x)
    evaluate(model, (x, y))
    with pytest.raises(ValueError):
        predict(model, np.zeros((2, 8, 8, 3), np.float32))
    assert [module.training for module in model.modules()].count(False) == 1 and not model[1].training
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_what_cannot_be_evaluated_is_refused():
    model, (x, y) = net_for_images(), tiny_images()
    with pytest.raises(ValueError, match="there are no inputs"):
        predict(model, x[:0])
    with pytest.raises(ValueError, match=r"logits \(20, 3\) and labels \(5,\)"):
        evaluate(model, (x, y[:5]))


# The picture.
@pytest.mark.parametrize(
    "history", [History(), History([1.0], [0.1]), History([1.0, 0.5], [0.1, 0.1], [0.6, 0.9])], ids=["0", "1", "2"]
)
def test_a_history_draws_itself(history):
    figure = history.plot()
    assert len(figure.axes) == (2 if history.val_accuracy else 1)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), history.loss)
    if history.val_accuracy:
        np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [60, 90])
    figure.savefig(io.BytesIO(), format="svg")


# ---- an optimiser of another net ----


CHANGES = {
    "copy": lambda net: net.copy(),
    "remove_neurons": lambda net: pruning.remove_neurons(net, pruning.keep_neurons(net, 0.5)),
    "widen": lambda net: pruning.widen(net, {"1": 12}, rng=np.random.default_rng(0)),
    "bake": lambda net: pruning.prune_weights(net, 0.5).bake(),
    "cluster_weights": lambda net: quantization.cluster_weights(net, 4),
    "cluster_weights of one layer": lambda net: quantization.cluster_weights(net, {"3": 4}),
    "factorise": lambda net: architecture.factorise(net, 2),
    "fold_batch_norm": quantization.fold_batch_norm,
    "add_exits": lambda net: dynamic.add_exits(net, [2], rng=np.random.default_rng(0)).exit(0),
    "a cut of Slimmable": lambda net: dynamic.Slimmable(net, (0.5, 1.0)).cut(0.5),
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_optimiser_of_arrays_that_the_net_does_not_use_is_refused_before_the_first_step(name):
    net = tc.models.mlp((2, 1, 1), (8,), 3, rng=np.random.default_rng(0))
    sgd = optim.SGD(net.parameters(), 0.05, momentum=0.9)
    x, y = blobs()
    changed = CHANGES[name](net)
    before = changed.state_dict()
    with pytest.raises(ValueError, match=r"the optimiser does not hold .*make a new one"):
        run(changed, (x.reshape(-1, 2, 1, 1), y), optimizer=sgd)
    assert all(np.array_equal(before[key], values) for key, values in changed.state_dict().items())
    run(changed, (x.reshape(-1, 2, 1, 1), y))  # with one of its own


def test_optimisers_of_a_part_and_of_more_than_the_net_are_not_refused():
    train = blobs()
    net = nn.Sequential(
        *(
            nn.Dense(2, 8, rng=np.random.default_rng(i))
            if i == 0
            else nn.Dense(8, 8 if i < 3 else 3, rng=np.random.default_rng(i))
            for i in range(4)
        )
    )
    run(net, train, optimizer=optim.SGD(net[3].parameters(), 0.05))  # the head alone
    temperature = nn.Parameter(np.ones((), np.float32))
    more = optim.SGD([*net.parameters(), temperature], 0.05)
    run(net, train, optimizer=more, loss=lambda z, y: F.cross_entropy(z * temperature, y))
    assert temperature.item() != 1
    head_and_more = optim.SGD([*net[3].parameters(), temperature], 0.05)
    run(net, train, optimizer=head_and_more, loss=lambda z, y: F.cross_entropy(z * temperature, y))
    for parameter in net[0].parameters():
        parameter.requires_grad = False
    run(net, train, optimizer=optim.SGD(net.parameters(), 0.05))  # some are frozen
    masked = pruning.prune_weights(net, 0.5)  # a mask is no new parameter
    run(masked, train, optimizer=more)


# ---- the size of batches ----


def dense_net_with_batch_norm(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Dense(2, 8, rng=rng), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 3, rng=rng))


def sizes_of_batches(net, n, batch_size, epochs):
    seen = []

    def loss(outputs, labels):
        seen.append(len(labels))
        return F.cross_entropy(outputs, labels)

    assert not run(net, blobs(n), epochs=epochs, batch_size=batch_size, loss=loss).interrupted
    assert len(seen) % epochs == 0 and seen == epochs * seen[: len(seen) // epochs]
    return seen[: len(seen) // epochs]


@pytest.mark.parametrize("n", range(2, 20))
@pytest.mark.parametrize("batch_size", [2, 3, 8, 16, 30])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_batches_are_equal_or_differ_by_one_image(n, batch_size, batch_norm):
    dense = nn.Sequential(nn.Dense(2, 3, rng=np.random.default_rng(0)))
    sizes = sizes_of_batches(dense_net_with_batch_norm() if batch_norm else dense, n, batch_size, epochs=2)
    assert sum(sizes) == n and max(sizes) - min(sizes) <= 1
    if batch_norm and batch_size == 2 and n % 2:
        assert sorted(sizes) == [2] * (n // 2 - 1) + [3]  # one image alone has no variance
    else:
        assert len(sizes) == -(-n // batch_size)


def test_no_few_images_left_over_dominate_the_running_averages_of_batch_norm():
    """Of 516 images in batches of 128, a last batch of four would be a tenth of the running variance."""
    x, variances = np.random.default_rng(0).normal(size=(516, 2)).astype(np.float32), []
    for seed in range(10):
        net = nn.Sequential(nn.BatchNorm(2))
        still = optim.SGD(net.parameters(), 0.0)
        fit(net, (x, np.zeros(516, int)), optimizer=still, epochs=12, rng=seed, batch_size=128, progress=False)
        variances.append(net.layers[0].running_var / x.var(0))
    assert np.std(variances, 0).max() < 0.02


@pytest.mark.parametrize(("n", "batch_size"), [(1, 8), (6, 1)])
def test_batches_of_one_image_are_refused_before_the_first_step(n, batch_size):
    net = dense_net_with_batch_norm()
    before = net.state_dict()
    with pytest.raises(ValueError, match="one value per channel.*batch_size"):
        run(net, blobs(n), batch_size=batch_size)
    assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())


def test_a_history_is_shown_as_a_picture():
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    data, _ = shell.display_formatter.format(History(loss=[2.0, 1.0], lr=[0.1, 0.1]).plot())
    assert data["image/png"].startswith(b"\x89PNG")
