"""The claims of the distillation chapter: what their rows say, and that the verdicts follow from the rows."""

import math
from dataclasses import replace

import numpy as np
import pytest
from verdicts import DECIDED, blind_to_images, well_drawn

from tinycompress import data, get_num_threads, predict, set_num_threads
from tinycompress.distillation import DistillationLoss, HintLoss, teacher_targets
from tinycompress.lecture import distillation
from tinycompress.lecture.claim import Settings, judge
from tinycompress.lecture.distillation import d2_unseen, nets
from tinycompress.lecture.distillation.d1_outputs import gain, smoothed
from tinycompress.lecture.distillation.d1b_imperfect_teacher import break_even, qualities
from tinycompress.lecture.distillation.d1c_worth import worth
from tinycompress.lecture.distillation.d4_temperature import CLAIMED_T, SHOWN_T, _entropy, _gradient_length
from tinycompress.lecture.distillation.d5_hints import _activations, _deep_student, hinted_layers
from tinycompress.lecture.tasks import plain

CLAIMS = {claim.id: claim for claim in distillation.CLAIMS}
TINY = nets.Plan(
    teacher=(40, 20),
    teacher_epochs=4,
    teacher_lrs=(0.1,),
    shares=(0.5, 1),
    teachers=((1, 0.25), (0.1, 1), (0.5, 1), (1, 1)),
    worth_shares=(0.1, 0.3, 1),
    epochs=3,
    lrs=(0.05, 0.1),
    soft=((5, 1), (5, 0.9)),
    decays=(0, 1e-4),
    smoothings=(0.05, 0.1),
    unseen_lrs=(0.05, 0.1),
    unseen_temperatures=(20,),
    members=3,
    temperatures=(1, 4, math.inf),
    deep_student=(10,) * 6,
    deep_epochs=2,
    deep_lrs=(0.01,),
)


@pytest.fixture(scope="module", autouse=True)
def tiny_plan():
    threads = get_num_threads()
    set_num_threads(1)  # as the workers have it: two threads on nets this small are slower than one
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nets.PLANS, "quick", TINY)
        patch.setitem(nets.WITH_COLOUR, "quick", TINY)
        yield
    set_num_threads(threads)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def rows():
    """Two seeds of every claim at a tiny budget, as JSON would give them back."""
    return {
        name: [plain(row, name) for task in claim.tasks(Settings("quick", "digits", 2)) for row in claim.measure(*task)]
        for name, claim in CLAIMS.items()
    }


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_judged_and_drawn_from_its_rows_and_knows_its_images(rows, name):
    result = judge(CLAIMS[name], rows[name], 0.0)
    assert {finding.verdict for finding in result.findings} <= DECIDED | ({"exact"} if name == "D4" else set())
    assert well_drawn(result.figure())
    assert not blind_to_images(CLAIMS[name], rows[name])


@pytest.mark.parametrize("name", CLAIMS)
def test_arms_that_are_compared_have_equal_epochs_and_equally_many_settings_to_try(rows, name):
    compared = {}
    for row in rows[name]:
        if row["arm"] != "teacher" and "average of" not in row["arm"]:
            compared.setdefault((row["seed"], row.get("share"), row.get("without")), []).append(row)
    for chosen in compared.values():
        assert len({row["arm"] for row in chosen}) > 1
        assert len({(row["epochs"], row.get("tried"), row.get("images")) for row in chosen}) == 1


@pytest.mark.parametrize("budget", nets.PLANS)
def test_every_plan_gives_every_arm_equally_many_settings(budget):
    plan = TINY if budget == "quick" else nets.PLANS[budget]
    assert len(plan.soft) == len(plan.decays) == len(plan.smoothings)
    assert len(plan.hint_weights) == len(plan.deep_temperatures) <= len(plan.decays)
    assert len(plan.unseen_temperatures) <= len(plan.decays)
    assert {1, CLAIMED_T} < set(plan.temperatures)


def test_many_images_take_fewer_epochs_and_few_images_as_many_steps(digits):
    plan = nets.PLANS["full"]
    assert nets.plan_for("full", digits) == plan
    fewer, longer = nets.with_fewer_images(digits, TINY, 0.5, 0)
    assert len(fewer.x_train) * longer.epochs == pytest.approx(len(digits.x_train) * TINY.epochs, rel=0.01)
    again, _ = nets.with_fewer_images(digits, TINY, 0.5, 0)
    other, _ = nets.with_fewer_images(digits, TINY, 0.5, 1)
    assert np.array_equal(fewer.x_train, again.x_train) and not np.array_equal(fewer.x_train, other.x_train)
    assert nets.with_fewer_images(digits, plan, 0.01, 0)[1].epochs == nets.MOST_EPOCHS
    short = nets.PLANS["full, many images"]
    assert 0 < short.epochs < plan.epochs and 0 < short.teacher_epochs < plan.teacher_epochs


def test_no_claim_changes_the_teacher_that_all_of_them_share(rows):
    nets.teacher_of.cache_clear()
    fresh = nets.teacher_of("digits", TINY, 0)
    before = fresh.state_dict()
    before = {key: value.copy() for key, value in before.items()}
    for name in ("D2", "D5"):
        CLAIMS[name].measure(*CLAIMS[name].tasks(Settings("quick", "digits", 1))[0])
    assert nets.teacher_of("digits", TINY, 0) is fresh
    assert all(np.array_equal(before[key], value) for key, value in fresh.state_dict().items())


# D1 ------------------------------------------------------------------------------------------------------------------


def test_smoothed_labels_are_targets_that_sum_to_one(digits):
    targets = smoothed(digits.y_train[:5], 10, 0.2)
    expected = np.full((5, 10), 0.02)
    expected[np.arange(5), digits.y_train[:5]] = 0.82
    assert np.allclose(nets.soften(targets["logits"]), expected, atol=1e-6)
    assert np.array_equal(targets["label"], digits.y_train[:5])


def test_the_effects_of_d1_keep_few_images_and_all_images_apart():
    accuracies = {("labels", 0.1): 80.0, ("x", 0.1): 85.0, ("labels", 1): 97.0, ("x", 1): 99.5, ("teacher", 1): 0.0}
    accuracies |= {("teacher outputs", 0.1): 90.0, ("teacher outputs", 1): 99.0}
    made = [
        {"seed": seed, "arm": arm, "share": share, "images": int(1000 * share), "accuracy": accuracy + seed}
        for (arm, share), accuracy in accuracies.items()
        for seed in (0, 1)
    ]
    assert [gain(made, "labels", most) for most in (False, True)] == [[10.0, 10.0], [2.0, 2.0]]
    assert [gain(made, "x", most) for most in (False, True)] == [[5.0, 5.0], [-0.5, -0.5]]
    one_share = [row for row in made if row["share"] == 1]  # of the paper's plan: nothing to tell apart
    assert [gain(one_share, "labels", most) for most in (False, True)] == [[2.0, 2.0], []]
    fewest, everything = CLAIMS["D1"].effects[:2]
    assert (fewest.holds(made), everything.holds(made)) == ("100 images", "1,000 images")
    assert everything.holds(one_share).startswith("all students see all images")


def test_published_numbers_stand_only_beside_the_papers_own_nets(rows):
    assert all(row["published"] is None for name in ("D1", "D2") for row in rows[name] if "published" in row)


@pytest.mark.parametrize(("name", "published"), [("D1", 67), ("D2", 98.6)])
def test_published_numbers_are_drawn_beside_ours(rows, name, published):
    made = [row | {"published": published} if "published" in row else row for row in rows[name]]
    labels = [line.get_label() for ax in CLAIMS[name].figure(made).axes for line in ax.lines]
    assert labels.count("Hinton et al. 2015") == 1
    assert "Hinton et al. 2015" not in [
        line.get_label() for ax in CLAIMS[name].figure(rows[name]).axes for line in ax.lines
    ]


def test_students_of_one_seed_start_alike_whatever_they_learn(digits):
    begin = replace(TINY, epochs=0)
    targets = teacher_targets(nets.teacher_of("digits", TINY, 0), *digits.train)
    first = nets.train_student(digits, begin, (9,), 3, 0.1)
    second = nets.train_student(digits, begin, (9,), 3, 0.2, targets, loss=DistillationLoss(4, 1))
    other = nets.train_student(digits, begin, (9,), 4, 0.1)
    assert np.array_equal(first[1].weight.data, second[1].weight.data)
    assert not np.array_equal(first[1].weight.data, other[1].weight.data)


# D1b -----------------------------------------------------------------------------------------------------------------


def imperfect(*teachers, labels=80.0):
    """Rows of two seeds from (kind, images, epochs, accuracy of the teacher, accuracy of its student)."""
    return [{"seed": seed, "arm": "labels", "accuracy": labels + seed} for seed in (0, 1)] + [
        {"seed": seed, "arm": "teacher outputs", "accuracy": student + seed, "teacher_accuracy": accuracy + seed}
        | {"teacher": kind, "teacher_images": images, "teacher_epochs": epochs}
        for kind, images, epochs, accuracy, student in teachers
        for seed in (0, 1)
    ]


GRADED_TEACHERS = (
    ("few images", 10, 30, 60.0, 65.0),
    ("stopped early", 100, 1, 75.0, 70.0),
    ("the student's images", 30, 30, 85.0, 90.0),
    ("finished", 100, 30, 97.0, 91.0),
)
GRADED = imperfect(*GRADED_TEACHERS)


def test_d1b_finds_the_teacher_whose_student_is_as_good_as_one_on_labels():
    best, own = CLAIMS["D1b"].effects
    assert np.allclose(break_even(GRADED), [80, 81])  # halfway between 70 and 90, and from 75 to 85
    assert np.allclose(best.of(GRADED), 17)
    assert np.allclose(own.of(GRADED), 10)  # 90 and 91, where labels alone give 80 and 81
    assert best.holds(GRADED) == "shown from a teacher that is 86 % right on"  # 85 and 86
    dip = imperfect(("stopped early", 100, 1, 75.0, 90.0), ("stopped early", 100, 2, 85.0, 70.0))
    assert np.allclose(break_even(dip), [75, 76])  # a worse teacher's student was already better


def test_d1b_without_a_break_even_names_the_worst_or_the_best_teacher():
    useless, useful = (imperfect(*GRADED_TEACHERS, labels=labels) for labels in (99.0, 60.0))
    assert np.allclose(break_even(useless), [97, 98]) and np.allclose(break_even(useful), [60, 61])
    holds = CLAIMS["D1b"].effects[0].holds
    assert holds(useless) == "shown for none of these teachers"
    assert holds(useful) == "shown from a teacher that is 60 % right on"


def test_d1b_has_the_teachers_of_its_plan(rows, digits):
    found = {quality.kind: quality for quality in qualities(rows["D1b"])}
    assert {kind: quality.name for kind, quality in found.items()} == {
        "stopped early": "1 epoch",
        "few images": "114 images",
        "the student's images": "the student's 572 images",
        "finished": "finished",
    }
    finished = nets.scores(nets.teacher_of("digits", TINY, 0), digits)["accuracy"]
    assert found["finished"].accuracy[0] == finished
    assert all(np.mean(found[kind].accuracy) < finished for kind in ("stopped early", "few images"))
    assert all(row["images"] == 572 for row in rows["D1b"])


# D1c -----------------------------------------------------------------------------------------------------------------


def curves(factor, images=(10, 20, 40, 80, 160)):
    """Rows of two seeds in which labels reach with `factor` times as many images what the teacher's outputs reach."""
    return [
        {"seed": seed, "arm": arm, "images": count, "accuracy": 50 + seed + 5 * math.log2(times * count)}
        for seed in (0, 1)
        for arm, times in (("labels", 1), ("smoothed labels", 1), ("teacher outputs", factor))
        for count in images
    ]


@pytest.mark.parametrize("factor", (0.5, 1, 2))
def test_d1c_finds_the_factor_between_two_curves(factor):
    images, factors = worth(curves(factor), "labels")
    assert images == [20, 40, 80]
    assert np.allclose(factors, math.log2(factor), atol=1e-6)


def test_d1c_counts_all_images_as_enough_where_labels_never_get_there():
    _, factors = worth(curves(8), "labels")
    assert np.allclose(factors, [[3, 2, 1], [3, 2, 1]], atol=1e-6)  # at most 160 images in place of 20, 40 and 80


def test_d1c_interpolates_to_the_first_number_of_images_that_is_enough():
    made = curves(1)
    for row in made:
        if row["arm"] == "labels" and row["images"] == 40:
            row["accuracy"] = 0.0  # a bad run with more images takes nothing away from what fewer images reached
    images, factors = worth(made, "labels")
    assert np.allclose(factors[:, 0], 0, atol=1e-6) and (factors[:, 1] > 0).all()


def test_d1c_says_at_how_many_images_a_factor_is_shown():
    holds = CLAIMS["D1c"].effects[0].holds
    assert holds(curves(2)) == "shown at 20, 40 and 80 images"
    assert holds(curves(2, (10, 20, 40))) == "shown at 20 images"
    assert holds(curves(0.5)) == "shown at no number of images"


def test_d1c_draws_hollow_what_is_only_a_lower_bound():
    def hollow(made):
        factor = CLAIMS["D1c"].figure(made).axes[1]
        return [line.get_xdata().tolist() for line in factor.lines if line.get_markerfacecolor() == "white"]

    assert hollow(curves(1)) == [[], []] and hollow(curves(4)) == [[40, 80], [40, 80]]


# D2 ------------------------------------------------------------------------------------------------------------------


def test_students_never_see_a_class_that_is_left_out_nor_a_test_image(digits, monkeypatch):
    seen, true_train, true_choose = [], nets.train, d2_unseen.choose

    def watching(model, dataset, **options):
        labels = dataset.y_train["label"] if dataset.y_train.dtype.names else dataset.y_train
        seen.append(({*labels.tolist()}, len(dataset.x_train)))
        return true_train(model, dataset, **options)

    def watching_choice(make, lrs, values, dataset, loss=None):
        seen.append(({*dataset.y_val.tolist()}, len(dataset.x_val)))
        return true_choose(make, lrs, values, dataset, loss)

    monkeypatch.setattr(nets, "train", watching)
    monkeypatch.setattr(d2_unseen, "choose", watching_choice)
    teacher = nets.teacher_of("digits", TINY, 0)
    blind = replace(digits, x_test=digits.x_test[:0], y_test=digits.y_test[:0])
    students = d2_unseen.unseen_students(blind, TINY, teacher, [3, 8], 0)
    assert {*students} == {"labels", "teacher outputs"} and len(seen) == 2 + 2 * len(TINY.unseen_lrs)
    assert all(labels == set(range(10)) - {3, 8} for labels, _ in seen)


def test_the_bias_is_corrected_without_labels_and_without_test_images(digits):
    teacher = nets.teacher_of("digits", TINY, 0)
    net = nets.train_student(digits, TINY, (16,), 0, 0.1)
    before = net[-1].bias.data.copy()
    blind = replace(digits, x_test=digits.x_test[:0], y_test=digits.y_test[:0], y_val=None)
    corrected, shift = d2_unseen.corrected_copy(net, teacher, blind, [3])
    expected = nets.soften(predict(corrected, digits.x_val)).mean(0)[3]
    assert expected == pytest.approx(nets.soften(predict(teacher, digits.x_val)).mean(0)[3], abs=1e-5)
    moved = corrected[-1].bias.data - before
    assert np.flatnonzero(moved).tolist() == [3] and moved[3] == pytest.approx(shift[0], rel=1e-4)
    assert np.array_equal(net[-1].bias.data, before)


def test_d2_leaves_one_class_out_and_then_all_but_two(rows):
    assert d2_unseen.unseen_classes(10) == {"one class": [3], "all but two": [0, 1, 2, 3, 4, 5, 6, 9]}
    for row in rows["D2"]:
        if row["arm"] != "teacher":
            assert row["recall"] == pytest.approx(np.mean([row["recalls"][c] for c in row["unseen"]]))
    learned = [r for r in rows["D2"] if r.get("bias") == "as learned" and r["arm"] == "labels"]
    assert all(row["recall"] == 0 for row in learned)  # labels alone never name a class that they do not hold


def test_d2_keeps_settings_and_corrections_apart_and_decides_by_students_as_they_learned():
    made = [
        {"seed": 0, "without": without, "bias": bias, "arm": arm, "recall": recall}
        for without, bias, arm, recall in (
            ("one class", "corrected", "labels", 40.0),
            ("one class", "corrected", "teacher outputs", 95.0),
            ("one class", "as learned", "labels", 0.0),
            ("one class", "as learned", "teacher outputs", 90.0),
            ("all but two", "corrected", "labels", 1.0),
            ("all but two", "corrected", "teacher outputs", 2.0),
            ("all but two", "as learned", "labels", 0.0),
            ("all but two", "as learned", "teacher outputs", 7.0),
        )
    ] + [{"seed": 0, "without": "nothing", "arm": "teacher", "recall": None}]
    assert [effect.of(made) for effect in CLAIMS["D2"].effects] == [[90.0], [55.0], [7.0], [1.0]]
    assert [effect.decides for effect in CLAIMS["D2"].effects] == [("N15",), (), (), ()]


# D3 ------------------------------------------------------------------------------------------------------------------


def test_d3_compares_the_average_and_its_students_with_all_members():
    made = [
        {"seed": 0, "arm": arm, "start": start, "accuracy": accuracy}
        for arm, start, accuracy in (
            ("one member", 0, 90.0),
            ("one member", 1, 92.0),
            ("student of one member", 0, 0.0),
            ("student of the average", 0, 95.0),
            ("student of the average", 1, 93.0),
            ("average of logits", None, 0.0),
            ("average of probabilities", None, 99.0),
        )
    ]
    assert [effect.of(made) for effect in CLAIMS["D3"].effects] == [[8.0], [3.0]]


def test_d3_averages_all_members_and_teaches_each_of_them(rows):
    for seed in (0, 1):
        starts = {}
        for row in rows["D3"]:
            if row["seed"] == seed:
                starts.setdefault(row["arm"], []).append(row["start"])
        for arm in ("one member", "student of the average", "student of one member"):
            assert starts[arm] == [*range(TINY.members)]
        assert starts["average of logits"] == starts["average of probabilities"] == [None]


# D4 ------------------------------------------------------------------------------------------------------------------


def test_the_gradient_that_d4_draws_is_the_closed_form(digits):
    rng = np.random.default_rng(0)
    z, v = rng.normal(0, 2, (2, 40, 10))
    targets = np.empty(40, [("logits", np.float64, (10,))])
    targets["logits"] = v
    for T in (1, 4, 16):
        p, q = (np.exp(a / T) / np.exp(a / T).sum(1, keepdims=True) for a in (z, v))
        expected = np.linalg.norm(T * (p - q), axis=1).mean()  # T² / T (softmax(z/T) - softmax(v/T))
        assert _gradient_length(DistillationLoss(T, 1), z, targets) == pytest.approx(expected, rel=1e-6)


def test_d4_fails_if_a_teacher_does_not_soften(rows):
    by = {row["temperature"]: row["entropy"] for row in rows["D4"] if row["seed"] == 0}
    assert by[1] < by[4] < by[None] == pytest.approx(math.log2(10))
    wrong = [dict(row) for row in rows["D4"]]
    wrong[1]["entropy"] = wrong[0]["entropy"]
    softens = [judge(CLAIMS["D4"], made, 0.0).findings[0].verdict for made in (rows["D4"], wrong)]
    assert softens == ["exact", "failed"]


def test_d4_says_at_which_temperatures_it_helps():
    accuracies = {1: 80.0, 2: 79.0, 4: 90.0, 16: 85.0, None: 99.0}
    made = [
        {"seed": seed, "arm": f"T = {T}" if T else "logits matched", "temperature": T, "accuracy": accuracy + seed}
        for T, accuracy in accuracies.items()
        for seed in (0, 1)
    ]
    gain = CLAIMS["D4"].effects[1]
    assert gain.of(made) == [10.0, 10.0] and gain.holds(made) == "better than T = 1 at T = 4, 16"


def test_d4_shows_an_image_that_its_teacher_gets_right(digits, rows):
    first = next(row for row in rows["D4"] if "image" in row)
    place = int((digits.x_val == np.array(first["image"], digits.x_val.dtype)).all((1, 2, 3)).argmax())
    for T in SHOWN_T:
        shown = first["shown"][str(T)]
        assert sum(shown) == pytest.approx(1, abs=1e-5) and int(np.argmax(shown)) == digits.y_val[place]
    assert "image" not in rows["D4"][-1]


def test_d4_writes_the_mean_entropy_below_the_temperatures_that_were_measured(rows):
    below = [ax.get_xlabel() for ax in CLAIMS["D4"].figure(rows["D4"]).axes if ax.get_title("left").startswith("T = ")]
    mean = {T: np.mean([row["entropy"] for row in rows["D4"] if row["temperature"] == T]) for T in (1, 4)}
    assert below == [f"on average {mean[T]:.2g} bits" if T in mean else "" for T in SHOWN_T]


def test_the_entropy_is_in_bits():
    p = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])
    assert _entropy(p) == pytest.approx((1 + 1.5) / 2)


# D5 ------------------------------------------------------------------------------------------------------------------


def test_the_arms_of_d5_are_one_net_and_hints_leave_nothing_behind(digits):
    teacher = nets.teacher_of("digits", TINY, 0)
    hidden = _activations(teacher)
    targets = teacher_targets(teacher, *digits.train, layers=hidden)
    begin = replace(TINY, deep_epochs=0)
    plain_net = _deep_student(digits, begin, 0, 0.01)
    loss = HintLoss(DistillationLoss(4, 1), 1.0)
    hinted = _deep_student(digits, begin, 0, 0.01, targets, (teacher, {2: hidden[0], 4: hidden[1]}), loss=loss)
    assert [*hinted.state_dict()] == [*plain_net.state_dict()]
    assert all(np.array_equal(value, hinted.state_dict()[key]) for key, value in plain_net.state_dict().items())
    assert len(_activations(plain_net)) == len(TINY.deep_student)


def test_the_effects_of_d5_are_what_each_set_of_hints_adds_to_the_outputs():
    arms = {"labels": 10.0, "teacher outputs": 90.0, "and one hidden layer": 93.0, "and two hidden layers": 99.0}
    made = [{"seed": s, "arm": arm, "accuracy": a + s} for s in (0, 1) for arm, a in arms.items()]
    assert [effect.of(made) for effect in CLAIMS["D5"].effects] == [[3.0, 3.0], [9.0, 9.0]]


def test_d5_names_the_layers_that_learn_from_each_other(rows):
    assert hinted_layers(10) == {"and one hidden layer": {5: "first"}, "and two hidden layers": {3: "first", 6: "last"}}
    labels = [label.get_text() for label in CLAIMS["D5"].figure(rows["D5"]).axes[1].get_xticklabels()]
    assert [label.split("\n")[2:] for label in labels] == [[], [], ["3 ← first"], ["2 ← first", "4 ← last"]]
