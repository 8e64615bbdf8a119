"""The claims of the architecture chapter: what their rows say, and that the verdicts follow from the rows."""

import numpy as np
import pytest
from verdicts import DECIDED, blind_to_images, well_drawn

import tinycompress as tc
from tinycompress.lecture import Settings, architecture
from tinycompress.lecture.architecture import a3_counts, a4_accuracy, a5_low_rank, nets, pairs
from tinycompress.lecture.architecture.a1_depthwise import effect_local
from tinycompress.lecture.architecture.a2_pointwise import A2_ARMS
from tinycompress.lecture.architecture.a3_counts import _both, counts_fit
from tinycompress.lecture.architecture.a5_low_rank import BUDGET, REPEATS, effect_accuracy, effect_spectrum, measure_a5
from tinycompress.lecture.claim import judge
from tinycompress.lecture.tasks import plain

CLAIMS = {claim.id: claim for claim in architecture.CLAIMS}
TINY = nets.Plan(pair_epochs=1, epochs=2, widths=(5, 8), dense=2, more=2, ranks=(1, 8), lrs=(0.1,), conv_lrs=(0.1,))


@pytest.fixture(scope="module", autouse=True)
def tiny_plan():
    before = nets.PLANS["quick"]
    nets.PLANS["quick"] = nets.WITH_COLOUR["quick"] = TINY
    yield
    nets.PLANS["quick"] = nets.WITH_COLOUR["quick"] = before


@pytest.fixture(scope="module")
def rows():
    """Two seeds of every claim at a tiny budget, as JSON would give them back."""
    measured = {}
    for seed in (0, 1):
        for name in ("A1", "A2", "A4", "A5"):
            measured.setdefault(name, []).extend(CLAIMS[name].measure("digits", "quick", seed))
        for channels in (3, 8):
            for batch in (1, 2):
                measured.setdefault("A3", []).extend(CLAIMS["A3"].measure(channels, batch, seed))
    return {name: [plain(row | {"machine": "a test"}, name) for row in some] for name, some in measured.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_judged_and_drawn_from_its_rows_and_knows_its_images(rows, name):
    result = judge(CLAIMS[name], rows[name], 0.0)
    for finding in result.findings:
        assert finding.verdict == "exact" if isinstance(finding.mean, bool) else finding.verdict in DECIDED
    assert well_drawn(result.figure())
    assert not blind_to_images(CLAIMS[name], rows[name])


@pytest.mark.parametrize("name", CLAIMS)
def test_the_tasks_of_every_claim_cover_every_seed(name):
    for budget in ("quick", "full", "paper"):
        assert {task[-1] for task in CLAIMS[name].tasks(Settings(budget, seeds=3))} == {0, 1, 2}


# ---- the pairs of A1 and A2 ----


def test_whatever_sees_one_channel_alone_is_right_in_half_of_the_pairs(rng):
    data = pairs.pair_data(tc.data.load("digits"), seed=3)
    for x, targets in (data.train, data.val, data.test):
        assert (targets[:, 0] == targets[:, 1]).all() and targets.mean() == 0.5
        for channel in (0, 1):
            flat = x[..., channel].reshape(len(x), -1)
            for _ in range(5):
                answers = flat @ rng.standard_normal(flat.shape[1]) > rng.normal()
                assert (answers == targets[:, channel]).mean() == 0.5


def test_the_pairs_of_a_split_are_of_its_own_images_and_answered_by_their_labels():
    dataset = tc.data.load("digits")
    for question in ("same", "own"):
        asked = pairs.pair_data(dataset, 0, question)
        for split in ("train", "val", "test"):
            x, y = getattr(dataset, split)
            label = {image.tobytes(): number for image, number in zip(x[..., 0], y, strict=True)}
            for pair, targets in zip(*getattr(asked, split), strict=True):
                shown = [label[np.ascontiguousarray(pair[..., c]).tobytes()] for c in (0, 1)]
                assert targets.tolist() == (shown if question == "own" else [int(shown[0] == shown[1])] * 2)


def test_only_nets_with_pointwise_or_standard_convolutions_mix_channels(rng):
    x = rng.random((8, 8, 2), np.float32)
    for arm in A2_ARMS:
        found = tc.architecture.channel_jacobian(pairs.build(arm, (8, 8, 1), rng), x)
        assert (found[~np.eye(2, dtype=bool)] != 0).all() == (arm != "depthwise alone")


def test_a1_fails_if_a_channel_leaks_or_an_answer_is_not_left_to_chance(rows):
    assert judge(CLAIMS["A1"], rows["A1"], 0.0).verdict == "exact"
    for change in ({"channels": [[1, 1e-9], [0, 1]]}, {"accuracy": 50.1}):
        wrong = [dict(row) for row in rows["A1"]]
        next(row for row in wrong if row.get("question") == "same").update(change)
        assert judge(CLAIMS["A1"], wrong, 0.0).findings[1].verdict == "failed"


def test_a1_fails_unless_there_is_a_filter_per_channel_that_reads_its_window_only(rows):
    (row, *_) = (row for row in rows["A1"] if row.get("layer") == "depthwise")
    assert effect_local([row])
    for place, value in (((0, 0, 1), 1e-9), ((3, 3, 2), 1e-9), ((2, 2, 1), 0.0)):
        reads = np.array(row["reads"])
        reads[place] = value
        assert not effect_local([row | {"reads": reads.tolist()}])
    assert not effect_local([row | {"parameters": row["parameters"] + 9}])
    assert not effect_local([other for other in rows["A1"] if other.get("layer") != "depthwise"])


def test_a2_fails_if_a_pointwise_layer_reads_another_pixel_or_misses_a_channel(rows):
    a2 = CLAIMS["A2"].effects[0].of
    assert a2(rows["A2"])
    for place, value in (((0, 0, 0), 1e-9), ((3, 3, 2), 0.0)):
        wrong = [dict(row) for row in rows["A2"]]
        reads = np.array(wrong[0]["reads"])
        reads[place] = value
        wrong[0]["reads"] = reads.tolist()
        assert not a2(wrong)
    assert not a2([row for row in rows["A2"] if "reads" not in row])


def test_a1_draws_the_window_that_a_convolution_has(rows):
    for row in rows["A1"]:
        if "layer" in row:
            seen = np.array(row["reads"]) > 0
            assert seen.sum() == {"standard": 36, "depthwise": 9, "pointwise": 4}[row["layer"]]


# ---- A3 ----


def test_a3_fails_if_a_single_count_is_not_the_formulas(rows):
    for change in ({"wrong": 1}, {"macs": 2.0}, {"formula": 0.5, "parameters": 0.5, "macs": 0.5}):
        assert judge(CLAIMS["A3"], [*rows["A3"], rows["A3"][0] | change], 0.0).verdict == "failed"


def test_a_count_that_is_off_by_one_weight_is_noticed(rng, monkeypatch):
    assert counts_fit(5, 7, (3, 2), 2, (9, 8), rng)
    true = _both

    def with_bias(*arguments):
        standard, separable = true(*arguments)
        separable[-1].replace("bias", tc.nn.Parameter(np.zeros(7, np.float32)))
        return standard, separable

    monkeypatch.setattr(a3_counts, "_both", with_bias)
    assert not counts_fit(5, 7, (3, 2), 2, (9, 8), rng)


def test_a3_draws_as_many_squares_as_it_counts_weights(rows):
    figure = CLAIMS["A3"].figure(rows["A3"])
    fewest = min(rows["A3"], key=lambda row: row["channels"])
    drawn = [len(ax.collections[0].get_paths()) for ax in figure.axes[:3]]
    assert drawn == list(fewest["weights"].values()) == [81, 27, 9]
    assert all(str(count) in ax.get_xlabel() for count, ax in zip(drawn, figure.axes[:3], strict=True))


def test_a3_flags_the_clock_where_it_disagrees_with_the_count():
    made = [
        {
            "channels": c,
            "batch": 16,
            "wrong": 0,
            "formula": 8.0,
            "parameters": 8.0,
            "macs": 8.0,
            "disk": 7.9,
            "clock": 4.0,
        }
        for c in (64, 128)
    ]
    assert [words.split()[0] for words in judge(CLAIMS["A3"], made, 0.0).disagreements] == ["theory", "disk"]


# ---- A4 and A5 ----


def test_the_shrunk_net_has_nearly_as_many_parameters_as_the_separable_one_and_no_more(rows):
    for row in rows["A4"]:
        if row["arm"] == "shrunk":
            (most,) = (
                r["parameters"]
                for r in rows["A4"]
                if (r["seed"], r["width"], r["arm"]) == (row["seed"], row["width"], "separable")
            )
            assert 0.8 * most < row["parameters"] <= most


def test_all_arms_of_a4_and_a5_train_for_equally_many_epochs(monkeypatch):
    spent = []
    true_train = a4_accuracy.train

    def counting(model, dataset, **options):
        spent.append(options["epochs"])
        return true_train(model, dataset, **options | {"epochs": 0})

    for module in (a4_accuracy, a5_low_rank):
        monkeypatch.setattr(module, "train", counting)
    a4_accuracy.measure_a4("digits", "quick", 0)
    assert spent == [TINY.epochs] * len(a4_accuracy.ARMS) * len(TINY.widths)
    spent.clear()
    measure_a5("digits", "quick", 0)
    assert spent == [TINY.dense] + [TINY.more] * (1 + len(TINY.ranks) + REPEATS)


def test_the_effect_of_a4_is_the_paired_difference_of_its_arms():
    accuracies = {"standard": 90.0, "separable": 89.0, "shrunk": 80.0}
    made = [
        {"seed": seed, "arm": arm, "width": width, "accuracy": value + seed + width}
        for seed in (0, 1)
        for width in (8, 16)
        for arm, value in accuracies.items()
    ]
    assert a4_accuracy.effect_a4(made) == [-1.0, -1.0]
    assert a4_accuracy.holds_a4(made) == "by width: 8: -1.0, 16: -1.0"
    assert a4_accuracy.effect_a4(made, "shrunk") == [9.0, 9.0]
    assert a4_accuracy.holds_a4(made, "shrunk") == "by width: 8: +9.0, 16: +9.0"


def test_a5_averages_the_repeats_of_a_seed():
    made = [
        {"seed": seed, "arm": "after", "choice": "by budget", "accuracy": 97.0 - repeat, "whole_accuracy": 98.0 + seed}
        for seed in (0, 1)
        for repeat in (0, 1)
    ]
    assert effect_accuracy(made) == [-1.5, -2.5]


def test_a5_compares_the_squares_in_a_quarter_of_the_directions_of_each_layer():
    made = [
        {"seed": 0, "arm": arm, "layer": layer, "shape": (4, 4), "values": values}
        for layer, trained in (("1", [3, 1, 1, 1]), ("3", [1, 1, 1, 1]))
        for arm, values in (("trained", trained), ("untrained", [1, 1, 1, 1]))
    ]
    assert effect_spectrum(made) == [(50 + 0) / 2]
    made[2]["shape"] = made[3]["shape"] = (4, 6)
    assert a5_low_rank.holds_spectrum(made) == "at least 1 point for 4×4: +50.0; less for 4×6: +0.0"


def test_a5_keeps_the_share_of_parameters_that_it_says(rows):
    chosen = [row for row in rows["A5"] if row.get("choice") == "by budget"]
    assert chosen and all(0.9 * BUDGET < row["kept"] <= BUDGET for row in chosen)
    for row in rows["A5"]:
        if "values" in row:
            assert row["values"] == sorted(row["values"], reverse=True) and len(row["values"]) == min(row["shape"])
