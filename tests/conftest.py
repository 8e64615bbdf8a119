"""What all tests share: a seeded source of numbers, and hypothesis without chance or clock."""

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("tests", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("tests")


@pytest.fixture
def rng():
    return np.random.default_rng(0)
