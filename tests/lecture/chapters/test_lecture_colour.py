"""Claims on colour images: all start from one stored ResNet-20 and keep what they train; an interrupted run trains none again."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tinycompress import get_num_threads, selection, set_num_threads
from tinycompress.data import load
from tinycompress.lecture import Settings, claims, judge, plans, run
from tinycompress.lecture.architecture import a4_accuracy
from tinycompress.lecture.architecture import nets as architecture
from tinycompress.lecture.distillation import d1_outputs
from tinycompress.lecture.distillation import nets as distillation
from tinycompress.lecture.dynamic import nets as dynamic
from tinycompress.lecture.dynamic import y3_easy_images
from tinycompress.lecture.images.pixels import packed
from tinycompress.lecture.pruning import nets as pruning
from tinycompress.lecture.pruning import p1_gradual
from tinycompress.lecture.quantization import nets as quantization
from tinycompress.lecture.quantization.q2_clusters import where_n20
from tinycompress.lecture.tasks import why_not
from tinycompress.lecture.together import c2_who_pays, methods
from tinycompress.lecture.together import nets as together
from tinycompress.nn import AvgPool2d, Dense, Sequential
from tinycompress.training import TrainingDiverged
from tinycompress.workshop import colour, teacher
from tinycompress.workshop.style import png

NAMES = ("P1", "P4", "P4b", "D1", "Q1", "Q2", "Q5", "A4", "Y1", "Y2", "Y3", "C1", "C2")
EPOCHS = 4  # of the teacher
LESS = dict.fromkeys(("dense", "teacher", "before", "teacher_epochs"), EPOCHS)
LESS |= dict.fromkeys(("epochs", "width_epochs", "more", "sparse", "tuned"), 1) | {"pruned": 2, "steps": 1}
LESS |= dict.fromkeys(("batch_size", "conv_batch_size"), 64) | {"trained_bits": (2,), "clusters": (2, 16)}
CACHED = [
    (colour, ["trained_resnet"]),
    (distillation, ["teacher_of"]),
    (dynamic, ["plain_net", "exit_net"]),
    (quantization, ["dense_net", "longer_net"]),
    (together, ["teacher_of"]),
]


def forget():
    for module, names in CACHED:
        for name in names:
            getattr(module, name).cache_clear()
    methods._nets.clear()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """An .npz file of colour images of four classes, each a pattern."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "patterns.npz"
    y = np.arange(460) % 4
    x = np.clip(0.5 + rng.normal(0, 0.2, (4, 8, 8, 3))[y] + rng.normal(0, 0.15, (460, 8, 8, 3)), 0, 1)
    pixels = np.round(255 * x).astype(np.uint8)
    np.savez(path, x_train=pixels[:160], y_train=y[:160], x_test=pixels[160:], y_test=y[160:])
    return str(path)


@pytest.fixture(scope="module", autouse=True)
def short_plans(tmp_path_factory):
    """The plans for colour images with hardly any epochs, for few images, and a cache of its own."""
    cache, threads = tmp_path_factory.mktemp("cache"), get_num_threads()
    short = replace(colour.PLAN, epochs=EPOCHS, batch_size=64)
    set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pooch.os_cache", lambda project: cache)
        patch.setattr(plans, "MANY_IMAGES", 100)
        patch.setattr(colour, "PLAN", short)
        patch.setattr(p1_gradual, "SCANNED", (0, 0.5, 0.99))
        for claim in claims(NAMES):
            name = f"paper, {plans.COLOUR}"
            plan = claim.plans[name]
            patch.setitem(claim.plans, name, replace(plan, **{k: v for k, v in LESS.items() if k in vars(plan)}))
        forget()
        yield
        forget()
    set_num_threads(threads)


def never(*arguments, **options):
    raise AssertionError("it was trained again")


@pytest.mark.parametrize("name", NAMES)
def test_a_claim_on_colour_images_is_measured_drawn_and_not_trained_again(name, images, monkeypatch):
    (claim,), settings = claims([name]), Settings("paper", images, seeds=1)
    result = run(claim, settings)
    assert not why_not(result.rows), why_not(result.rows)
    assert png(result.figure()) and len(result.findings) == len(claim.effects)
    forget()
    monkeypatch.setattr(selection, "fit", never)
    monkeypatch.setattr(teacher, "fit", never)
    again = run(claim, settings)
    assert not why_not(again.rows), why_not(again.rows)
    assert numbers(again) == numbers(result)
    if not name.startswith("A"):  # whose nets start untrained
        first, now = teacher.teacher(colour.PLAN, images, progress=False), colour.trained_resnet(images, 0)
        assert all(np.array_equal(value, now.state_dict()[key]) for key, value in first.state_dict().items())


def test_methods_at_a_lower_rate_than_the_controls_of_c2_are_drawn_but_not_judged(images):
    (claim,) = claims(["C2"])
    result = run(claim, Settings("paper", images, seeds=1))
    gentler = [row for row in result.rows if row.get("gentler")]
    assert {row["arm"] for row in gentler} <= {"8-bit integers", "8 values a layer"} and gentler
    changed = [row | {"flipped": 90.0} if row in gentler else row for row in result.rows]
    assert [f.mean for f in judge(claim, changed, 1.0).findings[:2]] == [f.mean for f in result.findings[:2]]
    figure = claim.figure(result.rows)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sum("*" in label for label in labels) == len(gentler)
    assert any("*: trained at a lower rate" in ax.get_title("left") for ax in figure.axes)


def numbers(result):
    return [[row.get(value) for value in ("accuracy", "bytes", "error")] for row in result.rows]


def test_a_net_of_p4_is_the_same_whether_or_not_those_before_it_were_kept(images, tmp_path, monkeypatch):
    (claim,), settings = claims(["P4"]), Settings("paper", images, seeds=1)
    teacher.teacher(colour.PLAN, images, progress=False)
    shutil.copytree(teacher.teacher_file(colour.PLAN, images).parent, tmp_path / "teachers")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path)
    forget()
    whole, kept = run(claim, settings), sorted((tmp_path / "nets").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(kept) == 5  # not pruned, three shares, a scan
    kept[2].unlink()
    forget()
    assert numbers(run(claim, settings)) == numbers(whole)


def test_the_steps_of_pruning_on_colour_images_are_fine_tuned():
    plan = pruning.WITH_COLOUR[f"paper, {plans.COLOUR}"]
    assert plan.stored and plan.pruned // 2 // plan.steps >= 1


def test_the_students_of_d1_differ_in_their_targets_alone(images, monkeypatch):
    trained, dataset = [], load(images)
    monkeypatch.setattr(distillation, "train", lambda net, data, **options: trained.append(options) or net)
    monkeypatch.setattr(colour, "kept", lambda plan, name, what, dataset, make, epochs: make())
    plan = distillation.WITH_COLOUR[f"paper, {plans.COLOUR}"]
    d1_outputs.three_students(
        dataset, plan, colour.new_resnet(dataset, 0.25, np.random.default_rng(0)).eval(), 0, False
    )
    same = "lr", "epochs", "batch_size", "weight_decay", "clip_grad_norm", "nesterov"
    assert len(trained) == 3 and all([how[key] for how in trained] == [trained[0][key]] * 3 for key in same)
    seen = [how["augment"](dataset.x_train[:9], np.random.default_rng(3)) for how in trained]
    assert np.array_equal(seen[0], seen[1]) and np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], dataset.x_train[:9])


def test_no_method_gains_by_a_rate_that_the_net_without_compression_may_not_choose(monkeypatch):
    tried = []
    monkeypatch.setattr(
        together, "pick_on_validation", lambda arm, lrs, dataset: tried.append(set(lrs)) or (None, None)
    )
    monkeypatch.setattr(quantization, "pick_on_validation", lambda arm, lrs, *_: tried.append(set(lrs)) or (None, None))
    monkeypatch.setattr(colour, "kept", lambda plan, name, what, dataset, make, epochs: make())
    name = f"paper, {plans.COLOUR}"
    plan, plan_q = together.PLANS[name], quantization.WITH_COLOUR[name]
    methods.longer(colour.new_resnet(load("digits"), 0.25, np.random.default_rng(0)), None, plan, 0, None)
    quantization.longer_net.__wrapped__("digits", plan_q, 0)
    assert tried == [{*plan.lrs, *plan.folded_lrs}, {*plan_q.lrs, *plan_q.centroid_lrs}]


def test_the_controls_of_c2_train_at_the_rate_of_most_methods(images, monkeypatch):
    rates, plan = {}, together.PLANS[f"paper, {plans.COLOUR}"]

    def trained(start, dataset, plan, seed, **how):
        rates.setdefault(how.get("lrs", plan.lrs), []).append(seed[0])
        return start()

    monkeypatch.setattr(methods, "_trained", lambda train, *arguments: train(*arguments))
    monkeypatch.setattr(methods, "trained", trained)
    monkeypatch.setattr(c2_who_pays, "METHODS", [])
    c2_who_pays.measure_c2(images, "paper", 0, 1)
    assert rates.pop(plan.lrs) == [0, 1, 2000]  # the reference, another start, and another order
    assert rates == {(*plan.lrs, *plan.folded_lrs): [0]}  # the net that methods must come close to


def test_without_a_rate_of_their_own_for_folded_nets_c2_takes_the_net_of_c1(monkeypatch):
    asked = []
    monkeypatch.setattr(methods, "_trained", lambda train, *_: asked.append(train))
    monkeypatch.setattr(methods, "plain", lambda net: net)
    methods.trained_alike(None, None, together.PLANS["quick"], 0)
    assert asked == [methods.longer]


def test_the_gallery_of_y3_shows_colour_images_in_colour_on_white(images):
    dataset = load(images)
    rows = [{"images": [[packed(x)] for x in dataset.x_test[:4]]}, {"images": [[], [], [], []]}]
    picture, (height, width, _) = y3_easy_images._mosaic(rows), dataset.image_shape
    assert picture.dtype == np.uint8 and picture.shape == (2 * (height + 1), 4 * (width + 1), 3)
    assert np.allclose(picture[:height, :width], 255 * dataset.x_test[0], atol=0.5)
    assert (picture[height:] == 255).all()
    grey = [{"images": [[packed(x)] for x in dataset.x_test[:4].mean(-1, keepdims=True)]}]
    assert y3_easy_images._mosaic(grey).shape == (height + 1, 4 * (width + 1))


def test_one_seed_of_q2_says_what_each_number_of_values_loses():
    made = [
        {"seed": 0, "arm": "centroids fine-tuned", "k": k, "accuracy": a, "float_accuracy": 91.0}
        for k, a in ((4, 89.5), (16, 90.75))
    ]
    assert where_n20(made) == "points lost: 1.5 with 4, 0.2 with 16 values per layer"


def test_no_weight_decay_holds_back_depthwise_filters(images, monkeypatch):
    seen = []
    monkeypatch.setattr(a4_accuracy, "train", lambda net, dataset, **how: seen.append(how) or net)
    plan = architecture.WITH_COLOUR[f"paper, {plans.COLOUR}"]
    for arm in a4_accuracy.ARMS:
        a4_accuracy._conv_net(arm, 8, load(images), plan, 0, 0.1)
    assert [how["weight_decay"] for how in seen] == [0.0] * 3
    assert all(how["nesterov"] and how["resumable"] for how in seen)


@pytest.mark.parametrize("name", ["quick", f"paper, {plans.COLOUR}"])
def test_a_training_that_diverges_names_its_net(images, name):
    def diverge():
        raise TrainingDiverged("every learning rate of (0.02,) diverged")

    with pytest.raises(TrainingDiverged, match=r"^Q2: 4 values: every learning rate of \(0.02,\) diverged$"):
        colour.kept(together.PLANS[name], "Q2: 4 values", [], load(images), diverge, 1)


def test_what_came_from_another_net_is_not_taken_for_a_kept_one(images):
    plan, dataset = together.PLANS[f"paper, {plans.COLOUR}"], load(images)
    one, other = (Sequential(Dense(3, 2, rng=np.random.default_rng(seed))) for seed in (0, 1))

    def made_from(net, answer):
        return colour.kept(plan, "a net", [net, 0.5], dataset, lambda: answer, 1)

    assert made_from(one, "first") == "first" == made_from(one.copy(), "of no use")
    assert made_from(other, "second") == "second"


def test_early_exits_of_the_resnet_look_at_pooled_images(images, monkeypatch):
    net = dynamic.exit_net(images, "paper", 0)
    assert len(net.heads) == 3 and all(isinstance(head.layers[0], AvgPool2d) for head in net.heads[:-1])
    monkeypatch.setattr(methods, "trained", lambda start, *_, **how: start())
    compared = methods.early_exit(colour.trained_resnet(images, 0), None, None, 0, None)
    assert len(compared.heads) == 2 and isinstance(compared.heads[0].layers[0], AvgPool2d)
