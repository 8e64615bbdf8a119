"""`challenge new`: the students' folder and the staff's, which alone has the secret images."""

import sys
from pathlib import Path

from .. import __version__
from ..course.exercise import CourseProblem
from ..data import SOURCES, DataError, load
from ..files import replace_file, whole_folder
from . import start
from .images import DATA, SECRET, save, split
from .rules import FILE, new_rules, parse_rules

STUDENTS, STAFF = "students", "staff"

README = """\
# {title}

{goal}

Install once: `pip install "tinycompress=={version}"`, or `pip install -e .` in a clone of that version.

A hand-in is one file, such as net.tcz: no code, and nothing of it is executed. Save a net with
`tinycompress.quantization.tcz.save(net, "net.tcz")`.

    python start.py                          writes first.tcz, a valid hand-in, within minutes; then make it better
    tinycompress challenge check first.tcz   what a file is worth on the public images
    tinycompress inspect first.tcz           where its bytes go

- `challenge.toml`: the rules.
- `data.npz`: `tinycompress.data.load("data.npz")` gives images for training and validation, and as the test split the
  public half of the test images. Others, the secret half, decide the ranking.
- Choose by the validation images. Of your hand-ins, the one that is best on the public half counts, but it is ranked by the
  secret half: what fits the public images only is worth nothing there, and the page shows both.
- Two hand-ins that the secret images do not tell apart share a rank.
- A net with exits (`tinycompress.dynamic.add_exits`) stops where its class has a probability of at least {leave_at:g}.
  `tinycompress.challenge.exits.with_thresholds` turns your thresholds into this one.
- {public}
"""
HONEST = (
    "Anyone can download the images of {name}, those of the secret half as well. Training on them is cheating, like reading "
    "the solution: train on `data.npz` only."
)


def new(folder: Path, measure: str, data: str, rules: str | None = None) -> tuple[Path, Path]:
    """Write a new challenge on this data (a name or an .npz) and return the students' and the staff's folder.

    rules: the text of a challenge.toml; None: the template for the measure. Raises CourseProblem; what is there already
    is never replaced, since another split would make the secret images public.
    """
    try:
        dataset = load(data)
    except (OSError, DataError) as error:
        raise CourseProblem(f"--data {data}: {error}") from error
    text = rules or new_rules(measure, data, public=data in SOURCES)
    found = parse_rules(text)
    students, staff = folder / STUDENTS, folder / STAFF
    if folder.exists() and any(folder.iterdir()):
        raise CourseProblem(
            f"{folder} is not empty; give a new folder, since a second split would give secret images away"
        )
    if min((dataset.y_test == label).sum() for label in range(dataset.num_classes)) < 2:
        raise CourseProblem(f"--data {data}: each class needs at least 2 test images, one for each half")
    public, secret = split(dataset)
    try:
        with whole_folder(folder) as made:
            for place in made / STUDENTS, made / STAFF:
                place.mkdir()
                save(place / DATA, public)
                replace_file(place / FILE, text)
            if sys.platform != "win32":
                (made / STAFF).chmod(0o700)
            save(made / STAFF / SECRET, secret)
            honest = (
                HONEST.format(name=data) if found.secret_is_public else "Nobody but the staff has the secret images."
            )
            readme = README.format(
                title=found.title, goal=found.goal(), version=__version__, leave_at=found.leave_at, public=honest
            )
            replace_file(made / STUDENTS / "README.md", readme)
            replace_file(made / STUDENTS / "start.py", Path(start.__file__).read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseProblem(f"{error.filename}: {error.strerror}") from error
    load(students / DATA)  # raises here, not on the students' machines
    return students, staff
