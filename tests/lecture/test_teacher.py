"""Nets that train long: trained once, shown meanwhile, read from a file afterwards, and found by what decides them."""

import ast
import io
import json
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_for

import tinycompress as tc
from tinycompress.data.download import cache_folder
from tinycompress.lecture import claims
from tinycompress.selection import preparing, shown, train
from tinycompress.workshop import identity
from tinycompress.workshop import stored as module_of_stored
from tinycompress.workshop import teacher as module
from tinycompress.workshop.stored import stored
from tinycompress.workshop.teacher import TeacherPlan, augmented, teacher, teacher_file

pytestmark = pytest.mark.usefixtures("alone")

PLAN = TeacherPlan("convnet", epochs=3, lr=0.1, batch_size=64, shift=1, mirror=False, cutout=0)


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


def test_a_teacher_sees_its_images_with_the_mean_colour_where_something_was_lost(rng):
    x = rng.random((40, 8, 8, 3), np.float32)
    mean, plan = x.mean((0, 1, 2)), replace(PLAN, shift=0, cutout=4)
    lost = (augmented(x, rng, plan) == mean).all(3).sum((1, 2))
    assert lost.min() >= 4 and lost.max() == 16  # a square of 4x4 pixels, of which part may lie outside
    edges = augmented(x, rng, replace(PLAN, shift=3))
    assert (edges == mean).all(3).any() and not (edges == 0).any()
    assert np.array_equal(augmented(x, rng, replace(PLAN, shift=0)), x)


def test_training_that_is_stopped_goes_on_with_the_same_bits(monkeypatch, tmp_path):
    whole = state_of(teacher(PLAN, "digits", progress=False))
    teacher_file(PLAN, "digits").unlink()
    shifted, calls = module.shift, []

    def stopped(x, rng, pixels, fill):
        calls.append(1)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return shifted(x, rng, pixels, fill)

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


def test_a_teacher_that_comes_with_the_package_is_read_from_there_unless_the_cache_has_one(
    monkeypatch, tmp_path, capsys
):
    net, path = teacher(PLAN, "digits", progress=False), teacher_file(PLAN, "digits")
    for suffix in (".tcz", ".json"):
        path.with_suffix(suffix).rename(tmp_path / path.with_suffix(suffix).name)
    assert "comes with" not in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(module, "TRAINED", tmp_path)
        patch.setattr(module, "fit", never)
        assert state_of(teacher(PLAN, "digits", progress=False)) == state_of(net)
        right = tc.evaluate(net, tc.data.load("digits")).accuracy
        assert f"convnet, seed 0: comes with tinycompress, right on {right:.2%}" in capsys.readouterr().err
        assert not path.exists()
        tc.quantization.tcz.save(tc.models.mlp((8, 8, 1), (5,), 10, rng=0), path)
        assert len(teacher(PLAN, "digits", progress=False).state_dict()) == 4 and not capsys.readouterr().err
        path.unlink()
        packed = tmp_path / path.name
        packed.write_bytes(packed.read_bytes()[:-20])
        with pytest.raises(AssertionError, match="trained again"):
            teacher(PLAN, "digits", progress=False)


def test_the_teachers_that_come_with_the_package_are_those_of_the_plan_of_colour_images():
    paths = sorted(module.TRAINED.glob("*.tcz"))
    about = [json.loads(path.with_suffix(".json").read_text()) for path in paths]
    assert sorted(one["plan"]["seed"] for one in about) == list(range(len(paths))) and paths
    for path, one in zip(paths, about, strict=True):
        plan = TeacherPlan(seed=one["plan"]["seed"])
        assert one["plan"] == vars(plan) and one["data"] == "cifar10" and not one["origin"]
        assert module.file_name(plan, one["data_fingerprint"]) == path.name
        net = tc.quantization.tcz.load(path)
        assert net.input_shape == (32, 32, 3) and net.summary().parameters == 272_474 and one["test_accuracy"] > 0.91


def test_a_stored_net_that_is_damaged_is_made_again():
    digits, made = tc.data.load("digits"), []

    def make():
        made.append(tc.models.mlp(digits.image_shape, (5,), 10, rng=len(made)))
        return made[-1]

    first = stored("a net", (0.5, {"lr": 0.1}), digits, make, 0)
    (path,) = cache_folder("nets").iterdir()
    assert state_of(stored("a net", (0.5, {"lr": 0.1}), digits, make, 0)) == state_of(first) and len(made) == 1
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\x80\x05" + whole[50:]):
        path.write_bytes(damaged)
        stored("a net", (0.5, {"lr": 0.1}), digits, make, 0)
    assert len(made) == 4
    stored("a net", (0.5, {"lr": 0.2}), digits, make, 0)
    assert len(made) == 5 and len(list(path.parent.iterdir())) == 2


def trained_slowly(seconds):
    """Three epochs in two parts, as a method that prunes in between trains."""
    digits = tc.data.load("digits")

    def slow(x, rng):
        time.sleep(seconds)
        return x

    def make():
        net, rng = tc.models.mlp(digits.image_shape, (5,), 10, rng=0), np.random.default_rng(0)
        for epochs in (1, 2):
            train(net, digits, lr=0.1, epochs=epochs, rng=rng, batch_size=512, augment=slow)
        return net

    return stored("8 values, seed 0", (seconds,), digits, make, 3)


def test_of_several_processes_that_want_a_net_one_trains_it_and_the_others_wait(capsys):
    digits, begun, go_on = tc.data.load("digits"), threading.Event(), threading.Event()

    def make():
        begun.set()
        assert go_on.wait(60)
        return tc.models.mlp(digits.image_shape, (5,), 10, rng=0)

    with ThreadPoolExecutor() as pool:  # a lock is between open files, so that threads stand for processes
        first = pool.submit(stored, "a net", [], digits, make, 0)
        assert begun.wait(60)
        second = pool.submit(stored, "a net", [], digits, never, 0)
        wait_for("the second one to wait", lambda: "another process trains it" in capsys.readouterr().err)
        other = stored("another net", [], digits, lambda: tc.models.mlp(digits.image_shape, (5,), 10, rng=1), 0)
        assert not second.done()
        go_on.set()
        assert state_of(first.result()) == state_of(second.result()) != state_of(other)


@pytest.mark.parametrize("resumable", [True, False])
def test_stored_nets_that_were_stopped_go_on_with_the_same_bits_if_they_are_resumable(resumable):
    digits, calls = tc.data.load("digits"), []

    def make(stop=None):
        def augment(x, rng):
            calls.append(1)
            if len(calls) == stop:
                raise KeyboardInterrupt
            return tc.data.shift(x, rng)

        def net(i):
            how = {"epochs": 3, "batch_size": 512, "augment": augment, "resumable": resumable}
            mlp = tc.models.mlp(digits.image_shape, (5,), 10, rng=i)
            return train(mlp, digits, lr=0.1, rng=np.random.default_rng(i), **how)

        return [net(0), net(1)]

    whole = stored("whole", [], digits, make, 6)
    epoch = len(calls) // 6
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        stored("stopped", [], digits, lambda: make(stop=5 * epoch), 6)  # in the second epoch of the second net
    calls.clear()
    again = stored("stopped", [], digits, make, 6)
    assert len(calls) == (2 if resumable else 6) * epoch
    assert [state_of(net) for net in again] == [state_of(net) for net in whole]
    assert {path.suffix for path in cache_folder("nets").iterdir()} == {".pickle"}


@pytest.mark.parametrize("terminal", [True, False])
def test_a_net_that_trains_long_tells_its_name_its_epoch_and_the_time_left_where_somebody_looks(monkeypatch, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    trained_slowly(0.3)
    lines = stream.getvalue().split("\r")
    shown = [re.search(r"8 values, seed 0: .* epoch (\d\.\d) of 3 \[\d\d:\d\d<(\d\d:\d\d)\]", line) for line in lines]
    epochs = [float(found[1]) for found in shown if found]
    assert epochs == sorted(epochs) and bool(epochs) == terminal
    assert not terminal or (epochs[0] < 2 < epochs[-1] <= 3)
    assert "8 values, seed 0: trained in 0.0 min" in lines[-1]


def test_the_bar_of_a_net_that_is_read_from_its_file_is_not_shown(monkeypatch):
    trained_slowly(0)
    monkeypatch.setattr(module_of_stored, "shown", never)
    trained_slowly(0)


def test_a_training_that_goes_on_counts_the_epochs_before_but_not_their_time(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # bars that nobody sees count nothing
    digits, net = tc.data.load("digits"), tc.models.mlp((8, 8, 1), (5,), 10, rng=0)

    def fitted(epochs, bar):
        sgd = tc.optim.SGD(net.parameters(), 0.1)
        tc.fit(
            net,
            digits,
            optimizer=sgd,
            epochs=3,
            rng=0,
            batch_size=512,
            augment=stop(epochs),
            progress=bar,
            checkpoint=tmp_path / "c",
        )

    def stop(epochs):
        calls = []

        def augment(x, rng):
            calls.append(1)
            if len(calls) > 3 * epochs:
                raise KeyboardInterrupt
            return x

        return augment

    with shown("a net", 3) as bar:
        fitted(2, bar)
    assert bar.n == pytest.approx(2)
    with shown("a net", 3) as bar:
        fitted(3, bar)
    assert bar.n == pytest.approx(3) and bar.initial == 2


def test_what_is_computed_before_any_epoch_is_named_and_its_time_does_not_count(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    with shown("a net", 3) as bar:
        start = bar.start_t
        with preparing("the teacher's outputs"):
            named = bar.desc
            time.sleep(0.1)
        assert named == "a net: the teacher's outputs" and bar.desc == "a net"
        assert bar.start_t - start >= 0.09  # from when it counts


def test_what_is_computed_before_any_epoch_needs_no_bar(capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with preparing("outside of a bar"):
        pass
    with shown("a net", 3) as bar, preparing("where nobody looks"):
        assert bar.disable
    assert capfd.readouterr().err == ""


def test_the_code_hash_sees_what_a_module_can_run_and_neither_words_nor_other_modules(tmp_path, monkeypatch):
    package = tmp_path / "package"
    files = {
        "__init__.py": "from . import drawing",
        "net.py": "from typing import TYPE_CHECKING\nfrom . import kernels\nfrom .kernels.fast import product\n"
        "if TYPE_CHECKING:\n    from .report import table\n\ndef train():\n    from .rates import RATE\n",
        "kernels/__init__.py": "",
        "kernels/fast.py": "def product(a, b):\n    return a * b\n",
        "rates.py": "RATE = 0.1",
        "drawing.py": "width = 3",
        "report.py": "def table(): ...",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr(identity, "__file__", str(package / "workshop" / "identity.py"))

    def hashed(name, text):
        (package / name).write_text(text)
        found = identity.code_hash.__wrapped__("package.net")
        (package / name).write_text(files[name])
        return found

    before = hashed("net.py", files["net.py"])
    worded = '"""A module."""\n\ndef product(a, b):\n    """Docstring."""\n    return (a\n        * b)  # a comment\n'
    for name, text in [
        ("kernels/fast.py", worded),
        ("drawing.py", "width = 4"),
        ("report.py", "x = 1"),
        ("__init__.py", ""),
        ("net.py", files["net.py"] + 'CLAIM = Claim(note="Words.")'),
    ]:
        assert hashed(name, text) == before, name
    for name, text in [
        ("net.py", files["net.py"].replace("RATE", "OTHER")),
        ("kernels/fast.py", files["kernels/fast.py"].replace("*", "+")),
        ("kernels/__init__.py", "x = 1"),
        ("rates.py", "RATE = 0.2"),
        ("net.py", files["net.py"] + "CLAIMED = 1"),
    ]:
        assert hashed(name, text) != before, name


def test_of_a_claim_only_what_it_measures_counts(tmp_path, monkeypatch):
    package, read, parse = tmp_path / "package", [], identity.ast.parse
    package.mkdir()
    for name in ("nets", "rates", "style", "verdicts"):
        (package / f"{name}.py").write_text(f'"""{name}"""')
    claim = (
        "from . import nets\nfrom .rates import RATE, UNUSED as other\nfrom .style import COLORS\nfrom .verdicts import learns\n"
        "STEPS: int = 3\nMARGIN = 1\n"
        "def measure(seed):\n    return _trained(seed)\n\ndef _trained(seed):\n    return nets.train(RATE, STEPS)\n"
        "def effect(rows):\n    return MARGIN\n\ndef figure(rows):\n    return COLORS\n"
        "CLAIM = Claim(measure=measure, effects=(Effect(of=effect),), rests_on=learns())\n"
    )
    monkeypatch.setattr(identity, "__file__", str(package / "workshop" / "identity.py"))
    monkeypatch.setattr(identity.ast, "parse", lambda text: read.append(text) or parse(text))

    def hashed(old, new):
        assert old in claim
        (package / "claim.py").write_text(claim.replace(old, new))
        return identity.code_hash.__wrapped__("package.claim")

    before = hashed("", "")
    assert {ast.get_docstring(parse(text)) for text in read[1:]} == {"nets", "rates"}
    for old, new in [
        ("MARGIN = 1", "MARGIN = 2"),
        ("return COLORS", "return None"),
        ("return MARGIN", "return 0"),
        (", UNUSED as other", ""),
    ]:
        assert hashed(old, new) == before, old
    for old, new in [("int = 3", "int = 4"), ("_trained(seed)\n\n", "_trained(1)\n\n"), ("RATE, STEPS", "RATE")]:
        assert hashed(old, new) != before, old
    assert hashed("CLAIM = ", "ANOTHER = ") != before


@pytest.mark.parametrize(
    "line",
    [
        "for name in PLANS:\n    PLANS[name] = 2",
        "PLANS['a'] = 2",
        "PLANS |= {'a': 2}",
        "nothing = PLANS.update(a=2)",
        "nothing = (PLANS := {'a': 2})",
        "with lock:\n    PLANS = {'a': 2}",
        "from .nets import *",
        "@register\ndef unused():\n    PLANS['a'] = 2",
    ],
)
def test_what_may_change_what_a_claim_measures_counts(line, tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    (package / "nets.py").write_text("")
    monkeypatch.setattr(identity, "__file__", str(package / "workshop" / "identity.py"))

    def hashed(line):
        text = f"PLANS = {{'a': 1}}\n{line}\ndef measure():\n    return PLANS\nCLAIM = Claim(measure=measure)\n"
        (package / "claim.py").write_text(text)
        return identity.code_hash.__wrapped__("package.claim")

    assert hashed(line) != hashed("x, y = PLANS, 2") == hashed("z: int = 3")


@pytest.mark.parametrize(
    "claim", claims(["P1", "P4", "P4b", "D1", "Q1", "Q2", "Q5", "A4", "Y2"]), ids=lambda claim: claim.id
)
def test_nets_of_a_claim_outlive_its_verdicts_and_its_figure(claim, monkeypatch):
    read, parse = [], identity.ast.parse
    with monkeypatch.context() as patch:
        patch.setattr(identity.ast, "parse", lambda text: read.append(text) or parse(text))
        identity.code_hash.__wrapped__(claim.measure.__module__)
    root = Path(identity.__file__).parents[1]
    for name in ("lecture/claim", "lecture/learned", "lecture/images/doubt", "workshop/style", "workshop/interval"):
        assert (root / f"{name}.py").read_bytes() not in read, name
    for name in ("training", "functional", "workshop/colour"):
        assert (root / f"{name}.py").read_bytes() in read, name


def test_the_code_hash_of_the_methods_covers_the_engine_and_no_claim(monkeypatch):
    read, parse = [], identity.ast.parse
    with monkeypatch.context() as patch:
        patch.setattr(identity.ast, "parse", lambda text: read.append(text) or parse(text))
        identity.code_hash.__wrapped__("tinycompress.lecture.together.methods")
    root = Path(identity.__file__).parents[1]
    for name in (
        "training",
        "functional",
        "kernels/fast/conv",
        "nn/layers",
        "recipe",
        "quantization/clustering",
        "workshop/teacher",
    ):
        assert (root / f"{name}.py").read_bytes() in read, name
    for name in (
        "lecture/claim",
        "lecture/learned",
        "lecture/together/c1_three_numbers",
        "workshop/style",
        "inference/forms",
    ):
        assert (root / f"{name}.py").read_bytes() not in read, name
