"""The notebook of an exercise, which plots the results of the student's functions beside the solution's."""

import json
from pathlib import Path

from ..exercise import CourseProblem, Exercise, load_module

_RUN = """\
from tinycompress.course.author.notebook import show

show("{name}")"""


def write_notebook(exercise: Exercise, folder: Path) -> None:
    """Write show_name.py, the solution's numbers (name.reference.json) and name.ipynb into the folder.

    Raises CourseProblem if show_name.py lacks `measure` or `draw`, or `measure` fails on the solution, or returns something
    that JSON cannot hold.
    """
    text = exercise.show.read_text(encoding="utf-8")
    module = load_module(exercise.show)
    if missing := [name for name in ("measure", "draw") if not callable(getattr(module, name, None))]:
        raise CourseProblem(f"{exercise.show.name} has no function {missing[0]}")
    try:
        measured = module.measure(load_module(exercise.solution))
    except Exception as error:  # whatever an author's function may raise
        problem = f"{exercise.show.name}: measure fails on the solution: {type(error).__name__}: {error}"
        raise CourseProblem(problem) from error
    try:
        numbers = json.dumps(measured)
    except (TypeError, ValueError) as error:
        raise CourseProblem(
            f"{exercise.show.name}: measure returns plain numbers, strings and lists, but: {error}"
        ) from error
    (folder / exercise.show.name).write_text(text, encoding="utf-8")
    (folder / f"{exercise.name}.reference.json").write_text(numbers + "\n", encoding="utf-8")
    cells = [
        _cell("markdown", (module.__doc__ or exercise.name).strip()),
        _cell("code", _RUN.format(name=exercise.name)),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{exercise.name}.ipynb").write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")


def _cell(kind: str, text: str) -> dict:
    cell = {"cell_type": kind, "id": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def show(name: str, folder: Path | str = "."):
    """In a released folder, run `show_name.py` on the student's functions and plot the results beside the solution's."""
    folder = Path(folder)
    module = load_module(folder / f"show_{name}.py")
    reference = json.loads((folder / f"{name}.reference.json").read_text(encoding="utf-8"))
    yours = json.loads(json.dumps(module.measure(load_module(folder / f"{name}.py"))))
    return module.draw(yours, reference)
