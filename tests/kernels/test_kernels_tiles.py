"""Convolutions take other tiles for other sizes. Each way gives NumPy's numbers, on any CPU, and stays within its arrays."""

import numpy as np
import pytest
from other_machines import OTHER_WITH_FLOATS, as_other_cpus, assert_runs_as, assert_runs_at_the_edge, at_the_edge

from tinycompress import kernels
from tinycompress.kernels.fast import conv, conv_weights, winograd
from tinycompress.kernels.fast.windows import SMALLEST_VECTOR, parts_for
from tinycompress.kernels.registers.vectors import VECTOR_BYTES

AGREE = """
import numpy as np
from tinycompress import kernels

def close(a, b, products):
    "Whether a and b, sums of so many products of standard normal numbers, differ by their rounding only."
    assert a.shape == b.shape and np.abs(a - b).max(initial=0) <= 64 * np.finfo(a.dtype).eps * products**0.5, np.abs(a - b).max()

def agree(x_shape, w_shape, stride=(1, 1), padding=((1, 1), (1, 1)), dtype=np.float32, at=lambda array: array):
    "Check the compiled convolution and its gradients against NumPy's, in float64."
    rng = np.random.default_rng(0)
    x, w, b = (at(rng.standard_normal(shape).astype(dtype)) for shape in (x_shape, w_shape, w_shape[3:]))
    with kernels.use("numpy"):
        exact = x.astype(np.float64), w.astype(np.float64)
        y = kernels.conv2d(*exact, stride, padding, b.astype(np.float64))
        g = at(rng.standard_normal(y.shape).astype(dtype))
        gx = kernels.conv2d_grad_x(g.astype(np.float64), exact[1], stride, padding, x_shape)
        gw = kernels.conv2d_grad_w(exact[0], g.astype(np.float64), stride, padding, w_shape)
    taps = w_shape[0] * w_shape[1]
    close(kernels.conv2d(x, w, stride, padding, b), y, taps * w_shape[2])
    close(kernels.conv2d_grad_x(g, w, stride, padding, x_shape), gx, taps * w_shape[3])
    close(kernels.conv2d_grad_w(x, g, stride, padding, w_shape), gw, y.size / w_shape[3])
"""
exec(AGREE)

NONE = (0, 0), (0, 0)
CASES = [
    dict(x_shape=(2, 14, 14, 8), w_shape=(3, 3, 8, 16)),  # rows in pairs, of one tile fewer
    dict(x_shape=(2, 13, 16, 8), w_shape=(3, 3, 8, 16)),  # an odd number of rows
    dict(x_shape=(2, 1, 9, 5), w_shape=(2, 3, 5, 3), padding=((1, 0), (1, 1))),  # a single row, short windows
    dict(
        x_shape=(3, 6, 10, 7), w_shape=(2, 3, 7, 8), padding=NONE
    ),  # two rows of weights; runs of 21, not a multiple of 4
    dict(x_shape=(3, 9, 11, 6), w_shape=(3, 3, 6, 12), stride=(1, 2)),  # pairs of rows, every other pixel
    dict(x_shape=(3, 9, 11, 6), w_shape=(3, 3, 6, 12), stride=(2, 1)),  # no pairs
    dict(x_shape=(2, 28, 28, 4), w_shape=(5, 5, 4, 40), padding=NONE),
    dict(x_shape=(2, 14, 14, 32), w_shape=(3, 3, 32, 64)),  # fewer products
    dict(
        x_shape=(2, 23, 25, 33), w_shape=(3, 3, 33, 40), padding=((0, 2), (1, 0))
    ),  # fewer, and patches with empty borders
    dict(x_shape=(11, 6, 4, 64), w_shape=(3, 3, 64, 64), padding=NONE),  # fewer, of patches from several images
    dict(x_shape=(11, 7, 7, 64), w_shape=(3, 3, 64, 64), padding=NONE),  # and gradients of several with empty borders
    dict(x_shape=(9, 3, 3, 16), w_shape=(3, 3, 16, 16)),  # several images per sum
    dict(x_shape=(2, 2, 300, 16), w_shape=(3, 3, 16, 8)),  # a row of the image has more pixels than a sum
    dict(x_shape=(5, 6, 6, 48), w_shape=(1, 1, 48, 8), padding=NONE),
    dict(x_shape=(2, 10, 9, 10), w_shape=(3, 3, 10, 24)),  # the window ends within a vector
]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['x_shape']} {case['w_shape']}".replace(", ", ","))
def test_every_way_gives_numpys_numbers(case, dtype):
    agree(**case, dtype=dtype)  # noqa: F821 (of AGREE)


PARTS_AFTER = {"convolve": 2, "convolve_pairs": 1, "add_by_channels": 2, "add_by_windows": 0}
"""How many arguments stand before the parts of a vector."""


def test_the_cases_take_every_way(monkeypatch):
    """On any CPU: pairs of rows and single ones, tiles with a row less, both kinds of sums. With AVX-512, parts of vectors."""
    taken, with_parts = set(), set()

    def noting(function, name):
        def call(rows, *arguments):
            taken.add((name, "fewer" if name.startswith("convolve") and len(rows) < conv.ROWS else "all"))
            before = PARTS_AFTER.get(name)
            if before is not None and len((rows, *arguments)[before]) > 1:
                with_parts.add(name)
            return function(rows, *arguments)

        return call

    for module, names in [
        (conv, ["convolve", "convolve_pairs"]),
        (conv_weights, ["add_by_channels", "add_by_windows"]),
        (winograd, ["convolve_patches", "add_gradients"]),
    ]:
        for name in names:
            monkeypatch.setattr(module, name, noting(getattr(module, name), name))
    for case in CASES:
        agree(**case)  # noqa: F821
    convolutions = {(name, rows) for name in ("convolve", "convolve_pairs") for rows in ("all", "fewer")}
    others = ("add_by_channels", "add_by_windows", "convolve_patches", "add_gradients")
    assert taken == convolutions | {(name, "all") for name in others}
    if VECTOR_BYTES == 64:
        assert with_parts == set(PARTS_AFTER)


def test_sums_are_the_same_bits_by_channels_and_by_windows(monkeypatch):
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((6, 9, 9, 16), np.float32), rng.standard_normal((6, 9, 9, 16), np.float32)
    arguments = x, g, (1, 1), ((1, 1), (1, 1)), (3, 3, 16, 16)
    found = []
    for windows in (False, True):
        monkeypatch.setattr(conv_weights, "by_windows", lambda G, like, windows=windows: windows)
        found.append(kernels.conv2d_grad_w(*arguments))
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("pixels", range(1, 40))
def test_a_tile_has_a_row_less_only_where_fewer_rows_are_empty(pixels):
    def empty(rows):
        return -(-pixels // rows) * rows - pixels

    rows = len(conv.rows_for(pixels))
    assert rows in (conv.ROWS, conv.ROWS - 1)
    assert rows == conv.ROWS or empty(rows) < empty(conv.ROWS)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("channels", [*range(1, 20), 70])
def test_few_channels_take_the_smallest_part_of_a_vector_that_holds_them(channels, dtype):
    like = np.zeros(1, dtype)
    parts = len(parts_for(channels, like))
    size = VECTOR_BYTES // parts
    assert size >= SMALLEST_VECTOR
    assert parts == 1 or channels * like.itemsize <= size
    assert size == SMALLEST_VECTOR or channels * like.itemsize > size // 2


OTHER = AGREE + f"for case in {CASES!r}:\n    for dtype in 'f4', 'f8':\n        agree(**case, dtype=dtype)\n"


@as_other_cpus(OTHER_WITH_FLOATS)
def test_convolutions_are_right_on_other_cpus(host):
    assert_runs_as(host, OTHER)


@at_the_edge
def test_no_convolution_reads_beyond_its_arrays():
    assert_runs_at_the_edge(AGREE + f"for case in {CASES!r}:\n    agree(**case, at=edge)\n    kept.clear()\n")
