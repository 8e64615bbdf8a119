"""What tests share: a seeded source of numbers, hypothesis without chance or clock, and what several files prepare."""

import pickle
import uuid

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("tests", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("tests")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def measure():
    """measure(claim, task): its rows as a run with several processes gets them: what was prepared has travelled."""

    def rows_of(claim, task):
        prepared = [pickle.loads(pickle.dumps(claim.prepare(*task)))] if claim.prepare else []
        return claim.measure(*task, *prepared)

    return rows_of


# ---- data ----


class NoNetwork:
    def __init__(self, **settings):
        pass

    def __call__(self, url, output_file, pooch):
        raise AssertionError(f"a test reached for {url}")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No setting of the user's, no network, and a cache folder of the test's own."""
    monkeypatch.delenv("TINYCOMPRESS_DATA", raising=False)
    monkeypatch.setattr("pooch.HTTPDownloader", NoNetwork)
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache")


# ---- the course, which other tests need not import ----


@pytest.fixture
def exercise(tmp_path):
    from course_class import write_exercise

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
def submit(kit, tmp_path):
    """Make a submission of this source; its functions run in the sandbox."""
    from tinycompress.course.sandbox import readable
    from tinycompress.course.sandbox.workers import InWorkers

    made = []

    def submit(source, kit=kit):
        name = f"answer_{uuid.uuid4().hex}.py"
        folder = tmp_path / f"submission{len(made)}"
        folder.mkdir()
        (folder / name).write_bytes(source if isinstance(source, bytes) else source.encode())
        readable(folder)
        made.append(InWorkers(kit, folder, name))
        return made[-1]

    yield submit
    for submission in made:
        submission.close()
