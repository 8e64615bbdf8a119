"""What those who come from PyTorch, Keras or scikit-learn write at first: it works, or the error names ours."""

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest

import tinycompress as tc
from tinycompress.text import names


@pytest.fixture(scope="module")
def data():
    whole = tc.data.load("digits")
    return dataclasses.replace(whole, x_train=whole.x_train[:200], y_train=whole.y_train[:200])


@pytest.fixture
def net(data):
    return tc.models.mlp(data.image_shape, (20, 10), data.num_classes, rng=0)


def sgd(net):
    return tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


def same(one, two):
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# ---- what works ----


@pytest.mark.parametrize(
    "make", [tc.models.lenet_300_100, tc.models.lenet_5, tc.models.resnet], ids=lambda f: f.__name__
)
def test_an_int_is_the_seed_of_a_generator(make):
    one, two = (make((8, 8, 1), 10, rng=rng) for rng in (3, np.random.default_rng(3)))
    assert same(one, two) and not same(one, make((8, 8, 1), 10, rng=4))


def test_a_data_set_stands_for_its_splits(data, net):
    other = net.copy()
    history = tc.fit(net, data, optimizer=sgd(net), epochs=2, rng=0, validation=data, progress=False)
    generator = np.random.default_rng(0)
    pairs = tc.fit(
        other, data.train, optimizer=sgd(other), epochs=2, rng=generator, validation=data.val, progress=False
    )
    assert history == pairs and same(net, other)
    assert tc.evaluate(net, data) == tc.evaluate(net, data.test) != tc.evaluate(net, data.val)


def test_a_pair_of_images_and_labels_gives_targets_with_labels(data, net):
    targets = tc.distillation.teacher_targets(net, data.train)
    assert np.array_equal(targets, tc.distillation.teacher_targets(net, *data.train))
    assert np.array_equal(targets, tc.distillation.teacher_targets(net, data))
    others = data.y_train[::-1]
    assert np.array_equal(tc.distillation.teacher_targets(net, data.train, others)["label"], others)


@pytest.mark.parametrize("temperature", [4, np.inf])
def test_a_distillation_loss_takes_logits_and_labels_as_they_are(data, net, temperature):
    x, labels = data.x_test[:20], data.y_test[:20]
    teacher = tc.models.mlp(data.image_shape, (16,), data.num_classes, rng=1)
    loss = tc.distillation.DistillationLoss(temperature, 0.5)
    expected = loss(net(x), tc.distillation.teacher_targets(teacher, x, labels)).item()
    for logits in tc.predict(teacher, x), teacher(x):
        assert loss(net(x), logits, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("share", [0, 0.25, 0.9, 1])
def test_a_share_of_neurons_is_the_share_to_remove(data, net, share):
    kept = tc.pruning.keep_neurons(net, 1 - share)
    assert same(tc.pruning.remove_neurons(net, share), tc.pruning.remove_neurons(net, kept))
    assert np.array_equal(
        tc.predict(tc.pruning.mask_neurons(net.copy(), share), data.x_test),
        tc.predict(tc.pruning.mask_neurons(net.copy(), kept), data.x_test),
    )


def test_an_empty_sequential_is_the_identity(data):
    assert np.array_equal(tc.predict(tc.nn.Sequential(), data.x_test), data.x_test)


def test_a_layer_of_a_sequential_is_replaced_by_its_number(net):
    net[2] = tc.nn.Tanh()
    assert isinstance(net.layers[2], tc.nn.Tanh)
    with pytest.raises(TypeError, match="Sequential takes modules, got 'relu'"):
        net[2] = "relu"
    assert isinstance(net[2], tc.nn.Tanh)


def test_softmax_takes_the_last_axis_by_number():
    x = tc.Tensor(np.arange(6.0).reshape(2, 3))
    for operation in tc.functional.softmax, tc.functional.log_softmax:
        assert np.array_equal(operation(x, dim=1).data, operation(x).data)
        with pytest.raises(ValueError, match="the last axis, here 1; got dim=0"):
            operation(x, dim=0)


@pytest.mark.parametrize("steps", [tc.optim.steps(0.5), tc.optim.steps((0.5,))], ids=["one", "tuple"])
def test_a_schedule_of_one_step_takes_a_number(steps):
    assert [steps(t) for t in (0.4, 0.5)] == [1, 0.1]


def test_an_int_stands_for_a_tuple_of_one():
    assert same(tc.models.mlp(64, 16, 10, rng=0), tc.models.mlp((8, 8, 1), (16,), 10, rng=0))
    net = tc.models.mlp(64, 16, 10, rng=0)
    assert str(net.summary(64)) == str(net.summary((64,)))


def test_probabilities_and_losses_take_the_arrays_that_predict_returns(data, net):
    logits, y = tc.predict(net, data.x_test), data.y_test
    assert np.array_equal(tc.functional.softmax(logits).data, tc.functional.softmax(tc.Tensor(logits)).data)
    assert tc.functional.cross_entropy(logits, y).item() == pytest.approx(tc.evaluate(net, data).loss)
    assert tc.functional.kl_div(logits, logits).item() == tc.functional.mse_loss(logits, logits).item() == 0


class LikeAnArray:
    """What another library holds its numbers in."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.parametrize("kind", [np.ndarray.tolist, LikeAnArray, tc.Tensor], ids=["lists", "foreign", "tensors"])
def test_lists_and_what_other_libraries_hold_stand_for_arrays(data, net, kind):
    other, labels = net.copy(), data.y_train if kind is tc.Tensor else kind(data.y_train)
    pair = kind(data.x_train), labels
    histories = [
        tc.fit(one, train, optimizer=sgd(one), epochs=1, rng=0, progress=False)
        for one, train in [(net, data.train), (other, pair)]
    ]
    assert histories[0] == histories[1] and same(net, other)
    assert tc.evaluate(net, pair) == tc.evaluate(net, data.train)
    assert np.array_equal(tc.predict(net, pair[0]), tc.predict(net, data.x_train))


# ---- what is answered ----

ANSWERED = {
    "tc.nn.Linear": "nn.Dense(in_features, out_features, rng=rng)",
    "tc.nn.BatchNorm2d": "nn.BatchNorm(channels)",
    "tc.nn.CrossEntropyLoss": "tc.functional.cross_entropy",
    "tc.save": "net.save(path)",
    "net.to('cuda')": "everything runs on the CPU",
    "net.fit": "tc.fit(net, data, optimizer=…, epochs=…, rng=0)",
    "tc.evaluate(net, data.x_test, data.y_test)": "evaluate(net, (x, y), …)",
    "tc.fit(net, data, optimizer='sgd', epochs=1, rng=0)": "tc.optim.SGD(net.parameters()",
    "tc.fit(net, data, optimizer=sgd(net), epochs=1, rng=0, schedule='cosine')": "such as tc.optim.cosine; got 'cosine'",
    "tc.fit(net, data, lr=0.1)": "it belongs to the optimiser, optimizer=tc.optim.SGD",
    "tc.fit(net, data, seed=0)": "here it is 'rng'",
    "tc.fit(net, data, teacher=net)": "tc.distillation.DistillationLoss(4, 0.9)",
    "tc.fit(net, data, validation_data=data)": "here it is 'validation'",
    "tc.pruning.prune_weights(net, amount=0.5)": "here it is 'share'",
    "tc.pruning.remove_neurons(net, 1.5)": "the share of neurons to remove must be from 0 to 1, got 1.5",
    "tc.distillation.DistillationLoss(T=4)": "here it is 'temperature'",
    "tc.zeros(3)": "tc.Tensor(np.zeros(shape))",
    "tc.mean(x)": "a method of tensors: t.mean()",
    "tc.distillation.distill(net, net, data)": "loss=tc.distillation.DistillationLoss(4, 0.9)",
    "tc.quantization.quantize(net, 4)": "quantization.cluster_weights(net.copy(), k=16), k-means",
    "tc.quantization.cluster_weights(net, bits=4)": "here: k, the number of values: 2**bits",
    "tc.quantization.tcz.save('net.tcz', net)": "the net comes first, then the path; got str",
    "tc.pruning.prune_weights(net, sparsity=0.5)": "here it is 'share'",
    "tc.pruning.prune_filters(net, 0.5)": "pruning.remove_neurons(net, share)",
    "tc.pruning.remove_channels(net, 0.5)": "pruning.remove_neurons(net, share)",
    "tc.data.DataLoader(data.train, batch_size=64)": "in a loop of your own, for rows in np.array_split(",
    "tc.profiling.latency(net, x)": "pass named calls",
    "tc.profiling.flops(net)": "net.summary()",
    "tc.Tensor(x).view(-1)": "t.reshape(shape)",
    "tc.Tensor(x).argmax(1)": "that of its array: t.data",
    "tc.Tensor(x).reshap(-1)": "did you mean 'reshape'?",
    "tc.nn.Dense(4, 3, rng=0)": "pass it to all layers",
    "tc.nn.Dropout(0.5, rng=0)": "pass it to all layers",
    "tc.nn.Sequential([tc.nn.ReLU()])": "nn.Sequential(*layers)",
    "from tinycompress.nn import Linear": "nn.Dense(in_features, out_features, rng=rng)",
    "from tinycompress import DataLoader": "in a loop of your own, for rows in np.array_split(",
    "from tinycompress.optim import SGDd": "did you mean 'SGD'?",
    "import tinycompress.nn.functional as F": "here: tc.functional",
    "from tinycompress.datasets import MNIST": "here: tc.data.load(",
    "from tinycompress.utils.data import DataLoader": "tc.data for data",
    "tc.tensor([1.0])": "here: tc.Tensor(array)",
    "tc.data.mnist()": "here: tc.data.load(",
    "tc.quantization.kmeans(net)": "here: quantization.cluster_weights(net, k=16)",
    "train, test = data": "Dataset has named parts, .train, .val, .test",
    "loss, accuracy = tc.evaluate(net, data)": "Evaluation has named parts, .accuracy, .loss",
    "tc.training.History()['loss']": "History has named parts, .loss, .lr, .val_accuracy",
    "tc.training.History().history": "History has no attribute 'history'; it has .loss, .lr, .val_accuracy",
    "tc.evaluate(net, data).acc": "no attribute 'acc'; it has .accuracy, .loss",
    "data.class_names": "did you mean 'classes'?",
    "sgd(net).param_groups": "optimizer.lr",
    "tc.optim.Adam(net.parameters(), learning_rate=0.1)": "here it is 'lr'",
    "net.append(tc.nn.ReLU())": "net.layers.append(layer)",
    "net.weight": "as in net[1].weight",
    "tc.nn.Dense(4, 3, activation='relu')": "here: a layer of its own, such as nn.ReLU()",
    "tc.nn.init.xavier_uniform_(x)": 'init="he_normal"',
    "tc.models.lenet_5((8, 8, 1), num_classes=10)": "here it is 'classes'",
    "tc.models.lenet_5((28, 28), rng=0)": "the shape of one image is (H, W, C), such as data.image_shape; got (28, 28)",
    "tc.models.lenet_5((1, 28, 28), rng=0)": "is the image (H, W, C), channels last",
    "tc.models.mlp(64, 16, 10, rng='0')": "a seed for one, a whole number from 0 on; got '0'",
    "tc.fit(net, data, optimiser=sgd(net))": "did you mean 'optimizer'?",
    "tc.fit(net, x, data.y_test, optimizer=sgd(net), epochs=1, rng=0)": "one pair: fit(net, (x, y), …)",
    "tc.fit(net, data, sgd(net), 3)": "fit() takes only model, train without a name",
    "tc.pruning.remove_neurons(net, amount=0.5)": "here: kept, which may be the share to remove",
    "tc.pruning.remove_neurons(net, '0.5')": "the share of neurons to remove must be from 0 to 1, got '0.5'",
    "tc.quantization.to_integers(net, data)": "to_integers takes inputs alone, such as data.x_train; got Dataset",
    "tc.quantization.quantize_activations(net, data.train)": "takes inputs alone, such as data.x_train; got tuple",
    "tc.inference.optimize(net, data.train)": "takes inputs alone, such as data.x_train; got tuple",
    "tc.fit(net, data, patience=3)": "it takes model, train, optimizer, epochs",
    "tc.fit(net, data, validation_split=0.1)": "validation=data.val",
    "tc.fit(net, [data.val, data.test], optimizer=sgd(net), epochs=1, rng=0)": "whose parts differ in shape",
    "tc.fit(data, net, optimizer=sgd(net), epochs=1, rng=0)": "the net comes first, fit(net, …); got Dataset",
    "tc.predict(net, data.test)": "predict takes inputs alone",
    "tc.functional.cross_entropy(data.y_test, net(x))": "the logits come first",
    "tc.functional.dense(x, net[1].weight)": "dense: the input must be a tensor, got ndarray",
    "tc.prunning": "did you mean 'pruning'?",
    "tc.pruning.prune_wieghts": "did you mean 'prune_weights'?",
    "tc.quantization.tcz.laod": "did you mean 'load'?",
}


@pytest.mark.parametrize("guess", ANSWERED)
def test_the_answer_names_ours(data, net, guess):
    with pytest.raises((AttributeError, ImportError, TypeError, ValueError), match=re.escape(ANSWERED[guess])):
        exec(guess, {"tc": tc, "net": net, "data": data, "x": data.x_test, "sgd": sgd})


def test_every_answer_names_something_that_is_there():
    offered = re.compile(r"\b(tc|nn|functional|pruning|quantization)((?:\.\w+)+)")
    roots = {name: getattr(tc, name) for name in ("nn", "functional", "pruning", "quantization")} | {"tc": tc}
    owners = {"a module": tc.nn.Sequential, "a tensor": tc.Tensor, "an optimiser": tc.optim.Optimizer}
    for place, answers in names.ELSEWHERE.items():
        for name, ours in answers.items():
            owner = owners.get(place) or eval(place.replace("tinycompress", "tc", 1), {"tc": tc})
            assert not hasattr(owner, name), f"{place}.{name} exists, so nobody needs its answer"
            for root, path in offered.findall(ours):
                thing = roots[root]
                for part in path.split(".")[1:]:
                    thing = getattr(thing, part)


@pytest.mark.parametrize(
    ("line", "end"),
    [
        ("tc.models.lenet5", "has no attribute 'lenet5'; did you mean 'lenet_5'?\n"),
        ("tc.nn.ReLU().named_paramters", "did you mean 'named_parameters'?\n"),
        ("tc.Tensor(1).reshap", "did you mean 'reshape'?\n"),
        ("from tinycompress.models import lenet5", "did you mean 'lenet_5'?\n"),
    ],
)
def test_a_terminal_shows_our_suggestion_alone(line, end):
    command = [sys.executable, "-c", f"import tinycompress as tc; {line}"]
    error = subprocess.run(command, capture_output=True, text=True).stderr
    assert error.endswith(end)


def test_a_parameter_is_not_replaced_by_an_operator_that_seems_to_change_it(net):
    before = net.state_dict()
    for operator in "+=", "-=", "*=", "/=":
        with pytest.raises(TypeError, match=re.escape("use `p.data -= …`")):
            exec(f"for p in net.parameters():\n    p {operator} 2", {"net": net})
    assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())


def test_a_module_has_an_attribute_only_if_it_is_there():
    assert not hasattr(tc.nn, "Linear") and getattr(tc, "DataLoader", None) is None


def test_private_names_are_looked_for_without_a_word():
    assert not hasattr(tc, "__wrapped__")
    with pytest.raises(AttributeError, match="no attribute '_tensr'$"):
        tc._tensr  # noqa: B018


# ---- what is shown ----


def test_what_a_cell_ends_in_says_what_it_is(data, net):
    optimizer = sgd(net)
    assert repr(optimizer).startswith("SGD(6 parameters of 1,620 numbers, ") and "lr=0.05" in repr(optimizer)
    assert repr(tc.optim.steps((0.5, 0.75))) == "steps((0.5, 0.75), gamma=0.1)"
    assert repr(tc.optim.warmup(0.1, tc.optim.cosine)) == "warmup(0.1, cosine)"
    history = tc.fit(net, data, optimizer=optimizer, epochs=2, rng=0, validation=data, progress=False)
    words = (
        f"loss {history.loss[0]:.3g} → {history.loss[1]:.3g}, validation accuracy {100 * history.val_accuracy[1]:.1f} %"
    )
    assert repr(history) == f"<History: 2 epochs, {words}>"


def test_in_jupyter_a_history_is_a_picture_and_a_data_set_a_table(data):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    shown = shell.display_formatter.format
    bundle, described = shown(tc.training.History([2.0, 1.0], [0.1, 0.1]))
    assert bundle["image/png"] and described["image/png"]["alt"] == "<History: 2 epochs, loss 2 → 1>"
    table = shown(data)[0]["text/html"]
    assert re.findall(r"<td>(.*?)</td>", table)[:2] == ["train", "200"]
    counts = np.bincount(data.y_val)
    assert f"<td>{counts.min()} to {counts.max()}</td>" in table
