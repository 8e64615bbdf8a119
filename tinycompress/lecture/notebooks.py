"""Run the lecture's notebooks again: `python -m tinycompress.lecture.notebooks notebooks/*.ipynb`.

Notebooks are committed with their outputs, for readers who cannot run them. This command executes each notebook from top
to bottom, keeps the outputs that such readers need, and rejects notebooks with `problems`. With `--pages FOLDER` the notebooks
stay as they are, and become web pages whose sliders need no kernel.
"""

import argparse
import json
import os
import re
import time
from pathlib import Path

from ..files import replace_file, whole_folder
from .language import prose

LARGEST = 1_000_000  # bytes per file
WIDGET = "application/vnd.jupyter.widget-view+json"  # the output that names a widget, which its kernel holds
PATHS = re.compile(r"/(?:home|root|tmp|Users|private|mnt|work)/|site-packages|[A-Za-z]:\\\\")
SHIPPED = (
    Path(__file__).parent / "shipped"
)  # in a wheel: the folders `notebooks` and `figures` of a clone (workshop/packaging.py)
STILLS = {"image/png", "text/html", "text/markdown"}  # what can stand in for a widget
STYLE = "nbconvert_config.py", "templates/*/*", "speaker.json"  # by which they become pages and slides
REPORTS = "figures/claims.json", "figures/cifar10/claims.json", "figures/gpu/claims.json"  # which the notebooks show
PAGES = "TINYCOMPRESS_PAGES"  # set while notebooks become pages
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def hand_out(out: str | Path, language: str = "en") -> list[Path]:
    """Write the notebooks, the reports whose claims they show, and their slides' style, into a new folder; return the notebooks.

    language: of the text and of what cells show, "en" or "zh"; see `in_language`. The notebooks find the report in `figures/`
    beside them, and yours in `report/`. Raises FileExistsError for a folder that is not empty, FileNotFoundError if this
    installation has no notebooks, and another OSError if `out` cannot be written.
    """
    out, home = Path(out), SHIPPED if SHIPPED.is_dir() else Path(__file__).parents[2]  # a clone
    if not (home / "notebooks").is_dir():
        raise FileNotFoundError(f"the notebooks are not part of this installation ({home})")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} is not an empty folder; give a new one, so that nothing of yours is overwritten")
    notebooks = sorted((home / "notebooks").glob("*.ipynb"))
    style = [path for names in STYLE for path in (home / "notebooks").glob(names)]
    targets = {path: path.relative_to(home / "notebooks") for path in notebooks + style}
    targets |= {path: name for name in REPORTS if (path := home / name).is_file()}
    with whole_folder(out) as folder:
        for path, name in targets.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            text = path.read_bytes()
            replace_file(
                folder / name, text if language == "en" or path.suffix != ".ipynb" else in_language(text, language)
            )
    return [out / path.name for path in notebooks]


LANGUAGE_CELLS = {
    "zh": (
        "**中文版。** 文字译自英文笔记本，代码不变。这里不带运行结果：请从上到下运行一遍，约一分钟。",
        'from tinycompress.lecture.language import speak\n\nspeak("zh")  # 论断、裁定、问题和图用中文；speak("en") 则用英文',
    )
}
"""What stands before a notebook's first code cell: a remark, and the cell that chooses the language."""


def in_language(text: str | bytes, language: str) -> str:
    """A notebook's file in another language: its text is translated, its code stays, and a cell before it chooses the language
    of what its cells show. Outputs are left out, since they are English."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = prose.translated("".join(cell["source"]), language)
        else:
            cell |= {"outputs": [], "execution_count": None}
    remark, code = LANGUAGE_CELLS[language]
    metadata = {"slideshow": {"slide_type": "skip"}}
    first = next(i for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code")
    notebook["cells"][first:first] = [
        {"cell_type": "markdown", "id": "language-remark", "metadata": metadata, "source": remark},
        {
            "cell_type": "code",
            "id": "language",
            "metadata": metadata,
            "source": code,
            "outputs": [],
            "execution_count": None,
        },
    ]
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def refresh(path: str | Path) -> float:
    """Execute the notebook, tidy it, write it back, and return the seconds that its cells took.

    Raises nbclient's CellExecutionError if a cell fails and ValueError for `problems`; the file is then unchanged.
    """
    import nbformat

    path, start = Path(path), time.perf_counter()
    notebook = _executed(path)
    seconds = time.perf_counter() - start
    text = nbformat.writes(tidy(notebook)) + "\n"
    if found := problems(notebook) + _too_large(text):
        raise ValueError(f"{path.name}: " + "; ".join(found))
    replace_file(path, text)
    return seconds


def page(path: str | Path, out: str | Path) -> Path:
    """Execute the notebook and write it as a web page into the folder `out`; return the page. The notebook stays as it is.

    Sliders bring the pictures of all their positions along, so that they move without a kernel. Raises nbclient's
    CellExecutionError if a cell fails, and OSError if `out` cannot be written.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import PyFileConfigLoader

    path, out = Path(path), Path(out)
    target = out / path.with_suffix(".html").name
    out.mkdir(parents=True, exist_ok=True)
    notebook = tidy(_executed(path, env=os.environ | {PAGES: "1"}))
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):  # the moving picture, in place of the still
                output.data.pop("image/png", None)
    style = path.with_name("nbconvert_config.py")
    config = PyFileConfigLoader(str(style)).load_config() if style.exists() else None
    replace_file(target, HTMLExporter(config=config).from_notebook_node(notebook)[0])
    return target


def _executed(path: Path, **kernel):
    """The notebook after a run from top to bottom, in its folder. kernel: options of the process, such as `env`."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, 4)
    options = {"kernel_name": KERNEL["name"], "timeout": 600, "coalesce_streams": True, "store_widget_state": False}
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}, **options).execute(**kernel)
    return notebook


def tidy(notebook):
    """Remove, in place, what depends on the machine or the time: widgets, versions, timestamps. Return the notebook."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("slideshow", "tags", "jupyter") if key in cell.metadata}
        if cell.cell_type == "code":
            # A widget needs its kernel, so only what stands beside it stays. Progress bars have plain words at most.
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {}) or STILLS & set(o.data)]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    return notebook


def problems(notebook) -> list[str]:
    """Describe each thing in the notebook that a reader should not see. Empty if there is none."""
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
        found += [f"cell {number} shows a path of this machine: {hit[0]!r}" for hit in map(PATHS.search, texts) if hit]
    return found


def _too_large(text: str) -> list[str]:
    size = len(text.encode())
    return [f"it has {size:,} bytes, more than {LARGEST:,}; draw fewer or smaller pictures"] * (size > LARGEST)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tinycompress.lecture.notebooks", description="Run notebooks again and save them."
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="such as notebooks/*.ipynb")
    parser.add_argument(
        "--pages", type=Path, metavar="FOLDER", help="write web pages with sliders, and save no notebook"
    )
    options = parser.parse_args()
    for path in options.notebooks:
        if not path.is_file():
            parser.error(f"notebook {path} does not exist")
        if options.pages:
            print(page(path, options.pages))
            continue
        seconds = refresh(path)
        print(f"{path}: {seconds:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
