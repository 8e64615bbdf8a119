"""What tests share: a seeded source of numbers, hypothesis without chance or clock, and what several files prepare."""

import pickle

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
