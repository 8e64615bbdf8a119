"""The progress bar of `fit`: where it is shown, and what it tells."""

import io
import re
import sys
import time

import numpy as np
import pytest

from tinycompress import nn, optim
from tinycompress.training import fit


def train(**options):
    """Twelve batches an epoch."""
    rng = np.random.default_rng(0)
    net = nn.Dense(2, 3, rng=rng)
    data = rng.standard_normal((90, 2)).astype(np.float32), np.arange(90) % 3
    fit(net, data, optimizer=optim.SGD(net.parameters(), 0.05), rng=rng, batch_size=8, **options)


def test_the_bar_tells_the_time_left_within_the_first_epoch(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # where a bar is shown although the output is no terminal

    def slow(x, rng):
        time.sleep(0.03)  # the bar is drawn every tenth of a second
        return x

    train(epochs=2, augment=slow)
    shown = capsys.readouterr().err
    assert "2 epochs" in shown and re.search(r" ([1-9]|1[01])/24 \[\d\d:\d\d<\d\d:\d\d", shown)


@pytest.mark.parametrize(("terminal", "notebook"), [(True, False), (False, True), (False, False)])
def test_a_progress_bar_is_shown_where_somebody_looks(monkeypatch, terminal, notebook):
    """In a terminal or a notebook, rather than in the log of a job."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", sys)
    train(epochs=1)
    assert ("epoch" in stream.getvalue()) == (terminal or notebook)
