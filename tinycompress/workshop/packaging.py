"""What pyproject.toml cannot say of a wheel and a source distribution; it names these classes in `tool.setuptools.cmdclass`."""

import itertools
import re
import shutil
from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.egg_info import egg_info
from setuptools.command.sdist import sdist

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURES = (".png", ".svg")
SHIPPED = (
    *("notebooks/*.ipynb", "notebooks/nbconvert_config.py", "notebooks/speaker.json", "notebooks/templates/*/*"),
    *("figures/claims.json", "figures/gpu/claims.json"),
    *("figures/cifar10/claims.json", "figures/cifar10/chapters/claims.json"),
)
MADE = ("__pycache__", ".ipynb_checkpoints")  # folders of files that programs have made


class BuildWithNotebooks(build_py):
    """Copies the notebooks, their slides' style, and the report that they show into the wheel, for `tinycompress notebooks`.
    An editable installation finds them in the clone."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shipped = Path(self.build_lib, "tinycompress", "lecture", "shipped")
            shutil.rmtree(shipped, ignore_errors=True)
            for path in itertools.chain(*map(REPOSITORY.glob, SHIPPED)):
                target = shipped / path.relative_to(REPOSITORY)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


class WholeRepository(sdist):
    """A source distribution holds all of the repository: tests with their helpers, notebooks, figures, guides."""

    def make_release_tree(self, base_dir, files):
        names = (".binder", ".ci", ".github", "figures", "notebooks", "tests", "tinycompress")
        folders = (REPOSITORY / name for name in names)
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        more = [str(path.relative_to(REPOSITORY)) for path in found if path.parent.name not in MADE]
        super().make_release_tree(base_dir, sorted({*files, *more}))


class ReadmeWithAddresses(egg_info):
    """Lets the README's pictures and links, as a package's long description, lead to the repository, Source in [project.urls]."""

    def run(self):
        metadata = self.distribution.metadata
        metadata.long_description = with_addresses(metadata.long_description, metadata.project_urls["Source"])
        super().run()


def with_addresses(text: str, repository: str) -> str:
    """The Markdown text, whose links to files of the repository become addresses: pages for text, raw files for pictures.

    >>> with_addresses("![a](b.png) [c](d.md) [e](#f) [g](https://h)", "https://git/us")
    '![a](https://git/us/raw/HEAD/b.png) [c](https://git/us/blob/HEAD/d.md) [e](#f) [g](https://h)'
    """

    def address(link):
        kind = "raw" if link[1].endswith(PICTURES) else "blob"
        return f"]({repository.rstrip('/')}/{kind}/HEAD/{link[1]})"

    return re.sub(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)", address, text)
