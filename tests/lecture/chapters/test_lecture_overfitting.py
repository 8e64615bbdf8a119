"""Claim Q4b: wrong labels are as many as asked for, stopping early repeats the training, and each share decides on its own."""

import numpy as np
import pytest

import tinycompress as tc
from tinycompress.lecture.quantization import q4b_overfitting as q4b

PLAN = q4b.Plan(few=(60,), few_draws=2, images=80, draws=1, wrong=(0.0, 0.5), epochs=3, widths=(20,), lrs=(0.1,))


def test_a_spoiled_data_set_has_as_many_wrong_labels_as_asked_for_on_the_same_images():
    dataset = tc.data.load("digits")
    clean, spoiled = (q4b.spoiled(dataset, 200, wrong, [3, 0]) for wrong in (0.0, 0.2))
    assert np.array_equal(clean.x_train, spoiled.x_train)
    assert (clean.y_train != spoiled.y_train).sum() == 40
    assert spoiled.y_train.min() >= 0 and spoiled.y_train.max() <= 9
    place = {image.tobytes(): label for image, label in zip(dataset.x_train, dataset.y_train, strict=True)}
    assert all(place[x.tobytes()] == y for x, y in zip(clean.x_train, clean.y_train, strict=True))
    assert np.array_equal(spoiled.y_val, dataset.y_val) and np.array_equal(spoiled.y_test, dataset.y_test)


def test_the_error_on_wrong_labels_is_that_of_labels_replaced_at_random(rng):
    right, predicted = rng.integers(0, 10, (2, 200_000))
    predicted = np.where(rng.random(len(right)) < 0.7, right, predicted)
    labels = np.where(rng.random(len(right)) < 0.4, (right + rng.integers(1, 10, len(right))) % 10, right)
    error = 100 * (predicted != right).mean()
    assert q4b.with_wrong_labels(error, 0.4, 10) == pytest.approx(100 * (predicted != labels).mean(), abs=0.4)
    assert q4b.with_wrong_labels(error, 0.0, 10) == error


def test_stopping_early_repeats_the_first_epochs_of_the_longer_training():
    some, curve = q4b.spoiled(tc.data.load("digits"), 80, 0.5, [0, 0]), []
    q4b._train("float", some, PLAN, [0, 0], 0.1, curve=curve)
    for epochs in (1, 2):
        shorter = []
        net = q4b._train("float", some, PLAN, [0, 0], 0.1, epochs, shorter)
        assert shorter == curve[:epochs]
        assert tc.evaluate(net, some.val).accuracy == curve[epochs - 1]


def test_q4b_decides_each_amount_of_wrong_labels_on_its_own():
    made = [
        {"seed": s, "arm": arm, "images": images, "wrong": wrong, "draw": 0, "gap": gap + 0.01 * s}
        for s in (0, 1, 2)
        for images, wrong, binary in ((100, 0.0, 4), (300, 0.0, 9.9), (300, 0.1, 10), (300, 0.2, 14), (300, 0.4, 2))
        for arm, gap in (("float", 10), ("binary", binary), ("float, dropout", 7), (q4b.STOPPED, 5))
    ]
    expected = {(0.0,): 3.05, (0.1, 0.2): -2, (0.4,): 8}
    for wrong, effect in expected.items():
        assert q4b.effect_q4b(made, "gap", wrong) == pytest.approx([effect] * 3)
    usual = "dropout in place of binary: +3.0; stopped early in place of binary: +5.0"
    assert q4b.each_q4b(made, "gap", (0.4,)) == usual
    words = q4b.each_q4b(made, "gap", (0.1, 0.2))
    assert words == f"10 %: +0.0, no difference; 20 %: -4.0, contradicted; {usual}"
    assert q4b.each_q4b(made, "gap", (0.0,)).startswith("100 images: +6.0, supported; 300 images: +0.1")
    assert q4b.effect_q4b(made, "gap", (0.5,)) == []


def test_the_effects_of_q4b_cover_every_share_of_wrong_labels_of_its_plans():
    covered = [share for effect in q4b.CLAIM.effects for share in effect.of.keywords["wrong"]]
    for name in q4b.PLANS:
        assert set(q4b.PLANS[name].wrong) == set(covered)
