"""The parts of tinycompress that a submission may import, as a copy of the package with only those modules.

The package also contains the lecture's own methods, some of which answer an exercise. So the sandbox usually sees only
the engine, and never the chapter that holds an answer.
"""

import ast
import shutil
from pathlib import Path

from .exercise import CourseProblem

PACKAGE = Path(__file__).parents[1]
ENGINE = (
    *("graph", "tensor", "functional", "optim", "gradcheck", "kernels", "nn"),
    *("models", "training", "profiling", "channels", "guards", "data", "files", "text"),
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
    if "course" in found or "cli" in found:
        raise CourseProblem("MAY_IMPORT: submissions must not import the course or the command line")
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
