"""A finding needs nets that learned and enough test images; otherwise it says so, and never gives a verdict."""

import json
import re
from dataclasses import replace
from pathlib import Path

import fake_chapter
import numpy as np
import pytest

from tinycompress import lecture
from tinycompress.data import load
from tinycompress.data.dataset import from_arrays
from tinycompress.lecture import Settings, claims, judge, report, run
from tinycompress.lecture.distillation import d2_unseen
from tinycompress.lecture.distillation import nets as d1_nets
from tinycompress.lecture.distillation.nets import with_fewer_images
from tinycompress.lecture.images.shares import WITHOUT
from tinycompress.lecture.learned import (
    ENOUGH,
    FEWEST,
    IMAGES,
    LEARNED,
    DidNotLearn,
    Split,
    diverged,
    kept_and_left_out,
    learns,
    marked,
    must_have_learned,
    split_of,
    split_of_data,
    unlearned,
    warnings_of,
)
from tinycompress.lecture.together import c2_who_pays
from tinycompress.training import TrainingDiverged

FIGURES = Path(__file__).parents[2] / "figures"
TEN = Split(1000, 10, 100, 100)
DIGITS = json.loads((FIGURES / "claims.json").read_bytes())["claims"]


def rows_of(**accuracies):
    """Rows of three seeds: arm -> one accuracy per seed."""
    return [
        {"seed": seed, "arm": arm, "x": 0, "accuracy": value}
        for arm, values in accuracies.items()
        for seed, value in enumerate(values)
    ]


def claim_on(*nets, **fields):
    return fake_chapter.make("F9", 0.0, rests_on=nets, **fields)


# ---- which nets learned ----


@pytest.mark.parametrize("split", [TEN, Split(451, 10, 46, 43), Split(50, 2, 40, 10), Split(5, 3, 2, 1)])
def test_guessing_is_the_quantile_of_the_binomial_distribution(split):
    from scipy.stats import binom

    chance = max(1 / split.classes, split.largest / split.images)
    assert split.guessing == pytest.approx(100 * binom.ppf(0.975, split.images, chance) / split.images)
    assert split.guessing > 100 * chance


def test_a_net_that_always_names_the_largest_class_did_not_learn():
    dataset = from_arrays("unbalanced", *_images(400, 0.9), *_images(400, 0.9))
    split = split_of_data(dataset)
    assert 100 * np.mean(dataset.y_test == 0) == 90 <= split.guessing < 95
    assert "unbalanced, from 40 to 360" in " ".join(split.warnings)


def test_a_finding_that_rests_on_a_net_at_chance_is_not_measured_and_names_it():
    claim = claim_on(learns(arm=("ours", "theirs")))
    rows = marked(rows_of(ours=[9.4, 50, 50], theirs=[30, 31, 32], other=[5, 5, 5]), claim.nets, TEN)
    result = judge(claim, rows, 0)
    assert result.verdict == "not measured: ours did not learn" and result.ratios == {}
    (finding,) = result.findings
    assert finding.mean is finding.interval is None
    assert finding.holds == "ours 9.4 %; guessing alone reaches 11.9 %"
    assert "– not measured: ours did not learn" in report.table([result])
    words = [text.get_text().replace("\n", " ") for text in result.figure().texts]
    assert "did not learn: ours 9.4 %; guessing alone reaches 11.9 %" in words


def test_only_declared_nets_count_and_rows_of_nets_that_learned_stay_as_they_are():
    rows = rows_of(ours=[40, 41, 43], theirs=[9, 10, 11])
    claim = claim_on(learns(arm="ours"))
    assert marked(rows, claim.nets, TEN) == rows
    assert judge(claim, rows, 0).verdict == "supported"


def test_an_effect_may_rest_on_nets_of_its_own():
    claim = claim_on(learns(arm="theirs"))
    own = replace(claim.effects[0], name="own", rests_on=(learns(arm="ours"),))
    claim = replace(claim, effects=(*claim.effects, own))
    rows = marked(rows_of(ours=[40, 41, 43], theirs=[9, 10, 11]), claim.nets, TEN)
    assert [finding.verdict for finding in judge(claim, rows, 0).findings] == [
        "not measured: theirs did not learn",
        "supported",
    ]


def test_errors_fields_and_tests_say_which_nets_are_meant():
    net = learns("error", error=True, arm=("a", "b"), share=lambda share: share > 0.5, stage=1)
    row = {"error": 30.0, "arm": "b", "share": 0.9, "stage": 1}
    assert net.accuracy(row) == 70
    for other in ({"arm": "c"}, {"share": 0.5}, {"share": None}, {"stage": 2}, {"error": None}):
        assert net.accuracy(row | other) is None


def test_every_claim_that_trains_nets_says_which_must_have_learned():
    for claim in lecture.claims():
        if claim.plans and claim.id != "Q3":  # its rows hold no accuracy; it asks for its net before it counts bits
            assert claim.nets, claim.id


@pytest.mark.parametrize("entry", DIGITS, ids=lambda entry: entry["id"])
def test_the_nets_that_the_committed_report_rests_on_are_in_its_rows_and_learned(entry):
    (claim,) = lecture.claims([entry["id"]])
    assert marked(entry["rows"], claim.nets, split_of("digits")) == entry["rows"]
    for net in claim.nets:
        assert any(net.accuracy(row) is not None for row in entry["rows"]), net


@pytest.mark.parametrize("entry", DIGITS, ids=lambda entry: entry["id"])
def test_no_finding_of_the_committed_report_survives_nets_that_guess(entry):
    (claim,) = lecture.claims([entry["id"]])
    rows = [dict(row) for row in entry["rows"]]
    for row in rows:
        for net in claim.nets:
            if net.accuracy(row) is not None:
                row[net.value] = 90.0 if net.error else 10.0
    result = judge(claim, marked(rows, claim.nets, split_of("digits")), 0)
    for effect, finding in zip(claim.effects, result.findings, strict=True):
        assert finding.verdict.startswith("not measured") == bool(claim.nets_of(effect) or "not_measured" in rows[0])
    if claim.nets:
        result.figure()


def test_a_claim_whose_rows_hold_no_accuracy_can_ask_for_it():
    dataset = from_arrays("four", *_images(400, 0.5), *_images(400, 0.5))
    must_have_learned("the net", 70.0, dataset)
    with pytest.raises(DidNotLearn, match="the net did not learn"):
        must_have_learned("the net", 51.0, dataset)


# ---- training that fails, and data on which a claim fails ----


def _diverges(seed, shift):
    raise TrainingDiverged("every learning rate of (1, 2) diverged")


def _fails(seed, shift, *prepared):
    raise ValueError("three classes are too few")


def _own(tmp_path):
    x, y = _images(40, 0.5)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return Settings(data=tmp_path / "own.npz", seeds=2)


@pytest.mark.parametrize("timed", [False, True])
def test_training_that_diverges_is_an_outcome_and_not_an_error(timed):
    prepare = {"prepare": _diverges} if timed else {}
    measure = fake_chapter.here_and_there if timed else _diverges
    result = run(fake_chapter.make("F9", 0.0, measure=measure, timed=timed, **prepare), Settings(seeds=2))
    assert result.verdict == "not measured: a net did not learn, its training diverged"
    assert "every learning rate of (1, 2) diverged" in result.findings[0].holds
    result.figure()


@pytest.mark.parametrize(
    "fields", [{"measure": _fails}, {"prepare": _fails, "timed": True}, {"effect": lambda rows: 1 / 0}]
)
def test_a_claim_that_fails_on_own_data_is_not_measured_and_does_not_end_the_lecture(fields, tmp_path):
    claim = fake_chapter.make("F9", 0.0, **fields)
    with pytest.warns(UserWarning, match="too few|wide"):
        result = run(claim, _own(tmp_path))
    assert result.verdict == "not measured here: it fails on these data"
    assert report.draw(result)
    with pytest.raises((ValueError, ZeroDivisionError)):
        run(claim, Settings(seeds=2))


def test_a_share_of_few_images_that_is_none_is_named_once_with_how_many_would_do(tmp_path):
    def share(seed, shift):
        return with_fewer_images(load(str(settings.data)), d1_nets.PLANS["quick"], 0.01, seed)

    settings = _own(tmp_path)
    claim = fake_chapter.make("F9", 0.0, measure=share)
    claim = replace(claim, effects=(*claim.effects, replace(claim.effects[0], name="own")))
    with pytest.warns(UserWarning, match="too few|wide"):
        result = run(claim, settings)
    assert result.verdict == "not measured here: 1 % of 34 training images is less than one image"
    assert result.rows[0]["how"] == "Give data with 51 training images or more."
    assert report.table([result]).count("less than one image") == 1 and report.draw(result)


def test_a_figure_that_fails_on_own_data_does_not_end_the_lecture(tmp_path):
    def no_figure(rows):
        raise IndexError("no third class")

    claim = fake_chapter.make("F9", 100.0, figure=no_figure)
    settings = _own(tmp_path)
    with pytest.warns(UserWarning):
        result = run(claim, settings)
    with pytest.warns(UserWarning, match="F9: its figure fails"):
        report.write([result], settings, tmp_path / "out")
    with pytest.raises(IndexError):
        report.write([result], Settings(seeds=2), tmp_path / "digits")


def test_d2_is_not_measured_on_three_classes(monkeypatch):
    few = from_arrays("three", *_images(90, 0.4, 3), *_images(90, 0.4, 3))
    monkeypatch.setattr(d2_unseen.data, "load", lambda name: few)
    result = judge(d2_unseen.CLAIM, d2_unseen.measure_d2("three", "quick", 0, True), 0)
    assert result.verdict == "not measured here: 3 classes, and it leaves some out"


@pytest.mark.parametrize("claim", [d2_unseen, c2_who_pays], ids=lambda module: module.CLAIM.id)
def test_claims_by_class_say_before_they_train_that_a_class_has_no_test_image(claim, monkeypatch):
    x, y = _images(90, 0.4, 4)
    some = from_arrays("four", x, y, x[y != 2], y[y != 2])
    monkeypatch.setattr(claim.data, "load", lambda name: some)
    monkeypatch.setattr(claim, "teacher_of", None)
    result = judge(claim.CLAIM, claim.CLAIM.measure("four", "quick", 0, 1), 0)
    assert result.verdict == "not measured here: no test image of class 2"


# ---- few test images ----


def _images(count, largest, classes=2):
    """Random images, whose first class has a share `largest`."""
    y = np.zeros(count, int)
    y[int(largest * count) :] = 1 + np.arange(count - int(largest * count)) % (classes - 1)
    return np.random.default_rng(0).random((count, 4, 4, 1), np.float32), y


@pytest.mark.parametrize("images", [5, FEWEST - 1, FEWEST])
def test_nothing_is_said_about_accuracies_from_too_few_images(images):
    claim = claim_on(learns())
    rows = [row | {WITHOUT: {}} for row in rows_of(ours=[99.0] * 3, theirs=[80.0] * 3)]
    rows = marked(rows, claim.nets, Split(images, 2, images // 2, images // 2))
    few = f"not measured: {images} test images are too few, {FEWEST} would do"
    assert judge(claim, rows, 0).verdict == (few if images < FEWEST else "supported")


def test_few_images_are_named_and_not_the_net_that_is_right_on_all_of_them():
    (sizes,) = fake_chapter.make("F9", 0.0).effects
    claim = replace(claim_on(learns()), effects=(sizes, replace(sizes, name="bytes", tested_on="none")))
    rows = marked(rows_of(ours=[100.0] * 3, theirs=[100.0] * 3), claim.nets, Split(3, 2, 2, 1))
    verdicts = {finding.verdict for finding in judge(claim, rows, 0).findings}
    assert verdicts == {f"not measured: 3 test images are too few, {FEWEST} would do"}


def test_sizes_of_nets_that_learned_are_judged_on_few_images_too():
    (sizes,) = fake_chapter.make("F9", 0.0).effects
    claim = replace(claim_on(learns()), effects=(replace(sizes, tested_on="none"),))
    rows = marked(rows_of(ours=[99.0] * 3, theirs=[80.0] * 3), claim.nets, Split(20, 4, 5, 5))
    assert judge(claim, rows, 0).verdict == "supported"


def test_recalls_count_the_images_of_the_smallest_class():
    claim = claim_on(learns())
    claim = replace(claim, effects=(replace(claim.effects[0], tested_on="of a class"),))
    rows = [row | {WITHOUT: {}} for row in rows_of(ours=[99.0] * 3, theirs=[90.0] * 3)]
    rows = marked(rows, claim.nets, Split(200, 8, 60, 20))
    assert judge(claim, rows, 0).verdict == "not measured: 20 test images are too few, 30 would do"


def test_rows_say_how_many_images_there_are_and_few_are_warned_of():
    few = Split(ENOUGH - 1, 10, 40, 20)
    assert marked([{WITHOUT: {}}, {}], (), few) == [{WITHOUT: {}, IMAGES: [ENOUGH - 1, 20]}, {}]
    assert marked([{"accuracy": 9.0}], (learns(),), TEN)[0][LEARNED].keys() == {"accuracy"}
    assert Split(100, 2, 97, 3).warnings[-1].endswith("from 3 to 97 test images; no net counts as trained")
    assert not TEN.warnings and "too few" in Split(5, 2, 3, 2).warnings[0] and "wide" in few.warnings[0]


def test_few_or_unbalanced_images_to_learn_from_are_warned_of():
    test = _images(400, 0.5)

    def words(count, largest):
        return " ".join(warnings_of(from_arrays("mine", *_images(count, largest), *test)))

    assert words(400, 0.5) == ""
    assert "only 5 training images to learn from" in words(12, 0.5)
    assert (
        words(100, 0.5) == "the smallest class has only 8 validation images to choose from; 10 or more would be better"
    )
    assert re.search(r"unbalanced, from \d+ to \d+ training images", words(1000, 0.9))
    assert not warnings_of(load("digits"))


# ---- nets that are one of many ----


MANY = learns(arm=("a", "b", "c"), one_of_many=True)


def test_an_arm_of_many_that_failed_with_one_seed_is_left_out_with_all():
    rows = rows_of(ours=[40, 41, 43], a=[50, 51, 52], b=[60, 9, 62], c=[70, 71, 72])
    rows = [diverged({"seed": 2, "arm": "c"}, ValueError("too fast")) if row["accuracy"] == 72 else row for row in rows]
    rows = marked(rows, (MANY,), TEN)
    alone = [row for row in rows if row["arm"] in ("ours", "a", "b")]
    kept, left_out = kept_and_left_out([row for row in alone], (MANY,))
    assert {row["arm"] for row in kept} == {"ours", "a"} and [row["accuracy"] for row in left_out] == [60, 9, 62]
    assert unlearned(left_out, (MANY,)) == ("b", "b 9.0 %; guessing alone reaches 11.9 %")
    # Two of three are more than half: a mean over the last one says nothing about methods in general.
    assert kept_and_left_out(rows, (MANY,)) == (rows, [])
    (finding,) = judge(claim_on(MANY), rows, 0).findings
    assert finding.verdict == "not measured: b, c did not learn"
    assert finding.holds == "b 9.0 %, c diverged; guessing alone reaches 11.9 %"


def test_a_net_that_a_finding_rests_on_alone_may_not_diverge():
    claim = claim_on(learns(arm="theirs"))
    rows = [row for row in rows_of(ours=[40, 41, 43])] + [diverged({"seed": 0, "arm": "theirs"}, ValueError("x"))]
    result = judge(claim, rows, 0)
    assert result.verdict == "not measured: theirs did not learn" and result.findings[0].holds == "theirs diverged"
    result.figure()


@pytest.mark.parametrize(
    "claim_id, where",
    [
        ("P1", {"arm": "all at once", "removed": 0.98}),
        ("P1", {"arm": "a little at a time", "removed": 0.9}),
        ("P4", {"removed": 0.75}),
        ("Q2", {"arm": "centroids fine-tuned", "k": 16}),
        ("Q2", {"arm": "centroids fine-tuned", "k": 2}),
        ("Q2", {"arm": "pulled while training", "k": 3}),
        ("Q5", {"stage": "arithmetic"}),
        ("A5", {"arm": "after", "choice": "by budget"}),
    ],
)
def test_a_trained_arm_at_chance_gets_no_verdict_and_is_named(claim_id, where):
    (claim,) = claims([claim_id])
    entry = next(entry for entry in DIGITS if entry["id"] == claim_id)
    chance = {"accuracy": 10.0, "error": 90.0}
    rows = [
        row | {key: chance[key] for key in chance if key in row} if where.items() <= row.items() else row
        for row in entry["rows"]
    ]
    assert all(finding.mean is not None for finding in judge(claim, entry["rows"], 0).findings)
    found = judge(claim, marked(rows, claim.nets, TEN), 0).findings
    unsure = [finding for finding in found if finding.mean is None]
    assert unsure and all("did not learn" in finding.verdict for finding in unsure)
