"""What CONTRIBUTING.md tells people to do works, and the files that it names are there."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tinycompress import lecture
from tinycompress.lecture import Settings, report, run

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / ".github" / "CONTRIBUTING.md"
CLAIM = '''
"""Claim P99: made by the guide."""

import numpy as np

from tinycompress.lecture import Claim, Effect
from tinycompress.workshop.style import figure


def measure(data, budget, seed):
    return [{"seed": seed, "value": 1.0 + 0.1 * seed}]


def effect(rows):
    return [row["value"] for row in rows]


def draw(rows):
    fig = figure()
    fig.axes[0].plot([row["value"] for row in rows])
    return fig


CLAIM = Claim(
    id="P99", chapter="pruning", title="Made by the guide", question="One is above zero.", measure=measure,
    effects=(Effect(name="a number", of=effect),), figure=draw,
)
'''

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not part of an installed package")


def links_of_the_readme():
    return re.findall(r"\]\((?!http)([^)]*)\)", (ROOT / "README.md").read_text(encoding="utf-8"))


def test_every_file_that_is_named_is_there():
    named = re.findall(r"`((?:tinycompress|tests|\.ci)/[\w/.]*)`", GUIDE.read_text(encoding="utf-8"))
    missing = [name for name in named if not (ROOT / name).exists()]
    assert len(named) > 30 and not missing


def test_every_file_that_the_readme_links_to_is_there_and_outside_of_the_repository_an_address():
    packaging = pytest.importorskip("tinycompress.workshop.packaging", exc_type=ImportError)  # setuptools
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = links_of_the_readme()
    assert len(links) > 40 and [link for link in links if not (ROOT / link).is_file()] == []
    described = packaging.with_addresses(text, "https://git.example/us/")
    assert re.findall(r"\]\((?!https://)", described) == []
    assert described.count("](https://git.example/us/raw/HEAD/figures/P1.png)") == text.count("](figures/P1.png)") > 0
    assert "](https://git.example/us/blob/HEAD/.github/CONTRIBUTING.md)" in described


def test_a_source_distribution_holds_every_file_that_the_readme_links_to(monkeypatch):
    setuptools = pytest.importorskip("setuptools")
    from tinycompress.workshop import packaging

    held = set()
    monkeypatch.setattr(packaging, "REPOSITORY", ROOT)
    monkeypatch.setattr(packaging.sdist, "make_release_tree", lambda self, base_dir, files: held.update(files))
    packaging.WholeRepository(setuptools.Distribution()).make_release_tree("", ["README.md"])
    assert {Path(link) for link in links_of_the_readme()} <= {Path(file) for file in held}


def test_binder_installs_an_extra_that_there_is_on_a_python_that_is_supported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extra,) = re.fullmatch(r"-e \.\[(\w+)\]\n", (ROOT / ".binder" / "requirements.txt").read_text()).groups()
    assert extra in project["optional-dependencies"]
    version = (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_a_claim_is_a_file_and_a_line(tmp_path, monkeypatch):
    """In a chapter of its own, since the package's folder is not written to."""
    chapter = tmp_path / "a_chapter"
    chapter.mkdir()
    (chapter / "p99_guide.py").write_text(CLAIM)
    (chapter / "__init__.py").write_text(
        "from tinycompress.lecture.claim import of_files\n\nCLAIMS = of_files(__name__, 'p99_guide')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(lecture.CHAPTERS, "pruning", "a_chapter")
    try:
        (claim,) = lecture.claims(["P99"])
        result = run(claim, Settings(seeds=3))
        assert result.verdict == "supported" and np.isclose(result.findings[0].mean, 1.1)
        report.write([result], Settings(seeds=3), tmp_path / "report")
        assert "Made by the guide" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
        assert (tmp_path / "report" / "P99.png").exists()
    finally:
        for name in [name for name in sys.modules if name.startswith("a_chapter")]:
            del sys.modules[name]


def test_the_readme_lists_every_claim_in_the_lectures_order():
    listed = re.findall(r"^\| ([A-Z]\d+[a-z]?) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert listed == [claim.id for claim in lecture.claims()]
