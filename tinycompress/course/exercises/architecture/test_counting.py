"""Tests of counting. Public: the statement's numbers. Hidden: strides, biases and whole nets."""

import pytest

from tinycompress.course import expect_error, expect_number, expect_tuple

MAY_IMPORT = ()

CONV = {"kind": "conv", "kernel": 3, "stride": 1, "padding": 1, "outputs": 32, "bias": False}
SEPARABLE = {**CONV, "kind": "separable"}
DENSE = {"kind": "dense", "outputs": 10, "bias": True}


def whole(value, count):
    return [expect_number(n) for n in expect_tuple(value, count)]


@pytest.mark.public
@pytest.mark.points(1)
def test_shapes(submission):
    """A 3×3 kernel with one pixel of padding keeps the size."""
    assert whole(submission.output_shape(CONV, (7, 7, 16)), 3) == [7, 7, 32], "the window has 7 + 2 * 1 - 3 + 1 places"
    assert whole(submission.output_shape({"kind": "pool", "size": 2}, (7, 7, 16)), 3) == [3, 3, 16], (
        "7 // 2 windows fit"
    )


@pytest.mark.public
@pytest.mark.points(1)
def test_the_convolution_of_the_statement(submission):
    """The convolution has 4608 weights and 225,792 MACs."""
    assert whole(submission.cost(CONV, (7, 7, 16), (7, 7, 32)), 2) == [4608, 225792], (
        "every weight is used at every output pixel"
    )


@pytest.mark.public
@pytest.mark.points(1)
def test_a_net_of_two_layers(submission):
    """Flatten, and a dense layer from 12 to 10: 130 weights, 120 MACs."""
    found = whole(submission.total([{"kind": "flatten"}, DENSE], (2, 2, 3)), 2)
    assert found == [130, 120], "a layer's output is the next one's input; a bias is a weight, but costs no MAC"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_strides_and_paddings(submission):
    """The places of a window are counted one by one."""
    for size, kernel, stride, padding in (9, 3, 2, 0), (8, 3, 2, 1), (11, 5, 3, 2), (4, 4, 1, 0), (5, 1, 2, 0):
        layer = {**CONV, "kernel": kernel, "stride": stride, "padding": padding}
        rows = len(range(0, size + 2 * padding - kernel + 1, stride))
        columns = len(range(0, size + 3 + 2 * padding - kernel + 1, stride))
        for kind in "conv", "separable":
            found = whole(submission.output_shape({**layer, "kind": kind}, (size, size + 3, 2)), 3)
            assert found == [rows, columns, 32], "count the places where the whole window lies in the padded image"
    message = "a kernel larger than the padded image does not fit anywhere"
    expect_error(ValueError, submission.output_shape, {**CONV, "padding": 0}, (9, 2, 1), message=message)


@pytest.mark.hidden
@pytest.mark.points(2)
def test_separable_layers(submission):
    """There are depthwise and pointwise weights, and only the pointwise part has a bias."""
    assert whole(submission.cost(SEPARABLE, (7, 7, 16), (7, 7, 32)), 2) == [656, 656 * 49], "k² C + C O, at every pixel"
    weights, macs = whole(submission.cost({**SEPARABLE, "bias": True, "stride": 2}, (7, 7, 16), (4, 4, 32)), 2)
    assert macs == 656 * 16, (
        "both parts work at the output's pixels: the depthwise part has the stride, and the 1×1 part comes after it"
    )
    assert weights == 688, "one bias per output channel of the 1×1 part, none for the depthwise part"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_layers_without_weights_and_with_biases(submission):
    """Pooling costs nothing; biases count as weights."""
    assert whole(submission.cost({"kind": "pool", "size": 2}, (8, 8, 3), (4, 4, 3)), 2) == [0, 0], (
        "pooling has no weights and multiplies nothing"
    )
    assert whole(submission.cost({"kind": "flatten"}, (8, 8, 3), (192,)), 2) == [0, 0], "flatten computes nothing"
    found = whole(submission.cost({**CONV, "bias": True}, (5, 5, 2), (5, 5, 32)), 2)
    assert found == [576 + 32, 576 * 25], "one bias per output channel, not per pixel; it costs no MACs"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_whole_nets(submission):
    """Two nets: LeNet-5 as the papers use it, and a separable one."""
    lenet = [{**CONV, "kernel": 5, "padding": 0, "outputs": 20, "bias": True}, {"kind": "pool", "size": 2}]
    lenet += [{**CONV, "kernel": 5, "padding": 0, "outputs": 50, "bias": True}, {"kind": "pool", "size": 2}]
    lenet += [{"kind": "flatten"}, {**DENSE, "outputs": 500}, DENSE]
    # 24×24×500 + 8×8×25,000 + 400,000 + 5,000, and the weights are LeCun's 431,080
    assert whole(submission.total(lenet, (28, 28, 1)), 2) == [431080, 288000 + 1600000 + 405000], (
        "LeNet-5 is miscounted: check its layers one by one"
    )
    net = [{**CONV, "stride": 2, "outputs": 8}, SEPARABLE, {"kind": "pool", "size": 3}, {"kind": "flatten"}, DENSE]
    # 14×14 pixels: 27 × 8 weights, then 72 + 256; then 4×4×32 features
    weights = 216 + 328 + 5130
    macs = 196 * 216 + 196 * 328 + 5120
    assert whole(submission.total(net, (28, 28, 3)), 2) == [weights, macs], "carry the shape from layer to layer"
