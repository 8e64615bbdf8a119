"""One figure style: colour-blind safe, readable from the back row, on light and on dark pages.

    fig = figure(ncols=2)
    left, right = fig.axes
    curve_with_band(left, removed, accuracies_by_seed, "all at once", COLORS["rival"])
    percent_axis(left.xaxis)

Figures do not touch pyplot's state: a notebook's other plots are unaffected, and no window is needed.
"""

import contextlib
import functools
import io
import textwrap
from collections.abc import Sequence

import numpy as np

from .interval import seed_band

# Okabe & Ito 2008, "Color Universal Design"; one colour per role in every figure of the lecture. Their yellow is
# left out, since it vanishes on a white projection.
COLORS = {
    "reference": "#000000",  # the net as it was: dense, float, uncompressed
    "claim": "#0072B2",  # what the notes recommend
    "rival": "#D55E00",  # what they warn against, or compare with
    "other": "#009E73",  # a third arm,
    "extra": "#CC79A7",  # a fourth,
    "more": "#E69F00",  # a fifth,
    "last": "#56B4E9",  # and a sixth
    "ideal": "#7F7F7F",  # theory: counts, bounds, targets
}

_RC = {
    # Bundled with matplotlib and drawn as outlines in SVG, so text looks the same everywhere.
    "font.family": "DejaVu Sans",
    "svg.fonttype": "path",
    "svg.hashsalt": "tinycompress",  # the same figure gives the same file
    "font.size": 16,
    "axes.titlesize": 17,
    "axes.titlelocation": "left",
    "axes.labelsize": 16,
    "xtick.labelsize": 14,
    "ytick.labelsize": 14,
    "legend.fontsize": 14,
    "legend.frameon": False,
    "lines.linewidth": 3,
    "lines.markersize": 9,
    "axes.prop_cycle": f"cycler('color', {list(COLORS.values())[1:]})",
    "axes.edgecolor": "#555555",
    "axes.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#E4E4E4",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
    "image.cmap": "viridis",
}


def applied():
    """A context in which matplotlib draws in this style. `Claim.figure`, `svg` and `png` enter it themselves."""
    import matplotlib

    return matplotlib.rc_context(_RC)


def figure(ncols: int = 1, nrows: int = 1, width: float | None = None, height: float | None = None, **subplots):
    """A Figure with nrows × ncols axes in `fig.axes`, row by row; width and height of the whole figure in inches.

    More keywords go to `Figure.subplots` (sharex, sharey, width_ratios, ...). It displays itself in a notebook.
    """
    size = width or 2.5 + 6.5 * ncols, height or 0.8 + 4.8 * nrows
    with applied():
        fig = _figure_class()(figsize=size, layout="constrained")
        fig.subplots(nrows, ncols, **subplots)
    return fig


def curve_with_band(
    ax, x: Sequence[float], values_by_seed, label: str, color: str, ratios: bool = False, **line
) -> None:
    """The mean over seeds with its band (`seed_band`), and the label (if not empty) at the curve's right end.

    values_by_seed: (seeds, len(x)), with None or NaN for missing values. ratios: whether the values are ratios, whose mean and
    band are those of their logarithms. Labels of the same axes move apart where they would collide. More keywords go to
    `ax.plot`. Raises ValueError for another shape.
    """
    x, values = np.asarray(x, float), np.array(values_by_seed, float, ndmin=2)
    if values.ndim != 2 or values.shape[1] != len(x):
        raise ValueError(f"values_by_seed must be (seeds, {len(x)}), one column per x; got the shape {values.shape}")
    order = np.argsort(x)
    x, values = x[order], values[:, order]
    mean, low, high = np.full((3, len(x)), np.nan)
    for i, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if len(known):
            mean[i], low[i], high[i] = np.exp(seed_band(np.log(known))) if ratios else seed_band(known)
    ax.plot(x, mean, color=color, **line)
    ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
    if label and np.isfinite(mean).any():
        ends = [(x[i], mean[i]) for i in np.flatnonzero(np.isfinite(mean))[[0, -1]]]
        label_end(ax, ends, label, color)


def label_end(ax, ends: Sequence[tuple[float, float]], label: str, color: str) -> None:
    """Write a curve's label beside whichever of its ends (x, y), in data units, is further right on the page."""
    text = ax.annotate(
        label, ends[-1], xytext=(8, 0), textcoords="offset points", color=color, va="center", fontsize=15
    )
    text.curve_ends = tuple(ends)


def percent_axis(axis, whole: float = 1.0) -> None:
    """Label an axis (`ax.xaxis` or `ax.yaxis`) in per cent, where `whole` is 100 %."""
    axis.set_major_formatter(lambda value, _: f"{round(100 * value / whole, 6) + 0.0:g} %")  # ticks may be -1e-17


def words(title: str, text: str):
    """A Figure of words alone, where there is nothing to draw: a title, with a text below it."""
    fig = figure(width=11, height=3.6)
    (ax,) = fig.axes
    ax.set_axis_off()
    ax.text(0.5, 0.72, title, ha="center", va="center", fontsize=24, color=COLORS["ideal"])
    ax.text(0.5, 0.5, text, ha="center", va="top", linespacing=1.5)
    return fig


def corner_note(fig, text: str | None = None) -> None:
    """Write a note into the lower right corner, in place of an earlier one; by default which machine this is, as set now."""
    from .machine import machine_line

    text = text or machine_line()
    for note in fig.texts:
        if getattr(note, "is_corner_note", False):
            note.set_text(text)
            return
    space = 0.3 / fig.get_figheight()  # 0.3 inches below everything else
    if engine := fig.get_layout_engine():
        left, _, width, height = engine.get()["rect"]
        engine.set(rect=(left, space, width, height - space))
    note = fig.text(0.995, 0.05 / fig.get_figheight(), text, ha="right", va="bottom", color="#666666", fontsize=11)
    note.is_corner_note = True


def warn(fig, text: str) -> None:
    """Write a warning across the top of the figure, above everything else."""
    lines = textwrap.wrap(text, max(20, int(8 * fig.get_figwidth())))
    space = (0.1 + 0.28 * len(lines)) / fig.get_figheight()
    if fig.get_layout_engine():
        fig.get_layout_engine().set(rect=(0, 0, 1, 1 - space))
    fig.text(0.01, 1 - 0.05 / fig.get_figheight(), "\n".join(lines), va="top", color=COLORS["rival"], fontsize=15)


def svg(fig) -> bytes:
    """The figure as an SVG file, the same bytes for the same figure."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    # dpi affects only rasterised parts: thousands of lines in one panel, whose outlines would take megabytes.
    with _canvas(fig, FigureCanvasSVG, dpi=60) as canvas:
        canvas.print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()


def png(fig, dpi: float = 80) -> bytes:
    """The figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    with _canvas(fig, FigureCanvasAgg, dpi) as canvas:
        canvas.draw()
        return packed(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]))


def packed(image) -> bytes:
    """A Pillow RGB image as a PNG file in 256 colours: no visible difference, at a third of the bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@contextlib.contextmanager
def _canvas(fig, kind, dpi: float):
    """The figure on another canvas. `savefig` would draw it twice, first to lay it out, which `LectureFigure.draw` does."""
    canvas, before = fig.canvas, fig.dpi
    try:
        with applied():
            fig.dpi = dpi
            yield kind(fig)
    finally:
        fig.dpi = before
        fig.set_canvas(canvas)


@functools.cache
def _figure_class():
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    class LectureFigure(Figure):
        """A Figure that moves the labels of its curves apart before drawing, and displays itself in Jupyter."""

        def draw(self, renderer):
            engine = self.get_layout_engine()
            # The room that labels need depends on where they are, which depends on the axes' final size.
            if isinstance(engine, ConstrainedLayoutEngine):
                self._spread_labels(renderer)
                engine.execute(self)
                self.set_layout_engine("none")  # once is enough: layout takes longer than drawing
            self._spread_labels(renderer)
            try:
                super().draw(renderer)
            finally:
                self.set_layout_engine(engine)

        def _spread_labels(self, renderer):
            for ax in self.axes:
                _spread_labels(ax, renderer)

        def _repr_png_(self):
            return png(self, dpi=80)

    return LectureFigure


def _spread_labels(ax, renderer) -> None:
    """Put each curve's label at its right end, then move labels up or down just enough to keep them apart."""
    labels = [text for text in ax.texts if hasattr(text, "curve_ends")]
    if not labels:
        return
    for text in labels:
        text.xy = max(text.curve_ends, key=lambda end: ax.transData.transform(end)[0])
    wanted = np.array([ax.transData.transform(text.xy)[1] for text in labels])
    heights = [text.get_window_extent(renderer).height for text in labels]
    placed = _apart(wanted, 1.05 * max(heights), *ax.bbox.intervaly)
    for text, y, aim in zip(labels, placed, wanted, strict=True):
        text.set_position((8, (y - aim) * 72 / ax.figure.dpi))


def _apart(wanted: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """The positions nearest to `wanted` in least squares, in the same order, at least `gap` apart; in low..high if they fit.

    With the gaps subtracted this is isotonic regression, solved by pooling adjacent violators.
    """
    order = np.argsort(wanted, kind="stable")
    blocks = []  # [mean, count] of positions that touch each other
    for rank, i in enumerate(order):
        blocks.append([wanted[i] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (mean, count), (last, n) = blocks[-2], blocks.pop()
            blocks[-1] = [(mean * count + last * n) / (count + n), count + n]
    pooled = np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
    room = max(low, high - (len(order) - 1) * gap)
    placed = np.empty(len(order))
    placed[order] = np.clip(pooled, low, room) + gap * np.arange(len(order))
    return placed


def table(rows, arm, x, y, **where):
    """(xs, values): `y` of one arm as (seeds, len(xs)), over the sorted `x`, among the rows equal to `where`."""
    chosen = [row for row in rows if row["arm"] == arm and all(row[key] == value for key, value in where.items())]
    xs, seeds = sorted({row[x] for row in chosen}), sorted({row["seed"] for row in chosen})
    values = {(row["seed"], row[x]): row[y] for row in chosen}
    return xs, [[values.get((seed, at)) for at in xs] for seed in seeds]
