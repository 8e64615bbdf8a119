"""`course release`: write the students' folder, without solutions and hidden tests."""

import ast
import json
from pathlib import Path

from ... import __version__
from ...files import whole_folder
from ..allowed import ENGINE
from ..collect import MANIFEST, words_hash
from ..exercise import BEGIN, END, CourseProblem, Exercise
from ..questions.handout import as_manifest, write_questions
from ..questions.question import QuestionSet

CONFTEST = '''\
"""Lets pytest run the public checks. It is not part of what you hand in."""

import importlib.util
import sys

if importlib.util.find_spec("tinycompress") is None:
    sys.exit(f"tinycompress is not installed in this Python ({sys.executable}); README.md, beside this file, says how")
pytest_plugins = ["tinycompress.course.plugin"]
'''
README = """\
# Exercises

Install once: `pip install "tinycompress[course,notebooks]=={version}"`, or `pip install -e ".[course,notebooks]"` in a clone
of that version.
"""
SOLVE = """
Then, in this folder:

1. Edit `{file}` (or another file listed below): replace each `raise NotImplementedError` by your code. A file
   without any is complete, but has faults: find them.
2. Check it with `pytest {tests}`, or all exercises with `pytest`. Hidden checks run after you have handed in.
3. Open the notebook beside a file with `jupyter lab`: it plots what your functions do, and what the solution's do.
4. `tinycompress course pack` writes `handin.zip`, which you hand in.

You may import NumPy, SciPy and Numba, and the parts of tinycompress listed below ("engine": {engine}).
Do not change any other files; only those listed below are handed in.

{exercises}
"""
ANSWER = """
## Questions

`questions.md` asks {count}. Write below their headings in `answers.md`, and keep the headings; `tinycompress course pack`
packs it, too. Leave your name out: written answers are shuffled and marked without names. Of options, write the letter alone.
"""
OWN = """
Some tasks have other numbers for every student. `tinycompress course mine 4711` shows them with the numbers of the student 4711:
give the id by which you are graded (if you hand in as a group, the group's), and write it at the top of `answers.md`. Solve
them with the functions that you have written; an answer to somebody else's numbers earns nothing.
"""
PYTEST_INI = "[pytest]\naddopts = -q --import-mode=importlib -p no:cacheprovider --tb=short -r N\n"
IDIOMS = {"if submission.changed:"}  # lines of any test, which say nothing of an answer


def release(exercises: list[Exercise], out: Path, sets: list[QuestionSet] = ()) -> list[Path]:
    """Write the students' folder, with these questions, and return its files.

    Existing files are never overwritten: they may be a student's work.

    Raises CourseProblem if `out` is not empty, markers are wrong, or something would leak; then nothing is written.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseProblem(f"{out} is not an empty folder; give a new one, so that no old files are handed out")
    with whole_folder(out) as folder:
        _write(exercises, sets, folder)
        check_nothing_leaks(exercises, folder)
    return sorted(path for path in out.rglob("*") if path.is_file())


def _write(exercises, sets, out):
    for exercise in exercises:
        write_exercise(exercise, out)
    (out / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (out / "pytest.ini").write_text(PYTEST_INI, encoding="utf-8")
    (out / "README.md").write_text(_readme(exercises, sets), encoding="utf-8")
    manifest = {
        "exercises": {
            exercise.id: {
                "file": f"{exercise.chapter}/{exercise.name}.py",
                "functions": exercise.functions(),
                "may_import": list(exercise.may_import()),
                "stub": words_hash(exercise.stub().encode()),
            }
            for exercise in exercises
        }
    }
    if sets:
        write_questions(sets, out)
        manifest |= as_manifest(sets)
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _readme(exercises, sets) -> str:
    text = README.format(version=__version__)
    if exercises:
        first = exercises[0]
        text += SOLVE.format(
            file=f"{first.id}.py",
            tests=f"{first.chapter}/{first.tests.name}",
            engine=", ".join(ENGINE),
            exercises="\n".join(map(_line, exercises)),
        )
    questions = [question for found in sets for question in found.questions]
    text += ANSWER.format(count=f"{len(questions)} questions") if questions else ""
    return text + (OWN if any(question.own for question in questions) else "")


def _line(exercise) -> str:
    imports = ", ".join(f'"{name}"' for name in exercise.may_import()) or "nothing"
    return f"- `{exercise.id}.py`: {exercise.title()}; from tinycompress: {imports}"


def write_exercise(exercise: Exercise, out: Path, notebook: bool = True) -> None:
    """Write the stub, the public tests, and the notebook, if there is one and it is wanted, into `out`/chapter."""
    folder = out / exercise.chapter
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{exercise.name}.py").write_text(exercise.stub(), encoding="utf-8")
    (folder / exercise.tests.name).write_text(public_tests(exercise), encoding="utf-8")
    if exercise.show and notebook:
        from .notebook import write_notebook

        write_notebook(exercise, folder)


def public_tests(exercise: Exercise) -> str:
    """The source of the public tests, with the helpers, constants and imports of the file that they use by name."""
    source = exercise.tests.read_text(encoding="utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    by_name = {name: node for node in tree.body for name in _defined(node)}
    kept, waiting = [], [node for node in tree.body if _marked(node, "public")]
    if not waiting:
        raise CourseProblem(f"{exercise.id}: no test is marked @pytest.mark.public")
    while waiting:
        node = waiting.pop()
        if node not in kept:
            kept.append(node)
            waiting += [by_name[name] for name in _used(node) if name in by_name]
    hidden = [node.name for node in kept if _marked(node, "hidden")]
    if hidden:
        raise CourseProblem(f"{exercise.id}: a public test uses the hidden test {hidden[0]}")
    constants = [node for name, node in by_name.items() if name in ("MAY_IMPORT", "pytest") and node not in kept]
    parts, before = [f'"""The public tests of {exercise.name}."""\n'], None
    for node in sorted(kept + constants, key=lambda node: node.lineno):
        if isinstance(node, ast.Import | ast.ImportFrom):
            used = {name for other in kept for name in _used(other)} | {"pytest"}
            node.names = [alias for alias in node.names if (alias.asname or alias.name).split(".")[0] in used]
            apart = isinstance(before, ast.Import | ast.ImportFrom) and node.lineno > before.end_lineno + 1
            parts.append("\n" * apart + ast.unparse(node))
        else:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            gap = "\n\n" if isinstance(node, ast.FunctionDef | ast.ClassDef) else "\n"
            parts.append(gap + "\n".join(lines[first - 1 : node.end_lineno]))
        before = node
    return "\n".join(parts) + "\n"


def _defined(node) -> list[str]:
    """The names that a top-level statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _used(node) -> set[str]:
    """The names that a statement uses, including a function's arguments, which may be fixtures."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    if isinstance(node, ast.FunctionDef):
        names |= {argument.arg for argument in node.args.args}
    return names


def _marked(node, mark: str) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(decorator).startswith(f"pytest.mark.{mark}") for decorator in decorators)


def check_nothing_leaks(exercises: list[Exercise], folder: Path) -> None:
    """Raise CourseProblem if a marker, a line of a solution, or a line of a hidden test is in the folder.

    Lines that also occur in the released part of the exercise, short ones such as `else:`, those of any test, and those that only
    open a bracket do not count.
    """
    texts = {
        path: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix in (".py", ".ipynb", ".md")
    }
    for exercise in exercises:
        stub, public = exercise.stub(), public_tests(exercise)
        tests = exercise.tests.read_text(encoding="utf-8")
        document = ast.get_docstring(ast.parse(tests), clean=False) or ""
        shown = {line.strip() for text in (stub, public) for line in text.splitlines()}
        if exercise.show:
            shown |= {line.strip() for line in exercise.show.read_text(encoding="utf-8").splitlines()}
        shown |= {line.strip() for line in ast.unparse(ast.parse(public)).splitlines()}
        secret = (
            {
                line.strip()
                for text in (exercise.solution.read_text(encoding="utf-8"), tests.replace(document, "", 1))
                for line in text.splitlines()
                if len(line.strip()) >= 16
                and not line.strip().startswith(("import ", "from ", "@pytest.mark."))
                and not line.strip().endswith(("(", "[", "{"))
            }
            - shown
            - IDIOMS
        )
        for path, text in texts.items():
            for leak in sorted(secret):
                if leak in text:
                    raise CourseProblem(f"{path.relative_to(folder)} would give away: {leak}")
    for path, text in texts.items():
        if BEGIN in text or END in text:
            raise CourseProblem(f"{path.relative_to(folder)}: a marker is left over")
