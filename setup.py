"""The long description: the README, whose pictures and links lead to the repository. All else is in pyproject.toml."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
SOURCE = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]


def resolved(link: re.Match) -> str:
    """A link of the README as seen from outside of the repository."""
    picture, text, target = link.groups()
    if "://" in target or target.startswith("#"):
        return link[0]
    return f"{picture}[{text}]({SOURCE}/{'raw' if picture else 'blob'}/HEAD/{target})"


readme = (HERE / "README.md").read_text(encoding="utf-8")
setup(
    long_description=re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", resolved, readme),
    long_description_content_type="text/markdown",
)
