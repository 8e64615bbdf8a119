"""One rule picks the plan of a budget, for all chapters."""

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import lecture
from tinycompress.data.dataset import from_arrays
from tinycompress.lecture import Settings, plans
from tinycompress.lecture.architecture import a4_accuracy
from tinycompress.lecture.architecture import nets as architecture_nets
from tinycompress.lecture.distillation.nets import PLANS, train_student
from tinycompress.selection import pick_on_validation
from tinycompress.training import evaluate

WITH_PLANS = {
    name: module.PLANS
    for chapter in lecture.CHAPTERS.values()
    for _, name, _ in pkgutil.iter_modules(importlib.import_module(chapter).__path__, f"{chapter}.")
    if hasattr(module := importlib.import_module(name), "PLANS")
}


def test_every_chapter_has_plans():
    assert {name.split(".")[2] for name in WITH_PLANS} == {*lecture.CHAPTERS}


@pytest.mark.parametrize("name", WITH_PLANS)
def test_every_budget_has_a_plan_by_its_own_name_and_with_many_images_one_that_says_so(name):
    known = WITH_PLANS[name]
    more = {"quick, many images", "full, many images", "paper, colour images"}
    assert {"quick", "full", "paper"} <= {*known} <= {"quick", "full", "paper"} | more
    for budget in ("quick", "full", "paper"):
        assert plans.plan_name(known, budget, plans.MANY_IMAGES - 1) == budget
        assert plans.plan_name(known, budget, plans.MANY_IMAGES) in (f"{budget}, many images", "paper")
    assert plans.plan_name(known, "paper", plans.MANY_IMAGES) == "paper"
    colour = plans.plan_name(known, "paper", plans.MANY_IMAGES, channels=3)
    assert colour == ("paper, colour images" if "paper, colour images" in known else "paper")
    assert plans.plan_name(known, "paper", plans.MANY_IMAGES - 1, channels=3) == "paper"


def test_the_plan_is_the_one_that_is_named(monkeypatch):
    digits, known = tc.data.load("digits"), {"quick": 1, "full": 2, "paper": 3, "quick, many images": 4}
    assert plans.plan_of(known, "full", digits) == 2
    monkeypatch.setattr(plans, "MANY_IMAGES", len(digits.y_train))
    assert [plans.plan_of(known, budget, digits) for budget in ("quick", "full", "paper")] == [4, 3, 3]


def bright(images=600, pixels=32):
    """Colour images of four classes, each a pattern on a bright ground, as much brighter than digits as photographs are."""
    rng = np.random.default_rng(0)
    patterns = rng.normal(0, 0.15, (4, pixels, pixels, 3))
    y = np.arange(images) % 4
    x = np.clip(0.55 + patterns[y] + rng.normal(0, 0.3, (images, pixels, pixels, 3)), 0, 1).astype(np.float32)
    return from_arrays("bright", x[:400], y[:400], x[400:], y[400:])


@pytest.mark.parametrize("name", WITH_PLANS)
def test_all_rates_of_a_plan_shrink_alike_on_bright_images_and_none_on_digits(name, monkeypatch):
    digits, bright_ones = tc.data.load("digits"), bright(600, 16)
    monkeypatch.setattr(plans, "BRIGHTEST", 50.0)
    scale = plans.rate_scale(bright_ones)
    assert scale == pytest.approx(50 / np.mean([np.sum(x**2) for x in bright_ones.x_train]), rel=1e-5) and scale < 0.5
    for plan in WITH_PLANS[name].values():
        assert plans.fitting(plan, digits) is plan
        assert is_dataclass(plan)
        for field in fields(plan):
            given, fitted = getattr(plan, field.name), getattr(plans.fitting(plan, bright_ones), field.name)
            if field.name.endswith(("lr", "lrs")):
                np.testing.assert_allclose(fitted, scale * np.array(given), rtol=0.005)  # rounded to three digits
            else:
                assert fitted == given


def test_a_student_learns_from_bright_images_at_rates_that_fit_them():
    dataset = bright()
    plan = plans.plan_of(PLANS, "quick", dataset)

    def accuracy(lrs):
        net, _ = pick_on_validation(lambda lr: train_student(dataset, plan, plan.student, 0, lr), lrs, dataset)
        return evaluate(net, dataset.test).accuracy

    assert accuracy(PLANS["quick"].lrs) < 0.4 < 0.8 < accuracy(plan.lrs)


@pytest.mark.parametrize("arm", ["standard", "separable"])
def test_a_wide_convolutional_net_learns_from_bright_images_at_rates_that_fit_them(arm):
    dataset = bright(pixels=16)
    own, plan = architecture_nets.PLANS["quick"], plans.plan_of(architecture_nets.PLANS, "quick", dataset)

    def accuracy(lr):
        net = a4_accuracy._conv_net(arm, max(plan.widths), dataset, plan, 0, lr)
        return evaluate(net, dataset.test).accuracy

    assert accuracy(own.conv_lrs[0]) < 0.5 < 0.7 < accuracy(plan.conv_lrs[0])


COLOURED = {"quick": 1, "full": 2, "paper": 3, f"paper, {plans.COLOUR}": 4}
GREY = {"quick": 1, "full": 2, "paper": 3}


@pytest.mark.parametrize(
    ("known", "name", "budget", "seeds", "shape", "said"),
    [
        ([GREY, COLOURED], "mine.npz", "paper", 1, (96, 96, 3), ["mirrored"]),
        ([COLOURED], "mine.npz", "paper", 1, (128, 128, 3), ["mirrored", "5 GB to train on images of 128×128"]),
        ([COLOURED], "cifar10", "paper", 1, (8, 8, 3), []),
        ([COLOURED], "cifar10", "paper", None, (8, 8, 3), ["takes 5 times as long as with one seed"]),
        ([GREY], "mine.npz", "paper", 2, (128, 128, 3), []),
        ([COLOURED], "mine.npz", "full", 2, (128, 128, 3), []),
        ([COLOURED], "mine.npz", "paper", 2, (128, 128, 1), []),
    ],
)
def test_users_are_told_how_long_it_takes_how_their_colour_images_are_changed_and_what_large_ones_need(
    monkeypatch, known, name, budget, seeds, shape, said
):
    monkeypatch.setattr(plans, "MANY_IMAGES", 10)
    labels = np.arange(40) % 2
    images = np.random.default_rng(0).random((40, *shape), np.float32)
    dataset = from_arrays("mine", images, labels, images, labels)
    settings = Settings(budget, name, seeds)
    words = plans.cautions_on_colour(known, settings, dataset)
    assert len(words) == len(said) and all(part in text for part, text in zip(said, words, strict=True))
    monkeypatch.setattr(plans, "MANY_IMAGES", 1000)
    few = plans.cautions_on_colour(known, settings, dataset)
    colour = COLOURED in known and budget == "paper" and shape[-1] == 3
    assert not colour and not few or few[0].startswith("with 34 training images, these claims compress the small nets")
