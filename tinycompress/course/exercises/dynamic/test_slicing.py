"""Tests of slicing. Public: a small net. Hidden: widths, deep nets and the order of measuring."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close

MAY_IMPORT = ()

EPS = 1e-5
HIDDEN = ("weight", "gamma", "beta", "mean", "var")
SMALL = [
    {
        "weight": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "gamma": np.array([1.0, 2.0]),
        "beta": np.array([0.0, 1.0]),
        "mean": np.array([1.0, 0.0]),
        "var": np.array([4.0, 1.0]),
    },
    {"weight": np.array([[1.0, -1.0], [0.5, 1.0]]), "bias": np.array([0.0, 10.0])},
]


def net_like(value, like):
    """Return the value if it is a list of layers with these keys."""
    assert isinstance(value, list | tuple) and len(value) == len(like), f"a net is a list of {len(like)} layers"
    for layer, model in zip(value, like, strict=True):
        assert isinstance(layer, dict) and set(layer) == set(model), f"a layer is a dict with the keys {sorted(model)}"
        for key in model:
            expect_array(layer[key], None, "float", key)
    return list(value)


def random_net(rng, sizes):
    layers = []
    for n, m in zip(sizes[:-1], sizes[1:], strict=True):
        layer = {"weight": rng.normal(size=(n, m)), "gamma": rng.uniform(0.5, 2, m), "beta": rng.normal(size=m)}
        layers.append({**layer, "mean": rng.normal(size=m), "var": rng.uniform(0.5, 2, m)})
    layers[-1] = {"weight": layers[-1]["weight"], "bias": rng.normal(size=sizes[-1])}
    return layers


@pytest.mark.public
@pytest.mark.points(0.4)
def test_half_of_a_small_net(submission):
    """One of two hidden channels is kept."""
    first, last = net_like(submission.cut(SMALL, 0.5), SMALL)
    expect_close(first["weight"], [[1.0], [3.0]], "keep all inputs of the image, and the first column of outputs")
    expect_close(last["weight"], [[1.0, -1.0]], "the next layer keeps the rows of the kept channels")
    expect_close(first["var"], [4.0], "batch norm keeps the same channels as the weight's columns")


@pytest.mark.public
@pytest.mark.points(0.4)
def test_one_image_by_hand(submission):
    """The image (1, 0) gives the hidden values (0, 5) and the outputs (2.5, 15)."""
    y = submission.forward(SMALL, np.array([[1.0, 0.0]]), 0.0)
    expect_close(y, [[2.5, 15.0]], "subtract the mean, divide by the root of var, times gamma, plus beta, then ReLU")


@pytest.mark.public
@pytest.mark.points(0.4)
def test_statistics_of_two_images(submission):
    """The sums (1, 2) and (3, 4) have the mean (2, 3) and the variance (1, 1)."""
    first, _ = net_like(submission.recalibrate(SMALL, np.eye(2), EPS), SMALL)
    expect_close(first["mean"], [2.0, 3.0], "the mean of x @ weight over the images", name="mean")
    expect_close(first["var"], [1.0, 1.0], "the mean squared distance from the mean, divided by N", name="var")


@pytest.mark.hidden
@pytest.mark.points(2.6)
def test_cuts_of_deep_nets(submission, rng):
    """At several widths, all inputs and classes are kept."""
    layers = random_net(rng, (7, 8, 10, 5, 3))
    for width in 0.25, 0.5, 0.6, 0.7, 1.0, 0.01:
        keep = [7, *(max(1, round(width * n)) for n in (8, 10, 5)), 3]
        small = net_like(submission.cut(layers, width), layers)
        for i, (layer, whole) in enumerate(zip(small, layers, strict=True)):
            n, m = keep[i], keep[i + 1]
            assert layer["weight"].shape[1] >= 1, "even the narrowest net has one channel per layer"
            message = "rows follow the previous layer, columns the layer's own width; image and classes are not cut"
            expect_close(layer["weight"], whole["weight"][:n, :m], message, name=f"the weight of layer {i}")
            for key in set(whole) - {"weight"}:
                expect_close(layer[key], whole[key][:m], "one value per kept output", name=key)


@pytest.mark.hidden
@pytest.mark.points(2.6)
def test_outputs_of_deep_nets(submission, rng):
    """The outputs of many images are right, with an eps that matters."""
    for sizes, images, eps in ((6, 9, 4, 3), 20, 0.5), ((6, 3), 4, 0.1), ((5, 7, 2), 1, 2.0):
        layers, x = random_net(rng, sizes), rng.normal(size=(sizes[0], images)).T
        expected = x
        for layer in layers[:-1]:
            z = (expected @ layer["weight"] - layer["mean"]) * layer["gamma"] / (layer["var"] + eps) ** 0.5
            expected = (z + layer["beta"]).clip(0)
        expected = expected @ layers[-1]["weight"] + layers[-1]["bias"]
        message = "add eps to var, under the root; add beta before ReLU; the last layer has neither norm nor ReLU"
        expect_close(submission.forward(layers, x, eps), expected, message, 1e-7, 1e-9)


@pytest.mark.hidden
@pytest.mark.points(4.2)
def test_every_layer_sees_what_is_measured_anew(submission, rng):
    """In the recalibrated net, every hidden layer's mean and var are those of its sums, with an eps that matters."""
    layers, x, eps = random_net(rng, (6, 12, 9, 7, 3)), rng.normal(size=(80, 6)), 0.4
    new = net_like(submission.recalibrate(layers, x, eps), layers)
    changed = bool(submission.changed)
    h, right = x, 0
    for i, (layer, old) in enumerate(zip(new[:-1], layers[:-1], strict=True)):
        for key in ("weight", "gamma", "beta"):
            expect_close(layer[key], old[key], "weights, gamma and beta must not change", name=key)
        z = h @ layer["weight"]
        expect_array(layer["mean"], old["mean"].shape, "float", "mean")
        expect_array(layer["var"], old["var"].shape, "float", "var")
        good = np.allclose(layer["mean"], z.mean(0)) and np.allclose(layer["var"], z.var(0))
        assert good or i, "the first layer's mean and var are those of x @ weight, over the images"
        right += good
        h = np.maximum(layer["gamma"] * (z - layer["mean"]) / np.sqrt(layer["var"] + eps) + layer["beta"], 0)
    if right < 3:
        raise Partial(0.25, "later layers must see the outputs of layers that already use their new mean and var")
    if changed:
        raise Partial(0.9, "the net at full width still needs its own statistics: put the new ones into new dicts")


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_recalibrating_twice_changes_nothing(submission, rng):
    """Old statistics have no influence on new ones, and the last layer does not change."""
    layers, x = random_net(rng, (5, 8, 6, 2)), rng.normal(size=(30, 5))
    once = net_like(submission.recalibrate(layers, x, EPS), layers)
    twice = net_like(submission.recalibrate(once, x, EPS), layers)
    for a, b in zip(once[:-1], twice[:-1], strict=True):
        expect_close(b["mean"], a["mean"], "measuring twice gives the same: do not average in old values", 1e-6, 1e-9)
        expect_close(b["var"], a["var"], "measuring twice gives the same: do not average in old values", 1e-6, 1e-9)
    expect_close(once[-1]["bias"], layers[-1]["bias"], "the last layer has no statistics", name="bias")
