"""Source code as a lecture shows it: the method, without the guards around it.

A guard is an `if` that only raises an error, an `assert`, or a call of a function whose name begins with `check`. Docstrings
keep their first paragraph, since the others tell users what is checked; the closing quotes move to its end.
"""

import ast
import textwrap

LONGEST = 100  # columns of a line that a page shows without scrolling


def without_guards(source: str) -> str:
    """The source of a function or class, dedented, without its guards. The other lines stay as they are.

    A guard stays if it names something (`:=`) that is used after it, or if it is all that a block has.
    """
    source = textwrap.dedent(source)
    tree, lines = ast.parse(source), source.splitlines()
    dropped: set[int] = set()  # numbers of lines, from 1
    ends: dict[int, str] = {}  # number of a docstring's last line -> its closing quotes
    for node in ast.walk(tree):
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if not isinstance(body, list):
                continue
            guards = [statement for statement in body if _is_guard(statement, tree)]
            if len(guards) == len(body):
                continue
            for guard in guards:
                dropped |= set(range(_first_line(guard, lines), guard.end_lineno + 1))
        if details := _details(node):
            dropped |= set(details)
            ends[details[0] - 1] = lines[details[-1] - 1].rstrip()[-3:]
    kept = [_closed(line, ends.get(number, "")) for number, line in enumerate(lines, 1) if number not in dropped]
    return "\n".join(_single_blanks(kept)) + "\n"


def _closed(line: str, quotes: str) -> str:
    """The last line that a docstring keeps, with its closing quotes; on two lines if it is too long with them."""
    indent = line[: len(line) - len(line.lstrip())]
    wrapped = textwrap.wrap(line + quotes, LONGEST, subsequent_indent=indent, break_long_words=False)
    return "\n".join(wrapped) if quotes else line


def _is_guard(statement: ast.stmt, tree: ast.AST) -> bool:
    if isinstance(statement, ast.Assert):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        name = ast.unparse(statement.value.func).rpartition(".")[2].lstrip("_")
        return name.startswith("check")
    raises = isinstance(statement, ast.If) and not statement.orelse and isinstance(statement.body[-1], ast.Raise)
    if not raises or not all(isinstance(inner, ast.Raise | ast.Assign) for inner in statement.body):
        return False
    named = {node.target.id for node in ast.walk(statement) if isinstance(node, ast.NamedExpr)}
    return not any(
        isinstance(node, ast.Name) and node.id in named and node.lineno > statement.end_lineno
        for node in ast.walk(tree)
    )


def _first_line(guard: ast.stmt, lines: list[str]) -> int:
    """The line on which the comment above a guard begins, or else the guard."""
    first = guard.lineno
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first


def _details(node: ast.AST) -> range:
    """The lines of a docstring after its first paragraph, that of the closing quotes included."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef) or not (text := ast.get_docstring(node, clean=False)):
        return range(0)
    start, end = node.body[0].lineno, node.body[0].end_lineno
    blank = next((i for i, line in enumerate(text.splitlines()) if not line.strip()), None)
    return range(start + blank, end + 1) if blank else range(0)


def _single_blanks(lines: list[str]) -> list[str]:
    return [line for i, line in enumerate(lines) if line.strip() or (i and lines[i - 1].strip())]
