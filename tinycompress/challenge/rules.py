"""The rules of a challenge, in one small TOML file that staff and students share."""

import tomllib
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from ..course.exercise import CourseProblem
from ..text import did_you_mean

FILE = "challenge.toml"
MEASURES = ("accuracy", "bytes", "multiplications")
MOST_BYTES = 16 << 20  # no hand-in is larger, whatever the rules allow

TEMPLATE = """\
# The rules of the challenge. The students' folder holds a copy: give them the new one if you change it.
title = "{title}"

# What is measured: "accuracy" (the highest wins), "bytes" of the file or "multiplications" per image (the fewest win).
# Multiplications are those by nonzero weights of dense and convolution layers. A net with exits (MultiExit) stops
# at the first exit that gives its class a probability of at least leave_at, and only what it has computed is counted.
measure = "{measure}"
leave_at = 0.9

# What a hand-in must keep to. Remove the # from what should hold.
{most_bytes}
{most_multiplications}
{least_accuracy}
hand_ins_a_day = 5

# Two hand-ins share a rank unless the secret images tell them apart with this confidence.
confidence = 0.95

# Late hand-ins count only for those who have none in time, and lose this share of the points per day begun.
# deadline = 2027-01-31T23:59:00+01:00
late_days = 3
late_percent_a_day = 20

# Points by rank (the last number is for all further ranks), or instead by value, as [value reached, points].
points_by_rank = [10, 9, 8, 7, 6, 5]
# points_by_value = {by_value}

# Whether the secret images can be found by anyone, as those of MNIST can; the page says so.
secret_is_public = {secret_is_public}

# Limits of the process that loads a hand-in and predicts all images.
seconds = 120
memory_mib = 2048
"""
REFERENCES = """
# Lines to beat: our own best on all test images of MNIST, by claim Q5 of the lecture (means of three seeds).
references = [
  { name = "LeNet-300-100, all methods", bytes = 5142, accuracy = 0.9872 },
  { name = "LeNet-300-100, smaller", bytes = 2784, accuracy = 0.9818 },
  { name = "LeNet-5, all methods", bytes = 3194, accuracy = 0.9934 },
  { name = "LeNet-5, smaller", bytes = 2048, accuracy = 0.9922 },
]
"""


@dataclass(frozen=True)
class Rules:
    """The rules; TEMPLATE explains each. Limits that are None do not hold.

    most_bytes, most_multiplications, least_accuracy: the limits. Accuracies are shares from 0 to 1.
    """

    title: str
    measure: str
    leave_at: float = 0.9
    most_bytes: int | None = None
    most_multiplications: int | None = None
    least_accuracy: float | None = None
    hand_ins_a_day: int = 5
    confidence: float = 0.95
    deadline: datetime | None = None
    late_days: int = 0
    late_percent_a_day: float = 0.0
    points_by_rank: tuple[float, ...] = ()
    points_by_value: tuple[tuple[float, float], ...] = ()
    secret_is_public: bool = True
    seconds: float = 120.0
    memory_mib: int = 2048
    references: tuple[dict, ...] = ()

    def goal(self) -> str:
        """The challenge in one sentence."""
        best = {"accuracy": "The highest accuracy", "bytes": "The fewest bytes"}
        limits = [
            f"in at most {self.most_bytes:,} bytes" if self.most_bytes else "",
            f"with at most {self.most_multiplications:,} multiplications an image" if self.most_multiplications else "",
            f"at an accuracy of at least {100 * self.least_accuracy:g} %" if self.least_accuracy else "",
        ]
        return " ".join([best.get(self.measure, "The fewest multiplications per image"), *filter(None, limits)]) + "."

    def better(self, value: float) -> float:
        """A value of the measure such that more is better."""
        return value if self.measure == "accuracy" else -value

    def amount(self, value: float) -> str:
        """A value of the measure, as text."""
        if self.measure == "accuracy":
            return f"{100 * value:.2f} %"
        return f"{value:,.0f} {self.measure}"


_CHECKS = {  # name -> what it should be, and whether it is
    "title": ("a text", lambda v: isinstance(v, str) and v.strip()),
    "measure": (f"one of {', '.join(MEASURES)}", lambda v: v in MEASURES),
    "leave_at": ("a probability above 0 and below 1", lambda v: _number(v) and 0 < v < 1),
    "most_bytes": (f"a whole number from 1 to {MOST_BYTES:,}", lambda v: _whole(v) and v <= MOST_BYTES),
    "most_multiplications": ("a whole number, 1 or more", lambda v: _whole(v)),
    "least_accuracy": ("a share above 0 and up to 1, such as 0.985", lambda v: _number(v) and 0 < v <= 1),
    "hand_ins_a_day": ("a whole number, 1 or more", lambda v: _whole(v)),
    "confidence": ("a share from 0.5 to below 1, such as 0.95", lambda v: _number(v) and 0.5 <= v < 1),
    "deadline": (
        "a date and time with its offset, such as 2027-01-31T23:59:00+01:00, without quotes",
        lambda v: isinstance(v, datetime) and v.tzinfo is not None,
    ),
    "late_days": ("a whole number, 0 or more", lambda v: v == 0 and _number(v) or _whole(v)),
    "late_percent_a_day": ("a number from 0 to 100", lambda v: _number(v) and 0 <= v <= 100),
    "points_by_rank": ("a list of numbers, such as [10, 9, 8]", lambda v: isinstance(v, list) and all(map(_number, v))),
    "points_by_value": (
        "a list of pairs [value, points], such as [[0.9, 5], [0.95, 10]]",
        lambda v: isinstance(v, list) and all(isinstance(p, list) and len(p) == 2 and all(map(_number, p)) for p in v),
    ),
    "secret_is_public": ("true or false", lambda v: isinstance(v, bool)),
    "seconds": ("a number from 5 to 3600", lambda v: _number(v) and 5 <= v <= 3600),
    "memory_mib": ("a whole number from 512 on", lambda v: _whole(v) and v >= 512),
    "references": (
        "tables with a name, bytes, and an accuracy as a share",
        lambda v: (
            isinstance(v, list)
            and all(isinstance(r, dict) and r.get("name") and _whole(r.get("bytes")) for r in v)
            and all(_number(r.get("accuracy")) and 0 < r["accuracy"] <= 1 for r in v)
        ),
    ),
}


def read_rules(folder: Path | str) -> Rules:
    """The rules in a folder's challenge.toml. Raises CourseProblem, which names the entry that is wrong."""
    path = Path(folder) / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CourseProblem(
            f"{folder} is not a folder of a challenge: it has no {FILE}; give the right one with --folder, or make one "
            "with `tinycompress challenge new`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CourseProblem(f"{path} cannot be read: {error}") from error
    try:
        return parse_rules(text)
    except CourseProblem as error:
        raise CourseProblem(f"{path}: {error}") from error


def parse_rules(text: str) -> Rules:
    """The rules in TOML. Raises CourseProblem."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CourseProblem(f"is not TOML: {error}") from error
    for name, value in found.items():
        if name not in _CHECKS:
            raise CourseProblem(f"{name!r} is not a rule{did_you_mean(name, _CHECKS)}")
        expected, good = _CHECKS[name]
        if not good(value):
            raise CourseProblem(f"{name} should be {expected}; it is {value!r}")
    if missing := [
        field.name for field in fields(Rules) if field.name in ("title", "measure") and field.name not in found
    ]:
        raise CourseProblem(f"it lacks {' and '.join(missing)}")
    if found["measure"] != "accuracy" and "least_accuracy" not in found:
        raise CourseProblem(
            f"the fewest {found['measure']} need a least_accuracy, or a net that knows nothing wins; add one, such as "
            "least_accuracy = 0.97"
        )
    if found.get("points_by_rank") and found.get("points_by_value"):
        raise CourseProblem("give points_by_rank or points_by_value, not both")
    return Rules(**{name: _frozen(value) for name, value in found.items()})


def new_rules(measure: str, data: str, public: bool) -> str:
    """The text of a new challenge.toml for data of this name; public: whether anybody can get its test images."""
    small = data == "digits"
    accuracy = {"bytes": 0.96 if small else 0.985, "multiplications": 0.95 if small else 0.97}.get(measure)
    title = {
        "accuracy": "The best net in 8,192 bytes",
        "bytes": f"The smallest net at {100 * (accuracy or 0):g} %",
        "multiplications": f"The fewest multiplications at {100 * (accuracy or 0):g} %",
    }[measure]
    by_value = {"accuracy": [[0.9, 4], [0.95, 7], [0.97, 10]], "bytes": [[16384, 4], [8192, 7], [4096, 10]]}
    text = TEMPLATE.format(
        title=title,
        measure=measure,
        most_bytes="most_bytes = 8192" if measure == "accuracy" else "# most_bytes = 8192",
        most_multiplications="# most_multiplications = 100_000",
        least_accuracy=f"least_accuracy = {accuracy}" if accuracy else "# least_accuracy = 0.9",
        by_value=by_value.get(measure, [[100000, 4], [50000, 7], [20000, 10]]),
        secret_is_public=str(public).lower(),
    )
    return text + (REFERENCES if data == "mnist" else "")


def _number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _frozen(value):
    return tuple(tuple(v) if isinstance(v, list) else v for v in value) if isinstance(value, list) else value
