"""The claim machine: one verdict rule, tasks anywhere with the same result, nothing measured twice after an interrupt."""

import json
import os
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from multiprocessing import get_context

import fake_chapter
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import wait_for

import tinycompress as tc
from tinycompress import lecture
from tinycompress.lecture import Settings, Store, claims, judge, run, run_all, store, verdict
from tinycompress.lecture.claim import disagreements
from tinycompress.lecture.tasks import plain
from tinycompress.workshop import identity
from tinycompress.workshop.identity import source_hash
from tinycompress.workshop.interval import mean_interval, seed_band

F1, F2, F3, F4 = fake_chapter.CLAIMS
THREE = Settings(seeds=3)
numbers = st.floats(-1e3, 1e3).map(lambda x: round(x, 3))
several = st.lists(numbers, min_size=2, max_size=12)


@pytest.fixture
def measured(monkeypatch):
    """The seeds measured since, in order."""
    seeds = []
    monkeypatch.setattr(fake_chapter, "before_task", seeds.append)
    return seeds


def interrupt_at(monkeypatch, last):
    def hook(seed):
        if seed == last:
            raise KeyboardInterrupt

    monkeypatch.setattr(fake_chapter, "before_task", hook)


# ---- the verdict ----


@given(several)
def test_the_interval_is_students(values):
    from scipy import stats

    mean, low, high = mean_interval(values)
    if len(set(values)) == 1:
        assert low == mean == high == values[0]
    else:
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        np.testing.assert_allclose((low, high), expected, rtol=1e-7, atol=1e-9)


def test_the_interval_covers_the_true_mean_in_95_percent_of_all_experiments(rng):
    _, low, high = mean_interval(rng.normal(3.0, 2.0, size=(5, 20_000)))
    assert abs(np.mean((low < 3) & (3 < high)) - 0.95) < 0.006


def test_the_band_of_two_seeds_is_from_one_to_the_other_and_else_the_interval(rng):
    values = rng.normal(size=(3, 4))
    assert np.array_equal(seed_band(values), mean_interval(values))
    assert np.array_equal(seed_band(values[:2]), [values[:2].mean(0), values[:2].min(0), values[:2].max(0)])


@given(several, numbers)
def test_a_shift_carries_the_verdict_from_contradicted_over_not_shown_to_supported(values, margin):
    values = np.array(values)
    width = float(mean_interval(values)[2] - mean_interval(values)[0])
    centred = values - values.mean() + margin
    assert verdict(centred + width + 1e-3, margin).verdict == "supported"
    assert verdict(centred - width - 1e-3, margin).verdict == "contradicted"
    if width > 1e-6:
        assert verdict(centred, margin).verdict == "not shown"


@given(several, numbers, st.sampled_from([2.0**-20, 0.5, 4.0, 1024.0]))
def test_the_verdict_does_not_depend_on_the_unit(values, margin, scale):
    assert verdict(values, margin).verdict == verdict(np.multiply(values, scale), margin * scale).verdict


@given(several, numbers)
def test_the_opposite_claim_gets_the_opposite_verdict(values, margin):
    opposite = {"supported": "contradicted", "contradicted": "supported", "not shown": "not shown"}
    assert verdict(np.negative(values), -margin).verdict == opposite[verdict(values, margin).verdict]


def test_equal_values_are_decided_by_their_side_of_the_margin():
    assert verdict([0.1] * 3) == ("supported", 0.1, (0.1, 0.1))
    assert verdict([0.1] * 3, margin=0.2).verdict == "contradicted"
    assert verdict([0.1] * 3, margin=0.1).verdict == "not shown"


def test_fewer_than_two_values_show_nothing():
    assert verdict([5.0]) == ("not shown", 5.0, None)
    assert verdict([]) == ("not shown", None, None)


@given(st.floats(-3, 3), st.floats(0.01, 2), st.floats(0.1, 2))
def test_an_effect_too_small_to_matter_is_no_difference_and_what_says_so_is_supported(mean, width, smallest):
    values = mean + width * np.array([-1.0, 0.0, 1.0])
    low, high = map(float, mean_interval(values)[1:])
    within, outside = -smallest < low and high < smallest, low > smallest or high < -smallest
    word, equal = verdict(values, smallest=smallest).verdict, verdict(values, smallest=smallest, equal=True).verdict
    assert word == ("no difference" if within else verdict(values).verdict)
    assert equal == ("supported" if within else "contradicted" if outside else "not shown")


def test_what_decides_must_fit_together():
    for options in ({"margin": 1.0, "smallest": 1.0}, {"smallest": -1.0}, {"equal": True}):
        with pytest.raises(ValueError, match="smallest effect that matters"):
            verdict([0.0, 1.0], **options)


def test_every_claim_says_in_a_sentence_what_its_figure_shows_and_so_does_its_copy():
    for claim in claims():
        caption = claim.caption
        assert caption[0].isupper() and caption.endswith(".") and ". " not in caption, f"{claim.id}: {caption!r}"
        assert replace(claim, timed=True).caption == caption
    assert replace(fake_chapter.CLAIMS[0], figure=lambda rows: None).caption == ""


def test_a_claim_of_two_halves_has_a_finding_for_each():
    (first,) = F1.effects
    halves = replace(
        F1,
        effects=(
            first,
            replace(first, name="the other way", of=lambda rows: [-1.0, -1.1], holds=lambda rows: f"{len(rows)} rows"),
        ),
    )
    result = judge(halves, run(F1, THREE).rows, 0.0)
    assert [finding.verdict for finding in result.findings] == ["supported", "contradicted"]
    assert result.verdict == "supported, contradicted" and result.findings[1].holds == "24 rows"


@pytest.mark.parametrize("value", [True, np.bool_(True)])
def test_an_exact_statement_is_exact_or_failed(value):
    assert verdict(value) == ("exact", True, None)
    assert verdict(~np.bool_(value)) == ("failed", False, None)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_verdict_on_nan_is_refused_and_says_where(bad):
    with pytest.raises(ValueError, match="index 1 of 3"):
        verdict([1.0, bad, 2.0])
    with pytest.raises(ValueError, match="claim F1.*index 0"):
        judge(fake_chapter.make("F1", 0.0, effect=lambda rows: [bad, 1.0]), [], 0.0)


# ---- rows ----

leaves = st.none() | st.booleans() | st.integers(-9, 9) | numbers | numbers.map(np.float32) | st.just(np.arange(3))


@given(st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner)))
def test_plain_rows_are_what_json_gives_back(value):
    row = plain({"key": value}, "a test")
    assert json.loads(json.dumps(row, allow_nan=False)) == row


@pytest.mark.parametrize("value", [np.nan, np.float32("inf"), np.array([1.0, np.nan]), [[-np.inf]]])
def test_rows_with_nan_are_refused_with_their_place(value):
    with pytest.raises(ValueError, match="a test, 'key'.*None"):
        plain({"key": value}, "a test")


def test_rows_with_objects_are_refused():
    with pytest.raises(TypeError, match="Settings"):
        plain([Settings()], "a test")


# ---- running ----


def test_rows_come_in_the_order_of_the_tasks_and_decide_the_result():
    result = run(F1, THREE)
    assert [row["seed"] for row in result.rows] == [0] * 8 + [1] * 8 + [2] * 8
    (finding,) = result.findings
    assert result.verdict == "supported" and finding.interval[0] < finding.mean < finding.interval[1]
    assert run(F2, THREE).verdict == "contradicted" and run(F4, THREE).verdict == "exact"
    again = judge(F1, json.loads(json.dumps(result.rows)), result.seconds)
    assert again == result


def test_any_executor_gives_the_rows_of_the_serial_run():
    serial = run(F1, THREE).rows
    with ThreadPoolExecutor(2) as pool:
        assert run(F1, THREE, pool).rows == serial
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert run(F1, THREE, pool).rows == serial


def test_a_timed_claim_runs_in_this_process_and_names_its_machine(measured):
    class Refusing(ThreadPoolExecutor):
        def submit(self, *_):
            raise AssertionError("a timed task left the process")

    rows = run(F3, replace(THREE, threads=1), Refusing()).rows
    assert measured == [0, 1, 2]
    assert all("1 thread on" in row["machine"] for row in rows)


def test_a_timed_claim_is_prepared_anywhere_and_measured_here_once_nothing_else_runs():
    prepared = fake_chapter.make(
        "T", 1.0, timed=True, prepare=fake_chapter.prepare, measure=fake_chapter.here_and_there
    )
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        found = {result.claim.id: result.rows for result in run_all([prepared, F1, F3], THREE, pool)}
    assert list(found) == ["F1", "T", "F3"]
    assert {row["measured_by"] for row in found["T"]} == {os.getpid()}
    assert os.getpid() not in {row["prepared_by"] for row in found["T"]}
    assert [row["seed"] for row in found["T"]] == [0] * 8 + [1] * 8 + [2] * 8
    assert found["F1"] == run(F1, THREE).rows
    assert {row["prepared_by"] for row in run(prepared, THREE).rows} == {os.getpid()}


def test_several_claims_are_kept_as_each_is_complete(tmp_path, monkeypatch, measured):
    finished = []
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        for result in run_all([F1, F2], THREE, store=Store(tmp_path)):
            finished.append(result.claim.id)
            interrupt_at(patch, 1)  # of F2
    assert finished == ["F1"]
    assert [result.claim.id for result in run_all([F1, F2], THREE, store=Store(tmp_path))] == ["F1", "F2"]
    assert measured == [0, 1, 2, 1, 2]  # in the last run only what F2 had not finished


def test_what_was_finished_while_the_caller_was_busy_is_kept(tmp_path, measured):
    with ThreadPoolExecutor(1) as pool, closing(run_all([F1, F2], THREE, pool, Store(tmp_path))) as results:
        next(results)
        wait_for("all six tasks begin", lambda: len(measured) == 6)  # while F1 is drawn; then comes an interrupt
        pool.shutdown()
    measured.clear()
    assert run(F2, THREE, store=Store(tmp_path)).rows == run(F2, THREE).rows
    assert measured == [0, 1, 2]  # those of the run without a store


def test_only_what_is_timed_can_be_prepared():
    with pytest.raises(ValueError, match="claim P: `prepare` is only for timed"):
        fake_chapter.make("P", 0.0, prepare=fake_chapter.prepare)


def test_tasks_run_with_the_threads_of_the_settings(monkeypatch):
    seen = []
    monkeypatch.setattr(fake_chapter, "before_task", lambda seed: seen.append(tc.get_num_threads()))
    before = tc.get_num_threads()
    run(F1, Settings(seeds=2, threads=before + 1))
    assert seen == [before + 1] * 2 and tc.get_num_threads() == before


def test_a_failing_task_says_whose_it_is_and_stops_the_others(measured):
    failing = replace(F1, measure=measure_nan, tasks=lambda settings: [(seed,) for seed in range(3)])
    with pytest.raises(ValueError, match=r"claim F1, task \(1,\), 'x'"):
        run(failing, THREE)
    assert measured == [0, 1]


def measure_nan(seed):
    fake_chapter.before_task(seed)
    return [{"x": float("nan") if seed == 1 else 0.0}]


def test_ratios_that_differ_by_more_than_half_are_flagged():
    assert disagreements({"theory": 10.0, "disk": 9.0, "clock": 0.5}) == [
        "theory 10× but clock 0.5×",
        "disk 9× but clock 0.5×",
    ]
    assert disagreements({"theory": 3.0, "clock": 2.0}) == [] == disagreements({})
    assert disagreements({"theory": 3.0, "clock": 4.6}) == ["theory 3× but clock 4.6×"]
    with pytest.raises(ValueError, match="claim F1: .*memory"):
        judge(replace(F1, ratios=lambda rows: {"memory": 2.0}), run(F1, THREE).rows, 0.0)


# ---- going on after an interrupt ----


def test_a_second_run_measures_only_what_the_interrupted_one_did_not_finish(tmp_path, monkeypatch, measured):
    whole = run(F1, THREE).rows
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(F1, THREE, store=Store(tmp_path))
    measured.clear()
    known = sum(Store(tmp_path).get("F1", task, THREE.threads)[1] for task in F1.tasks(THREE)[:2])
    again = run(F1, THREE, store=Store(tmp_path))
    assert again.rows == whole and again.seconds > known > 0
    assert measured == [2]


def test_a_task_is_measured_again_when_anything_that_decides_it_changed(tmp_path, monkeypatch, measured):
    run(F1, THREE, store=Store(tmp_path))
    for change in ("source_hash", "fingerprint", "versions"):
        measured.clear()
        with monkeypatch.context() as patch:
            patch.setattr(store, change, lambda *_: ["another"])
            run(F1, THREE, store=Store(tmp_path))
        assert measured == [0, 1, 2], change
    for claim, settings in (F1, replace(THREE, threads=2)), (fake_chapter.make("F1", 7.0), THREE), (F2, THREE):
        measured.clear()
        run(claim, settings, store=Store(tmp_path))
        assert measured == [0, 1, 2]
    measured.clear()
    run(F1, replace(THREE, seeds=4), store=Store(tmp_path))
    assert measured == [3]


def test_the_source_hash_sees_every_file_of_the_package(tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "lecture").mkdir(parents=True)
    monkeypatch.setattr(identity, "__file__", str(package / "workshop" / "identity.py"))
    seen = set()
    for name, text in ("a.py", "x = 1"), ("a.py", "x = 2"), ("lecture/b.py", ""), ("notes.txt", "x"):
        (package / name).write_text(text)
        seen.add(source_hash.__wrapped__())
    assert len(seen) == 3


def test_a_line_torn_by_a_kill_costs_one_task_and_no_other(tmp_path, measured):
    run(F1, THREE, store=Store(tmp_path))
    path = tmp_path / store.FILE_NAME
    path.write_bytes(path.read_bytes()[:-20])
    measured.clear()
    run(F1, THREE, store=Store(tmp_path))
    assert measured == [2]
    measured.clear()
    run(F1, THREE, store=Store(tmp_path))
    assert measured == []


def test_timings_are_never_taken_from_an_earlier_run(tmp_path, measured):
    for _ in range(2):
        measured.clear()
        run(F3, THREE, store=Store(tmp_path))
        assert measured == [0, 1, 2]
    assert not (tmp_path / store.FILE_NAME).exists()


def test_a_complete_run_forgets_its_own_tasks_only(tmp_path, measured):
    unfinished = Settings(seeds=4)  # of the same claim
    run(F1, unfinished, store=Store(tmp_path))
    whole = Store(tmp_path)
    for claim in F1, F2:
        run(claim, THREE, store=whole)
    whole.discard({"F1"})
    measured.clear()
    run(F2, THREE, store=Store(tmp_path))
    assert measured == []
    run(F1, unfinished, store=(again := Store(tmp_path)))
    assert measured == [0, 1, 2]  # the tasks that both runs had are forgotten, and its own is not
    run(F2, THREE, store=again)
    again.discard({"F1", "F2"})
    assert list(tmp_path.iterdir()) == []


def test_tasks_of_other_code_are_forgotten_with_their_claim(tmp_path, measured, monkeypatch):
    monkeypatch.setattr(store, "source_hash", lambda: "older")
    run(F1, THREE, store=Store(tmp_path))
    monkeypatch.undo()
    Store(tmp_path).discard({"F1"})
    assert list(tmp_path.iterdir()) == []


def test_what_was_finished_before_is_shown_before_anything_starts(tmp_path, measured):
    class Never(ThreadPoolExecutor):
        def submit(self, *_, **__):
            pytest.fail("a task was submitted, whose result would be lost if the caller stopped now")

    run(F1, THREE, store=Store(tmp_path))
    assert next(run_all([F1, F2], THREE, Never(), Store(tmp_path))).claim.id == "F1"


# ---- settings and the registry ----


def test_settings_choose_seeds_and_data_by_budget_and_travel():
    assert (Settings().data, Settings().seeds) == ("digits", 5)
    assert (Settings("paper").data, Settings("full").seeds) == ("mnist", 10)
    chosen = Settings("full", "mine.npz", 3, 2, 7)
    assert pickle.loads(pickle.dumps(chosen)) == chosen == Settings(**json.loads(json.dumps(asdict(chosen))))


@pytest.mark.parametrize("wrong", [{"budget": "huge"}, {"seeds": 0}, {"threads": 0}, {"first_seed": -1}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


def test_every_claim_that_measures_time_is_timed():
    """Else its tasks would run beside others."""
    assert [claim.id for claim in claims() if claim.timed] == ["P3", "P3b", "P4", "Q6", "A3", "Y1", "Y4", "C1"]


def test_other_seeds_are_other_tasks_of_every_claim():
    """Of those that repeat anything: what is exact may have tasks without a seed."""
    ours, others = Settings(seeds=2), Settings(seeds=2, first_seed=2)
    assert list(others.each_seed) == [2, 3]
    for claim in claims():
        assert len(claim.tasks(ours)) == len(claim.tasks(others))
        assert not {*map(tuple, claim.tasks(ours))} & {*map(tuple, claim.tasks(others))}, claim.id


@pytest.fixture
def two_chapters(monkeypatch):
    monkeypatch.setattr(lecture, "CHAPTERS", {"fake": "fake_chapter", "pruning": "tinycompress.lecture.pruning"})


def test_claims_are_chosen_by_chapter_or_id_and_keep_the_lectures_order(two_chapters):
    def ids(*names):
        return [claim.id for claim in claims(names)]

    assert ids()[:5] == ["F1", "F2", "F3", "F4", "P0"]
    assert ids("pruning", "fake") == ids()
    assert ids("p1", "F2", "F2") == ["F2", "P1"]
    assert ids("P1", "Fake") == ["F1", "F2", "F3", "F4", "P1"]


@pytest.mark.parametrize(("typo", "meant"), [("prunning", "'pruning'"), ("fakes", "'fake'"), ("P11", "'P1'")])
def test_an_unknown_name_is_answered_with_the_nearest_one(two_chapters, typo, meant):
    with pytest.raises(LookupError, match=f"'{typo}'.*{meant}.*fake, pruning, F1"):
        claims([typo])


def test_ids_are_unique_and_safe_as_file_names():
    ids = [claim.id for claim in claims()]
    assert len({claim_id.lower() for claim_id in ids}) == len(ids)
    assert all(claim_id.replace("+", "").isalnum() for claim_id in ids)


@pytest.mark.parametrize("name", ["P2", "P4b", "D2", "D4", "Q2", "Y3"])
def test_the_first_seed_has_what_the_figure_shows_of_one_net_whatever_its_number(name):
    (claim,) = lecture.claims([name])
    tasks = claim.tasks(Settings(data="digits", seeds=3, first_seed=5))
    assert [task[2:] for task in tasks] == [(5, True), (6, False), (7, False)]
