"""Where kernels run: other processes, without a cache, without a compiler, on other CPUs."""

import ast
import concurrent.futures
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from waiting import LONG

from tinycompress import kernels

PACKAGE = Path(kernels.__file__).parents[1]
SMALL = """
import warnings
import numpy as np
from tinycompress import kernels
x, w = np.random.default_rng(0).standard_normal((9, 6, 6, 3)), np.random.default_rng(1).standard_normal((3, 3, 3, 5))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        y = kernels.conv2d(x, w, (1, 1), ((1, 1), (1, 1)))
        gw = kernels.conv2d_grad_w(x, y, (1, 1), ((1, 1), (1, 1)), w.shape)
        pooled = kernels.max_pool2d(y, (2, 2), (2, 2))[0]
with kernels.use("numpy"):
    np.testing.assert_allclose(y, kernels.conv2d(x, w, (1, 1), ((1, 1), (1, 1))), atol=1e-12)
    np.testing.assert_allclose(gw, kernels.conv2d_grad_w(x, y, (1, 1), ((1, 1), (1, 1)), w.shape), atol=1e-9)
    np.testing.assert_array_equal(pooled, kernels.max_pool2d(y, (2, 2), (2, 2))[0])
for warning in caught:
    print(warning.message)
"""


def run(code, folder=None, **environment):
    """What a fresh Python process prints that runs `code` in a folder."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=LONG
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_unwritable_cache_folder_gives_one_warning_and_works(tmp_path):
    # A file where the folder should be cannot be written into even by root.
    blocked = tmp_path / "file"
    blocked.touch()
    printed = run(SMALL, NUMBA_CACHE_DIR=str(blocked))
    assert printed.count("compiled code cannot be cached in") == 1
    assert "set NUMBA_CACHE_DIR to a writable folder" in printed
    assert len(printed.splitlines()) == 1


def test_compiled_code_is_cached_and_the_setting_of_numba_left_alone(tmp_path):
    code = SMALL + "import numba; print(numba.config.CACHE_DIR)"
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)).strip() == str(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert written
    run(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == written


def test_damaged_code_gives_one_warning_and_is_replaced(tmp_path):
    program = tmp_path / "program.py"  # a function has to have a source file to be cached
    program.write_text(
        "from tinycompress.kernels.runtime.jit import jit\n"
        "triple, square = jit(lambda x: x + x + x), jit(lambda x: x * x)\n"
        "assert triple(7) == 21 and square(7) == 49\n"
    )

    def warnings():
        command, environment = [sys.executable, program], os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stderr.splitlines() if "Warning: " in line]

    assert warnings() == []
    files = list((tmp_path / "cache").rglob("*.nbc"))
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (warning,) = warnings()
    assert str(files[0].parent) in warning and "is damaged" in warning and "delete that folder" in warning
    assert warnings() == []


CSR = """
import numpy as np
from tinycompress.pruning.products.csr import csr_matmul
print(csr_matmul([0, 2], [0, 1], np.array([2.0, 3.0]), np.array([[5.0], [7.0]])).tolist())
"""
INT8 = """
import numpy as np
from tinycompress.quantization.products.requantize import requantize_sum
print(requantize_sum(np.array([40], np.uint8), np.array([0], np.uint8), (1, 1), 0, 2).tolist())
"""
EDITS = [
    (CSR, "[[31.0]]", "kernels/registers/vectors.py", "builder.fmul(a, b,", "builder.fmul(a, a,"),
    (CSR, "[[31.0]]", "pruning/products/csr_fast.py", "total = (sum0 + sum1)", "total = (sum0 + sum0)"),
    (
        INT8,
        "[10]",
        "quantization/products/requantize_fast.py",
        "tile_load(like, b, k, 0, left)",
        "tile_load(like, a, k, 0, left)",
    ),
]


@pytest.mark.parametrize("program, printed, file, before, after", EDITS, ids=[file for _, _, file, _, _ in EDITS])
def test_an_edit_of_what_is_compiled_changes_the_next_result(tmp_path, program, printed, file, before, after):
    shutil.copytree(PACKAGE, tmp_path / "tinycompress", ignore=shutil.ignore_patterns("__pycache__", "exercises"))
    cache = str(tmp_path / "cache")
    assert run(program, tmp_path, NUMBA_CACHE_DIR=cache).strip() == printed
    source = tmp_path / "tinycompress" / file
    text = source.read_text(encoding="utf-8")
    assert text.count(before) == 1
    source.write_text(text.replace(before, after), encoding="utf-8")
    assert run(program, tmp_path, NUMBA_CACHE_DIR=cache).strip() != printed


def test_code_is_cached_by_every_source_that_it_can_come_from():
    """Those in `kernels/` name the cache's folder, those beside a function its file: so it may come from no others."""
    pytest.importorskip("numba")
    from tinycompress.kernels.runtime import cache

    compiled = [path for path in PACKAGE.rglob("*.py") if emits_code(path)]
    assert {path.parent.name for path in compiled} >= {"fast", "registers", "products", "coding", "quantization"}
    for path in compiled:
        for module in modules_of(path):
            assert module in cache.SOURCES or module.parent == path.parent, f"{path} is compiled, and imports {module}"


def test_the_name_of_the_cache_changes_with_its_sources(tmp_path):
    pytest.importorskip("numba")
    from tinycompress.kernels.runtime import cache

    source = tmp_path / "source.py"
    source.write_text("TILE = 6\n")
    before = cache.salt([source])
    assert cache.salt([source]) == before
    source.write_text("TILE = 8\n")
    assert cache.salt([source]) != before


def emits_code(path):
    """Whether a file has functions that are compiled, or emits what others are compiled to."""
    names = {
        name.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    return "exercises" not in path.parts and bool(
        names & {"intrinsic", "lower_builtin"} or ("jit" in names and path.name != "dispatch.py")
    )


def modules_of(path):
    """The files of the package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = [getattr(node, "module", None)] + [name.name for name in getattr(node, "names", [])]
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
            assert not any(str(name).startswith("tinycompress") for name in named), (
                f"{path}: import it by its relative name"
            )
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split(".")).resolve()
            for name in node.names:
                found = [base / f"{name.name}.py", base / name.name / "__init__.py", base.with_suffix(".py")]
                yield next((file for file in found if file.exists()), base / "__init__.py")


def test_without_the_compiler_numpy_takes_over_with_one_warning():
    printed = run(SMALL, NUMBA_DISABLE_JIT="1")
    assert len(printed.splitlines()) == 1
    assert "NUMBA_DISABLE_JIT is set, so every kernel runs in NumPy" in printed


def test_without_numba_numpy_takes_over_with_one_warning():
    printed = run("import sys; sys.modules['numba'] = None\n" + SMALL)
    assert len(printed.splitlines()) == 1
    assert "numba is not installed" in printed


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="names x86-64 CPUs")
@pytest.mark.parametrize("cpu, features", [("x86-64", ""), ("haswell", "+avx,+avx2,+fma,+sse4.2")])
def test_kernels_are_right_on_cpus_with_smaller_registers(cpu, features):
    assert run(SMALL, NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=features) == ""


def test_importing_the_kernels_leaves_numba_alone():
    assert run("import sys, tinycompress.kernels; print('numba' in sys.modules)").strip() == "False"


def test_kernels_do_not_load_scipys_linear_algebra_and_leave_it_to_those_who_need_it():
    program = """if True:
        import sys
        import numpy as np
        from numba import njit
        exec(sys.argv[1])
        assert "scipy.linalg" not in sys.modules
        square = np.arange(4.0).reshape(2, 2)
        assert (njit(lambda a: a @ a)(square) == square @ square).all()
        assert (njit(lambda a: np.convolve(a[0], a[1]))(square) == np.convolve(*square)).all()
        assert "scipy.linalg.cython_blas" in sys.modules
        """
    subprocess.run([sys.executable, "-c", program, SMALL], check=True)


def convolve_in_worker(threads):
    if threads:
        kernels.set_num_threads(threads)
    x, w = np.ones((64, 16, 16, 8), np.float32), np.ones((3, 3, 8, 16), np.float32)
    return float(kernels.conv2d(x, w, (1, 1), ((0, 0), (0, 0))).sum())


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_kernels_work_in_a_process_pool(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    before = kernels.get_num_threads()
    kernels.set_num_threads(2)
    try:
        expected = convolve_in_worker(threads=None)  # so that a forked child inherits a pool whose threads are gone
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            assert list(pool.map(convolve_in_worker, [2, 2, None], timeout=LONG)) == [expected] * 3
    finally:
        kernels.set_num_threads(before)
