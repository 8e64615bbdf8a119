"""What an answer says of its author, which whoever marks must not read: id, name and email address."""

import re
import unicodedata

SHOWN_INSTEAD = "[name]"
_NUMBER_OF_SYSTEM = re.compile(r"_\d+$")  # Moodle's, as in "Eve Li_1234"


def names_of(student: str, roster=None, said: str = "") -> list[str]:
    """By what a student may be called, the longest first.

    student: the hand-in's name; roster: a `staff.roster.Roster`, whose row for it (of a group, each member's) counts; said: the
    id at the top of answers.md.
    """
    people = [person for person in (roster.people if roster else ()) if student in (person.id, person.group)]
    whole = [student, _NUMBER_OF_SYSTEM.sub("", student), said]
    for person in people:
        *first, last = person.name.split() or [""]
        whole += [
            person.id,
            person.name,
            person.email,
            person.github,
            *(f"{last}{c} {' '.join(first)}" for c in ("", ",")),
        ]
    parts = [part for name in whole for part in re.split(r"[\s,]+", name) if not re.search(r"[@_.\d]", part)]
    found = {*whole, *(way for part in parts for way in (part.title(), part.upper(), part * (not part.islower())))}
    return sorted({text.strip(" ,") for text in found if _tells(text.strip(" ,"))}, key=lambda name: (-len(name), name))


def _tells(text: str) -> bool:
    """Whether a text is long enough to name anyone: two characters of a script without capitals, such as 王明, else three."""
    return len(text) >= (2 if any(map(_is_letter_without_case, text)) else 3)


def without_names(text: str, names: list[str]) -> str:
    """The text with SHOWN_INSTEAD for each name that stands in it as a word.

    Names of several words, ids and addresses count in upper and lower case; a single word, such as Will, only with a capital.
    """
    text = unicodedata.normalize("NFC", text)
    for name in names:
        start = "" if _is_letter_without_case(name[0]) else r"(?<!\w)"
        end = "" if _is_letter_without_case(name[-1]) else r"(?!\w)"
        words = " +".join(map(re.escape, unicodedata.normalize("NFC", name).split()))
        alone = name.isalpha() and name in (name.title(), name.upper())
        text = re.sub(start + words + end, SHOWN_INSTEAD, text, flags=0 if alone else re.IGNORECASE)
    return text


def _is_letter_without_case(character: str) -> bool:
    return unicodedata.category(character) == "Lo"
