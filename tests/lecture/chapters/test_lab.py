"""The table beside the lab: our numbers come from the rows, the lab's are stated once, and what failed or is missing says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import tinycompress
from tinycompress.lecture import Result, Settings, claims, judge, report
from tinycompress.lecture.language import speaking
from tinycompress.lecture.learned import LEARNED, diverged
from tinycompress.lecture.tasks import not_measured
from tinycompress.lecture.together import lab
from tinycompress.lecture.together.lab import HEAD, LAB, beside_the_lab, measured_in, show_lab, with_table
from tinycompress.lecture.together.methods import METHODS

FOLDER = Path(tinycompress.__file__).parents[1] / "figures" / "cifar10"
MEASURED = (FOLDER / "claims.json").is_file()


def row(seed, arm, accuracy, size, clock):
    ratios = {"disk_ratio": 1000_000 / size, "clock_ratio": clock, "work_ratio": 2.0, "weights_ratio": 2.0}
    return {
        "seed": seed,
        "arm": arm,
        "chapter": "x" * (arm != "the teacher"),
        "accuracy": accuracy,
        "bytes": size,
        "ms": 1.0,
    } | ratios


MADE = [
    row(0, "the teacher", 86.5, 1000_000, 1.0),
    row(1, "the teacher", 86.1, 1000_000, 1.0),
    row(0, "90 % of weights pruned", 86.0, 100_000, 1.0),
    row(1, "90 % of weights pruned", 86.5, 160_000, 4.0),
    diverged({"seed": 0, "arm": "8-bit integers"}, ValueError("x")),
    row(1, "8-bit integers", 86.0, 250_000, 2.0),
]


SIZES = {"whole_bytes": 1_000_000, "bytes": 250_000}


def cells(table):
    """The body of a Markdown table, as (the lab's cells, ours)."""
    body = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()[2:]]
    assert all(len(line) == len(HEAD) for line in body)
    return [(line[:4], line[4:]) for line in body]


def ours(table, arm):
    return next(own for _, own in cells(table) if own[0] == arm)


def test_our_numbers_are_those_of_the_rows():
    table = beside_the_lab(MADE)
    assert ours(table, "the teacher") == ["the teacher", "of 86.30 %", "1,000,000", "", "2"]
    # Geometric means: √(10 × 6.25) = 7.91 and √(1 × 4) = 2; 0.5 points lost with one seed, 0.4 gained with the other.
    assert ours(table, "90 % of weights pruned")[1:] == ["0.05 (-0.40 … 0.50)", "130,000 (7.91×)", "2.00×", "2"]
    assert ours(beside_the_lab(MADE[::2]), "90 % of weights pruned")[1] == "0.50"


def test_a_method_that_failed_says_so_and_one_that_was_not_measured_too():
    table = beside_the_lab(MADE)
    assert ours(table, "8-bit integers")[1:] == ["did not learn", "", "", "2"]
    assert ours(table, "binary weights")[1:] == ["not measured yet", "", "", ""]
    assert ours(beside_the_lab([]), "the teacher")[1] == "not measured yet"
    dead = [row | {LEARNED: {"accuracy": 11.0}} if row["removed"] == 0.3 else row for row in OTHERS["P4"]]
    assert ours(beside_the_lab(MADE, {"P4": dead}), "30 % of neurons pruned (P4)")[1:] == ["did not learn", "", "", "1"]


OTHERS = {
    "P4": [
        {"seed": 0, "removed": 0.3, "accuracy": 85.0, "accuracy_trained_on": 86.5, "speedup": 1.5} | SIZES,
        {"seed": 0, "removed": 0.5, "accuracy": 80.0, "accuracy_trained_on": 86.5, "speedup": 2.5} | SIZES,
    ],
    "Q2": [
        {"seed": seed, "arm": arm, "k": k, "accuracy": 86.0 - seed, "float_accuracy": 87.0} | SIZES
        for seed in (0, 1)
        for arm in ("centroids fine-tuned", "after training")
        for k in (4, 16)
    ],
}


def test_what_another_claim_measures_closer_to_the_lab_stands_in_place_of_what_c1_does():
    table = beside_the_lab(MADE, OTHERS)
    assert ours(table, "30 % of neurons pruned (P4)")[1:] == ["1.50", "250,000 (4.00×)", "1.50×", "1"]
    clustered = ["1.50 (1.00 … 2.00)", "250,000 (4.00×)", "", "2"]
    assert ours(table, "16 values a layer, centroids fine-tuned (Q2)")[1:] == clustered
    lines = cells(table)
    (at,) = [i for i, (theirs, _) in enumerate(lines) if theirs[0] == "k-means, 2 bits (lab 2)"]
    assert lines[at][1] == ["4 values a layer, centroids fine-tuned (Q2)", *clustered]  # C1 has no such method
    assert lines[at - 1][0][0] == "k-means, 4 bits (lab 2)"
    (beside,) = [theirs for theirs, own in lines if own[0] == "8 values a layer"]
    assert beside == ["–", "", "", ""]  # it is not what the lab measures
    assert [own[0] for _, own in lines].count("half of neurons pruned") == 1
    with speaking("zh"):
        assert "每层 4 个值，微调中心 (Q2)" in beside_the_lab(MADE, OTHERS)


def test_every_method_of_ours_is_there_once_and_so_is_every_number_of_the_lab():
    lines = cells(beside_the_lab(MADE))
    arms = [own[0] for _, own in lines if own[0]]
    assert sorted(arms) == sorted(["the teacher", *(method.name for method in METHODS)])
    assert {reported.arm for reported in LAB} <= {"", *arms}
    lost = " ".join(theirs[1] for theirs, _ in lines)
    for number in (
        "7.26",
        "0.11",
        "64.81",
        "56.14",
        "0.69 (by norm, after",
        "0.19",
        "13.88",
        "0.48",
        "82.95",
        "1.75",
        "0.05",
    ):
        assert number in lost
    assert all(theirs[3] for theirs, _ in lines if theirs[0] != "–")  # each says what was not measured


def test_the_table_can_be_had_in_chinese_and_its_numbers_stay():
    with speaking("zh"):
        table = beside_the_lab(MADE)
    english = cells(beside_the_lab(MADE))
    for (theirs, own), (theirs_en, own_en) in zip(cells(table), english, strict=True):
        assert own[2:] == own_en[2:]
        for text, text_en in [*zip(theirs, theirs_en, strict=True), *zip(own[:2], own_en[:2], strict=True)]:
            assert text != text_en or not any(map(str.isalpha, text.replace("MiB", "").replace("teacher", ""))), text


def reports(monkeypatch, found):
    """Let these be the reports: (folder, claim) -> settings. Returns what is displayed."""
    rows, shown = {"C1": [{"seed": 0} | row for row in MADE[:4]]} | OTHERS, []

    def read(folder, name):
        settings = found.get((str(folder), name))
        (claim,) = claims([name])
        if settings is not None:
            return Result(claim, rows[name], [], {}, [], 0.0, {"data": "cifar10", "budget": "paper"} | settings)

    monkeypatch.setattr(report, "read", read)
    monkeypatch.setattr(lab, "display_bundle", lambda bundle: shown.append(bundle["text/markdown"]))
    return shown


def test_the_first_report_on_colour_images_is_shown_and_no_other(monkeypatch):
    found = {("digits", "C1"): {"data": "digits"}, ("quick", "C1"): {"budget": "quick"}, ("colour", "C1"): {}}
    shown = reports(monkeypatch, found)
    show_lab(["nothing", "digits", "quick", "colour"])
    show_lab(["nothing", "digits"])
    assert shown[0] == beside_the_lab(MADE[:4])
    assert "lecture C1 --budget paper --data cifar10" in shown[1]


def test_claims_of_another_report_do_not_stand_beside_c1(monkeypatch, tmp_path):
    mine, other = with_reports(tmp_path / "mine", "avx2"), with_reports(tmp_path / "other")
    of_other = {(str(other), claim): {} for claim in ("C1", "P4")}
    shown = reports(monkeypatch, {(str(mine), "C1"): {}, (str(mine / "avx2"), "Q2"): {}} | of_other)
    show_lab([mine, other])
    assert shown == [beside_the_lab(MADE[:4], {"Q2": OTHERS["Q2"]})]


def test_claims_of_the_machine_of_c1_come_first_and_only_they_say_how_much_faster_nets_are(monkeypatch, tmp_path):
    folder = with_reports(tmp_path, "a", "b")
    found = {(str(folder), "C1"): {}} | {(str(folder / name), "Q2"): {"data_fingerprint": name} for name in "ab"}
    reports(monkeypatch, found | {(str(folder / "a"), "P4"): {}})
    monkeypatch.setattr(report, "machine_of", lambda place: {"cpu": "two" if Path(place).name == "a" else "one"})
    measured = measured_in(folder)
    assert measured.keys() == {"C1", "Q2"} and measured["Q2"].settings["data_fingerprint"] == "b"
    monkeypatch.setattr(report, "machine_of", lambda place: {"cpu": "one"})
    measured = measured_in(folder)
    assert measured.keys() == {"C1", "P4", "Q2"} and measured["Q2"].settings["data_fingerprint"] == "a"


def with_reports(folder, *subfolders):
    for place in (folder, *(folder / name for name in subfolders)):
        place.mkdir(exist_ok=True)
        (place / "claims.json").touch()
    return folder


def test_the_table_says_where_the_pixels_are_not_the_published_ones(monkeypatch):
    shown = reports(monkeypatch, {("colour", "C1"): {"origin": "pixels of a copy"}})
    show_lab(["colour"])
    (table,) = shown
    assert table.startswith(beside_the_lab(MADE[:4])) and cells(table)[-1][0][0] == "*pixels of a copy*"
    text = with_table("before\n\n| b |\n\nafter\n", table)
    assert with_table(text, table) == text == f"before\n\n{table}\nafter\n"


def test_a_claim_that_was_not_measured_has_no_rows(monkeypatch):
    (claim,) = claims(["C1"])
    failed = judge(claim, [not_measured("no room", "Make room.")], 1.0)
    failed = replace(failed, settings={"data": "cifar10", "budget": "paper"})
    monkeypatch.setattr(report, "read", lambda folder, name: failed)
    assert measured_in("colour") == {}


def test_only_the_table_of_a_text_is_replaced():
    assert with_table("a\n\n| b |\n| c |\n\nd | e\n| f |\n", "| g |\n") == "a\n\n| g |\n\nd | e\n| f |\n"
    with pytest.raises(ValueError, match="no table"):
        with_table("a | b\n", "| g |\n")


def test_the_committed_table_is_the_one_of_the_committed_rows():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert with_table(text, lab._table_of(measured_in(FOLDER))) == text


@pytest.mark.skipif(not MEASURED, reason="C1 on colour images is not among the committed figures")
def test_the_committed_rows_are_of_colour_images_and_in_the_table():
    settings = json.loads((FOLDER / "claims.json").read_bytes())["settings"]
    assert (settings["data"], settings["budget"]) == (Settings("paper", "cifar10").data, "paper")
    rows = measured_in(FOLDER)["C1"].rows
    table = beside_the_lab(rows)
    for measured in (row for row in rows if row["seed"] == rows[0]["seed"] and "bytes" in row):
        assert ours(table, measured["arm"])[1] != "not measured yet"
