"""Nets that take long to train, kept in the user's cache, so that an interrupted run goes on and other claims find them."""

import hashlib
import json
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ..data import Dataset
from ..data.download import cache_folder
from ..files import alone, replace_file
from ..selection import resuming, shown
from .identity import code_hash, fingerprint_of, versions

Made = TypeVar("Made")


def stored(name: str, what: Sequence, dataset: Dataset, make: Callable[[], Made], epochs: float) -> Made:
    """What make() returns, a net or something with nets; at the next call with the same arguments, it is read from a file.

    name, what: plain values that tell this net from others, such as its method, plan and seed. The file's name is their hash
    with those of the data's content, of the code that the module of `make` can run (`code_hash`), and of the versions that may
    change results. So an edit of the engine trains the net again, and one of a docstring, a figure or a verdict does not. It is
    a pickle, since a .tcz file has the weights and not how they are trained further or counted. What `make` trains as
    `resumable` goes on after its last whole epoch if it was killed. Of several processes that want the same net, one trains it.
    epochs: how many `make` trains with `selection.train`, for a bar that tells the time left; how long it took stays on stderr.
    Raises what `make` raises, and OSError if the cache cannot be written.
    """
    key = json.dumps([name, *what, fingerprint_of(dataset), code_hash(make.__module__), *versions()])
    path = cache_folder("nets") / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.pickle"
    if found := _read(path):
        return found[0]
    with alone(cache_folder("locks") / path.stem, f"{name}: another process trains it; waiting"):
        if found := _read(path):
            return found[0]
        start = time.perf_counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        with shown(name, epochs), resuming(path):
            made = make()
            replace_file(path, pickle.dumps(made))
    print(f"{name}: trained in {(time.perf_counter() - start) / 60:.1f} min", file=sys.stderr, flush=True)
    return made


def _read(path: Path) -> tuple:
    """What the file holds, in a tuple; an empty one if it is not there, or damaged."""
    try:
        return (pickle.loads(path.read_bytes()),)
    except Exception:  # a damaged pickle can raise anything
        return ()
