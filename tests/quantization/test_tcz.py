"""The .tcz file: what is loaded predicts what was saved, bit for bit, and every byte is accounted for."""

import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_nets import NETS, used

import tinycompress as tc
from tinycompress import nn
from tinycompress.graph import no_grad
from tinycompress.nn.weighted import effective
from tinycompress.pruning import prune_weights
from tinycompress.quantization import (
    Sign,
    binarize_weights,
    calibrate,
    cluster_weights,
    pack_binary,
    quantize_activations,
    quantize_biases,
    quantize_weights,
    tcz,
    ternarize_weights,
    to_integers,
)
from tinycompress.quantization.coding.arithmetic import Encoder
from tinycompress.quantization.fake import FakeQuantize
from tinycompress.quantization.tcz import structure
from tinycompress.quantization.tcz.arrays import (
    CODINGS,
    Surroundings,
    contents,
    pack_bits,
    read_plain,
    unpack_bits,
    write_array,
)
from tinycompress.quantization.tcz.structure import TABLE, write_layer
from tinycompress.quantization.tcz.wire import Reader, Writer

WAYS = {
    "float": lambda net: net,
    "pruned": lambda net: prune_weights(net, 0.9),
    "clustered": lambda net: cluster_weights(net, 7),
    "pruned and clustered": lambda net: cluster_weights(prune_weights(net, 0.9), 7),
    "8 bits": lambda net: quantize_biases(quantize_weights(net, 8), 6),
    "pruned, 3 bits, affine": lambda net: quantize_weights(prune_weights(net, 0.8), 3, False, symmetric=False),
    "pruned, 1 bit": lambda net: quantize_weights(prune_weights(net, 0.5), 1),
    "binary": binarize_weights,
    "ternary": ternarize_weights,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("build", NETS)
def test_a_loaded_net_predicts_the_same_bits(rng, build, way):
    net = WAYS[way](used(NETS[build](rng), rng))
    x = rng.random((20, 8, 8, 1), np.float32)
    expected = tc.predict(net, x)
    sizes = {}
    for coding in ("smallest", *CODINGS):
        data = tcz.to_bytes(net, coding)
        sizes[coding] = len(data)
        assert tc.predict(tcz.from_bytes(data), x).tobytes() == expected.tobytes()
    assert sizes["smallest"] <= min(sizes.values()) + 4


def with_single_numbers(text):
    """The text with n for (n, n): strides and paddings come back as pairs."""
    while (shorter := re.sub(r"\((\d+), \1\)", r"\1", text)) != text:
        text = shorter
    return text


def test_the_shape_and_the_parameters_come_back_as_they_were(rng):
    net = used(NETS["resnet"](rng), rng)
    back = tcz.from_bytes(tcz.to_bytes(net))
    assert with_single_numbers(repr(back)) == with_single_numbers(repr(net))
    assert back.input_shape == net.input_shape and not back.training
    state, again = net.state_dict(), back.state_dict()
    assert list(state) == list(again)
    assert all(state[name].tobytes() == again[name].tobytes() for name in state)
    assert tcz.to_bytes(back) == tcz.to_bytes(net)


def with_exits(rng, width=4):
    stages = [nn.Sequential(nn.Conv2d(1, 4, 3, rng=rng), nn.ReLU()), nn.Sequential(nn.Flatten(), nn.ReLU())]
    heads = [nn.Sequential(nn.GlobalAvgPool(), nn.Dense(width, 5, rng=rng)), nn.Dense(144, 5, rng=rng)]
    return nn.MultiExit(stages, heads, (8, 8, 1))


def test_every_exit_of_a_loaded_net_predicts_the_same_bits(rng):
    net, x = with_exits(rng).eval(), rng.random((6, 8, 8, 1), np.float32)
    again = tcz.from_bytes(tcz.to_bytes(net))
    for i in range(2):
        assert tc.predict(again.exit(i), x).tobytes() == tc.predict(net.exit(i), x).tobytes()


def test_a_head_that_does_not_fit_its_stage_is_refused_though_evaluation_never_runs_it(rng, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tcz, "_shapes", lambda model: [])
        data = tcz.to_bytes(with_exits(rng, width=7))
    with pytest.raises(tcz.TczError, match="do not fit together"):
        tcz.from_bytes(data)


def one_of_each(rng):
    return nn.Sequential(
        nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=((1, 0), (0, 1)), rng=rng),
        nn.BatchNorm(3, momentum=0.3, eps=1e-3),
        nn.LeakyReLU(),
        nn.DepthwiseConv2d(3, 2, padding=1, bias=False, rng=rng),
        nn.PointwiseConv2d(3, 4, rng=rng),
        nn.MaxPool2d(2, 1),
        nn.GELU(),
        nn.AvgPool2d((1, 2)),
        nn.HardSwish(),
        nn.Dropout(0.25, rng=rng),
        nn.Residual(nn.Sequential(nn.Conv2d(4, 4, 3, padding="same", rng=rng), nn.Tanh())),
        FakeQuantize(calibrate(rng.random((9, 4), np.float32), 5, symmetric=True, per_channel=True)),
        nn.GlobalAvgPool(),
        Sign(),
        nn.Flatten(),
        nn.Dense(4, 3, rng=rng),
        nn.ReLU(),
        nn.Sigmoid(),
        nn.Normalize([0.1, 0.2, -3], [0.5, 2, 1]),
    )


def test_a_deviation_that_is_not_above_0_is_refused():
    layer = nn.Normalize([0.5], [1])
    layer.std[0] = 0
    with pytest.raises(tcz.TczError, match="array std has a standard deviation that is not above 0"):
        tcz.from_bytes(tcz.to_bytes(layer))


def test_every_layer_of_the_package_can_be_kept(rng):
    net = one_of_each(rng)
    x = rng.random((5, 9, 9, 2), np.float32)
    expected = tc.predict(net, x)
    back = tcz.from_bytes(tcz.to_bytes(net))
    assert tc.predict(back, x).tobytes() == expected.tobytes()
    assert back.input_shape is None
    assert (back[1].momentum, back[1].eps, back[9].p) == (0.3, 1e-3, 0.25)


def kinds_of(*nets):
    """Kind -> one of the nets' layers of this kind."""
    return {type(layer): layer for net in nets for layer in net.modules()}


def test_each_layer_in_the_table_comes_back_with_every_attribute(rng):
    for kind, layer in kinds_of(one_of_each(rng).eval(), with_exits(rng).eval()).items():
        again = kinds_of(tcz.from_bytes(tcz.to_bytes(layer)))[kind]
        assert set(vars(again)) == set(vars(layer)), kind


def test_every_exported_layer_is_in_the_table_or_refused_by_name(rng):
    kinds = [kind for _, kind, *_ in TABLE]
    assert set(kinds_of(one_of_each(rng), with_exits(rng))) == set(kinds)
    no_layers = {nn.Module: nn.Module(), nn.Weighted: nn.Weighted(), nn.Mask: nn.Mask(True)}
    exported = [getattr(nn, name) for name in nn.__all__]
    modules = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, nn.Module)}
    assert modules - set(kinds) == set(no_layers)
    for kind, model in no_layers.items():
        with pytest.raises(ValueError, match=rf"cannot hold {kind.__name__}\("):
            tcz.to_bytes(model)
        with pytest.raises(ValueError, match=rf"cannot hold layer 0, {kind.__name__}\("):
            tcz.to_bytes(nn.Sequential(model))


def test_codes_in_the_table_are_distinct():
    codes, kinds = [code for code, *_ in TABLE], [kind for _, kind, *_ in TABLE]
    assert len(set(codes)) == len(codes) and len(set(kinds)) == len(kinds)
    assert all(0 <= code < 256 for code in codes)


def test_a_convolution_takes_the_bytes_that_the_format_documents(rng):
    out = Writer()
    write_layer(nn.Conv2d(2, 3, (5, 4), stride=(1, 2), padding="same", rng=rng), out)
    documented = next(line for line in structure.__doc__.splitlines() if line.strip().startswith("5 "))
    assert list(out.data) == [int(number) for number in documented.split()]


def test_trained_grids_of_activations_come_back(rng):
    net = quantize_activations(NETS["mlp"](rng), rng.random((30, 8, 8, 1), np.float32))
    quantize_weights(net, 4)
    x = rng.random((20, 8, 8, 1), np.float32)
    back = tcz.from_bytes(tcz.to_bytes(net))
    assert tc.predict(back, x).tobytes() == tc.predict(net, x).tobytes()
    assert back[0].bits == 8 and not back[0].symmetric


def test_float64_nets_keep_their_precision(rng):
    net = nn.Sequential(nn.Dense(4, 3, rng=rng))
    net[0].replace("weight", nn.Parameter(rng.normal(0, 1, (4, 3)))).replace("bias", nn.Parameter(rng.normal(0, 1, 3)))
    back = tcz.from_bytes(tcz.to_bytes(net))
    assert back[0].weight.dtype == np.float64
    assert back[0].weight.data.tobytes() == net[0].weight.data.tobytes()


def test_what_cannot_be_kept_is_named(rng):
    net = NETS["mlp"](rng)
    binary = pack_binary(binarize_weights(net.copy()))
    for model, words in (
        (binary, "BinaryDense"),
        (to_integers(net, rng.random((9, 8, 8, 1), np.float32)), "IntegerNet"),
    ):
        with pytest.raises(ValueError, match=f"{words}.*save the net that it was made from"):
            tcz.to_bytes(model)
    net[1].weight.data = np.full((64, 20), np.nan)
    with pytest.raises(ValueError, match="1.weight has numbers that are not finite"):
        tcz.to_bytes(net)
    with pytest.raises(ValueError, match="fixed, huffman, arithmetic"):
        tcz.to_bytes(net, "zip")


# ---- files ----


def test_a_file_is_written_whole_or_not_at_all(rng, tmp_path, monkeypatch):
    path = tmp_path / "net.tcz"
    net = NETS["mlp"](rng)
    found = tcz.save(net, path)
    assert path.stat().st_size == found.nbytes and os.listdir(tmp_path) == ["net.tcz"]
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        tcz.save(cluster_weights(net, 3), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["net.tcz"]


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="save a model there first"):
        tcz.load(tmp_path / "none.tcz")


@pytest.mark.parametrize("coding", CODINGS)
def test_inspect_accounts_for_every_byte(rng, tmp_path, coding):
    net = cluster_weights(prune_weights(NETS["convnet"](rng), 0.8), 8)
    found = tcz.save(net, tmp_path / "net.tcz", coding)
    assert found == tcz.inspect(tmp_path / "net.tcz")
    at = 0
    for part in found.parts:
        assert part.offset == at and part.nbytes > 0
        at += part.nbytes
    assert at == found.nbytes == sum(found.bytes_by_kind().values())
    arrays = {array.path: array for array in found.arrays}
    assert arrays["0.weight"].shape == (3, 3, 1, 6)
    assert arrays["0.weight"].nonzero == np.count_nonzero(effective(net[0], "weight"))
    assert arrays["9.weight"].form == "8 values" and arrays["9.weight"].coding == coding
    assert found.float_bytes == 4 * sum(value.size for value in net.copy().bake().state_dict().values())
    text = str(found)
    assert "0.weight" in text and f"{found.nbytes:,}" in text


def test_pruning_clustering_and_coding_each_make_the_file_smaller(rng):
    net = NETS["lenet_5"](rng)
    pruned = prune_weights(net.copy(), 0.9)
    clustered = cluster_weights(pruned.copy(), 8)
    sizes = [len(tcz.to_bytes(model, "fixed")) for model in (net, pruned, clustered)]
    sizes += [len(tcz.to_bytes(clustered, coding)) for coding in ("huffman", "arithmetic")]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 4 * net.summary().nonzero and sizes[-1] < sizes[0] / 30


# ---- arrays ----


@st.composite
def arrays(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, max_side=6))
    kind = draw(st.sampled_from(["few", "sparse", "float", "half", "same"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.normal(0, 1, shape).astype(np.float32)
    if kind == "half":
        values = values.astype(np.float16).astype(np.float32)
    elif kind == "few":
        values = rng.choice(values.ravel()[: 1 + values.size // 3], shape)
    elif kind == "same":
        values = np.full(shape, values.ravel()[0])
    if kind == "sparse" or draw(st.booleans()):
        values = values * (rng.random(shape) < draw(st.sampled_from([0, 0.02, 0.5])))
    return values.astype(np.float32)


@given(arrays(), st.sampled_from(CODINGS), st.integers(0, 8))
def test_every_way_to_write_an_array_gives_it_back(values, coding, bits):
    """Every way, not only the shortest; several arrays in a row share one stream."""
    grid = None
    if bits:
        grid = calibrate(values, bits, bits % 2 == 0, per_channel=values.ndim > 0 and bits % 3 == 0)
        on_grid = grid.dequantize(grid.quantize(values))
        values = np.where(values == 0, 0, on_grid).astype(np.float32)
    ways = contents(values, grid, coding)
    assert ways
    out, stream, around = Writer(), Encoder(), Surroundings(neighbours=(1, 2))
    for way in ways:
        write_array(way, around, out, stream)
    source = Reader(bytes(out.data))
    read = [read_plain(values.shape, "array", source) for _ in ways]
    assert source.left == 0
    from tinycompress.quantization.coding.arithmetic import Decoder

    decoder = Decoder(stream.finish())
    for found in read:
        if found.values is None:
            found.finish(decoder, around)
        assert found.values.dtype == values.dtype and np.array_equal(found.values, values)
    decoder.finish()


@given(hnp.arrays(np.uint8, st.integers(0, 40)), st.integers(0, 8))
def test_packed_bits_come_back(symbols, bits):
    symbols = symbols & (1 << bits) - 1
    data = pack_bits(symbols, bits)
    assert len(data) == -(-len(symbols) * bits // 8)
    assert np.array_equal(unpack_bits(Reader(data), len(symbols), bits), symbols)


@given(st.integers(0, 2**62))
def test_whole_numbers_come_back_in_the_fewest_bytes(number):
    out = Writer()
    out.varint(number)
    assert len(out.data) == max(1, -(-number.bit_length() // 7))
    assert Reader(bytes(out.data)).varint(2**62, "a number") == number


def test_saving_leaves_the_net_as_it_was(rng):
    net = cluster_weights(NETS["convnet"](rng).train(), 4)
    before = net.state_dict()
    with no_grad():
        tcz.to_bytes(net)
    assert net.training and all(np.array_equal(before[name], value) for name, value in net.state_dict().items())


def test_the_neighbours_of_a_weight_are_those_beside_and_above_it_in_its_kernel(rng):
    """In the matrix (kh * kw * in, out) that is coded, also where kernels are not square."""
    kernel = np.arange(3 * 5 * 2 * 4).reshape(3, 5, 2, 4)
    left, above = tcz._neighbours(
        structure.Slot(nn.Conv2d(2, 4, (3, 5), rng=rng), "weight", "0.weight", kernel.shape), {}
    )
    rows = kernel.reshape(-1, 4)
    i = int(np.flatnonzero(rows[:, 0] == kernel[2, 3, 1, 0])[0])
    assert np.array_equal(rows[i - left], kernel[2, 2, 1]) and np.array_equal(rows[i - above], kernel[1, 3, 1])


def test_what_cannot_be_read_again_does_not_replace_a_good_file(rng, tmp_path):
    path = tmp_path / "net.tcz"
    tcz.save(NETS["mlp"](rng), path)
    before = path.read_bytes()
    with pytest.raises(tcz.TczError):
        tcz.save(nn.Sequential(nn.Conv2d(1, 4, 1, padding=2, rng=rng), input_shape=(4, 4, 1)), path)
    assert path.read_bytes() == before
