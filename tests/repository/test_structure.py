"""The house rules that a program can check: what imports what, how long a file is, what is described."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tinycompress

PACKAGE = Path(tinycompress.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(Path(__file__).parents[1].rglob("*.py"))
CONTRACTS = PACKAGE.parent / "pyproject.toml"
HEAVY = (
    "numba",
    "llvmlite",
    "numpy.random",
    "scipy",
    "sklearn",
    "matplotlib",
    "pooch",
    "tqdm",
    "threadpoolctl",
    "platformdirs",
)

needs_contracts = pytest.mark.skipif(
    not CONTRACTS.exists(), reason="pyproject.toml is not part of an installed package"
)


def name_of(source):
    return str(source.relative_to(PACKAGE.parent if PACKAGE in source.parents else Path(__file__).parents[2]))


@needs_contracts
def test_imports_run_downwards():
    pytest.importorskip("importlinter")
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    result = subprocess.run([sys.executable, "-c", program], cwd=CONTRACTS.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@needs_contracts
def test_no_module_escapes_the_import_contract():
    (contract,) = tomllib.loads(CONTRACTS.read_text())["tool"]["importlinter"]["contracts"]
    listed = {
        name.strip(" ()").removeprefix("tinycompress.") for layer in contract["layers"] for name in layer.split("|")
    }
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    missing = there - {"__init__", "__main__"} - listed
    assert not missing, f"give {missing} a layer in pyproject.toml, [tool.importlinter]"


def test_importing_the_package_imports_nothing_heavy():
    program = f"import sys, tinycompress; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]", result.stdout


def test_chapters_are_imported_when_they_are_first_used():
    program = """if True:
        import sys, tinycompress as tc
        assert not any(f"tinycompress.{chapter}" in sys.modules for chapter in tc.LATER)
        for chapter in tc.LATER:
            assert chapter in dir(tc) and chapter in tc.__all__
            assert getattr(tc, chapter) is sys.modules[f"tinycompress.{chapter}"]
        """
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="'tinycompress' has no attribute 'prunning'"):
        tinycompress.prunning  # noqa: B018


def test_dir_shows_what_a_module_offers_and_not_what_it_imports():
    assert dir(tinycompress) == sorted(tinycompress.__all__)
    assert {"relu", "conv2d"} <= set(dir(tinycompress.functional)) and "Tensor" not in dir(tinycompress.functional)
    program = """if True:
        import importlib, pkgutil, sys, tinycompress
        for module in pkgutil.iter_modules(tinycompress.__path__, "tinycompress."):
            if module.name != "tinycompress.__main__":
                importlib.import_module(module.name)
        for name, module in sys.modules.items():
            if name.startswith("tinycompress"):
                shown = {one: getattr(module, one) for one in dir(module)}
                assert set(shown) <= set(vars(module)), name
                shown = {one: value for one, value in shown.items() if one not in getattr(module, "__all__", ())}
                assert not [one for one in shown if one.startswith("_")], name
                imported = [one for one, value in shown.items() if value.__module__ != name]
                assert imported == (["relu", "sigmoid", "tanh"] if name == "tinycompress.functional" else []), name
        """
    subprocess.run([sys.executable, "-c", program], check=True)


def test_type_checkers_see_the_chapters():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    assert [alias.name for alias in seen[0].body[0].names] == list(tinycompress.LATER)
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("source", SOURCES + TESTS, ids=name_of)
def test_a_file_is_one_reading(source):
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 450


@pytest.mark.parametrize("source", SOURCES + TESTS, ids=name_of)
def test_a_function_is_one_screen(source):
    tree = ast.parse(source.read_text(encoding="utf-8"))
    lengths = {n.name: n.end_lineno - n.lineno + 1 for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    assert {name: length for name, length in lengths.items() if length > 60} == {}


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_every_module_says_what_it_is(source):
    tree = ast.parse(source.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body


@pytest.mark.parametrize("source", sorted(PACKAGE.glob("[a-z]*.py")), ids=name_of)
def test_every_public_function_and_class_of_the_engine_is_described(source):
    tree = ast.parse(source.read_text(encoding="utf-8"))
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("package", sorted(PACKAGE.rglob("__init__.py")), ids=name_of)
def test_every_name_that_a_package_offers_is_there_and_described(package):
    module = importlib.import_module(".".join(package.parent.relative_to(PACKAGE.parent).parts))
    offered = getattr(module, "__all__", [])
    assert len(set(offered)) == len(offered)
    silent = [name for name in offered if callable(getattr(module, name)) and not getattr(module, name).__doc__]
    assert silent == []


def test_a_folder_is_taken_in_at_a_glance():
    for folder in {source.parent for source in SOURCES}:
        name = str(folder.relative_to(PACKAGE))
        if not name.startswith("course/exercises"):
            assert len([*folder.glob("*.py")]) <= 16, f"{name} has too many files"


def test_the_exercises_import_from_below_as_everything_else():
    """Exercises are handed out as files, which import-linter does not see."""
    above = ("lecture", "cli", "bench")
    for source in (PACKAGE / "course" / "exercises").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            module = getattr(node, "module", None) or ""
            assert not module.startswith(tuple(f"tinycompress.{name}" for name in above)), f"{source} imports {module}"


def test_a_claim_is_a_file_of_its_chapter():
    from tinycompress import lecture

    for claim in lecture.claims():
        module = claim.measure.__module__
        assert module.startswith(f"tinycompress.lecture.{claim.chapter}.{claim.id.lower()}_"), (
            f"{claim.id} is measured in {module}"
        )
        assert importlib.import_module(module).CLAIM is claim
