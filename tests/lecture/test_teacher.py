"""Teachers: trained once, read from a file afterwards, and found by their plan and data alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

import tinycompress as tc
from tinycompress.data.download import cache_folder
from tinycompress.workshop import teacher as module
from tinycompress.workshop.stored import stored
from tinycompress.workshop.teacher import TeacherPlan, teacher, teacher_file

pytestmark = pytest.mark.usefixtures("alone")

PLAN = TeacherPlan("convnet", epochs=3, lr=0.1, batch_size=64, shift=1, mirror=False)


def never(*arguments, **options):
    raise AssertionError("it was trained again")


def state_of(net):
    return {name: values.tobytes() for name, values in net.state_dict().items()}


def test_a_teacher_is_trained_once_and_then_read_with_the_same_bits(monkeypatch):
    first = teacher(PLAN, "digits", progress=False)
    monkeypatch.setattr(module, "fit", never)
    again = teacher(TeacherPlan(**vars(PLAN)), "digits", progress=False)
    assert state_of(first) == state_of(again)
    digits, about = tc.data.load("digits"), json.loads(teacher_file(PLAN, "digits").with_suffix(".json").read_text())
    assert about["plan"]["net"] == "convnet" and len(about["loss"]) == 3
    assert tc.evaluate(again, digits).accuracy == about["test_accuracy"] > 0.8
    assert isinstance(again[0], tc.nn.Normalize)  # it takes raw pixels
    names = {path.suffix for path in teacher_file(PLAN, "digits").parent.iterdir()}
    assert names == {".tcz", ".json"}


def test_every_setting_of_the_plan_and_the_content_of_the_data_count(tmp_path):
    changes = {"net": "resnet", "clip_grad_norm": None, "mirror": True}
    files = {teacher_file(replace(PLAN, **{name: changes.get(name, 7)}), "digits") for name in vars(PLAN)}
    digits = tc.data.load("digits")
    for i in range(2):
        arrays = {"x_train": digits.x_train[i:], "y_train": digits.y_train[i:]}
        np.savez(tmp_path / f"{i}.npz", **arrays, x_test=digits.x_test, y_test=digits.y_test)
        files.add(teacher_file(PLAN, str(tmp_path / f"{i}.npz")))
    assert len(files | {teacher_file(PLAN, "digits")}) == len(vars(PLAN)) + 3


def test_training_that_is_stopped_goes_on_with_the_same_bits(monkeypatch, tmp_path):
    whole = state_of(teacher(PLAN, "digits", progress=False))
    teacher_file(PLAN, "digits").unlink()
    shifted, calls = module.shift, []

    def stopped(x, rng, pixels):
        calls.append(1)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return shifted(x, rng, pixels)

    monkeypatch.setattr(module, "shift", stopped)
    with pytest.raises(KeyboardInterrupt):
        teacher(PLAN, "digits", progress=False)
    assert not teacher_file(PLAN, "digits").exists()
    batches = -(-len(tc.data.load("digits").y_train) // 64)
    assert state_of(teacher(PLAN, "digits", progress=False)) == whole
    assert len(calls) == 30 + (3 - 30 // batches) * batches  # whole epochs were not trained again


def test_a_damaged_file_is_never_taken_for_a_teacher():
    whole = state_of(teacher(PLAN, "digits", progress=False))
    path = teacher_file(PLAN, "digits")
    path.write_bytes(path.read_bytes()[:-20])
    assert state_of(teacher(PLAN, "digits", progress=False)) == whole


def test_a_stored_net_that_is_damaged_is_made_again():
    digits, made = tc.data.load("digits"), []

    def make():
        made.append(tc.models.mlp(digits.image_shape, (5,), 10, rng=len(made)))
        return made[-1]

    first = stored("a net", (0.5, {"lr": 0.1}), digits, make)
    (path,) = cache_folder("nets").iterdir()
    assert state_of(stored("a net", (0.5, {"lr": 0.1}), digits, make)) == state_of(first) and len(made) == 1
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\x80\x05" + whole[50:]):
        path.write_bytes(damaged)
        stored("a net", (0.5, {"lr": 0.1}), digits, make)
    assert len(made) == 4
    stored("a net", (0.5, {"lr": 0.2}), digits, make)
    assert len(made) == 5 and len(list(path.parent.iterdir())) == 2
