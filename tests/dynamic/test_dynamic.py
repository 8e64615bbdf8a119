"""Dynamic computation: exits, thresholds, widths and budgets, by the properties that define them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinycompress as tc
from tinycompress import functional as F
from tinycompress import models, nn
from tinycompress.dynamic import (
    BudgetController,
    Costs,
    EarlyExit,
    ExitTable,
    JointLoss,
    Setting,
    Slimmable,
    add_exits,
    best_within,
    certainty,
    choose_thresholds,
    confidence,
    exit_at,
    exit_table,
    frontier,
    mac_costs,
    measure_settings,
    ms_costs,
    pooled_heads,
)

SHAPE = (8, 8, 1)
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def images(n, seed=1):
    return np.random.default_rng(seed).random((n, *SHAPE), np.float32)


def labels(n, seed=2):
    return np.random.default_rng(seed).integers(0, 10, n)


def branchy(rng, widths=(4, 6, 8)) -> nn.MultiExit:
    """A convnet with exits after its first two blocks, its batch norms no longer those of a new net."""
    net = add_exits(models.convnet(SHAPE, 10, widths, rng=rng), (3, 7), rng=rng)
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm)):
        norm.running_mean[:] = rng.normal(0, 0.1, len(norm.running_mean))
        norm.running_var[:] = rng.uniform(0.5, 2, len(norm.running_var))
        norm.weight.data = rng.uniform(0.5, 2, len(norm.running_var)).astype(np.float32)
    return net.eval()


def mixing_threshold(net, x, score=confidence) -> float:
    """Half way between two scores of the first exit, far from both: some images leave there, some do not."""
    scores = np.sort(exit_table(net, (x, np.zeros(len(x), int)), score).scores[0])
    gaps = np.diff(scores)[len(x) // 4 : -len(x) // 4]
    i = len(x) // 4 + gaps.argmax()
    return float((scores[i] + scores[i + 1]) / 2)


# Depth.


def test_threshold_0_gives_the_first_exit_and_1_the_last(rng):
    net, x = branchy(rng), images(20)
    for threshold, i in ((0, 0), (1, 2)):
        logits, exits = EarlyExit(net, threshold).run(x)
        np.testing.assert_array_equal(logits, tc.predict(net.exit(i), x))
        assert (exits == i).all()


@pytest.mark.parametrize("score", [confidence, certainty])
def test_scores_are_from_0_up_to_but_not_1(score):
    logits = np.array([[0, 0, 0], [1000, 0, 0], [-1000, 3, 2.9], [5, 4, -2]], np.float32)
    scores = score(logits)
    assert (scores >= 0).all() and (scores < 1).all() and scores.argmax() == 1 and scores.argmin() == 0
    p = tc.functional.softmax(tc.Tensor(logits.astype(np.float64))).data
    entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(1)
    expected = p.max(1) if score is confidence else 1 - entropy / np.log(3)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("score", [confidence, certainty])
def test_a_batch_leaves_as_its_images_do_one_at_a_time(rng, score):
    net, x = branchy(rng), images(40)
    early = EarlyExit(net, (mixing_threshold(net, x, score), 1), score)
    logits, exits = early.run(x)
    assert set(exits) == {0, 2}
    alone = [early.run(x[i : i + 1]) for i in range(len(x))]
    np.testing.assert_array_equal(exits, np.concatenate([e for _, e in alone]))
    np.testing.assert_allclose(logits, np.concatenate([z for z, _ in alone]), **TOLERANCE)
    for i in set(exits):
        np.testing.assert_allclose(logits[exits == i], tc.predict(net.exit(i), x[exits == i]), **TOLERANCE)


def test_images_that_left_do_not_influence_those_that_go_on(rng):
    net, x = branchy(rng), images(40)
    early = EarlyExit(net, mixing_threshold(net, x))
    logits, exits = early.run(x)
    left = exits == 0
    changed = x.copy()
    changed[left] = x[left][::-1]  # other images, which leave there too
    again, exits_again = early.run(changed)
    np.testing.assert_array_equal(exits_again, exits)
    np.testing.assert_array_equal(again[~left], logits[~left])
    assert not np.allclose(again[left], logits[left])


def test_later_layers_run_only_on_the_images_that_have_not_left(rng):
    net, x = branchy(rng), images(40)
    early = EarlyExit(net, (mixing_threshold(net, x), 1))
    with nn.trace() as calls:
        _, exits = early.run(x)
    seen = {id(module): shape[0] for module, shape, _ in calls}
    staying = int((exits > 0).sum())
    assert 0 < staying < 40
    assert [seen.get(id(stage)) for stage in net.stages] == [40, staying, staying]
    assert [seen.get(id(head)) for head in net.heads] == [40, None, staying]  # a threshold of 1 needs no head
    with nn.trace() as calls:
        EarlyExit(net, 0).run(x)
    ran = {id(module) for module, _, _ in calls}
    assert not ran & {id(m) for part in (*net.stages[1:], *net.heads[1:]) for m in part.modules()}


def test_leaving_early_as_a_module_gives_what_run_gives(rng):
    net, x = branchy(rng), images(10)
    early = EarlyExit(net, 0.5)
    np.testing.assert_array_equal(tc.predict(early, x), early.run(x)[0])
    with pytest.raises(RuntimeError, match="inference"):
        early.train()(x)
    with pytest.raises(TypeError, match=r"takes a MultiExit, as add_exits\(net, …\) returns; got Sequential"):
        EarlyExit(tc.models.mlp((8, 8, 1), (8,), 10, rng=0), 0.5)


def test_a_net_with_exits_is_the_net_it_was_made_from(rng):
    plain = models.convnet(SHAPE, 10, (4, 6), rng=rng)
    x = images(6)
    net = add_exits(plain, (3,), rng=rng)
    np.testing.assert_array_equal(tc.predict(net, x), tc.predict(plain, x))
    logits = net.train()(x)
    assert len(logits) == 2 and [z.shape for z in logits] == [(6, 10), (6, 10)]
    with pytest.raises(ValueError, match="rising order"):
        add_exits(plain, (3, 3), rng=rng)


def test_exits_on_a_frozen_trunk_leave_its_output_as_it_was(rng):
    plain = models.convnet(SHAPE, 10, (4, 6), rng=rng)
    x, y = images(64), labels(64)
    net = add_exits(plain, (3,), frozen=True, rng=rng)
    before = [tc.predict(net.exit(i), x) for i in (0, 1)]
    tc.fit(
        net, (x, y), optimizer=tc.optim.SGD(net.parameters(), 0.1), epochs=2, rng=rng, loss=JointLoss(), progress=False
    )
    np.testing.assert_array_equal(tc.predict(net.exit(1), x), before[1])
    assert not np.allclose(tc.predict(net.exit(0), x), before[0])


def test_the_joint_loss_is_the_weighted_sum_of_its_outputs_losses(rng):
    z = [tc.Tensor(rng.standard_normal((5, 4)), requires_grad=True) for _ in range(3)]
    y = labels(5) % 4
    hard = [F.cross_entropy(logits, y).item() for logits in z]
    assert JointLoss((1, 0, 0.3))(tuple(z), y).item() == pytest.approx(hard[0] + 0.3 * hard[2])
    soft = [F.kl_div(logits, z[2].data, 2.0).item() for logits in z[:2]]
    loss = JointLoss(distil=0.25, temperature=2.0)(tuple(z), y)
    assert loss.item() == pytest.approx(sum(0.75 * h + 0.25 * s for h, s in zip(hard, soft, strict=False)) + hard[2])
    loss.backward()
    teacher = z[2].grad
    z[2].grad = None
    F.cross_entropy(z[2], y).backward()
    np.testing.assert_allclose(teacher, z[2].grad)  # the teacher learns from the labels alone
    with pytest.raises(ValueError, match="2 weights for 3 outputs"):
        JointLoss((1, 1))(tuple(z), y)


# Thresholds.


def test_costs_count_the_layers_that_really_run(rng):
    net = branchy(rng)
    costs = mac_costs(net)
    for i in range(3):
        assert costs.of(exit_at(i, 3))[i] == net.exit(i).summary().macs
    through = costs.of((0.5, 0.5))
    assert through[2] == net.exit(2).summary().macs + costs.heads[:2].sum()
    assert (np.diff(through) > 0).all()
    measured = ms_costs(net, images(1), rounds=1)
    assert measured.stages.shape == measured.heads.shape == (3,) and (measured.stages > 0).all()


def test_the_table_of_exits_says_what_early_exit_does(rng):
    net, x, y = branchy(rng), images(60), labels(60)
    table = exit_table(net, (x, y), batch_size=16)
    t = mixing_threshold(net, x)
    for thresholds in ((t, 0.5), (0.0, 0.0), (1.0, 1.0), (1.0, 0.3)):
        logits, exits = EarlyExit(net, thresholds).run(x)
        np.testing.assert_array_equal(table.leaving(thresholds), exits)
        accuracy, cost = table.judge(thresholds, mac_costs(net))
        assert accuracy == pytest.approx((logits.argmax(1) == y).mean())
        assert cost == pytest.approx(np.mean(mac_costs(net).of(thresholds)[exits]))


@pytest.fixture(autouse=True)
def few_combinations(monkeypatch):
    monkeypatch.setattr(tc.dynamic.thresholds, "MOST_COMBINATIONS", 121)  # 11 by 11, of which 9 are quantiles


def made_table(seed, n=50, exits=3):
    rng = np.random.default_rng(seed)
    correct = rng.random((exits, n)) < np.linspace(0.6, 0.95, exits)[:, None]
    scores = np.clip(rng.random((exits, n)) * 0.6 + 0.35 * correct, 0, 0.999).astype(np.float32)
    return ExitTable(scores, correct), Costs(np.array([1.0, 2, 3]), np.array([0.2, 0.2, 0.1]))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), share=st.floats(0, 1))
def test_chosen_thresholds_reach_the_target_and_nothing_tried_is_better(seed, share):
    table, costs = made_table(seed)
    low, high = table.judge((0, 0), costs)[1], table.judge((1, 1), costs)[1]
    budget = low + share * (high - low)
    accuracy, cost = table.judge(choose_thresholds(table, costs, cost=budget), costs)
    assert cost <= budget
    for t in (0, 1, *np.quantile(table.scores[0], (0, 0.5, 1), method="higher")):  # among what is tried
        for u in (0, 1):
            a, c = table.judge((t, u), costs)
            assert c > budget or accuracy >= a
    cheapest = table.judge(choose_thresholds(table, costs, accuracy=accuracy), costs)
    assert cheapest[0] >= accuracy and cheapest[1] <= cost


def test_thresholds_that_nothing_can_reach_are_refused():
    table, costs = made_table(0)
    with pytest.raises(ValueError, match="nothing fits accuracy"):
        choose_thresholds(table, costs, accuracy=1.01)
    with pytest.raises(ValueError, match="cheapest thresholds cost 1.2"):
        choose_thresholds(table, costs, cost=0.5)
    with pytest.raises(ValueError, match="one of them"):
        choose_thresholds(table, costs)


# Width.


def nets(rng):
    yield models.lenet_300_100(SHAPE, rng=rng)
    yield models.lenet_5(SHAPE, rng=rng)
    yield models.convnet(SHAPE, 10, (8, 12), rng=rng)
    yield models.separable_net(SHAPE, 10, (8, 12, 16), rng=rng)
    yield models.resnet(SHAPE, 10, (8, 12), rng=rng)
    yield branchy(rng, (8, 12, 16))


def outputs(net, x):
    return [tc.predict(net.exit(i), x) for i in range(3)] if isinstance(net, nn.MultiExit) else [tc.predict(net, x)]


@pytest.mark.parametrize("batch_norm", ["own", "shared"])
def test_a_slimmed_width_equals_the_net_cut_to_that_width(rng, batch_norm):
    x = images(12)
    for net in nets(rng):
        slim = Slimmable(net, (0.25, 0.5, 1.0), batch_norm)
        slim.train()(x)  # statistics of their own
        slim.eval()
        for width in slim.widths:
            cut = slim.cut(width)
            for a, b in zip(outputs(slim.at(width), x), outputs(cut, x), strict=True):
                np.testing.assert_allclose(a, b, **TOLERANCE)
            assert not any(m.parametrizations(name) for m in cut.modules() for name, _ in m.named_parameters())
            cut_parameters = sum(p.size for p in cut.parameters())
            assert cut_parameters < sum(p.size for p in slim.cut(1.0).parameters()) or width == 1


def test_the_narrower_net_is_the_corner_of_the_wider_one(rng):
    slim = Slimmable(models.mlp(SHAPE, (8, 6), 10, rng=rng), (0.5, 1.0))
    small, whole = slim.cut(0.5), slim.cut(1.0)
    np.testing.assert_array_equal(small[1].weight.data, whole[1].weight.data[:, :4])
    np.testing.assert_array_equal(small[3].weight.data, whole[3].weight.data[:4, :3])
    np.testing.assert_array_equal(small[5].weight.data, whole[5].weight.data[:3, :])
    np.testing.assert_array_equal(small[5].bias.data, whole[5].bias.data)


def test_after_flatten_every_pixel_keeps_its_first_channels(rng):
    slim = Slimmable(models.convnet(SHAPE, 10, (4, 8), rng=rng), (0.25, 1.0))
    whole = slim.cut(1.0)[-1].weight.data.reshape(4, 8, 10)
    np.testing.assert_array_equal(slim.cut(0.25)[-1].weight.data.reshape(4, 2, 10), whole[:, :2])


def test_one_step_moves_all_widths_together_and_counts_shared_weights_once(rng):
    net = models.convnet(SHAPE, 10, (8, 12), rng=rng)
    alone = sum(p.size for p in net.parameters())
    slim = Slimmable(net, (0.5, 1.0))
    own_norms = 2 * (4 + 6)
    assert sum(p.size for p in slim.parameters()) == alone + own_norms
    x, y = images(16), labels(16)
    tc.fit(
        slim,
        (x, y),
        optimizer=tc.optim.SGD(slim.parameters(), 0.1),
        epochs=1,
        rng=rng,
        loss=JointLoss(),
        progress=False,
    )
    np.testing.assert_array_equal(slim.cut(0.5)[0].weight.data, slim.net[0].weight.data[..., :4])
    twin = slim.copy()
    twin.net[0].weight.data = twin.net[0].weight.data + 1
    np.testing.assert_array_equal(twin.cut(0.5)[0].weight.data, twin.net[0].weight.data[..., :4])
    twin.load_state_dict(slim.state_dict())
    np.testing.assert_array_equal(tc.predict(twin.at(0.5), x), tc.predict(slim.at(0.5), x))


def test_the_gradient_of_the_widths_is_the_sum_of_the_cut_nets_gradients(rng):
    slim = Slimmable(models.mlp(SHAPE, (6,), 10, rng=rng), (0.5, 1.0))
    x, y = images(10), labels(10)
    expected = 0
    for width, k in ((0.5, 3), (1.0, 6)):
        cut = slim.cut(width)
        F.cross_entropy(cut(x), y).backward()
        padded = np.zeros((64, 6), np.float32)
        padded[:, :k] = cut[1].weight.grad
        expected = expected + padded
    JointLoss()(slim.train()(x), y).backward()
    np.testing.assert_allclose(slim.net[1].weight.grad, expected, **TOLERANCE)


@pytest.mark.parametrize("batch_norm", ["own", "shared"])
def test_batch_norm_of_one_width_disturbs_the_others_only_if_it_is_shared(rng, batch_norm):
    slim = Slimmable(models.convnet(SHAPE, 10, (8, 12), rng=rng), (0.5, 1.0), batch_norm)
    for copy in (slim, slim.copy()):
        before = tc.predict(copy.net, images(5))
        copy.at(0.5).train()(images(50, seed=9))
        copy.eval()
        assert np.array_equal(tc.predict(copy.net, images(5)), before) == (batch_norm == "own")


def test_batch_norm_of_a_width_never_trained_has_that_widths_own_statistics(rng):
    slim = Slimmable(models.convnet(SHAPE, 10, (8, 12), rng=rng), (0.5, 1.0))
    x = images(64)
    before = slim.state_dict()
    between = slim.between(0.75, x, batch_size=64)
    first = between[0](tc.Tensor(x)).data  # six channels, before the first batch norm
    assert first.shape[-1] == 6
    np.testing.assert_allclose(between[1].running_mean, first.mean((0, 1, 2)), **TOLERANCE)
    np.testing.assert_allclose(between[1].running_var, first.reshape(-1, 6).var(0, ddof=1), **TOLERANCE)
    normalised = (first - first.mean((0, 1, 2))) / np.sqrt(first.var((0, 1, 2)) + 1e-5)
    hidden = between[3](between[2](tc.Tensor(normalised * between[1].weight.data + between[1].bias.data)))
    second = between[4](hidden).data
    np.testing.assert_allclose(between[5].running_mean, second.mean((0, 1, 2)), **TOLERANCE)
    after = slim.state_dict()
    assert all(np.array_equal(after[name], value) for name, value in before.items())


def test_widths_that_are_none_are_refused(rng):
    net = models.convnet(SHAPE, 10, (4,), rng=rng)
    for widths in ((), (0.5,), (0, 1), (0.5, 1.5)):
        with pytest.raises(ValueError, match="largest is 1"):
            Slimmable(net, widths)
    with pytest.raises(ValueError, match="not one of the trained widths"):
        Slimmable(net, (0.5, 1)).at(0.75)
    tc.pruning.prune_weights(net, 0.5)
    with pytest.raises(ValueError, match="bake"):
        Slimmable(net)


# Budget.

made_settings = st.lists(
    st.builds(Setting, st.just(1.0), st.just(()), st.floats(0, 1), st.floats(1, 100), st.floats(0.01, 10)), min_size=1
)


@given(table=made_settings, budget=st.floats(0, 12), cost=st.sampled_from(["ms", "macs"]))
def test_a_choice_never_exceeds_the_budget_and_is_the_best_that_fits(table, budget, cost):
    fitting = [s for s in table if getattr(s, cost) <= budget]
    if not fitting:
        with pytest.raises(ValueError, match="nothing fits"):
            best_within(table, **{cost: budget})
        return
    chosen = best_within(table, **{cost: budget})
    assert getattr(chosen, cost) <= budget and chosen.accuracy == max(s.accuracy for s in fitting)


@given(table=made_settings)
def test_the_frontier_holds_what_nothing_beats(table):
    best = frontier(table)
    for s in table:
        beaten = any(
            o.ms <= s.ms and o.accuracy >= s.accuracy and (o.ms, o.accuracy) != (s.ms, s.accuracy) for o in table
        )
        assert ((s.ms, s.accuracy) in {(b.ms, b.accuracy) for b in best}) != beaten


@given(budgets=st.lists(st.floats(0.5, 5), min_size=1, max_size=20), pace=st.floats(0.5, 3))
def test_the_controller_follows_the_budget_and_the_machines_pace(budgets, pace):
    table = [Setting(1.0, (), accuracy=ms / 10, macs=ms, ms=ms) for ms in (0.1, 0.5, 1, 2, 4)]
    controller = BudgetController(table, smoothing=0.5)
    for _ in range(30):  # the machine's pace is not the table's; it learns so
        setting = controller.choose(1.0)
        controller.observe(setting, setting.ms * pace)
    assert controller.slowdown == pytest.approx(pace, rel=1e-3)
    for budget in budgets:
        setting = controller.choose(budget)
        assert setting.ms * pace <= budget * 1.001
        assert all(o.ms * pace > budget * 0.999 for o in table if o.accuracy > setting.accuracy)
        controller.observe(setting, setting.ms * pace)
    assert controller.choose(1e-9) == table[0]  # nothing fits: the cheapest


def test_settings_are_measured_at_every_width_and_threshold(rng):
    slim = Slimmable(branchy(rng, (8, 12, 16)), (0.5, 1.0)).eval()
    data = images(20), labels(20)
    table = measure_settings(
        {w: slim.cut(w) for w in slim.widths}, [exit_at(0, 3), (0.3, 0.3)], data, images=4, rounds=1
    )
    assert [(s.width, s.thresholds) for s in table] == [(w, t) for w in (0.5, 1.0) for t in ((0.0, 0.0), (0.3, 0.3))]
    for s in table:
        logits, _ = EarlyExit(slim.cut(s.width), s.thresholds).run(data[0])
        assert s.accuracy == pytest.approx((logits.argmax(1) == data[1]).mean()) and s.ms > 0
    assert table[0].macs == slim.cut(0.5).exit(0).summary().macs


def test_too_many_exits_for_all_combinations_are_refused(rng):
    table = ExitTable(rng.random((14, 5)), np.ones((14, 5), bool))
    with pytest.raises(ValueError, match="14 exits have over .* combinations; give the net fewer"):
        choose_thresholds(table, None, accuracy=0.5)


@pytest.mark.parametrize("size", [(32, 32), (12, 20), (3, 5)])
def test_pooled_heads_are_a_dense_layer_on_means_over_squares(size):
    net = models.resnet((*size, 3), 7, (4, 8, 8), blocks=1, rng=0)
    (head,) = heads = pooled_heads(net, [3], rng=np.random.default_rng(0))
    h = np.random.default_rng(1).standard_normal((2, *size, 4)).astype(np.float32)
    (down, across), dense = (max(1, n // 4) for n in size), head.layers[-1]
    high, wide = size[0] // down, size[1] // across
    squares = h[:, : high * down, : wide * across].reshape(2, high, down, wide, across, 4)
    logits = squares.mean((2, 4)).reshape(2, -1) @ dense.weight.data + dense.bias.data
    np.testing.assert_allclose(head(h).data, logits, rtol=2e-5, atol=2e-6)
    assert max(high, wide) < 8 and len(add_exits(net, [3], heads, rng=0).heads) == 2
    with pytest.raises(ValueError, match=r"layer \d+ puts out \(7,\), no image"):
        pooled_heads(net, [len(net) - 1], rng=0)
