"""What must hold before a finding gets a verdict: its nets learned, and there are enough test images to tell.

A claim declares once which nets its findings rest on (`learns`). When its rows are measured, those of nets no better than
guessing are marked with the key "did_not_learn", and those with a share of test images with "test_images". `judge` and the figure
follow from these marks. A net whose training diverged has a row that says so (`diverged`).
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Dataset, load
from .images.shares import IMAGES, WITHOUT
from .plans import cautions_on_colour

if TYPE_CHECKING:
    from .claim import Claim, Settings

Row = dict[str, Any]

LEARNED = "did_not_learn"  # key of a row -> {key of an accuracy: what guessing reaches, in %}
DIVERGED = "diverged"  # key of a row of a net whose training failed -> the error's words

SURE = 0.975  # guessing exceeds its bound in 2.5 % of all splits
ENOUGH = 300  # with fewer test images, a single one moves an accuracy by a third of a point or more
FEWEST = 30  # with fewer test images, nothing is said about accuracies
MOST_NAMES = 3  # in a verdict
FEW_PER_CLASS = 10  # training or validation images
UNBALANCED = 4  # times as many images in the largest class as in the smallest


@dataclass(frozen=True)
class Split:
    """A test split: its images, the number of classes, the images of the largest class, and those of the smallest."""

    images: int
    classes: int
    largest: int
    smallest: int

    @property
    def guessing(self) -> float:
        """The accuracy (%) up to which a net may only have guessed, or always named the largest class.

        The 97.5 % quantile of the binomial distribution of that many images and the better of both chances.
        """
        from scipy.special import bdtr

        chance = max(1 / self.classes, self.largest / self.images)
        right = np.arange(self.images + 1)
        return 100 * float(np.searchsorted(bdtr(right, self.images, chance), SURE)) / self.images

    @property
    def warnings(self) -> list[str]:
        """What a user should know about a split that is small or unbalanced, in words."""
        found = []
        if self.images < FEWEST:
            found.append(
                f"{self.images} test images are too few for a verdict on accuracies; give at least {FEWEST}, preferably {ENOUGH}"
            )
        elif self.images < ENOUGH:
            found.append(f"with {self.images} test images, intervals of accuracies are wide; give {ENOUGH} or more")
        if self.largest >= UNBALANCED * max(self.smallest, 1):
            trained = (
                f"a net counts as trained only above {self.guessing:.1f} %"
                if self.guessing < 100
                else "no net counts as trained"
            )
            counts = f"from {self.smallest} to {self.largest} test images"
            found.append(f"the classes are unbalanced, {counts}; {trained}")
        return found


def cautions_of(claims: "Iterable[Claim]", settings: "Settings") -> list[str]:
    """What a user should know before these claims run, about images that are few, unbalanced, changed or large, in words."""
    dataset, plans = load(settings.data), [claim.plans for claim in claims]
    return warnings_of(dataset) + cautions_on_colour(plans, settings, dataset)


def warnings_of(dataset: Dataset) -> list[str]:
    """What a user should know about a data set that is small or unbalanced, in words."""
    found = split_of_data(dataset).warnings
    per_class = [np.bincount(labels, minlength=dataset.num_classes) for labels in (dataset.y_train, dataset.y_val)]
    for counts, name, use in zip(per_class, ("training", "validation"), ("learn", "choose"), strict=True):
        if counts.min() < FEW_PER_CLASS:
            found.append(
                f"the smallest class has only {counts.min()} {name} images to {use} from; {FEW_PER_CLASS} or more would be better"
            )
    fewest, most = int(per_class[0].min()), int(per_class[0].max())
    if most >= UNBALANCED * max(fewest, 1):
        found.append(
            f"the classes are unbalanced, from {fewest} to {most} training images; nets may neglect the rare ones"
        )
    return found


@functools.cache
def split_of(data_name: str) -> Split:
    """The test split of a data set that `tinycompress.data.load` knows."""
    return split_of_data(load(data_name))


def split_of_data(dataset: Dataset) -> Split:
    """The test split of a data set."""
    counts = np.bincount(dataset.y_test, minlength=dataset.num_classes)
    return Split(len(dataset.y_test), dataset.num_classes, int(counts.max()), int(counts.min()))


@dataclass(frozen=True)
class Nets:
    """Nets that must have learned; see `learns`."""

    value: str
    error: bool
    name: str
    by: str
    split: Split | None
    one_of_many: bool
    where: tuple[tuple[str, Any], ...]

    def accuracy(self, row: Row) -> float | None:
        """The accuracy of the row's net in %, or None if the row is about another net, or about one that diverged."""
        value = row.get(self.value)
        if value is None or not self.means(row):
            return None
        return 100 - value if self.error else value

    def means(self, row: Row) -> bool:
        """Whether the row is about one of these nets."""
        return all(_fits(row.get(field), wanted) for field, wanted in self.where)

    def failed(self, row: Row) -> bool:
        """Whether the row is about one of these nets, which did not learn."""
        return self.means(row) and (DIVERGED in row or self.value in row.get(LEARNED, ()))

    def called(self, row: Row) -> str:
        """What reports call the row's net."""
        name = self.name or str(row.get("arm", "the net"))
        return f"{name} ({self.by} {row[self.by]:g})" if self.by else name


def learns(
    value: str = "accuracy",
    *,
    error: bool = False,
    name: str = "",
    by: str = "",
    split: Split | None = None,
    one_of_many: bool = False,
    **where,
) -> Nets:
    """Declare nets that a finding rests on, by the rows that hold their test accuracy in % under the key `value`.

    error: the value is a test error. name: of the net; by default the row's arm. by: a field that tells nets of one name
    apart, such as "width". split: of another task than that of the data set. one_of_many: the finding is a mean over arms, and
    each of these is one of them; those that did not learn are left out (see `kept_and_left_out`). where: field=value,
    field=(values) or field=test keeps only these rows. Leave out nets that are at chance by intent, such as nets pruned without
    fine-tuning.
    """
    return Nets(value, error, name, by, split, one_of_many, tuple(where.items()))


def _fits(value, wanted) -> bool:
    if callable(wanted):
        return value is not None and bool(wanted(value))
    return value in wanted if isinstance(wanted, tuple) else value == wanted


class DidNotLearn(Exception):
    """A net of a claim did not learn. `.net`: which one."""

    def __init__(self, net: str, accuracy: float, bound: float):
        super().__init__(f"{net} did not learn ({accuracy:.1f} %; guessing alone reaches {bound:.1f} %)")
        self.net = net


def must_have_learned(name: str, accuracy: float, dataset: Dataset) -> None:
    """Raise DidNotLearn if a net's test accuracy (%) is that of guessing; for claims whose rows hold no accuracy."""
    if accuracy <= (bound := split_of_data(dataset).guessing):
        raise DidNotLearn(name, accuracy, bound)


def marked(rows: list[Row], nets: Sequence[Nets], split: Split) -> list[Row]:
    """The rows. Those with shares of test images get the number of these, and those of nets that did not learn a mark."""
    bounds = [(net, (net.split or split).guessing) for net in nets]
    images, few = {IMAGES: [split.images, split.smallest]}, split.images < FEWEST
    found = []
    for row in rows:
        judged = {net.value: (a, bound) for net, bound in bounds if (a := net.accuracy(row)) is not None}
        missed = {value: bound for value, (accuracy, bound) in judged.items() if accuracy <= bound}
        told = WITHOUT in row or (few and judged)
        found.append(row | (images if told else {}) | ({LEARNED: missed} if missed else {}))
    return found


def diverged(row: Row, error: Exception) -> Row:
    """The row of a net whose training diverged, in place of its accuracy and costs. row: which net it is."""
    return row | {DIVERGED: str(error)}


def kept_and_left_out(rows: list[Row], nets: Iterable[Nets]) -> tuple[list[Row], list[Row]]:
    """The rows without the arms that a finding can do without (`one_of_many`) and that did not learn; and the rows of these.

    An arm that failed with one seed is left out with all of them, so that seeds differ in nothing else. If more than half of
    the arms failed, none is left out: a mean over the others says nothing about most of them.
    """
    many = [net for net in nets if net.one_of_many]
    arms = {row.get("arm") for row in rows if any(net.means(row) for net in many)}
    failed = {row.get("arm") for row in rows if any(net.failed(row) for net in many)}
    if 2 * len(failed) > len(arms):
        return rows, []
    return [row for row in rows if row.get("arm") not in failed], [row for row in rows if row.get("arm") in failed]


def unlearned(rows: list[Row], nets: Sequence[Nets]) -> tuple[str, str]:
    """Of the nets that a finding rests on, the names of those that did not learn, and how far they came; or two empty texts."""
    found: dict[str, list[float | None]] = {}
    bounds = []
    for row in rows:
        for net in (net for net in nets if net.failed(row)):
            found.setdefault(net.called(row), []).append(net.accuracy(row))
            bounds += [row[LEARNED][net.value]] if DIVERGED not in row else []
    words = ", ".join(f"{name} {_span(accuracies)}" for name, accuracies in found.items())
    return _first(list(found)), words + (f"; guessing alone reaches {max(bounds):.1f} %" if bounds else "")


def _first(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _span(accuracies: list[float | None]) -> str:
    """From which to which accuracy, and whether a net diverged, which has none."""
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    words = ["diverged"] if len(known) < len(accuracies) else []
    if known:
        low, high = min(known), max(known)
        words.append(f"{low:.1f} %" if round(low, 1) == round(high, 1) else f"{low:.1f} to {high:.1f} %")
    return " or ".join(words)
