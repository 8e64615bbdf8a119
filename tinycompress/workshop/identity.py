"""What makes two runs the same: the sources, the data, and the versions of Python, NumPy and Numba."""

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

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

    Comments, docstrings and the layout of lines do not count, since they change no net; nor do modules that it does not import,
    such as reports. Of a module that states a claim (`CLAIM = ...`), only what its `measure` and `prepare` can run counts, and
    not its sentences, verdicts and figure. An import within a function counts, one for the type checker does not. For a module
    that is not of this package, `source_hash`.
    """
    if not _file_of(module, Path(__file__).parents[1]):
        return source_hash()
    root, pending, found = Path(__file__).parents[1], [module], {}
    while pending:
        name = pending.pop()
        path = _file_of(name, root)
        if name not in found and path:
            tree = ast.parse(path.read_bytes())
            tree = _without_words(_measuring(tree) if name == module else tree)
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


def _measuring(tree: ast.Module) -> ast.Module:
    """Of the tree of a claim's module, the statements that `measure` and `prepare` need: those that define a name which they use,
    or which such a statement uses, and all that may do more than define a name. Any other tree is returned as it is."""
    claim = next(filter(_is_claim, tree.body), None)
    words = claim.value.keywords if claim and isinstance(claim.value, ast.Call) else []
    roots = [word.value for word in words if word.arg in ("measure", "prepare")]
    if not roots:
        return tree
    lines = [line for line in tree.body if line is not claim]
    needed, pending = set(), [*roots, *(line for line in lines if not _defined(line))]
    while pending:
        used = {node.id for node in ast.walk(pending.pop()) if isinstance(node, ast.Name)} - needed
        needed |= used
        pending += [line for line in lines if used & _defined(line)]
    tree.body = [line for line in lines if not _defined(line) or needed & _defined(line)]
    for line in tree.body:
        if isinstance(line, ast.Import | ast.ImportFrom):
            line.names = [alias for alias in line.names if _called(alias) in {*needed, "*"}]
    return tree


def _defined(line: ast.stmt) -> set[str]:
    """The names that a statement at the top of a module defines, if it does nothing else: an import, a function or a class
    without decorators, or an assignment that calls nothing. An empty set for any other statement."""
    if isinstance(line, ast.Import | ast.ImportFrom):
        return {_called(alias) for alias in line.names} - {"*"}
    if isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set() if line.decorator_list else {line.name}
    if not isinstance(line, ast.Assign | ast.AnnAssign):
        return set()
    targets = line.targets if isinstance(line, ast.Assign) else [line.target]
    names = [node for target in targets for node in ast.walk(target) if not isinstance(node, ast.Tuple | ast.Store)]
    calls = any(isinstance(node, ast.Call | ast.NamedExpr) for node in ast.walk(line))
    return set() if calls or not all(isinstance(node, ast.Name) for node in names) else {node.id for node in names}


def _called(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _without_words(tree: ast.Module) -> ast.Module:
    """The tree without docstrings, without the claim that it states, and without what only a type checker reads."""
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            if isinstance(body := getattr(node, field, None), list):
                setattr(node, field, [line for line in body if not _idle(line)])
    return tree


def _idle(line: ast.stmt) -> bool:
    words = isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
    types = isinstance(line, ast.If) and isinstance(line.test, ast.Name) and line.test.id == "TYPE_CHECKING"
    return words or _is_claim(line) or types


def _is_claim(line: ast.stmt) -> bool:
    return isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "CLAIM"


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
    return hash_of((*dataset.train, *dataset.val, *dataset.test))[:16]


def hash_of(arrays: "Iterable[np.ndarray]") -> str:
    """SHA-256 of the dtypes, shapes and bytes of these arrays, in their order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}\0".encode())
        digest.update(array)
    return digest.hexdigest()


def versions() -> list[str]:
    import platform
    from importlib.metadata import version

    return [platform.python_version(), version("numpy"), version("numba")]
