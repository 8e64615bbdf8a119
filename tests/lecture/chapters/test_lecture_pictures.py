"""Pictures of files and codes: the same in every process, with labels that are whole and apart."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tinycompress import models
from tinycompress.lecture import blackboard
from tinycompress.lecture.architecture import pictures as architecture_pictures
from tinycompress.lecture.pruning import pictures as pruning_pictures
from tinycompress.lecture.quantization import pictures
from tinycompress.pruning import prune_weights
from tinycompress.quantization import cluster_weights, tcz
from tinycompress.workshop import style


def test_the_code_tree_is_drawn_in_the_same_order_by_every_process():
    """Whatever the hashes of its strings are: the same rows give the same file."""
    program = """if True:
        from tinycompress.lecture.quantization.q3_huffman import _draw_tree
        from tinycompress.workshop.style import applied, figure
        with applied():
            fig = figure()
        _draw_tree(fig.axes[0], {i: f"{i:03b}" for i in range(8)}, [1] * 8, list(range(8)))
        print([line.get_xydata().tolist() for line in fig.axes[0].lines])
    """
    command = [sys.executable, "-c", program]
    drawn = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in "123"
    }
    assert len(drawn) == 1 and len(drawn.pop()) > 100


def extents(fig):
    fig.draw_without_rendering()
    return [text.get_window_extent() for text in fig.axes[0].texts if text.get_text()]


def test_labels_of_pictures_are_whole_and_apart():
    net = models.mlp((8, 8, 1), (40,), 10, rng=np.random.default_rng(0))
    fig = pictures.bytes_of(tcz.to_bytes(net), tcz.inspect_bytes(tcz.to_bytes(net)).parts)
    assert all(fig.bbox.y0 <= box.y0 and box.x1 <= fig.bbox.x1 for box in extents(fig))
    counts = [24, 32, 30, 22, 8, 12, 14, 16, 12, 6, 6, 6, 6, 4, 1, 1]  # codes of up to seven bits
    leaves = extents(pictures.code_tree(np.repeat(np.arange(1.0, 17), counts)))[-16:]
    assert not any(a.padded(3).overlaps(b) for a, b in zip(leaves, leaves[1:], strict=False))


def test_titles_of_the_first_picture_are_whole_and_its_speed_is_the_median_over_seeds():
    net = models.mlp((8, 8, 1), (30, 20), 10, rng=np.random.default_rng(0))
    shares = {0.0: 0.9, 0.9: 0.5}
    forms = ["dense", *(form for form, _ in pruning_pictures.FORMS)]
    times = [
        {"arm": arm, "removed": 0.9, "ms": 1.0 if arm == "dense" else ms} for ms in (0.1, 0.25, 9) for arm in forms
    ]
    fig = pruning_pictures.sparse_net(net, 0.9, {"only cut": shares, "fine-tuned": shares}, times)
    fig.draw_without_rendering()
    titles = [ax.title.get_window_extent() for ax in fig.axes] + [ax._left_title.get_window_extent() for ax in fig.axes]
    assert all(fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1 for box in titles)
    assert [text.get_text() for text in fig.axes[3].texts] == ["4×"] * len(pruning_pictures.FORMS)


def test_the_time_at_any_width_stands_apart_from_the_names_of_the_curves():
    measured = {c: {"standard": 1.0, "separable": share} for c, share in ((4, 1.5), (64, 0.2), (256, 0.2))}
    for chosen in measured:
        fig = architecture_pictures.savings(measured, chosen, "a machine")
        style.png(fig)
        boxes = [text.get_window_extent() for text in fig.axes[0].texts]
        assert len(boxes) == 3 and not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_slider_whose_drawing_fails_says_so_and_hides_the_picture_of_another_position():
    import ipywidgets

    def draw(height):
        if height > 1:
            raise RuntimeError("no <net> yet")
        fig = style.figure(width=4, height=3)
        fig.axes[0].plot([0, height])
        return style.png(fig)

    box = blackboard._with_sliders(draw, {"height": {"low": 1.0, "high": 2.0}}, (1.0,))
    slider, told, image = box.children
    assert isinstance(image, ipywidgets.Image) and told.value == ""
    slider.value = 2.0
    assert "RuntimeError: no &lt;net&gt; yet" in told.value and image.layout.visibility == "hidden"
    slider.value = 1.0
    assert told.value == "" and image.layout.visibility == "visible"


def drawn_inside(fig, texts):
    """Whether all of the texts lie within the picture."""
    style.png(fig)
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return bool(boxes) and all(fig.bbox.containsx(b.x0) and fig.bbox.contains(b.x1, b.y0) for b in boxes)


def test_what_the_colours_of_bytes_mean_is_in_the_picture():
    net = models.mlp((8, 8, 1), (300, 100), 10, rng=np.random.default_rng(0))
    file = tcz.to_bytes(cluster_weights(prune_weights(net, 0.9), 8))
    fig = pictures.bytes_of(file, tcz.inspect_bytes(file).parts)
    assert drawn_inside(fig, fig.axes[0].texts)


def test_the_share_of_time_is_written_above_the_axis_wherever_the_slider_is():
    measured = {channels: {"standard": 1.0, "separable": 8 / channels} for channels in (4, 16, 64, 256)}
    for channels in measured:
        fig = architecture_pictures.savings(measured, channels, "a machine")
        (ax,) = fig.axes
        style.png(fig)
        numbers = [text for text in ax.texts if text.get_text().endswith("%")]
        assert numbers and all(text.get_window_extent().y0 > ax.bbox.y0 for text in numbers)


@pytest.mark.parametrize(
    ("limits", "whole", "said"),
    [((0, 5), 100, {"0 %", "2 %"}), ((97, 99), 100, {"97 %", "98.5 %"}), ((-0.1, 0.4), 1, {"-10 %", "0 %", "30 %"})],
)
def test_an_axis_in_per_cent_says_no_more_decimals_than_its_ticks_have(limits, whole, said):
    fig = style.figure()
    fig.axes[0].set_ylim(limits)
    style.percent_axis(fig.axes[0].yaxis, whole)
    fig.canvas.draw()
    texts = {label.get_text() for label in fig.axes[0].get_yticklabels()}
    assert said <= texts and not any(text.endswith(("0.0 %", ".00 %", "-0 %")) for text in texts)
