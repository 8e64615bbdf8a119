"""Bytes on disk that reload, and a stopwatch that is fair: checked with a clock of our own."""

import types

import numpy as np
import pytest

from tinycompress import models, nn, predict, profiling, pruning
from tinycompress.inference import optimize
from tinycompress.profiling import Timing, by_layer, latency, stored_bytes


@pytest.fixture
def clock(monkeypatch):
    """Replaces the stopwatch; `clock.spend(name, ms)` makes a call that takes so long, and `clock.calls` lists them."""

    class Clock:
        now = 0.0

        def spend(self, name, ms):
            def call():
                self.calls.append(name)
                self.now += ms / 1000

            return call

    clock = Clock()
    clock.calls = []
    monkeypatch.setattr(profiling, "time", types.SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def test_stored_bytes_are_those_of_a_file_that_reloads_and_predicts_the_same(rng, tmp_path):
    model = models.convnet((8, 8, 1), 3, rng=rng)
    pruning.prune_weights(model, 0.8)
    path = tmp_path / "small.npz"
    model.copy().bake().save(path)
    assert stored_bytes(model) == path.stat().st_size
    again = models.convnet((8, 8, 1), 3, rng=rng).load(path)
    x = rng.standard_normal((4, 8, 8, 1)).astype(np.float32)
    np.testing.assert_array_equal(predict(again, x), predict(model, x))
    assert model[0].parametrization("weight", nn.Mask) is not None  # the model itself was not baked


def test_pruned_weights_take_less_room_on_disk(rng):
    model = models.lenet_300_100((8, 8, 1), rng=rng)
    dense = stored_bytes(model)
    assert dense > 3.5 * sum(p.size for p in model.parameters())  # random float32 hardly compresses
    pruning.prune_weights(model, 0.9)
    assert stored_bytes(model) < 0.3 * dense


def test_variants_are_warmed_up_and_then_timed_in_turn(clock):
    timings = latency({"a": clock.spend("a", 1.0), "b": clock.spend("b", 2.5)}, rounds=4, round_ms=5.5)
    turns = [name for i, name in enumerate(clock.calls) if i == 0 or clock.calls[i - 1] != name]
    assert turns == ["a", "b"] * 5  # once to warm up, then four rounds
    assert clock.calls.count("a") == 2 + 4 * (1 + 5) and clock.calls.count("b") == 2 + 4 * (1 + 2)
    assert timings["a"].rounds == pytest.approx([1.0] * 4) and timings["b"].median == pytest.approx(2.5)


def test_a_slow_moment_of_the_machine_hits_all_variants_alike(clock):
    def slower_and_slower(name):
        def call():
            clock.calls.append(name)
            clock.now += len(clock.calls) / 1000

        return call

    timings = latency({"a": slower_and_slower("a"), "b": slower_and_slower("b")}, rounds=50, round_ms=0)
    assert timings["a"].median == pytest.approx(timings["b"].median, rel=0.05)


@pytest.mark.parametrize(("ms", "repeats"), [(1000.0, 1), (0.0, 10_000)])
def test_very_slow_and_very_quick_calls_are_repeated_within_reason(ms, repeats, clock):
    latency({"a": clock.spend("a", ms)}, rounds=1)
    assert len(clock.calls) == 2 + 1 + repeats


def test_a_timing_tells_its_median_and_quartiles():
    timing = Timing((5.0, 1.0, 2.0, 4.0, 3.0), threads=2)
    assert timing.median == 3 and timing.spread == (2, 4)
    assert repr(timing) == "3 ms (quartiles 2–4, 5 rounds, 2 threads)"


def test_no_rounds_are_refused():
    with pytest.raises(ValueError, match="rounds must be 1 or more, got 0"):
        latency({"a": lambda: None}, rounds=0)


def test_a_profile_has_each_layer_once_with_its_macs_and_its_time(clock, rng):
    net = nn.Sequential(nn.Dense(6, 4, rng=rng), nn.ReLU(), nn.Residual(nn.Dense(4, 4, rng=rng)), input_shape=(6,))
    seconds = {id(net[0]): 3e-3, id(net[1]): 1e-3, id(net[2].body): 6e-3}
    for module in (net[0], net[1], net[2].body):
        spent = type(module)

        def forward(self, x, spent=spent):
            clock.now += seconds[id(self)]
            return spent.forward(self, x)

        module.__class__ = type(spent.__name__, (spent,), {"forward": forward})
    profile = by_layer(net, rng.random((5, 6), np.float32))
    assert [(layer.name, layer.macs, layer.output_shape) for layer in profile.layers] == [
        ("0", 24, (4,)),
        ("1", 0, (4,)),
        ("2.body", 16, (4,)),
    ]
    assert np.allclose([layer.ms for layer in profile.layers], [3, 1, 6])
    assert np.isclose(profile.whole.median, 10)
    lines = str(profile).split("\n")
    assert [line.split("%")[0].split()[-1] for line in lines[1:4]] == ["30", "10", "60"]
    assert lines[-1].startswith("the net, batch 5")
    assert "<table>" in profile._repr_html_()


def test_a_profile_leaves_modes_and_results_alone(rng):
    net = models.convnet((8, 8, 1), 3, (4, 6), rng=rng).train()
    x = rng.random((4, 8, 8, 1), np.float32)
    before = predict(net, x)
    by_layer(net, x, rounds=1)
    assert net.training and np.array_equal(predict(net, x), before)
    with pytest.raises(ValueError, match="the batch is empty"):
        by_layer(net, x[:0])


def test_the_profile_of_a_net_for_prediction_lists_its_steps(rng):
    net, x = models.resnet((8, 8, 1), 3, (4, 6), rng=rng), rng.random((4, 8, 8, 1), np.float32)
    names = [layer.layer for layer in by_layer(optimize(net, x), x, rounds=1).layers]
    assert "sum in one pass" in " ".join(names) and names[-1].startswith("Dense")
    assert sum("Conv2d" in name for name in names) == sum(type(m) is nn.Conv2d for m in net.modules())
