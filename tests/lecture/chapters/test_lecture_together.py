"""Claims C1 and C2: every method on one teacher, in tiny nets; what the verdicts and counts follow from."""

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text
from verdicts import DECIDED, blind_to_images

from tinycompress import get_num_threads, models, recipe, set_num_threads
from tinycompress.data import load, mean_colour, mirror, shift
from tinycompress.data.dataset import from_arrays
from tinycompress.dynamic import EarlyExit, add_exits, exit_table
from tinycompress.lecture import Settings, judge, report, run, together
from tinycompress.lecture.pruning import nets as pruning_nets
from tinycompress.lecture.tasks import plain
from tinycompress.lecture.together import c1_three_numbers, c2_who_pays, methods, nets
from tinycompress.lecture.together.c1_three_numbers import _apart, effect_counting, effect_disk, file_bytes, holds_c1
from tinycompress.lecture.together.c2_who_pays import _strongest, effect_accuracy, effect_classes, effect_images
from tinycompress.quantization import tcz
from tinycompress.training import TrainingDiverged, predict
from tinycompress.workshop import colour
from tinycompress.workshop.stored import stored
from tinycompress.workshop.style import png
from tinycompress.workshop.teacher import TeacherPlan

CLAIMS = {claim.id: claim for claim in together.CLAIMS}
TINY = nets.Plan(widths=(6, 8), teacher=3, more=2, lrs=(0.05,), small_lrs=(0.002,))


@pytest.fixture(scope="module")
def rows(measure):
    """What the claims measure on digits with one seed, and the same again as a second, which the figures' bands need."""
    mild = [replace(method, strengths=method.strengths[:1]) for method in methods.METHODS]
    threads = get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nets.PLANS, "quick", TINY)
        for module in (c1_three_numbers, c2_who_pays):
            patch.setattr(module, "METHODS", mild)
        patch.setattr(c2_who_pays, "TOLERANCE", 100.0)
        set_num_threads(1)
        found = {name: measure(claim, claim.tasks(Settings(seeds=1))[0]) for name, claim in CLAIMS.items()}
        set_num_threads(threads)
    return {
        name: [plain(row | {"machine": "a test", "seed": seed}, name) for seed in (0, 1) for row in some]
        for name, some in found.items()
    }


def never(*arguments, **options):
    raise AssertionError("a net was trained again")


def of(rows, **where):
    return next(row for row in rows if all(row[key] == value for key, value in where.items()))


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_judged_and_drawn_from_its_rows_and_knows_its_images(rows, name):
    result = judge(CLAIMS[name], rows[name], 1.0)
    assert {finding.verdict for finding in result.findings} <= DECIDED
    assert png(result.figure()).startswith(b"\x89PNG")
    assert not blind_to_images(CLAIMS[name], rows[name])


def test_every_method_of_every_chapter_is_there_beside_the_teacher(rows):
    chapters = {row["chapter"] for row in rows["C1"]}
    assert chapters == {"", "pruning", "distillation", "quantization", "architecture", "dynamic"}
    assert {row["arm"] for row in rows["C1"]} == {"the teacher"} | {method.name for method in methods.METHODS}


def test_counted_savings_are_what_each_method_promises(rows):
    saved = {row["arm"]: (row["weights_ratio"], row["work_ratio"]) for row in rows["C1"]}
    assert saved["the teacher"] == (1, 1)
    assert saved["90 % of weights pruned"][0] == pytest.approx(10, rel=0.02)
    assert saved["8-bit integers"] == (4, 4)
    assert saved["binary weights"] == (32, 1)
    assert saved["8 values a layer"][0] >= 32 / 3
    assert saved["half of neurons pruned"][1] > 2 and saved["early exit"][1] > 1


def test_the_teacher_is_the_measure_of_disk_and_clock(rows):
    teacher = of(rows["C1"], arm="the teacher")
    assert teacher["disk_ratio"] == teacher["clock_ratio"] == 1
    for row in rows["C1"]:
        assert row["bytes"] * row["disk_ratio"] == pytest.approx(teacher["bytes"])
        assert row["ms"] * row["clock_ratio"] == pytest.approx(teacher["ms"])


def test_of_the_images_that_are_timed_as_many_leave_early_as_of_all():
    digits, rng = load("digits"), np.random.default_rng(0)
    net = add_exits(nets.new_net(digits, TINY, 1.0, 0), [2], rng=rng).eval()
    half = EarlyExit(net, float(np.quantile(exit_table(net, digits.test).scores[0], 0.5)))
    teacher = nets.new_net(digits, TINY, 1.0, 1)
    x = c1_three_numbers._images(digits, [teacher, None, half])
    assert x.shape == (c1_three_numbers.BATCH, *digits.image_shape)
    assert abs(np.mean(half.run(x)[1] == 0) - np.mean(half.run(digits.x_test)[1] == 0)) <= 1 / len(x)
    few = replace(digits, x_test=digits.x_test[:9], y_test=digits.y_test[:9])
    assert c1_three_numbers._images(few, [teacher]).shape == x.shape


def test_the_net_without_compression_sees_the_images_in_another_order_than_the_methods(monkeypatch):
    digits, orders = load("digits"), []
    monkeypatch.setattr(methods, "trained", lambda start, dataset, plan, seed, **how: orders.append(tuple(seed)))
    teacher = nets.new_net(digits, TINY, 1.0, 0)
    for train in (methods.longer, methods.fewer_neurons, methods.few_values, methods.low_rank, methods.early_exit):
        train(teacher, digits, TINY, 0, 0.5 if train is not methods.few_values else 8)
    assert len(orders) == 5 and orders[0] not in orders[1:] and len(set(orders[1:])) == 1


def test_a_file_that_loads_to_another_net_is_no_size(monkeypatch):
    teacher = nets.new_net(load("digits"), TINY, 1.0, 0)
    assert file_bytes(teacher) > 1000
    other = nets.new_net(load("digits"), TINY, 1.0, 1)
    content = tcz.to_bytes(other)
    monkeypatch.setattr(tcz, "to_bytes", lambda net: content)
    with pytest.raises(ValueError, match="other predictions"):
        file_bytes(teacher)


def test_images_that_change_sides_are_at_least_the_change_of_accuracy(rows):
    teacher = of(rows["C2"], arm="the teacher", seed=0)
    assert teacher["flipped"] == 0 and not teacher["lost"] and not teacher["won"]
    tested = len(load("digits").y_test)
    for row in rows["C2"]:
        change = (row["accuracy"] - teacher["accuracy"]) / 100 * tested
        assert change == pytest.approx(len(row["won"]) - len(row["lost"]))
        assert row["flipped"] / 100 * tested == pytest.approx(len(row["won"]) + len(row["lost"]))
        assert row["flipped"] >= abs(row["accuracy"] - teacher["accuracy"]) - 1e-9


@pytest.mark.parametrize(("seeds", "first"), [(1, 0), (2, 0), (3, 4)])
def test_no_two_differences_of_c2_share_a_net(seeds, first):
    tasks = CLAIMS["C2"].tasks(Settings("paper", "cifar10", seeds, first_seed=first))
    starts = [seed for task in tasks for seed in task[2:]]
    assert len(set(starts)) == len(starts) == 2 * seeds and [task[2] for task in tasks] == list(
        range(first, first + seeds)
    )


def test_the_pictures_of_c2_are_images_that_methods_lost(rows):
    dataset, victims = load("digits"), of(rows["C2"], arm="the teacher", seed=0)["victims"]
    lost = {image for row in rows["C2"] if row["arm"] in {m.name for m in methods.METHODS} for image in row["lost"]}
    assert victims and {victim["image"] for victim in victims} <= lost
    for victim in victims:
        assert victim["label"] == dataset.y_test[victim["image"]]
        assert np.allclose(
            np.array(victim["pixels"]) / 255, dataset.x_test[victim["image"]].squeeze(-1), atol=0.5 / 255
        )


def test_the_strongest_setting_that_keeps_validation_accuracy_is_taken(monkeypatch):
    class Net:
        def __init__(self, accuracy):
            self.runs, self.accuracy = self, accuracy

    dataset = load("digits")
    monkeypatch.setattr(c2_who_pays, "validation_accuracy", lambda net, dataset: net.accuracy)
    method = methods.Method("x", "pruning", lambda t, d, p, s, strength: Net(100 - strength), None, (1, 2, 5, 9))
    method = replace(method, small=lambda net, *_: net)
    assert _strongest(method, None, dataset, TINY, 0, 95)[1:] == (5, True)
    assert _strongest(method, None, dataset, TINY, 0, 97.5)[1:] == (2, True)
    assert _strongest(method, None, dataset, TINY, 0, 99.5)[1:] == (1, False)


def test_of_a_student_that_trains_for_an_hour_one_strength_is_tried():
    within = methods.strengths_within_time
    for method in methods.METHODS:
        assert within(method, TINY) == method.strengths
        student = method.train is methods.small_student
        assert within(method, replace(TINY, stored=True)) == (method.strengths[-1:] if student else method.strengths)


def test_settings_that_diverge_are_skipped_and_a_method_of_which_all_do_says_so(monkeypatch):
    def strong_ones_diverge(teacher, dataset, plan, seed, strength):
        if strength > most:
            raise TrainingDiverged("every learning rate of (0.02,) diverged")
        return nets.Small(None, None, 1, 1)

    monkeypatch.setattr(c2_who_pays, "validation_accuracy", lambda net, dataset: 99)
    method = replace(methods.METHODS[0], train=strong_ones_diverge, strengths=(1, 2, 5), small=lambda net, *_: net)
    most, dataset = 2, load("digits")
    assert _strongest(method, None, dataset, TINY, 0, 95)[1:] == (2, True)
    most = 0  # with another seed, since nets are cached
    with pytest.raises(TrainingDiverged):
        _strongest(method, None, dataset, TINY, 1, 95)


def diverge(teacher, dataset, plan, seed, strength):
    return nets.trained(teacher.copy, dataset, plan, seed, lrs=(1e30,))


def guess(teacher, dataset, plan, seed, strength):
    return models.mlp(dataset.image_shape, (), dataset.num_classes, rng=0)


@pytest.mark.parametrize(
    ("train", "words"), [(diverge, r"diverged"), (guess, r"\d+\.\d %; guessing alone reaches 1\d\.\d %")]
)
@pytest.mark.parametrize("name", CLAIMS)
def test_a_method_that_does_not_learn_is_named_and_the_others_are_judged_without_it(name, train, words, monkeypatch):
    """Two methods that learn, and one that does not, on a teacher that training further does not change."""
    some = [
        replace(m, strengths=m.strengths[:1]) for m in methods.METHODS if m.name in ("early exit", "low rank, a third")
    ]
    bad = replace(of_methods("8-bit integers"), train=train, small=methods.as_stored)
    monkeypatch.setitem(nets.PLANS, "quick", replace(TINY, more=1))
    for module in (c1_three_numbers, c2_who_pays):
        monkeypatch.setattr(module, "METHODS", [*some, bad])
    monkeypatch.setattr(c2_who_pays, "TOLERANCE", 60.0)
    result = run(CLAIMS[name], Settings(seeds=2))
    named = f"left out, did not learn: 8-bit integers {words}"
    others = {row["arm"] for row in result.rows} - {"8-bit integers"}
    assert {method.name for method in some} < others
    for finding in result.findings:
        assert finding.verdict in DECIDED and finding.mean is not None
        assert re.search(named, finding.holds)
    without = judge(CLAIMS[name], [row for row in result.rows if row["arm"] in others], 1.0)
    assert [finding.mean for finding in result.findings] == [finding.mean for finding in without.findings]
    assert result.ratios == without.ratios and re.search(named, report.table([result]))
    assert re.search(f"did not learn: 8-bit integers {words}", " ".join(shown_texts(result.figure())))


def of_methods(name):
    return next(method for method in methods.METHODS if method.name == name)


def shown_texts(figure):
    return [text.get_text().replace("\n", " ") for text in figure.findobj(Text)]


def test_nets_that_are_the_same_at_all_strengths_are_trained_once(monkeypatch):
    spent, dataset = [], load("digits")
    teacher = nets.new_net(dataset, TINY, 1.0, 0)
    monkeypatch.setattr(nets, "train", lambda net, data, **options: spent.append(options["epochs"]) or net)
    for method in methods.METHODS:
        if method.train in (methods.early_exit, methods.narrower):
            for strength in method.strengths:
                method.apply(teacher, dataset, TINY, 0, strength)
    assert spent == [TINY.more] * 2


def test_claims_that_load_the_data_anew_share_their_nets(monkeypatch):
    spent, teacher = [], nets.new_net(load("digits"), TINY, 1.0, 0)
    monkeypatch.setattr(nets, "train", lambda net, data, **options: spent.append(options["epochs"]) or net)
    for _ in range(2):
        of_methods("low rank, a third").apply(teacher, load("digits"), TINY, 0, 1 / 3)
    assert spent == [TINY.more]


@pytest.mark.usefixtures("alone")
def test_the_small_student_of_a_stored_teacher_trains_as_the_teacher_did(monkeypatch, rng):
    x, y = rng.random((240, 8, 8, 3), np.float32), np.arange(240) % 4
    dataset, plan = from_arrays("colour", x[:200], y[:200], x[200:], y[200:]), replace(TINY, stored=True)
    monkeypatch.setattr(colour, "WIDTHS", (4, 6, 8))
    seen = []
    monkeypatch.setattr(nets, "train", lambda net, data, **options: seen.append(options) or net)
    methods.small_student(nets.new_net(dataset, plan, 1.0, 0).eval(), dataset, plan, 0, 0.5)
    (how,) = seen
    assert how["epochs"] == plan.teacher + plan.more and how["lr"] == colour.PLAN.lr and how["nesterov"]
    assert (how["weight_decay"], how["clip_grad_norm"]) == (colour.PLAN.weight_decay, colour.PLAN.clip_grad_norm)
    batch, rng_of = dataset.x_train[:9], np.random.default_rng
    moved = mirror(shift(batch, r := rng_of(1), 1, mean_colour(dataset.x_train)), r)
    assert np.array_equal(how["augment"](batch, rng_of(1)), moved)


def test_the_one_file_of_a_stored_teacher_sees_images_changed_as_the_teacher_did(monkeypatch):
    found = {}
    monkeypatch.setattr(methods, "compress", lambda recipe, *_, **__: found.setdefault("augment", recipe.augment))
    methods.one_file(None, None, replace(TINY, stored=True), 0, 0.9)
    assert found["augment"].func is colour.augmented and found["augment"].keywords == {"plan": colour.PLAN}


@pytest.mark.usefixtures("alone")
def test_a_stored_net_of_every_method_is_the_one_that_was_trained_and_is_not_trained_again(monkeypatch, rng):
    x, y = rng.random((240, 8, 8, 3), np.float32), np.arange(240) % 4
    dataset, plan = from_arrays("colour", x[:200], y[:200], x[200:], y[200:]), replace(TINY, teacher=1, more=1)
    plan = replace(plan, stored=True)
    monkeypatch.setattr(colour, "WIDTHS", (4, 6, 8))
    teacher = nets.new_net(dataset, plan, 1.0, 0).eval()

    def apply(method):
        methods._nets.clear()
        small = method.apply(teacher, dataset, plan, 0, method.strength)
        return tcz.to_bytes(small.net), predict(small.runs, x).tobytes(), replace(small, net=None, runs=None)

    monkeypatch.setattr(colour, "stored", lambda name, what, dataset, make, epochs: make())
    trained = [apply(method) for method in methods.METHODS]
    monkeypatch.setattr(colour, "stored", stored)
    assert [apply(method) for method in methods.METHODS] == trained
    for module in (nets, recipe, pruning_nets):
        monkeypatch.setattr(module, "train", never)
    assert [apply(method) for method in methods.METHODS] == trained


def test_the_teacher_on_many_colour_images_is_the_stored_one(monkeypatch):
    asked = []
    monkeypatch.setattr(colour, "teacher", lambda plan, data, progress: asked.append((plan, data)))
    plan = nets.PLANS["paper, colour images"]
    colour.trained_resnet.cache_clear()
    nets.teacher_of.__wrapped__("cifar10", plan, 3)
    colour.trained_resnet.cache_clear()
    assert asked == [(TeacherPlan(seed=3, epochs=plan.teacher), "cifar10")]


def test_the_effects_of_c1_follow_from_made_rows():
    made = [
        {"seed": seed, "arm": arm, "chapter": chapter, "work_ratio": work, "disk_ratio": disk, "clock_ratio": clock}
        for seed in (0, 1)
        for arm, chapter, work, disk, clock in (("t", "", 1, 1, 1), ("a", "x", 8, 4, 2), ("b", "y", 4, 0.5, 1 + seed))
    ]
    assert effect_counting(made) == [2.0, 1.5]
    assert effect_disk(made) == [0.0, -0.5]
    assert holds_c1(made) == "the clock's is the smallest for 1 of 2 methods; not for b"
    named = [row | {"arm": {"a": "low rank, a third", "b": "early exit"}.get(row["arm"], "t")} for row in made]
    slow = [row | {"clock_ratio": 9} for row in named]  # names have commas, so that another sign stands between them
    assert holds_c1(slow).endswith("0 of 2 methods; not for low rank, a third · early exit")


def test_circles_that_would_coincide_are_pushed_apart_and_others_stay(rng):
    points = np.vstack([np.zeros((5, 2)), rng.normal(0, 0.2, (8, 2)), [[9.0, 9.0]]])
    placed = _apart(points, 0.5)
    distances = np.hypot(*(placed[:, None] - placed[None]).transpose(2, 0, 1)) + np.eye(len(points))
    assert distances.min() >= 0.5 - 1e-6
    assert (placed[-1] == points[-1]).all()
    assert (placed[:, 1] == points[:, 1]).all()  # heights are accuracies


def test_the_effects_of_c2_are_measured_from_the_control_and_from_the_average_loss():
    names = [method.name for method in methods.METHODS[:2]]
    made = [
        {"seed": 3, "arm": arm, "flipped": flipped, "accuracy": accuracy, "recalls": [100, recall]}
        for arm, flipped, accuracy, recall in (
            ("the teacher", 0.0, 99, 98),
            (names[0], 2.0, 97, 94),  # the worst class loses 4, the average 2
            (names[1], 4.0, 99, 98),
            ("another order", 1.0, 98.5, 97),  # 1, and 0.5
            ("another start", 9.0, 50, 0),
        )
    ]
    assert effect_images(made) == [2.0]
    assert effect_images(made, "another start") == [-6.0]
    assert effect_classes(made) == [(2 + 0) / 2 - 0.5]
    assert effect_classes(made, "another start") == [(2 + 0) / 2 - (98 - 49)]
    assert effect_accuracy(made) == [-1.0]
    made[1]["gentler"] = True  # at a lower rate than the controls, so it changes less for that reason alone
    assert effect_images(made) == [4.0 - 1.0] and effect_accuracy(made) == [0.0]


def test_c2_hatches_the_bars_of_methods_with_too_few_seeds_for_an_interval(rows):
    def hatched(made):
        return [bar.get_hatch() for bar in CLAIMS["C2"].figure(made).axes[2].patches]

    few = rows["C2"]
    assert not any(row.get("gentler") for row in few)
    enough = [row | {"seed": seed} for seed in range(3) for row in few if row["seed"] == 0]
    assert all(hatched(few)) and not any(hatched(enough))


def test_the_last_column_of_c2_is_the_change_of_accuracy_on_all_images(rows):
    heat = CLAIMS["C2"].figure(rows["C2"]).axes[0]
    teacher = {row["seed"]: row["accuracy"] for row in rows["C2"] if row["arm"] == "the teacher"}
    shown = heat.images[0].get_array()[:, -1]
    names = [label.get_text().rpartition(" (")[0] for label in heat.get_yticklabels()]
    for name, value in zip(names, shown, strict=True):
        family = {method.family: method.name for method in methods.METHODS}
        own = [row for row in rows["C2"] if row["arm"] == family.get(name, name)]
        assert value == pytest.approx(np.mean([row["accuracy"] - teacher[row["seed"]] for row in own]))
    assert heat.get_xticklabels()[-1].get_text() == "all"
