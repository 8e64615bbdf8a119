"""The cases of the benchmark: every goal has its rows, and both sides of a case find the same."""

import json

import numpy as np
import pytest

from tinycompress import bench, models, nn
from tinycompress.bench import case as case_module
from tinycompress.bench import lowbit, measure, predict, roofline, startup, turns, worker

CASES = [case for suite in bench.suites() for case in suite.cases]


def name_of(case):
    return f"{case.suite}: {case.name}"


# Both sides of every case do the same.


SMALL = {
    **dict.fromkeys(("conv", "depthwise", "pointwise", "steps", "predict"), {"batch": 3}),
    "tape": {},
    **dict.fromkeys(("sparse", "lowbit"), {"inputs": 70, "outputs": 40, "batch": 5}),
    "coding": {"count": 3000, "clusters": 4},
    "limits": {"size": 50, "megabytes": 1, "kilobytes": 4},
}


def small(case):
    return {name: SMALL[case.suite].get(name, value) for name, value in case.arguments.items()}


@pytest.mark.parametrize("case", [case for case in CASES if case.suite not in ("startup", "memory")], ids=name_of)
def test_both_sides_of_a_case_find_the_same(case):
    for library in measure.LIBRARIES.keys() & case.sides.keys():
        for package in measure.LIBRARIES[library][1]:
            pytest.importorskip(package)
    found, times, nothing_to_compare = {}, {}, case.suite == "limits"
    for side, build in case.sides.items():
        for name, work in build(np.random.default_rng(5), **small(case)).items():
            work.run()
            result = work.run()
            found[side, name] = list(work.read(result)) if work.read else None
            times.setdefault(side, {})[name] = [1.0, 2.0]
    turns.check_agreement(case, found)
    compared = [key for key, result in found.items() if key[0] != "ours" and result is not None]
    assert compared or nothing_to_compare
    for row in case.rows(case, times):
        assert row["suite"] == case.suite and row["rounds"] == 2 and row["goal"] == (row["goal"] or case.goal)


@pytest.mark.parametrize("case", [case for case in CASES if case.suite == "startup"], ids=name_of)
def test_the_programs_that_start_up_run_to_their_end(case, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # or each would compile the kernels
    times = {}
    for side, build in case.sides.items():
        ((name, work),) = build(np.random.default_rng(0), **case.arguments).items()
        work.run()
        times[side] = {name: [0.1, 0.2]}
    (row,) = case.rows(case, times)
    assert row["judged"] == "ours" and row["goal"] == case.goal


def test_a_program_that_fails_says_so(monkeypatch):
    monkeypatch.setitem(startup.PROGRAMS, "broken", "import nothing_of_that_name")
    with pytest.raises(RuntimeError, match="'broken' failed: ModuleNotFoundError: .*nothing_of_that_name"):
        startup.whole_process(None, "broken", "import numpy")["ours"].run()


@pytest.mark.parametrize("case", [case for case in CASES if case.suite == "memory"], ids=name_of)
def test_the_peak_of_a_fresh_process_is_its_own_and_within_the_goal(case, monkeypatch):
    ballast = np.ones(60_000_000)  # 480 MB of this process's, which are none of the other's
    (work,) = case.sides["ours"](np.random.default_rng(0), **dict(case.arguments) | {"images": 128}).values()
    monkeypatch.setitem(worker.works, "ours", work)
    value = worker.block("ours", repeats=1, wake=0)
    assert 50 < value < case.goal and len(ballast)
    (row,) = case.rows(case, {"ours": {"ours": [value, value]}})
    assert (row["met"], row["judged"], row["unit"], row["rounds"]) == (True, "ours", "MB", 2)
    with pytest.raises(RuntimeError, match="the program for training failed: .*Error"):
        startup.fresh_process(None, "training", images=-1, batch=2)["ours"].run()


def test_a_difference_in_a_result_is_seen_whether_in_value_in_shape_or_in_nan():
    a = [np.arange(4.0), np.ones((2, 2))]
    assert case_module.disagreement(a, [array.copy() for array in a], 0.0) is None
    assert "array 2 of 2" in case_module.disagreement(a, [a[0], a[1] + 0.01], 1e-3)
    assert case_module.disagreement(a, [a[0], a[1] + 0.01], 0.1) is None
    assert "shapes" in case_module.disagreement(a, a[:1], 1.0)
    assert "shapes" in case_module.disagreement(a, [a[0][:, None], a[1]], 1.0)
    assert case_module.disagreement(a, [a[0], a[1] * np.nan], 1.0) is not None


@pytest.fixture
def one_of_each(rng):
    """A net with every layer that other libraries have a copy of, but no average pooling; with random values."""
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding="same", rng=rng),
        nn.BatchNorm(5),
        nn.ReLU(),
        nn.Residual(nn.Sequential(nn.Conv2d(5, 5, 3, padding=1, rng=rng), nn.BatchNorm(5))),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Residual(nn.DepthwiseConv2d(5, 3, stride=2, padding=1, rng=rng), nn.Conv2d(5, 5, 1, stride=2, rng=rng)),
        nn.MaxPool2d(2, 1),
        nn.PointwiseConv2d(5, 4, bias=False, rng=rng),
        nn.Flatten(),
        nn.Dense(16, 6, rng=rng),
        nn.ReLU(),
        nn.Dense(6, 5, bias=False, rng=rng),
        input_shape=(12, 12, 3),
    )
    for parameter in net.parameters():
        parameter.data = rng.standard_normal(parameter.shape, np.float32)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm):
            norm.running_mean[:], norm.running_var[:] = rng.standard_normal(5), rng.uniform(0.5, 2, 5)
    return net


@pytest.mark.parametrize("layout", ["eager", "channels-last"])
def test_a_twin_computes_what_the_net_does(layout, one_of_each, rng):
    torch = pytest.importorskip("torch")
    from tinycompress.bench.rivals.torch_side import images, twin

    net = one_of_each
    net.layers[7] = nn.AvgPool2d(2, 1)
    x = rng.standard_normal((4, *net.input_shape), np.float32)
    rival = twin(net, layout)
    for training in (False, True):  # with the statistics of the net, and with those of the batch
        with torch.no_grad():
            theirs = rival.train(training)(images(x, layout)).numpy()
        ours = net.train(training)(x).data
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(ours).max())


def test_an_exported_net_computes_what_the_net_does(one_of_each, rng):
    onnx_side = with_onnx()
    net = one_of_each.eval()
    x = rng.standard_normal((4, *net.input_shape), np.float32)
    images, ours = onnx_side.channels_first(x), net(x).data
    theirs = onnx_side.session(onnx_side.to_onnx(net))
    np.testing.assert_allclose(ours, theirs(images), rtol=1e-4, atol=1e-4 * np.abs(ours).max())
    np.testing.assert_array_equal(theirs(images[:1]), theirs(images)[:1])  # any batch size
    in_8_bits = onnx_side.session(onnx_side.quantized(net, images))(images)
    assert 0 < np.abs(ours - in_8_bits).max() < 0.2 * np.abs(ours).max()


def test_between_its_ends_a_quantized_net_computes_in_integers_only(rng):
    onnx_side, onnx = with_onnx(), pytest.importorskip("onnx")
    net = models.convnet((16, 16, 1), rng=rng)
    images = rng.standard_normal((4, 1, 16, 16), np.float32)
    graph = onnx.load_from_string(onnx_side.quantized(net, images)).graph
    kinds = {node.op_type for node in graph.node}
    assert kinds <= {"QuantizeLinear", "DequantizeLinear", "Conv", "MaxPool", "Flatten", "Gemm"}  # ReLUs only clip
    made_by = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm", "MaxPool"):  # all numbers that it reads are dequantized integers
            assert {made_by[name].op_type for name in node.input} == {"DequantizeLinear"}


def test_an_exported_relu_follows_what_it_can_be_fused_into(rng):
    onnx_side, onnx = with_onnx(), pytest.importorskip("onnx")
    graph = onnx.load_from_string(onnx_side.to_onnx(models.lenet_5(rng=rng))).graph  # with its ReLUs after the pooling
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    assert [made_by[node.input[0]] for node in graph.node if node.op_type == "Relu"] == ["Conv", "Conv", "Gemm"]


def test_a_net_that_is_not_exported_is_refused(rng):
    onnx_side = with_onnx()
    with pytest.raises(ValueError, match="AvgPool2d.* is not exported"):
        onnx_side.to_onnx(nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), input_shape=(4, 4, 1)))


def with_onnx():
    for package in measure.LIBRARIES["onnxruntime"][1]:
        pytest.importorskip(package)
    from tinycompress.bench.rivals import onnx_side

    return onnx_side


def test_a_net_that_pytorch_cannot_copy_is_refused(rng):
    pytest.importorskip("torch")
    from tinycompress.bench.rivals.torch_side import twin

    one_sided = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding="same", rng=rng), input_shape=(8, 8, 1))
    with pytest.raises(ValueError, match="cannot pad one side only"):
        twin(one_sided)
    with pytest.raises(ValueError, match="no twin"):
        twin(nn.Sequential(nn.Dropout(0.5, rng=rng), input_shape=(8,)))


# Which suites there are.


def test_every_goal_has_its_rows():
    goals = {}
    for case in CASES:
        goals.setdefault(case.suite, set()).add(case.goal)
    assert goals == {
        "conv": {1.15},
        "depthwise": {1.0},
        "pointwise": {0.95},
        "steps": {0.75, 0.90},
        "predict": {0.8, 0.9, 1.0, 0.15, predict.INT8_OF_FLOAT, None},
        "tape": {0.50},
        "sparse": {0.6, 0.12, 1.2},
        "lowbit": {lowbit.INT8_GOAL, 0.07, 1 / 4},
        "coding": {1 / 120, 1 / 20, 0.02},
        "startup": {0.12, 0.6, 3.5},
        "memory": {2000, 300},
        "limits": {None},
    }
    assert len([case for case in CASES if case.suite == "conv"]) == 9


def test_every_case_belongs_to_its_suite_and_has_a_name_of_its_own():
    for suite in bench.suites():
        assert {case.suite for case in suite.cases} == {suite.name}
    assert len({name_of(case) for case in CASES}) == len(CASES)
    assert all(json.loads(json.dumps(dict(case.arguments))) == case.arguments for case in CASES)


def test_the_limits_come_with_whatever_has_a_place_under_the_roof():
    assert [suite.name for suite in bench.suites(["tape"])] == ["tape"]
    assert [suite.name for suite in bench.suites(["pointwise", "conv"])] == ["conv", "pointwise", "limits"]
    assert [suite.name for suite in bench.suites()] == list(bench.MODULES)


def test_an_unknown_suite_suggests_the_nearest():
    with pytest.raises(LookupError, match="no suite is called 'stpes'; did you mean 'steps'"):
        bench.suites(["conv", "stpes"])


def test_every_kind_of_point_has_its_mark():
    assert {case.point.kernel for case in CASES if case.point} == set(roofline.KERNELS)
