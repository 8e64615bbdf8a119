"""The claims of the quantization chapter: what their rows say, and that the verdicts follow from the rows."""

from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from verdicts import DECIDED, blind_to_images, well_drawn

import tinycompress as tc
from tinycompress import models
from tinycompress.lecture import Settings, quantization
from tinycompress.lecture.claim import judge
from tinycompress.lecture.quantization import nets, q2_clusters, q3_huffman, q4b_overfitting, q5_one_file, q6_clock
from tinycompress.lecture.quantization.q4_binary import effect_q4, falling
from tinycompress.lecture.tasks import plain
from tinycompress.nn.weighted import effective
from tinycompress.quantization import cluster_weights, tcz
from tinycompress.recipe import Recipe, compress, lesson_of, round_tables

Q1_FILE = "after training", 8, "per channel"
CLAIMS = {claim.id: claim for claim in quantization.CLAIMS}
TINY = nets.Plan(
    dense=2,
    more=2,
    lrs=(0.05, 0.1),
    centroid_lrs=(0.001,),
    strengths=(1.0,),
    bits=(8, 2),
    trained_bits=(2,),
    clusters=(2, 4, 16),
    binary_epochs=2,
    binary_lrs=(0.1,),
    binary_widths=(30,),
    binary_runs=2,
    steps=2,
    small_lrs=(0.1,),
)
TINY_Q4B = q4b_overfitting.Plan(
    few=(60,), few_draws=2, images=80, draws=1, wrong=(0.0, 0.5), epochs=3, widths=(20,), lrs=(0.1,)
)


@pytest.fixture(scope="module", autouse=True)
def tiny_plan():
    patch = pytest.MonkeyPatch()
    patch.setitem(nets.PLANS, "quick", TINY)
    patch.setitem(nets.WITH_COLOUR, "quick", TINY)
    patch.setitem(q4b_overfitting.PLANS, "quick", TINY_Q4B)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def rows():
    """Two seeds of every claim at a tiny budget, as JSON would give them back."""
    measured = {}
    for name in ("Q1", "Q2", "Q3", "Q4", "Q4b", "Q5"):
        for task in CLAIMS[name].tasks(Settings("quick", "digits", 2)):
            measured.setdefault(name, []).extend(CLAIMS[name].measure(*task))
    for seed in (0, 1):
        for task in ((40, 32, 1, seed), (40, 32, 8, seed), (784, 0, 1, seed)):
            measured.setdefault("Q6", []).extend(CLAIMS["Q6"].measure(*task))
    return {name: [plain(row | {"machine": "a test"}, name) for row in some] for name, some in measured.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_judged_and_drawn_from_its_rows_and_knows_its_images(rows, name):
    result = judge(CLAIMS[name], rows[name], 0.0)
    assert {finding.verdict for finding in result.findings} <= DECIDED
    assert well_drawn(result.figure())
    assert not blind_to_images(CLAIMS[name], rows[name])


@pytest.mark.parametrize("name", CLAIMS)
def test_the_tasks_of_every_claim_cover_every_seed(name):
    for budget in ("quick", "full", "paper"):
        settings = Settings(budget, "digits", seeds=3)
        tasks = ([value for value in task if not isinstance(value, bool)] for task in CLAIMS[name].tasks(settings))
        assert {task[-1] for task in tasks} == {0, 1, 2}


def test_all_arms_train_for_equally_many_epochs(rows, monkeypatch):
    spent = []
    true_train = nets.train

    def counting(model, dataset, **options):
        spent.append(options["epochs"])
        return true_train(model, dataset, **options)

    monkeypatch.setattr(nets, "train", counting)
    dataset = tc.data.load("digits")
    start = models.mlp(dataset.image_shape, (9,), 10, rng=np.random.default_rng(0))
    nets.train_more(start.copy(), dataset, TINY, 0, 0.01)
    q2_clusters._pulled(start, dataset, TINY, 0, 3, 1.0, soft=True)
    assert spent == [TINY.more, TINY.more]
    assert {row["epochs"] for row in rows["Q2"]} == {TINY.dense + TINY.more}
    assert {row["epochs"] for row in rows["Q4"]} == {TINY.binary_epochs}
    assert len({row["epochs"] for row in rows["Q5"]}) == 1


def test_q1_counts_the_bytes_of_files_and_starts_all_arms_of_a_seed_from_one_net(rows):
    for row in rows["Q1"]:
        if row["arm"] != "in integers":
            assert 0.6 * 32 / row["bits"] < row["disk_ratio"] < 32 / row["bits"] * 1.3  # zeros may go
    for seed in (0, 1):
        assert len({row["float_accuracy"] for row in rows["Q1"] if row["seed"] == seed}) == 1


def test_q1_decides_that_fewer_bits_take_fewer_bytes_by_the_files(rows):
    _, size = judge(CLAIMS["Q1"], rows["Q1"], 0).findings
    files = [row["disk_ratio"] for row in rows["Q1"] if (row["arm"], row["bits"], row["grain"]) == Q1_FILE]
    assert size.verdict == "supported" and size.effect.decides == ("N19",)
    assert 2**size.mean == pytest.approx(np.exp(np.mean(np.log(files))))
    larger = [row | {"disk_ratio": 1 / row["disk_ratio"]} if "disk_ratio" in row else row for row in rows["Q1"]]
    assert judge(CLAIMS["Q1"], larger, 0).findings[1].verdict == "contradicted"


def test_a_net_of_two_values_a_layer_has_two_values_a_layer():
    dataset = tc.data.load("digits")
    start = models.mlp(dataset.image_shape, (9,), 10, rng=np.random.default_rng(0))
    for soft in (False, True):
        seen = []
        net = q2_clusters._pulled(start, dataset, TINY, 0, 2, 1.0, soft, seen)
        assert all(len(np.unique(effective(net[i], "weight"))) == 2 for i in (1, 3))
        assert len(seen) == TINY.more  # once per epoch
        assert np.array_equal(seen[0], start[3].weight.data)


def test_q2_measures_how_far_weights_are_from_the_value_of_their_group(rng):
    net = cluster_weights(models.mlp((2, 2, 1), (3,), 4, rng=rng), 2)
    by_hand = []
    for layer in (net[1], net[3]):
        weight, value = layer.latent("weight").data, effective(layer, "weight")
        by_hand.append(np.sqrt(((weight - value) ** 2).mean()) / weight.std())
    assert q2_clusters.spread(net) == pytest.approx(np.mean(by_hand))
    made = [
        {"seed": s, "k": k, "arm": arm, "spread": spread}
        for s in (0, 1)
        for k in (2, 16)
        for arm, spread in (("after training", 0.4), ("pulled while training", 0.1))
    ]
    assert q2_clusters.effect_spread(made) == pytest.approx([2, 2])
    assert q2_clusters.each_spread(made).startswith("4× with 2, 4× with 16 values per layer; ")


def test_q2_says_from_how_many_values_on_less_than_a_point_is_lost():
    def made(lost):
        return [
            {"seed": s, "k": k, "arm": "centroids fine-tuned", "accuracy": 97 - loss - 0.1 * s, "float_accuracy": 97.0}
            for s in (0, 1, 2)
            for k, loss in zip((2, 4, 16), lost, strict=True)
        ]

    assert q2_clusters.where_n20(made((8, 0.2, 0.1))) == "from 4 values per layer on"
    assert q2_clusters.where_n20(made((0.1, 3, 0.1))) == "from 16 values per layer on"
    assert q2_clusters.where_n20(made((0, 0, 2))) == "for no number of values"
    assert q2_clusters.effect_n20(made((8, 3, 0.5))) == pytest.approx([-0.5, -0.6, -0.7])


def test_q2_says_at_which_numbers_of_values_the_pull_helps():
    made = [
        {"seed": s, "k": k, "arm": arm, "accuracy": value + 0.1 * s * (arm == "pulled while training")}
        for s in (0, 1, 2)
        for k, (pulled, rival) in {2: (90, 80), 3: (90, 85), 4: (95, 95), 8: (95, 98)}.items()
        for arm, value in (("pulled while training", pulled), ("centroids fine-tuned", rival), ("after training", 70))
    ]
    words = "with 2 or 3 values per layer; no difference with 4; contradicted with 8"
    assert q2_clusters.where_pull_helps(made, "centroids fine-tuned") == words
    assert q2_clusters.where_pull_helps(made) == "with 2, 3, 4 or 8 values per layer"
    assert q2_clusters.effect_q2(made, "centroids fine-tuned") == pytest.approx([5, 5.1, 5.2])


def test_q3_fails_if_a_stream_is_not_decoded_exactly_or_a_code_is_too_good_to_be_true(rows):
    for change in ({"exact": False}, {"huffman": 1}, {"huffman": 10**9}):
        wrong = [dict(row) for row in rows["Q3"]]
        wrong[0] |= change
        assert judge(CLAIMS["Q3"], wrong, 0.0).verdict == "failed"


def test_the_codes_of_q3_are_ordered_as_theory_says(rows):
    for seed in (0, 1):
        fixed, huffman, bound = (
            q3_huffman.bits_by_code(rows["Q3"], c, seed=seed) for c in ("fixed", "huffman", "entropy")
        )
        assert fixed >= huffman >= bound


def test_q3_counts_the_bits_that_a_file_takes(rows):
    """Up to whole bytes, and a few bytes per array that say how long the streams are."""
    net = cluster_weights(tc.pruning.prune_weights(nets.dense_net("digits", TINY, 0).copy(), 0.9), 8)
    for coding, parts in (("fixed", ("fixed",)), ("huffman", ("huffman", "table"))):
        contents = tcz.inspect_bytes(tcz.to_bytes(net, coding))
        for name, layer in tc.pruning.prunable(net).items():
            matrix = effective(layer, "weight")
            values = np.unique(matrix[matrix != 0])
            for stream in ("values", "positions"):
                counted = q3_huffman._in_codes(matrix, values, stream, (0, 0))
                (size,) = (p.nbytes for p in contents.parts if (p.array, p.kind) == (f"{name}.weight", stream))
                assert 0 <= size - sum(counted[part] for part in parts) / 8 < 8


def test_q3_names_the_streams_whose_tables_cost_more_than_their_codes_save():
    made = [
        {"seed": 0, "layer": layer, "stream": stream, "weights": 10, "fixed": 100, "huffman": 70, "table": table}
        for layer in ("1", "3")
        for stream, table in (("values", 8), ("positions", 40 if layer == "3" else 20))
    ]
    assert q3_huffman.where_larger(made).endswith("its tables: the positions of layer 2")
    assert q3_huffman.bits_by_code(made, "huffman", "table") == (4 * 70 + 76) / 20
    assert q3_huffman.bits_by_code(made, "fixed", stream="values") == 10
    made = [row | {"entropy": 60, "symbols": 10, "exact": True} for row in made]
    assert q3_huffman.effect_q3(made) == pytest.approx([100 * (400 - 280 - 76) / 400])


def test_q4_is_signed_so_that_fewer_errors_of_binary_weights_support_it():
    made = [
        {"seed": s, "arm": arm, "test_error": e + s} for s in (0, 1) for arm, e in (("float", 2.0), ("binary", 1.5))
    ]
    assert effect_q4(made) == [0.5, 0.5]
    assert effect_q4(made, "binary, 0 and 1") == []  # reports of earlier versions do not have it


def test_q4_says_whose_error_still_falls_when_training_ends():
    made = [
        {"seed": s, "arm": arm, "curve": [90, 50, 40, 40 - s, 40, 40, last + s, last]}
        for s in (0, 1, 2)
        for arm, last in (("binary", 40), ("binary, 0 and 1", 20))
    ]
    assert falling(made, "binary") == falling(made, "ternary") == ""
    words = "within 8 epochs; in the last 2 the validation error still fell, by 20 points"
    assert falling(made, "binary, 0 and 1") == words
    assert falling([row | {"curve": [3]} for row in made], "binary") == ""


def test_binary_weights_of_q4_take_a_bit_in_the_file_whatever_their_values(rows):
    for row in rows["Q4"]:
        if row["run"] == 0:
            low, high = {"float": (24, 33), "ternary": (1, 3)}.get(row["arm"], (0.9, 1.3))
            assert low < row["bits"] < high, row["arm"]
    assert {row["arm"] for row in rows["Q4"]} == {"float", "ternary", "binary", "binary, 0 and 1"}
    rates = {(row["seed"], row["arm"]): set() for row in rows["Q4"]}
    for row in rows["Q4"]:
        rates[row["seed"], row["arm"]].add(row["lr"])
    assert all(len(some) == 1 for some in rates.values())


# ---- Q4b ----


def test_the_arms_of_q4b_train_for_equally_many_epochs_except_for_the_one_that_stops(rows):
    for row in rows["Q4b"]:
        stops = row["arm"] == q4b_overfitting.STOPPED
        assert row["epochs"] <= TINY_Q4B.epochs if stops else row["epochs"] == TINY_Q4B.epochs
    arms = {row["arm"] for row in rows["Q4b"]}
    assert arms == {arm for arm, _ in q4b_overfitting.ARMS}
    for arm in arms:
        draws = {(row["images"], row["wrong"], row["draw"]) for row in rows["Q4b"] if row["arm"] == arm}
        assert draws == {one for one in TINY_Q4B.settings if arm in q4b_overfitting.COMPARED or one[2] == 0}


def test_q5_fails_if_any_file_loads_to_another_net(rows):
    assert all(row["same"] for row in rows["Q5"])
    wrong = [dict(row) for row in rows["Q5"]]
    wrong[3]["same"] = False
    assert judge(CLAIMS["Q5"], wrong, 0.0).verdict == "failed"


def test_q5_loses_or_gains_accuracy_against_the_dense_net_that_trained_for_as_long(rows):
    first = [row for row in rows["Q5"] if row["stage"] == "float32" and row["arm"] == q5_one_file.ORDERS[0]]
    last = [row for row in q5_one_file.final_rows(rows["Q5"]) if row["arm"] == q5_one_file.ORDERS[0]]
    for seed, row in enumerate(first):
        longer, _ = nets.longer_net.__wrapped__("digits", replace(TINY, more=row["epochs"] - TINY.dense), seed)
        assert row["longer_error"] == pytest.approx(100 - 100 * tc.evaluate(longer, tc.data.load("digits")).accuracy)
    errors = [[row[key] for row in some] for some, key in ((first, "longer_error"), (last, "error"))]
    assert q5_one_file.effect_q5(rows["Q5"]) == pytest.approx(np.subtract(*errors))


def test_the_stages_of_q5_shrink_and_its_parts_cover_the_file(rows):
    for order in q5_one_file.ORDERS:
        chosen = [row for row in rows["Q5"] if row["arm"] == order and row["seed"] == 0]
        assert len(chosen) == 5 and chosen[0]["kept"] == 1
        sizes = [row["bytes"] for row in chosen]
        assert sizes[0] > sizes[1] > sizes[2] and sizes[4] < min(sizes[:4])
        assert chosen[-1]["kept"] == pytest.approx(1 - TINY.removed, abs=0.02)
        assert sum(part[3] for part in chosen[-1]["parts"]) == sizes[-1]
        assert len(b64decode(chosen[-1].get("file", ""))) == (sizes[-1] if order == q5_one_file.ORDERS[0] else 0)


def test_q5_counts_the_files_in_which_the_tables_of_huffman_cost_more_than_its_codes_save():
    made = [
        {"seed": seed, "arm": arm, "bytes": size}
        for seed in (0, 1)
        for arm in q5_one_file.ORDERS
        for size in (900, 300, 100, 101 if seed else 99, 90)
    ]
    made = [row for row in made if (row["seed"], row["arm"]) != (0, q5_one_file.ORDERS[1])]
    words = q5_one_file.huffman_longer(made).splitlines()[-2:]
    assert words == ["prune, then cluster: 1 of 2 files", "cluster, then prune: 1 of 1 files"]
    assert q5_one_file.huffman_longer([row | {"bytes": 900} for row in made]) == ""


def test_q5_weighs_the_finished_file_of_the_first_order_against_the_float32_file():
    made = [
        {"seed": s, "arm": arm, "stage": stage, "same": True, "float_bytes": 800, "bytes": size}
        for s in (0, 1)
        for arm, last in zip(q5_one_file.ORDERS, (100, 50), strict=True)
        for stage, size in (("float32", 820), ("Huffman", 200), ("arithmetic", last))
    ]
    assert q5_one_file.effect_size(made) == [3, 3]
    assert q5_one_file.effect_size([made[0] | {"same": False}, *made[1:]]) is False


def test_the_paper_budget_measures_both_nets_of_deep_compression():
    dataset = tc.data.load("digits")
    arms = {task[2] for task in q5_one_file.tasks_q5(Settings("paper", "digits", seeds=1))}
    for arm in arms:
        recipe = q5_one_file.recipe_for("paper", dataset, arm)
        net = getattr(models, recipe.net)((28, 28, 1), 10, rng=np.random.default_rng(0))
        assert len(recipe.kept) == len(tc.pruning.prunable(net))
    assert {arm.split(",")[0] for arm in arms} == {"lenet_300_100", "lenet_5"}


def test_rounded_tables_fit_into_16_bits(rng):
    net = cluster_weights(models.mlp((8, 8, 1), (9,), 10, rng=rng), 8)
    before = len(tcz.to_bytes(net, "fixed"))
    round_tables(net)
    assert len(tcz.to_bytes(net, "fixed")) == before - 2 * 2 * 8


def test_a_swapped_recipe_only_trains_the_centroids_after_clustering():
    dataset = tc.data.load("digits")
    recipe = replace(q5_one_file.recipe_for("quick", dataset, q5_one_file.ORDERS[1]), dense=1, prune=1, tune=1)
    seen = {}
    net = compress(recipe, dataset, 0, lambda stage, net, _: seen.setdefault(stage, net.copy()))
    latent = {stage: stage_net[1].latent("weight").data for stage, stage_net in seen.items()}
    assert np.array_equal(latent["clustered"], latent["pruned"])
    assert len(np.unique(effective(net[1], "weight"))) <= recipe.k + 1


@pytest.fixture(scope="module")
def paper_rows():
    """One seed of the budget "paper" for LeNet-300-100, on digits and with hardly any epochs."""
    short = {"dense": 1, "prune": 2, "pull": 1, "tune": 1}
    recipes = {arm: replace(recipe, **short) for arm, recipe in q5_one_file.paper_recipes("lenet_300_100").items()}
    patch = pytest.MonkeyPatch()
    patch.setattr(q5_one_file, "paper_recipes", lambda net: recipes)
    patch.setitem(q5_one_file.DENSE, "lenet_300_100", replace(q5_one_file.DENSE["lenet_300_100"], **short))
    rows = [row for arm in recipes for row in CLAIMS["Q5"].measure("digits", "paper", arm, 0)]
    patch.undo()
    return [plain(row, "Q5") for row in rows]


def test_at_the_budget_paper_all_recipes_begin_with_one_dense_net_and_count_against_it(paper_rows):
    dense = [row for row in paper_rows if row["stage"] == "float32"]
    assert len(dense) == len(q5_one_file.paper_recipes("lenet_300_100")) > 2
    assert len({(row["bytes"], row["error"]) for row in dense}) == 1
    for row in paper_rows:
        assert row["same"] and row["size"] == 64 * 300 + 300 * 100 + 100 * 10
        assert row["kept"] == pytest.approx(sum(row["weights"]) / row["size"])
        assert row["float_bytes"] == 4 * (row["size"] + 410)
    widths = [row["widths"] for row in paper_rows if row["stage"] == "arithmetic"]
    assert widths[0] == [300, 100, 10] and all(some[0] < 300 for some in widths[1:])


def test_the_figure_of_the_budget_paper_shows_both_nets(paper_rows):
    other = [row | {"net": "lenet_5", "arm": row["arm"].replace("lenet_300_100", "lenet_5")} for row in paper_rows]
    figure = judge(CLAIMS["Q5"], [row | {"seed": seed} for row in paper_rows + other for seed in (0, 1)], 0.0).figure()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [title.split(":")[0] for title in titles] == ["LeNet-300-100"] * 2 + ["LeNet-5"] * 2
    figure.draw_without_rendering()


def test_all_means_together_leave_a_smaller_net_of_as_many_weights_and_values_as_asked_for():
    dataset = tc.data.load("digits")
    recipe = Recipe(
        kept=(0.02, 0.03, 0.2), k=5, dense=1, prune=4, pull=1, tune=1, lrs=(0.1,), centroid_lrs=(0.001,),
        distil=True, augment=tc.data.shift, per_bit=True, neurons=(0.5, 0.6),
    )  # fmt: skip
    stages = {}
    net = compress(recipe, dataset, 0, lambda stage, net, _: stages.setdefault(stage, net.copy()))
    whole = q5_one_file._weights(stages["float32"])
    assert q5_one_file._weights(net) <= [round(s * w) for s, w in zip(recipe.kept, whole, strict=True)]
    assert (
        net[1].weight.shape[1] < 150
        and net[3].weight.shape[1] <= 60
        and net[1].weight.shape[1] == net[3].weight.shape[0]
    )
    for layer in tc.pruning.prunable(net).values():
        assert len(np.unique(effective(layer, "weight"))) <= recipe.k + 1
    x = dataset.x_test
    assert tc.predict(tcz.from_bytes(tcz.to_bytes(net)), x).tobytes() == tc.predict(net, x).tobytes()


def test_a_lesson_is_of_the_images_that_the_student_sees():
    dataset = tc.data.load("digits")
    teacher = models.mlp(dataset.image_shape, (9,), 10, rng=np.random.default_rng(0))
    still, moving = (
        lesson_of(Recipe(distil=True, augment=augment), teacher, dataset) for augment in (None, tc.data.shift)
    )
    assert np.array_equal(still["targets"]["logits"], tc.predict(teacher, dataset.x_train)) and "augment" not in still
    seen = moving["augment"](dataset.x_train[:7], np.random.default_rng(3))
    assert np.array_equal(seen, tc.data.shift(dataset.x_train[:7], np.random.default_rng(3)))
    logits = tc.Tensor(tc.predict(teacher, seen))
    labels = 0.1 * tc.functional.cross_entropy(logits, dataset.y_train[:7]).item()
    assert moving["loss"](logits, moving["targets"][:7]).item() == pytest.approx(labels, abs=1e-5)


def test_a_lesson_of_images_changed_otherwise_is_refused():
    with pytest.raises(ValueError, match=r"with distil, augment must be data.shift or None"):
        lesson_of(Recipe(distil=True, augment=tc.data.mirror), None, tc.data.load("digits"))


def test_q6_times_every_form_beside_float32(rows):
    forms = {(row["shape"], row["batch"]): set() for row in rows["Q6"]}
    for row in rows["Q6"]:
        forms[row["shape"], row["batch"]].add(row["arm"])
        assert row["memory_ratio"] == (1 if row["arm"] == "float32" else pytest.approx(row["memory_ratio"]))
    assert forms["40×32", 1] == {"float32", "8 bits", "4 bits", "1 bit", "1 bit, activations too"}
    assert forms["LeNet-300-100", 1] == {"float32", "8 bits", "1 bit"}


def test_q6_says_where_each_form_is_faster_and_where_slower():
    made = [
        {"seed": s, "arm": arm, "shape": "8×8", "batch": batch, "speedup": speedup, "memory_ratio": ratio}
        for s in (0, 1)
        for arm, ratio, speedups in (("float32", 1, (1, 1)), ("8 bits", 4, (8.0, 0.5)), ("1 bit", 32, (64.0, 64.0)))
        for batch, speedup in zip((1, 9), speedups, strict=True)
    ]
    assert q6_clock.effect_q6(made, "8 bits") == [1, 1] and q6_clock.effect_q6(made, "1 bit") == [6, 6]
    where = "faster: 8×8, one image at a time (8.00×); slower: 8×8, 9 images at once (0.50×)"
    assert q6_clock.where_q6(made, "8 bits") == where
    assert q6_clock.effect_room(made) == [2, 2]


def test_the_pull_of_a_plan_stays_below_its_whole_way():
    for plan in nets.PLANS.values():
        assert max(plan.lrs) * max(plan.strengths) < 1


@pytest.mark.parametrize("name", ["Q3", "Q5"])
def test_what_is_a_mean_over_seeds_has_its_interval(rows, name):
    fig = CLAIMS[name].figure(rows[name])
    intervals = [thing for ax in fig.axes for thing in ax.containers if isinstance(thing, ErrorbarContainer)]
    assert len(intervals) == 3 if name == "Q3" else any(" ± " in text.get_text() for text in fig.axes[0].texts)
