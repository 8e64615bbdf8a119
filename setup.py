"""What pyproject.toml cannot say.

The long description is the README, with pictures and links that lead to the repository. A wheel holds the notebooks and the
report that they show, for `tinycompress notebooks`.
"""

import re
import shutil
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
SOURCE = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]


def resolved(link: re.Match) -> str:
    """A link of the README as seen from outside of the repository."""
    picture, text, target = link.groups()
    if "://" in target or target.startswith("#"):
        return link[0]
    return f"{picture}[{text}]({SOURCE}/{'raw' if picture else 'blob'}/HEAD/{target})"


class BuildWithNotebooks(build_py):
    """Copies what the notebooks are and show into the package, except in an editable installation, which finds them."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shipped = Path(self.build_lib, "tinycompress", "lecture", "shipped")
            shutil.rmtree(shipped, ignore_errors=True)
            for path in [*HERE.glob("notebooks/*.ipynb"), HERE / "figures" / "claims.json"]:
                target = shipped / path.relative_to(HERE)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


readme = (HERE / "README.md").read_text(encoding="utf-8")
setup(
    cmdclass={"build_py": BuildWithNotebooks},
    long_description=re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", resolved, readme),
    long_description_content_type="text/markdown",
)
