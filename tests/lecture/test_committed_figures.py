"""Figures of committed reports whose rows have shown what can go wrong: what a reader must see is not hidden."""

from pathlib import Path

import pytest

from tinycompress.lecture import report
from tinycompress.lecture.distillation.d1b_imperfect_teacher import qualities
from tinycompress.workshop import style

FIGURES = Path(__file__).parents[2] / "figures"


@pytest.mark.parametrize("folder", [FIGURES, FIGURES / "mnist" / "more"], ids=lambda folder: folder.name)
def test_d1b_names_its_teachers_beside_the_axes_where_no_point_is(folder):
    result = report.read(folder, "D1b")
    fig = result.figure()
    style.png(fig)
    (ax,) = fig.axes
    names = [text for text in ax.texts if hasattr(text, "curve_ends")]
    assert {text.get_text() for text in names} == {"break-even"} | {q.name for q in qualities(result.rows)}
    assert all(text.get_window_extent().x0 > ax.bbox.x1 for text in names)


def test_the_widths_of_y4_stand_where_no_setting_is():
    fig = report.read(FIGURES, "Y4").figure()
    style.png(fig)
    ax = fig.axes[0]
    points = [point for line in ax.lines for point in ax.transData.transform(line.get_xydata())]
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 4 and not any(box.padded(4).contains(*point) for box in boxes for point in points)
