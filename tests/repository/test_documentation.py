"""The API as pages: whatever a user can name is described, with the errors it raises and examples that run."""

import ast
import dataclasses
import html
import inspect
import re
import subprocess
import sys
import textwrap
from types import ModuleType

import pytest

import tinycompress as tc

MODULES = [tc, *(vars(tc)[name] for name in tc.__all__ if isinstance(getattr(tc, name), ModuleType))]
MODULES.append(tc.quantization.tcz)

# What each chapter is about. Its functions have an example each, which pytest runs with all others.
MAIN = {
    "pruning": "prune_weights prune_n_of_m cubic keep_neurons remove_neurons",
    "distillation": "teacher_targets DistillationLoss Ensemble",
    "quantization": "calibrate quantize_weights cluster_weights binarize_weights huffman_code to_integers tcz.to_bytes",
    "architecture": "factorise make_separable",
    "dynamic": "add_exits EarlyExit Slimmable Setting",
    "inference": "optimize",
}


def public():
    """(name, object) of every function and class that a module offers, each once, and of every public member of a class."""
    found = {}
    for module in MODULES:
        for name in dir(module):
            thing = getattr(module, name)
            if callable(thing):
                found.setdefault(id(thing), (f"{module.__name__}.{name}", thing))
    for name, thing in list(found.values()):
        if inspect.isclass(thing):
            for own in vars(thing):
                member = getattr(thing, own)
                if not own.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
                    found.setdefault((name, own), (f"{name}.{own}", member))
    return list(found.values())


def errors_of(thing):
    """The errors that the code of a function, or of a class's constructor, raises itself."""
    if inspect.isclass(thing):
        return errors_of(vars(thing).get("__init__")) | errors_of(vars(thing).get("__post_init__"))
    function = inspect.unwrap(thing) if inspect.isfunction(thing) else None
    if function is None or function.__code__.co_filename.startswith("<"):  # made by dataclass
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]
    names = {ast.unparse(error.func if isinstance(error, ast.Call) else error) for error in raised}
    return {name for name in names if name[0].isupper()}


@pytest.mark.parametrize(("name", "thing"), public(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_public_name_is_described(name, thing):
    said = inspect.getdoc(thing)
    assert said, f"{name} has no docstring"
    if dataclasses.is_dataclass(thing):
        assert not said.startswith(f"{thing.__name__}("), f"{name} has the docstring that dataclass makes"


@pytest.mark.parametrize(("name", "thing"), public(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_error_that_a_public_name_raises_is_described(name, thing):
    said, (module, _, owner) = inspect.getdoc(thing), name.rpartition(".")[0].rpartition(".")
    if inspect.isclass(found := getattr(sys.modules.get(module), owner, None)):  # a method, whose class may say it
        said += inspect.getdoc(found)
    assert {error for error in errors_of(thing) if error not in said} == set()


@pytest.mark.parametrize(("name", "thing"), public(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_shape_of_every_array_is_described(name, thing):
    function = vars(thing).get("__init__") if inspect.isclass(thing) else thing
    if not inspect.isfunction(function) or name.startswith("tinycompress.Tensor"):  # whose operations take any shape
        return
    kinds = [str(given.annotation) for given in inspect.signature(inspect.unwrap(function)).parameters.values()]
    if any(re.search(r"ndarray|\bTensor\b", kind) and not re.search("Callable|Iterable", kind) for kind in kinds):
        assert re.search(r"\([^()]*(,|…)[^()]*\)|shape", inspect.getdoc(thing))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_page_has_an_example(module):
    texts = [inspect.getdoc(module), *(inspect.getdoc(getattr(module, name)) for name in dir(module))]
    assert any(">>> " in (text or "") for text in texts)


@pytest.mark.parametrize("chapter", MAIN)
def test_what_a_chapter_is_about_has_an_example_each(chapter):
    for path in MAIN[chapter].split():
        thing = getattr(tc, chapter)
        for name in path.split("."):
            thing = getattr(thing, name)
        assert ">>> " in inspect.getdoc(thing), f"{chapter}.{path}"


def test_the_pages_are_made_by_one_command(tmp_path):
    pytest.importorskip("pdoc")
    command = [sys.executable, "-m", "pdoc", "tinycompress", "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "Warn" not in done.stderr, done.stderr
    for module in MODULES:
        page = (tmp_path / f"{module.__name__.replace('.', '/')}.html").read_text(encoding="utf-8")
        shown = [name for name in dir(module) if not isinstance(getattr(module, name), ModuleType)]
        assert [name for name in shown if f'id="{name}"' not in page] == []
        # An example stays as it is, even where pdoc takes the ending of a file's name for a module of ours.
        text = html.unescape(re.sub(r"<[^>]+>", "", page.partition('id="L-1"')[0]))
        assert [line for line in (module.__doc__ or "").splitlines() if line[:4] == ">>> " and line not in text] == []
