"""The lecture's notebooks, run afresh: `python -m tinycompress.lecture.notebooks notebooks/*.ipynb`.

A notebook is committed with its outputs, for those who read it where nothing runs. This command executes each from top to
bottom, keeps of its outputs what such a reader needs, and refuses what no reader should find.
"""

import argparse
import re
import time
from pathlib import Path

from ..files import replace_file

LARGEST = 1_000_000  # bytes of a file
WIDGET = "application/vnd.jupyter.widget-view+json"
PATHS = re.compile(r"/(?:home|root|tmp|Users|private|mnt|work)/|site-packages|[A-Za-z]:\\\\")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def refresh(path: str | Path) -> float:
    """Execute the notebook, tidy it and write it back; returns the seconds it took.

    Raises nbclient's CellExecutionError where a cell fails and ValueError for `problems`; the file then stays as it was.
    """
    import nbformat
    from nbclient import NotebookClient

    path = Path(path)
    notebook = nbformat.read(path, 4)
    options = {"kernel_name": KERNEL["name"], "timeout": 600, "coalesce_streams": True, "store_widget_state": False}
    start = time.perf_counter()
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}, **options).execute()
    seconds = time.perf_counter() - start
    text = nbformat.writes(tidy(notebook)) + "\n"
    if found := problems(notebook) + _too_large(text):
        raise ValueError(f"{path.name}: " + "; ".join(found))
    replace_file(path, text)
    return seconds


def tidy(notebook):
    """Take out, in place, what belongs to one machine or one moment: widgets, versions, times. Returns the notebook."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("slideshow", "tags") if key in cell.metadata}
        if cell.cell_type == "code":
            # A widget is nothing without its kernel; the picture beside it stays. A progress bar has none.
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {}) or "image/png" in o.data]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    return notebook


def problems(notebook) -> list[str]:
    """What a reader should not find in it, each in words; empty if all is well."""
    found = []
    for number, cell in enumerate(notebook.cells):
        texts = [cell.source]
        if "slide_type" not in cell.metadata.get("slideshow", {}):
            found.append(f"cell {number} has no slide type (JupyterLab: property inspector)")
        if cell.cell_type == "code" and cell.execution_count is None and cell.source.strip():
            found.append(f"cell {number} has not been run")
        for output in cell.get("outputs", ()):
            if output.output_type == "error" or output.get("name") == "stderr":
                found.append(f"cell {number} warns or fails: {output.get('text') or output.get('evalue')}")
            if "image/png" in output.get("data", {}) and not output.metadata.get("image/png", {}).get("alt"):
                found.append(f"cell {number} shows a picture without a description; use blackboard.show(figure, alt)")
            texts += [output.get("text", "")]
            texts += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
        found += [f"cell {number} has a path of this machine: {hit[0]!r}" for hit in map(PATHS.search, texts) if hit]
    return found


def _too_large(text: str) -> list[str]:
    size = len(text.encode())
    return [f"it has {size:,} bytes, of at most {LARGEST:,}; draw fewer or smaller pictures"] * (size > LARGEST)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tinycompress.lecture.notebooks", description="Run notebooks afresh."
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="such as notebooks/*.ipynb")
    for path in parser.parse_args().notebooks:
        if not path.is_file():
            parser.error(f"there is no notebook {path}")
        seconds = refresh(path)
        print(f"{path}: {seconds:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
