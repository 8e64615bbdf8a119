"""What is not shown says how many seeds would decide it."""

from dataclasses import replace

import fake_chapter
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress.lecture import judge, report, verdict
from tinycompress.lecture.page import effect_text
from tinycompress.workshop.interval import MOST_SEEDS, seeds_to_decide

HOW = ({}, {"margin": -0.5}, {"smallest": 1.0}, {"smallest": 1.0, "equal": True})


def values_with(count, mean, spread):
    """`count` numbers of exactly this mean and sample standard deviation."""
    values = np.linspace(-1, 1, count)
    return mean + spread * values / values.std(ddof=1)


@given(st.floats(-2, 2), st.floats(0.1, 5), st.integers(2, 12), st.sampled_from(HOW))
def test_so_many_values_of_the_same_mean_and_spread_decide_and_one_fewer_does_not(mean, spread, count, how):
    found = seeds_to_decide(values_with(count, mean, spread), **how)
    if found is None:
        assert verdict(values_with(MOST_SEEDS, mean, spread), **how).verdict == "not shown"
        return
    assert verdict(values_with(found, mean, spread), **how).verdict != "not shown"
    if found > 2:
        assert verdict(values_with(found - 1, mean, spread), **how).verdict == "not shown"


def test_a_mean_on_the_margin_and_a_single_value_are_never_decided():
    assert seeds_to_decide([-1.0, 0.0], margin=-0.5) is None
    assert seeds_to_decide([1.0]) is seeds_to_decide([]) is None


def test_in_most_experiments_of_that_size_the_verdict_is_no_longer_not_shown(rng):
    found = seeds_to_decide(values_with(5, 1.0, 2.0))
    assert found == 18
    decided = [verdict(rng.normal(1.0, 2.0, found)).verdict == "supported" for _ in range(2000)]
    assert 0.4 < np.mean(decided) < 0.65  # "about": the mean of such an experiment lies on either side of ours


@pytest.mark.parametrize(("mean", "words"), [(1.0, "about 18 seeds"), (0.0, f"more than {MOST_SEEDS} seeds")])
def test_report_and_page_say_how_many_beside_not_shown_only(mean, words):
    claim = fake_chapter.make("F9", 0.0, effect=lambda rows: values_with(5, mean, 2.0))
    result = judge(claim, [{"seed": 0}], 0.0)
    (finding,) = result.findings
    assert finding.verdict == "not shown" and effect_text(finding).endswith(f", {words} would decide it")
    assert ("leaning to supported" in effect_text(finding)) == bool(finding.seeds)
    assert words in report.table([result])
    assert words in report.page([result], {"F9": b""}, {}, {})
    shown = judge(fake_chapter.make("F9", 0.0, effect=lambda rows: [1.0, 1.1]), [{"seed": 0}], 0.0)
    assert shown.findings[0].seeds is None and "would decide it" not in report.table([shown])


def test_a_single_seed_says_that_it_cannot_say():
    one = judge(fake_chapter.make("F9", 0.0, effect=lambda rows: [1.0]), [{"seed": 0}], 0.0)
    says = "+1 points, margin 0, from one seed, which cannot say how many would decide it"
    assert effect_text(one.findings[0]) == says
    known = replace(one.findings[0], doubt=0.923)  # what its test images leave open
    images = "±0.92 by the choice of test images alone"
    assert effect_text(known) == says.replace("from one seed", f"{images}, from one seed")
