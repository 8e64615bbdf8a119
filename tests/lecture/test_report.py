"""The report: everything in it follows from the saved rows, nothing foreign gets in, nothing of value gets lost."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import fake_chapter
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import lecture
from tinycompress.lecture import Effect, Settings, judge, report, run
from tinycompress.lecture.tasks import not_measured
from tinycompress.workshop import style
from tinycompress.workshop.style import COLORS, curve_with_band, figure

F1, F2, F3, F4 = fake_chapter.CLAIMS
THREE = Settings(seeds=3)


@pytest.fixture(autouse=True)
def fake_lecture(monkeypatch):
    monkeypatch.setattr(lecture, "CHAPTERS", {"fake": "fake_chapter"})


@pytest.fixture(scope="module")
def results():
    return {claim.id: run(claim, THREE) for claim in fake_chapter.CLAIMS}


@pytest.fixture
def undrawn(monkeypatch):
    """For tests of which claims a report has: their figures are the slow part."""
    monkeypatch.setattr(report, "draw", lambda result: (b"<svg/>", b"png"))


def saved(folder, name="claims.json"):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((folder / name).read_text(encoding="utf-8"), parse_constant=refuse)


def ids(folder, name="claims.json"):
    return [entry["id"] for entry in saved(folder, name)["claims"]]


# ---- what is written ----


def test_the_saved_rows_give_the_same_result_and_draw_the_same_figure(tmp_path, results):
    report.write(list(results.values()), THREE, tmp_path)
    for entry, (claim_id, result) in zip(saved(tmp_path)["claims"], results.items(), strict=True):
        again = judge(result.claim, entry["rows"], entry["seconds"])
        assert replace(again, seconds=0) == replace(result, seconds=0)
        assert style.svg(again.figure()) == (tmp_path / f"{claim_id}.svg").read_bytes()
        for written, finding in zip(entry["findings"], result.findings, strict=True):
            assert (written["verdict"], written["mean"]) == (finding.verdict, finding.mean)
            assert written["interval"] == (list(finding.interval) if finding.interval else None)


def test_the_report_states_machine_and_settings_but_no_path(undrawn, tmp_path, results):
    data = tmp_path / "someone" / "mine.npz"
    data.parent.mkdir()
    x, y = np.full((40, 4, 4), 255, np.uint8), np.arange(40) % 2
    np.savez(data, x_train=x, y_train=y, x_test=x, y_test=y)
    out = tmp_path / "out"
    report.write([results["F1"]], Settings(data=str(data), threads=3), out)
    assert saved(out)["settings"]["data"] == "mine.npz"
    assert saved(out)["machine"]["threads"] == 3
    for name in "claims.json", "index.html":
        assert "someone" not in (out / name).read_text(encoding="utf-8")


def test_the_report_says_where_the_pixels_are_not_the_published_ones(undrawn, monkeypatch, tmp_path, results):
    digits = report.load("digits")
    monkeypatch.setattr(report, "load", lambda name: replace(digits, origin="pixels of a copy"))
    report.write([results["F1"]], Settings(), tmp_path)
    assert saved(tmp_path)["settings"]["origin"] == "pixels of a copy"
    assert "pixels of a copy" in (tmp_path / "index.html").read_text(encoding="utf-8")
    monkeypatch.setattr(report, "load", lambda name: digits)
    report.write([results["F1"]], Settings(), tmp_path)
    assert "origin" not in saved(tmp_path)["settings"]


@pytest.mark.parametrize(("images", "name"), [(100, "full"), (60_000, "paper")])
def test_the_report_names_the_plan_that_ran(images, name, results):
    """At the budget "full" with many images a plan of fewer epochs runs: that must not go without saying."""
    result = replace(results["F1"], claim=replace(F1, figure=lambda rows: None, plans={"full": 1, "paper": 2}))
    page = report.page([result], {"F1": b""}, {}, {"budget": "full", "training_images": images})
    assert f"Trained by the plan “{name}”" in page
    assert "Trained by the plan" not in report.page([results["F1"]], {"F1": b""}, {}, {})


def test_only_whole_files_are_left_behind(undrawn, tmp_path, results):
    report.write([results["F1"]], THREE, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"F1.svg", "F1.png", "claims.json", "index.html"}
    before = (tmp_path / "index.html").read_bytes()
    with pytest.raises(TypeError):
        report.replace_file(tmp_path / "index.html", 5)
    assert (tmp_path / "index.html").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"F1.svg", "F1.png", "claims.json", "index.html"}


def test_rows_are_saved_even_where_the_figure_fails(tmp_path, results):
    broken = replace(results["F1"], claim=replace(F1, figure=lambda rows: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        report.write([broken], THREE, tmp_path)
    report.write([], THREE, tmp_path)
    assert (tmp_path / "F1.svg").exists() and ids(tmp_path) == ["F1"]


# ---- one report after the other ----


def test_claims_of_an_earlier_run_stay_under_the_same_settings(undrawn, tmp_path, results):
    report.write([results["F4"], results["F1"]], THREE, tmp_path)
    newer = replace(results["F1"], seconds=99.0)
    shown = report.write([results["F2"], newer], THREE, tmp_path)
    assert [result.claim.id for result in shown] == ids(tmp_path) == ["F1", "F2", "F4"]
    assert saved(tmp_path)["claims"][0]["seconds"] == 99.0
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert all(f'<section id="{claim_id}">' in page for claim_id in ids(tmp_path))


def test_figures_of_an_earlier_run_are_drawn_again_only_if_the_sources_changed(tmp_path, results, monkeypatch):
    drawn = []
    monkeypatch.setattr(report, "draw", lambda result: drawn.append(result.claim.id) or (b"<svg/>", b"png"))
    report.write([results["F1"], results["F2"]], THREE, tmp_path)
    drawn.clear()
    report.write([results["F4"]], THREE, tmp_path, {"F4": (b"<svg>mine</svg>", b"png")})
    assert drawn == [] and (tmp_path / "F4.svg").read_bytes() == b"<svg>mine</svg>"
    (tmp_path / "F1.png").unlink()
    report.write([results["F4"]], THREE, tmp_path)
    assert sorted(drawn) == ["F1", "F4"] and (tmp_path / "F1.png").exists()
    drawn.clear()
    monkeypatch.setattr(report, "source_hash", lambda: "another")
    report.write([results["F4"]], THREE, tmp_path)
    assert sorted(drawn) == ["F1", "F2", "F4"]


def test_a_report_of_another_machine_is_drawn_again_and_stays_its_own(undrawn, tmp_path, results):
    report.write([results["F1"], results["F4"]], THREE, tmp_path)
    before = saved(tmp_path) | {"machine": {"cpu": "another"}}
    (tmp_path / "claims.json").write_text(json.dumps(before | {"sources": "older"}), encoding="utf-8")
    (tmp_path / "F1.png").write_bytes(b"stale")
    report.redraw(tmp_path)
    assert (tmp_path / "F1.png").read_bytes() == b"png"
    assert saved(tmp_path) == before


def test_a_figure_that_could_not_be_written_is_not_taken_for_the_present_one(tmp_path, results, monkeypatch):
    monkeypatch.setattr(report, "draw", lambda result: (report.source_hash().encode(), b"png"))
    monkeypatch.setattr(report, "source_hash", lambda: "before")
    report.write([results["F1"]], THREE, tmp_path)
    monkeypatch.setattr(report, "source_hash", lambda: "now")
    with monkeypatch.context() as patch:
        true_replace = report.replace_file
        patch.setattr(report, "replace_file", lambda path, _: 1 / 0 if path.suffix == ".svg" else true_replace(path, _))
        with pytest.raises(ZeroDivisionError):
            report.write([results["F2"]], THREE, tmp_path)
    report.write([results["F2"]], THREE, tmp_path)
    assert (tmp_path / "F1.svg").read_bytes() == b"now"


@pytest.mark.parametrize("change", [{"seeds": 4}, {"budget": "full"}, {"threads": 2}])
def test_a_report_under_other_settings_is_replaced_but_its_numbers_are_kept(undrawn, tmp_path, results, change):
    report.write([results["F1"], results["F2"]], THREE, tmp_path)
    report.write([results["F2"]], replace(THREE, **change), tmp_path)
    assert ids(tmp_path) == ["F2"] and ids(tmp_path, "claims.previous.json") == ["F1", "F2"]
    assert not (tmp_path / "F1.svg").exists() and not (tmp_path / "F1.png").exists()


def test_a_report_of_another_machine_or_version_is_replaced(undrawn, tmp_path, results, monkeypatch):
    report.write([results["F1"]], THREE, tmp_path)
    monkeypatch.setattr(report, "machine", lambda threads: {"cpu": "another"})
    report.write([results["F2"]], THREE, tmp_path)
    assert ids(tmp_path) == ["F2"] and ids(tmp_path, "claims.previous.json") == ["F1"]


@pytest.mark.parametrize("text", ["{ torn", "[]", '{"claims": 3}', '{"claims": [3]}'])
def test_a_damaged_report_is_put_aside(undrawn, tmp_path, results, text):
    (tmp_path / "claims.json").write_text(text)
    report.write([results["F1"]], THREE, tmp_path)
    assert ids(tmp_path) == ["F1"]
    assert (tmp_path / "claims.previous.json").read_text() == text


def test_earlier_rows_that_no_longer_fit_leave_the_report_with_a_warning(undrawn, tmp_path, results, monkeypatch):
    report.write([results["F1"], results["F2"]], THREE, tmp_path)
    edited = [fake_chapter.make("F1", 100.0, effect=lambda rows: [row["renamed"] for row in rows]), F2]
    monkeypatch.setattr(fake_chapter, "CLAIMS", edited)
    with pytest.warns(UserWarning, match="F1 is dropped from the report.*renamed"):
        report.write([results["F2"]], THREE, tmp_path)
    assert ids(tmp_path) == ["F2"] and ids(tmp_path, "claims.previous.json") == ["F1", "F2"]


def test_a_figure_that_fails_loses_no_rows(undrawn, tmp_path, results, monkeypatch):
    report.write([results["F1"], results["F2"]], THREE, tmp_path)
    (tmp_path / "F1.svg").unlink()
    monkeypatch.setattr(report, "draw", lambda result: 1 / 0)
    with pytest.warns(UserWarning, match="F1 is dropped.*claims.previous.json keeps them"):
        report.write([results["F2"]], THREE, tmp_path, {"F2": (b"svg", b"png")})
    assert ids(tmp_path, "claims.previous.json") == ["F1", "F2"]


def test_a_folder_without_a_report_is_not_redrawn(tmp_path):
    with pytest.raises(FileNotFoundError, match="claims.json is not there, or is no report"):
        report.redraw(tmp_path)


# ---- the page and the table ----


class Page(HTMLParser):
    """Collects tags and text, and checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


HOSTILE = "</style><script>alert('1')</script>\"><b onload=x>&amp;"


def test_nothing_in_a_claim_or_its_rows_gets_out_of_its_place_in_the_page(undrawn, tmp_path, results, monkeypatch):
    words = dict.fromkeys(("title", "question", "note", "source"), HOSTILE)
    effect = replace(F1.effects[0], name=HOSTILE, unit=HOSTILE, holds=lambda rows: HOSTILE)
    hostile = replace(F1, chapter=HOSTILE, effects=(effect,), **words)
    rows = [row | {HOSTILE: HOSTILE} for row in results["F1"].rows]
    monkeypatch.setattr(report, "machine", lambda threads: {"cpu": HOSTILE})
    report.write([judge(hostile, rows, 0.0)], THREE, tmp_path)
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "b"})
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count(HOSTILE) >= 10


def test_the_page_stands_alone_and_describes_its_figures(tmp_path, results):
    report.write(list(results.values()), THREE, tmp_path)
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    for _, attributes in page.tags:
        for name in "src", "href":
            assert attributes.get(name, "#").startswith(("#", "data:image/svg+xml;base64,"))
    alts = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert len(alts) == 4 and all(text in alts[0] for text in ("F1", "accuracy, ours minus theirs", "supported"))
    for words in "✓ supported", "✗ contradicted", "✓ exact", "⚠ theory 10× but clock 0.5×", "F3 Fake F3":
        assert words in page.text


def test_the_contents_link_to_every_part_of_the_page_once_and_to_nothing_else(results):
    chapters = [replace(result, claim=replace(result.claim, chapter=chapter)) for result, chapter in zip(
        results.values(), ("one", "one", HOSTILE, "three"), strict=True
    )]  # fmt: skip
    text = report.page(chapters, dict.fromkeys(results, b""), {}, {})
    contents = Page(re.search("<nav.*?</nav>", text, re.DOTALL)[0])
    links = [attributes["href"].removeprefix("#") for tag, attributes in contents.tags if tag == "a"]
    ids = [(tag, attributes["id"]) for tag, attributes in Page(text).tags if "id" in attributes]
    assert links == [name for tag, name in ids if tag in ("h2", "section")]
    assert len({name for _, name in ids}) == len(ids)
    marks = [attributes["aria-label"] for tag, attributes in contents.tags if attributes.get("role") == "img"]
    assert marks == [finding.verdict for result in chapters for finding in result.findings]


def test_each_figure_stands_below_its_verdict_opens_by_a_button_and_says_what_is_seen(results):
    page = report.page(list(results.values()), dict.fromkeys(results, b'<svg viewBox="0 0 720.5 360">'), {}, {})
    sections = re.findall("<section.*?</section>", page, re.DOTALL)
    assert len(sections) == len(results)
    for section, result in zip(sections, results.values(), strict=True):
        assert section.index("<blockquote>") < section.index(result.verdict) < section.index("<figure")
        tags = dict(Page(section).tags)
        assert "popover" in tags["figure"] and tags["button"]["popovertarget"] == tags["figure"]["id"]
        assert tags["img"]["width"] == "720" and tags["img"]["height"] == "360"
        assert "<strong>What you see:</strong> Accuracy over x, ours and theirs.</figcaption>" in section


def test_a_figure_of_words_alone_has_no_caption_of_a_drawing():
    claim = fake_chapter.make("F9", 0.0)
    page = report.page([judge(claim, [not_measured("no GPU", "Run it on one.")], 0.0)], {"F9": b""}, {}, {})
    assert "<figure" in page and "<figcaption" not in page and claim.caption not in page


def test_the_page_sums_up_what_is_long(results):
    rows = [row | {"mask": list(range(500))} for row in results["F1"].rows * 20]
    page = report.page([judge(F1, rows, 0.0)], {"F1": b""}, {}, {})
    assert "500 values" in page and "and 180 more, in claims.json" in page


def test_the_table_has_effect_interval_ratios_and_flags(results):
    lines = report.table(list(results.values())).splitlines()
    assert re.search(
        r"^F1 Fake F1 +✓ supported +\+\d+(\.\d)? points \[\+\d+(\.\d)?, \+\d+(\.\d)?\], over seeds alone, margin 0 +10 +9 +0.5$",
        lines[2],
    )
    assert lines[3].strip() == "accuracy, ours minus theirs"
    assert [line.strip() for line in lines[4:6]] == ["⚠ theory 10× but clock 0.5×", "⚠ disk 9× but clock 0.5×"]
    assert any(re.search(r"^F4 Fake F4 +✓ exact +holds +– +– +–$", line) for line in lines)


def test_a_logarithm_is_shown_as_the_ratio_itself():
    claim = fake_chapter.make("F9", 0.0, effect=lambda rows: [1.0, 1.0], unit="log2 ×")
    assert report.effect_text(judge(claim, [], 0.0).findings[0]) == "2× [2×, 2×], margin 1×"


def test_a_margin_is_stated_wherever_the_effect_is():
    claim = fake_chapter.make("F9", 0.0, effect=lambda rows: [-0.5, -0.5], unit="points", margin=-1.0)
    result = judge(claim, [], 0.0)
    assert result.verdict == "supported"
    assert report.effect_text(result.findings[0]) == "-0.5 points [-0.5, -0.5], over seeds alone, margin -1"
    claim = fake_chapter.make("F9", 0.0, effect=lambda rows: [0.1, 0.1], unit="log2 ×", smallest=1.0)
    assert report.effect_text(judge(claim, [], 0.0).findings[0]) == "1.07× [1.07×, 1.07×], matters from 2×"
    claim = fake_chapter.make("F9", 0.0, effect=lambda rows: [0.5, 0.5], unit="points")
    assert (
        report.effect_text(judge(claim, [], 0.0).findings[0]) == "+0.5 points [+0.5, +0.5], over seeds alone, margin 0"
    )


def test_a_share_is_shown_in_per_cent_as_in_figures_and_no_interval_above_all():
    shares = fake_chapter.make("F9", 0.0, effect=lambda rows: [0.75, 1.0, 1.0], unit="share", margin=0.8)
    finding = judge(shares, [], 0.0).findings[0]
    assert finding.interval[1] > 1
    assert re.fullmatch(r"91.7 % \[[\d.]+ %, 100 %\], margin 80 %, leaning to .*", report.effect_text(finding))


def test_no_interval_of_points_is_shown_above_100():
    recalls = fake_chapter.make("F9", 0.0, effect=lambda rows: [75.0, 100.0, 100.0], unit="points")
    finding = judge(recalls, [], 0.0).findings[0]
    assert finding.interval[1] > 100 and report.effect_text(finding).endswith(", +100], over seeds alone, margin 0")


def test_a_claim_of_several_sentences_says_which_of_them_each_effect_decides():
    effect = fake_chapter.CLAIMS[0].effects[0]
    halves = tuple(replace(effect, name=f"half {i}", decides=(name,)) for i, name in enumerate(("N13", "N16")))
    both = judge(fake_chapter.make("F9", 0.0, effects=halves, question=""), fake_chapter.measure(0, 1.0), 0.0)
    page = report.page([both], {"F9": b""}, {}, {})
    assert "<strong>N13: half 0" in page and "<strong>N16: half 1" in page
    alone = judge(fake_chapter.make("F9", 0.0, effects=halves[:1], question=""), fake_chapter.measure(0, 1.0), 0.0)
    assert "<strong>Half 0" in report.page([alone], {"F9": b""}, {}, {})


def test_an_effect_without_anything_to_compare_is_not_measured_and_the_ratios_stay():
    effects = (
        fake_chapter.CLAIMS[0].effects[0],
        Effect("more images", of=lambda rows: [], holds=lambda rows: "one size"),
    )
    rows = [row for seed in range(3) for row in fake_chapter.measure(seed, 20.0)]
    result = judge(fake_chapter.make("F9", 0.0, effects=effects, ratios=lambda rows: {"disk": 2.0}), rows, 0.0)
    assert result.findings[1].verdict == "not measured here: nothing to compare"
    assert result.ratios == {"disk": 2.0} and "more images; one size" in report.table([result])


# ---- figures ----


positions = st.lists(st.floats(0, 500).map(round), min_size=1, max_size=8)


@given(positions)
def test_labels_stay_apart_in_order_and_inside(wanted):
    placed = style._apart(np.array(wanted, float), 20, 0, 500)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(placed[order]) >= 20 - 1e-9).all()
    assert placed.min() >= -1e-9 and placed.max() <= 500 + 1e-9
    if len(wanted) > 1 and np.diff(np.sort(wanted)).min() >= 20:
        np.testing.assert_allclose(placed, wanted)


@pytest.mark.parametrize("inverted", [False, True])
def test_labels_of_meeting_curves_are_drawn_beside_each_other_at_the_right(inverted):
    fig = figure()
    (ax,) = fig.axes
    for i, role in enumerate(("claim", "rival", "other")):
        curve_with_band(ax, [1, 2, 3], [[5 + i, 2, 5 + i / 100]] * 2, f"arm {i}", COLORS[role])
    if inverted:
        ax.invert_xaxis()
        ax.set_ylim(0, 100)  # set after the labels were made, as figures do
    fig.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in zip(boxes[:-1], boxes[1:], strict=True))
    assert all(box.x0 > ax.bbox.x0 + 0.9 * ax.bbox.width and box.x1 <= fig.bbox.x1 for box in boxes)


def test_the_band_is_the_interval_of_the_mean_and_one_seed_has_none(rng):
    values = rng.normal(size=(5, 3))
    (ax,) = figure().axes
    curve_with_band(ax, [2, 1, 3], values, "arm", "black")
    band = ax.collections[0].get_paths()[0].vertices
    _, low, high = style.seed_band(values)
    assert np.isclose(band[:, 1].min(), low.min()) and np.isclose(band[:, 1].max(), high.max())
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.column_stack([[1, 2, 3], values.mean(0)[[1, 0, 2]]]))
    (ax,) = figure().axes
    curve_with_band(ax, [1, 2, 3], [[1, None, 3]], "arm", "black")
    assert np.isfinite(ax.lines[0].get_ydata()).sum() == 2
    with pytest.raises(ValueError, match=r"\(seeds, 2\).*\(1, 3\)"):
        curve_with_band(ax, [1, 2], [[1, 2, 3]], "arm", "black")


def test_the_band_of_ratios_is_that_of_their_logarithms_and_stays_above_zero():
    values = np.array([[1.0, 8.0], [4.0, 8.0], [0.5, 8.0]])
    (ax,) = figure().axes
    curve_with_band(ax, [1, 2], values, "arm", "black", ratios=True)
    mean, low, _ = np.exp(style.seed_band(np.log(values)))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), mean)
    np.testing.assert_allclose(mean, [2 ** (1 / 3), 8])
    assert np.isclose(ax.collections[0].get_paths()[0].vertices[:, 1].min(), low.min()) and low.min() > 0


@pytest.mark.parametrize("timed", [False, True])
def test_the_corner_of_a_figure_says_how_many_seeds_stand_behind_it_and_which_machine(results, timed):
    rows = [row | {"machine": "a machine"} for row in results["F1"].rows]
    notes = [text.get_text() for text in replace(F1, timed=timed).figure(rows).texts]
    assert notes == ["3 seeds; bands and error bars: 95 %, over seeds" + " · a machine" * timed]
    two = F1.figure([row for row in rows if row["seed"] < 2]).texts
    assert [text.get_text() for text in two] == ["2 seeds; bands and error bars: from one to the other"]
    one = [row for row in rows if row["seed"] == 0]
    assert any(text.get_text().startswith("1 seed") for text in F1.figure(one).texts)


def test_drawing_leaves_no_trace_in_pyplot():
    code = (
        "import matplotlib, fake_chapter\n"
        "before = dict(matplotlib.rcParams)\n"
        "from tinycompress.lecture import Settings, run\nfrom tinycompress.workshop import style\n"
        "fig = run(fake_chapter.CLAIMS[0], Settings(seeds=2)).figure()\n"
        "assert style.svg(fig) and fig._repr_png_()[:4] == b'\\x89PNG'\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "import matplotlib.pyplot\n"
        "assert matplotlib.pyplot.get_fignums() == []\n"
    )
    path = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": path})
