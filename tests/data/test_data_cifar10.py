"""CIFAR-10: the archive or its folder, whole or refused; unpacked once, then mapped from the cache."""

import hashlib
import io
import mmap
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dataset_checks import message, pairs

from tinycompress import data
from tinycompress.data import DataError, File, cifar10, load, mapped
from tinycompress.data.download import cache_folder

REAL_DATA = os.environ.get("TINYCOMPRESS_DATA")
pytestmark = pytest.mark.usefixtures("alone")

PARTS = [f"data_batch_{i}.bin" for i in (1, 2, 3, 4, 5)] + ["test_batch.bin"]


def archive_of(parts: dict[str, bytes]) -> bytes:
    """A .tar.gz in an order of its own, beside other files, as the published one."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as content:
        for name, raw in [("readme.html", b"<html>"), *reversed(parts.items())]:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(raw)
            content.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


@pytest.fixture
def small(monkeypatch):
    """The parts and the archive of a stand-in with 20 images per file; each class has its share over all five."""
    rng = np.random.default_rng(1)
    labels = [*np.split(rng.permutation(np.repeat(np.arange(10), 10)), 5), rng.permutation(np.repeat(np.arange(10), 2))]
    records = [np.hstack([y[:, None], rng.integers(0, 256, (20, 3072))]).astype(np.uint8) for y in labels]
    parts = {part: record.tobytes() for part, record in zip(PARTS, records, strict=True)}
    archive = archive_of(parts)
    published = File("cifar-10-binary.tar.gz", len(archive), hashlib.sha256(archive).hexdigest())
    monkeypatch.setattr(cifar10, "IN_PART", 20)
    monkeypatch.setattr(cifar10, "SOURCE", replace(cifar10.SOURCE, files=(published,)))
    return parts, archive


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYCOMPRESS_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "cifar10" / "cifar-10-batches-bin").mkdir(parents=True)
    return tmp_path / "data" / "cifar10"


def fill(folder: Path, parts: dict[str, bytes]) -> Path:
    for part, raw in parts.items():
        (folder / "cifar-10-batches-bin" / part).write_bytes(raw)
    return folder / "cifar-10-batches-bin"


def put_archive(folder: Path, archive: bytes) -> Path:
    (folder / "cifar-10-batches-bin").rmdir()
    (folder / "cifar-10-binary.tar.gz").write_bytes(archive)
    return folder / "cifar-10-binary.tar.gz"


def decoded(raw: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels, read byte by byte as the format's description says."""
    x, y = np.empty((20, 32, 32, 3), np.float32), np.empty(20, np.int64)
    for i in range(20):
        y[i] = raw[3073 * i]
        for channel in range(3):
            for row in range(32):
                start = 3073 * i + 1 + 1024 * channel + 32 * row
                x[i, row, :, channel] = np.divide(list(raw[start : start + 32]), 255, dtype=np.float32)
    return x, y


def assert_is_whole(found, parts):
    assert pairs(found.train, found.val) == pairs(*(decoded(parts[part]) for part in PARTS[:5]))
    x_test, y_test = decoded(parts["test_batch.bin"])
    assert np.array_equal(found.x_test, x_test) and np.array_equal(found.y_test, y_test)
    assert (found.image_shape, found.classes[3], found.num_classes) == ((32, 32, 3), "cat", 10)


def test_archive_and_folder_hold_the_same_images_and_the_folder_says_whether_they_are_the_published_ones(
    small, folder, monkeypatch
):
    fill(folder, small[0])
    assert_is_whole(load("cifar10"), small[0])
    assert "which differ from the published ones" in repr(load("cifar10"))
    monkeypatch.setattr(cifar10, "UNPACKED", cifar10._digest(folder / "cifar-10-batches-bin"))
    shutil.rmtree(cache_folder("cifar10"))
    assert load("cifar10").origin == ""
    for part in PARTS:
        (folder / "cifar-10-batches-bin" / part).unlink()
    put_archive(folder, small[1])
    assert_is_whole(load("cifar10"), small[0])
    assert load("cifar10").origin == ""


def test_unpacked_once_then_mapped(small, folder, monkeypatch):
    put_archive(folder, small[1])
    load("cifar10")
    monkeypatch.setattr(cifar10, "_packed", None)  # calling it would fail
    found = load("cifar10")
    assert (len(found.y_train), len(found.y_val)) == (90, 10)  # a tenth, as in He et al. 2016
    assert_is_whole(found, small[0])
    for array in (*found.train, *found.val, *found.test):
        owner = array
        while isinstance(owner, np.ndarray):
            owner = owner.base
        assert isinstance(owner, mmap.mmap)


def test_changes_to_the_arrays_stay_in_this_process(small, folder):
    put_archive(folder, small[1])
    load("cifar10").x_train[:] = 7
    assert_is_whole(load("cifar10"), small[0])


class Internet:
    """Stands in for pooch's downloader: `content` is what arrives."""

    def __init__(self, content: bytes):
        self.content, self.calls = content, 0

    def __call__(self, **settings):
        return self.fetch

    def fetch(self, url, output_file, pooch):
        assert url == "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
        self.calls += 1
        Path(output_file).write_bytes(self.content)


def test_downloaded_once_and_a_partial_download_is_never_taken_for_the_whole(small, monkeypatch, tmp_path):
    internet = Internet(small[1][:-9])
    monkeypatch.setattr("pooch.HTTPDownloader", internet)
    with pytest.raises(ConnectionError, match=r"could not download cifar-10-binary.tar.gz of cifar10"):
        load("cifar10")
    internet.content = small[1]
    assert_is_whole(load("cifar10"), small[0])
    next((tmp_path / "cache").rglob("*.tar.gz")).unlink()  # no longer needed
    assert_is_whole(load("cifar10"), small[0])
    assert internet.calls == 2


@pytest.mark.parametrize("before", ["fresh", "loaded"])
@pytest.mark.parametrize("spoil", ["cut", "longer", "altered"])
def test_archive_that_is_not_the_published_one_is_refused_even_after_a_good_load(small, folder, before, spoil):
    path = put_archive(folder, small[1])
    if before == "loaded":
        load("cifar10")
    middle = len(small[1]) // 2
    altered = small[1][:middle] + bytes([small[1][middle] ^ 1]) + small[1][middle + 1 :]
    path.write_bytes({"cut": small[1][:-1], "longer": small[1] + b"\0", "altered": altered}[spoil])
    said = {"cut": "is cut short", "longer": "is too long", "altered": "differs from the published file: its SHA-256"}[
        spoil
    ]
    with pytest.raises(DataError, match=said) as error:
        load("cifar10")
    assert str(path) in message(error) and "get it again" in message(error)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("data_batch_2.bin", lambda raw: raw[:-1], "is cut short: 61,459 bytes, expected 61,460"),
        ("test_batch.bin", lambda raw: raw + b"\0", "is too long: 61,461 bytes, expected 61,460"),
        ("data_batch_3.bin", lambda raw: bytes([raw[0] ^ 1]) + raw[1:], "the training labels occur"),
        ("test_batch.bin", lambda raw: b"\x0a" + raw[1:], "the test labels occur"),
        ("data_batch_5.bin", None, "has no data_batch_5.bin"),
    ],
)
def test_folder_that_is_not_whole_is_refused(small, folder, part, change, said):
    fill(folder, {name: raw for name, raw in small[0].items() if name != part})
    if change:
        fill(folder, {part: change(small[0][part])})
    with pytest.raises(DataError, match=said) as error:
        load("cifar10")
    assert str(folder) in message(error)


def test_files_that_change_are_read_again(small, folder):
    fill(folder, small[0])
    load("cifar10")
    raw = small[0]["test_batch.bin"]
    changed = small[0] | {"test_batch.bin": raw[:5] + bytes([raw[5] ^ 255]) + raw[6:]}
    fill(folder, changed)
    assert_is_whole(load("cifar10"), changed)


@pytest.mark.parametrize("damaged", ["x_train.npy", "y_val.npy", "about.json"])
def test_cache_that_is_cut_short_is_written_again(small, folder, tmp_path, damaged):
    put_archive(folder, small[1])
    load("cifar10")
    path = next((tmp_path / "cache").rglob(damaged))
    for left in (path.read_bytes()[:-9], b""):
        path.write_bytes(left)
        assert_is_whole(load("cifar10"), small[0])
    path.unlink()
    assert_is_whole(load("cifar10"), small[0])


def test_a_process_that_was_slower_leaves_what_the_faster_one_wrote(small, folder, tmp_path):
    put_archive(folder, small[1])
    dataset = load("cifar10")
    cache = next((tmp_path / "cache").rglob("about.json")).parent
    files = {path.name: path.stat().st_ino for path in cache.iterdir()}
    mapped._write(cache, dataset)
    assert {path.name: path.stat().st_ino for path in cache.iterdir()} == files
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


def test_unpacking_that_is_stopped_leaves_nothing(small, folder, tmp_path, monkeypatch):
    put_archive(folder, small[1])
    saved = []

    def stop(path, array):
        saved.append(path)
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(mapped.np, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        load("cifar10")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.name != "cifar10"] == []
    monkeypatch.undo()


def test_cache_that_cannot_be_written_costs_memory_only(small, folder, monkeypatch):
    put_archive(folder, small[1])

    def full(**settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped.tempfile, "mkdtemp", full)
    assert_is_whole(load("cifar10"), small[0])


def test_one_table_says_where_each_data_set_comes_from_and_whom_to_cite():
    assert set(data.SOURCES) >= set(data.LOADERS)
    text = data.sources()
    for name, source in data.SOURCES.items():
        assert name in text and source.licence in text and source.citation in text
        for file in source.files:
            assert f"{file.size:,} bytes" in text and len(bytes.fromhex(file.sha256)) == 32
        assert all(mirror.startswith("http") and mirror in text for mirror in source.mirrors)


@pytest.mark.skipif(
    not REAL_DATA or not Path(REAL_DATA, "cifar10").is_dir(), reason="TINYCOMPRESS_DATA has no cifar10/"
)
def test_real_cifar10_is_the_known_one(monkeypatch):
    monkeypatch.setenv("TINYCOMPRESS_DATA", REAL_DATA)
    real = load("cifar10")
    assert (len(real.y_train), len(real.y_val), len(real.y_test)) == (45_000, 5_000, 10_000)
    # Widely published: the means by which the channels are often centred. The copy at hand may have another order.
    sums = real.x_train.sum((0, 1, 2), dtype=np.float64) + real.x_val.sum((0, 1, 2), dtype=np.float64)
    np.testing.assert_allclose(sums / (50_000 * 1024), [0.4914, 0.4822, 0.4465], atol=1e-3)
