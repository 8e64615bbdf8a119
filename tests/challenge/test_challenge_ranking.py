"""Ranks, points and remarks, for hand-ins made by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from browser import chromium, needs_chromium
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from tinycompress.challenge.board import Entry
from tinycompress.challenge.export import as_csv
from tinycompress.challenge.page import page
from tinycompress.challenge.ranking import (
    fit_the_public_half,
    interval,
    mcnemar,
    public_is_easier,
    ranking,
    why_not,
    without_place,
)
from tinycompress.challenge.rules import Rules

DEADLINE = datetime(2027, 1, 31, 12, tzinfo=UTC)
N = 400


def entry(number, student, secret, public=None, nbytes=1000, file="", work=100.0, **more):
    """A hand-in that gets these shares of the images right: the first ones."""
    right = {"public": np.arange(N) < N * (secret if public is None else public), "secret": np.arange(N) < N * secret}
    works = {half: np.broadcast_to(np.asarray(work, float), N) for half in right}
    time = more.pop("time", DEADLINE - timedelta(hours=1))
    return Entry(number, student, time, file or str(number), nbytes, right=right, work=works, **more)


def rules(measure="accuracy", **more):
    return Rules("t", measure, **more)


def ranks(entries, *arguments):
    return {place.entry.student: place.rank for place in ranking(entries, *arguments) if place.rank}


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_the_binomial_test_of_the_images_that_only_one_gets_right(pairs):
    a, b = np.array(pairs).T
    only_a, only_b = (a & ~b).sum(), (b & ~a).sum()
    expected = binomtest(int(only_a), int(only_a + only_b)).pvalue if only_a + only_b else 1
    assert mcnemar(a, b) == pytest.approx(expected) == pytest.approx(mcnemar(b, a))


def test_noise_shares_a_rank_and_more_than_noise_does_not():
    # Of 400 images 12 more and none less: p = 0.0005. Of 3 more: p = 0.25.
    found = ranking([entry(1, "c", 0.9), entry(2, "b", 0.9225), entry(3, "a", 0.93)], rules())
    assert [(place.entry.student, place.rank) for place in found] == [("a", 1), ("b", 1), ("c", 3)]


def test_small_steps_form_no_chain():
    """Each is noise beside the next, but the last is not beside the first."""
    shares = np.linspace(0.95, 0.90, 11)  # 2 images per step
    found = ranks([entry(i, str(i), share) for i, share in enumerate(shares)], rules())
    assert found["0"] == found["1"] == found["2"] == 1 < found["3"] < found["10"]


def test_the_best_on_the_public_half_counts_and_not_the_luckiest_on_the_secret_half():
    own = [entry(1, "a", secret=0.95, public=0.90), entry(2, "a", secret=0.91, public=0.93)]
    (place,) = ranking(own, rules())
    assert place.entry.number == 2 and place.value == pytest.approx(0.91)


def test_fitting_the_public_half_is_shown_and_not_rewarded():
    cheat, honest = entry(1, "cheat", secret=0.90, public=1.0), entry(2, "honest", secret=0.95, public=0.95)
    found = ranking([cheat, honest], rules())
    assert [place.entry.student for place in found] == ["honest", "cheat"] and found[1].rank == 2
    assert found[0].remarks == () and "10.0 points better there" in found[1].remarks[0]
    table = [[int(cheat.right[half].sum()), int((~cheat.right[half]).sum())] for half in ("public", "secret")]
    assert public_is_easier(cheat) == pytest.approx(fisher_exact(table, "greater").pvalue, rel=1e-6)


def test_chance_marks_none_of_many_hand_ins(rng):
    """All are as good on both halves, but for chance."""
    many = [entry(i, str(i), 0.9) for i in range(300)]
    for one in many:
        one.right.update(public=rng.random(N) < 0.9, secret=rng.random(N) < 0.9)
    assert min(map(public_is_easier, many)) < 0.01 and not fit_the_public_half(many)


def test_fewest_bytes_among_those_that_reach_the_accuracy():
    r = rules("bytes", least_accuracy=0.95)
    good, same, low = (
        entry(1, "good", 0.95, nbytes=900),
        entry(2, "same", 0.97, nbytes=900),
        entry(3, "low", 0.94, nbytes=5),
    )
    unlucky, cheat = entry(4, "unlucky", 0.94, 0.96, nbytes=800), entry(5, "cheat", 0.80, 1.0, nbytes=50)
    entries = [good, same, low, unlucky, cheat]
    assert ranks(entries, r) == {"unlucky": 1, "good": 2, "same": 2}  # 94 % is what chance makes of 95 %
    reasons = without_place(entries, r)
    assert "94.00 % of the public images" in reasons["low"] and "less than chance explains" in reasons["cheat"]


def test_multiplications_as_they_are_used():
    r = rules("multiplications", least_accuracy=0.5, most_multiplications=1000)
    exits = np.where(np.arange(N) % 4 == 0, 400.0, 100.0)  # 175 on average
    entries = [entry(1, "exits", 0.9, work=exits), entry(2, "plain", 0.9, work=174.0), entry(3, "few", 0.9, work=120.0)]
    assert ranks([*entries, entry(4, "many", 0.9, work=1001)], r) == {"few": 1, "plain": 2, "exits": 2}
    late_exits = entry(5, "late", 0.9)
    late_exits.work["secret"] = np.where(np.arange(N) % 2, 4000.0, 100.0)
    assert "per secret image" in why_not(late_exits, r) and not why_not(late_exits, r, "public")


def test_a_baseline_that_breaks_a_rule_says_so():
    entries = [
        entry(1, "lecture: plain net", 0.98, nbytes=9000, baseline=True),
        entry(2, "lecture: pruned", 0.9, baseline=True),
    ]
    broken, kept = ranking(entries, rules(most_bytes=8000))
    assert broken.remarks == ("9,000 bytes, 1,000 more than the 8,000 allowed",) and not kept.remarks
    assert "1,000 more than" in page(entries, rules(most_bytes=8000))


def test_late_hand_ins_count_for_those_who_have_none_in_time_and_cost_points():
    r = rules(deadline=DEADLINE, late_days=2, late_percent_a_day=25.0, points_by_rank=(10, 8))
    late, later = DEADLINE + timedelta(hours=1), DEADLINE + timedelta(days=2, seconds=1)
    entries = [entry(1, "a", 0.9), entry(2, "a", 0.99, time=late), entry(3, "b", 0.89, time=late)]
    found = ranking([*entries, entry(4, "c", 0.99, time=later)], r)
    assert [(p.entry.number, p.rank, p.points, p.remarks) for p in found] == [
        (1, 1, 10, ()),
        (3, 1, 7.5, ("1 day late",)),
    ]
    assert without_place([entry(4, "c", 0.99, time=later)], r) == {"c": "handed in more than 2 days late"}


def test_points_by_value():
    r = rules(points_by_value=((0.9, 4), (0.95, 7)))
    found = ranking([entry(1, "a", 0.95), entry(2, "b", 0.9), entry(3, "c", 0.5)], r)
    assert [place.points for place in found] == [7, 4, 0]
    r = rules("bytes", least_accuracy=0.1, points_by_value=((2000, 4), (1000, 7)))
    found = ranking([entry(1, "a", 0.9, nbytes=1000), entry(2, "b", 0.9, nbytes=1001)], r)
    assert [place.points for place in found] == [7, 4]


def test_whoever_hands_in_the_file_of_another_is_shown_and_not_the_other():
    entries = [entry(1, "a", 0.9, file="x"), entry(2, "a", 0.8, file="y"), entry(3, "b", 0.9, file="x")]
    found = {place.entry.student: place.remarks for place in ranking(entries, rules())}
    assert found == {"a": (), "b": ("the same file as another student's hand-in 1",)}
    assert page(entries, rules()).count("another student&#x27;s hand-in 1") == 2  # in the ranking, and in b's history


def test_wilsons_interval_of_an_accuracy():
    low, high = interval(entry(1, "a", 0.9), "accuracy", "secret", 0.95)
    expected = binomtest(360, 400).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_nothing_of_the_public_page_depends_on_the_secret_half():
    def class_(shift):
        shares = {"a": (0.9 + shift, 0.95), "b": (0.93 - shift, 0.91), "c": (0.9 - shift, 0.94)}
        return [entry(i, student, *both) for i, (student, both) in enumerate(shares.items())]

    r = rules(least_accuracy=0.9)
    assert page(class_(0), r, "public") == page(class_(0.07), r, "public") != page(class_(0), r, "secret")
    assert as_csv(class_(0), r, "public") == as_csv(class_(0.07), r, "public")


def test_names_cannot_write_markup_or_formulas():
    name = '<img src=x onerror="alert(1)">'
    bad = entry(1, name, 0.9)
    refused = Entry(2, "=1+1", DEADLINE, "f", 10, refused="<script>boo")
    text = page([bad, refused], rules())
    assert "<img src=x" not in text and "<script" not in text and "&lt;script&gt;boo" in text
    assert name not in page([bad], rules(), anonymous=True) and "student 1" in page([bad], rules(), anonymous=True)
    table = as_csv([bad, refused], rules()).splitlines()
    assert table[2].startswith("'=1+1,,0,") and len(set(line.count(",") for line in table[::2])) == 1


def test_a_page_without_hand_ins():
    assert "No hand-in counts yet" in page([], rules()) and "No hand-in counts yet" in page([], rules(), "public")


LINES = """
const lines = cell => { const r = document.createRange(); r.selectNodeContents(cell); return r.getClientRects().length }
return [Math.max(...[...document.querySelectorAll("td:not(:last-child)")].map(lines)),
        document.documentElement.scrollWidth, document.querySelector("img").clientWidth]
"""


@needs_chromium
def test_on_a_phone_numbers_stay_in_one_line_and_the_figure_can_be_read(tmp_path):
    pytest.importorskip("selenium")
    baseline = entry(2, "lecture: half of neurons pruned", 0.98, nbytes=9000, baseline=True)
    (tmp_path / "page.html").write_text(page([entry(1, "a", 0.9), baseline], rules(most_bytes=8000)), encoding="utf-8")
    with chromium(tmp_path) as browser:
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        browser.get((tmp_path / "page.html").as_uri())
        lines, width, figure = browser.execute_script(LINES)
    assert (lines, width) == (1, 390) and figure > 1.4 * 390, "what is wider scrolls in its own box"
