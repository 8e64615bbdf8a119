"""Answers as students write them and tables as spreadsheets save them: who is named, whose they are, what is changed."""

import difflib
import json
import time

import pytest
from asked import IDS, OWN, answers, entry, hand_in, marked, right, table

from tinycompress.course.collect import HandIn
from tinycompress.course.questions.answers import MOST_MISSPELT, numbers, parse
from tinycompress.course.questions.marking import collect, merge
from tinycompress.course.questions.question import find_questions
from tinycompress.course.staff.roster import Person, Roster
from tinycompress.course.uploads import Upload


@pytest.fixture
def shown(sets, log, tmp_path):
    """What the table shows of an answer by this person."""

    def shown(text, person, student="", name=None):
        handins = hand_in(tmp_path / "class", **{name or person.id: answers(why=text, student=student)})
        collect(handins, sets, log, tmp_path / "marking", Roster([person, Person("99", "Bob Ross")]))
        return table(tmp_path / "marking")[1][3]

    return shown


EVE = Person("4711", "Eve Li-Long", "eve@x.org", github="evel")
WILL = Person("0042", "Will May")


@pytest.mark.parametrize(
    ("person", "text", "left"),
    [
        (EVE, "I am Eve Li-Long (4711), eve@x.org.", "I am [name] ([name]), [name]."),
        (EVE, "by Li-Long, Eve and EVE LI-LONG\nEve", "by [name] and [name]\n[name]"),
        (EVE, "every evening, 47111 weights; see evel.", "every evening, 47111 weights; see [name]."),
        (WILL, "It will be so, and it may. Best, Will", "It will be so, and it may. Best, [name]"),
        (Person("李明1", "王小明"), "我是王小明，因为", "我是[name]，因为"),
        (Person("jm", "Jo\u0308rg M"), "Jörg says so", "[name] says so"),
        (Person("1", "A. B"), "1 of 2, a bit", "1 of 2, a bit"),
        (Person("7", "Ann Li", group="red"), "Ann, of the red ones", "[name], of the [name] ones"),
    ],
)
def test_an_answer_does_not_name_its_author(shown, person, text, left):
    assert shown(text, person, name=person.group or None).lstrip("'") == left


def test_without_a_roster_the_hand_ins_name_and_the_id_at_the_top_are_left_out(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", **{"Eve Li_1234": answers(why="Eve Li, 815: so", student="0815 = 815")})
    collect(handins, sets, log, tmp_path / "marking")
    assert table(tmp_path / "marking")[1][3] == "'[name], 815: so"


def test_a_mark_is_of_the_answer_as_it_was_written(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", eve=answers(why="Eve says well"))
    collect(handins, sets, log, tmp_path / "marking")
    merge(marked(tmp_path / "marking", {"well": "3,0"}), tmp_path / "marking" / "key.json", log, "kim")
    assert entry(log, "eve").points == 3 and collect(handins, sets, log, tmp_path / "two").to_mark == 0


def test_rows_are_in_another_order_than_hand_ins_and_for_each_question_in_another(sets, log, tmp_path):
    both = {f"s{i:02}": answers(why=f"reason {i:02}", which=f"none, {i:02}") for i in range(30)}
    collect(hand_in(tmp_path / "class", **both), sets, log, tmp_path / "marking")
    orders = {name: [row[3][-2:] for row in table(tmp_path / "marking")[1:] if row[1] == name] for name in IDS[:2]}
    assert all(sorted(order) == [f"{i:02}" for i in range(30)] != order for order in orders.values())
    assert orders["toy/why"] != orders["toy/which"]
    codes = list(json.loads((tmp_path / "marking" / "key.json").read_text()))
    assert codes == sorted(codes), "nor does the key's order tell anything"


# ---- headings and ids ----


@pytest.mark.parametrize("text", ["\n" * 30_000, "## toy/why\n" + "<!--" * 20_000], ids=["lines", "comments"])
def test_no_answers_file_takes_longer_the_more_it_repeats(text):
    """Ten times as much takes about ten times as long, not a hundred times."""

    def seconds(data):
        start = time.process_time()
        parse(data, IDS)
        return time.process_time() - start

    few, many = text[: len(text) // 10].encode(), text.encode()
    assert min(seconds(many) for _ in range(2)) < 40 * max(min(seconds(few) for _ in range(3)), 0.005)


def test_an_id_at_the_top_is_found_however_it_is_written():
    for line in "Student: eve", "**Student:** eve", "# student : _eve_  ", "Student: <!-- yours\n--> eve <!-- so -->":
        assert parse(f"<!-- Student: nobody -->\n\n{line}\n## toy/why\nso\n".encode(), IDS).student == "eve", line


def test_two_questions_under_one_heading_are_both_answered():
    found = parse(b"## toy/why and toy/which\n\nb, because\n", IDS)
    assert found.texts == {"toy/why": "b, because", "toy/which": "b, because"} and found.notes
    found = parse(b"## toy/why (not toy/which)\nso\n## toy/which\nb\n", IDS)
    assert found.texts == {"toy/why": "so", "toy/which": "b"} and not found.notes
    assert parse(b"## toy/why_ever\nso\n", [*IDS, "toy/why_ever"]).texts == {"toy/why_ever": "so"}


def test_what_is_noticed_again_and_again_is_said_once():
    assert parse(b"## toy/own_ad\nso\n" * 5, IDS).notes == ("the heading 'toy/own_ad' is taken for toy/own_add",)


def test_a_heading_is_compared_with_others_only_so_often(monkeypatch):
    """It takes time, and a file may consist of headings. Those that are right are found however many come before."""
    looked = []
    matches = difflib.get_close_matches
    monkeypatch.setattr(difflib, "get_close_matches", lambda name, *more: looked.append(name) or matches(name, *more))
    text = "".join(f"## x{n}/y\n" for n in range(1000)) + "## toy/why\nso\n"
    assert parse(text.encode(), IDS).texts == {"toy/why": "so"} and len(looked) == MOST_MISSPELT
    assert parse(b"## toy/own_ad\n3\n" * 1000, IDS).texts == {"toy/own_add": "3"} and len(looked) == MOST_MISSPELT + 1


def test_a_number_with_a_decimal_comma_is_right(root, log, tmp_path):
    own = root / "toy" / "own_add.py"
    own.write_text(OWN.replace("exercise.add(a, b)", "exercise.add(a, b) / 1000"))
    sets = find_questions((), root)
    text = f"{right(sets, 'eve'):.3f}".replace(".", ",")
    collect(hand_in(tmp_path / "class", eve=answers(own=text)), sets, log, tmp_path / "marking")
    assert entry(log, "eve").points == 2


def test_the_numbers_of_the_id_at_the_top_earn_nothing_and_are_shown_to_staff(sets, log, tmp_path):
    own = answers(own=str(right(sets, "eve@x.org")), student="eve@x.org")
    done = collect(hand_in(tmp_path / "class", **{"4711": own}), sets, log, tmp_path / "marking")
    assert entry(log, "4711").points == 0
    assert done.looks == [("4711", "toy/own_add: the answer to the numbers of 'eve@x.org'")]


def test_one_id_in_two_forms_of_unicode_is_one(sets, log, tmp_path):
    own = answers(own=str(right(sets, "Jörg")), student="Jo\u0308rg")
    collect(hand_in(tmp_path / "class", **{"Jörg": own}), sets, log, tmp_path / "marking")
    assert entry(log, "Jörg").points == 2 and not entry(log, "Jörg").record["notes"]


def test_two_participants_by_one_name_are_a_question(sets, log, tmp_path):
    hand_in(tmp_path / "class", a=answers(which="a"), b=answers(which="b"))
    uploads = tuple(Upload(tmp_path / "class" / who, number=f"moodle {who}") for who in "ab")
    done = collect([HandIn("Ann", tmp_path / "class" / "a", uploads)], sets, log, tmp_path / "marking")
    assert entry(log, "Ann").points is None and "hand in by one name" in done.looks[0][1]


def test_who_has_no_readable_file_reads_why(sets, log, tmp_path):
    (tmp_path / "class" / "eve").mkdir(parents=True)
    (tmp_path / "class" / "eve" / "answers.docx").write_bytes(b"PK")
    collect([HandIn("eve", tmp_path / "class" / "eve")], sets, log, tmp_path / "marking")
    assert all("hand that in as answers.md" in result["message"] for result in entry(log, "eve").record["results"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("Answer: 42", 42),
        ("x = 3 + 4 = 7", 7),
        ("-1.5e3", -1500),
        ("1'234.5 bits", 1234.5),
        ("答案：４２。", 42),
    ]
    + [
        ("0,25", 0.25),
        ("0,125", 0.125),
        ("1.234,5", 1234.5),
        ("−3", -3),
        ("4.2 × 10^5", 4.2e5),
        ("4.2·10⁵", 4.2e5),
        (".5", 0.5),
    ]
    + [
        ("1,234", (1234, 1.234)),
        ("1.234", (1234, 1.234)),
        ("1,234,567", 1234567),
        ("12345.678", 12345.678),
        ("5 = x", 5),
    ]
    + [(text, ()) for text in ("", "between 3 and 4", "nan", "10²", "1.2.3", "1,,2")],
)
def test_a_number_is_read_however_it_is_written_unless_it_is_not_clear(text, value):
    assert numbers(text) == set(value if isinstance(value, tuple) else (value,))


# ---- spreadsheets ----


@pytest.mark.parametrize("text", ["1/2", "3-4", "1e5", "12345678901234567890", "Mar 5", "5 May", "10%"])
def test_an_answer_that_a_spreadsheet_would_convert_is_text(sets, log, tmp_path, text):
    collect(hand_in(tmp_path / "class", eve=answers(why=text)), sets, log, tmp_path / "marking")
    assert table(tmp_path / "marking")[1][3] == f"'{text}"


@pytest.mark.parametrize(
    ("before", "after"), [("true", "TRUE"), (",3,", ",3.00,"), ("'1/2", "1/2"), ("well", " well ")]
)
def test_what_spreadsheets_change_in_a_table_is_no_other_answer(sets, log, tmp_path, before, after):
    texts = {"eve": "true", "bob": "1/2", "ann": "well"}
    handins = hand_in(tmp_path / "class", **{who: answers(why=text) for who, text in texts.items()})
    collect(handins, sets, log, tmp_path / "marking")
    path = marked(tmp_path / "marking", dict.fromkeys(texts.values(), "1"))
    saved = path.read_text()
    assert before in saved
    path.write_text(saved.replace(before, after))
    assert merge(path, tmp_path / "marking" / "key.json", log, "kim").marked == 3
