"""What all tests share: a seeded source of numbers, and hypothesis without chance or clock."""

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
