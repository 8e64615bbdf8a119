"""The claims of the chapter on dynamic computation: what their rows say, and that the verdicts follow from the rows."""

import re
from dataclasses import replace

import numpy as np
import pytest
from verdicts import DECIDED, blind_to_images, well_drawn

import tinycompress as tc
from tinycompress import get_num_threads, nn, set_num_threads
from tinycompress.dynamic import EarlyExit, ExitTable, Slimmable, exit_table
from tinycompress.lecture import dynamic
from tinycompress.lecture.claim import Settings, judge
from tinycompress.lecture.dynamic import nets, y1_exits, y2_width, y4_budget
from tinycompress.lecture.dynamic.y1_exits import against_last, effect_accuracy, effect_speed, ratios_y1
from tinycompress.lecture.dynamic.y3_easy_images import difficulty, effect_gain, effect_y3, holds_gain, leaving_by_share
from tinycompress.lecture.learned import Split, marked
from tinycompress.lecture.tasks import plain

CLAIMS = {claim.id: claim for claim in dynamic.CLAIMS}
TINY = nets.Plan(
    epochs=2,
    width_epochs=2,
    batch_size=64,
    lrs=(0.05,),
    joint_lrs=(0.02,),
    channels=(4, 6, 8),
    widths=(0.5, 1.0),
    untrained=(0.75,),
)


@pytest.fixture(scope="module", autouse=True)
def tiny_plan():
    threads = get_num_threads()
    set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nets.PLANS, "quick", TINY)
        patch.setitem(nets.WITH_COLOUR, "quick", TINY)
        patch.setitem(y2_width.WITH_COLOUR, "quick", TINY)
        patch.setattr(y1_exits, "ONE_BY_ONE", 4)
        patch.setattr(y1_exits, "BATCH", 16)
        patch.setattr(y4_budget, "BATCH", 16)
        patch.setattr(y4_budget, "STEPS", 2)
        patch.setattr(y4_budget, "TURNS", 2)
        for cached in (nets.plain_net, nets.exit_net):
            cached.cache_clear()  # nets of another plan
        yield
        for cached in (nets.plain_net, nets.exit_net):
            cached.cache_clear()
    set_num_threads(threads)


@pytest.fixture(scope="module")
def rows(measure):
    """Two seeds of every claim at a tiny budget, as JSON would give them back."""
    measured = {
        name: [row for task in c.tasks(Settings("quick", "digits", 2)) for row in measure(c, task)]
        for name, c in CLAIMS.items()
    }
    return {name: [plain(row | {"machine": "a test"}, name) for row in some] for name, some in measured.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_judged_and_drawn_from_its_rows_and_knows_its_images(rows, name):
    result = judge(CLAIMS[name], rows[name], 0.0)
    assert {finding.verdict for finding in result.findings} <= DECIDED
    assert well_drawn(result.figure())
    assert not blind_to_images(CLAIMS[name], rows[name])


@pytest.mark.parametrize("name", CLAIMS)
def test_the_tasks_of_every_claim_cover_every_seed(name):
    assert [task[2] for task in CLAIMS[name].tasks(Settings("quick", seeds=3))] == [0, 1, 2]


def test_y1_reports_of_each_exit_what_the_net_cut_there_does(rows):
    dataset = tc.data.load("digits")
    net = nets.exit_net("digits", "quick", 0)
    mine = {(row["arm"], row["setting"]): row for row in rows["Y1"] if row["seed"] == 0}
    for i in range(3):
        row = mine["exit", str(i + 1)]
        assert row["accuracy"] == pytest.approx(100 * tc.evaluate(net.exit(i), dataset.test).accuracy)
        assert row["macs"] == net.exit(i).summary().macs and row["shares"][i] == 1
    assert mine["plain", ""]["macs"] == mine["exit", "3"]["macs"]
    sure = mine["threshold", "0.9"]
    assert sure["thresholds"] == [0.9, 0.9]
    assert sure["accuracy"] == pytest.approx(
        100 * tc.evaluate(EarlyExit(net, sure["thresholds"]), dataset.test).accuracy
    )


def test_the_effects_of_y1_are_the_speed_up_one_image_at_a_time_and_what_it_costs():
    made = [
        {"seed": seed, "arm": arm, "setting": setting, "ms_1": ms, "macs": 10 * ms, "accuracy": 90 + ms}
        for seed in (0, 1)
        for arm, setting, ms in (
            ("plain", "", 4.0),
            ("exit", "1", 0.5),
            ("exit", "2", 9.0),
            ("threshold", "0.7", 0.5),
            ("threshold", "0.9", 1.0),
        )
    ]
    assert effect_speed(made) == [2.0, 2.0]
    assert effect_accuracy(made) == [-3.0, -3.0]
    assert against_last(made) == [-8.0, -8.0]
    assert ratios_y1(made) == {"theory": 4.0, "clock": 4.0}


def test_all_arms_of_y2_train_for_equally_many_epochs_with_equally_many_rates(rows, monkeypatch):
    spent = []
    true_train = nets.train

    def counting(model, dataset, **options):
        spent.append((isinstance(model, Slimmable), options["epochs"]))
        return true_train(model, dataset, **options)

    monkeypatch.setattr(nets, "train", counting)
    monkeypatch.setattr(y2_width, "train", counting)
    y2_width.measure_y2("digits", "quick", 0)
    assert spent == [(True, TINY.width_epochs)] * 2 + [(False, TINY.width_epochs)] * 2
    for plan in nets.PLANS.values():
        assert len(plan.lrs) == len(plan.joint_lrs)
    by_width = {}
    for row in rows["Y2"]:
        by_width.setdefault(row["width"], set()).add(row["macs"])
    assert all(len(macs) == 1 for macs in by_width.values())  # every arm has the same net at a width
    assert len(set.union(*by_width.values())) == 3


def test_y3_counts_every_test_image_once_at_the_exit_where_it_leaves(rows):
    dataset = tc.data.load("digits")
    for seed in (0, 1):
        mine = [row for row in rows["Y3"] if row["seed"] == seed]
        np.testing.assert_array_equal(
            np.sum([row["by_class"] for row in mine], 0), np.bincount(dataset.y_test, minlength=10)
        )
        assert sum(row["share"] for row in mine) == pytest.approx(1)
        right = sum(row["share"] * (100 - row["error_at_first"]) for row in mine if row["share"])
        assert mine[0]["accuracy"] == pytest.approx(right)  # at the first exit, of all images


def test_y3_asks_of_every_exit_whether_it_learned_from_all_images_and_not_from_those_that_leave_there(rows):
    split = Split(300, 10, 240, 5)  # the largest class makes up four fifths, and its images leave first
    easy = [row | {"accuracy": 80.0, "error": 0.0, "error_at_first": 0.0} for row in rows["Y3"]]
    found = judge(CLAIMS["Y3"], marked(easy, CLAIMS["Y3"].nets, split), 0.0).findings
    exits = ", ".join(f"the net (exit {i})" for i in (1, 2, 3))
    assert {finding.verdict for finding in found} == {f"not measured: {exits} did not learn"}


def test_thresholds_by_share_let_that_share_of_those_that_come_leave():
    rng = np.random.default_rng(0)
    table = ExitTable(rng.random((3, 400)).astype(np.float32), np.ones((3, 400), bool))
    left = np.bincount(table.leaving(leaving_by_share(table, 0.75)), minlength=3)
    np.testing.assert_allclose(left, [300, 75, 25], atol=2)


def test_an_image_is_hard_if_its_neighbours_are_of_another_class():
    rng = np.random.default_rng(0)
    dataset = tc.data.load("digits")
    x = rng.normal([[0.0], [10.0]], 0.1, (2, 30)).reshape(60, 1, 1, 1).astype(np.float32)
    y = np.repeat([0, 1], 30)
    made = replace(dataset, x_train=x, y_train=y, x_test=x[[0, 40, 0]], y_test=np.array([0, 1, 1]))
    np.testing.assert_array_equal(difficulty(made), [0, 0, 1])


def test_the_effects_of_y3_compare_those_that_go_on_with_those_that_leave_first_and_with_leaving_at_once():
    made = [
        {"seed": 0, "exit": i, "share": share, "difficulty": hard, "error": error, "error_at_first": at_first}
        for i, share, hard, error, at_first in (
            (1, 0.8, 2.0, 1.0, 1.0),
            (2, 0.15, 10.0, 4.0, 6.0),
            (3, 0.05, 30.0, 20.0, 40.0),
        )
    ]
    assert effect_y3(made) == pytest.approx([13.0])
    assert effect_gain(made) == pytest.approx([0.75 * 2 + 0.25 * 20])
    assert holds_gain(made).endswith("exit 2: 6.0 → 4.0 %, exit 3: 40.0 → 20.0 %")


def test_the_figure_of_y3_has_the_errors_that_its_verdict_is_of(rows):
    ticks = [label.get_text() for ax in CLAIMS["Y3"].figure(rows["Y3"]).axes for label in ax.get_xticklabels()]
    gains = re.findall(r"exit (\d): (\S+ → \S+ %)", holds_gain(rows["Y3"]))
    assert gains and all(f"exit {i}\n{gain}" in ticks for i, gain in gains)


def test_the_ratio_on_the_clock_of_y1_is_the_speed_up_of_its_verdict(rows):
    result = judge(CLAIMS["Y1"], rows["Y1"], 0.0)
    assert result.ratios["clock"] == pytest.approx(2 ** result.findings[0].mean)


def test_y2_says_which_untrained_width_is_worse_than_a_smaller_trained_one():
    made = [
        {"seed": 0, "arm": arm, "width": width, "accuracy": accuracy, "macs": int(100 * width)}
        for arm, width, accuracy in (
            ("slimmable", 0.25, 90.0),
            ("slimmable", 0.5, 92.0),
            ("width never trained", 0.375, 80.0),
            ("width never trained", 0.75, 91.5),
        )
    ]
    assert y2_width.holds_y2(made).endswith("0.25, 0.5; of the others, 0.375 (80.0 %) is worse than 0.25 (90.0 %)")


def test_y4_never_chooses_beyond_the_budget_by_its_table(rows):
    for seed in (0, 1):
        mine = [row for row in rows["Y4"] if row["seed"] == seed]
        costs = {(row["width"], row["exit"]): row["ms"] for row in mine if row["arm"] == "table"}
        for row in mine:
            if row.get("setting"):
                width, name = row["setting"].split(" × ")
                assert costs[float(width), name] <= row["budget"] * (1 + 1e-9)


def test_y4_counts_the_budgets_that_were_kept_within_the_tolerance():
    made = [
        {"seed": 0, "arm": arm, "budget": 1.0, "ms": ms}
        for arm, times in (
            ("depth and width", (0.9, 1.05, 1.2, 0.5)),
            ("controller", (1.2, 0.5)),
            ("width alone", (9, None)),
        )
        for ms in times
    ]
    assert y4_budget.effect_fixed(made) == [0.75]
    assert y4_budget.effect_changing(made) == [0.5]


def test_y4_compares_depth_and_width_with_depth_at_the_budgets_that_fit_both():
    made = [
        {"seed": 0, "arm": arm, "budget": budget, "accuracy": accuracy}
        for arm, accuracies in (
            ("depth and width", (50.0, 92.0, 97.0)),
            ("depth alone", (None, 90.0, 96.0)),
            ("width alone", (None, None, 99.0)),
        )
        for budget, accuracy in zip((1.0, 2.0, 3.0), accuracies, strict=True)
    ]
    assert y4_budget.effect_width(made) == [1.5]
    assert y4_budget.holds_width(made) == "fast enough: depth alone for 67 % and width alone for 33 % of the budgets"


def test_y4_follows_the_budget_anew_in_each_turn(rows):
    steps = [(row["seed"], row["turn"], row["step"]) for row in rows["Y4"] if row["arm"] == "controller"]
    assert len(set(steps)) == len(steps) == 2 * y4_budget.TURNS * len(y4_budget.PHASES) * y4_budget.STEPS


def test_branchynets_lenet_has_its_authors_layers():
    dataset = tc.data.load("digits")
    mnist = replace(dataset, x_train=np.zeros((1, 28, 28, 1), np.float32))
    net = nets.with_exits(mnist, "paper", np.random.default_rng(0))
    shapes = [layer.latent("weight").shape for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Dense)]
    assert shapes == [(5, 5, 1, 5), (5, 5, 5, 10), (5, 5, 10, 20), (500, 84), (3, 3, 5, 10), (490, 10), (84, 10)]
    x = np.zeros((2, 28, 28, 1), np.float32)
    assert exit_table(net, (x, np.zeros(2, int))).scores.shape == (2, 2)
