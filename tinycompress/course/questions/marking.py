"""From hand-ins to marks: what the program can mark, a table of the rest for people, and their marks into the log.

The table, answers.csv, has no names: what names an answer's author in it is replaced, every answer has a code of its own, so
that not even two answers of one student can be told to belong together, and they are shuffled. key.json, which says whose they
are, stays apart; the log knows its hash.
"""

import csv
import datetime
import hashlib
import io
import json
import math
import os
import random
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ...files import whole_folder
from ..collect import HandIn, not_handed_in
from ..exercise import CourseProblem
from ..staff.grade import Found
from ..staff.gradebook import UNMARKED, in_range
from ..staff.log import Log
from ..staff.tables import cell
from .answers import Answers, choice, numbers, parse
from .names import names_of, without_names
from .question import LETTERS, Question, QuestionSet, is_right, plain_id

TABLE, KEY, GUIDE = "answers.csv", "key.json", "guide.md"
HEAD = ("code", "question", "of", "answer", "points", "remark")
CODE = "bcdfghjkmnpqrstvwxz"  # no vowels: no words, and no cell that a spreadsheet takes for a number or a date
NO_ANSWER = "no answer"
_CONVERTED = re.compile(r"(?=.*\d)(?:[\W\d]|jan|feb|m[aä]|apr|ju[nl]|aug|sep|o[ck]t|nov|de[cz]).{0,24}", re.IGNORECASE)
COPIED = 40  # characters from which on the same answer of two students is worth a look


@dataclass
class Collected:
    """What `collect` did: students, answers to be marked by hand, and (student, why) to look at."""

    students: int = 0
    to_mark: int = 0
    looks: list[tuple[str, str]] = field(default_factory=list)


def collect(handins: list[HandIn], sets: list[QuestionSet], log: Log, out: Path, roster=None) -> Collected:
    """Log the results of all hand-ins, and write what people must mark into the new folder `out`, if there is anything.

    roster: a `staff.roster.Roster`, for the names that answers must not show.

    An answer that has been marked keeps its marks as long as it and its question stay the same. Raises CourseProblem if `out`
    holds anything: marks may have been entered there.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseProblem(
            f"{out} is not an empty folder; give a new one, since somebody may be marking in the old one"
        )
    done, rows = Collected(len(handins)), []
    ids = [question.id for found in sets for question in found.questions]
    students = [handin.student for handin in handins]
    with log.lock():
        latest, marked = _known(log)
        for handin in handins:
            source = handin.answers(lambda data: not parse(data, ids).texts)
            answers = parse(source.data or b"", ids)
            for found in sets:
                record, texts = _record(handin, source, answers, found, students, marked)
                if _what(latest.get((handin.student, found.id))) != _what(record):
                    log.append(record)
                results = zip(found.questions, record["results"], strict=True)
                names = names_of(handin.student, roster, answers.student)
                rows += [(record, q, texts[q.id], names) for q, result in results if result["outcome"] == UNMARKED]
                done.looks += [(handin.student, f"{r['name']}: {r['staff']}") for r in record["results"] if r["staff"]]
            done.looks += [(handin.student, source.refused)] if source.unclear else []
        done.to_mark = len(rows)
        done.looks += _same(rows)
        if rows:
            _write(rows, sets, log, out)
    return done


def _known(log: Log) -> tuple[dict, dict]:
    """The latest record of each (student, exercise), and the marked result of each (student, question, answer, question's
    hash)."""
    latest, marked = {}, {}
    for record in log.records():
        if record.get("kind") == "result":
            latest[record["student"], record["exercise"]] = record
            for result in record["results"]:
                if result.get("by"):
                    marked[record["student"], result["name"], result["answer"], result["question"]] = result
    return latest, marked


def _what(record: dict | None) -> dict:
    """A record without what differs between two runs that find the same."""
    return {key: value for key, value in (record or {}).items() if key != "when"}


def _record(handin, source, answers: Answers, found: QuestionSet, students, marked) -> tuple[dict, dict]:
    """The record of a chapter's questions for the log, and the texts of its answers."""
    texts = {q.id: answers.texts[q.id] for q in found.questions if q.id in answers.texts}
    refused = source.refused if source.data is None else ""
    others = {plain_id(name): name for name in (answers.student, *students)}
    others = [name for plain, name in others.items() if plain not in ("", plain_id(handin.student))]
    missing = refused or NO_ANSWER
    results = [_result(q, texts.get(q.id, ""), handin.student, others, marked, missing) for q in found.questions]
    content = json.dumps([refused, sorted(texts.items())])
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    notes = (*source.notes, *answers.notes, *_wrong_id(answers, handin.student, found))
    when = (
        datetime.datetime.fromtimestamp(source.time, datetime.UTC).isoformat(timespec="minutes") if source.time else ""
    )
    key = hashlib.sha256(json.dumps([handin.student, found.id, digest, found.hash]).encode()).hexdigest()
    record = {"kind": "result", "key": key, "student": handin.student, "exercise": found.id, "handin": digest}
    record |= {"tests": found.hash, "level": "questions"}
    record |= {"refused": not_handed_in(found.id) if refused == not_handed_in(found.id) else refused}
    record |= Found(source.unclear, notes, when, handin.late, handin.numbers).as_record()
    return record | {"when": _now(), "results": results, "error": ""}, texts


def _wrong_id(answers: Answers, student: str, found: QuestionSet) -> tuple[str, ...]:
    said = plain_id(answers.student)
    if not said or said == plain_id(student) or not any(q.own for q in found.questions):
        return ()
    return (f"answers.md is of {answers.student!a}; the numbers that count here are those of {student!a}",)


def _result(question: Question, text: str, student: str, others: list[str], marked: dict, missing: str) -> dict:
    """One question's result, as a test's, with the hashes of answer and question.

    others: whose numbers may have been used by mistake or copied; missing: the message if there is no answer.
    """
    answer = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    result = {"name": question.id, "title": question.title, "public": False, "points": question.points, "earned": 0.0}
    result |= {"outcome": "failed", "message": missing, "staff": "", "answer": answer, "question": question.hash}
    if not text:
        return result
    before = marked.get((student, question.id, answer, question.hash))
    if before:
        return before
    if question.options:
        return result | _of_choice(question, text)
    if question.own:
        return result | _of_number(question, text, student, others)
    return result | {"outcome": UNMARKED, "message": "a person will mark this answer"}


def _of_choice(question: Question, text: str) -> dict:
    problem, letters = choice(text, question)
    if problem:
        return {"outcome": UNMARKED, "message": "a person will read this answer"}
    if len(letters) > 1:
        return {"message": f"several options are chosen ({', '.join(sorted(letters))}), of which one is right"}
    place = LETTERS.index(*letters)
    if place >= len(question.options):
        return {"message": f"there is no option {LETTERS[place]}"}
    option = question.options[place]
    earned = {"earned": question.points, "outcome": "passed"} if option.right else {}
    return {"message": f"{LETTERS[place]}: {option.why}", **earned}


def _of_number(question: Question, text: str, student: str, others: list[str]) -> dict:
    own, given = question.own, numbers(text)
    task = ", ".join(f"{name} {value}" for name, value in own.of(student).items())
    if not given:
        return {"message": "not one number; write the number alone", "staff": "no single number can be read"}
    if any(is_right(value, own.right(student)) for value in given):
        return {"message": "", "earned": question.points, "outcome": "passed"}
    of = [other for other in others if any(is_right(value, own.right(other)) for value in given)]
    copied = f"the answer to the numbers of {', '.join(map(repr, of[:3]))}" if of else ""
    shown = " or ".join(f"{value:.10g}" for value in sorted(given))
    return {"message": f"{shown} is not the answer to your numbers ({task})", "staff": copied}


def _same(rows) -> list[tuple[str, str]]:
    """Students who gave the same long answer, to look at."""
    first, found = {}, []
    for record, question, text, _ in rows:
        plain = re.sub(r"[\W_]+", "", text.casefold())
        other = first.setdefault((question.id, plain), record["student"])
        if other != record["student"] and len(plain) >= COPIED:
            found.append((record["student"], f"{question.id}: the same answer as {other!r}"))
    return found


def _write(rows, sets, log, out: Path) -> None:
    """Write the folder, completely or not at all, and its key's hash into the log."""
    codes, lines, key = set(), [], {}
    for record, question, text, names in rows:
        while (code := "".join(secrets.choice(CODE) for _ in range(8))) in codes:
            pass
        codes.add(code)
        first, *more = without_names(text, names).split("\n")
        shown = "\n".join([_as_text(cell(first)) if not more else cell(first), *more])
        line = [code, question.id, f"{question.points:g}", shown]
        lines.append(line)
        result = next(r for r in record["results"] if r["name"] == question.id)
        place = {"student": record["student"], "exercise": record["exercise"], "name": question.id}
        place |= {"answer": result["answer"], "question": question.hash, "points": question.points}
        key[code] = place | {"row": _hash_of_row(line)}
    random.SystemRandom().shuffle(lines)
    lines.sort(key=lambda line: line[1])  # all answers to a question after one another
    keyed = json.dumps(dict(sorted(key.items())), indent=1).encode()
    with whole_folder(out) as folder:
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\r\n").writerows([HEAD, *([*line, "", ""] for line in lines)])
        (folder / TABLE).write_text("\ufeff" + stream.getvalue(), encoding="utf-8", errors="replace", newline="")
        (folder / KEY).write_bytes(keyed)
        os.chmod(folder / KEY, 0o600)
        (folder / GUIDE).write_text(guide(sets), encoding="utf-8")
        log.append({"kind": "questions", "key": hashlib.sha256(keyed).hexdigest(), "when": _now()})


def _as_text(text: str) -> str:
    """A cell for a spreadsheet that would turn 1/2 or 3e5 into a date or another number."""
    return f"'{text}" if _CONVERTED.fullmatch(text) and not text.startswith("'") else text


def guide(sets: list[QuestionSet]) -> str:
    """The questions with their marking guides and right options, for staff."""
    parts = [f"# Marking guide\n\nEnter points and remark of each answer in {TABLE}; students read the remark."]
    for question in (question for found in sets for question in found.questions):
        parts.append(f"## {question.id}: {question.title} ({question.worth})\n\n{question.ask}")
        parts += [f"*Guide.* {question.guide}"] if question.guide else []
        options = zip(LETTERS, question.options, strict=False)
        shown = [f"- ({letter}){' **right**' * o.right} {o.text}: {o.why}" for letter, o in options]
        parts += ["\n".join(shown)] if shown else []
    return "\n\n".join(parts) + "\n"


def _hash_of_row(cells: list[str]) -> str:
    """Of the first four cells, without what spreadsheets change: white space at the ends of lines, an apostrophe before the
    text, upper and lower case of "true", and how points are written."""
    code, question, of, answer = (" ".join(text.lstrip("'").split()).casefold() for text in cells[:4])
    return hashlib.sha256(
        "\0".join([code, question, f"{_as_points(of):g}", answer]).encode("utf-8", "replace")
    ).hexdigest()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


# ---- and back ----


@dataclass
class Merged:
    """What `merge` did: answers marked now, those whose marks changed, without points yet, and of earlier hand-ins."""

    marked: int = 0
    changed: list[str] = field(default_factory=list)
    open: int = 0
    stale: list[str] = field(default_factory=list)


def merge(table: Path, key: Path, log: Log, who: str) -> Merged:
    """Add the marks of a table to the log; rows without points stay open. All or nothing of a table is taken.

    Raises CourseProblem, with the lines, for a key or an answer that is not as it was handed out, and for points that are no
    number from 0 to the question's points.
    """
    if not who.strip():
        raise CourseProblem("marks need who gave them: --who")
    keyed = _read_key(key, log)
    marks = _read_marks(table, keyed)
    done = Merged(open=len(keyed) - len(marks))
    with log.lock():
        latest, _ = _known(log)
        changed = {}
        for code, (points, remark) in marks.items():
            place = keyed[code]
            record = changed.get(
                (place["student"], place["exercise"]), latest.get((place["student"], place["exercise"]))
            )
            results = record["results"] if record else []
            at = [i for i, r in enumerate(results) if all(r.get(p) == place[p] for p in ("name", "answer", "question"))]
            if not at:
                done.stale.append(
                    f"{code}: {place['student']!r} has another answer to {place['name']} now, or the question was changed"
                )
                continue
            before = results[at[0]]
            outcome = "passed" if points == place["points"] else "partial" if points else "failed"
            after = before | {"earned": points, "outcome": outcome, "message": remark, "by": who}
            if after | {"by": before.get("by")} == before:
                continue
            done.marked += 1
            if before.get("by"):
                done.changed.append(f"{code}: {points:g} instead of {before['earned']:g} points by {before['by']}")
            results = [after if i == at[0] else result for i, result in enumerate(results)]
            changed[place["student"], place["exercise"]] = record | {"results": results, "when": _now()}
        for record in changed.values():
            log.append(record)
    return done


def _read_key(path: Path, log: Log) -> dict:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseProblem(f"{path}: {error.strerror}; give the key that `questions collect` wrote: --key") from error
    digest = hashlib.sha256(data).hexdigest()
    if not any(r.get("kind") == "questions" and r.get("key") == digest for r in log.records()):
        raise CourseProblem(
            f"{path} is not a key that {log.path} knows: it was changed, or belongs to another log; restore it, or give --log"
        )
    return json.loads(data)


def _read_marks(path: Path, keyed: dict) -> dict[str, tuple[float, str]]:
    """{code: (points, remark)} of the rows with points. Raises CourseProblem, naming each faulty line."""
    rows, marks, faults, seen = _read_table(path), {}, [], set()
    for line, row in rows:
        place, code = f"line {line}", row["code"].strip()
        if code not in keyed:
            faults.append(f"{place}: the code {code!a} is not in the key")
            continue
        if code in seen:
            faults.append(f"{place}: the code {code} a second time")
        seen.add(code)
        if _hash_of_row([code, row["question"], row["of"], row["answer"]]) != keyed[code]["row"]:
            faults.append(f"{place}: the question or answer of {code} was changed; only points and remark may be")
        text, most = row["points"].strip().lstrip("'"), keyed[code]["points"]
        if not text:
            if row["remark"].strip():
                faults.append(f"{place}: {code} has a remark, but no points")
            continue
        points = _as_points(text)
        if not in_range(points, most):
            faults.append(f"{place}: points of {code} are a number from 0 to {most:g}; got {text!a}")
        else:
            marks[code] = points, " ".join(row["remark"].split())
    if faults:
        more = f"; and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise CourseProblem(f"{path}: nothing is merged: {'; '.join(faults[:10])}{more}")
    return marks


def _as_points(text: str) -> float:
    text = text.replace(",", ".")
    return float(text) if re.fullmatch(r"\d{1,6}(\.\d*)?|\.\d+", text) else math.nan


def _read_table(path: Path) -> list[tuple[int, dict]]:
    """(line, {column: cell}) of each row that is not empty."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CourseProblem(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CourseProblem(f"{path} is not UTF-8; save it as `CSV UTF-8`") from error
    header = text.split("\n", 1)[0]
    csv.field_size_limit(1 << 20)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
        columns = [name.strip().lower() for name in next(rows, [])]
        if missing := [name for name in HEAD if columns.count(name) != 1]:
            raise CourseProblem(
                f"{path}: its first line should name {', '.join(HEAD)}; {missing[0]!r} is not there once"
            )
        found = [(rows.line_num, row) for row in rows if any(map(str.strip, row))]
    except csv.Error as error:
        raise CourseProblem(f"{path} is no CSV that can be read: {error}") from error
    return [(line, dict(zip(columns, [*row, *[""] * len(columns)], strict=False))) for line, row in found]
