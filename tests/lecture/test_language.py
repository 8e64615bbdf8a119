"""The lecture in Chinese: every text of every claim has a translation, and what changes from run to run passes through it."""

import json
import re
import string

import fake_chapter
import pytest
from matplotlib.figure import Figure

from tinycompress.lecture import Settings, claims, language, page, report, run
from tinycompress.lecture.language import LANGUAGES, say, speaking
from tinycompress.lecture.notes import SENTENCES

ENTRIES = [
    (path.name, english, chinese)
    for path in sorted(language.FOLDERS["zh"].glob("*.json"))
    for english, chinese in json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)
]


@pytest.fixture
def chinese():
    with speaking("zh"):
        yield


def texts(claim):
    found = [claim.title, claim.caption, claim.note, claim.question, claim.chapter.capitalize()]
    return [text for text in found + [effect.name for effect in claim.effects] if text]


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.id)
def test_every_text_of_a_claim_has_a_translation(claim, chinese):
    missing = [text for text in texts(claim) if not re.search("[\u4e00-\u9fff]", say(text))]
    assert not missing, f"add these to lecture/language/zh/{claim.chapter}.json"


def test_a_statement_is_quoted_from_the_notes_and_translated_where_they_have_no_words_of_their_own(chinese):
    (claim,) = (claim for claim in claims() if claim.decides == ("N31", "N8"))
    of_ours, of_the_notes = page.statement(claim).split("；")
    assert "矩阵" in of_ours and of_the_notes == SENTENCES["N8"].text and not SENTENCES["N31"].text


def test_a_translation_keeps_what_changes_from_run_to_run():
    for name, english, chinese in ENTRIES:
        fields = [field for _, field, _, _ in string.Formatter().parse(chinese) if field is not None]
        numbers = list(map(int, fields)) if all(fields) else list(range(len(fields)))
        assert sorted(numbers) == list(range(english.count("{}"))), f"{name}: {english!r}"


def test_no_text_is_translated_in_two_ways():
    known = {}
    for name, english, chinese in ENTRIES:
        assert known.setdefault(english, chinese) == chinese, f"{name}: {english!r}"


def test_what_differs_is_translated_in_turn(chinese):
    assert say("after 3 epochs") == "3 轮之后"
    assert say("weights +46: supported at 50, 70 % · neurons +2: not shown at 50 %") == (
        "weight +46：剪掉 50, 70 % 时成立 · neuron +2：剪掉 50 % 时未定"
    )
    assert say("leaning to supported") == "倾向于成立"
    title = "12 neurons of hidden layer 2, from the fewest connections to the most; 46 of 100 keep none"
    assert say(title) == "隐藏层 2 的 12 个 neuron，从连接最少到最多；100 个中有 46 个没有连接"
    assert say("784×300, batch 32") == "784×300，批大小 32"
    assert say("a text that nobody has translated") == "a text that nobody has translated"


def test_outside_of_the_block_the_lecture_speaks_english():
    with speaking("zh"), speaking("en"):
        assert say("test accuracy") == "test accuracy"
    assert say("test accuracy") == "test accuracy"
    with pytest.raises(ValueError, match=r"speaks en and zh; got 'fr'"), speaking("fr"):
        pass
    assert LANGUAGES == ("en", "zh")


def drawn_labels(figure):
    figure.canvas.draw()
    (ax,) = figure.axes
    return ax.get_title(), ax.get_xlabel(), [label.get_text() for label in ax.get_xticklabels()], ax.texts[0].get_text()


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_figure_is_translated_if_there_is_a_font_with_the_glyphs(chinese, monkeypatch):
    figure = Figure()
    ax = figure.subplots()
    ax.set(title="test accuracy", xlabel="weights removed")
    ax.set_xticks([0, 1], ["dense", "one of ours"])
    ax.text(0, 0, " labels ")
    english = drawn_labels(figure)
    monkeypatch.setattr(language, "chinese_font", lambda: None)
    language.translate_figure(figure)
    assert drawn_labels(figure) == english
    monkeypatch.setattr(language, "chinese_font", lambda: "DejaVu Sans")
    language.translate_figure(figure)
    assert drawn_labels(figure) == ("测试准确率", "剪掉的 weight", ["稠密", "one of ours"], " label ")


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_report_can_be_had_in_chinese_and_its_numbers_stay(tmp_path):
    settings = Settings(seeds=2)
    results = [run(claim, settings) for claim in fake_chapter.CLAIMS[:2]]
    report.write(results, settings, tmp_path)
    rows = [entry["rows"] for entry in json.loads((tmp_path / "claims.json").read_bytes())["claims"]]
    english = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in english and "verdict" in english
    with speaking("zh"):
        table = report.table(results)
        assert "裁定" in table.splitlines()[0] and "verdict" not in table.splitlines()[0]
        page = report.page(results, {result.claim.id: b"" for result in results}, {}, report.describe(settings))
    assert '<html lang="zh">' in page and "实测的一堂课" in page and "The lecture" not in page
    assert [entry["rows"] for entry in json.loads((tmp_path / "claims.json").read_bytes())["claims"]] == rows
