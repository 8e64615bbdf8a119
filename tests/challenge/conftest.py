"""What tests of the challenge share: one that was made once, and hand-ins."""

import shutil

import numpy as np
import pytest

import tinycompress as tc
from tinycompress.challenge.folders import new
from tinycompress.quantization import tcz


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A challenge on the digits, as `new` writes it: the most accurate in 8,192 bytes."""
    return new(tmp_path_factory.mktemp("made") / "challenge", "accuracy", "digits")


@pytest.fixture
def students(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "students")


@pytest.fixture
def staff(made, tmp_path):
    return shutil.copytree(made[1], tmp_path / "staff")


@pytest.fixture(scope="session")
def data(made):
    return tc.data.load(made[0] / "data.npz")


@pytest.fixture(scope="session")
def trained(data):
    """A small net that has learnt the digits."""
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (16,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=8, rng=rng, progress=False)
    return net


@pytest.fixture(scope="session")
def hand_in(trained):
    """The bytes of a valid hand-in."""
    return tcz.to_bytes(trained)
