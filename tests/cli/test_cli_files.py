"""The commands around .tcz files: what they write, and what they say in one line when they cannot."""

import json

import numpy as np
import pytest
from other_machines import full_disk

import tinycompress as tc
from tinycompress import models
from tinycompress.cli import main
from tinycompress.nn.weighted import effective
from tinycompress.quantization import tcz


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A file as `compress` makes it in a hurry."""
    path = tmp_path_factory.mktemp("files") / "small.tcz"
    assert main(["compress", "lenet_300_100", "--out", str(path), "--epochs", "1", "--sparsity", "0.8"]) == 0
    return path


@pytest.fixture
def cli(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def test_a_net_is_compressed_as_it_was_asked_for(small):
    net = tcz.load(small)
    weights = [effective(net[i], "weight") for i in (1, 3, 5)]
    kept = sum(map(np.count_nonzero, weights)) / sum(weight.size for weight in weights)
    assert kept == pytest.approx(0.2, abs=0.001)
    assert all(len(np.unique(weight[weight != 0])) <= 8 for weight in weights)
    assert net.input_shape == (8, 8, 1)


def test_run_counts_what_the_net_gets_right(cli, small):
    data = tc.data.load("digits")
    for split in ("test", "val"):
        code, out, _ = cli("run", small, "--split", split)
        right = round(tc.evaluate(tcz.load(small), getattr(data, split)).accuracy * len(getattr(data, split)[1]))
        assert code == 0 and out.startswith(f"{right} of {len(getattr(data, split)[1])} {split} images of digits right")


def test_inspect_adds_up_and_draws(cli, small, tmp_path):
    image = tmp_path / "bytes.svg"
    code, out, _ = cli("inspect", small, "--figure", image)
    assert code == 0 and f"{small.stat().st_size:,}" in out and "1.weight" in out
    parts = [line.split() for line in out.splitlines() if "bytes  " in line]
    assert sum(int(words[-4].replace(",", "")) for words in parts) == small.stat().st_size
    assert image.read_bytes().startswith(b"<?xml")


def test_a_program_reads_the_same_as_a_person(cli, small):
    found = json.loads(cli("inspect", small, "--json")[1])
    assert found["bytes"] == small.stat().st_size == sum(part["nbytes"] for part in found["parts"])
    assert f"{found['arrays'][0]['path']} " in cli("inspect", small)[1]
    result = json.loads(cli("run", small, "--split", "val", "--json")[1])
    assert f"{result['right']} of {result['images']} val images" in cli("run", small, "--split", "val")[1]


def test_a_file_is_compressed_further(cli, small, tmp_path):
    further = tmp_path / "further.tcz"
    code, out, _ = cli("compress", small, "--out", further, "--epochs", 1, "--sparsity", 0.9, "--bits", 2, "--distil")
    assert code == 0 and "right" in out
    assert further.stat().st_size < small.stat().st_size
    before, after = tcz.load(small), tcz.load(further)
    for i in (1, 3, 5):  # what was gone is still gone
        assert not effective(after[i], "weight")[effective(before[i], "weight") == 0].any()


def test_a_net_can_be_coded_without_any_loss(cli, tmp_path):
    path = tmp_path / "net.tcz"
    arguments = ("--epochs", 1, "--sparsity", 0, "--bits", 32, "--coding", "fixed")
    assert cli("compress", "separable_net", "--out", path, *arguments)[0] == 0
    assert path.stat().st_size > 4 * models.separable_net((8, 8, 1), rng=np.random.default_rng(0)).summary().parameters


def test_the_same_seed_writes_the_same_file(cli, small, tmp_path):
    again = tmp_path / "again.tcz"
    cli("compress", "lenet_300_100", "--out", again, "--epochs", "1", "--sparsity", "0.8")
    assert again.read_bytes() == small.read_bytes()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("compress", "lenet5", "--out", "x.tcz"), "did you mean 'lenet_5'?"),
        (("compress", "lenet_5"), "--out"),
        (("compress", "lenet_5", "--out", "no/such/folder/x.tcz"), "no/such/folder does not exist"),
        (("compress", "lenet_5", "--out", "x.tcz", "--sparsity", "1.5"), "a share from 0 to below 1"),
        (("compress", "lenet_5", "--out", "x.tcz", "--bits", "9"), "9"),
        (("compress", "lenet_5", "--out", "x.tcz", "--data", "emnist"), "--data emnist"),
        (("compress", "none.tcz", "--out", "x.tcz"), "no file none.tcz"),
        (("inspect", "none.tcz"), "no file none.tcz"),
        (("run", "none.tcz"), "no file none.tcz"),
        (("inspect", "none.tcz", "--figure", "x.pdf"), "ends in .svg or .png"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(cli, arguments, words):
    code, out, error = cli(*arguments)
    assert code == 2 and out == "" and error.count("\n") == 1 and words in error


def test_a_target_without_room_is_refused_before_the_training(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("tinycompress.recipe.compress", lambda *_: pytest.fail("trained"))
    with full_disk():
        code, _, error = cli("compress", "lenet_300_100", "--out", tmp_path / "x.tcz")
    assert code == 2 and error.count("\n") == 1 and "x.tcz: its folder cannot be written" in error
    code, _, error = cli("compress", "lenet_300_100", "--out", tmp_path)
    assert code == 2 and error.count("\n") == 1 and "this is a folder" in error
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_refused_by_every_command(cli, small, tmp_path):
    damaged = tmp_path / "damaged.tcz"
    data = bytearray(small.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    for arguments in (("inspect", damaged), ("run", damaged), ("compress", damaged, "--out", tmp_path / "x.tcz")):
        code, _, error = cli(*arguments)
        assert code == 2 and "its checksum is" in error and error.count("\n") == 1
    assert not (tmp_path / "x.tcz").exists()


def test_images_of_another_size_are_refused(cli, tmp_path):
    tcz.save(models.mlp((4, 4, 1), (5,), 10, rng=np.random.default_rng(0)), tmp_path / "net.tcz")
    for command in ("run", tmp_path / "net.tcz"), ("compress", tmp_path / "net.tcz", "--out", tmp_path / "x.tcz"):
        code, _, error = cli(*command)
        assert code == 2 and "expects images of 4×4×1, but those of digits are 8×8×1" in error
