"""Files of one's own, .npz: they load whole, and what cannot be right is refused in one message."""

from pathlib import Path

import numpy as np
import pytest
from dataset_checks import message, pairs

from tinycompress.data import DataError, load

pytestmark = pytest.mark.usefixtures("alone")


def arrays(size=(6, 5), dtype=np.uint8, seed=0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    y_train, y_test = np.repeat(np.arange(3), 20), np.repeat(np.arange(3), 4)
    pixels = {split: rng.integers(0, 256, (len(y), *size)) for split, y in (("train", y_train), ("test", y_test))}
    scale = 1 if dtype == np.uint8 else 255
    x = {split: (value / scale).astype(dtype) for split, value in pixels.items()}
    return {"x_train": x["train"], "y_train": y_train, "x_test": x["test"], "y_test": y_test}


def save(folder: Path, contents: dict) -> Path:
    path = folder / "mine.npz"
    np.savez(path, **{key: value for key, value in contents.items() if value is not None})
    return path


@pytest.mark.parametrize("size", [(6, 5), (6, 5, 1), (6, 5, 3), (3, 3, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64, ">f4"])
def test_npz_of_8_bit_or_float_grey_or_colour_images_loads_whole(tmp_path, size, dtype):
    mine = arrays(size, dtype)
    found = load(save(tmp_path, mine))
    channels = size[2] if len(size) == 3 else 1
    scale = 255 if dtype == np.uint8 else 1

    def expected(split):
        x = mine[f"x_{split}"].astype(np.float64) / scale
        return x.reshape(-1, *size[:2], channels).astype(np.float32), mine[f"y_{split}"]

    assert found.name == "mine.npz" and found.image_shape == (*size[:2], channels) and found.classes == ("0", "1", "2")
    assert pairs(found.train, found.val) == pairs(expected("train"))
    assert all(np.array_equal(one, two) for one, two in zip(found.test, expected("test"), strict=True))
    assert np.bincount(found.y_val).tolist() == [3, 3, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64, ">i2"])
def test_labels_of_any_integer_type_become_int64(tmp_path, dtype):
    mine = arrays()
    found = load(save(tmp_path, mine | {key: mine[key].astype(dtype) for key in ("y_train", "y_test")}))
    assert found.y_train.dtype == found.y_val.dtype == found.y_test.dtype == np.int64
    assert np.array_equal(found.y_test, mine["y_test"])


def test_arrays_stored_in_another_order_come_out_contiguous(tmp_path):
    mine = arrays((6, 5, 3))
    found = load(str(save(tmp_path, mine | {key: np.asfortranarray(mine[key]) for key in ("x_train", "x_test")})))
    assert all(x.flags.c_contiguous for x in (found.x_train, found.x_val, found.x_test))
    assert pairs(found.test) == pairs(load(save(tmp_path, mine)).test)


def test_npz_split_is_the_same_each_time_and_ignores_other_arrays(tmp_path):
    one = load(save(tmp_path, arrays()))
    two = load(save(tmp_path, arrays() | {"x_val": np.zeros(3)}))
    assert all(np.array_equal(a, b) for a, b in zip((*one.train, *one.val), (*two.train, *two.val), strict=True))


def with_first(array, value):
    array = array.copy()
    array.flat[0] = value
    return array


GREY, REAL = arrays(), arrays(dtype=np.float32)
NAMES = np.array(["ant", "bee", "cat"])
BAD = {
    "missing keys": ({"y_train": None, "x_test": None}, r"lacks y_train, x_test; it has x_train, y_test"),
    "flat images": ({"x_train": np.zeros((60, 784))}, r"x_train has shape \(60, 784\).*reshape\(-1, 28, 28\)"),
    "flat oblongs": ({"x_train": np.zeros((60, 30))}, r"x_train has shape \(60, 30\).*reshape\(-1, H, W\)"),
    "channels first": ({"x_test": np.zeros((12, 3, 6, 5))}, r"x_test has shape.*transpose\(0, 2, 3, 1\)"),
    "transparency": ({"x_test": np.zeros((12, 6, 5, 4))}, r"shape \(12, 6, 5, 4\), expected .*\(N, H, W, 3\)$"),
    "five axes": ({"x_test": np.zeros((12, 6, 5, 3, 1))}, r"expected \(N, H, W\), \(N, H, W, 1\) or \(N, H, W, 3\)"),
    "no axis": ({"x_test": np.float32(0)}, r"x_test has shape \(\), expected \(N, H, W\)"),
    "integer pixels": (
        {"x_train": GREY["x_train"].astype(int)},
        r"int64 pixels from 0 to 255.* save x_train / 255 and",
    ),
    "boolean pixels": ({"x_train": GREY["x_train"] > 99}, r"x_train has bool pixels.* save x_test / 255 in an .npz"),
    "complex pixels": ({"x_train": GREY["x_train"] * 1j}, r"complex128 pixels, expected real numbers; save floats in"),
    "named pixels": ({"x_test": GREY["x_test"].astype(str)}, r"x_test has <U3 pixels, expected real numbers"),
    "floats to 255": (
        {"x_train": GREY["x_train"] * 1.0},
        r"x_train has float64 pixels from 0 to 255, x_test has uint8",
    ),
    "negative floats": (
        {"x_test": REAL["x_test"] - 0.5},
        r"x_test has float32 pixels from -0.5 to 0.496078, expected \[0, 1\] in both",
    ),
    "NaN": ({"x_train": with_first(REAL["x_train"], np.nan)}, r"x_train has 1 NaN or infinite pixels; repair or drop"),
    "infinity": ({"x_test": with_first(REAL["x_test"], -np.inf)}, r"x_test has 1 NaN or infinite pixels"),
    "fewer labels": ({"y_train": GREY["y_train"][1:]}, r"x_train has 60 images, y_train 59 labels"),
    "fewer images": ({"x_test": GREY["x_test"][1:]}, r"x_test has 11 images, y_test 12 labels"),
    "one-hot labels": ({"y_train": np.eye(3)[GREY["y_train"]]}, r"y_train has shape \(60, 3\).*argmax\(1\)"),
    "labels in a column": ({"y_test": GREY["y_test"][:, None]}, r"y_test has shape \(12, 1\).*ravel\(\)"),
    "float labels": (
        {"y_train": GREY["y_train"] / 2},
        r"float64, expected integers or names; save y.astype\(np.int64\)",
    ),
    "names and numbers": (
        {"y_test": GREY["y_test"].astype(str)},
        r"y_train has labels of type int64, y_test of type <U",
    ),
    "a name for testing only": (
        {"y_train": NAMES[GREY["y_train"]], "y_test": with_first(NAMES[GREY["y_test"]], "bat")},
        r"y_test has the label 'bat', which is not in y_train",
    ),
    "one name": ({"y_train": np.full(60, "ant"), "y_test": np.full(12, "ant")}, r"expected 2 classes"),
    "negative label": ({"y_test": GREY["y_test"] - 1}, r"y_test has the negative label -1; number the classes from 0"),
    "labels from 1": ({"y_train": GREY["y_train"] + 1}, r"y_train has the label 3, expected 0..2; number"),
    "gap in labels": ({"y_train": GREY["y_train"] * 2}, r"y_train has the label 4, expected 0..2; .*without a gap"),
    "huge label": (
        {"y_train": with_first(GREY["y_train"].astype(np.uint64), 2**63)},
        r"has the label 9223372036854775808",
    ),
    "unknown test label": ({"y_test": GREY["y_test"] + 1}, r"y_test has the label 3, expected 0..2"),
    "one class": (
        {"y_train": GREY["y_train"] * 0, "y_test": GREY["y_test"] * 0},
        r"only the labels \[0\], expected 2 cl",
    ),
    "other test size": ({"x_test": np.ones((12, 28, 28))}, r"training images are 6x5x1, test images 28x28x1"),
    "other test colour": (
        {"x_test": np.ones((12, 6, 5, 3))},
        r"training images are 6x5x1, test images 6x5x3; give all the same channels",
    ),
    "empty test": ({"x_test": GREY["x_test"][:0], "y_test": GREY["y_test"][:0]}, r"x_test is empty: .*\(0, 6, 5\)"),
    "no pixels": ({"x_train": np.zeros((60, 0, 5))}, r"x_train is empty: its shape is \(60, 0, 5\)"),
    "too few to validate": (
        {"x_train": GREY["x_train"][18:23], "y_train": np.array([0, 0, 1, 2, 2])},
        r"validation split, 15 % of every class, would be empty; give at least 4",
    ),
    "pickles": (
        {"y_train": np.array([0, "x", None], object)},
        r"has arrays of Python objects, which are not read; save labels as y.astype\(str\)",
    ),
}


@pytest.mark.parametrize("kind", [str, bytes])
def test_labels_may_be_names_and_both_splits_number_them_alike(tmp_path, kind):
    mine, number = arrays(), {"ant": 0, "bee": 1, "cat": 2}
    names = {key: NAMES[::-1][mine[key]] for key in ("y_train", "y_test")}  # "cat" comes first
    names["y_test"] = names["y_test"][:8]  # no "ant" among the test images
    found = load(
        save(tmp_path, mine | {key: y.astype(kind) for key, y in names.items()} | {"x_test": mine["x_test"][:8]})
    )
    assert found.classes == ("ant", "bee", "cat")
    assert found.y_test.tolist() == [number[name] for name in names["y_test"]]
    expected = [number[name] for name in names["y_train"]]
    assert pairs(found.train, found.val) == pairs(
        ((mine["x_train"][..., None] / 255).astype(np.float32), np.array(expected))
    )


def test_the_ending_of_the_file_may_be_in_capitals(tmp_path):
    assert load(save(tmp_path, arrays()).rename(tmp_path / "MINE.NPZ")).num_classes == 3


def test_a_folder_is_not_taken_for_a_file(tmp_path):
    (tmp_path / "mine.npz").mkdir()
    with pytest.raises(DataError, match="mine.npz is a folder, expected a file"):
        load(tmp_path / "mine.npz")


@pytest.mark.parametrize("case", BAD)
def test_npz_that_cannot_be_right_is_refused_in_one_message(tmp_path, case):
    change, pattern = BAD[case]
    path = save(tmp_path, arrays() | change)
    with pytest.raises(DataError, match=pattern) as error:
        load(path)
    assert "mine.npz" in message(error)


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.99])
def test_npz_cut_short_is_refused(tmp_path, share):
    path = save(tmp_path, arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match="mine.npz is not a whole .npz of plain arrays") as error:
        load(path)
    message(error)


def test_npz_with_a_flipped_bit_is_refused(tmp_path):
    path = save(tmp_path, arrays())
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="CRC"):
        load(path)


def test_a_bare_array_under_the_name_npz_is_refused(tmp_path):
    with open(tmp_path / "mine.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="one bare array"):
        load(tmp_path / "mine.npz")


def test_missing_npz_says_where_it_was_sought(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        load("nothing.npz")
    assert message(error) == f"no file nothing.npz in {tmp_path}"


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "mine.csv").write_text("1,2")
    with pytest.raises(DataError, match="mine.csv is not an .npz file"):
        load(tmp_path / "mine.csv")
