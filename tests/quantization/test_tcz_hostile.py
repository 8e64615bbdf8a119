"""Damaged and made-up .tcz files: one clear error each, soon, and never a crash."""

import time
import tracemalloc
import zlib

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import models
from tinycompress.pruning import prune_weights
from tinycompress.quantization import (
    TczError,
    cluster_weights,
    quantize_activations,
    quantize_biases,
    quantize_weights,
    tcz,
)
from tinycompress.quantization.tcz.arrays import CODINGS

MUTATIONS = 1500  # of the 10,000 and more that are tried by hand with other seeds


def with_checksum(body) -> bytes:
    return bytes(body) + zlib.crc32(bytes(body)).to_bytes(4, "little")


@pytest.fixture(scope="module")
def files():
    rng = np.random.default_rng(0)
    x = rng.random((20, 8, 8, 1), np.float32)
    nets = [models.mlp((8, 8, 1), (12,), 5, rng=rng)]
    nets += [models.resnet((8, 8, 1), 5, (4, 6), rng=rng), models.separable_net((8, 8, 1), 5, (4, 6), rng=rng)]
    ways = [
        lambda net: net,
        lambda net: cluster_weights(prune_weights(net, 0.8), 6),
        lambda net: quantize_biases(quantize_weights(prune_weights(net, 0.5), 4, symmetric=False), 5),
    ]
    models_ = [way(net.copy()) for net in nets for way in ways] + [quantize_activations(nets[0], x)]
    return [tcz.to_bytes(model, coding) for model in models_ for coding in CODINGS]


def test_every_truncation_is_refused(files):
    smallest = min(files, key=len)
    for length in range(len(smallest)):
        with pytest.raises(TczError):
            tcz.from_bytes(smallest[:length])
    fixed = min(files[::3], key=len)
    for length in range(len(fixed) - 4):  # of an arithmetic stream the beginning may be a stream of other symbols
        with pytest.raises(TczError):
            tcz.from_bytes(with_checksum(fixed[:length]))


def test_every_changed_bit_is_caught_by_the_checksum(files):
    data = min(files, key=len)
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(TczError):
                tcz.from_bytes(bytes(changed))


def mutated(data: bytes, rng) -> bytes:
    """The file with some bytes changed, inserted or missing; mostly with a checksum that fits again."""
    body = bytearray(data[:-4])
    near = len(body) if rng.random() < 0.5 else min(len(body), 100)  # the structure is at the beginning
    for _ in range(rng.integers(1, 4)):
        place, how = int(rng.integers(min(near, max(len(body), 1)))), rng.integers(5)
        if how == 0 and body:
            body[place] ^= 1 << int(rng.integers(8))
        elif how == 1 and body:
            body[place] = int(rng.choice([0, 1, 127, 128, 255]))
        elif how == 2:
            del body[place : place + int(rng.integers(1, 20))]
        elif how == 3:
            body[place:place] = rng.bytes(int(rng.integers(1, 9)))
        else:
            del body[max(place, 4) :]
    return with_checksum(body) if rng.random() < 0.8 else bytes(body) + data[-4:]


@pytest.mark.filterwarnings("error")
def test_mutated_files_give_clean_errors_or_whole_nets(files):
    rng = np.random.default_rng(1)
    x = rng.random((2, 8, 8, 1), np.float32)
    refused = 0
    for _ in range(MUTATIONS):
        data = mutated(files[rng.integers(len(files))], rng)
        try:
            net = tcz.from_bytes(data)
        except TczError as error:
            assert len(str(error)) < 400 and "\n" not in str(error)
            refused += 1
            continue
        assert data[:4] == b"TCZ\x01" and with_checksum(data[:-4]) == data
        with np.errstate(all="ignore"):
            try:
                assert tc.predict(net, x).shape[0] == 2
            except ValueError as error:  # its layers may now want other images
                assert str(error)
    assert refused > MUTATIONS / 2


def test_what_is_no_tcz_file_is_said_so(tmp_path):
    for data, words in (
        (b"", "not a .tcz file"),
        (b"PK\x03\x04 something else", "not a .tcz file: it begins with b'PK"),
        (b"TCZ\x01", "cut short"),
        (b"TCZ\x02" + bytes(20), "version 2 .* reads version 1"),
        (with_checksum(b"TCZ\x01"), "ends in the middle"),
    ):
        (tmp_path / "bad.tcz").write_bytes(data)
        with pytest.raises(TczError, match=f"bad.tcz: .*{words}"):
            tcz.load(tmp_path / "bad.tcz")


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def dense(inputs, outputs, bias=0):
    return bytes([3, bias]) + varint(inputs) + varint(outputs)


def sequential(*layers, shape=()):
    return bytes([1, len(shape)]) + b"".join(map(varint, shape)) + varint(len(layers)) + b"".join(layers)


def hostile(structure, rest=b""):
    return with_checksum(b"TCZ\x01" + structure + rest)


ZEROS = bytes([0b11_1001])  # half-precision zeros left out, arithmetic coding: hardly any bytes an element

BOMBS = {
    "more elements than any memory holds": hostile(dense(2**31 - 1, 2**31 - 1)),
    "many layers that are each allowed": hostile(sequential(*[dense(1000, 1000)] * 100)),
    "containers in containers": hostile(bytes([1, 0, 1]) * 5000),
    "a million layers": hostile(bytes([1, 0]) + varint(10**6)),
    "a number without an end": hostile(bytes([3, 0]) + b"\xff" * 200),
    "a number of more bytes than it needs": hostile(bytes([3, 0, 0x85, 0x00])),
    "images of more pixels than any memory holds": hostile(sequential(shape=(2**31 - 1, 2**31 - 1, 3))),
    "a layer that makes too much of one image": hostile(
        sequential(bytes([5, 0, 1, 1, 1]) + varint(1000) + bytes([1, 1, 0]), shape=(1000, 1000, 1)),
        bytes([0b00_1001]) + bytes(125),
    ),
    "a padding far larger than the kernel": hostile(
        bytes([5, 0, 1, 1, 1, 1, 1, 1, 2]) + varint(10**6) + bytes(3), bytes([1]) + bytes(2)
    ),
    "a bitmap that is not there": hostile(dense(2000, 2000), bytes([0b00_1001])),
    "gaps beyond the end": hostile(dense(2, 2), bytes([0b100_1001, 8, 4]) + bytes([200, 200, 200, 200])),
    "a Huffman code that no tree has": hostile(
        dense(4, 4), bytes([0b01_0100, 2]) + bytes(6) + bytes([0x11, 0x11]) + varint(4) + bytes(4)
    ),
    "an index beyond its codebook": hostile(dense(1, 1), bytes([0b00_0100, 2]) + bytes(6) + bytes([0xFF])),
    "a kind that there is not": hostile(dense(1, 1), bytes([7])),
    "a coding that there is not": hostile(dense(1, 1), bytes([0b11_0000]) + bytes(4)),
    "a grid of 9 bits": hostile(dense(1, 1), bytes([5, 9 << 2 | 2]) + bytes(5)),
    "a grid for each channel of nothing": hostile(bytes([20, 16, 0]), bytes([5, 8 << 2 | 3]) + bytes(9)),
    "numbers that are not finite": hostile(dense(1, 1), bytes([0]) + b"\x00\x00\x80\x7f"),
    "a product that overflows": hostile(dense(1, 1), bytes([5, 8 << 2 | 2]) + b"\xff\xff\x7f\x7f" + bytes([254])),
    "a stream that goes on": hostile(dense(1, 1), bytes([0]) + bytes(5)),
    "layers that do not fit": hostile(
        sequential(dense(1, 2), dense(3, 1), shape=(1,)), (bytes([0]) + bytes(8)) + (bytes([0]) + bytes(12))
    ),
    "dropout of everything": hostile(bytes([18]) + np.array(1.0, "<f8").tobytes()),
    "dropout of nan": hostile(bytes([18]) + np.array(np.nan, "<f8").tobytes()),
    "a variance below 0": hostile(
        bytes([7, 1, 0]), (bytes([0]) + bytes(4)) * 3 + bytes([0]) + np.array(-1, "<f4").tobytes()
    ),
    "an eps that takes roots of what is below 0": hostile(
        bytes([7, 1, 1]) + np.array([0.1, -1], "<f8").tobytes(), (bytes([0]) + bytes(4)) * 4
    ),
    "no such layer": hostile(bytes([99])),
}


@pytest.mark.parametrize("name", BOMBS)
def test_made_up_files_are_refused_soon_and_in_little_memory(name):
    tcz.from_bytes(hostile(dense(1, 1), bytes([0]) + bytes(4)))  # the same without malice; it compiles, too
    tracemalloc.start()
    start = time.process_time()  # of this process alone, whatever else the machine has to do
    try:
        with pytest.raises(TczError):
            tcz.from_bytes(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 20  # seconds: it takes milliseconds, and a hang far more


def test_a_few_bytes_that_stand_for_too_many_zeros_need_the_users_consent():
    """Four million zeros in a few bytes are a valid file; more are refused unless the user says so."""
    fields = bytes([0b10_1001]) + varint(0) + varint(0)
    small = hostile(dense(1000, 1000), fields)
    with pytest.raises(TczError, match="more than 1,000 elements.*larger max_elements"):
        tcz.from_bytes(small, max_elements=1000)


def test_a_huge_file_is_not_even_read(tmp_path):
    path = tmp_path / "huge.tcz"
    with open(path, "wb") as file:
        file.truncate(2**30)  # a hole: no disk is filled
    tracemalloc.start()
    try:
        with pytest.raises(TczError, match="more than"):
            tcz.load(path, max_elements=1000)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
