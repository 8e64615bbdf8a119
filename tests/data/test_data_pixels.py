"""The scale of pixels: what they hold decides where it can; else the message has the expression that fixes them."""

import re

import numpy as np
import pytest
from dataset_checks import message
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinycompress.data import VALIDATION_PERCENT, VALIDATION_SEED, DataError, load
from tinycompress.data.dataset import from_arrays, hold_out

pytestmark = pytest.mark.usefixtures("alone")

LABELS = {"y_train": np.repeat(np.arange(3), 20), "y_test": np.repeat(np.arange(3), 4)}
SPLITS = "x_train", "x_test"


def pixels(low, high, dtype, images, channels=1):
    """Images of whole numbers from low to high, which both occur; of fractions, if they are floats up to 1 or so."""
    x = np.random.default_rng(images).uniform(low, high, (images, 4, 4, channels))
    if np.dtype(dtype).kind != "f" or high >= 2:
        x = x.round()
    x.flat[:2] = low, high
    return x.astype(dtype)


def both(train, test=None):
    """The images of a file, from (low, high, dtype) of x_train and of x_test: by default the same."""
    return {"x_train": pixels(*train, 60), "x_test": pixels(*(test or train), 12)}


def load_images(folder, images):
    np.savez(folder / "mine.npz", **images, **LABELS)
    return load(folder / "mine.npz")


def advised(images, text):
    """The images once the expressions of a message were taken literally."""
    (expressions,) = re.findall(r"save (.*) in an \.npz", text)
    split_of = {expression: re.search("x_train|x_test", expression)[0] for expression in expressions.split(" and ")}
    return images | {split: eval(expression, {"np": np} | images) for expression, split in split_of.items()}


def assert_is(found, images, white):
    """Each split is its images, with `white` (of both, or one for each) at 1."""
    whites = dict(zip(SPLITS, np.broadcast_to(white, 2), strict=True))
    kept, held = hold_out(LABELS["y_train"], VALIDATION_PERCENT, VALIDATION_SEED)
    train, test = (images[split].astype(np.float64) / whites[split] for split in SPLITS)
    for x, expected in (found.x_train, train[kept]), (found.x_val, train[held]), (found.x_test, test):
        assert x.dtype == np.float32 and x.min() >= 0 and x.max() <= 1
        np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-9)


# ---- beyond doubt ----


@pytest.mark.parametrize(
    ("train", "test", "white"),
    [
        ((0, 1, bool), None, 1),
        ((0, 1, np.uint8), None, 1),
        ((0, 1, np.int64), None, 1),
        ((0, 1, ">i2"), None, 1),
        ((0, 1, bool), (0, 1, np.uint8), 1),
        ((0, 1, np.uint8), (0, 1, np.float64), 1),
        ((0, 1, np.float32), (0, 0.3, np.float32), 1),
        ((0, 0.2, np.float16), None, 1),
        ((0, 255, np.uint8), None, 255),
        ((0, 255, np.uint8), (3, 190, np.uint8), 255),
        ((0, 128, np.uint8), (0, 200, np.uint8), 255),
        ((180, 254, np.uint8), None, 255),
    ],
)
def test_what_pixels_hold_decides_their_scale(tmp_path, train, test, white):
    images = both(train, test)
    assert_is(load_images(tmp_path, images), images, white)


@pytest.mark.parametrize("high", [1, 100, 0])
def test_a_dark_channel_is_scaled_as_the_others(tmp_path, high):
    images = {split: pixels(0, 255, np.uint8, n, channels=3) for split, n in zip(SPLITS, (60, 12), strict=True)}
    for x in images.values():
        x[..., 2] %= high + 1
    assert_is(load_images(tmp_path, images), images, 255)


# ---- in doubt ----


@pytest.mark.parametrize(
    ("train", "test", "white"),
    [
        ((0, 2, np.uint8), None, 2),
        ((0, 15, np.uint8), None, 15),
        ((0, 16, np.uint8), None, 16),
        ((0, 16, np.int64), (0, 15, np.int64), 16),
        ((0, 16, np.float64), None, 16),
        ((0, 100, np.uint8), None, 100),
        ((0, 127, np.uint8), None, 127),
        ((0, 127, np.int8), None, 127),
        ((0, 255, np.int64), None, 255),
        ((0, 250, np.int32), (0, 254, np.int32), 255),
        ((0, 255, np.float32), None, 255),
        ((0, 255, np.float64), (0, 90, np.float64), 255),
        ((0, 1023, np.uint16), None, 1023),
        ((0, 65535, np.uint16), (0, 40000, np.uint16), 65535),
        ((0, 2**32 - 1, np.uint32), None, 2**32 - 1),
        ((0, 255, np.uint8), (0, 127, np.uint8), 255),  # darker
        ((0, 255, np.uint8), (0, 1, np.uint8), (255, 1)),  # of another scale
        ((0, 255, np.uint8), (0, 16, np.uint8), (255, 16)),
        ((0, 255, np.uint8), (0, 1, np.float32), (255, 1)),
        ((0, 1, bool), (0, 255, np.uint8), (1, 255)),
        ((0, 1, np.float64), (0, 255, np.float64), (1, 255)),
        ((0, 255, np.uint8), (0, 255, np.int64), 255),
        ((0, 255, np.uint8), (0, 1023, np.uint16), (255, 1023)),
        ((0, 1, np.float32), (0, 1 / 255, np.float32), (1, 1 / 255)),  # divided by 255 twice
    ],
)
def test_pixels_in_doubt_load_as_they_should_once_the_advice_is_followed(tmp_path, train, test, white):
    images = both(train, test)
    with pytest.raises(DataError) as error:
        load_images(tmp_path, images)
    text = message(error)
    for split, (low, high, dtype) in zip(SPLITS, (train, test or train), strict=True):
        assert f"{split} has {np.dtype(dtype)} pixels from {low:g} to {high:g}" in text
    assert_is(load_images(tmp_path, advised(images, text)), images, white)


@pytest.mark.parametrize(
    ("train", "test", "fixed"),
    [
        ((-1, 1, np.float32), None, lambda x: (x + 1) / 2),
        ((-0.5, 0.5, np.float64), (-0.4, 0.5, np.float64), lambda x: (x + 1) / 2),
        ((-128, 127, np.int8), None, lambda x: (x.astype(float) + 128) / 255),
        ((-0.01, 1.02, np.float64), None, lambda x: x.clip(0, 1)),
        ((0, 1, np.float64), (0, 1.02, np.float64), lambda x: x.clip(0, 1)),
        ((-3, 262, np.float32), None, lambda x: (x / 255).clip(0, 1)),
    ],
)
def test_pixels_beyond_the_ends_load_once_the_advice_is_followed(tmp_path, train, test, fixed):
    images = both(train, test)
    with pytest.raises(
        DataError, match="undo a standardisation" if train[0] < 0 else "or divide by what white is"
    ) as error:
        load_images(tmp_path, images)
    found = load_images(tmp_path, advised(images, message(error)))
    assert_is(found, {split: fixed(x) for split, x in images.items()}, 1)


@pytest.mark.parametrize("high", [2, 16, 127])
def test_dark_8_bit_images_load_once_they_are_divided_as_the_message_says(tmp_path, high):
    images = both((0, high, np.uint8))
    with pytest.raises(DataError, match=r"or divide by what white is \(255 in 8-bit images\)$"):
        load_images(tmp_path, images)
    assert_is(load_images(tmp_path, {split: x / 255 for split, x in images.items()}), images, 255)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_a_split_of_zeros_is_refused(tmp_path, split, dtype):
    images = both((0, 1, dtype))
    with pytest.raises(DataError, match=f"{split} has {np.dtype(dtype)} pixels that are all 0") as error:
        load_images(tmp_path, images | {split: np.zeros_like(images[split])})
    message(error)


@st.composite
def ranges(draw):
    """(low, high, dtype) of a split: two values that the type can hold, the larger one of them not negative."""
    dtype = np.dtype(draw(st.sampled_from([bool, np.uint8, np.uint16, np.int8, np.int64, np.float32, np.float64])))
    if dtype.kind == "f":
        values = st.floats(0, 1, width=32) | st.floats(-300, 70_000, width=32)
    elif dtype.kind == "b":
        values = st.integers(0, 1)
    else:
        values = st.integers(max(-300, np.iinfo(dtype).min), min(70_000, np.iinfo(dtype).max))
    low, high = sorted(draw(st.tuples(values, values)))
    assume(high > low and high >= 0)
    return low, high, dtype


@settings(max_examples=300)
@given(ranges(), ranges())
def test_pixels_of_any_range_get_one_factor_or_advice_that_fixes_them(train, test):
    images = both(train, test)

    def loaded(images):
        return from_arrays("mine", images["x_train"], LABELS["y_train"], images["x_test"], LABELS["y_test"])

    try:
        found = loaded(images)
    except DataError as error:
        images = advised(images, str(error))
        found = loaded(images)
    assert_is(found, images, 255 if images["x_train"].max() > 1 else 1)
