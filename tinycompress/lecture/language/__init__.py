"""The lecture in Chinese: the same texts, each beside its translation in `zh/<chapter>.json`.

    with speaking("zh"):
        say("test accuracy")                            # 测试准确率
        say("2,000 epochs each")                        # by the entry "{} epochs each": 各训练 2,000 轮

The English texts stay in the claims, and are the keys. A `{}` in a key stands for what differs from run to run, such as a number;
it is translated in turn. A text without an entry stays English, so that nothing is lost. The notebooks' text is in `prose.py`.
"""

import functools
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

FOLDERS = {"zh": Path(__file__).parent / "zh"}
LANGUAGES = ("en", *FOLDERS)

FONTS = (  # with Chinese glyphs: of Linux, Windows and macOS
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "Arial Unicode MS",
)

DOT = " · "
"""Between parts of a text that are translated one by one."""

_block: ContextVar[str | None] = ContextVar("language", default=None)
_elsewhere = (
    "en"  # no context variable, since each cell of a notebook, and each click on a widget, has a context of its own
)


def speak(language: str) -> None:
    """From now on, `say` answers in this language, outside of `speaking`: for a notebook's first cell.

    Raises ValueError for a language that the lecture does not speak.
    """
    global _elsewhere
    _elsewhere = _spoken(language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Inside this block, `say` answers in this language. Raises ValueError for a language that the lecture does not speak."""
    token = _block.set(_spoken(language))
    try:
        yield
    finally:
        _block.reset(token)


def _spoken(language: str) -> str:
    if language not in LANGUAGES:
        raise ValueError(f"the lecture speaks {' and '.join(LANGUAGES)}; got {language!r}")
    return language


def language() -> str:
    """The language of the current block, or else of `speak`."""
    return _block.get() or _elsewhere


def say(text: str) -> str:
    """The text in the current language; in English where it has no entry."""
    return text if language() == "en" else _translated(text, language())


@functools.lru_cache(maxsize=10_000)
def _translated(text: str, language: str) -> str:
    whole, patterns = _catalogue(language)
    if text in whole:
        return whole[text]
    if DOT in text:
        return DOT.join(_translated(part, language) for part in text.split(DOT))
    for pattern, translation in patterns:
        if found := pattern.fullmatch(text):
            return translation.format(*(_translated(part, language) for part in found.groups()))
    return text


@functools.cache
def _catalogue(language: str) -> tuple[dict[str, str], list[tuple[re.Pattern, str]]]:
    """The entries without `{}`, and those with, the most specific first: those with a beginning, then long ones."""
    entries = {}
    for path in sorted(FOLDERS[language].glob("*.json")):
        entries |= json.loads(path.read_text(encoding="utf-8"))
    open_ones = sorted((key for key in entries if "{}" in key), key=lambda key: (key.startswith("{}"), -len(key)))
    patterns = [
        (re.compile("(.+?)".join(map(re.escape, key.split("{}"))), re.DOTALL), entries[key]) for key in open_ones
    ]
    return {key: text for key, text in entries.items() if "{}" not in key}, patterns


@functools.cache
def chinese_font() -> str | None:
    """The first of FONTS that Matplotlib finds, fonts included that were installed since it made its list."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    logging.getLogger("matplotlib.font_manager").setLevel(
        logging.ERROR
    )  # most Chinese fonts have no bold, and it says so
    if not {font.name for font in manager.ttflist} & set(FONTS):
        for path in set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}:
            with suppress(Exception):  # a file that is no font, or one that Matplotlib cannot read
                manager.addfont(path)
    known = {font.name for font in manager.ttflist}
    return next((name for name in FONTS if name in known), None)


def translate_figure(figure) -> None:
    """Translate every text of a matplotlib Figure in place. Without a font that has the glyphs, it stays English."""
    if language() == "en" or not (font := chinese_font()):
        return
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        formatter = axis.get_major_formatter()  # which writes its labels again at every drawing
        if isinstance(formatter, FixedFormatter):
            formatter.seq = [say(label) for label in formatter.seq]
        elif isinstance(formatter, FuncFormatter):
            formatter.func = _translating(formatter.func)
    for text in figure.findobj(Text):
        words = text.get_text()
        text.set_text(words.replace(words.strip(), say(words.strip())))
        text.set_fontfamily([*text.get_fontfamily(), font])  # for the glyphs that the others lack


def _translating(function: Callable[..., str]) -> Callable[..., str]:
    spoken = language()

    def translated(*args):
        with speaking(spoken):
            return say(str(function(*args)))

    return translated
