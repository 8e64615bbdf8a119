"""From the bytes of a hand-in to what its net says, in a process of its own with limits on time and memory.

The process gets images and never labels. Whatever happens to it, the hand-in is refused with one line.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .rules import MOST_BYTES, Rules
from .worker import Refused

__all__ = ["Answer", "Refused", "judge", "read_hand_in"]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a hand-in says to N images. classes: the predicted ones, (N,). work: multiplications, (N,). weights: how many are
    not 0."""

    classes: np.ndarray
    work: np.ndarray
    weights: int


def read_hand_in(path: Path | str) -> bytes:
    """The bytes of a hand-in. Raises Refused for what is no regular file or too large for any challenge."""
    path = Path(path)
    try:
        if not path.is_file():  # a pipe would never end
            raise Refused("it is not a regular file")
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(f"it cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise Refused(f"the file has more than {MOST_BYTES:,} bytes")
    return data


def judge(data: bytes, x: np.ndarray, num_classes: int, rules: Rules) -> Answer:
    """What the net in these bytes says to the images x (N, H, W, C). Raises Refused, with one line for the student."""
    if rules.most_bytes and len(data) > rules.most_bytes:
        raise Refused(
            f"{len(data):,} bytes, {len(data) - rules.most_bytes:,} more than the {rules.most_bytes:,} allowed"
        )
    with tempfile.TemporaryDirectory() as folder:
        file, images = Path(folder, "hand_in.tcz"), Path(folder, "images.npy")
        file.write_bytes(data)
        np.save(images, x)
        found = _run([str(file), str(images), str(num_classes), str(rules.leave_at), str(rules.memory_mib)], rules)
    if "refused" in found:
        raise Refused(found["refused"])
    costs = np.array(found["costs"], float)
    exits = np.array(found["exits"] or [0] * len(x), int)
    return Answer(np.array(found["classes"], int), costs[exits], found["weights"])


def _run(arguments: list[str], rules: Rules) -> dict:
    """Run the worker and return its JSON object."""
    home = str(Path(__file__).parents[2])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")])),
        "OPENBLAS_NUM_THREADS": "1",  # each thread's memory counts, used or not
        "OMP_NUM_THREADS": "1",
    }
    # -P: no file of the current folder can stand in for a module.
    command = [sys.executable, "-P", "-m", "tinycompress.challenge.worker", *arguments]
    try:
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=rules.seconds, env=environment
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"the net takes more than the {rules.seconds:g} s that it may take for all images") from None
    try:
        if run.returncode == 0:
            return json.loads(run.stdout)
    except ValueError:
        pass
    last = (run.stderr.decode(errors="replace").strip().splitlines() or [""])[-1][:200]
    if "MemoryError" in last or run.returncode < 0:
        raise Refused(f"the net ended its process: it needs more than {rules.memory_mib:,} MiB of memory, or a fault")
    raise Refused(f"the net could not be judged: {last or 'its process ended without an answer'}")
