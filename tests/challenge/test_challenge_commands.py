"""The commands as lecturer, student and staff type them."""

import json
import re
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from windows import become_windows

import tinycompress as tc
from tinycompress.challenge import baselines, board, start
from tinycompress.challenge.board import Board
from tinycompress.challenge.folders import new
from tinycompress.challenge.images import public_data, secret_half
from tinycompress.challenge.judge import Answer, Refused
from tinycompress.challenge.rules import read_rules
from tinycompress.cli import main
from tinycompress.course.exercise import CourseProblem
from tinycompress.lecture.together.nets import Plan

NOON = datetime(2027, 1, 20, 12, tzinfo=UTC)


@pytest.fixture
def judged(monkeypatch):
    """Stand-in for the process of its own: content -> how many images it is wrong about, from the first on."""

    def judge(data, x, num_classes, rules):
        if not data.isdigit():
            raise Refused("the file cannot be loaded: not a .tcz file")
        judge.calls.append(data)
        classes = judge.labels.copy()
        classes[: int(data)] += 1
        return Answer(classes, np.full(len(x), 100.0), 7)

    judge.calls = []
    monkeypatch.setattr(board, "judge", judge)
    return judge


@pytest.fixture
def staff_board(staff, judged):
    found = Board(staff)
    judged.labels = np.concatenate([half.y for half in found.halves.values()])
    return found


def submitted(found, student, data, time=NOON, **more):
    number = found.receive(student, data, time, **more)
    (entry,) = found.catch_up()
    assert entry.number == number
    return entry


# ---- the split ----


def test_the_two_folders_share_the_rules_and_the_public_images_only(made):
    students, staff = made
    assert {path.name for path in students.iterdir()} == {"README.md", "challenge.toml", "data.npz", "start.py"}
    assert {path.name for path in staff.iterdir()} == {"challenge.toml", "data.npz", "secret.npz"}
    assert f'pip install "tinycompress=={tc.__version__}"' in (students / "README.md").read_text(encoding="utf-8")
    whole, public, secret = tc.data.load("digits"), public_data(students), secret_half(staff)
    seen = {image.tobytes() for image in np.concatenate([public.x_train, public.x_val, public.x_test])}
    hidden = [image.tobytes() for image in secret.x]
    assert not seen & set(hidden) and len(seen) + len(set(hidden)) <= 1797
    pairs = sorted(zip(hidden, secret.y, strict=True))
    pairs += [(x.tobytes(), y) for x, y in zip(*public.test, strict=True)]
    assert sorted(pairs) == sorted((x.tobytes(), y) for x, y in zip(*whole.test, strict=True))
    assert abs(np.bincount(public.y_test) - np.bincount(secret.y)).max() <= 1
    if sys.platform != "win32":
        assert stat.S_IMODE(staff.stat().st_mode) == 0o700


def test_every_challenge_has_another_secret_half_in_an_order_that_tells_nothing(made, tmp_path):
    other = new(tmp_path / "other", "bytes", "digits")[1]
    one, two = secret_half(made[1]), secret_half(other)
    assert {x.tobytes() for x in one.x} != {x.tobytes() for x in two.x}
    place = {x.tobytes(): i for i, x in enumerate(tc.data.load("digits").x_test)}
    assert (np.diff([place[x.tobytes()] for x in one.x]) < 0).any()


def test_images_of_8_bits_stay_the_same_in_a_quarter_of_the_room(tmp_path, rng):
    images = rng.integers(0, 256, (120, 6, 6, 3), np.uint8)
    labels = np.arange(120) % 3
    mine = tmp_path / "mine.npz"
    np.savez(mine, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
    students, staff = new(tmp_path / "challenge", "bytes", str(mine))
    assert np.load(students / "data.npz")["x_train"].dtype == np.uint8
    whole = tc.data.load(mine)
    found = {x.tobytes() for x in np.concatenate([public_data(students).x_test, secret_half(staff).x])}
    assert found == {x.tobytes() for x in whole.x_test}
    assert not read_rules(staff).secret_is_public and "Nobody but the staff" in (students / "README.md").read_text()


def test_a_second_split_of_the_same_challenge_is_refused(made):
    with pytest.raises(CourseProblem, match="give secret images away"):
        new(made[0].parent, "accuracy", "digits")


# ---- the log ----


def test_a_hand_in_is_logged_with_what_it_says_to_every_image(staff_board):
    entry = submitted(staff_board, "eve", b"10")
    public = len(staff_board.halves["public"].y)
    assert entry.accuracy("public") == 1 - 10 / public and entry.accuracy("secret") == 1
    (again,) = Board(staff_board.folder).entries()
    assert again.student == "eve" and again.time == NOON and again.weights == 7
    assert all(np.array_equal(again.right[half], entry.right[half]) for half in entry.right)
    assert (staff_board.folder / "hand_ins" / f"{entry.file}.tcz").read_bytes() == b"10"


@pytest.mark.parametrize("at", ["store", "received", "judge", "judged"])
def test_an_interrupted_submit_loses_nothing_and_judges_nothing_twice(staff_board, judged, monkeypatch, at):
    submitted(staff_board, "adam", b"3")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        append = staff_board.log.append
        if at == "store":
            context.setattr(board, "replace_file", interrupt)
        elif at == "judge":
            context.setattr(board, "judge", interrupt)
        else:
            later = {"received": interrupt, "judged": lambda r: interrupt() if r["kind"] == at else append(r)}
            context.setattr(staff_board.log, "append", later[at])
        with pytest.raises(KeyboardInterrupt):
            submitted(staff_board, "eve", b"10")
    before = len(judged.calls)
    found = Board(staff_board.folder)
    waiting = list(found.catch_up())
    assert [e.student for e in waiting] == ([] if at in ("store", "received") else ["eve"])
    assert len(judged.calls) == before + len(waiting)
    if not waiting:  # there is no trace of it, so the student hands in again
        submitted(found, "eve", b"10")
    assert [(e.number, e.student) for e in found.entries()] == [(1, "adam"), (2, "eve")] and not list(found.catch_up())


def test_half_a_line_of_the_log_is_no_hand_in(staff_board):
    submitted(staff_board, "adam", b"3")
    with open(staff_board.log.path, "ab") as log:
        log.write(b'{"kind": "received", "number": 2, "stu')
    assert len(staff_board.entries()) == 1
    assert submitted(staff_board, "eve", b"10").number == 2
    assert len(staff_board.entries()) == 2


def test_as_many_hand_ins_as_a_day_allows(staff_board):
    for i in range(5):
        submitted(staff_board, "eve", str(i).encode())
    with pytest.raises(Refused, match="handed in 5 files on 2027-01-20"):
        staff_board.receive("eve", b"9", NOON)
    submitted(staff_board, "adam", b"9")
    submitted(staff_board, "eve", b"9", NOON.replace(day=21))
    for i in range(10, 16):
        submitted(staff_board, "lecture", str(i).encode(), baseline=True)


def test_the_same_file_is_judged_once_unless_it_was_refused(staff_board):
    submitted(staff_board, "eve", b"1")
    with pytest.raises(Refused, match="is hand-in 1"):
        staff_board.receive("eve", b"1", NOON)
    assert submitted(staff_board, "eve", b"bad").refused
    assert submitted(staff_board, "eve", b"bad").refused


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "x" * 101])
def test_a_name_is_printable(staff_board, name):
    with pytest.raises(CourseProblem, match="no name for a student"):
        staff_board.receive(name, b"1", NOON)


# ---- the commands ----


def test_a_student_checks_and_the_staff_rank(students, staff, hand_in, tmp_path, capsys):
    (students / "net.tcz").write_bytes(hand_in)
    assert main(["challenge", "check", str(students / "net.tcz"), "--folder", str(students)]) == 0
    said = capsys.readouterr().out
    assert f"{len(hand_in):,} bytes, 1,184 multiplications" in said and "a valid hand-in" in said
    inbox = tmp_path / "inbox"
    (inbox / "eve").mkdir(parents=True)
    (inbox / "eve" / "net.tcz").write_bytes(hand_in)
    (inbox / "adam.tcz").write_bytes(hand_in[:-1])
    (inbox / "notes.txt").write_text("hello")
    assert main(["challenge", "submit", str(inbox), "--folder", str(staff)]) == 1
    said = capsys.readouterr()
    assert "'adam': does not count: the file cannot be loaded: it is damaged" in said.out
    assert "'eve': " in said.out and "secret" not in said.out and "notes.txt" in said.err
    assert main(["challenge", "rank", "--folder", str(staff)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"\n1 +eve +[89]\d\.\d\d % ", said) and "no rank: 'adam': " in said
    assert main(["challenge", "rank", "--json", "--folder", str(staff)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"{100 * told['places'][0]['value']:.2f} %" in said and told["places"][0]["bytes"] == len(hand_in)
    assert [place["student"] for place in told["no_rank"]] == ["adam"] and told["half"] == "secret"
    for form, name in ("page", "page.html"), ("csv", "marks.csv"):
        assert main(["challenge", "export", form, "--out", str(tmp_path / name), "--folder", str(staff)]) == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<svg" not in text and text.count("data:image/svg+xml") == 2 and "http" not in text.replace("http-equiv", "")
    assert (tmp_path / "marks.csv").read_text().splitlines()[1].startswith("eve,1,10,")


def test_a_students_folder_does_not_submit(students, capsys):
    assert main(["challenge", "submit", "net.tcz", "--student", "eve", "--folder", str(students)]) == 2
    assert "challenge check FILE" in capsys.readouterr().err


def test_what_is_not_handed_in_properly_is_told(staff, students, tmp_path, capsys):
    folder = ["--folder", str(staff)]
    assert main(["challenge", "submit", "net.tcz", *folder]) == 2
    assert "whose file is it?" in capsys.readouterr().err
    assert main(["challenge", "submit", "net.tcz", "--student", "eve", *folder]) == 1
    assert "not a regular file" in capsys.readouterr().err
    assert main(["challenge", "submit", str(tmp_path / "staff" / "hand_ins"), "--student", "eve", *folder]) in (1, 2)
    assert main(["challenge", "submit", "--received", "soon", *folder]) == 2
    assert main(["challenge", "rank", *folder]) == 0
    assert "no hand-in counts yet" in capsys.readouterr().out
    (students / "big.tcz").write_bytes(bytes(9000))
    assert main(["challenge", "check", str(students / "big.tcz"), "--folder", str(students)]) == 1
    assert "9,000 bytes, 808 more than the 8,192 allowed" in capsys.readouterr().err


def test_a_student_checks_on_windows(students, hand_in, monkeypatch, capsys):
    become_windows(lambda of, name: monkeypatch.delattr(of, name, False), monkeypatch.setattr, monkeypatch.setitem)
    (students / "net.tcz").write_bytes(hand_in)
    assert main(["challenge", "check", str(students / "net.tcz"), "--folder", str(students)]) == 0
    assert main(["challenge", "submit", str(students / "net.tcz"), "--folder", str(students)]) == 2
    assert "a valid hand-in" in capsys.readouterr().out


def test_on_windows_the_staff_are_told_to_judge_on_linux(staff, tmp_path, hand_in, monkeypatch, capsys):
    become_windows(lambda of, name: monkeypatch.delattr(of, name, False), monkeypatch.setattr, monkeypatch.setitem)
    (tmp_path / "eve.tcz").write_bytes(hand_in)
    assert main(["challenge", "submit", str(tmp_path / "eve.tcz"), "--folder", str(staff)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "on Linux" in line


# ---- what comes with it ----


def test_the_starting_script_ends_with_a_valid_hand_in(students, capsys, monkeypatch):
    monkeypatch.setattr(start, "SHARES", (0.5,))
    assert (students / "start.py").read_text() == Path(start.__file__).read_text()
    assert start.main(students, epochs=3) == students / "first.tcz"
    assert main(["challenge", "check", str(students / "first.tcz"), "--folder", str(students)]) == 0
    rules = (students / "challenge.toml").read_text().replace("# least_accuracy = 0.9", "least_accuracy = 1.0")
    (students / "challenge.toml").write_text(rules)
    capsys.readouterr()
    assert start.main(students, epochs=1, out="none.tcz") is None and not (students / "none.tcz").exists()
    assert "train longer" in capsys.readouterr().err


def test_the_starting_script_trains_on_some_of_many_images_of_every_class(data):
    some = start.some_of(data, 300)
    assert len(some.y_train) == 300 and len(some.y_val) == min(300, len(data.y_val))
    assert len(np.unique(some.y_train)) == data.num_classes
    pairs = {(x.tobytes(), int(y)) for x, y in zip(*data.train, strict=True)}
    assert all((x.tobytes(), int(y)) in pairs for x, y in zip(*some.train, strict=True))
    assert np.array_equal(some.x_test, data.x_test)
    assert len(start.some_of(data).y_train) == len(data.y_train)


def test_baselines_are_judged_like_any_hand_in_and_resume(staff, monkeypatch, capsys):
    monkeypatch.setattr(baselines, "plan_for", lambda *_: Plan((4, 8), 1, 1, lrs=(0.05,), small_lrs=(0.005,)))
    wanted = ["plain net", "early exit", "8-bit integers", "all together"]
    monkeypatch.setattr(baselines, "names", lambda: wanted[:2])
    assert main(["challenge", "baselines", "--folder", str(staff)]) == 0
    monkeypatch.setattr(baselines, "names", lambda: wanted)
    assert main(["challenge", "baselines", "--folder", str(staff)]) == 0
    assert "4 baselines, 2 of them done" in capsys.readouterr().out
    entries = Board(staff).entries()
    assert [e.student for e in entries] == [f"lecture: {name}" for name in wanted]
    assert not any(e.refused for e in entries) and all(e.baseline for e in entries)
    assert entries[3].nbytes < entries[2].nbytes < entries[0].nbytes
    first = json.loads((staff / "log.jsonl").read_text().splitlines()[0])
    assert first["kind"] == "received" and first["baseline"]
