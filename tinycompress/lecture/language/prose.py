"""The notebooks' text in Chinese: each line beside its translation, in `zh/notebooks/<notebook>.json`.

The English notebooks are the only ones. Their lines are the keys, so that a line that changes has no translation until somebody
writes one. Lines that several notebooks share are in `common.json`.
"""

import functools
import json
import re

from . import FOLDERS

_WRAPPED = re.compile(r"(?<=[^\n])\n(?!\n|\d+\. |[|<#]|\$\$)")
MARKUP = re.compile(r"`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|<[^>]*>")
"""What is the same in all languages: code, formulas, tags."""


def lines(text: str) -> list[str]:
    """The lines of a Markdown cell as they are translated: a wrapped one is joined, headings and items stand alone."""
    return _WRAPPED.sub(" ", text).split("\n")


def has_words(line: str) -> bool:
    """Whether the line must be translated. The tables of words, and the summaries in Chinese, hold both languages already."""
    return line[:1] != "|" and "中文小结" not in line and bool(re.search("[A-Za-z]{2}", MARKUP.sub("", line)))


def translated(text: str, language: str) -> str:
    """The Markdown cell in this language; lines without a translation stay English."""
    known = translations(language)
    return "\n".join(known.get(line, line).replace("中文小结", "小结") for line in lines(text))


@functools.cache
def translations(language: str) -> dict[str, str]:
    """The translation of each English line."""
    files = sorted((FOLDERS[language] / "notebooks").glob("*.json"))
    return {english: text for path in files for english, text in json.loads(path.read_text(encoding="utf-8")).items()}
