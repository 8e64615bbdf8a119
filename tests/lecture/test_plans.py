"""One rule picks the plan of a budget, for all chapters."""

import importlib
import pkgutil

import pytest

import tinycompress as tc
from tinycompress import lecture
from tinycompress.lecture import plans

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
    assert (
        {"quick", "full", "paper"} <= {*known} <= {"quick", "full", "paper", "quick, many images", "full, many images"}
    )
    for budget in ("quick", "full", "paper"):
        assert plans.plan_name(known, budget, plans.MANY_IMAGES - 1) == budget
        assert plans.plan_name(known, budget, plans.MANY_IMAGES) in (f"{budget}, many images", "paper")
    assert plans.plan_name(known, "paper", plans.MANY_IMAGES) == "paper"


def test_the_plan_is_the_one_that_is_named(monkeypatch):
    digits, known = tc.data.load("digits"), {"quick": 1, "full": 2, "paper": 3, "quick, many images": 4}
    assert plans.plan_of(known, "full", digits) == 2
    monkeypatch.setattr(plans, "MANY_IMAGES", len(digits.y_train))
    assert [plans.plan_of(known, budget, digits) for budget in ("quick", "full", "paper")] == [4, 3, 3]
