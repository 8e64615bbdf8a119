"""Text output: aligned tables, and suggestions for misspelt names."""

import unicodedata
from collections.abc import Iterable, Sequence


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """The rows as lines of aligned columns, two spaces apart; columns listed in `right` are right-aligned.

    A row of one cell is a heading, which may be wider than the first column.

    >>> print(*aligned([("layer", "MACs"), ("net",), ("1 Dense", "64")], right=[1]), sep="\\n")
    layer    MACs
    net
    1 Dense    64
    """
    full = [row for row in rows if len(row) > 1]
    widths = [max(map(columns, column)) for column in zip(*full, strict=True)]

    def line(row):
        cells = [(cell, " " * (width - columns(cell))) for cell, width in zip(row, widths, strict=False)]
        return "  ".join(gap + cell if i in right else cell + gap for i, (cell, gap) in enumerate(cells)).rstrip()

    return [line(row) for row in rows]


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in HTML. Cells are text: what HTML would read as its own is escaped.

    >>> html_table(["layer"], [["a < b"]])
    '<table><thead><tr><th scope="col">layer</th></tr></thead><tbody><tr><td>a &lt; b</td></tr></tbody></table>'
    """
    import html

    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of an error message, "; did you mean 'x'?", with the known name closest to `name`; "" if none is close.

    Case is ignored. `cutoff`, from 0 to 1, is the lowest similarity, as in `difflib.get_close_matches`.
    """
    import difflib  # takes some milliseconds, so only when there is an error

    known = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=cutoff)
    return f"; did you mean {known[near[0]]!r}?" if near else ""
