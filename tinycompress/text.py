"""Words for people: tables of text."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """The rows as lines of aligned columns, two spaces apart; the columns in `right` end at the same place.

    A row of one cell is a heading, which may be wider than the first column.

    >>> print(*aligned([("layer", "MACs"), ("net",), ("1 Dense", "64")], right=[1]), sep="\\n")
    layer    MACs
    net
    1 Dense    64
    """
    full = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]

    def line(row):
        cells = zip(row, widths, strict=False)
        return "  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(cells)).rstrip()

    return [line(row) for row in rows]
