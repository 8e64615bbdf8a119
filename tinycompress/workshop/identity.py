"""What makes two runs the same: the sources, the data, and the versions of Python, NumPy and Numba."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data import Dataset


@functools.cache
def source_hash() -> str:
    """SHA-256 of every Python file of this package, names included."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def code_hash(module: str) -> str:
    """SHA-256 of the code that a module of this package can run: its own and that of all modules of the package that it imports.

    Comments, docstrings, the layout of lines and the sentences of a claim (`CLAIM = ...`) do not count, since they change no net;
    nor do modules that it does not import, such as figures and reports. An import within a function counts, one for the type
    checker does not. For a module that is not of this package, `source_hash`.
    """
    if not _file_of(module, Path(__file__).parents[1]):
        return source_hash()
    root, pending, found = Path(__file__).parents[1], [module], {}
    while pending:
        name = pending.pop()
        path = _file_of(name, root)
        if name not in found and path:
            tree = _without_words(ast.parse(path.read_bytes()))
            found[name] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            pending += _imported(tree, package, root)
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def _file_of(module: str, root: Path) -> Path | None:
    """The file of a module of the package in the folder `root`; None for what is no such module."""
    top, *parts = module.split(".")
    path = root.joinpath(*parts)
    files = (path / "__init__.py", path.with_suffix(".py")) if parts else (path / "__init__.py",)
    return next((file for file in files if file.is_file()), None) if top == root.name else None


def _without_words(tree: ast.Module) -> ast.Module:
    """The tree without docstrings, without the claim that it states, and without what only a type checker reads."""
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            if isinstance(body := getattr(node, field, None), list):
                setattr(node, field, [line for line in body if not _idle(line)])
    return tree


def _idle(line: ast.stmt) -> bool:
    words = isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
    claim = isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "CLAIM"
    types = isinstance(line, ast.If) and isinstance(line.test, ast.Name) and line.test.id == "TYPE_CHECKING"
    return words or claim or types


def _imported(tree: ast.Module, package: str, root: Path) -> Iterator[str]:
    """The names of the modules that a module in `package` imports from its own package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}" if _file_of(f"{base}.{alias.name}", root) else base


@functools.cache
def fingerprint(data: str) -> str:
    """The first 16 hex digits of the SHA-256 of a data set's arrays; raises what `tinycompress.data.load` raises."""
    from ..data import load

    return fingerprint_of(load(data))


@functools.lru_cache(maxsize=4)  # half a second for colour images
def fingerprint_of(dataset: "Dataset") -> str:
    digest = hashlib.sha256()
    for array in (*dataset.train, *dataset.val, *dataset.test):
        digest.update(f"{array.dtype} {array.shape}\0".encode())
        digest.update(array)
    return digest.hexdigest()[:16]


def versions() -> list[str]:
    import platform
    from importlib.metadata import version

    return [platform.python_version(), version("numpy"), version("numba")]
