"""Waiting for what another process or thread does, however busy the machine is."""

import time

LONG = 300
"""Seconds until a test gives up: what it waits for has happened long before that, or never will."""


def wait_for(what, happened):
    """What happened() gives once that is true; if it stays false, fail and say `what` did not happen."""
    deadline = time.monotonic() + LONG
    while not (found := happened()):
        assert time.monotonic() < deadline, f"not within {LONG} s: {what}"
        time.sleep(0.01)
    return found
