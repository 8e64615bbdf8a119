"""Intervals know how many test images there are."""

import pickle
from dataclasses import replace

import fake_chapter
import numpy as np
import pytest

from tinycompress import evaluate, models
from tinycompress.data import load
from tinycompress.lecture import Effect, judge, report
from tinycompress.lecture.images.doubt import decided, doubt, number_of_images
from tinycompress.lecture.images.shares import (
    GROUPS,
    IMAGES,
    WITHOUT,
    Share,
    accuracy_on,
    groups_of,
    mean_of,
    percent_of,
)
from tinycompress.lecture.learned import ENOUGH, Split, learns, marked
from tinycompress.lecture.tasks import plain
from tinycompress.workshop.interval import MOST_TIMES, images_to_decide, seeds_to_decide, verdict

RNG = np.random.default_rng(0)


def effect(rows):
    """Per seed, the accuracy of our arm minus theirs."""
    return [ours["accuracy"] - theirs["accuracy"] for ours, theirs in zip(rows[::2], rows[1::2], strict=True)]


def rows_of(*seeds):
    """Rows of two arms per seed, from whether each net gets each image right: (ours, theirs) per seed."""
    arms = [(seed, arm, right) for seed, nets in enumerate(seeds) for arm, right in zip("ab", nets, strict=True)]
    counts = {IMAGES: [len(arms[0][-1]), len(arms[0][-1]) // 2]}
    return [plain({"seed": seed, "arm": arm, "accuracy": percent_of(right)}, "") | counts for seed, arm, right in arms]


# ---- shares ----


def test_a_share_is_the_percentage_of_images_and_knows_it_without_each_group_of_them():
    right = RNG.random(203) < 0.8
    found, group = percent_of(right), groups_of(203)
    assert found == pytest.approx(100 * right.mean()) and len(found.without) == GROUPS
    assert found.without == pytest.approx([100 * right[group != g].mean() for g in range(GROUPS)])
    assert np.bincount(group).max() - np.bincount(group).min() <= 1


def test_the_groups_are_those_of_all_images_whichever_are_asked():
    right, asked = RNG.random(200) < 0.8, np.arange(200) % 3 == 0
    part, whole = percent_of(right, asked), percent_of(np.where(asked, right, 0))
    assert part == pytest.approx(100 * right[asked].mean())
    assert part.without == pytest.approx(100 * whole.without / percent_of(asked).without)


def test_a_group_without_any_of_the_images_asked_changes_nothing():
    found = percent_of([1, 0, 1], np.array([True, True, False]))
    assert found == 50 and sorted(found.without) == [0] + [50] * (GROUPS - 2) + [100]


def test_a_count_that_rests_on_several_images_goes_with_any_of_them():
    counts, group = np.array([1.0, 0, 1, 1]), np.array([[0, 1], [1, 2], [2, 3], [3, 3]])
    found = percent_of(counts, group=group)
    assert found == 75 and found.without[:4] == pytest.approx([200 / 3, 100, 100, 50])


def test_a_share_that_no_image_has_a_part_in_is_an_error():
    with pytest.raises(ValueError, match="none of the 5 test images"):
        percent_of(np.ones(5), np.zeros(5, bool))


def test_means_and_remainders_of_shares_are_those_of_their_images():
    right = RNG.random((3, 100)) < 0.7
    mean, same = mean_of(percent_of(one) for one in right), percent_of(right.mean(0))
    assert mean == pytest.approx(same) and mean.without == pytest.approx(same.without)
    rest, wrong = percent_of(right[0]).rest, percent_of(~right[0])
    assert rest == pytest.approx(wrong) and rest.without == pytest.approx(wrong.without)


def test_a_share_survives_a_process_and_a_row():
    share, other = (percent_of(RNG.random(50) < 0.5) for _ in range(2))
    again = pickle.loads(pickle.dumps(share))
    assert isinstance(again, Share) and again == share and (again.without == share.without).all()
    row = plain({"accuracy": share, "recalls": [share, other], "epochs": 3}, "here")
    assert [type(value) for value in (row["accuracy"], *row["recalls"])] == [float] * 3 and row["epochs"] == 3
    assert row[WITHOUT]["accuracy"] == share.without.round(3).tolist()
    assert row[WITHOUT]["recalls"] == np.stack([share.without, other.without], axis=1).round(3).tolist()
    assert WITHOUT not in plain({"accuracy": 99.0, "recalls": []}, "here")
    with pytest.raises(TypeError, match="'recalls' mixes shares"):
        plain({"recalls": [share, 3.0]}, "here")


def test_the_accuracy_on_a_split_is_that_of_evaluate_and_so_is_that_without_a_group():
    digits = load("digits")
    net = models.mlp(digits.image_shape, (8,), digits.num_classes, rng=np.random.default_rng(0))
    found, group = accuracy_on(net, digits.test), groups_of(len(digits.y_test))
    assert found == pytest.approx(100 * evaluate(net, digits.test).accuracy)
    x, y = (some[group != 3] for some in digits.test)
    assert found.without[3] == pytest.approx(100 * evaluate(net, (x, y)).accuracy)


# ---- the doubt that the images leave ----


@pytest.mark.parametrize("size", [60, 451])
def test_the_doubt_of_a_difference_is_that_of_its_images(size):
    """A mean over n images has the standard error s / √n, which the jackknife estimates from groups."""
    found = []
    for _ in range(200):
        nets = RNG.random((2, size)) < 0.8
        error = (1.0 * nets[0] - nets[1]).std(ddof=1) / np.sqrt(size)
        found.append(doubt(effect, rows_of(nets), points=False) / (100 * 2.262 * error))
    assert np.mean(np.square(found)) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize(
    ("errors", "size"), [((0.05, 0.05), 100), ((0.3, 0.2), 40), ((0.01, 0.02), 451), ((0.01, 0.03), 300)]
)
def test_the_interval_contains_the_difference_on_all_images(errors, size):
    """Two nets whose errors fall on other images; five seeds agree, so all that differs is which images are tested."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(300):
        wrong = rng.choice(3, size, p=(1 - sum(errors), *errors))  # 1: ours alone, 2: theirs alone is wrong
        rows = rows_of(*[(wrong != 1, wrong != 2)] * 5)
        low, high = verdict(effect(rows), doubt=doubt(effect, rows)).interval
        hits += low <= 100 * (errors[1] - errors[0]) <= high
    assert hits >= 0.92 * 300


@pytest.mark.parametrize("common", [0.0, 0.5, 1.0])
def test_what_seeds_differ_in_is_not_counted_twice(common):
    """The interval over five seeds contains the truth whichever part of the images all of them find hard, and is not too wide."""
    rng, hits, halves = np.random.default_rng(1), 0, []
    errors = np.array([[0.05], [0.1]])
    for _ in range(200):
        hard, always = rng.random((2, 451)) < errors, rng.random((2, 451)) < common
        rows = rows_of(*[~np.where(always, hard, rng.random((2, 451)) < errors) for _ in range(5)])
        low, high = verdict(effect(rows), doubt=doubt(effect, rows)).interval
        hits += low <= 100 * (errors[1, 0] - errors[0, 0]) <= high
        halves.append((high - low) / 2)
    variance = float((errors * (1 - errors)).sum()) / 451 * (common + (1 - common) / 5)  # of the mean over five seeds
    assert hits >= 0.92 * 200 and np.mean(halves) < 1.3 * 2.5 * 100 * variance**0.5


def test_the_doubt_follows_any_function_of_the_rows():
    rows = rows_of(RNG.random((2, 500)) < 0.8)
    twice = doubt(lambda rows: [2 * value for value in effect(rows)], rows)
    assert twice == pytest.approx(2 * doubt(effect, rows))
    first = doubt(lambda rows: [rows[0]["accuracy"]], rows)
    log = doubt(lambda rows: [np.log(rows[0]["accuracy"])], rows, points=False)
    assert log == pytest.approx(first / rows[0]["accuracy"], rel=0.01)
    assert doubt(lambda rows: [7.0], rows, points=False) == 0
    found = decided(rows, lambda rows, sign, times: [sign * effect(rows)[0]] * times, -1, times=3)
    assert found.effect == pytest.approx(-effect(rows)[0])
    assert found.interval[1] - found.effect == pytest.approx(doubt(effect, rows))


@pytest.mark.parametrize("nothing", [[], [float("nan")]])
def test_an_effect_that_needs_all_images_is_an_error(nothing):
    rows = rows_of(RNG.random((2, 60)) < 0.8)
    with pytest.raises(ValueError, match="without a tenth of the test images"):
        doubt(lambda some: nothing, rows)


def test_nets_that_agree_on_all_images_may_differ_by_one():
    same = np.ones(30, bool)
    rows = rows_of((same, same))
    assert number_of_images(rows) == 30 and doubt(effect, rows) == pytest.approx(196 / 30, rel=1e-3)
    assert doubt(effect, rows, of_a_class=True) == pytest.approx(196 / 15, rel=1e-3)
    assert doubt(effect, rows, points=False) == 0


def test_a_mean_over_classes_has_no_least_doubt_once_an_image_tells_the_nets_apart():
    ours, theirs = np.ones(60, bool), np.arange(60) > 0
    rows, same = rows_of((ours, theirs)), rows_of((ours, ours))
    assert (
        doubt(effect, rows, of_a_class=True) == doubt(effect, rows, points=False) < doubt(effect, same, of_a_class=True)
    )


def test_rows_that_do_not_know_their_images_have_an_interval_over_seeds_alone_and_say_so():
    rows = rows_of(*RNG.random((5, 2, 451)) < 0.8)
    without = [{key: value for key, value in row.items() if key != WITHOUT} for row in rows]
    assert doubt(effect, without) is None
    found = [judge(claim_on_images(), some, 0) for some in (rows, without)]
    assert found[1].findings[0].interval == verdict(effect(rows)).interval != found[0].findings[0].interval
    assert ["over seeds alone" in report.table([one]) for one in found] == [False, True]


def test_doubt_widens_an_interval_as_independent_causes_do_and_no_number_of_seeds_removes_it():
    values = [1.0, 2.0, 4.0, 3.0]
    alone, both = verdict(values), verdict(values, doubt=2.0)
    halves = [(high - low) / 2 for _, _, (low, high) in (alone, both)]
    assert halves[1] == pytest.approx(np.hypot(halves[0], 2.0))
    assert verdict(values, doubt=0.0) == alone
    assert seeds_to_decide(values, doubt=2.0) > seeds_to_decide(values)
    assert seeds_to_decide(values, doubt=2.6) is None


def test_as_many_times_more_images_decide_and_one_time_fewer_does_not():
    values = [1.0, 1.2, 0.8, 1.1, 0.9]
    times = images_to_decide(values, doubt=3.0)
    assert verdict(values, doubt=3.0 / times**0.5).verdict == "supported"
    assert verdict(values, doubt=3.0 / (times - 1) ** 0.5).verdict == "not shown"
    assert images_to_decide([1.0, -1.0, 0.5], doubt=1.0) is None  # the seeds disagree, too
    assert images_to_decide(values, doubt=11 * MOST_TIMES**0.5) is None
    assert images_to_decide([1.0], doubt=1.0) is None


# ---- verdicts ----


def claim_on_images(**fields):
    found = Effect("ours minus theirs", effect, "points", **fields)
    return replace(fake_chapter.make("F9", 0.0, rests_on=(learns(),)), effects=(found,))


def judged(nets, size, **fields):
    claim = claim_on_images(**fields)
    return judge(claim, marked(rows_of(*nets), claim.nets, Split(size, 2, size // 2, size // 2)), 0)


@pytest.mark.parametrize("size", [60, ENOUGH - 1, ENOUGH, 451])
def test_seeds_that_agree_do_not_decide_what_few_images_leave_open(size):
    """Two images of all tell the nets apart: on this side of ENOUGH as on the other."""
    ours, theirs = np.ones(size, bool), np.ones(size, bool)
    theirs[:2] = False
    result = judged([(ours, theirs)] * 5, size)
    (finding,) = result.findings
    assert finding.verdict == "not shown" and finding.mean == pytest.approx(200 / size)
    assert finding.interval[1] - finding.mean == pytest.approx(finding.doubt)
    assert finding.seeds is None and finding.images > 1
    words = f"leaning to supported, {finding.images} times as many test images would decide it"
    assert words in report.table([result])


def test_images_and_seeds_that_both_agree_decide():
    ours, theirs = np.ones(451, bool), np.arange(451) % 10 > 0
    assert judged([(ours, theirs)] * 5, 451).verdict == "supported"
    assert judged([(theirs, ours)] * 5, 451).verdict == "contradicted"
    assert judged([(ours, ours)] * 5, 451, smallest=1.0).verdict == "no difference"
    assert judged([(ours, ours)] * 5, 100, smallest=1.0).verdict == "not shown"


def test_an_effect_that_counts_no_images_has_no_doubt():
    claim = claim_on_images(tested_on="none")
    ours, theirs = np.ones(60, bool), np.arange(60) > 0
    rows = marked(rows_of(*[(ours, theirs)] * 3), claim.nets, Split(60, 2, 30, 30))
    assert rows[0][IMAGES] == [60, 30] and judge(claim, rows, 0).findings[0].doubt == 0


def test_a_finding_that_more_of_neither_alone_would_decide_says_so():
    nets = [(np.ones(60, bool), np.arange(60) >= wrong) for wrong in (1, 1, 0)]
    result = judged(nets, 60)
    assert result.findings[0].images is result.findings[0].seeds is None
    assert "only more seeds and more test images would decide it" in report.table([result])
