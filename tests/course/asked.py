"""A chapter with a question of each kind, students who answer it, and the table in which people mark."""

import csv
import io

from tinycompress.course.collect import HandIn
from tinycompress.course.staff.gradebook import Gradebook

QUESTIONS = """
[[question]]
id = "why"
title = "Why at all"
points = 3
ask = "Why does it work?"
guide = "1 point for each of three SECRET reasons."

[[question]]
id = "which"
title = "Which one"
points = 1
ask = "Which is it?"
[[question.options]]
text = "the first"
why = "the WRONG one, because"
[[question.options]]
text = "the second"
why = "RIGHT indeed"
right = true
[[question.options]]
text = "the third"
why = "also WRONG"
"""
OWN = '''
"""Your own sum.

What is {a} + {b}?
"""
POINTS = 2
NUMBERS = {"a": range(100, 1000), "b": range(1000, 2000)}


def answer(exercise, a, b):
    return exercise.add(a, b)
'''
IDS = ["toy/why", "toy/which", "toy/own_add"]


def answers(why="", which="", own="", student=""):
    parts = zip(IDS, (why, which, own), strict=True)
    return f"Student: {student}\n" + "".join(f"## {name}\n\n{text}\n\n" for name, text in parts)


def hand_in(folder, **texts):
    """A folder of hand-ins: student -> answers.md."""
    for student, text in texts.items():
        (folder / student).mkdir(parents=True, exist_ok=True)
        (folder / student / "answers.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    return [HandIn(path.name, path) for path in sorted(folder.iterdir())]


def right(sets, student):
    (question,) = [q for q in sets[0].questions if q.own]
    return question.own.right(student)


def table(folder):
    return list(csv.reader(io.StringIO((folder / "answers.csv").read_text("utf-8-sig"), newline="")))


def marked(folder, points, remark="", name="marked.csv", **more):
    """The table with these points for the answers that contain a text: {text: points}."""
    rows = table(folder)
    for row in rows[1:]:
        row[4] = next((given for text, given in points.items() if text in row[3]), "")
        row[5] = remark if row[4] else ""
    with open(folder / name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, **more).writerows(rows)
    return folder / name


def entry(log, student):
    (found,) = Gradebook(log.path).entries(student)
    return found
