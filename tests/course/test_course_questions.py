"""Questions: what students get, how answers are read, the table for people, and what becomes of their marks."""

import json

import pytest
from asked import IDS, OWN, QUESTIONS, answers, entry, hand_in, marked, right, table

from tinycompress.cli import main
from tinycompress.course.exercise import CourseProblem
from tinycompress.course.questions.answers import LONGEST, choice, parse
from tinycompress.course.questions.check import check_questions
from tinycompress.course.questions.handout import as_manifest, tasks_of, write_questions
from tinycompress.course.questions.marking import collect, merge
from tinycompress.course.questions.question import find_questions, is_right, numbers_of
from tinycompress.course.staff.export import export
from tinycompress.course.staff.gradebook import Gradebook

# ---- what students get ----


def test_students_get_no_guide_no_explanation_and_no_key(sets, tmp_path):
    write_questions(sets, tmp_path)
    text = (tmp_path / "questions.md").read_text() + (tmp_path / "answers.md").read_text()
    text += json.dumps(as_manifest(sets))
    assert "the second" in text and "Why does it work?" in text
    assert not any(secret in text for secret in ("SECRET", "WRONG", "RIGHT", "true", "exercise.add"))
    assert not parse((tmp_path / "answers.md").read_bytes(), IDS).texts, "the blank file has no answer"


def test_an_explanation_that_students_would_see_is_refused(root, tmp_path):
    path = root / "toy" / "questions.toml"
    path.write_text(QUESTIONS.replace("Which is it?", "Which is it? (RIGHT indeed: think)"))
    with pytest.raises(CourseProblem, match="would give away: RIGHT indeed"):
        write_questions(find_questions((), root), tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("points = 3", "points = 0", "a number above 0"),
        ("right = true", "", "exactly one option is right"),
        ('why = "also WRONG"', 'why = "also"\nright = true', "exactly one option is right"),
        ('guide = "1 point for each of three SECRET reasons."', "", "either a guide"),
        ('id = "which"', 'id = "why"', "several questions are called"),
        ('id = "which"', 'id = "../which"', "lowercase letters"),
        ('title = "Why at all"', 'titel = "Why"', "nothing else"),
        ("[[question]]", "[[question", "questions.toml"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused(root, before, after, why):
    (root / "toy" / "questions.toml").write_text(QUESTIONS.replace(before, after, 1))
    with pytest.raises(CourseProblem, match=why):
        find_questions((), root)


def test_every_chapter_of_the_lecture_has_good_questions_and_a_task_of_ones_own():
    found = {s.chapter: s for s in find_questions()}
    assert {"pruning", "distillation", "quantization", "architecture", "dynamic"} <= set(found)
    for chapter in found.values():
        assert sum(q.written for q in chapter.questions) >= 2 and any(q.options for q in chapter.questions)
        assert any(q.own for q in chapter.questions) and any(q.figure for q in chapter.questions)
        assert not [fault for fault in check_questions(chapter) if "pairs" not in fault]


# ---- how answers are read ----


@pytest.mark.parametrize(
    "heading",
    [
        "## toy/why",
        "#toy/why",
        "### toy/why: Why at all (3 points)",
        "**toy/why**",
        "toy/why",
        "## TOY/WHY",
        "## toy/wyh",
    ],
)
def test_a_heading_is_found_however_it_is_written(heading):
    found = parse(f"{heading}\n\nBecause.\n\n# My own heading\nMore.\n## toy/which\nb".encode(), IDS)
    assert found.texts == {"toy/why": "Because.\n\n# My own heading\nMore.", "toy/which": "b"}


def test_markdown_that_is_broken_swallows_no_other_answer():
    text = "## toy/why\n```\nnever closed <!-- nor this\n| a | b\n## toy/which\nb\n"
    assert parse(text.encode(), IDS).texts["toy/which"] == "b"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_odd_encodings_are_read(encoding):
    found = parse("## toy/why\r\nfür später – ja\r\n".encode(encoding), IDS)
    assert found.texts["toy/why"] == "für später – ja"
    assert bool(found.notes) == (encoding == "cp1252")


@pytest.mark.parametrize("data", [b"", b"\0" * 100, bytes(range(256)), b"\xff\xfe\xd8", b"#" * 10_000, b"## toy/why"])
def test_a_file_without_an_answer_is_none(data):
    assert parse(data, IDS).texts == {}


def test_two_answers_under_one_heading_are_both_read_and_equal_ones_once():
    found = parse(b"## toy/why\none\n## toy/why\none\n## toy/why\ntwo\n", IDS)
    assert found.texts["toy/why"].count("one") == 1 and "two" in found.texts["toy/why"] and found.notes


def test_an_answer_of_any_length_fits_a_cell():
    found = parse(b"## toy/why\n" + b"long " * 50_000, IDS)
    assert len(found.texts["toy/why"]) < LONGEST + 100 and "the rest is not read" in found.texts["toy/why"]


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        *[
            (text, "b")
            for text in ("b", "B", "(b)", "b)", "**b**", "答案：b。", "（ｂ）", "Answer: b", "Answer:\nb", "b, because")
        ],
        *[
            (text, "b")
            for text in ("b\n\ne.g. so", "the second", "(b) the second", "- [ ] a\n- [x] b\n- [ ] c", "Option B.")
        ],
        *[(text, "ab") for text in ("a, b", "a and b", "a\nb")],
        *[(text, "") for text in ("a net is small", "because", "?")],
    ],
)
def test_the_letter_of_a_choice_is_read_or_left_to_a_person(sets, text, letters):
    problem, found = choice(text, sets[0].questions[1])
    assert found == set(letters) and bool(problem) == (not letters)


# ---- own numbers ----


def test_numbers_are_the_students_own_and_the_same_wherever_they_are_asked_for(sets):
    (question,) = [q for q in sets[0].questions if q.own]
    manifest = json.loads(json.dumps(as_manifest(sets)))
    for student in ("4711", "Jörg Müller", "eve"):
        numbers = question.own.of(student)
        assert f"What is {numbers['a']} + {numbers['b']}?" in tasks_of(student, manifest)
    assert question.own.of("eve") == question.own.of(" EVE ") != question.own.of("eva")
    ranges = question.own.numbers
    assert len({tuple(numbers_of(str(i), "toy/own_add", ranges).values()) for i in range(200)}) > 195


def test_another_students_answer_earns_nothing_and_staff_are_told(sets, log, tmp_path):
    own = answers(own=f"Answer: {right(sets, 'adam')}", student="adam")
    handins = hand_in(tmp_path / "class", adam=own, eve=own)
    done = collect(handins, sets, log, tmp_path / "marking")
    assert (entry(log, "adam").points, entry(log, "eve").points) == (2, 0)
    assert ("eve", "toy/own_add: the answer to the numbers of 'adam'") in done.looks
    assert any("answers.md is of 'adam'" in note for note in entry(log, "eve").record["notes"])


def test_whole_answers_are_exact_and_others_to_what_was_asked():
    assert is_right(7.0, 7) and not is_right(7.001, 7) and not is_right(7001, 7000)
    assert is_right(3.142, 3.14159) and not is_right(3.2, 3.14159) and not is_right(float("nan"), 1.0)


def test_numbers_with_which_many_share_an_answer_are_a_fault(root):
    (root / "toy" / "own_add.py").write_text(OWN.replace("a + b", "").replace("exercise.add(a, b)", "1"))
    assert "same answer" in check_questions(find_questions((), root)[0])[0]


# ---- the table ----


def test_choices_are_marked_at_once_and_explained(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", a=answers(which="a"), b=answers(which="b"), ab=answers(which="a, b"))
    done = collect(handins, sets, log, tmp_path / "marking")
    assert done.to_mark == 0 and not (tmp_path / "marking").exists()
    assert [entry(log, student).points for student in ("a", "b", "ab")] == [0, 1, 0]
    (page,) = [p for p in export(Gradebook(log.path), "feedback", tmp_path / "pages") if p.stem == "a"]
    assert "the WRONG one, because" in page.read_text() and "RIGHT" not in page.read_text()


def test_the_table_names_nobody_and_the_key_everybody(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", **{f"student{i}": answers(why=f"reason {i}") for i in range(30)})
    assert collect(handins, sets, log, tmp_path / "marking").to_mark == 30
    text = (tmp_path / "marking" / "answers.csv").read_text("utf-8-sig")
    guide = (tmp_path / "marking" / "guide.md").read_text()
    assert "student" not in text and "SECRET" in guide and "(1 point)" in guide and "(3 points)" in guide
    rows, key = table(tmp_path / "marking")[1:], json.loads((tmp_path / "marking" / "key.json").read_text())
    assert all(row[3] == "reason " + key[row[0]]["student"].removeprefix("student") for row in rows)
    assert [row[3] for row in rows] != sorted(row[3] for row in rows) and all(row[4:] == ["", ""] for row in rows)


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@a", "|calc", "\t=1+1", '"=1+1'])
def test_no_answer_is_a_formula(sets, log, tmp_path, start):
    collect(hand_in(tmp_path / "class", eve=answers(why=start + "\nmore")), sets, log, tmp_path / "marking")
    (row,) = table(tmp_path / "marking")[1:]
    assert row[3].startswith("'") and "more" in row[3]


def test_marks_reach_gradebook_and_feedback_as_text(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", eve=answers(why="well", which="b"), bob=answers(why="badly"))
    collect(handins, sets, log, tmp_path / "marking")
    assert entry(log, "eve").points is None and entry(log, "eve").status == "unmarked"
    path = marked(tmp_path / "marking", {"well": "2,5", "badly": "0"}, "<script>x</script>", delimiter=";")
    assert merge(path, tmp_path / "marking" / "key.json", log, "kim").marked == 2
    assert (entry(log, "eve").points, entry(log, "bob").points) == (3.5, 0)
    pages = export(Gradebook(log.path), "feedback", tmp_path / "pages")
    assert all("&lt;script&gt;" in p.read_text() and "<script>" not in p.read_text() for p in pages)
    assert merge(path, tmp_path / "marking" / "key.json", log, "kim").marked == 0, "the same marks again"


@pytest.mark.parametrize("points", ["-1", "3.5", "nan", "inf", "1e9", "two", "0x1", "1;2"])
def test_points_beyond_the_question_are_refused_as_a_whole(sets, log, tmp_path, points):
    handins = hand_in(tmp_path / "class", eve=answers(why="well"), bob=answers(why="badly"))
    collect(handins, sets, log, tmp_path / "marking")
    path = marked(tmp_path / "marking", {"well": points, "badly": "1"})
    with pytest.raises(CourseProblem, match="from 0 to 3"):
        merge(path, tmp_path / "marking" / "key.json", log, "kim")
    assert entry(log, "bob").points is None


@pytest.mark.parametrize("what", ["answer", "question", "of", "code", "twice", "key", "swapped key", "remark alone"])
def test_a_table_or_key_that_was_changed_is_refused(sets, log, tmp_path, what):
    handins = hand_in(tmp_path / "class", eve=answers(why="well"), bob=answers(why="badly"))
    folder = tmp_path / "marking"
    collect(handins, sets, log, folder)
    path, key = marked(folder, {"well": "3", "badly": "1"}), folder / "key.json"
    text = path.read_text()
    if what == "answer":
        text = text.replace("badly", "very badly")
    elif what in ("question", "of"):
        text = text.replace(*{"question": ("toy/why", "toy/which"), "of": (",3,", ",9,")}[what])
    elif what == "code":
        text = text.replace(table(folder)[1][0], "bbbbbbbb")
    elif what == "twice":
        text += text.splitlines()[1] + "\n"
    elif what == "remark alone":
        text = text.replace("well,3,", "well,,good")
    elif what == "key":
        key.write_text(key.read_text() + " ")
    else:
        given = json.loads(key.read_text())
        (a, b) = given
        given[a]["student"], given[b]["student"] = given[b]["student"], given[a]["student"]
        key.write_text(json.dumps(given, indent=1))
    path.write_text(text)
    with pytest.raises(CourseProblem):
        merge(path, key, log, "kim")
    assert entry(log, "eve").points is None and entry(log, "bob").points is None


def test_a_table_may_be_split_among_people_and_saved_by_a_spreadsheet(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", eve=answers(why="one\ntwo\n\nwell"), bob=answers(why="badly"))
    collect(handins, sets, log, tmp_path / "marking")
    first = marked(tmp_path / "marking", {"well": "3"})
    first.write_bytes(b"\xef\xbb\xbf" + first.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert merge(first, tmp_path / "marking" / "key.json", log, "kim").open == 1
    assert entry(log, "eve").points == 3 and entry(log, "bob").points is None
    merge(marked(tmp_path / "marking", {"badly": "1"}), tmp_path / "marking" / "key.json", log, "ann")
    assert entry(log, "eve").points == 3 and entry(log, "bob").points == 1


def test_a_mark_stays_until_the_answer_changes(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", eve=answers(why="well", which="a"))
    collect(handins, sets, log, tmp_path / "one")
    path = marked(tmp_path / "one", {"well": "3"})
    merge(path, tmp_path / "one" / "key.json", log, "kim")
    handins = hand_in(tmp_path / "class", eve=answers(why="well", which="b"))
    assert collect(handins, sets, log, tmp_path / "two").to_mark == 0 and entry(log, "eve").points == 4
    lines = len(log.records())
    collect(handins, sets, log, tmp_path / "two")
    assert len(log.records()) == lines, "nothing is logged twice"
    handins = hand_in(tmp_path / "class", eve=answers(why="better", which="b"))
    assert collect(handins, sets, log, tmp_path / "two").to_mark == 1 and entry(log, "eve").points is None
    assert merge(path, tmp_path / "one" / "key.json", log, "kim").stale and entry(log, "eve").points is None


def test_hand_ins_without_a_readable_file_are_zeros_only_if_nothing_can_be_meant(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", two=answers(why="one"))
    for student, name in (
        ("word", "answers.docx"),
        ("nothing", "notes.txt"),
        ("two", "old/answers.md"),
        ("txt", "answers.txt"),
    ):
        path = tmp_path / "class" / student / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(answers(which="b"))
    handins = hand_in(tmp_path / "class")
    done = collect(handins, sets, log, tmp_path / "marking")
    assert entry(log, "nothing").points == 0 and entry(log, "nothing").missing
    assert entry(log, "txt").points == 1 and "answers.txt is taken for answers.md" in entry(log, "txt").record["notes"]
    assert entry(log, "word").points is None and entry(log, "two").points is None
    assert {student for student, _ in done.looks} == {"word", "two"}


def test_the_same_long_answer_of_two_students_is_shown_to_staff(sets, log, tmp_path):
    text = "Because the importance is judged again and again, in the net as it is."
    handins = hand_in(tmp_path / "class", eve=answers(why=text), bob=answers(why=text.upper() + "!"))
    assert collect(handins, sets, log, tmp_path / "marking").looks == [("eve", "toy/why: the same answer as 'bob'")]


def test_a_folder_in_which_somebody_marks_is_never_written_again(sets, log, tmp_path):
    handins = hand_in(tmp_path / "class", eve=answers(why="well"))
    collect(handins, sets, log, tmp_path / "marking")
    with pytest.raises(CourseProblem, match="not an empty folder"):
        collect(handins, sets, log, tmp_path / "marking")


def test_questions_alone_are_packed_and_staff_hear_which_exercise_they_need(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["course", "release", "pruning/questions", "--out", "handout"]) == 0
    assert "pruning/own_csr asks for functions of pruning/csr, which is not handed out" in capsys.readouterr().err
    assert main(["course", "pack", "--folder", "handout"]) == 0
    said = capsys.readouterr()
    assert "answers.md: 0 of 5 questions answered" in said.out and "1 file; hand it in" in said.out


def test_the_commands_from_the_handout_to_the_marks(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["course", "release", "pruning/csr", "pruning/questions", "--out", "handout"]) == 0
    assert main(["course", "mine", "4711", "--folder", "handout"]) == 0
    (chapter,) = find_questions(["pruning"])
    (own,) = [q.own for q in chapter.questions if q.own]
    said = capsys.readouterr()
    assert str(own.of("4711")["seed"]) in said.out and "asks for functions" not in said.err
    path = tmp_path / "handout" / "answers.md"
    text = path.read_text().replace(f"{own.id}\n\nAnswer:", f"{own.id}\n\nAnswer: {own.right('4711')}")
    path.write_text(text.replace("why_little_by_little\n", "why_little_by_little\nBecause.\n"))
    (tmp_path / "class").mkdir()
    assert main(["course", "pack", "--folder", "handout", "--out", "class/4711.zip"]) == 0
    said = capsys.readouterr()
    assert "answers.md: 2 of 5 questions answered" in said.out and "2 files; hand it in" in said.out
    assert "2 files not finished" in said.err
    assert main(["course", "questions", "collect", "class", "pruning", "--out", "marking"]) == 0
    marked(tmp_path / "marking", {"Because": "1"})
    assert main(["course", "questions", "merge", "marking/marked.csv", "--who", "kim"]) == 0
    assert main(["course", "export", "csv", "--out", "marks.csv"]) == 0
    assert "4711,3,3,12" in (tmp_path / "marks.csv").read_text()
    assert main(["course", "questions", "collect", "class", "nonsense", "--out", "other"]) == 2
    assert "chapters with questions" in capsys.readouterr().err
