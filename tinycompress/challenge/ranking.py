"""Who is better than chance explains: the hand-in that counts for each student, ranks that noise shares, and points.

Everything is decided on one half of the images: "secret" for marks, "public" while the challenge runs, so that its page
tells nothing about the secret half.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil

import numpy as np

from ..course.staff.roster import time_of
from .board import Entry
from .rules import Rules

SUSPICIOUS = 0.01  # how seldom chance alone may mark any hand-in of the challenge


@dataclass(frozen=True, eq=False)
class Place:
    """A student's place. rank: 1 is the best, or None for a baseline. interval: of the value. points: None without a rule.

    remarks: what the page says beside it.
    """

    entry: Entry
    rank: int | None
    value: float
    interval: tuple[float, float]
    points: float | None
    remarks: tuple[str, ...]


def ranking(entries: list[Entry], rules: Rules, half: str = "secret") -> list[Place]:
    """The places of all students with a hand-in that counts, the best first; then the baselines, as measured."""
    counted = [e for e in (_counting(own, rules, half) for own in _by_student(entries).values()) if e]
    counted.sort(key=lambda e: (-rules.better(e.value(rules.measure, half)), e.time, e.number))
    ranks = _ranks(counted, rules, half)
    baselines = [e for e in entries if e.baseline and not e.refused]
    baselines.sort(key=lambda e: -rules.better(e.value(rules.measure, half)))
    places, notes = [], remarks(entries, rules, half)
    for entry, rank in [*zip(counted, ranks, strict=True), *((e, None) for e in baselines)]:
        value = entry.value(rules.measure, half)
        spread = interval(entry, rules.measure, half, rules.confidence)
        points = None if rank is None else _points(rank, value, days_late(entry, rules), rules)
        places.append(Place(entry, rank, value, spread, points, notes[entry.number, entry.student]))
    return places


def without_place(entries: list[Entry], rules: Rules, half: str = "secret") -> dict[str, str]:
    """Students none of whose hand-ins counts, and why the last one does not."""
    found = {}
    for student, own in _by_student(entries).items():
        if not _counting(own, rules, half):
            found[student] = why_not(own[-1], rules, half)
    return found


def why_not(entry: Entry, rules: Rules, half: str = "secret") -> str:
    """Why a hand-in does not count; "" if it does.

    It must keep to the limits on the public images, where students can see that themselves. On the secret images it must not
    miss them by more than chance explains: by the exact binomial test for the accuracy, and Student's t for multiplications.
    """
    if entry.refused:
        return entry.refused
    if days_late(entry, rules) > rules.late_days:
        return f"handed in more than {rules.late_days} days late"
    if rules.most_bytes and entry.nbytes > rules.most_bytes:
        return f"{entry.nbytes:,} bytes, {entry.nbytes - rules.most_bytes:,} more than the {rules.most_bytes:,} allowed"
    asked, most = rules.least_accuracy, rules.most_multiplications
    if asked and entry.accuracy("public") < asked:
        return f"{100 * entry.accuracy('public'):.2f} % of the public images right; {100 * asked:g} % are asked for"
    if most and entry.work["public"].mean() > most:
        return f"{entry.work['public'].mean():,.0f} multiplications per public image; {most:,} are allowed"
    if half == "public":
        return ""
    right = entry.right["secret"]
    if asked and _binomial(right.sum(), len(right), asked) < 1 - rules.confidence:
        return f"{100 * right.mean():.2f} % of the secret images right, less than chance explains at {100 * asked:g} %"
    if most and interval(entry, "multiplications", "secret", rules.confidence)[0] > most:
        return f"{entry.work['secret'].mean():,.0f} multiplications per secret image; {most:,} are allowed"
    return ""


def days_late(entry: Entry, rules: Rules) -> int:
    """The days begun after the deadline, or after that of this student, beyond those that cost this student nothing."""
    if rules.deadline is None or entry.baseline:
        return 0
    return max(0, ceil((entry.time - (entry.due or rules.deadline)) / timedelta(days=1)) - entry.free_days)


def by_roster(entries: list[Entry], roster, rules: Rules) -> list[Entry]:
    """The entries with the ids of a `course.staff.roster.Roster` for names, its extensions as due times, its late days, and
    its `handed_in` for the time of a student's last hand-in. Names that mean nobody, or several people, stay.

    A hand-in of a group counts for each member who has handed in nothing alone.
    """
    people = {person.id: person for person in roster.people}
    named = [e if e.baseline else replace(e, student=roster.student(e.student)) for e in entries]
    alone = {e.student for e in named if not e.baseline}
    found = []
    for entry in named:
        members = [p.id for p in roster.people if p.group and p.group == entry.student and p.id not in alone]
        found += [replace(entry, student=who) for who in members] if members and not entry.baseline else [entry]
    last = {e.student: e.number for e in found}
    return [_of_person(e, people.get(e.student), last[e.student] == e.number, rules) for e in found]


def _of_person(entry: Entry, person, last: bool, rules: Rules) -> Entry:
    if person is None or entry.baseline:
        return entry
    due = person.due(rules.deadline) if rules.deadline else None
    time = time_of(person.handed_in) if person.handed_in and last else entry.time
    return replace(entry, due=due, free_days=int(person.late_days or 0), time=time)


def not_in(entries: list[Entry], roster) -> tuple[list[str], list[str]]:
    """Of entries `by_roster`: the students of the roster without any hand-in, and the names that are nobody's there."""
    names = {entry.student for entry in entries if not entry.baseline}
    ids = [person.id for person in roster.people]
    return [name for name in ids if name not in names], sorted(names - set(ids))


def differ(a: Entry, b: Entry, rules: Rules, half: str = "secret") -> bool:
    """Whether two hand-ins differ by more than chance explains, on the same images.

    Accuracy: McNemar's test (1947) in its exact form: of the images that only one of the two gets right, either gets as many
    as the other but for chance; Dietterich (1998) recommends it to compare two trained classifiers. Multiplications:
    Student's t interval of the difference per image. Bytes are what they are.
    """
    if rules.measure == "bytes":
        return a.nbytes != b.nbytes
    if rules.measure == "accuracy":
        return mcnemar(a.right[half], b.right[half]) < 1 - rules.confidence
    low, high = _mean_interval(a.work[half] - b.work[half], rules.confidence)
    return not low <= 0 <= high


def mcnemar(a: np.ndarray, b: np.ndarray) -> float:
    """The p-value of the exact, two-sided test that two classifiers are right equally often; a, b: whether each is, (N,)."""
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return min(1.0, 2 * _binomial(min(only_a, only_b), only_a + only_b, 0.5))


def public_is_easier(entry: Entry) -> float:
    """The p-value of Fisher's exact test (1922), one-sided, that the public images are no easier than the secret ones."""
    from scipy.stats import hypergeom

    public, secret = entry.right["public"], entry.right["secret"]
    count, right = len(public) + len(secret), int(public.sum() + secret.sum())
    return float(hypergeom.sf(public.sum() - 1, count, right, len(public)))


def interval(entry: Entry, measure: str, half: str, confidence: float) -> tuple[float, float]:
    """The interval of a value over images: Wilson's (1927) for an accuracy, Student's t for multiplications, none for bytes."""
    if measure == "bytes":
        return entry.nbytes, entry.nbytes
    if measure == "multiplications":
        return _mean_interval(entry.work[half], confidence)
    from scipy.special import ndtri

    n, p, z = len(entry.right[half]), entry.accuracy(half), float(ndtri((1 + confidence) / 2))
    middle, spread = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return float((middle - spread) / (1 + z**2 / n)), float((middle + spread) / (1 + z**2 / n))


def _mean_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    n = len(values)
    if n < 2 or (values == values[0]).all():
        return float(values[0]), float(values[0])
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def _binomial(successes: int, trials: int, share: float) -> float:
    """The probability of at most so many successes."""
    from scipy.special import bdtr

    return float(bdtr(successes, trials, share)) if trials else 1.0


def _by_student(entries: list[Entry]) -> dict[str, list[Entry]]:
    found = {}
    for entry in entries:
        if not entry.baseline:
            found.setdefault(entry.student, []).append(entry)
    return found


def _counting(own: list[Entry], rules: Rules, half: str) -> Entry | None:
    """The hand-in that counts: the best on the public images, which is what the student sees; a late one only if there is
    none in time. The best of many on the secret images would be the luckiest."""
    good = [e for e in own if not why_not(e, rules, half)]
    good = [e for e in good if not days_late(e, rules)] or good
    return max(good, key=lambda e: rules.better(e.value(rules.measure, "public")), default=None)


def _ranks(counted: list[Entry], rules: Rules, half: str) -> list[int]:
    """Everyone shares the rank of the best who is not told apart from them. (That two are not told apart is no reason why
    the second and the third could not be: hence the best of each group decides, and no chain of small steps forms.)"""
    ranks, leader = [], None
    for i, entry in enumerate(counted):
        if leader is None or differ(leader, entry, rules, half):
            leader, rank = entry, i + 1
        ranks.append(rank)
    return ranks


def _points(rank: int, value: float, late: int, rules: Rules) -> float | None:
    if rules.points_by_value:
        points = max((p for v, p in rules.points_by_value if rules.better(value) >= rules.better(v)), default=0.0)
    elif rules.points_by_rank:
        points = rules.points_by_rank[min(rank, len(rules.points_by_rank)) - 1]
    else:
        return None
    return round(points * max(0.0, 1 - late * rules.late_percent_a_day / 100), 2)


def remarks(entries: list[Entry], rules: Rules, half: str = "secret") -> dict[tuple[int, str], tuple[str, ...]]:
    """What should be known of each hand-in: (number, student) -> remarks. The members of a group share the number."""
    originals, odd = copies(entries), fit_the_public_half(entries) if half == "secret" else set()
    found = {}
    for entry in entries:
        notes = []
        if late := days_late(entry, rules):
            notes.append(f"{late} {'day' if late == 1 else 'days'} late")
        if entry.number in originals:
            notes.append(f"the same file as another student's hand-in {originals[entry.number]}")
        if entry.number in odd:
            gap = 100 * (entry.accuracy("public") - entry.accuracy("secret"))
            notes.append(f"fits the public half: {gap:.1f} points better there, more than chance explains")
        if entry.baseline and (why := why_not(entry, rules, half)):
            notes.append(why)
        found[entry.number, entry.student] = tuple(notes)
    return found


def fit_the_public_half(entries: list[Entry]) -> set[int]:
    """The numbers of the hand-ins that are better on the public half than chance explains, among as many as there are
    (Bonferroni: SUSPICIOUS is divided by their number)."""
    judged = [e for e in entries if not e.refused]
    return {e.number for e in judged if public_is_easier(e) < SUSPICIOUS / len(judged)}


def copies(entries: list[Entry]) -> dict[int, int]:
    """Hand-ins whose file another student had handed in before: number -> number of the first."""
    first, found = {}, {}
    for entry in (e for e in entries if not e.baseline and not e.refused):
        original = first.setdefault(entry.file, entry)
        if original.student != entry.student and original.number != entry.number:  # of a group, one is all members'
            found[entry.number] = original.number
    return found
