"""What a submission may import: the standard library, LIBRARIES, and a copy of this package with only some modules.

The package also contains the lecture's own methods, some of which answer an exercise. So the sandbox usually sees only
the engine, and never the chapter that holds an answer.
"""

import ast
import builtins
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from .exercise import CourseProblem

PACKAGE = Path(__file__).parents[1]
LIBRARIES = ("numpy", "numba", "llvmlite", "scipy", "tqdm", "threadpoolctl")  # the last two are for the engine itself
ENGINE = (
    *("graph", "tensor", "functional", "optim", "gradcheck", "kernels", "nn"),
    *("models", "training", "checkpoint", "profiling", "channels", "guards", "data", "files", "text"),
)


def modules(may_import: tuple[str, ...]) -> set[str]:
    """The modules and subpackages that these names stand for: "engine" is all of ENGINE, "pruning" just itself.

    Raises CourseProblem for a name that does not exist, and for the course itself.
    """
    found = set()
    for name in may_import:
        if name == "engine":
            found.update(ENGINE)
        elif (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name).is_dir():
            found.add(name)
        else:
            raise CourseProblem(f'MAY_IMPORT: there is no {name!r} in tinycompress; give "engine" or a module\'s name')
    if found & {"course", "challenge", "cli"}:
        raise CourseProblem("MAY_IMPORT: submissions must not import the course, the challenge or the command line")
    return found


def copy_package(may_import: tuple[str, ...], folder: Path) -> Path | None:
    """Write `folder`/tinycompress with only these modules. If none are allowed, write nothing and return None."""
    chosen = modules(may_import)
    if not chosen:
        return None
    chosen |= {"text"}  # which the package itself needs
    target = folder / "tinycompress"
    target.mkdir(parents=True)
    for name in sorted(chosen):
        if (PACKAGE / f"{name}.py").is_file():
            shutil.copyfile(PACKAGE / f"{name}.py", target / f"{name}.py")
        else:
            shutil.copytree(PACKAGE / name, target / name, ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    if "kernels" in chosen:  # every worker would compile them again, which takes ten seconds and more
        dispatch = target / "kernels" / "runtime" / "dispatch.py"
        text = dispatch.read_text(encoding="utf-8")
        dispatch.write_text(text.replace('_variant = "fast"', '_variant = "numpy"', 1), encoding="utf-8")
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    (target / "__init__.py").write_text(_without_missing(source, chosen), encoding="utf-8")
    return target


def _without_missing(source: str, chosen: set[str]) -> str:
    """The source of the package's `__init__`, importing only modules that were copied."""
    kept, names = [], set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            if node.module is None:
                node.names = [alias for alias in node.names if alias.name in chosen]
            elif node.module.split(".")[0] not in chosen:
                continue
            if not node.names:
                continue
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            continue
        kept.append(node)
    return ast.unparse(ast.Module(kept, [])) + f"\n__all__ = {sorted(names)}\n"


# ---- the same outside of the sandbox ----


def importer(may_import: tuple[str, ...]) -> Callable:
    """An `__import__` that finds only what the sandbox has, for a module that is to run there later."""
    allowed = modules(may_import)
    there = f"only {', '.join(sorted(allowed))} of tinycompress" if allowed else "none of tinycompress"

    def check(name):
        top, *parts = name.split(".")
        if top != PACKAGE.name and not _is_there(top):
            raise ModuleNotFoundError(
                f"there is no {top} where this is graded, only {', '.join(LIBRARIES[:4])}", name=name
            )
        if top == PACKAGE.name and (not allowed or (parts and _is_module(parts[0]) and parts[0] not in allowed)):
            raise ModuleNotFoundError(f"{name} may not be imported in this exercise, which allows {there}", name=name)

    def find(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0:
            check(name)
            for part in (fromlist or ()) if name == PACKAGE.name else ():
                check(f"{name}.{part}")
        found = builtins.__import__(name, globals, locals, fromlist, level)
        return _Partly(found, check) if found.__name__ == PACKAGE.name else found

    return find


class _Partly(ModuleType):
    """The package, without the modules that `check` refuses, which the package itself imports on first use."""

    def __init__(self, package: ModuleType, check: Callable):
        super().__init__(package.__name__)
        self.__dict__.update(_package=package, _check=check)

    def __getattr__(self, name):
        try:
            self._check(f"{PACKAGE.name}.{name}")
        except ModuleNotFoundError as error:
            raise AttributeError(str(error)) from error
        return getattr(self._package, name)


def _is_there(top: str) -> bool:
    return top in sys.stdlib_module_names or top in sys.builtin_module_names or top in LIBRARIES


def _is_module(name: str) -> bool:
    return (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name / "__init__.py").is_file()


def missing_imports(tree: ast.Module) -> list[tuple[str, int]]:
    """(module, line) of what a file imports and the sandbox does not have, where it is sure to fail.

    What is in a function, an `if` or a `try` may never be imported, or not be missed.
    """
    found, waiting = [], list(tree.body)
    while waiting:
        node = waiting.pop(0)
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        tops = [name.split(".")[0] or name for name in names]
        found += [(top, node.lineno) for top in tops if top != PACKAGE.name and not _is_there(top)]
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.Try):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return found
