"""The challenge by the roster of `course grade`: names, groups, extensions, late days, who is missing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tinycompress.challenge.board import Entry
from tinycompress.challenge.export import as_csv
from tinycompress.challenge.ranking import by_roster, copies, days_late, not_in, ranking, why_not
from tinycompress.challenge.rules import Rules
from tinycompress.cli import main
from tinycompress.course.staff.roster import Person, Roster

DUE = datetime(2027, 1, 31, 12, tzinfo=UTC)
RULES = Rules("t", "accuracy", deadline=DUE, late_days=1, late_percent_a_day=20, points_by_rank=(10,))


def entry(number, student, days=0.0, **more):
    right = {half: np.arange(100) < 90 for half in ("public", "secret")}
    work = {half: np.full(100, 50.0) for half in ("public", "secret")}
    return Entry(number, student, DUE + timedelta(days=days), f"f{number}", 9, right=right, work=work, **more)


def points(entries):
    return {place.entry.student: place.points for place in ranking(entries, RULES)}


def test_a_name_is_the_students_of_the_roster():
    roster = Roster([Person("4711", "Eve Li", "eve@x.org"), Person("4712", "Adam")])
    named = by_roster([entry(1, "Li, Eve"), entry(2, "eve"), entry(3, "bob")], roster, RULES)
    assert [e.student for e in named] == ["4711", "4711", "bob"]
    assert not_in(named, roster) == (["4712"], ["bob"])


@pytest.mark.parametrize(
    ("person", "late", "earned"),
    [
        (Person("eve"), 1, 8.0),
        (Person("eve", extension="1"), 0, 10.0),
        (Person("eve", extension="2027-02-01T12:00+00:00"), 0, 10.0),
        (Person("eve", late_days="1"), 0, 10.0),
        (Person("eve", handed_in="2027-01-31T11:00+00:00"), 0, 10.0),
        (Person("eve", handed_in="2027-02-03T11:00+00:00"), 3, None),
    ],
)
def test_extensions_late_days_and_known_times_count_as_in_the_grader(person, late, earned):
    (found,) = by_roster([entry(1, "eve", 0.5)], Roster([person]), RULES)
    assert days_late(found, RULES) == late
    assert points([found]).get("eve") == earned and bool(why_not(found, RULES)) == (earned is None)


def test_a_groups_hand_in_counts_for_its_members_without_one_and_is_no_copy():
    roster = Roster([Person("a", group="g"), Person("b", group="g"), Person("c", group="g")])
    found = by_roster([entry(1, "g"), entry(2, "c")], roster, RULES)
    assert sorted(points(found)) == ["a", "b", "c"] and not copies(found)
    assert {e.student: e.number for e in found} == {"a": 1, "b": 1, "c": 2}


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_each_member_of_a_group_has_the_remark_of_that_member(names):
    people = {"a": Person("a", group="g", late_days="1"), "b": Person("b", group="g")}
    found = by_roster([entry(1, "g", 0.5)], Roster([people[name] for name in names]), RULES)
    places = {place.entry.student: place.remarks for place in ranking(found, RULES)}
    assert places == {"a": (), "b": ("1 day late",)}


def test_baselines_are_nobodys_and_never_late():
    (found,) = by_roster([entry(1, "eve", 9, baseline=True)], Roster([Person("eve", extension="1")]), RULES)
    assert found.due is None and days_late(found, RULES) == 0 and not_in([found], Roster([Person("eve")]))[0] == ["eve"]


def test_who_is_missing_has_a_row_without_points():
    text = as_csv([entry(1, "eve")], RULES, missing=["=adam"])
    assert "'=adam,,0," in text and "nothing was handed in" in text


def test_the_commands_take_the_roster(staff, hand_in, tmp_path, capsys):
    (tmp_path / "net.tcz").write_bytes(hand_in)
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name\n4711,Eve Li\n4712,Adam\n")
    folder = ["--folder", str(staff)]
    assert main(["challenge", "submit", str(tmp_path / "net.tcz"), "--student", "Eve Li", *folder]) == 0
    assert main(["challenge", "rank", "--roster", str(roster), *folder]) == 0
    said = capsys.readouterr().out
    assert "\n1     4711" in said and "no rank: '4712': nothing was handed in" in said
    out = tmp_path / "marks.csv"
    assert main(["challenge", "export", "csv", "--out", str(out), "--roster", str(roster), *folder]) == 0
    assert [line.split(",")[0] for line in out.read_text().splitlines()] == ["student", "4711", "4712"]
