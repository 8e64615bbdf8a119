"""Tests of counting. Public: the statement's numbers. Hidden: layers and nets of any shape."""

import pytest

from tinycompress.course import SubmissionProblem, expect_error, expect_number, expect_tuple

MAY_IMPORT = ()

CONV = {"kind": "conv", "kernel": 3, "stride": 1, "padding": 1, "outputs": 32, "bias": False}
SEPARABLE = {**CONV, "kind": "separable"}
DENSE = {"kind": "dense", "outputs": 10, "bias": True}


def whole(value, count):
    return [expect_number(n) for n in expect_tuple(value, count)]


@pytest.mark.public
@pytest.mark.points(0.2)
def test_shapes(submission):
    """A 3×3 kernel with one pixel of padding keeps the size."""
    assert whole(submission.output_shape(CONV, (7, 7, 16)), 3) == [7, 7, 32], "the window has 7 + 2 * 1 - 3 + 1 places"
    assert whole(submission.output_shape({"kind": "pool", "size": 2}, (7, 7, 16)), 3) == [3, 3, 16], (
        "7 // 2 windows fit"
    )


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_convolution_of_the_statement(submission):
    """The convolution has 4608 weights and 225,792 MACs."""
    assert whole(submission.cost(CONV, (7, 7, 16), (7, 7, 32)), 2) == [4608, 225792], (
        "every weight is used at every output pixel"
    )


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_net_of_two_layers(submission):
    """Flatten, and a dense layer from 12 to 10: 130 weights, 120 MACs."""
    found = whole(submission.total([{"kind": "flatten"}, DENSE], (2, 2, 3)), 2)
    assert found == [130, 120], "a layer's output is the next one's input; a bias is a weight, but costs no MAC"


def sizes(rng):
    """Height and width, which differ."""
    height = int(rng.integers(9, 30))
    return height, height + int(rng.integers(1, 9))


def convolution(rng, kind, **given):
    kernel, stride, padding, outputs = (int(rng.integers(*ends)) for ends in ((1, 6), (1, 4), (0, 3), (2, 40)))
    layer = {"kind": kind, "kernel": kernel, "stride": stride, "padding": padding, "outputs": outputs, "bias": False}
    return {**layer, **given}


def places(layer, size):
    return len(range(0, size + 2 * layer["padding"] - layer["kernel"] + 1, layer["stride"]))


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_strides_and_paddings(submission, rng):
    """The places of a window are counted one by one, along both axes."""
    for kind in 4 * ("conv", "separable"):
        layer, (height, width) = convolution(rng, kind), sizes(rng)
        found = whole(submission.output_shape(layer, (height, width, 2)), 3)
        expected = [places(layer, height), places(layer, width), layer["outputs"]]
        assert found == expected, "count the places where the whole window lies in the padded image"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_shapes_after_other_layers(submission, rng):
    """Pooling drops what is left over, along each axis; flatten and dense give a single number."""
    (height, width), size, channels = sizes(rng), int(rng.integers(2, 6)), int(rng.integers(1, 9))
    found = whole(submission.output_shape({"kind": "pool", "size": size}, (height, width, channels)), 3)
    assert found == [height // size, width // size, channels], "only whole windows count; channels stay"
    found = whole(submission.output_shape({"kind": "flatten"}, (height, width, channels)), 1)
    assert found == [height * width * channels], "flatten makes a feature of each number of the image"
    layer = {**DENSE, "outputs": int(rng.integers(2, 99))}
    assert whole(submission.output_shape(layer, (height,)), 1) == [layer["outputs"]], "(outputs,) after dense"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_kernels_that_do_not_fit(submission, rng):
    """A kernel may be as large as the padded image, but not larger, along either axis."""
    height, width = sizes(rng)
    layer = convolution(rng, "conv", kernel=height + 2, padding=1)
    found = whole(submission.output_shape(layer, (height, width, 1)), 3)
    assert found == [1, places(layer, width), layer["outputs"]], "a kernel as large as the padded image fits once"
    layer["kernel"] += 1
    for shape in (height, width, 1), (width, height, 1):
        message = "a kernel larger than the padded image does not fit anywhere"
        expect_error(ValueError, submission.output_shape, layer, shape, message=message)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_layers_without_biases(submission, rng):
    """Convolutions and dense layers of any shape; pooling and flattening cost nothing."""
    for _ in range(3):
        (height, width), channels = sizes(rng), int(rng.integers(2, 30))
        layer = convolution(rng, "conv")
        after = places(layer, height), places(layer, width), layer["outputs"]
        weights = layer["kernel"] ** 2 * channels * layer["outputs"]
        message = "every weight is used at every pixel of the output, which has height and width"
        expected = [weights, weights * after[0] * after[1]]
        assert whole(submission.cost(layer, (height, width, channels), after), 2) == expected, message
        layer = {**DENSE, "outputs": int(rng.integers(2, 99)), "bias": False}
        expected = 2 * [height * layer["outputs"]]
        assert whole(submission.cost(layer, (height,), (layer["outputs"],)), 2) == expected, "each weight is used once"
        for layer, after in ({"kind": "pool", "size": 2}, (height // 2, width // 2, 3)), ({"kind": "flatten"}, (9,)):
            found = whole(submission.cost(layer, (height, width, 3), after), 2)
            assert found == [0, 0], "pooling and flattening have no weights and multiply nothing"


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_separable_layers(submission, rng):
    """There are depthwise and pointwise weights, both used at the output's pixels."""
    for _ in range(3):
        (height, width), channels = sizes(rng), int(rng.integers(2, 30))
        layer = convolution(rng, "separable", stride=2)
        after = places(layer, height), places(layer, width), layer["outputs"]
        weights, macs = whole(submission.cost(layer, (height, width, channels), after), 2)
        assert weights == channels * (layer["kernel"] ** 2 + layer["outputs"]), (
            "k² C depthwise and C O pointwise weights"
        )
        assert macs == weights * after[0] * after[1], (
            "both parts work at the output's pixels: the depthwise part has the stride, and the 1×1 part comes after it"
        )


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_biases(submission, rng):
    """A bias is one more weight per output, and costs no MACs."""
    (height, width), channels = sizes(rng), int(rng.integers(2, 30))
    for kind in "conv", "separable", "dense":
        layer = convolution(rng, kind) if kind != "dense" else {**DENSE, "bias": False}
        before = (height, width, channels) if kind != "dense" else (height,)
        after = (places(layer, height), places(layer, width), layer["outputs"]) if kind != "dense" else (10,)
        without = whole(submission.cost(layer, before, after), 2)
        found = whole(submission.cost({**layer, "bias": True}, before, after), 2)
        assert found[0] - without[0] == layer["outputs"], "one bias per output channel, none for the depthwise part"
        assert found[1] == without[1], "a bias is added, not multiplied: it costs no MACs"


def by_own_parts(submission, layers, shape):
    """The sums of the student's own costs, at the student's own shapes; None if they are of no use."""
    weights = macs = 0
    try:
        for layer in layers:
            after = tuple(submission.output_shape(layer, shape))
            more = whole(submission.cost(layer, shape, after), 2)
            weights, macs, shape = weights + more[0], macs + more[1], after
    except (SubmissionProblem, AssertionError, TypeError):
        return None
    return [weights, macs]


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_whole_nets(submission, reference, rng):
    """Nets of six layers. What `output_shape` and `cost` return counts as right here, even if it is not."""
    for _ in range(3):
        layers = [convolution(rng, "conv", bias=True, kernel=3), convolution(rng, "separable", stride=1, kernel=2)]
        layers += [{"kind": "pool", "size": 2}, {"kind": "flatten"}, {**DENSE, "outputs": int(rng.integers(20, 99))}]
        layers, shape = [*layers, DENSE], (*sizes(rng), int(rng.integers(1, 4)))
        found, right = whole(submission.total(layers, shape), 2), list(reference.total(layers, shape))
        if found != right:
            near = all(n / 10 < m < 10 * n for n, m in zip(right, found, strict=True))
            consistent = near and found == by_own_parts(submission, layers, shape)
            assert consistent, "carry the shape from layer to layer, and add up the costs"
