"""What pyproject.toml cannot say of a wheel and a source distribution; it names these classes in `tool.setuptools.cmdclass`."""

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

REPOSITORY = Path(__file__).resolve().parents[2]
MADE = ("__pycache__", ".ipynb_checkpoints")  # folders of files that programs have made


class BuildWithNotebooks(build_py):
    """Copies the notebooks and the report that they show into the wheel, for `tinycompress notebooks`. An editable
    installation finds them in the clone."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shipped = Path(self.build_lib, "tinycompress", "lecture", "shipped")
            shutil.rmtree(shipped, ignore_errors=True)
            for path in [*REPOSITORY.glob("notebooks/*.ipynb"), REPOSITORY / "figures" / "claims.json"]:
                target = shipped / path.relative_to(REPOSITORY)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


class WholeRepository(sdist):
    """A source distribution holds all of the repository: tests with their helpers, notebooks, figures."""

    def make_release_tree(self, base_dir, files):
        folders = (REPOSITORY / name for name in (".ci", ".github", "figures", "notebooks", "tests"))
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        more = [str(path.relative_to(REPOSITORY)) for path in found if path.parent.name not in MADE]
        super().make_release_tree(base_dir, sorted({*files, *more}))
