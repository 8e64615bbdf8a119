"""What tests of the course share: an exercise, questions, and submissions that run in the sandbox."""

import uuid

import pytest
from asked import OWN, QUESTIONS
from course_class import write_exercise


@pytest.fixture
def exercise(tmp_path):
    return write_exercise(tmp_path)


@pytest.fixture
def course(exercise, tmp_path):
    """A folder with the exercise, and places for hand-ins and log."""
    return tmp_path


@pytest.fixture
def root(tmp_path):
    """A folder of exercises with a chapter that has questions."""
    folder = tmp_path / "exercises" / "toy"
    folder.mkdir(parents=True)
    (folder / "questions.toml").write_text("\ufeff" + QUESTIONS, encoding="utf-8")  # as Windows' editor saves it
    (folder / "own_add.py").write_text(OWN)
    (folder / "add.py").write_text("def add(a, b):\n    return a + b\n")
    return tmp_path / "exercises"


@pytest.fixture
def sets(root):
    from tinycompress.course.questions.question import find_questions

    return find_questions((), root)


@pytest.fixture
def log(tmp_path):
    from tinycompress.course.staff.log import Log

    return Log(tmp_path / "results.jsonl")


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    from tinycompress.course.sandbox import Kit

    return Kit.make((), tmp_path_factory.mktemp("kit") / "kit")


@pytest.fixture
def wall(request):
    """The level that `submit` runs submissions at; tests marked with `walls` run at each."""
    return getattr(request, "param", "bubblewrap")


@pytest.fixture
def submit(kit, tmp_path, wall):
    """Make a submission of this source; its functions run in the sandbox."""
    from tinycompress.course.sandbox import readable
    from tinycompress.course.sandbox.workers import InWorkers

    made = []

    def submit(source, kit=kit, level=wall, secrets=()):
        name = f"answer_{uuid.uuid4().hex}.py"
        folder = tmp_path / f"submission{len(made)}"
        folder.mkdir()
        (folder / name).write_bytes(source if isinstance(source, bytes) else source.encode())
        readable(folder)
        made.append(InWorkers(kit, folder, name, level, secrets))
        return made[-1]

    yield submit
    for submission in made:
        submission.close()
