"""What students get of the questions: questions.md, a blank answers.md, and their own numbers by `course mine`."""

import re
import shutil
from pathlib import Path

from ..exercise import CourseProblem
from .answers import NAME
from .question import LETTERS, QuestionSet, numbers_of

ASKED = "questions.md"
_BLANK = """\
# Answers

<!-- Write below the headings, and keep them; leave your name out, since answers are marked without names. questions.md
holds the questions. The id is the one by which you are graded: your own numbers follow from it. -->

Student:
"""


def write_questions(sets: list[QuestionSet], out: Path) -> None:
    """Write questions.md with its figures, and answers.md. Raises CourseProblem if a guide or an explanation is in them."""
    asked = [f"# Questions\n\nWrite your answers into `{NAME}`, below the heading of each question."]
    blank = [_BLANK]
    for found in sets:
        asked.append(f"\n# Chapter: {found.chapter}")
        for question in found.questions:
            asked.append(f"\n## {question.id}: {question.title} ({question.worth})\n")
            asked += [_figure(question, out)] if question.figure else []
            asked.append(_ask(question))
            asked += [f"- ({letter}) {option.text}" for letter, option in zip(LETTERS, question.options, strict=False)]
            blank.append(f"\n## {question.id}\n\n{'Answer: ' if question.options or question.own else ''}\n")
    text = "\n".join(asked) + "\n"
    _check_nothing_leaks(sets, text)
    (out / ASKED).write_text(text, encoding="utf-8")
    (out / NAME).write_text("".join(blank), encoding="utf-8")


def _ask(question) -> str:
    if question.options:
        return f"{question.ask}\n\nOne option is right; write its letter.\n"
    if question.own is None:
        return f"{question.ask}\n"
    named = question.ask.format(**{name: f"*{name}*" for name in question.own.numbers})
    names = ", ".join(f"*{name}*" for name in question.own.numbers)
    how = "`tinycompress course mine YOUR-ID` shows the task with them"
    last = "Write one number, with four significant digits unless it is whole."
    return f"Every student has other numbers for {names}: {how}.\n\n{named}\n\n{last}\n"


def _figure(question, out: Path) -> str:
    if isinstance(question.figure, str):
        name = Path(question.figure).stem
        return f"(The figure is that of claim {name}: `tinycompress lecture {name} --out figures` draws it.)\n"
    shown = out / "figures" / question.figure.name
    shown.parent.mkdir(exist_ok=True)
    shutil.copyfile(question.figure, shown)
    return f"![{question.title}](figures/{question.figure.name})\n"


def _check_nothing_leaks(sets, text) -> None:
    plain = " ".join(text.split())
    for question in (question for found in sets for question in found.questions):
        for secret in [question.guide, *(option.why for option in question.options)]:
            if secret and " ".join(secret.split()) in plain:
                raise CourseProblem(f"{question.id}: {ASKED} would give away: {secret[:80]}")


def as_manifest(sets: list[QuestionSet]) -> dict:
    """What the students' folder knows of the questions: their ids, and the tasks with numbers to choose from."""
    questions = [question for found in sets for question in found.questions]
    own = {
        q.id: {"title": q.title, "ask": q.ask, "numbers": {name: list(v) for name, v in q.own.numbers.items()}}
        for q in questions
        if q.own
    }
    return {"questions": [q.id for q in questions], "own": own}


def tasks_of(student: str, manifest: dict) -> str:
    """The tasks with the student's own numbers, as Markdown, from the manifest of a students' folder.

    Raises CourseProblem without an id, or if there are none.
    """
    if not student.strip():
        raise CourseProblem("give the id by which you are graded, such as 4711")
    tasks = manifest.get("own") or {}
    if not tasks:
        raise CourseProblem("no task of this folder has numbers of your own")
    parts = [f"The tasks of {re.sub(r'[^ -~]', '?', student.strip())!r}:"]
    for name, task in tasks.items():
        numbers = numbers_of(student, name, task["numbers"])
        parts.append(f"## {name}: {task['title']}\n\n{task['ask'].format(**numbers)}")
    return "\n\n".join(parts)
