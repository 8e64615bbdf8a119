"""Nets that take long to train, kept in the user's cache, so that an interrupted run goes on and other claims find them."""

import hashlib
import json
import pickle
import sys
import time
from collections.abc import Callable, Sequence

from ..data import Dataset
from ..data.download import cache_folder
from ..files import replace_file
from ..nn import Module
from .identity import fingerprint_of, source_hash, versions


def stored(name: str, what: Sequence, dataset: Dataset, make: Callable[[], Module]) -> Module:
    """The net that make() returns; at the next call with the same arguments, it is read from a file.

    name, what: plain values that tell this net from others, such as its method, plan and seed. The file's name is their hash
    with those of the data's content, of this package's sources, and of the versions that may change results. It is a pickle,
    since a .tcz file has the weights and not how they are trained further or counted. Says on stderr how long a new net took.
    Raises what `make` raises, and OSError if the cache cannot be written.
    """
    key = json.dumps([name, *what, fingerprint_of(dataset), source_hash(), *versions()])
    path = cache_folder("nets") / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.pickle"
    try:
        return pickle.loads(path.read_bytes())
    except Exception:  # not there, or damaged: a pickle can then raise anything
        path.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    net = make()
    replace_file(path, pickle.dumps(net))
    print(f"{name}: trained in {(time.perf_counter() - start) / 60:.1f} min", file=sys.stderr, flush=True)
    return net
