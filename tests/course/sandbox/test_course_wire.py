"""What crosses the pipe: the same values again, in exact types, or a refusal; whatever bytes arrive."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinycompress.course.sandbox import wire

dtypes = st.sampled_from([np.dtype(name) for name in sorted(wire.DTYPES)])
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
plain = st.none() | st.booleans() | st.integers(1 - 2**64, 2**64 - 1) | st.floats() | st.text() | st.binary()
values = st.recursive(
    plain | arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(-9, 9) | st.tuples(st.booleans(), st.none()), inner, max_size=3)
    ),
    max_leaves=8,
)


def reader(data):
    stream = io.BytesIO(data)

    def read(count):
        part = stream.read(count)
        if len(part) < count:
            raise EOFError
        return part

    return read


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() and b.flags.c_contiguous
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b or (a != a and b != b)


@given(values)
def test_values_arrive_as_they_were_sent(value):
    try:
        frames = wire.dumps(value)
    except wire.WireError:
        assert "\\ud" in ascii(value)  # half a character is no text
        return
    assert same(value, wire.unpack(reader(wire.pack(frames))))


def test_subclasses_and_views_arrive_as_plain_arrays():
    class Sly(np.ndarray):
        def __eq__(self, other):
            return True

    array = np.arange(12.0).reshape(3, 4)
    for sent in array.view(Sly), array.astype(">f8"), np.asfortranarray(array), array[:, ::-1][:, ::-1]:
        got = wire.loads(wire.dumps(sent))
        assert type(got) is np.ndarray and same(array, got)
    assert type(wire.loads(wire.dumps(np.float64(0.5)))) is float


def test_arguments_keep_their_layout_in_memory_and_answers_do_not():
    by_columns = np.arange(12.0).reshape(4, 3).T
    frames = wire.dumps((by_columns, by_columns.astype(">f4"), by_columns.copy()))
    for layout in wire.loads(frames, "A"), wire.unpack(reader(wire.pack(frames)), "A"):
        assert [array.flags.c_contiguous for array in layout] == [False, False, True]
        assert all((array == by_columns).all() and array.flags.writeable for array in layout)
    assert all(array.flags.c_contiguous for array in wire.loads(frames))


class AlwaysEqual:
    def __eq__(self, other):
        return True

    def __reduce__(self):
        raise AssertionError("nothing is ever pickled")


class Seven(int):
    pass


deep = []
for _ in range(50):
    deep = [deep]


@pytest.mark.parametrize(
    "value",
    [AlwaysEqual(), Seven(7), np.array([AlwaysEqual()]), np.array(["text"]), 2**64, {1, 2}, print, deep, "\ud800"]
    + [np.zeros(3, [("a", "f4")]), np.zeros(wire.MAX_ARRAY + 1, np.uint8), [np.zeros(1)] * 300, np.float32, "x" * 2**21]
    + [np.array("2020", "M8[Y]"), [np.zeros(wire.MAX_ARRAY, np.uint8)] * 3],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_value_is_refused(value):
    with pytest.raises(wire.WireError):
        wire.dumps(value)


def npy(header, data=b"", version=b"\x01\x00"):
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header + data


def message(body, *arrays, count=None):
    return [json.dumps({"arrays": len(arrays) if count is None else count, "body": body}).encode(), *arrays]


FINE = npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", b"\0" * 8)


@pytest.mark.parametrize(
    "frames",
    [
        [b"no json"],
        [b"[" * 100_000],
        [b'{"arrays": 0}'],
        [b'{"arrays": 0, "body": 1, "more": 2}'],
        [b'{"arrays": 0, "body": ' + b"9" * 5000 + b"}"],
        [b"\xff\xfe"],
        message(None, count=-1),
        message(None, count=10**9),
        message(None, count=True),
        message({"a": 0}),
        message({"a": -1}, FINE),
        message({"a": 1}, FINE),
        message({"a": True}, FINE),
        message({"d": [[[], 1]]}),
        message({"d": [[1]]}),
        message({"d": 3}),
        message({"t": "ab"}),
        message({"b": "xyz"}),
        message({}),
        message({"o": 1}),
        message({"t": [], "a": 0}, FINE),
        message(json.loads("[" * 40 + "]" * 40)),
        message({"a": 0}, b""),
        message({"a": 0}, FINE[:-1]),
        message({"a": 0}, FINE + b"\0"),
        message({"a": 0}, npy(FINE[10:-8], b"\0" * 8, b"\x02\x00")),
        message({"a": 0}, npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"\0" * 8)),
        message({"a": 0}, npy(b"{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }\n", b"\0" * 16)),
        message({"a": 0}, npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }\n", b"\0" * 8)),
        message({"a": 0}, npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999,), }\n")),
        message({"a": 0}, npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 99999999999, 99999999999), }\n")),
        message(
            {"a": 0}, npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2), }\n", b"\0" * 8)
        ),
        message({"a": 0}, npy(b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,), }\n", b"\0" * 8)),
        message({"a": 0}, npy(b"(" * 5000 + b"\n", b"\0" * 8)),
        message({"a": 0}, npy(b"{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }\n", b"\x01\x02")),
        message(
            [{"a": 0}, {"a": 0}], npy(b"{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }\n", b"\x01\x01")
        ),  # one array, counted twice
        message(None, npy(b"{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }\n", b"\x01\x01")),
    ],
)
def test_malformed_messages_are_refused(frames):
    with pytest.raises(wire.WireError):
        wire.unpack(reader(wire.pack(frames)))


def test_announced_lengths_are_checked_before_anything_is_read():
    def read(count):
        assert count <= 8, "more was asked for than may be"
        return (1 << 40).to_bytes(8, "little")

    with pytest.raises(wire.WireError, match="too long"):
        wire.unpack(read)


@settings(max_examples=300)
@given(values, st.data())
def test_damaged_messages_are_values_or_refusals_and_nothing_else(value, data):
    try:
        sent = bytearray(wire.pack(wire.dumps(value)))
    except wire.WireError:
        return
    for _ in range(data.draw(st.integers(1, 4))):
        sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = wire.unpack(reader(bytes(sent)))
    except (wire.WireError, EOFError):
        return
    wire.dumps(got)  # so it is made of plain values
