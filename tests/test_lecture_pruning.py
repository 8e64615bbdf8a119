"""The claims of the pruning chapter: what their rows say, and that the verdicts follow from the rows."""

import numpy as np
import pytest

from tinycompress.lecture import pruning, pruning_figures
from tinycompress.lecture.claim import judge, plain

CLAIMS = {claim.id: claim for claim in pruning.CLAIMS}
TINY = pruning.Plan(dense=3, pruned=4, steps=2, batch_size=64, lrs=(0.05,))


@pytest.fixture(scope="module", autouse=True)
def tiny_plan():
    before = pruning.PLANS["quick"]
    pruning.PLANS["quick"] = TINY
    yield
    pruning.PLANS["quick"] = before


@pytest.fixture(scope="module")
def rows():
    """Two seeds of every claim at a tiny budget, as JSON would give them back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruning, "SPARSITIES", (0.5, 0.9))
        patch.setattr(pruning, "REMOVED", (0.5, 0.9, 0.95))
        measured = {}
        for seed in (0, 1):
            for name in ("P1", "P2", "P4"):
                measured.setdefault(name, []).extend(CLAIMS[name].measure("digits", "quick", seed))
            for batch in (1, 8):
                measured.setdefault("P3", []).extend(pruning.measure_p3(60, 50, batch, seed))
    return {name: [plain(row | {"machine": "a test"}, name) for row in some] for name, some in measured.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_judged_and_drawn_from_its_rows(rows, name):
    result = judge(CLAIMS[name], rows[name], 0.0)
    assert result.verdict in ("supported", "contradicted", "not shown")
    figure = result.figure()
    assert figure.axes and all(np.isfinite(ax.dataLim.bounds).all() for ax in figure.axes if ax.has_data())


def test_all_arms_of_p1_train_for_equally_many_epochs_and_remove_what_they_say(rows, monkeypatch):
    spent = []
    true_fit = pruning.train

    def counting(model, dataset, **options):
        spent.append(options["epochs"])
        return true_fit(model, dataset, **options)

    monkeypatch.setattr(pruning, "train", counting)
    dataset = pruning.data.load("digits")
    net = pruning.models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=np.random.default_rng(0))
    totals = []
    for steps in (1, TINY.steps):
        spent.clear()
        pruned, _ = pruning._pruned_gradually(net, dataset, TINY, 0, 0.9, steps)
        totals.append(sum(spent))
        assert pruning.sparsity(pruned) == pytest.approx(0.9, abs=1e-4)
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
    assert pruning.effect_p1(made) == [10.0, 10.0]


def test_a_regular_net_shows_no_irregularity():
    regular = [{"seed": 0, "layer": i, "fan_in": [7] * 30} for i in range(3)]
    assert pruning.effect_p2(regular) == [0.0]
    two_kinds = [{"seed": 0, "layer": 0, "fan_in": [7] * 20 + [3] * 10}, {"seed": 0, "layer": 1, "fan_in": [1, 2]}]
    assert pruning.effect_p2(two_kinds) == pytest.approx([1 / 3])


def test_p2_counts_the_connections_that_are_there(rows):
    for row in rows["P2"]:
        assert sum(row["fan_in"]) == sum(row["fan_out"])
        if row["connections"]:
            pairs = np.array(row["connections"])
            assert np.array_equal(np.bincount(pairs[:, 1], minlength=len(row["fan_in"])), row["fan_in"])


def test_p4_fails_if_a_smaller_net_computes_something_else(rows):
    assert all(row["difference"] <= 1e-5 for row in rows["P4"])
    wrong = [dict(row) for row in rows["P4"]]
    wrong[0]["difference"] = 1e-3
    assert judge(CLAIMS["P4"], wrong, 0.0).verdict == "failed"


def test_the_sign_of_p3_follows_the_faster_form():
    def made(irregular, fewer):
        arms = {"dense": 1.0, "masked dense": irregular, "CSR, scipy": 9.0, "CSR, ours": 9.0, "fewer neurons": fewer}
        return [{"seed": 0, "shape": "a", "batch": 1, "removed": 0.5, "arm": arm, "ms": ms} for arm, ms in arms.items()]

    assert pruning.effect_p3(made(1.0, 0.5)) == [1.0]
    assert pruning.effect_p3(made(0.5, 1.0)) == [-1.0]


def test_the_crossover_is_where_the_speed_up_comes_to_stay_above_one():
    assert pruning_figures.crossover_sparsity([0.5, 0.7, 0.9], [0.25, 0.5, 2.0]) == pytest.approx(0.8)
    assert pruning_figures.crossover_sparsity([0.5, 0.9], [0.2, 0.5]) is None
    assert pruning_figures.crossover_sparsity([0.5, 0.9], [2.0, 3.0]) == 0.5
    # a lucky moment early on does not count
    assert pruning_figures.crossover_sparsity([0.5, 0.7, 0.9], [1.5, 0.5, 2.0]) == pytest.approx(0.8)
