"""Sizes in bytes as labels, and a file's bytes as a picture."""

import numpy as np

from ...workshop.style import COLORS

STAGES = ("float32", "pruned", "clustered", "Huffman", "arithmetic")
LABELS = {"Huffman": "Huffman, or", "arithmetic": "arithmetic"}  # codes, of which a file has one


def size_label(size: float) -> str:
    """A size in bytes with three digits and its unit."""
    if size < 950:
        return f"{size:.0f} B"
    return f"{size / 1000:.3g} KB" if size < 999_500 else f"{size / 1000:,.0f} KB"


def draw_line(ax, sizes, color):
    """Draw the bytes after each stage as dots, joined by a line, which is dotted between the two codes."""
    ax.plot(range(len(sizes)), sizes, "o", color=color, markersize=12)
    ax.plot(range(len(sizes) - 1), sizes[:-1], color=color)
    ax.plot([len(sizes) - 2, len(sizes) - 1], sizes[-2:], ":", color=color)


KINDS = {
    "structure": "reference",
    "table": "extra",
    "positions": "last",
    "values": "claim",
}


def draw_bytes(ax, file: bytes, parts, of: str = ""):
    """Draw every byte of a .tcz file as a square, coloured by what it is for, and paler for larger bytes.

    parts: (array, kind, offset, bytes) of each part of the file. of: what the title says of the file.
    """
    from matplotlib.colors import to_rgb

    content = np.frombuffer(file, np.uint8)
    wide = int(np.ceil(np.sqrt(len(content) * 1.1)))
    high = -(-len(content) // wide)
    picture = np.ones((high * wide, 3))
    counts = dict.fromkeys(KINDS, 0)
    for _, kind, offset, size in parts:
        kind = {"header": "structure", "checksum": "structure", "end of stream": "values"}.get(kind, kind)
        color = np.array(to_rgb(COLORS[KINDS[kind]]))
        shade = 0.55 * content[offset : offset + size, None] / 255
        picture[offset : offset + size] = color + (1 - color) * shade
        counts[kind] += size
    ax.imshow(picture.reshape(high, wide, 3))
    ax.set_axis_off()
    names = {"structure": "layers, checksum", "table": "codebooks", "positions": "positions", "values": "values"}
    for i, (kind, count) in enumerate(counts.items()):
        ax.text(
            (i % 2) * 0.5,
            -0.06 - 0.07 * (i // 2),
            f"■ {names[kind]} {count:,}",
            transform=ax.transAxes,
            color=COLORS[KINDS[kind]],
            fontsize=15,
            va="top",
        )
    ax.text(0, -0.2, "The paler, the larger the byte (0 to 255).", transform=ax.transAxes, fontsize=14, va="top")
    ax.set_title(f"Each of the file's {len(content):,} bytes{of}")
