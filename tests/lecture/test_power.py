"""Verdicts on disjoint sets of seeds: each set is judged by itself, and a claim measured again replaces its entries."""

import json
import re
from dataclasses import replace
from pathlib import Path

import fake_chapter
import pytest

from tinycompress.lecture import Settings, claims, judge, power, report, run
from tinycompress.lecture.blackboard import claim_bundles
from tinycompress.lecture.language import speaking
from tinycompress.lecture.page import page
from tinycompress.lecture.power import SET
from tinycompress.lecture.tasks import not_measured


def test_each_set_is_judged_as_a_lecture_with_these_seeds_would_be():
    claim = fake_chapter.make("F5", 0.3)  # the noise is larger than the effect, so that verdicts differ
    ((entry,),) = power.power([claim], sets=4)
    alone = [run(claim, Settings(seeds=SET, first_seed=SET * i)).findings[0] for i in range(4)]
    assert entry["means"] == pytest.approx([finding.mean for finding in alone], abs=5e-5)
    words = [finding.verdict for finding in alone]
    assert entry["verdicts"] == {word: words.count(word) for word in set(words)}
    assert (entry["claim"], entry["effect"]) == ("F5", claim.effects[0].name)


def test_a_claim_that_takes_fewer_seeds_takes_the_first_of_each_set():
    claim = fake_chapter.make("F5", 0.3)
    few = replace(claim, tasks=lambda settings: claim.tasks(settings)[:3])
    ((entry,),) = power.power([few], sets=2)
    alone = [run(few, Settings(seeds=SET, first_seed=SET * i)).findings[0] for i in range(2)]
    assert entry["seeds"] == 6 and entry["means"] == pytest.approx([finding.mean for finding in alone], abs=5e-5)


def test_a_claim_that_cannot_be_measured_here_is_passed_over(capsys):
    here, absent = fake_chapter.make("F5", 0.3), fake_chapter.make("F6", 0.3, measure=no_gpu)
    assert [entry["claim"] for (entry,) in power.power([absent, here], sets=1)] == ["F5"]
    assert "F6 not measured here: no GPU" in capsys.readouterr().err


def no_gpu(*_):
    return [not_measured("no GPU", "Elsewhere.")]


@pytest.mark.parametrize(("same", "stands"), [(20, True), (19, True), (18, False), (10, False)])
def test_a_verdict_stands_if_19_of_20_sets_agree(same, stands):
    claim = fake_chapter.make("F5", 0.0, effect=lambda rows: [row["x"] for row in rows])
    sure = [1.0, 1.1, 0.9, 1.0, 1.0]
    rows = [{"seed": SET * i + k, "x": x if i < same else x - 1.0} for i in range(20) for k, x in enumerate(sure)]
    (entry,) = power.entries(claim, rows)
    assert entry["verdicts"].get("supported") == same
    assert power.stands(entry) == stands
    assert ("borderline" in power.table([entry])) == (not stands)


def test_claims_of_several_effects_get_one_entry_each():
    effect = fake_chapter.CLAIMS[0].effects[0]
    claim = fake_chapter.make("F5", 0.0, effects=(effect, replace(effect, name="the same, against 100", margin=100.0)))
    rows = [row for seed in range(2 * SET) for row in fake_chapter.measure(seed, 20.0)]
    entries = power.entries(claim, rows)
    assert [list(entry["verdicts"]) for entry in entries] == [["supported"], ["contradicted"]]
    assert entries[0]["means"] == entries[1]["means"]
    half = [row for row in rows if row["seed"] < SET]
    assert entries[0]["means"][0] == pytest.approx(judge(claim, half, 0).findings[0].mean, abs=5e-5)


def test_a_claim_measured_again_replaces_its_own_entries_only(tmp_path):
    def entry(claim_id, mean):
        return {"claim": claim_id, "effect": "e", "unit": "", "verdicts": {"supported": 1}, "means": [mean]}

    power.write([entry("P2", 1.0)], tmp_path)
    power.write([entry("P1", 1.0), entry("P1", 2.0)], tmp_path)
    power.write([entry("P2", 3.0)], tmp_path)
    found = power.read(tmp_path)
    assert [(e["claim"], e["means"]) for e in found] == [("P1", [1.0]), ("P1", [2.0]), ("P2", [3.0])]
    assert json.loads((tmp_path / "power.json").read_text(encoding="utf-8")) == found
    assert power.read(tmp_path / "none") == []


def test_what_all_seeds_say_together_is_kept_beside_the_sets():
    claim = fake_chapter.make("F5", 0.3)
    ((entry,),) = power.power([claim], sets=4)
    (finding,) = run(claim, Settings(seeds=4 * SET)).findings
    assert entry["together"]["verdict"] == finding.verdict
    assert entry["together"]["mean"] == pytest.approx(finding.mean, abs=5e-5)
    assert entry["together"]["interval"] == pytest.approx(finding.interval, abs=5e-5)


def test_the_page_says_how_often_other_seeds_agree_where_that_was_measured(tmp_path, monkeypatch):
    (result,) = [run(claims(["A1"])[0], Settings(seeds=1))]
    together = {"verdict": "exact", "mean": True, "interval": None}
    entry = {"claim": "A1", "unit": "", "seeds": 100, "verdicts": {"exact": 17, "failed": 3}, "means": [True] * 20}
    entry |= {"effect": result.claim.effects[0].name, "together": together}
    monkeypatch.setattr(power, "read", lambda folder: [entry])
    settings = {"budget": "quick", "data": "digits", "training_images": 1000}
    borderline = "borderline: 17 of 20 sets of 5 seeds exact, 3 failed (all 100 seeds together, on the same images: exact, holds)"
    assert f"Other seeds: {borderline}." in page([result], {"A1": b""}, {}, settings)
    with speaking("zh"):
        assert re.search("换别的种子.*。</p>", page([result], {"A1": b""}, {}, settings))
    with_two = [entry, entry | {"effect": result.claim.effects[1].name}]
    monkeypatch.setattr(power, "read", lambda folder: with_two)
    assert f"Other seeds: each effect: {borderline}." in page([result], {"A1": b""}, {}, settings)
    monkeypatch.setattr(power, "read", lambda folder: [entry, with_two[1] | {"verdicts": {"exact": 20}}])
    assert f"{borderline}; 20 of 20 sets of 5 seeds exact." in page([result], {"A1": b""}, {}, settings)
    open_ = entry | {"verdicts": {"not shown": 20}}
    monkeypatch.setattr(power, "read", lambda folder: [open_])  # what stands, but is open, is decided by all seeds
    assert (
        "Other seeds: 20 of 20 sets of 5 seeds not shown (all 100 seeds together, on the same images: exact, holds)."
        in page([result], {"A1": b""}, {}, settings)
    )
    assert "Other seeds" not in page([result], {"A1": b""}, {}, settings | {"data": "mnist"})
    monkeypatch.setattr(power, "read", lambda folder: [entry | {"effect": "one that no claim has any more"}])
    assert "Other seeds" not in page([result], {"A1": b""}, {}, settings)
    monkeypatch.setattr(power, "read", lambda folder: [])
    assert "Other seeds" not in page([result], {"A1": b""}, {}, settings)


def test_a_notebook_says_how_often_other_seeds_agree_below_the_verdict(tmp_path, monkeypatch):
    claim, settings = claims(["A1"])[0], Settings(seeds=1)
    report.write([run(claim, settings)], settings, tmp_path)
    together = {"verdict": "exact", "mean": True, "interval": None}
    entry = {"claim": "A1", "unit": "", "seeds": 100, "verdicts": {"exact": 17, "failed": 3}, "means": [True] * 20}
    entry |= {"effect": claim.effects[0].name, "together": together}
    monkeypatch.setattr(power, "read", lambda folder: [entry])
    (_, verdict, *_), _ = claim_bundles("A1", [tmp_path])
    assert verdict["text/markdown"].endswith("(all 100 seeds together, on the same images: exact, holds).")
    second = entry | {"effect": claim.effects[1].name, "verdicts": {"exact": 20}}
    monkeypatch.setattr(power, "read", lambda folder: [entry, second])
    (_, verdict, *_), _ = claim_bundles("A1", [tmp_path])
    one, other = verdict["text/markdown"].split("\n\n")  # each behind the verdict that it is about
    assert "borderline" in one and other.endswith("*Other seeds*: 20 of 20 sets of 5 seeds exact")


def test_a_title_that_asks_ends_in_its_question_mark():
    (stated, *_), _ = claim_bundles("P1c", [])
    assert "dig deeper?**" in stated["text/markdown"]


def test_the_committed_table_has_the_effects_of_todays_claims():
    found = power.read(Path(power.__file__).parent)
    names = {(claim.id, effect.name) for claim in claims() for effect in claim.effects}
    assert found and {(entry["claim"], entry["effect"]) for entry in found} <= names
    assert all(sum(entry["verdicts"].values()) == len(entry["means"]) == 20 for entry in found)
    assert all(entry["together"]["verdict"] for entry in found)
