"""What tests of the course share: an exercise, and submissions that run in the sandbox."""

import uuid

import pytest
from course_class import write_exercise


@pytest.fixture
def exercise(tmp_path):
    return write_exercise(tmp_path)


@pytest.fixture
def course(exercise, tmp_path):
    """A folder with the exercise, and places for hand-ins and log."""
    return tmp_path


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
