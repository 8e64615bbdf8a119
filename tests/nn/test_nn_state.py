"""The state of a model: it makes another one equal, is saved whole or not at all, and foreign files are refused."""

import os

import numpy as np
import pytest
from small_nets import small_net, train_a_little

from tinycompress import nn


def test_a_state_makes_another_model_equal(rng):
    net, other = small_net(rng), small_net(rng)
    train_a_little(net, rng)
    x = rng.standard_normal((4, 8, 8, 2)).astype(np.float32)
    state = net.state_dict()
    assert other.load_state_dict(state) is other
    np.testing.assert_array_equal(other.eval()(x).data, net.eval()(x).data)
    for name, values in other.state_dict().items():
        np.testing.assert_array_equal(values, state[name])
    state["0.weight"] += 1  # neither model shares memory with the state
    np.testing.assert_array_equal(other.eval()(x).data, net.eval()(x).data)


def test_a_state_that_does_not_fit_is_listed_whole_and_changes_nothing(rng):
    net = small_net(rng)
    before, state = net.state_dict(), small_net(rng).state_dict()
    del state["0.bias"]
    state["extra"] = np.zeros(1)
    state["1.weight"] = np.zeros(5)
    with pytest.raises(ValueError) as error:
        net.load_state_dict(state)
    for part in (
        "0.bias is missing",
        "extra is not in this model",
        "1.weight has shape (5,), the model's is (4,)",
        "parametrizations",
    ):
        assert part in str(error.value)
    after = net.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_state_of_words_changes_nothing(rng):
    net = small_net(rng)
    before = net.state_dict()
    state = {**small_net(rng).state_dict(), "7.bias": np.array(["a", "b", "c"])}
    with pytest.raises(ValueError):
        net.load_state_dict(state)
    assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())


def test_a_saved_model_loads_bit_for_bit(rng, tmp_path):
    net, other, path = small_net(rng), small_net(rng), tmp_path / "net.npz"
    train_a_little(net, rng)
    net.save(path)
    assert other.load(path) is other
    for name, values in net.state_dict().items():
        assert values.dtype == other.state_dict()[name].dtype
        np.testing.assert_array_equal(values, other.state_dict()[name])
    assert os.listdir(tmp_path) == ["net.npz"]


def test_the_file_has_the_name_that_was_given(rng, tmp_path):
    nn.Dense(2, 2, rng=rng).save(tmp_path / "weights")
    assert os.listdir(tmp_path) == ["weights"]
    nn.Dense(2, 2, rng=rng).load(str(tmp_path / "weights"))


def test_a_saved_file_has_the_rights_of_any_other_new_file(rng, tmp_path):
    (tmp_path / "plain").touch()
    nn.Dense(2, 2, rng=rng).save(tmp_path / "net.npz")
    assert (tmp_path / "net.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_save_that_fails_leaves_the_old_file_whole(rng, tmp_path, monkeypatch):
    net, path = nn.Dense(2, 2, rng=rng), tmp_path / "net.npz"
    net.save(path)
    before = path.read_bytes()

    def disk_full(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", disk_full)
    with pytest.raises(OSError, match="no space"):
        net.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["net.npz"]


class Trap:
    """Fails the test if it is ever unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_damaged_pickled_and_foreign_files_are_refused(rng, tmp_path):
    net, path = nn.Dense(20, 20, rng=rng), tmp_path / "net.npz"
    net.save(path)
    whole, before = path.read_bytes(), net.state_dict()
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, weight=np.array([Trap()], object), bias=np.zeros(20))
    plain = tmp_path / "plain.npy"
    np.save(plain, np.zeros(3))
    contents = [whole[: len(whole) // 2], whole[:-1], b"", b"not a model", pickled.read_bytes(), plain.read_bytes()]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a whole .npz of a model.*save it again"):
            net.load(path)
    assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())


def test_the_error_of_a_file_that_is_no_npz_does_not_say_how_to_load_it_unsafely(rng, tmp_path):
    path = tmp_path / "net.npz"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="it is not a zip file") as error:
        nn.Dense(2, 2, rng=rng).load(path)
    assert "allow_pickle" not in str(error.value)


@pytest.mark.parametrize("kind", [complex, str, object])
def test_a_state_of_another_kind_of_numbers_is_refused(kind, rng):
    net = nn.Dense(2, 2, rng=rng)
    before = net.state_dict()
    with pytest.raises(ValueError, match="weight is .*, the model's is float32"):
        net.load_state_dict(before | {"weight": before["weight"].astype(kind)})
    net.load_state_dict({name: values.astype(np.float64) for name, values in before.items()})
    assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())


@pytest.mark.parametrize("state", [None, [1, 2], nn.Sequential()])
def test_what_is_no_state_is_refused(state, rng):
    with pytest.raises(TypeError, match="takes a dict, name -> array, as state_dict"):
        nn.Dense(2, 2, rng=rng).load_state_dict(state)


def test_a_file_with_any_byte_flipped_is_refused_or_was_not_hurt(rng, tmp_path):
    net, path = nn.Dense(4, 4, rng=rng), tmp_path / "net.npz"
    net.save(path)
    whole, before = path.read_bytes(), net.state_dict()
    refused = 0
    for place in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[place] ^= 0x5A
        path.write_bytes(damaged)
        try:
            net.load(path)
        except ValueError as error:
            refused += "not a whole .npz" in str(error) or "does not fit the model" in str(error)
        assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())
    assert refused > len(whole) / 5 / 2


def test_a_missing_file_is_named(rng, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.npz.*save a model"):
        nn.Dense(2, 2, rng=rng).load(tmp_path / "nowhere.npz")
