"""`course container`: what Gradescope or PrairieLearn need to run `course grade-one` on each submission.

The exercises, this package and the seed of the hidden tests travel together and are closed to all but root; the libraries,
which submissions may use, are installed beside them from requirements.txt.
"""

import json
import secrets
import shutil
import uuid
import zipfile
from importlib import metadata
from pathlib import Path

from ...files import whole_folder
from ..allowed import PACKAGE
from ..collect import ANSWERS
from ..exercise import CourseProblem, Exercise
from ..questions.question import FILE, QuestionSet

SYSTEMS = ("gradescope", "prairielearn")
PYTHON = "3.12"
IMAGE = "tinycompress-grader"

# gradescope-autograders.readthedocs.io, "Autograder Specifications"
SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the container.
set -euo pipefail
cd /autograder/source
apt-get install -y python3 python3-venv
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$(python3 --version) is too old, 3.11 is needed: choose a newer base image (Ubuntu 24.04)" >&2
    exit 1
fi
python3 -m venv /autograder/python
/autograder/python/bin/pip install -r requirements.txt
/autograder/python/bin/python -m compileall -q package
chmod -R go= /autograder/source # submissions run as another user, who must not read solutions and tests
"""
RUN_AUTOGRADER = """\
#!/usr/bin/env bash
# Gradescope runs this, as root, for each submission, in a container of its own.
chmod -R go= /autograder/source
if [ -e /autograder/submission_metadata.json ]; then # it holds the results of earlier submissions
    chmod go= /autograder/submission_metadata.json
fi
PYTHONPATH=/autograder/source/package exec /autograder/python/bin/python -m tinycompress course grade-one \\
    /autograder/submission {names} --results /autograder/results/results.json --format gradescope \\
    --exercises /autograder/source/exercises --seed-file /autograder/source/seed.txt{late}
"""
# docs.prairielearn.com, "External grading"
RUN_PRAIRIELEARN = """\
#!/usr/bin/env bash
# PrairieLearn runs this, as root, for each submission, in a container of its own.
chmod -R go= /grade/tests /grade/data
PYTHONPATH=/grade/tests/package exec python3 -m tinycompress course grade-one \\
    /grade/student {names} --results /grade/results/results.json --format prairielearn \\
    --exercises /grade/tests/exercises --seed-file /grade/tests/seed.txt
"""
DOCKERFILE = f"""\
FROM python:{PYTHON}-slim
COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir -r /requirements.txt
"""
QUESTION = """\
<pl-question-panel>
  <p>{task}, and upload your files. Those that you leave out earn nothing.</p>
  <pl-file-upload file-names="{files}"></pl-file-upload>
</pl-question-panel>
<pl-submission-panel>
  <pl-external-grader-results></pl-external-grader-results>
  <pl-file-preview></pl-file-preview>
</pl-submission-panel>
"""


def write_container(
    exercises: list[Exercise],
    system: str,
    out: Path,
    seed: str | None = None,
    image: str = IMAGE,
    late: tuple[float, int | None] = (0.0, None),
    sets: list[QuestionSet] = (),
) -> list[str]:
    """Write what has to be uploaded to `system`, one of SYSTEMS, and return what to do with it, a line per step.

    seed: that of the hidden tests; default: a new, random one. image: PrairieLearn's name of the image that is built.
    late: in Gradescope, percentage and limit of `LateRule`; sets: the questions.
    Raises CourseProblem if `out` is not empty, or two exercises have the same file name (in PrairieLearn).
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseProblem(f"{out} is not an empty folder; give a new one")
    write = _gradescope if system == "gradescope" else _prairielearn
    with whole_folder(out) as folder:
        return write(exercises, folder, out, seed or secrets.token_hex(16), image, late, sets)


def _gradescope(exercises, folder, out, seed, image, late, sets) -> list[str]:
    source = folder / "source"
    _write_common(exercises, sets, source, seed)
    _write(source / "setup.sh", SETUP, executable=True)
    percent, most = late
    options = f" --late {percent:g}" * (percent > 0) + f" --late-limit {most}" * (most is not None)
    _write(
        source / "run_autograder",
        RUN_AUTOGRADER.replace("{late}", options).replace("{names}", _names(exercises, sets)),
        executable=True,
    )
    _write(source / "requirements.txt", requirements())
    with zipfile.ZipFile(folder / "autograder.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.rglob("*")):
            archive.write(path, path.relative_to(source))
    return [f"upload {out / 'autograder.zip'} as the autograder of the assignment, with Ubuntu 24.04 as its base image"]


def _prairielearn(exercises, folder, out, seed, image, late, sets) -> list[str]:
    names = [f"{exercise.name}.py" for exercise in exercises]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise CourseProblem(f"two exercises have a file {double[0]}; PrairieLearn needs a question for each of them")
    question = folder / "question"
    _write_common(exercises, sets, question / "tests", seed)
    run = RUN_PRAIRIELEARN.replace("{names}", _names(exercises, sets))
    _write(question / "tests" / "run.sh", run, executable=True)
    _write(folder / "image" / "Dockerfile", DOCKERFILE)
    _write(folder / "image" / "requirements.txt", requirements())
    grading = {"enabled": True, "image": image, "entrypoint": "/grade/tests/run.sh", "timeout": 600}
    info = {
        "uuid": str(uuid.uuid4()),
        "title": ", ".join(part.id for part in [*exercises, *sets]),
        "topic": "Network compression",
        "type": "v3",
        "singleVariant": True,
        "gradingMethod": "External",
        "externalGradingOptions": grading | {"enableNetworking": False},
    }
    _write(question / "info.json", json.dumps(info, indent=2) + "\n")
    functions = ", ".join(exercise.id for exercise in exercises)
    chapters = ", ".join(found.chapter for found in sets)
    tasks = [f"write the functions of {functions}"] * bool(exercises)
    tasks += [f"answer the questions of {chapters} in {ANSWERS}"] * bool(sets)
    files = ", ".join([*names, *[ANSWERS] * bool(sets)])
    task = ", ".join(tasks)
    _write(question / "question.html", QUESTION.format(task=task[0].upper() + task[1:], files=files))
    return [
        f"docker build -t {image} {out / 'image'} && docker push {image}",
        f"copy {out / 'question'} to questions/ of the course",
    ]


def _names(exercises: list[Exercise], sets: list[QuestionSet]) -> str:
    return " ".join(part.id for part in [*exercises, *sets])


def _write_common(exercises: list[Exercise], sets: list[QuestionSet], folder: Path, seed: str) -> None:
    """The exercises with their solutions and tests, the questions with what answers them, this package, and the seed."""
    own = [question.own for found in sets for question in found.questions if question.own]
    asked = [path for found in sets if (path := found.folder / FILE).is_file()] + [task.path for task in own]
    for path in asked:
        _write(folder / "exercises" / path.parent.name / path.name, path.read_text(encoding="utf-8-sig"))
    for exercise in {exercise.id: exercise for exercise in [*exercises, *(task.exercise for task in own)]}.values():
        for path in exercise.solution, exercise.tests:
            _write(folder / "exercises" / exercise.chapter / path.name, path.read_text(encoding="utf-8"))
    unneeded = shutil.ignore_patterns("__pycache__", "*.pyc", "exercises")
    shutil.copytree(PACKAGE, folder / "package" / PACKAGE.name, ignore=unneeded)
    _write(folder / "seed.txt", seed + "\n")


def _write(path: Path, text: str, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    path.chmod(0o755 if executable else 0o644)


def requirements() -> str:
    """What this package and its extra `course` need, a line each. Raises CourseProblem if the package is not installed."""
    try:
        needed = metadata.requires("tinycompress") or []
    except metadata.PackageNotFoundError as error:
        raise CourseProblem("the package's requirements are unknown; install it: pip install -e .") from error
    course = [line.partition(";")[0] for line in needed if 'extra == "course"' in line]
    return "\n".join([*(line for line in needed if "extra ==" not in line), *course]) + "\n"
