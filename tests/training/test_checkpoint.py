"""Checkpoints: a killed run goes on with the same bits; damaged files and those of other runs are refused."""

import subprocess
import sys

import numpy as np
import pytest
from waiting import wait_for

import tinycompress as tc
from tinycompress import nn, optim

# A run with all that changes as it goes: velocities, running averages, dropout and stochastic signs with generators of their own.
PROGRAM = """
import sys, time
import numpy as np
import tinycompress as tc
from tinycompress import data, nn, optim
from tinycompress.quantization import binarize_weights

file, result, make, epochs, pause = *sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5])
rng = np.random.default_rng(3)
x, y = rng.random((40, 8, 8, 1), np.float32), np.arange(40) % 3
net = nn.Sequential(
    nn.Conv2d(1, 4, padding="same", rng=rng), nn.BatchNorm(4), nn.ReLU(), nn.Flatten(),
    nn.Dropout(0.3, rng=np.random.default_rng(4)), nn.Dense(256, 16, rng=rng), nn.Dropout(0.1, rng=rng),
    nn.Dense(16, 3, rng=rng),
)
binarize_weights(net, layers=["5"], stochastic=True, rng=np.random.default_rng(5))

def augment(x, rng):
    time.sleep(pause)
    return data.mirror(data.shift(x, rng), rng)

optimizer = {"SGD": lambda p: optim.SGD(p, 0.05, momentum=0.9), "Adam": lambda p: optim.Adam(p, 0.01)}[make](net.parameters())
history = tc.fit(net, (x, y), optimizer=optimizer, epochs=epochs, rng=rng, batch_size=8, schedule=optim.one_cycle(),
                 augment=augment, validation=(x, y), clip_grad_norm=1.0, checkpoint=file or None, progress=False)
np.savez(result, loss=history.loss, lr=history.lr, accuracy=history.val_accuracy, next=rng.random(), **net.state_dict())
"""


def start(*arguments):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, text=True)


def finish(process):
    _, errors = process.communicate()
    assert process.returncode == 0, errors


@pytest.mark.parametrize("make", ["SGD", "Adam"])
def test_a_killed_run_goes_on_with_the_same_bits(make, tmp_path):
    finish(start("", tmp_path / "whole.npz", make, 6, 0))
    file, result = tmp_path / "run.npz", tmp_path / "resumed.npz"
    process = start(file, result, make, 6, 0.1)
    wait_for("the first checkpoint", file.exists)
    process.kill()
    process.communicate()
    assert not result.exists()
    with np.load(file) as about:
        assert '"loss": [' in about["about"].item()
    finish(start(file, result, make, 6, 0))
    with np.load(tmp_path / "whole.npz") as whole, np.load(result) as resumed:
        assert set(whole) == set(resumed) and len(whole["loss"]) == 6
        assert all(whole[name].tobytes() == resumed[name].tobytes() for name in whole)
    assert sorted(path.name for path in tmp_path.iterdir() if ".part" not in path.name) == [
        "resumed.npz",
        "run.npz",
        "whole.npz",
    ]


def fit(path, epochs=2, width=4, lr=0.1, rng=0, images=12):
    start = np.random.default_rng(1)
    net = nn.Sequential(nn.Dense(2, width, rng=start), nn.Dense(width, 3, rng=start))
    x, y = np.random.default_rng(5).random((images, 2), np.float32), np.arange(images) % 3
    sgd = optim.SGD(net.parameters(), lr, momentum=0.9)
    history = tc.fit(net, (x, y), optimizer=sgd, epochs=epochs, rng=rng, checkpoint=path, progress=False)
    return net, history


def test_a_finished_run_is_had_back_without_training(tmp_path):
    first, history = fit(tmp_path / "a.npz")
    again, same = fit(tmp_path / "a.npz", rng=9)  # the generator's state comes from the file
    assert history == same
    assert all(np.array_equal(values, again.state_dict()[name]) for name, values in first.state_dict().items())


@pytest.mark.parametrize("other", [{"epochs": 3}, {"lr": 0.2}, {"width": 5}, {"images": 13}], ids=str)
def test_the_checkpoint_of_another_run_is_refused(other, tmp_path):
    fit(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="is the checkpoint of another run"):
        fit(tmp_path / "a.npz", **other)


@pytest.mark.parametrize("damage", ["cut", "altered", "foreign"])
def test_a_damaged_checkpoint_is_refused(damage, tmp_path):
    path = tmp_path / "a.npz"
    net, _ = fit(path)
    raw = path.read_bytes()
    at = raw.index(net[0].weight.data.tobytes())
    damaged = {"cut": raw[:-30], "altered": raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], "foreign": b"hello"}
    path.write_bytes(damaged[damage])
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        fit(path)


def test_a_checkpoint_that_cannot_be_read_is_not_called_damaged(tmp_path):
    path = tmp_path / "a.npz"
    path.mkdir()
    with pytest.raises(OSError, match="a.npz"):
        fit(path)


def test_settings_of_numpys_types_are_those_of_the_same_run(tmp_path):
    path, how = tmp_path / "a.npz", {"epochs": np.int64(2), "lr": np.float32(0.1)}
    _, history = fit(path, **how)
    assert fit(path, **how)[1] == history


@pytest.mark.parametrize("kind", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_the_state_of_any_generator_of_numpy_is_kept(kind, tmp_path):
    def generator():
        return np.random.Generator(getattr(np.random, kind)(7))

    one, two = generator(), generator()
    fit(tmp_path / "a.npz", rng=one)
    fit(tmp_path / "a.npz", rng=two)
    assert one.random() == two.random() != generator().random()
