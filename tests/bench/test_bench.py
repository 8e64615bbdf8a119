"""The benchmark: strict turns, ratios that mean what they say, one row for whatever breaks, and what is written."""

import importlib.util
import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import fake_bench
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import bench
from tinycompress.bench import case as case_module
from tinycompress.bench import measure, report, roofline, sparse, turns
from tinycompress.bench.case import Case, Point, geometric_mean, is_close, make_row
from tinycompress.bench.limits import COPY, READ, SGEMM
from tinycompress.cli import main
from tinycompress.kernels.runtime import jit
from tinycompress.workshop.machine import cpu_features, machine

SECONDS = st.floats(1e-6, 1e3)
ROUNDS = st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=9)
CASE = Case("fake", "a case", 0.5, {})


@pytest.fixture(autouse=True)
def sides_find_the_fakes(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


@pytest.fixture
def only_fakes(monkeypatch):
    """The fake suites in the place of all others."""
    monkeypatch.setattr(bench, "MODULES", {"fake": "fake", "limits": "fake"})
    monkeypatch.setitem(sys.modules, "tinycompress.bench.fake", fake_bench)


# Turns.


class Fake:
    """Takes turns, and notes when."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def block(self):
        self.log.append(self.name)
        return float(len(self.log))


@given(contestants=st.integers(1, 5), rounds=st.integers(1, 6))
def test_everyone_has_one_turn_a_round_and_the_order_turns_round_each_time(contestants, rounds):
    log = []
    seconds = turns.take_turns([Fake(name, log) for name in range(contestants)], rounds)
    by_round = np.reshape(log, (rounds, contestants)).tolist()
    assert all(order == sorted(order, reverse=i % 2 == 1) for i, order in enumerate(by_round))
    # What a contestant is credited with is what its own turns took.
    assert [[log[int(when) - 1] for when in own] for own in seconds] == [[i] * rounds for i in range(contestants)]


def test_quick_runs_are_repeated_to_fill_a_block_and_slow_ones_are_not():
    repeats = [turns.Contender(None, "work", seconds).repeats for seconds in (1e-9, 1e-4, 0.04, 7.0)]
    assert repeats == [10_000, 500, 1, 1]
    assert turns.Contender(None, "work", 1e-4).wake and not turns.Contender(None, "work", 7.0).wake


# The processes.


def measured(*cases, threads=1, rounds=2, against=()):
    suites = [bench.Suite("fake", list(cases))]
    return [row for rows in bench.run(suites, threads, rounds, against, np.random.default_rng(0)) for row in rows]


def test_a_case_is_measured_in_as_many_rounds_as_asked_for_and_compared_with_its_strongest_rival():
    (row,) = measured(fake_bench.GOOD, rounds=3)
    assert row["problem"] is None and row["rounds"] == 3 and len(row["ratios"]) == 3
    assert row["rival_name"] in ("plain as written", "plain transposed")
    assert row["ours"] > 0 and row["rival"] > 0 and row["met"] is True
    assert row["point"]["seconds"] == row["ours"]


def test_a_slow_case_has_fewer_rounds():
    (row,) = measured(replace(fake_bench.GOOD, most_rounds=1), rounds=3)
    assert row["rounds"] == 1


def test_what_breaks_costs_its_own_row_and_says_why():
    rows = measured(*fake_bench.SUITES[0].cases)
    problems = {row["name"]: row["problem"] for row in rows}
    assert problems["good"] is None and problems["after"] is None
    assert "the results of ours and plain wrong differ: array 1 of 1 is off by" in problems["different"]
    assert problems["raising"] == "failed: plain: ValueError: no such shape"
    assert problems["dying"] == "failed: plain: its process ended with code 3: out of memory"
    broken = [row for row in rows if row["problem"]]
    assert all(bench.failed(row) and row["ours"] is row["ratio"] is row["met"] is None for row in broken)


def test_every_side_has_the_same_threads():
    here = Case("fake", "here", None, {"ours": fake_bench.surroundings, "torch": fake_bench.surroundings}, {"scale": 1})
    with turns.Sides(3) as sides:
        times = turns.contest(here, sides, 1, np.random.default_rng(0))
    expected = "OPENBLAS_NUM_THREADS=3 OMP_NUM_THREADS=3 MKL_NUM_THREADS=3 ours=3 BLAS=3"
    assert {work for works in times.values() for work in works} == {expected}


def test_a_process_that_cannot_start_says_why():
    command = [sys.executable, "-c", "raise SystemExit('no such library')"]
    with pytest.raises(turns.SideFailed, match="^rival: its process ended with code 1: no such library$"):
        turns.Side("rival", 1, command)


def test_a_process_that_is_killed_between_its_turns_is_a_clear_failure_too():
    with turns.Side("rival", 1) as side:
        side._process.kill()
        side._process.wait()
        with pytest.raises(turns.SideFailed, match="^rival: its process ended with code -9"):
            side.ask("block", work="work", repeats=1, wake=0)


def test_no_process_outlives_its_suite():
    with turns.Sides(1) as sides:
        process = sides["ours"]._process
        assert process.poll() is None
    assert process.poll() is not None


# Ratios and goals.


@given(rounds=ROUNDS, moods=st.lists(st.floats(0.1, 10), min_size=9, max_size=9))
def test_a_ratio_forgets_the_moods_of_the_machine(rounds, moods):
    ours, rival = zip(*rounds, strict=True)
    row = make_row(CASE, ours, rival, "rival")
    slowed = [[seconds * mood for seconds, mood in zip(side, moods, strict=False)] for side in (ours, rival)]
    assert make_row(CASE, *slowed, "rival")["ratio"] == pytest.approx(row["ratio"])
    low, high = row["ratio_quartiles"]
    assert low <= row["ratio"] * (1 + 1e-12) and row["ratio"] <= high * (1 + 1e-12)


@given(rounds=ROUNDS, goal=st.floats(0.01, 100))
def test_a_goal_is_met_by_what_is_at_most_as_large(rounds, goal):
    ours, rival = zip(*rounds, strict=True)
    row = make_row(CASE, ours, rival, "rival", goal=goal)
    assert row["met"] == (row["ratio"] <= goal)
    itself = make_row(CASE, ours, rival, "rival", goal=goal, judged="ours")
    assert itself["met"] == (itself["ours"] <= goal)
    assert make_row(replace(CASE, goal=None), ours, rival, "rival")["met"] is None


def test_a_goal_may_be_another_one_on_several_threads():
    case = replace(fake_bench.GOOD, on_several_threads=2e9)
    assert [measured(case, threads=threads)[0]["goal"] for threads in (1, 2)] == [1e9, 2e9]
    assert fake_bench.GOOD.on(2) is fake_bench.GOOD


@pytest.mark.parametrize("goal, close", [(0.5, False), (1.0, True), (1.5, True), (3.5, False)])
def test_a_goal_between_the_quartiles_is_called_close(goal, close):
    assert is_close(make_row(CASE, [1.0, 1.0, 2.0, 2.0], [1.0] * 4, "rival", goal=goal)) == close


@given(rounds=ROUNDS)
def test_a_slower_variant_of_the_rival_changes_nothing(rounds):
    ours, rival = (list(side) for side in zip(*rounds, strict=True))
    alone = case_module.against_strongest(CASE, {"ours": {"ours": ours}, "rival": {"a": rival}})
    slower = {"b": [2 * seconds for seconds in rival]}
    assert alone == case_module.against_strongest(CASE, {"ours": {"ours": ours}, "rival": {"a": rival} | slower})
    assert alone == case_module.against_strongest(CASE, {"ours": {"ours": ours}, "c": slower, "rival": {"a": rival}})


@given(ratios=st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_the_geometric_mean_lies_between_and_has_no_order(ratios):
    rows = [make_row(CASE, [ratio, ratio], [1.0, 1.0], "rival") for ratio in ratios]
    mean = geometric_mean("mean", 1.0, rows)
    assert mean["ratio"] == pytest.approx(math.prod(ratios) ** (1 / len(ratios)))
    assert mean["ratio"] == pytest.approx(mean["ours"] / mean["rival"])
    assert mean["ratio"] == pytest.approx(geometric_mean("mean", 1.0, rows[::-1])["ratio"])
    assert mean["name"] == "mean" and mean["met"] == (mean["ratio"] <= 1.0)


@pytest.mark.parametrize("threads, goal", [(1, 0.95), (2, 1.0)])
def test_what_sums_up_a_suite_has_no_value_unless_all_of_it_was_measured(threads, goal):
    (suite,) = bench.suites(["conv"])[:1]
    common = {"threads": threads}
    rows = [make_row(case, [1.0 + i], [2.0], "rival") | common for i, case in enumerate(suite.cases)]
    mean, worst = suite.summary(rows)
    assert worst["ratio"] == max(row["ratio"] for row in rows) and worst["name"].endswith(suite.cases[-1].name)
    assert (mean["goal"], worst["goal"], worst["met"]) == (goal, 1.15, False)
    gap = case_module.empty_row(suite.cases[0], "failed: it broke") | common
    for row in suite.summary([gap, *rows[1:]]):
        assert row["problem"] == "failed: it broke" and row["ratio"] is row["met"] is None


@given(
    sparsities=st.lists(st.floats(0.05, 0.99), min_size=2, max_size=8, unique=True).map(sorted),
    at=st.floats(0.0, 1.0),
)
def test_the_crossover_of_a_time_that_falls_in_a_straight_line_is_where_it_meets_the_dense_one(sparsities, at):
    dense = 1e-3
    sparse_seconds = [dense * (1 + at - sparsity) for sparsity in sparsities]
    found = sparse.crossover(sparsities, sparse_seconds, dense)
    if at < sparsities[0]:
        assert found == sparsities[0]
    elif at >= sparsities[-1]:
        assert found == 1.0
    else:
        assert found == pytest.approx(at, abs=1e-6)


def test_a_sparse_product_has_crossed_over_only_when_it_stays_faster():
    assert sparse.crossover((0.2, 0.4, 0.6, 0.8), (0.5, 1.5, 0.5, 0.1), 1.0) == pytest.approx(0.5)


# Without the other libraries.


@pytest.mark.parametrize("library", measure.LIBRARIES)
def test_without_another_library_its_rows_are_skipped_and_the_others_measured(library, monkeypatch):
    against_it = replace(fake_bench.GOOD, name="against it", sides={library: fake_bench.raising})
    first, second = measured(against_it, fake_bench.GOOD)
    assert f"--against {library}" in first["problem"] and not bench.failed(first) and second["problem"] is None
    last = measure.LIBRARIES[library][1][-1]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == last else name)
    first, second = measured(against_it, fake_bench.GOOD, against=[library])
    assert "not installed" in first["problem"] and not bench.failed(first) and second["problem"] is None


# What is written.


ROW = {
    "suite": str,
    "name": str,
    "threads": int,
    "ours": float,
    "rival": float,
    "rival_name": str,
    "ratio": float,
    "goal": float,
    "met": bool,
    "judged": str,
    "unit": str,
    "ours_quartiles": list,
    "rival_quartiles": list,
    "ratio_quartiles": list,
    "ratios": list,
    "rounds": int,
    "point": dict,
    "problem": str,
    "machine": str,
    "cpu_features": list,
}
NEVER_MISSING = {"suite", "name", "threads", "judged", "unit", "rounds", "machine", "cpu_features"}


def test_a_run_ends_with_its_table_its_rows_and_its_roofline(only_fakes, tmp_path, capsys):
    code = main(
        ["bench", "--threads", "1", "--rounds", "2", "--json", str(tmp_path / "rows.json"), "--out", str(tmp_path)]
    )
    out, err = capsys.readouterr()
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert code == 1 and [row["name"] for row in rows] == [case.name for case in fake_bench.SUITES[0].cases]
    for row in rows:
        assert set(row) == set(ROW)
        for key, value in row.items():
            assert isinstance(value, ROW[key]) or (value is None and key not in NEVER_MISSING), (key, value)
    assert all(feature in out.splitlines()[-1] for feature in rows[0]["cpu_features"])
    assert "2 of 2 goals met" in out and "failed: plain: ValueError: no such shape\n  fake: raising" in out
    assert {path.name for path in tmp_path.iterdir()} == {"rows.json"}  # no roof was measured


def test_an_interrupted_run_writes_the_rows_it_has(monkeypatch, tmp_path, capsys):
    ended = []

    def interrupted(*_):
        try:
            yield [make_row(CASE, [1.0], [2.0], "rival") | {"threads": 1, "machine": "a test"}]
            raise KeyboardInterrupt
        finally:
            ended.append(True)

    monkeypatch.setattr(bench, "run", interrupted)
    path = tmp_path / "rows.json"
    assert main(["bench", "tape", "--json", str(path), "--out", str(tmp_path)]) == 130 and ended
    out, err = capsys.readouterr()
    assert [row["ratio"] for row in json.loads(path.read_text())] == [0.5] and "a case" in out and "interrupted" in err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["stpes"], "did you mean 'steps'"),
        (["--against", "tensorflow"], "torch"),
        (["--against", "torch", "--against", "onnx"], "onnxruntime"),
        (["--rounds", "0"], "whole number, 1 or more"),
        (["--threads", "none"], "whole number, 1 or more"),
        (["--json", "no/such/folder/rows.json"], "in an existing folder"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line_before_anything_is_measured(arguments, words, capsys, tmp_path):
    assert main(["bench", "--out", str(tmp_path), *arguments]) == 2
    err = capsys.readouterr().err
    assert words.lower() in err.lower() and err.count("\n") == 1


def test_the_help_names_every_suite(capsys):
    assert main(["bench", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in bench.MODULES)


def test_rows_name_the_instructions_that_kernels_are_compiled_for(monkeypatch):
    for features, names in (
        (("avx", "avx2", "avxvnni"), ["AVX2", "VNNI"]),
        (("avx2", "avx512f", "avx512vnni", "fma"), ["AVX2", "AVX-512", "VNNI"]),
        ((), []),
    ):
        monkeypatch.setattr("tinycompress.kernels.runtime.jit.host_cpu", lambda features=features: ("a CPU", features))
        assert measured(replace(fake_bench.GOOD, sides={"torch": fake_bench.raising}))[0]["cpu_features"] == names


def test_processors_of_one_name_with_other_instructions_are_two_machines(monkeypatch):
    here, (name, features) = machine(1), jit.host_cpu()
    assert here["instructions"] == ", ".join(cpu_features())
    monkeypatch.setattr(jit, "host_cpu", lambda: (name, tuple({*features} ^ {"avx512f"})))
    there = machine(1)  # a report of one is not joined with that of the other
    assert {key for key in here if there[key] != here[key]} == {"instructions"}


def test_a_busy_machine_is_warned_of(monkeypatch):
    monkeypatch.setattr(measure.os, "getloadavg", lambda: (3.25, 1.0, 1.0), raising=False)
    assert "load 3.2" in bench.busy()
    monkeypatch.setattr(measure.os, "getloadavg", lambda: (0.1, 9.0, 9.0), raising=False)
    assert bench.busy() is None


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (2.0, "s", "2 s"),
        (0.0123, "s", "12.3 ms"),
        (4.56e-5, "s", "45.6 µs"),
        (0.5, "share", "50 %"),
        (30.4, "GB/s", "30.4 GB/s"),
        (None, "s", ""),
    ],
)
def test_quantities_have_the_unit_that_suits_them(value, unit, text):
    assert report.quantity(value, unit) == text


def test_the_table_shows_what_was_skipped_by_reason():
    skipped = [case_module.empty_row(replace(CASE, name=name), measure.NOT_ASKED) for name in ("first", "second")]
    text = report.table([make_row(CASE, [1.0], [4.0], "rival"), *skipped])
    assert text.count(measure.NOT_ASKED) == 1 and text.index("fake: first") < text.index("fake: second")
    assert "1 of 1 goals met" in text and "0.25 [0.25–0.25]" in text and "✓" in text


def limit(name, value):
    return make_row(Case("limits", name, None, {}), [value], unit="GFLOP/s") | {"machine": "a test"}


def test_the_roofline_has_a_point_a_kernel_at_its_intensity_and_speed():
    points = [Point("conv", flops=8e9, bytes=1e8), Point("csr", flops=2e9, bytes=1e9)]
    rows = [make_row(replace(CASE, point=point), [0.5], [1.0], "rival") | {"machine": "a test"} for point in points]
    limits = [limit(SGEMM, 100.0), limit(COPY, 25.0), limit(READ, 50.0)]
    fig = roofline.figure([*rows, *limits])
    drawn = {mark.get_label(): mark.get_offsets().tolist() for mark in fig.axes[0].collections}
    assert drawn == {"convolution": [[80.0, 16.0]], "sparse, CSR": [[2.0, 4.0]]}
    for line, bandwidth in zip(fig.axes[0].lines, (50.0, 25.0), strict=True):
        for x, y in line.get_xydata():
            assert y == pytest.approx(min(100.0, bandwidth * x))
    assert roofline.figure(rows) is None and roofline.figure(limits) is None
    assert all(roofline.figure([*rows, *limits[:i], *limits[i + 1 :]]) is None for i in range(3))


@pytest.mark.parametrize("point", [Point("conv", flops=8e9, bytes=1e7), Point("dense", flops=1e9, bytes=2e9)])
def test_no_point_lies_above_the_roof(point):
    row = make_row(replace(CASE, point=point), [0.01], [1.0], "rival") | {"machine": "a test"}
    (ax,) = roofline.figure([row, limit(SGEMM, 100.0), limit(COPY, 25.0), limit(READ, 50.0)]).axes
    ((x, y),) = ax.collections[0].get_offsets()
    roof = ax.lines[0].get_xydata()
    assert np.log(y) <= np.interp(np.log(x), *np.log(roof).T) + 1e-9


def test_the_roofline_is_written_in_both_forms(tmp_path):
    row = make_row(replace(CASE, point=Point("dense", 1e9, 1e8)), [0.5], [1.0], "rival") | {"machine": "a test"}
    path = roofline.write([row, limit(SGEMM, 100.0), limit(COPY, 25.0), limit(READ, 50.0)], tmp_path)
    assert path == tmp_path / "roofline.svg" and path.read_bytes().startswith(b"<?xml")
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
