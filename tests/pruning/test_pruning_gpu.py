"""The loops for a GPU give NumPy's numbers, in Numba's simulator, and on the GPU where there is one."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np
import scipy.sparse
from numba import config
from tinycompress.pruning.products import gpu

if config.ENABLE_CUDASIM:
    gpu.TILE, gpu.CSR_THREADS = 4, 32  # every thread of the simulator is one of Python's
rng = np.random.default_rng(0)

def check(y, a, b):
    # A sum of n products errs by at most n roundings of what it adds up, in any order (Higham 2002, eq. 3.5).
    a, b = a.astype(np.float64), b.astype(np.float64)
    bound = 2 * a.shape[1] * np.finfo(np.float32).eps * (np.abs(a) @ np.abs(b))
    assert y.dtype == np.float32 and (np.abs(y - a @ b) <= bound).all(), (np.abs(y - a @ b) - bound).max()

def numbers(*shape):
    return rng.standard_normal(shape, np.float32)

for batch, inputs, outputs in {dense}:
    x, w, y = numbers(batch, inputs), numbers(inputs, outputs), np.full((batch, outputs), np.nan, np.float32)
    gpu.dense_matmul(x, w, y)
    check(y, x, w)
for rows, inputs, batch, kept in {sparse}:
    w = numbers(rows, inputs) * (rng.random((rows, inputs)) < kept)
    w[: rows // 2 : 2] = 0  # empty rows
    csr, x, y = scipy.sparse.csr_matrix(w), numbers(inputs, batch), np.full((rows, batch), np.nan, np.float32)
    gpu.csr_matmul(csr.indptr, csr.indices, csr.data, x, y)
    check(y, w, x)
print("on", "the simulator" if config.ENABLE_CUDASIM else "a GPU")
"""
# Whole tiles of 4 x 4, parts of tiles, a single row, less than one tile.
DENSE = [(4, 8, 4), (5, 9, 6), (1, 10, 3), (3, 2, 1)]
SPARSE = [(9, 12, 4, 0.3), (1, 30, 33, 0.5), (20, 7, 1, 0.2), (5, 6, 3, 0.0)]
LARGE = [(16, 32, 16), (300, 784, 131), (128, 1000, 1)]


def run(dense, sparse, **variables):
    program = PROGRAM.replace("{dense}", repr(dense)).replace("{sparse}", repr(sparse))
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_loops_agree_with_numpy_in_the_simulator():
    assert run(DENSE, SPARSE, NUMBA_ENABLE_CUDASIM="1") == "on the simulator"


def test_the_loops_agree_with_numpy_on_a_gpu():
    from numba import cuda

    if not cuda.is_available():
        pytest.skip("no GPU")
    larger = [(*shape, 0.1) for shape in LARGE]
    assert run(DENSE + LARGE, SPARSE + larger, NUMBA_ENABLE_CUDASIM="0") == "on a GPU"


def test_only_the_loops_for_a_gpu_import_numba_cuda():
    program = (
        "import sys, tinycompress as tc; from tinycompress.lecture import claims; claims()\n"
        "from tinycompress.pruning.products import blocks_fast, csr_fast\n"
        "print([name for name in sys.modules if name.startswith(('numba.cuda', 'numba_cuda', 'torch'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
