"""A student's answers.md: from its bytes to the answer below each heading.

Students write Markdown as they please. So a heading is any line that names a question and little else, with or without `#`,
bold or escaped; a misspelt one counts where it can mean one question only. Anything else, code fences that nobody closed
included, belongs to the answer above it.
"""

import codecs
import difflib
import re
from dataclasses import dataclass, field

from ..collect import ANSWERS as NAME
from .question import LETTERS, Question

LONGEST = 8_000  # characters of an answer; a cell of a spreadsheet holds 32,767
CUT = "\n[the rest is not read: an answer has at most {} characters]"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LONGEST_HEADING = 200  # characters
MOST_MISSPELT = 100  # headings for which a similar one is looked for, since that takes time
_ID = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*", re.IGNORECASE)
_STUDENT = re.compile(r"[\W_]*student[*_\s]*:[*_\s]*(?P<id>.*?)[*_\s]*", re.IGNORECASE)
_LABEL = re.compile(
    r"(?:(?:my\s+)?(?:answer|antwort|option|choice)\s*(?:is)?|(?:我的)?(?:答案|选项|选择|选)[是为]?)\s*:?\s*",
    re.IGNORECASE,
)
_LETTERS = re.compile(
    r"\(?([a-z])\)?(?:\s*(?:,|;|/|\+|&|and|or)\s*\(?([a-z])\)?)*(?=$|[).:,;\n]| [-–—])", re.IGNORECASE
)
_TICKED, _UNTICKED = re.compile(r"\s*[-*+]\s*\[x\]"), re.compile(r"\s*[-*+]\s*\[\s*\]")
_NUMBER = re.compile(r"[-+−]?(?:\d(?:[\d.,_'’]*\d)?|[.,]\d+)(?:e[-+−]?\d+)?", re.IGNORECASE)
_POWER = re.compile(r"\s*[×x*·]\s*10\s*(?:\^|\*\*)\s*[({]?([-+−]?\d+)[)}]?", re.IGNORECASE)
_RAISED, _LOWERED = re.compile("(?<=\\d)[⁰¹²³⁴-⁹⁺⁻]+"), str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {ord("。"): ".", ord("、"): ",", 0x3000: " "}


@dataclass(frozen=True)
class Answers:
    """The answer to each question, {id: text}, without those that are empty; and what was noticed.

    student: the id that stands at the top; notes: for student and staff.
    """

    texts: dict[str, str]
    student: str = ""
    notes: tuple[str, ...] = ()


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file, and a note if its encoding had to be guessed."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, "replace"), ""
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), f"{NAME} is not UTF-8, and was read as Windows-1252"


@dataclass
class _Found:
    texts: dict[str, list[list[str]]] = field(default_factory=dict)  # the lines below each heading
    notes: list[str] = field(default_factory=list)


def parse(data: bytes, ids: list[str]) -> Answers:
    """The answers in a file to the questions with these ids. Never raises: what cannot be read is no answer."""
    text, note = decoded(data)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    found, current, before, shared = _Found(notes=[note] if note else []), None, [], []
    misspelt = {}
    for line in text.split("\n"):
        heading, named = _heading(line, ids, misspelt)
        if heading and named != heading:
            found.notes.append(f"the heading {named!a} is taken for {heading}")
        if heading:
            current = heading
            found.texts.setdefault(heading, []).append([])
            shared += [(heading, len(found.texts[heading]) - 1, other) for other in _also(line, ids) - {heading}]
        elif current:
            found.texts[current][-1].append(line)
        else:
            before.append(line)
    for heading, place, other in shared:
        if other not in found.texts:
            found.notes.append(f"what is below the heading of {heading} counts for {other}, too, which it names")
            found.texts[other] = [found.texts[heading][place]]
    top = _without_comments("\n".join(before)).split("\n")
    student = next(filter(None, (_STUDENT.fullmatch(line) for line in top if len(line) <= LONGEST_HEADING)), None)
    return Answers(_joined(found), student["id"] if student else "", tuple(dict.fromkeys(found.notes)))


def answered(data: bytes | None, ids: list[str]) -> str:
    """How far a student's file is: "written", or how many of the questions are answered in it."""
    if data is None:
        return "missing"
    count = len(parse(data, ids).texts)
    return "written" if count == len(ids) else f"{count} of {len(ids)} questions answered"


def _heading(line: str, ids: list[str], misspelt: dict[str, str]) -> tuple[str, str]:
    """The question that a line is the heading of, and what it was called there; ("", "") for any other line.

    misspelt: which question each misspelt name means ("": none), as far as they were looked up; others are added.
    """
    if len(line) > LONGEST_HEADING:
        return "", ""
    plain = line.replace("\\", "").strip()
    bare = plain.strip("#*_`: \t")
    marked = plain.startswith("#")
    name = _ID.match(bare)
    if not name or not (marked or name[0] == bare):
        return "", ""
    called = name[0].lower()
    if called in ids:
        return called, called
    if marked and called not in misspelt and len(misspelt) < MOST_MISSPELT:
        close = difflib.get_close_matches(called, ids, 2, 0.85)
        misspelt[called] = close[0] if len(close) == 1 else ""
    meant = misspelt.get(called, "") if marked else ""
    return (meant, name[0]) if meant else ("", "")


def _also(line: str, ids: list[str]) -> set[str]:
    """The questions that a heading names."""
    return {name[0].lower() for name in _ID.finditer(line.replace("\\", ""))} & set(ids)


def _joined(found: _Found) -> dict[str, str]:
    """One answer per question; different ones under the same heading are all given to whoever marks."""
    joined = {}
    for name, texts in found.texts.items():
        different = list(dict.fromkeys(filter(None, map(_clean, map("\n".join, texts)))))
        if len(different) > 1:
            found.notes.append(f"{name} is answered {len(different)} times; all are read")
        text = "\n[again, under the same heading]\n".join(different)
        if len(text) > LONGEST:
            found.notes.append(f"the answer to {name} is longer than {LONGEST} characters; the rest is not read")
            text = text[:LONGEST] + CUT.format(LONGEST)
        if text:
            joined[name] = text
    return joined


def _clean(text: str) -> str:
    """An answer without HTML comments and characters that cannot be printed; what is left of the template is no answer."""
    lines = _without_comments(text).replace("\t", "    ").split("\n")
    lines = ["".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line.rstrip()) for line in lines]
    text = "\n".join(lines).strip()
    return "" if not re.sub(r"[\W_]+", "", _without_label(text)) else text


def _without_comments(text: str) -> str:
    """The text without HTML comments. What opens after the last one has ended is not searched for an end, over and over."""
    end = text.rfind("-->") + 3
    return _COMMENT.sub("", text[:end]) + text[end:] if end > 2 else text


def choice(text: str, question: Question) -> tuple[str, set[str]]:
    """("", the letters of the options that an answer names), or (why it cannot be read, an empty set)."""
    letters, text = LETTERS[: len(question.options)], text.translate(_WIDE)
    whole = _plain(_without_label(text))
    for letter, option in zip(letters, question.options, strict=True):
        if whole in (_plain(option.text), _plain(f"{letter} {option.text}")):
            return "", {letter}
    text = _without_label(text)
    lines = [line for line in text.lower().split("\n") if line.strip() and not _UNTICKED.match(line)]
    ticked = [line for line in lines if _TICKED.match(line)]
    found = set()
    for i, line in enumerate(ticked or lines):
        line = re.sub(r"^[\s>+-]*(?:\[x\])?\s*", "", re.sub(r"[*`#_]", "", line))
        line = _without_label(line)
        match = _LETTERS.match(line)
        if match and (ticked or i == 0 or not line[match.end() :].strip(" ).:,;")):
            found |= set(re.findall(r"\b[a-z]\b", match[0]))
    if not found:
        return "no option can be read in it; write its letter alone, such as b", set()
    return "", found


def numbers(text: str) -> set[float]:
    """All that the number in an answer can mean: of the only one, or the last after an `=`; empty if that is not clear.

    1,234.5 is one number, and so are 1.234,5 and 0,25; 1,234 may be 1234 or, where people write so, 1.234.
    """
    text = _RAISED.sub(lambda raised: "^" + raised[0].translate(_LOWERED), _without_label(text.translate(_WIDE)))
    text = _POWER.sub(r"e\1", text)
    tokens = _NUMBER.findall(text.rpartition("=")[2]) or _NUMBER.findall(text)
    meant = {frozenset(_meanings(token)) for token in tokens}
    return set(*meant) if len(meant) == 1 else set()


def _meanings(token: str) -> list[float]:
    """A number, with its point as a point, and with a comma."""
    plain = re.sub(r"[_'’]", "", token).replace("−", "-")
    found = []
    for point, separator in ((".", ","), (",", ".")):
        groups = rf"\d*|[1-9]\d{{0,2}}(?:\{separator}\d{{3}})+"
        if re.fullmatch(rf"[-+]?(?:{groups})(?:\{point}\d+)?(?:e[-+]?\d+)?", plain, re.IGNORECASE):
            found.append(float(plain.replace(separator, "").replace(point, ".")))
    return found


def _without_label(text: str) -> str:
    """The text without an "Answer:" before it, such as that of the blank answers.md."""
    text = text.strip()
    label = _LABEL.match(text)
    return text[label.end() :] if label else text


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())
