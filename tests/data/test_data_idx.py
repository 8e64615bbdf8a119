"""MNIST and its like: whole IDX files from a folder, a mirror or the cache, or one clear error."""

import errno
import gzip
import hashlib
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dataset_checks import message, pairs

from tinycompress import data
from tinycompress.data import IDX_FILES, DataError, Dataset, load

REAL_DATA = os.environ.get("TINYCOMPRESS_DATA")
pytestmark = pytest.mark.usefixtures("alone")

# ---- files in a folder ----


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def digests(contents: dict[str, bytes]) -> tuple[str, ...]:
    return tuple(hashlib.sha256(contents[file]).hexdigest() for file in IDX_FILES)


def files(packed: dict[str, bytes]) -> tuple[data.File, ...]:
    sums = zip(IDX_FILES, digests(packed), strict=True)
    return tuple(data.File(f"{file}.gz", len(packed[file]), digest) for file, digest in sums)


@pytest.fixture
def small(monkeypatch):
    """The unpacked and packed files of a small stand-in for MNIST, with its checksums in place of MNIST's."""
    rng = np.random.default_rng(1)
    y_train, y_test = rng.permutation(np.repeat(np.arange(10), 10)), rng.permutation(np.repeat(np.arange(10), 2))
    x_train, x_test = rng.integers(0, 256, (100, 7, 6)), rng.integers(0, 256, (20, 7, 6))
    unpacked = dict(zip(IDX_FILES, map(idx, (x_train, y_train, x_test, y_test)), strict=True))
    packed = {file: gzip.compress(raw, mtime=0) for file, raw in unpacked.items()}
    mnist = replace(data.SOURCES["mnist"], files=files(packed), unpacked=digests(unpacked))
    monkeypatch.setitem(data.SOURCES, "mnist", mnist)
    monkeypatch.setitem(data.SOURCES, "fashion_mnist", replace(data.SOURCES["fashion_mnist"], files=files(packed)))
    return unpacked, packed


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYCOMPRESS_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    return tmp_path / "data" / "mnist"


def fill(folder: Path, contents: dict[str, bytes], suffix: str = "") -> None:
    for file, raw in contents.items():
        (folder / f"{file}{suffix}").write_bytes(raw)


def elements(raw: bytes, axes: int) -> np.ndarray:
    shape = struct.unpack(f">{axes}I", raw[4 : 4 + 4 * axes])
    return np.array(list(raw[4 + 4 * axes :])).reshape(shape)


def assert_is_whole(found: Dataset, unpacked: dict[str, bytes]) -> None:
    x_train, y_train, x_test, y_test = (elements(unpacked[file], 3 if "images" in file else 1) for file in IDX_FILES)
    x_train, x_test = ((x[..., None] / 255).astype(np.float32) for x in (x_train, x_test))
    assert pairs(found.train, found.val) == pairs((x_train, y_train))
    assert np.array_equal(found.x_test, x_test) and np.array_equal(found.y_test, y_test)


@pytest.mark.parametrize("kind", ["unpacked", "packed", "recompressed"])
def test_idx_files_in_the_folder_load_packed_or_not(small, folder, kind):
    unpacked, packed = small
    contents = {
        "unpacked": unpacked,
        "packed": packed,
        "recompressed": {file: gzip.compress(raw, 1) for file, raw in unpacked.items()},
    }[kind]
    fill(folder, contents, "" if kind == "unpacked" else ".gz")
    assert_is_whole(load("mnist"), unpacked)


@pytest.mark.parametrize("length", [0, 3, 4, 10, 15, 16, 500, -1])
def test_idx_file_cut_short_is_refused_with_both_sizes(small, folder, length):
    unpacked, _ = small
    fill(folder, unpacked)
    file, whole = IDX_FILES[0], unpacked[IDX_FILES[0]]
    (folder / file).write_bytes(whole[:length])
    expected = len(whole) if len(whole[:length]) >= 16 else 16
    with pytest.raises(DataError) as error:
        load("mnist")
    sizes = f"{len(whole[:length])} bytes unpacked, expected {expected}; get it again"
    assert message(error) == f"{folder / file} is cut short: {sizes}"


def test_idx_file_with_bytes_left_over_is_refused(small, folder):
    fill(folder, small[0])
    (folder / IDX_FILES[3]).write_bytes(small[0][IDX_FILES[3]] + b"\0")
    with pytest.raises(DataError, match="longer than its header says: 29 bytes unpacked, expected 28"):
        load("mnist")


@pytest.mark.parametrize("raw", [b"", b"\x1f\x8b", b"<!DOCTYPE html>", None], ids=["empty", "start", "page", "cut"])
def test_gz_that_is_not_a_whole_gzip_is_refused(small, folder, raw):
    fill(folder, small[1], ".gz")
    path = folder / f"{IDX_FILES[2]}.gz"
    path.write_bytes(small[1][IDX_FILES[2]][:-20] if raw is None else raw)
    if raw == b"":  # the one empty file that gzip takes for whole: no member, no bytes
        pattern = "is cut short: 0 bytes unpacked, expected 16"
    else:
        pattern = f"is not a whole gzip file: {len(path.read_bytes())} bytes beginning with"
    with pytest.raises(DataError, match=pattern) as error:
        load("mnist")
    assert str(path) in message(error)


def test_labels_in_the_place_of_images_are_refused(small, folder):
    fill(folder, small[0])
    for length in (None, 4):  # as it is, and nothing but the four bytes that say so
        (folder / IDX_FILES[0]).write_bytes(small[0][IDX_FILES[1]][:length])
        with pytest.raises(DataError, match="not IDX images: it begins with 00000801, expected 00000803"):
            load("mnist")


def test_one_changed_pixel_is_refused_by_the_checksum(small, folder):
    fill(folder, small[0])
    raw = bytearray(small[0][IDX_FILES[0]])
    raw[100] ^= 1
    (folder / IDX_FILES[0]).write_bytes(raw)
    with pytest.raises(DataError, match=hashlib.sha256(raw).hexdigest()) as error:
        load("mnist")
    assert hashlib.sha256(small[0][IDX_FILES[0]]).hexdigest() in message(error)


def test_mnist_in_the_folder_of_fashion_mnist_is_refused(small, folder):
    fashion = folder.parent / "fashion_mnist"
    fashion.mkdir()
    fill(fashion, small[0])
    with pytest.raises(DataError, match="is a file of mnist, not of fashion_mnist"):
        load("fashion_mnist")


def test_fashion_mnist_in_the_folder_is_checked_by_structure_and_labels(small, folder):
    fashion = folder.parent / "fashion_mnist"
    fashion.mkdir()
    inverted = {file: raw[:16] + bytes(255 - b for b in raw[16:]) for file, raw in small[0].items() if "images" in file}
    other = (
        small[0]
        | inverted
        | {IDX_FILES[1]: idx(np.tile(np.arange(10), 10)), IDX_FILES[3]: idx(np.tile(np.arange(10), 2))}
    )
    fill(fashion, other)
    found = load("fashion_mnist")
    assert_is_whole(found, other)
    assert found.num_classes == 10 and found.classes[0] == "T-shirt/top" and found.classes[9] == "Ankle boot"
    (fashion / IDX_FILES[3]).write_bytes(idx(np.tile(np.arange(1, 11), 2)))
    with pytest.raises(DataError, match="y_test has the label 10, expected 0..9"):
        load("fashion_mnist")


@pytest.mark.parametrize(("high", "white"), [(1, 1), (16, None), (254, 255)])
def test_idx_files_of_ones_own_are_scaled_by_what_they_hold(small, folder, high, white):
    fashion = folder.parent / "fashion_mnist"
    fashion.mkdir()
    own = {
        file: raw[:16] + bytes(b % (high + 1) for b in raw[16:]) for file, raw in small[0].items() if "images" in file
    }
    labels = {IDX_FILES[1]: idx(np.tile(np.arange(10), 10)), IDX_FILES[3]: idx(np.tile(np.arange(10), 2))}
    fill(fashion, own | labels)
    if white is None:
        with pytest.raises(DataError, match="from 0 to 16, .*; save x_train / 16 and x_test / 16 in an .npz"):
            load("fashion_mnist")
    else:
        found = load("fashion_mnist")
        assert np.array_equal(found.x_test[..., 0], np.float32(elements(own[IDX_FILES[2]], 3)) / np.float32(white))


def test_folder_that_lacks_a_file_names_it(small, folder):
    fill(folder, small[0])
    (folder / IDX_FILES[1]).unlink()
    with pytest.raises(
        FileNotFoundError, match="has no train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz;"
    ) as error:
        load("mnist")
    assert str(folder) in message(error)


def test_setting_that_is_not_a_folder_is_an_error_not_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYCOMPRESS_DATA", str(tmp_path / "typo"))
    with pytest.raises(FileNotFoundError, match="typo is not a folder; set it to the parent of mnist/"):
        load("mnist")


# ---- downloads ----


class Internet:
    """Stands in for pooch's downloader: `spoil[host]`, or `spoil["all"]`, turns a file into what arrives and an error."""

    def __init__(self, contents: dict[str, bytes]):
        self.contents, self.calls, self.spoil = contents, [], {}

    def __call__(self, **settings):
        return self.fetch

    def fetch(self, url, output_file, pooch):
        host, file = url.split("/")[2], url.rpartition("/")[2].removesuffix(".gz")
        self.calls.append(url)
        raw, error = self.spoil.get(host, self.spoil.get("all", lambda raw: (raw, None)))(self.contents[file])
        Path(output_file).write_bytes(raw)
        if error:
            raise error


@pytest.fixture
def internet(small, monkeypatch):
    internet = Internet(small[1])
    monkeypatch.setattr("pooch.HTTPDownloader", internet)
    return internet


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def down(raw):
    import requests

    return b"", requests.ConnectionError("no route")


def lost_half_way(raw):
    import requests

    return raw[: len(raw) // 2], requests.exceptions.ChunkedEncodingError("connection broken")


def half(raw):
    return raw[: len(raw) // 2], None


def login_page(raw):
    return b"<html>please log in", None


def test_downloaded_once_then_read_from_the_cache(small, internet, tmp_path):
    assert_is_whole(load("mnist"), small[0])
    assert len(internet.calls) == 4
    assert files_below(tmp_path / "cache") == sorted(f"{file}.gz" for file in IDX_FILES)
    assert_is_whole(load("mnist"), small[0])
    assert len(internet.calls) == 4


def test_downloaded_where_the_users_folder_has_none(small, internet, folder):
    folder.rmdir()
    assert_is_whole(load("mnist"), small[0])


def test_caches_of_the_two_sources_are_apart(small, internet, tmp_path):
    load("mnist")
    with pytest.raises(DataError, match="is a file of mnist"):
        load("fashion_mnist")
    assert len(internet.calls) == 5 and internet.calls[4].startswith(data.SOURCES["fashion_mnist"].mirrors[0])


@pytest.mark.parametrize("spoil", [down, lost_half_way, half, login_page])
def test_next_mirror_is_tried(small, internet, spoil):
    first, second = (mirror.split("/")[2] for mirror in data.SOURCES["mnist"].mirrors[:2])
    internet.spoil[first] = spoil
    assert_is_whole(load("mnist"), small[0])
    assert len(internet.calls) == 8 and second in internet.calls[1]


@pytest.mark.parametrize("spoil", [down, lost_half_way, half, login_page])
def test_partial_download_is_never_taken_for_a_whole_one(small, internet, tmp_path, spoil):
    internet.spoil["all"] = spoil
    for _ in range(2):
        with pytest.raises(ConnectionError, match=f"could not download {IDX_FILES[0]}.gz of mnist") as error:
            load("mnist")
        text = message(error)
        assert "set TINYCOMPRESS_DATA to the parent of that folder" in text and "use 'digits'" in text
        assert all(mirror.split("/")[2] in text for mirror in data.SOURCES["mnist"].mirrors)
        assert files_below(tmp_path / "cache") == []
    internet.spoil.clear()
    assert_is_whole(load("mnist"), small[0])


def test_interrupted_download_leaves_nothing(small, internet, tmp_path):
    internet.spoil["all"] = lambda raw: (raw[:9], KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        load("mnist")
    assert files_below(tmp_path / "cache") == []


def test_damaged_file_in_the_cache_is_fetched_again_or_refused(small, internet, tmp_path):
    load("mnist")
    cached = next((tmp_path / "cache").rglob(f"{IDX_FILES[2]}.gz"))
    cached.write_bytes(cached.read_bytes()[:-7])
    internet.spoil["all"] = down
    with pytest.raises(ConnectionError, match=IDX_FILES[2]):
        load("mnist")
    internet.spoil.clear()
    assert_is_whole(load("mnist"), small[0])


def test_cache_folder_that_cannot_be_written_is_named(internet, tmp_path):
    internet.spoil["all"] = lambda raw: (raw, PermissionError("read-only"))
    with pytest.raises(PermissionError, match="cannot write the cache folder") as error:
        load("mnist")
    assert str(tmp_path / "cache") in message(error) and "TINYCOMPRESS_DATA" in message(error)


def test_a_full_disk_is_not_taken_for_a_missing_network(internet, tmp_path):
    internet.spoil["all"] = lambda raw: (raw, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match=r"No space left on device: [\d,]+ bytes of mnist need room in") as error:
        load("mnist")
    assert not isinstance(error.value, ConnectionError) and str(tmp_path / "cache") in str(error.value)
    assert len(internet.calls) == 1


@pytest.mark.skipif(not REAL_DATA or not Path(REAL_DATA, "mnist").is_dir(), reason="TINYCOMPRESS_DATA has no mnist/")
def test_real_mnist_is_the_known_one(monkeypatch):
    monkeypatch.setenv("TINYCOMPRESS_DATA", REAL_DATA)
    mnist = load("mnist")
    assert (len(mnist.y_train) + len(mnist.y_val), len(mnist.y_test)) == (60_000, 10_000)
    assert mnist.image_shape == (28, 28, 1) and mnist.x_train.max() == 1
    # Widely published: the class counts of the test set, and the mean 0.1307 by which the images are often centred.
    assert np.bincount(mnist.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    mean = np.mean(np.concatenate([mnist.x_train, mnist.x_val]), dtype=np.float64)
    assert abs(mean - 0.1307) < 5e-5
