"""The staff's folder of a challenge: every hand-in, and a log that is only ever appended to.

A hand-in is first stored and logged as received, then judged, and then logged as judged. Whenever that is interrupted,
`Board.catch_up` judges what was received and not judged yet, so nothing is lost and nothing is judged twice.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ..course.exercise import CourseProblem
from ..course.staff.export import printable
from ..course.staff.log import Log
from ..files import replace_file
from .images import public_half, secret_half
from .judge import Refused, judge
from .rules import read_rules

LOG, HAND_INS = "log.jsonl", "hand_ins"
LONGEST_NAME = 100
HALVES = ("public", "secret")


@dataclass(frozen=True, eq=False)
class Entry:
    """A judged hand-in. baseline: whether it is one of the lecture's. refused: why it does not count; "" if it was judged.

    right, work: for each half, whether each image is right and how many multiplications it took, (N,).
    weights: how many are not 0. due, free_days: this student's deadline and days late that cost nothing, by the roster.
    """

    number: int
    student: str
    time: datetime
    file: str
    nbytes: int
    baseline: bool = False
    refused: str = ""
    right: dict[str, np.ndarray] | None = None
    work: dict[str, np.ndarray] | None = None
    weights: int = 0
    due: datetime | None = None
    free_days: int = 0

    def accuracy(self, half: str) -> float:
        return float(self.right[half].mean())

    def value(self, measure: str, half: str) -> float:
        """The accuracy (a share), bytes, or mean multiplications per image, on one half of the images."""
        if measure == "accuracy":
            return self.accuracy(half)
        return float(self.nbytes if measure == "bytes" else self.work[half].mean())


class Board:
    """A challenge's folder on the staff's side. Raises CourseProblem if it is not one."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.rules = read_rules(self.folder)
        self.halves = {"public": public_half(self.folder)[0], "secret": secret_half(self.folder)}
        self.num_classes = public_half(self.folder)[1]
        self.log = Log(self.folder / LOG)

    def receive(self, student: str, data: bytes, time: datetime, baseline: bool = False) -> int:
        """Store and log a hand-in; return its number. Call it and `catch_up` with the log's lock held.

        Raises Refused, without a trace in the log, for a hand-in that is there already, is too large, or is one too many for
        its day.
        """
        if not student.strip() or len(student) > LONGEST_NAME or printable(student) != student:
            raise CourseProblem(
                f"{student!a} is no name for a student: 1 to {LONGEST_NAME} printable characters, please"
            )
        file = hashlib.sha256(data).hexdigest()
        entries = self.entries()
        own = [e for e in self._received() if e["student"] == student]
        if same := [e for e in entries if e.student == student and e.file == file and not e.refused]:
            raise Refused(f"the same file is hand-in {same[0].number}; it is not counted again")
        day = [e for e in own if datetime.fromisoformat(e["time"]).astimezone(time.tzinfo).date() == time.date()]
        if len(day) >= self.rules.hand_ins_a_day and not baseline:
            raise Refused(f"{student!a} has handed in {len(day)} files on {time.date()}, as many as a day allows")
        number = 1 + max((e["number"] for e in self._received()), default=0)
        (self.folder / HAND_INS).mkdir(exist_ok=True)
        replace_file(self.folder / HAND_INS / f"{file}.tcz", data)
        record = {"kind": "received", "number": number, "student": student, "time": time.isoformat(timespec="seconds")}
        self.log.append(record | {"file": file, "bytes": len(data), "baseline": baseline})
        return number

    def catch_up(self) -> Iterator[Entry]:
        """Judge every hand-in that was received and not judged, and yield each once its result is in the log."""
        done = {record["number"] for record in self.log.records() if record.get("kind") == "judged"}
        for received in self._received():
            if received["number"] not in done:
                judged = {"kind": "judged", "number": received["number"]} | self._judged(received)
                self.log.append(judged)
                yield self._entry(received, judged)

    def entries(self) -> list[Entry]:
        """All judged hand-ins, in the order in which they were received."""
        judged = {record["number"]: record for record in self.log.records() if record.get("kind") == "judged"}
        return [self._entry(e, judged[e["number"]]) for e in self._received() if e["number"] in judged]

    def _received(self) -> list[dict]:
        return [record for record in self.log.records() if record.get("kind") == "received"]

    def _judged(self, received: dict) -> dict:
        x = np.concatenate([half.x for half in self.halves.values()])
        y = np.concatenate([half.y for half in self.halves.values()])
        path = self.folder / HAND_INS / f"{received['file']}.tcz"
        # The lecture's own may be larger than allowed: the page shows them, without a rank.
        rules = replace(self.rules, most_bytes=None) if received["baseline"] else self.rules
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CourseProblem(f"{path}, a hand-in, cannot be read: {error.strerror}") from error
        try:
            answer = judge(content, x, self.num_classes, rules)
        except Refused as why:
            return {"refused": str(why)}
        costs, which = np.unique(answer.work, return_inverse=True)
        right = np.packbits(answer.classes == y).tobytes().hex()
        exits = which.astype(np.uint8).tobytes().hex() if len(costs) > 1 else ""
        return {"right": right, "costs": costs.tolist(), "exits": exits, "weights": answer.weights}

    def _entry(self, received: dict, judged: dict) -> Entry:
        time = datetime.fromisoformat(received["time"])
        common = (
            received["number"],
            received["student"],
            time,
            received["file"],
            received["bytes"],
            received["baseline"],
        )
        if "refused" in judged:
            return Entry(*common, judged["refused"])
        public = len(self.halves["public"].y)
        count = public + len(self.halves["secret"].y)
        right = np.unpackbits(np.frombuffer(bytes.fromhex(judged["right"]), np.uint8), count=count).astype(bool)
        exits = np.frombuffer(bytes.fromhex(judged["exits"]), np.uint8) if judged["exits"] else np.zeros(count, int)
        work = np.array(judged["costs"])[exits]
        halves = {"public": slice(0, public), "secret": slice(public, count)}
        return Entry(
            *common,
            right={half: right[at] for half, at in halves.items()},
            work={half: work[at] for half, at in halves.items()},
            weights=judged["weights"],
        )
