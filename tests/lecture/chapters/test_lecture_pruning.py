"""The claims of the pruning chapter: what their rows say, and that the verdicts follow from the rows."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from verdicts import DECIDED, blind_to_images, well_drawn

from tinycompress import data, get_num_threads, models, set_num_threads
from tinycompress.channels import channel_groups
from tinycompress.lecture import pruning, verdict
from tinycompress.lecture.claim import Settings, judge
from tinycompress.lecture.pruning import (
    nets,
    p0_dropout,
    p1_gradual,
    p1b_criteria,
    p1c_digging,
    p2_irregular,
    p3_sparse_speed,
    p4b_slimming,
    p5_large_first,
    p6_tickets,
    speed,
)
from tinycompress.lecture.pruning.p1_gradual import effect_p1
from tinycompress.lecture.pruning.p2_irregular import _draw_net
from tinycompress.lecture.pruning.p3_sparse_speed import measure_p3
from tinycompress.lecture.tasks import not_measured, plain
from tinycompress.pruning import magnitude, remove_neurons, sparsity
from tinycompress.workshop.style import figure, png, svg

CLAIMS = {claim.id: claim for claim in pruning.CLAIMS}
TINY = nets.Plan(dense=3, pruned=4, steps=2, batch_size=64, lrs=(0.05,), removed=(0.5, 0.9, 0.95))
TINY_OF = {
    nets: TINY,
    p0_dropout: p0_dropout.Plan(epochs=2, batch_size=64, lrs=(0.05,)),
    p1b_criteria: p1b_criteria.Plan(epochs=2, batch_size=64, slimming=0.01),
    p5_large_first: p5_large_first.Plan(epochs=4, widths=(12, 24), batch_size=64, lrs=(0.05,)),
    p6_tickets: p6_tickets.Plan(rounds=15, compared=(7, 15), epochs=2, batch_size=64, lrs=(0.02, 0.1)),
    p4b_slimming: p4b_slimming.Plan(2, 1, batch_size=64, lrs=(0.1,), penalties=(0.03,), tuned_lr=0.1),
}


@pytest.fixture(scope="module", autouse=True)
def tiny_plans():
    threads = get_num_threads()
    set_num_threads(1)  # as the workers have it: two threads on nets this small are slower than one
    with pytest.MonkeyPatch.context() as patch:
        for module, plan in TINY_OF.items():
            patch.setitem(module.PLANS, "quick", plan)
        patch.setitem(nets.WITH_COLOUR, "quick", TINY)
        yield
    set_num_threads(threads)


@pytest.fixture(scope="module")
def rows(measure):
    """Two seeds of every claim at a tiny budget, as JSON would give them back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(p3_sparse_speed, "SPARSITIES", (0.5, 0.9))
        patch.setattr(p1b_criteria, "WEIGHTS_REMOVED", (0.5, 0.9))
        patch.setattr(p1b_criteria, "NEURONS_REMOVED", (0.5, 0.75))
        patch.setattr(p0_dropout, "REMOVED", (0.5, 0.9))
        patch.setattr(p1c_digging, "REMOVED", (0.9, 0.95))
        patch.setattr(p1c_digging, "NETS", 1)
        measured = {"P3b": [not_measured("no GPU", "Elsewhere.")]}
        for name in ("P0", "P1", "P1b", "P1c", "P2", "P4", "P4b", "P5", "P6"):
            for task in CLAIMS[name].tasks(Settings("quick", "digits", 2)):
                measured.setdefault(name, []).extend(measure(CLAIMS[name], task))
        for seed in (0, 1):
            for batch in (1, 8):
                measured.setdefault("P3", []).extend(measure_p3(60, 50, batch, seed))
    return {name: [plain(row | {"machine": "a test"}, name) for row in some] for name, some in measured.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_judged_and_drawn_from_its_rows_and_knows_its_images(rows, name):
    result = judge(CLAIMS[name], rows[name], 0.0)
    assert {finding.verdict for finding in result.findings} <= DECIDED | {"exact"}  # of P4, one statement is exact
    assert well_drawn(result.figure())
    assert not blind_to_images(CLAIMS[name], rows[name])


def test_all_arms_of_p1_train_for_equally_many_epochs_and_remove_what_they_say(rows, monkeypatch):
    spent = []
    true_fit = nets.train

    def counting(model, dataset, **options):
        spent.append(options["epochs"])
        return true_fit(model, dataset, **options)

    monkeypatch.setattr(nets, "train", counting)
    dataset = data.load("digits")
    net = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=np.random.default_rng(0))
    totals = []
    for steps in (1, TINY.steps):
        spent.clear()
        pruned, _ = nets.pruned_gradually(net, dataset, TINY, 0, 0.9, steps)
        totals.append(sum(spent))
        assert sparsity(pruned) == pytest.approx(0.9, abs=1e-4)
    assert totals == [TINY.pruned, TINY.pruned]
    assert {row["epochs"] for row in rows["P1"]} == {TINY.dense + TINY.pruned}
    for row in rows["P1"]:
        assert row["measured_sparsity"] == pytest.approx(row["removed"], abs=1e-4)


def test_the_effect_of_p1_is_the_paired_difference_of_its_arms():
    arms = {"a little at a time": 90.0, "all at once": 80.0, "not fine-tuned": 10.0}
    made = [
        {"seed": seed, "arm": arm, "removed": share, "accuracy": accuracy + seed}
        for seed in (0, 1)
        for arm, accuracy in arms.items()
        for share in (0.5, 0.9, 0.98)
    ]
    assert effect_p1(made) == [10.0, 10.0]


def test_p1_says_how_large_its_difference_is_at_each_share_that_decides():
    rows = [
        {"seed": seed, "arm": arm, "removed": share, "accuracy": 80 + (points + 0.1 * seed) * (arm != "all at once")}
        for seed in (0, 1, 2)
        for arm in ("a little at a time", "all at once")
        for share, points in {0.5: 9, 0.9: 0.1, 0.95: 4, 0.98: -30}.items()
    ]
    words = "90 % removed: +0.2 (no difference), 95 % removed: +4.1 (supported), 98 % removed: -29.9 (contradicted)"
    assert p1_gradual.by_share(rows) == words


def p2_rows(*hidden):
    last = {"seed": 0, "layer": len(hidden), "fan_in": [9] * 10}
    return [{"seed": 0, "layer": i, "fan_in": fan_in} for i, fan_in in enumerate(hidden)] + [last]


def test_a_regular_net_shows_no_irregularity():
    assert p2_irregular.other_than_most(p2_rows([7] * 30, [7] * 30)) == [0.0]
    assert p2_irregular.other_than_most(p2_rows([7] * 20 + [3] * 10)) == pytest.approx([100 / 3])


def test_p2_counts_hidden_neurons_with_two_or_three_connections_and_with_one():
    differ, few, one = (effect.of(p2_rows([0, 1, 2, 3, 4], [1, 1, 2, 30])) for effect in CLAIMS["P2"].effects)
    assert (few, one) == ([3.0], [3.0]) and differ == pytest.approx([600 / 9])


def test_p2_says_how_many_neurons_of_each_layer_keep_no_connection():
    words = p2_irregular.how_many_keep_none(p2_rows([0, 1, 2, 3, 4], [0, 0, 2, 30]))
    assert words == "without a connection: 20 % of hidden layer 1, 50 % of hidden layer 2"


def test_only_one_net_of_p2_is_drawn_whichever_seed_comes_first():
    tasks = CLAIMS["P2"].tasks(Settings("quick", "digits", 3, first_seed=5))
    assert [task[-1] for task in tasks] == [True, False, False]


def test_p2_counts_the_connections_that_are_there(rows):
    for row in rows["P2"]:
        assert sum(row["fan_in"]) == sum(row["fan_out"])
        if row["connections"]:
            pairs = np.array(row["connections"])
            assert np.array_equal(np.bincount(pairs[:, 1], minlength=len(row["fan_in"])), row["fan_in"])


@pytest.mark.parametrize(
    "change", [{"difference": 1e-3}, {"widths": [150, 50, 9]}, {"widths": [150, 10]}, {"widths": [300, 50, 10]}]
)
def test_p4_fails_if_a_smaller_net_computes_something_else_or_more_than_sizes_change(rows, change):
    only_sizes, faster = judge(CLAIMS["P4"], rows["P4"], 0.0).findings
    assert only_sizes.verdict == "exact"
    wrong = judge(CLAIMS["P4"], [rows["P4"][0] | change, *rows["P4"][1:]], 0.0).findings
    assert wrong[0].verdict == "failed" and wrong[1] == faster


def p3_rows(seed=0, removed=0.5, batch=1, **ms):
    """Rows of one panel: dense takes 1 ms, the other forms as long as said."""
    names = {"masked": "masked dense", "scipy": "CSR, scipy", "ours": "CSR, ours", "fewer": "fewer neurons"}
    times = {"dense": 1.0} | {names[name]: time for name, time in ms.items()}
    panel = {"seed": seed, "shape": "a", "batch": batch, "removed": removed}
    return [panel | {"arm": arm, "ms": time, "speedup": 1 / time} for arm, time in times.items()]


def test_each_half_of_p3_follows_the_forms_that_it_compares():
    same, fewer, *drops = (effect.of for effect in CLAIMS["P3"].effects)
    rows = [
        row
        for share, ms in ((0.5, 4.0), (0.7, 2.0), (0.8, 0.5), (0.98, 0.1))
        for row in p3_rows(removed=share, masked=2.0, scipy=ms, ours=2 * ms, fewer=0.5)
    ]
    assert (same(rows), fewer(rows)) == ([-1.0], [1.0])
    assert [at_one_share(rows) for at_one_share in drops] == [[2.0], [1.0], [-1.0]]


def test_the_ratios_of_p3_are_those_of_the_faster_csr_product():
    rows = p3_rows(removed=0.9, scipy=0.5, ours=2.0) + p3_rows(removed=0.9, batch=32, scipy=2.0, ours=0.125)
    rows += p3_rows(removed=0.98, scipy=0.01, ours=0.01)
    assert p3_sparse_speed.ratios_p3(rows) == pytest.approx({"theory": 10, "clock": 4})


def test_p3_finds_a_product_with_zeros_as_slow_as_one_without_only_if_times_agree_within_five_percent():
    def verdict_of(*times):
        rows = [row for seed, t in enumerate(times) for row in p3_rows(seed, masked=t, scipy=2, ours=2, fewer=0.5)]
        effect = CLAIMS["P3"].effects[0]
        return verdict(effect.of(rows), smallest=effect.smallest, equal=effect.equal).verdict

    assert verdict_of(1.0, 1.01, 0.99) == "supported"
    assert verdict_of(1.2, 1.21, 1.19) == verdict_of(0.8, 0.81, 0.79) == "contradicted"
    assert verdict_of(1.0, 1.2, 0.9) == "not shown"


def test_p3_says_in_which_cases_speed_drops_at_a_share():
    rows = [row for share, ms in ((0.5, 4), (0.7, 2), (0.9, 0.5)) for row in p3_rows(removed=share, scipy=9, ours=ms)]
    rows += [row for share in (0.5, 0.7, 0.9) for row in p3_rows(removed=share, batch=32, scipy=0.5, ours=9)]
    arms = p3_sparse_speed.SKIP_ZEROS
    assert speed.where_slower(rows, arms, 0.7) == "slower in 1 of 2 cases: a, batch 1"
    assert speed.where_slower(rows, arms, 0.8) == "slower in 0 of 2 cases"
    assert speed.where_slower([row for row in rows if row["batch"] == 1], arms, 0.5) == "slower in all 1 cases"


def test_the_crossover_is_where_the_speed_up_comes_to_stay_above_one():
    assert speed.crossover_sparsity([0.5, 0.7, 0.9], [0.25, 0.5, 2.0]) == pytest.approx(0.8)
    assert speed.crossover_sparsity([0.5, 0.9], [0.2, 0.5]) is None
    assert speed.crossover_sparsity([0.5, 0.9], [2.0, 3.0]) == 0.5
    # a lucky moment early on does not count
    assert speed.crossover_sparsity([0.5, 0.7, 0.9], [1.5, 0.5, 2.0]) == pytest.approx(0.8)


def test_every_step_of_every_plan_is_fine_tuned():
    assert all(plan.pruned // 2 // plan.steps >= 1 for plan in nets.WITH_COLOUR.values())
    assert all(plan.epochs // 2 >= 2 for plan in p5_large_first.PLANS.values())


def test_criteria_remove_the_same_share_and_are_compared_with_chance(rows):
    by_part = {}
    for row in rows["P1b"]:
        by_part.setdefault(row["part"], {}).setdefault(row["arm"], []).append(row["removed"])
    assert {*by_part} == {"weights", "neurons", "channels", "layers"}
    assert all("chance" in by_part[part] for part in ("weights", "neurons", "channels"))
    for arms in by_part.values():
        assert len({tuple(shares) for shares in arms.values()}) == 1


def test_each_effect_of_p1b_is_the_gain_of_one_criterion_over_chance_in_one_part():
    made = [
        {"seed": seed, "part": part, "arm": arm, "removed": 0.5, "accuracy": accuracy + 0.1 * seed * (arm == "chance")}
        for seed in (0, 1, 2)
        for part, arms in {
            "weights": {"magnitude": 90, "gradient": 70, "chance": 50},
            "neurons": {"magnitude": 60, "activation": 55, "chance": 50},
            "channels": {"activation": 15, "chance": 20},
        }.items()
        for arm, accuracy in arms.items()
    ]
    for part, criterion, points in (
        ("weights", "magnitude", 40),
        ("weights", "gradient", 20),
        ("neurons", "magnitude", 10),
        ("channels", "activation", -5),
    ):
        gains = p1b_criteria.effect_of(part, criterion).of(made)
        assert gains == pytest.approx([points, points - 0.1, points - 0.2])


def test_p1b_has_an_effect_for_every_criterion_that_it_measures(rows):
    measured = {(row["part"], row["arm"]) for row in rows["P1b"] if row["part"] != "layers" and row["arm"] != "chance"}
    assert measured == {(part, arm) for part, arms in p1b_criteria.TRIED.items() for arm in arms}


def test_chance_draws_anew_each_time(rng):
    net = models.mlp((8, 8, 1), (6, 4), 10, rng=rng)
    by_chance = nets.chance(magnitude, rng)
    first, second = by_chance(net), by_chance(net)
    assert {name: score.shape for name, score in first.items()} == {name: s.shape for name, s in magnitude(net).items()}
    assert not any(np.array_equal(first[name], second[name]) for name in first)


def test_all_arms_of_p5_end_with_as_many_parameters_and_multiply_as_often(rows):
    for width in (12, 24):
        chosen = [row for row in rows["P5"] if row["width"] == width]
        net = models.mlp((8, 8, 1), (width, width // 3), 10, rng=np.random.default_rng(0))
        assert {row["parameters"] for row in chosen} == {net.summary().parameters}
        spent, one_epoch = [row["macs_per_image"] for row in chosen], net.summary().macs
        assert max(spent) - min(spent) <= 2 * one_epoch
        assert len({row["arm"] for row in chosen}) == 4


@pytest.mark.parametrize("arm", p5_large_first.LARGE_FIRST | p5_large_first.SMALL_FIRST)
def test_p5_counts_the_epochs_and_multiplications_that_it_trains(arm, monkeypatch):
    spent, true_train = [], p5_large_first.train

    def counting(model, dataset, *, epochs, **options):
        spent.append((epochs, epochs * model.summary().macs))
        return true_train(model, dataset, epochs=0, **options)

    monkeypatch.setattr(p5_large_first, "train", counting)
    run = p5_large_first.Spending(data.load("digits"), TINY_OF[p5_large_first], 24, 0.05, 0)
    net = (p5_large_first.LARGE_FIRST | p5_large_first.SMALL_FIRST)[arm](run)
    assert (run.epochs, run.macs) == tuple(map(sum, zip(*spent, strict=True)))
    assert p5_large_first.hidden_widths(net) == ([96, 32] if arm == "large, weights pruned" else [24, 8])


def test_the_effects_of_p5_compare_growing_with_the_better_way_to_prune_and_with_starting_at_the_final_size():
    made = [
        {"seed": seed, "width": 12, "parameters": 1354, "arm": arm, "accuracy": accuracy, "val_loss": loss}
        for seed in (0, 1)
        for arm, accuracy, loss in (
            ("large, weights pruned", 90, 0.1),
            ("large, neurons pruned", 99, 0.2),
            ("small from the start", 95, 0.05),
            ("smaller, then grown", 80, 0.3),
        )
    ]
    pruned, small = CLAIMS["P5"].effects
    assert (pruned.of(made), small.of(made)) == ([10.0, 10.0], [15.0, 15.0])
    assert small.holds(made) == "1,354 parameters: +15.0 (supported)"


def test_the_arms_of_p6_have_equally_many_weights_and_epochs(rows):
    for row in rows["P6"]:
        found = next(
            r for r in rows["P6"] if all(r[k] == row[k] for k in ("seed", "lr", "round")) and r["arm"] == "ticket"
        )
        tolerance = 0.05 if row["arm"] == "small dense" else 0
        assert row["weights"] == pytest.approx(found["weights"], rel=tolerance)
        assert row["epochs"] == len(row["val_curve"]) == 2
    kept = {row["round"]: row["kept"] for row in rows["P6"]}
    inputs = [64 * 300, 300 * 100, 1000]
    for number, share in kept.items():
        expected = (0.8**number * (inputs[0] + inputs[1]) + 0.9**number * inputs[2]) / sum(inputs)
        assert share == pytest.approx(expected, abs=1e-3)


def test_the_effects_of_p6_take_each_arm_at_the_rate_it_picks_on_validation_data():
    made = []
    for number in (7, 15):
        for arm, lr, accuracy, loss in (
            ("ticket", 0.01, 90, 0.5),
            ("ticket", 0.1, 96, 0.1),
            ("re-initialised", 0.01, 95, 0.2),
            ("re-initialised", 0.1, 97, 0.3),
            ("small dense", 0.01, 93, 0.4),
            ("small dense", 0.1, 92, 0.3),
        ):
            made.append(
                {"seed": 3, "arm": arm, "round": number, "lr": lr, "accuracy": accuracy - number, "val_loss": loss}
            )
    assert [effect.of(made) for effect in CLAIMS["P6"].effects] == [[1.0], [4.0]]


def test_p6_says_by_how_much_the_ticket_leads_at_each_learning_rate():
    made = [
        {"seed": seed, "arm": arm, "round": number, "lr": lr, "kept": 0.8**number}
        | {"accuracy": 50 + (lead + seed) * (arm == "ticket")}
        for seed in (0, 1, 2)
        for number in (3, 7, 15)
        for lr, lead in ((0.01, 30 if number > 3 else 0), (0.1, -1))
        for arm in ("ticket", "re-initialised")
    ]
    words = "at rate 0.01: +31 points, supported; at rate 0.1: +0 points, not shown"
    assert CLAIMS["P6"].effects[0].holds(made) == f"at 21 % and 3.5 % of the weights left; {words}"


def test_slimming_takes_the_parameters_it_says_and_keeps_the_neurons_of_largest_scale(rows):
    dataset = p4b_slimming.data.load("digits")
    net = p4b_slimming.build(dataset, (20, 12), 0)
    rng = np.random.default_rng(0)
    norms = [m for m in net.modules() if type(m).__name__ == "BatchNorm"]
    for norm in norms:
        norm.weight.data = rng.uniform(0.1, 1, norm.weight.shape).astype(np.float32)
    small = remove_neurons(net, p4b_slimming.slim(net, 0.5))
    assert small.summary().parameters <= 0.5 * net.summary().parameters
    kept = [m.weight.data for m in small.modules() if type(m).__name__ == "BatchNorm"]
    gone = np.concatenate([np.setdiff1d(a.weight.data, b) for a, b in zip(norms, kept, strict=True)])
    assert gone.max() <= np.concatenate(kept).min()
    for row in rows["P4b"]:
        assert row["gone"] >= p4b_slimming.PLANS["quick"].gone or row["arm"] == "whole"
        assert row["epochs"] == 3
    gone = next(row["gone"] for row in rows["P4b"] if row["arm"] == "slimmed")
    words = f"{100 * gone:.1f} % of the parameters removed"
    assert CLAIMS["P4b"].effects[0].holds(rows["P4b"]) == words


def test_slimming_a_residual_net_leaves_what_its_blocks_pass_on_whole():
    net = models.resnet((8, 8, 3), 10, (8, 16, 32), blocks=3, rng=0)
    rng = np.random.default_rng(0)
    for norm in (m for m in net.modules() if type(m).__name__ == "BatchNorm"):
        norm.weight.data = rng.uniform(0.1, 1, norm.weight.shape).astype(np.float32)
    stay = p4b_slimming.slim(net, 0.352)
    groups = channel_groups(net)
    assert len(stay) == 9 and all(
        len(groups[name].writers) == 1 for name in stay
    )  # the first convolution of each block
    small = remove_neurons(net, stay)
    assert small.summary().parameters <= 0.648 * net.summary().parameters
    between = [group.count for group in channel_groups(small).values() if len(group.writers) > 1]
    assert between == [group.count for group in groups.values() if len(group.writers) > 1] and len(between) == 3


def test_more_connections_are_more_ink_in_the_file_that_a_page_shows():
    def ink(pairs):
        fig = figure()
        _draw_net(fig.axes[0], (300, 100), [pairs])
        pixels = re.search(rb'href="data:image/png;base64,([^"]*)"', svg(fig))[1]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(pixels))))[:, :, 3].mean()

    pairs = np.argwhere(np.ones((300, 100)))
    some = np.random.default_rng(0).permutation(pairs)[: len(pairs) // 20]
    assert ink(pairs) > 1.2 * ink(some) > ink(some[:100])


def test_the_name_of_a_way_with_a_single_point_stands_below_it():
    made = [
        {"seed": 0, "arm": arm, "removed": share, "accuracy": 90 - 50 * share, "dense_accuracy": 91, "epochs": 56}
        for arm, shares in (
            ("a little at a time", (0.9, 0.98)),
            ("all at once", (0.9, 0.98)),
            (p1_gradual.BY_SCAN, (0.9,)),
        )
        for share in shares
    ]
    fig = p1_gradual.p1([*made, *(row | {"arm": "not fine-tuned"} for row in made[:2])])
    png(fig)
    (name,) = [text for text in fig.axes[0].texts if text.get_text() == p1_gradual.BY_SCAN]
    _, point = fig.axes[0].transData.transform((0.1, 45))
    assert name.get_window_extent().y1 < point
