"""The claim of the GPU: measured where there is one, here with stand-ins for it; and what a machine without one shows."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from verdicts import DECIDED

from tinycompress.lecture import Settings, claims, judge, report, run
from tinycompress.lecture.pruning import p3b_gpu
from tinycompress.lecture.tasks import not_measured

(P3B,) = claims(["P3b"])

# NumPy and SciPy in the place of PyTorch, and Numba's simulator in that of the GPU.
PROGRAM = """
import json, sys, time, types
import numpy, scipy.sparse
from numba import cuda

class Event:
    def __init__(self, enable_timing):
        assert enable_timing
    def record(self):
        self.at = time.perf_counter()
    def synchronize(self):
        pass
    def elapsed_time(self, end):
        return 1000 * (end.at - self.at)

def sparse_csr_tensor(indptr, indices, values, size):
    return scipy.sparse.csr_matrix((values, indices, indptr), shape=size)

sys.modules["torch"] = types.SimpleNamespace(
    as_tensor=lambda array, device: array, sparse_csr_tensor=sparse_csr_tensor,
    cuda=types.SimpleNamespace(Event=Event, synchronize=lambda: None, get_device_name=lambda: "a stand-in"),
)
from tinycompress.lecture.tasks import plain
from tinycompress.lecture.pruning import p3b_gpu
from tinycompress.pruning.products import gpu
assert p3b_gpu.missing() == "no GPU"  # a simulator does not count
p3b_gpu.missing = lambda: ""
p3b_gpu.SHAPES, p3b_gpu.BATCHES, p3b_gpu.SPARSITIES = ((4, 4),), (1, 3), (0.5, 0.8)
p3b_gpu.ROUNDS, p3b_gpu.REPEATS, p3b_gpu.QUEUE = 1, 1, 4
gpu.TILE, gpu.CSR_THREADS = 4, 4  # every thread of the simulator is one of Python's
rows = [plain(row, "") for seed in (0, 1) for row in p3b_gpu.measure_p3b("digits", "quick", seed)]
print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def rows():
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_form_is_timed_at_every_shape_batch_size_and_sparsity(rows):
    arms = ["dense", "dense, ours", "CSR, cuSPARSE", "CSR, ours", "fewer neurons"]
    assert [row["arm"] for row in rows] == arms * 8  # two seeds, batch sizes and sparsities
    assert all(0 < row["ms_low"] <= row["ms"] <= row["ms_high"] for row in rows)
    for row in rows:
        if row["arm"] == "dense":
            assert row["memory_bytes"] == 4 * 4 * 4 and row["speedup"] == 1
        elif row["arm"] == "fewer neurons":
            assert row["memory_bytes"] == 4 * 4 * {0.5: 2, 0.8: 1}[row["removed"]]
    result = judge(P3B, rows, 0.0)
    assert {finding.verdict for finding in result.findings} <= DECIDED
    assert "a stand-in" in result.figure().axes[0].get_title(loc="left")


def test_csr_is_compared_by_its_faster_form_at_each_share_at_which_pruning_is_harmless():
    times = {"dense": 1.0, "CSR, cuSPARSE": 2.0, "CSR, ours": 4.0, "fewer neurons": 0.25}
    made = [
        {"seed": 0, "shape": "a", "batch": 1, "removed": share, "arm": arm, "speedup": slow / ms}
        for share, slow in ((0.5, 1), (0.7, 1), (0.8, 4), (0.98, 1000))
        for arm, ms in times.items()
        if arm != "dense"
    ]
    made += [row | {"arm": "dense", "speedup": 1.0} for row in made if row["arm"] == "fewer neurons"]
    *csr, fewer = (effect.of for effect in P3B.effects)
    assert [at_one_share(made) for at_one_share in csr] == [[1.0], [1.0], [-1.0]]
    assert fewer(made) == pytest.approx([np.mean([2, 2, 4])])


@pytest.fixture
def without(monkeypatch):
    """P3b on a machine without a GPU."""
    monkeypatch.setattr(p3b_gpu, "missing", lambda: "no GPU")
    return run(P3B, Settings(seeds=2))


def test_without_a_gpu_the_claim_says_so_and_how_to_measure_it(without):
    assert without.verdict == "not measured here: no GPU" and without.ratios == {}
    words = " ".join(text.get_text() for text in without.figure().axes[0].texts)
    for needed in "Not measured here: no GPU", "pip install 'tinycompress[gpu]'", "tinycompress lecture P3b":
        assert needed in words


def test_a_report_holds_what_could_not_be_measured(without, tmp_path):
    report.write([without], Settings(seeds=2), tmp_path)
    assert report.read(tmp_path, "P3b").verdict == without.verdict
    assert "– not measured here: no GPU" in report.table([without])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<span class="not-measured-here">– not measured here: no GPU</span>' in page


def test_a_notebook_shows_what_could_not_be_measured(without, tmp_path, monkeypatch):
    from tinycompress.lecture.blackboard import show_claim, show_notes, show_verdicts

    shown = []
    monkeypatch.setattr("IPython.display.display", lambda thing, **_: shown.append(getattr(thing, "data", thing)))
    report.write([without], Settings(seeds=2), tmp_path)
    for show in (lambda: show_claim("P3b", [tmp_path]), lambda: show_verdicts([tmp_path])):
        shown.clear()
        show()
        assert any("– not measured here: no GPU" in str(thing) for thing in shown)
    show_notes(["N7"], [tmp_path])
    assert "P3b: – not measured here: no GPU" in str(shown[-1])


def test_a_notebook_shows_what_another_machine_measured_where_this_one_cannot(rows, without, tmp_path):
    from tinycompress.lecture.blackboard import read_result

    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    report.write([without], Settings(seeds=2), here)
    report.write([judge(P3B, rows, 0.0)], Settings(seeds=2), elsewhere)
    assert read_result("P3b", [here]).verdict == "not measured here: no GPU"
    for folders in ([here, elsewhere], [elsewhere, here], [tmp_path / "none", here, elsewhere]):
        assert len(read_result("P3b", folders).rows) == len(rows)
    assert read_result("P3b", [tmp_path / "none"]) is None


@pytest.mark.parametrize("rows", [[not_measured("no GPU", "Buy one.")], [{"seed": 0}, not_measured("no GPU", "")]])
def test_a_claim_that_could_not_be_measured_has_a_finding_for_each_effect(rows):
    result = judge(P3B, rows, 0.0)
    assert [finding.mean for finding in result.findings] == [None] * len(P3B.effects)
    assert {finding.verdict for finding in result.findings} == {"not measured here: no GPU"}


def test_a_machine_that_lacks_something_says_what(monkeypatch):
    from numba import cuda

    monkeypatch.setattr(cuda, "is_available", lambda: False)
    assert p3b_gpu.missing() == "no GPU"
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(p3b_gpu, "_numba_works", lambda: None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert p3b_gpu.missing().startswith("no PyTorch that works (ModuleNotFoundError: ")


def test_numba_too_old_for_numpy_is_named(monkeypatch):
    """As numba-cuda 0.30 is for NumPy 2.5: it imports, finds the GPU, and fails as it compiles."""
    from numba import cuda

    def fails():
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(p3b_gpu, "_numba_works", fails)
    expected = "no numba.cuda that works (AttributeError: module 'numpy' has no attribute 'row_stack')"
    assert p3b_gpu.missing() == expected
