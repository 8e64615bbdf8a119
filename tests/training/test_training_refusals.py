"""What fit, predict and evaluate refuse, before anything has changed: the message says what was given and what is expected."""

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import nn

X, Y = np.random.default_rng(0).random((12, 2), np.float32), np.arange(12) % 3


def net():
    return tc.models.mlp(2, 4, 3, rng=0)


REFUSED = {
    "half an epoch": ({"epochs": 1.5}, "epochs must be a whole number, 0 or more; got 1.5"),
    "epochs in words": ({"epochs": "3"}, "epochs must be a whole number, 0 or more; got '3'"),
    "a batch size with a point": ({"batch_size": 8.0}, "batch_size must be a whole number, 1 or more; got 8.0"),
    "numbers for arrays": ({"train": (np.float32(3), np.int64(1))}, r"expected an array \(N, …\), got np.float32"),
    "ragged lists": ({"train": ([[1.0, 2.0], [3.0]], [0, 1])}, "got a list whose parts differ in shape"),
    "masked inputs": ({"train": (np.ma.masked_array(X), Y)}, "leave those examples out, or fill them"),
    "masked labels": ({"train": (X, np.ma.masked_array(Y))}, "leave those examples out, or fill them"),
    "objects": ({"train": (X.astype(object), Y)}, "real numbers; got ndarray with dtype object"),
    "strings": ({"train": (X.astype(str), Y)}, "real numbers; got ndarray with dtype <U"),
    "complex numbers": ({"train": (X + 1j, Y)}, "real numbers; got ndarray with dtype complex"),
    "one-hot labels": ({"train": (X, np.eye(3)[Y])}, r"labels \(12, 3\) of float64; .* pass class indices"),
    "labels with a point": ({"train": (X, Y.astype(float))}, "of float64; .* pass class indices"),
    "labels from 1 on": ({"train": (X, Y + 1)}, r"run from 1 to 3, but the logits have 3 classes \(0 to 2\)"),
    "a seed below 0": ({"rng": -1}, "a seed for one, a whole number from 0 on; got -1"),
    "a module of NumPy": ({"rng": np.random}, "a seed for one, a whole number from 0 on; got <module"),
    "a loss without a graph": ({"loss": lambda z, y: float(z.data.mean())}, "the loss must be a tensor of one number"),
    "the name of an augmentation": ({"augment": "flip"}, "augment is a function, such as tc.data.shift; got 'flip'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_changes_nothing(name):
    options, message = REFUSED[name]
    model = net()
    sgd = tc.optim.SGD(model.parameters(), lr=0.1)
    settings = {"train": (X, Y), "optimizer": sgd, "epochs": 1, "rng": 0, "progress": False} | options
    with pytest.raises((TypeError, ValueError), match=message):
        tc.fit(model, **settings)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(model.parameters(), net().parameters(), strict=True))


def test_a_net_made_for_inference_is_not_trained():
    made = tc.inference.optimize(net(), X)
    sgd = tc.optim.SGD(made.parameters())
    with pytest.raises(ValueError, match="InferenceNet was made for inference; train the net that it was made from"):
        tc.fit(made, (X, Y), optimizer=sgd, epochs=1, rng=0)


@pytest.mark.parametrize("batch_size", [0, -5, 2.5])
def test_predictions_come_in_batches_of_one_or_more(batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be a whole number, 1 or more; got {batch_size}"):
        tc.predict(net(), X, batch_size)


@pytest.mark.parametrize("nonsense", ["abc", np.float32(1), None])
def test_what_is_no_array_gets_no_prediction(nonsense):
    with pytest.raises(ValueError, match="expected an array"):
        tc.predict(net(), nonsense)


@pytest.mark.parametrize(
    ("given", "named"), [(nn.Sequential, "the class Sequential, not a net"), (X, "ndarray"), ((X, Y), "tuple")]
)
def test_the_net_comes_first(given, named):
    with pytest.raises(TypeError, match=r"the net comes first, predict\(net, …\); got " + named):
        tc.predict(given, X)
    with pytest.raises(TypeError, match=r"the net comes first, evaluate\(net, …\); got " + named):
        tc.evaluate(given, (X, Y))


ORDERS = {
    "Fortran order": np.asfortranarray,
    "every second row, backwards": lambda x: np.repeat(x[::-1], 2, 0)[::-2],
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "float16": lambda x: x.astype(np.float16),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("form", ["net", "inference", "integers"])
def test_how_an_array_lies_in_memory_changes_no_prediction(order, form):
    x = np.random.default_rng(1).integers(0, 16, (6, 8, 8, 1)).astype(np.float32) / 16  # as exact in float16
    made = tc.models.convnet((8, 8, 1), 3, widths=(4, 4), rng=0).eval()
    if form == "inference":
        made = tc.inference.optimize(made, x)
    if form == "integers":
        made = tc.quantization.to_integers(made, x)
    laid = ORDERS[order](x)
    assert np.array_equal(laid, x)
    assert np.allclose(tc.predict(made, laid), tc.predict(made, x), atol=1e-6)
