"""Hand-ins that are the same, also if names, comments or layout were changed: a list for staff, not a judgement.

Two files have the same shape if their syntax trees agree once docstrings, annotations and the names that a file chooses itself
are taken out. Short exercises have few sensible answers, so that honest files agree, too: the list says how long each is.
"""

import ast
import hashlib
import warnings
from collections import defaultdict
from dataclasses import dataclass

from ..collect import HandIn
from ..exercise import Exercise

MAX_SIZE = 256 << 10  # bytes of a file whose tree is looked at
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Same:
    """Students whose files for an exercise agree: in every byte, or in shape; `nodes` is the size of the tree (0: none)."""

    exercise: str
    students: tuple[str, ...]
    bytes: bool
    nodes: int
    is_solution: bool

    def __str__(self):
        how = "in every byte" if self.bytes else "but for names, comments, annotations or layout"
        size = f", {self.nodes} nodes" if self.nodes else ""
        as_solution = ", and as the solution" if self.is_solution else ""
        return f"{self.exercise}: {', '.join(map(repr, self.students))}: the same {how}{as_solution}{size}"


def identical(handins: list[HandIn], exercises: list[Exercise]) -> list[Same]:
    """The groups of students with the same file, the longest files first. Untouched stubs and empty files do not count."""
    files: dict[tuple, list] = defaultdict(list)
    references = {exercise: _references(exercise) for exercise in exercises}
    for handin in handins:
        for exercise, source in zip(exercises, handin.sources(exercises), strict=True):
            if source.data and source.data.strip():
                shape, nodes = shape_of(source.data)
                if shape != references[exercise][0]:
                    files[exercise, shape].append((handin.student, source.data, nodes))
    found = []
    for (exercise, shape), same in files.items():
        students, sources, nodes = zip(*same, strict=True)
        if len(students) > 1:
            solution = shape == references[exercise][1]
            found.append(Same(exercise.id, students, len(set(sources)) == 1, nodes[0], solution))
    return sorted(found, key=lambda same: (-same.nodes, same.exercise, same.students))


def _references(exercise: Exercise) -> tuple[str, str]:
    """The shapes of the stub and of the solution."""
    return shape_of(exercise.stub().encode())[0], shape_of(exercise.solution.read_bytes())[0]


def shape_of(source: bytes) -> tuple[str, int]:
    """A digest of the file's tree without what may differ, and the tree's size; of its bytes if it has no tree."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source if len(source) <= MAX_SIZE else b"\0")
        nodes = sum(1 for _ in ast.walk(tree))
        text = ast.dump(_Plain(_own_names(tree)).visit(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return hashlib.sha256(b"bytes:" + source).hexdigest(), 0
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), nodes


def _own_names(tree: ast.AST) -> set[str]:
    """The names that the file itself gives: of functions, classes, arguments, variables, and what it imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, _DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


class _Plain(ast.NodeTransformer):
    """Names in the order in which they come, and neither docstrings nor annotations."""

    def __init__(self, own: set[str]):
        self._own, self._numbers = own, {}

    def _name(self, name):
        return self._numbers.setdefault(name, f"_{len(self._numbers)}") if name in self._own else name

    def generic_visit(self, node):
        if isinstance(node, ast.Module | _DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        for part in "annotation", "returns":
            if getattr(node, part, None) is not None and not isinstance(node, ast.AnnAssign):
                setattr(node, part, None)
        for part in "id", "name", "arg":
            if isinstance(getattr(node, part, None), str) and not isinstance(node, ast.alias):
                setattr(node, part, self._name(getattr(node, part)))
        if isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self._name(name) for name in node.names]
        if isinstance(node, ast.alias):
            node.asname = self._name(node.asname or node.name.split(".")[0])
        return super().generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is None:
            return None
        return self.visit(ast.Assign([node.target], node.value))
