"""A claim: a statement of the lecture notes, a program that measures it, and the rule that decides it.

A claim is split into tasks (by seed, arm or shape), which are measured separately and return rows of plain numbers.
Effect, verdict, ratios and figure are functions of the rows alone, so that figures can be redrawn, and old runs judged
again, from saved rows.

    from tinycompress.lecture import Settings, claims, run
    result = run(claims(["P1"])[0], Settings("quick"))
    result.verdict, result.findings[0].mean, result.findings[0].interval
    result.figure()
"""

import functools
import importlib
import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..workshop.interval import images_to_decide, seeds_to_decide, verdict
from . import learned
from .drawn import drawn
from .images.doubt import doubt, number_of_images
from .language import DOT
from .learned import Nets, split_of
from .notes import SENTENCES
from .store import Store
from .tasks import Missing, Row, in_words, perform, plain_rows, prepared, unfit, why_not

SEEDS = {"quick": 5, "full": 10, "paper": 5}  # by budget
DISAGREEMENT = 1.5  # ratios that differ by more than this factor are flagged


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure, on which data, and with how many threads.

    budget: "quick" (live in class), "full" (more seeds), or "paper" (the paper's own network and data).
    data: a name that `tinycompress.data.load` knows, or an .npz file; by default "mnist" for "paper", else "digits".
    seeds: repetitions; by default 5, or 10 for "full". first_seed: the first of them, for seeds that nobody has tried yet.
    threads: of the engine and of BLAS in each task, by default 1. Small nets then train several times faster, results do
        not depend on the machine's number of cores, and an executor can use the other cores for other tasks.
    Raises ValueError for an unknown budget, for fewer than one seed or thread, and for a negative first seed.
    """

    budget: str = "quick"
    data: str | None = None
    seeds: int | None = None
    threads: int = 1
    first_seed: int = 0

    def __post_init__(self):
        if self.budget not in SEEDS:
            raise ValueError(f"budget must be one of {', '.join(SEEDS)}; got {self.budget!r}")
        set_field = functools.partial(object.__setattr__, self)
        set_field("data", str(self.data or ("mnist" if self.budget == "paper" else "digits")))
        if self.seeds is None:
            set_field("seeds", SEEDS[self.budget])
        for name in ("seeds", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.first_seed < 0:
            raise ValueError(f"first_seed must be at least 0; got {self.first_seed}")

    @property
    def each_seed(self) -> range:
        """The seeds, one per repetition."""
        return range(self.first_seed, self.first_seed + self.seeds)

    @property
    def own(self) -> bool:
        """Whether the data are the user's own, on which a claim may fail, and is then not measured."""
        return self.data.lower().endswith(".npz")


def task_per_seed(settings: Settings) -> list[tuple]:
    """One task per seed, (data, budget, seed), for claims that measure all their arms in one task."""
    return [(settings.data, settings.budget, seed) for seed in settings.each_seed]


def first_seed_drawn(settings: Settings) -> list[tuple]:
    """The same with one more argument: whether the seed is the first, of which the rows then hold what the figure shows of a
    single net."""
    return [(*task, task[-1] == settings.first_seed) for task in task_per_seed(settings)]


@dataclass(frozen=True)
class Effect:
    """What decides a statement, or the half of one: a number per seed.

    name, unit: as in "accuracy, gradual minus at once", and "points". The unit "log2 ×" stands for the logarithm of a ratio;
        reports show the ratio.
    of(rows): the paired differences, one per seed, signed so that positive values support the statement; or a bool for an
        exact statement.
    margin, smallest, equal: how `verdict` decides. margin: what the interval is compared with. smallest: the smallest effect
        that would matter, in this unit. equal: whether the statement is that there is no difference. All are stated before
        measuring.
    decides: ids of the sentences of the notes (`notes.SENTENCES`) that it decides; none if the question is ours.
    holds(rows): from where to where the statement holds, in words, if that depends on something.
    rests_on: the nets that must have learned (`learned.learns`); by default those of the claim.
    tested_on: the test images that the number is a share of: "all", those "of a class", or "none". By default "all" if the
        unit is "points", else "none".
    """

    name: str
    of: Callable[[list[Row]], Sequence[float] | bool]
    unit: str = ""
    margin: float = 0.0
    smallest: float = 0.0
    equal: bool = False
    decides: tuple[str, ...] = ()
    holds: Callable[[list[Row]], str] | None = None
    rests_on: tuple[Nets, ...] | None = None
    tested_on: str = ""

    def __post_init__(self):
        object.__setattr__(self, "tested_on", self.tested_on or ("all" if self.unit == "points" else "none"))


@dataclass(frozen=True)
class Claim:
    """A statement and the program that decides it.

    id, chapter, title: "P1", "pruning", and a short name.
    effects: what decides it. A statement of several halves has one for each.
    question: the statement, if the notes do not make it and it is a question of ours.
    tasks(settings): a list of tuples, the arguments of `measure`, made of values that JSON can store. By default one task
        per seed.
    measure(*task): returns rows. A function at a module's top level, so that worker processes can import it. Where it cannot
        measure, for want of a GPU for example, it returns the row `not_measured(why, how)`.
    figure(rows): a matplotlib Figure, drawn in the style of `style.py`. The first line of its docstring says what you see.
    rests_on: the nets that must have learned for any of its findings; see `Effect.rests_on`.
    plans: budget -> how long the nets train, if any do; `plans.plan_name` picks one, and the report names it.
    note: what the figure does and does not show, in a few sentences. source: the papers to read.
    ratios(rows): how many times smaller or faster in "theory", on "disk" and on the "clock"; any of the three.
    timed: whether the claim measures time. Its tasks then run one after another, in this process. Each row gets the key
        "machine", which the figure shows in its corner, beside the number of seeds.
    prepare(*task): the untimed part of a timed claim, such as training; any process may run it. `measure` gets its result
        as one more argument.
    """

    id: str
    chapter: str
    title: str
    measure: Callable[..., Sequence[Row]]
    effects: tuple[Effect, ...]
    figure: Callable[[list[Row]], Any]
    tasks: Callable[[Settings], Sequence[tuple]] = task_per_seed
    question: str = ""
    rests_on: tuple[Nets, ...] = ()
    plans: dict[str, object] = field(default_factory=dict)
    timed: bool = False
    prepare: Callable[..., Any] | None = None
    ratios: Callable[[list[Row]], dict[str, float | None]] | None = None
    note: str = ""
    source: str = ""

    def __post_init__(self):
        if bool(self.decides) == bool(self.question):
            raise ValueError(
                f"claim {self.id}: give the sentences that its effects decide, or a `question` of ours, and not both"
            )
        if unknown := [name for name in self.decides if name not in SENTENCES]:
            raise ValueError(f"claim {self.id}: the notes have no sentence {unknown[0]}; they are in lecture/notes.py")
        if self.prepare and not self.timed:
            raise ValueError(f"claim {self.id}: `prepare` is only for timed claims; move its work into `measure`")
        # Notebooks, reports and students all call claim.figure(rows), and all should get the same style.
        object.__setattr__(self, "figure", functools.partial(drawn, self.figure, self.timed, self.nets))

    def nets_of(self, effect: Effect) -> tuple[Nets, ...]:
        """The nets that must have learned for this effect."""
        return self.rests_on if effect.rests_on is None else effect.rests_on

    @property
    def nets(self) -> tuple[Nets, ...]:
        """The nets that must have learned for any of its effects."""
        return tuple(dict.fromkeys(net for effect in self.effects for net in self.nets_of(effect)))

    @property
    def decides(self) -> tuple[str, ...]:
        """Ids of the sentences of the notes that its effects decide."""
        return tuple(dict.fromkeys(name for effect in self.effects for name in effect.decides))

    @property
    def statement(self) -> str:
        """What the claim decides, in English: sentences of the notes, or our question."""
        return " ".join(SENTENCES[name].english for name in self.decides) or self.question

    @property
    def asked_by(self) -> str:
        """How the statement is introduced: "The notes say (N2)", or as a question of ours."""
        return f"The notes say ({', '.join(self.decides)})" if self.decides else "Our question: is this true"

    @property
    def caption(self) -> str:
        """What its figure shows, in one sentence: the first line of the docstring of the function that draws it, or ""."""
        figure = self.figure
        while isinstance(figure, functools.partial):  # of `drawn`; in a copy by `dataclasses.replace`, twice
            figure = figure.args[0]
        return (figure.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True)
class Finding:
    """What the rows say of one effect: the verdict, the mean (or the bool of an exact statement), its 95 % interval, and from
    where to where the statement holds, in words, or "".

    seeds, images: if it is not shown, about how many seeds, or how many times as many test images, would decide it
        (`seeds_to_decide`, `images_to_decide`); None if that is unknown.
    doubt: half the width of the interval that the test images alone leave (`images.doubt`); None if the rows do not tell.
    """

    effect: Effect
    verdict: str
    mean: float | bool | None = None
    interval: tuple[float, float] | None = None
    holds: str = ""
    seeds: int | None = None
    images: int | None = None
    doubt: float | None = 0.0


@dataclass(frozen=True)
class Result:
    """The outcome of a claim: a finding for each of its effects, ratios and their disagreements.

    seconds: the time that its tasks took, preparation included, summed over all processes.
    settings: those of the report that it was read from, as the report states them.
    """

    claim: Claim
    rows: list[Row] = field(repr=False)
    findings: list[Finding]
    ratios: dict[str, float]
    disagreements: list[str]
    seconds: float
    settings: dict[str, str | int] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The verdicts of its findings, in their order; one word if they agree."""
        return ", ".join(dict.fromkeys(finding.verdict for finding in self.findings))

    def figure(self):
        """The claim's matplotlib Figure, drawn from the rows."""
        return self.claim.figure(self.rows)


def run(claim: Claim, settings: Settings, executor: Executor | None = None, store: Store | None = None) -> Result:
    """Measure and judge one claim, and warn of images that are few, unbalanced or large. See `run_all`."""
    for words in learned.cautions_of([claim], settings):
        warnings.warn(f"{Path(settings.data).name}: {words}", stacklevel=2)
    return next(run_all([claim], settings, executor, store))


def run_all(
    claims: Sequence[Claim], settings: Settings, executor: Executor | None = None, store: Store | None = None
) -> Iterator[Result]:
    """Measure and judge claims; yield each Result as soon as it is complete.

    The tasks go to `executor` (any of concurrent.futures, or `dask.distributed.Client(...).get_executor()`), all at once,
    so that no worker waits for the last task of a claim. Without an executor, they run in this process. Timed tasks run
    last, in this process, while nothing else runs; only their preparation goes to the executor. Rows keep the order of the
    tasks and are bit for bit the same either way. With a `store`, finished tasks of an interrupted run are not repeated,
    except for timed tasks and their preparation. Raises TypeError or ValueError for rows that are not plain data or
    contain NaN.
    """
    from tqdm.auto import tqdm

    runs = [_Run(claim, settings, store) for claim in claims]
    yield from (run.result() for run in runs if not run.unfinished())
    early = [(run, i) for run in runs for i in run.unfinished() if run.early]
    # Preparations come last, since an interrupt loses them; of these, claims with few tasks first, since their tasks are long,
    # and a long task at the end leaves the other workers idle.
    early.sort(key=lambda found: (found[0].claim.timed, found[0].claim.timed and len(found[0].tasks)))
    timed = [(run, i) for run in runs for i in run.unfinished() if run.claim.timed]
    steps = itertools.chain(_do_early(early, executor), _do_timed(timed))
    with tqdm(desc=_finished(runs), total=len(early) + len(timed), unit="task", disable=None) as bar:
        for run in steps:
            bar.set_description(_finished(runs))
            bar.update()
            if not run.unfinished():
                yield run.result()


def _finished(runs: list["_Run"]) -> str:
    return f"{sum(not run.unfinished() for run in runs)} of {len(runs)} claims"


def _do_early(early: list[tuple["_Run", int]], executor: Executor | None) -> Iterator["_Run"]:
    """Start all untimed work; iterating yields the run of each task as it finishes."""
    if executor is None:
        return _do_here(early)
    return _wait_for({executor.submit(perform, *run.call(i)): (run, i) for run, i in early})


def _do_here(early: list[tuple["_Run", int]]) -> Iterator["_Run"]:
    for run, i in early:
        run.take(i, *perform(*run.call(i)))
        yield run


def _wait_for(futures: dict[Future, tuple["_Run", int]]) -> Iterator["_Run"]:
    try:
        for future in as_completed(list(futures)):
            run, i = futures.pop(future)
            run.take(i, *future.result())
            yield run
    finally:  # if the caller stops early, keep the tasks that finished while it drew a figure, too
        for future, (run, i) in futures.items():
            if not future.cancel() and future.done() and not future.exception():
                run.take(i, *future.result())


def _do_timed(timed: list[tuple["_Run", int]]) -> Iterator["_Run"]:
    for run, i in timed:
        run.measure(i)
        yield run


class _Run:
    """A claim in progress. early: the untimed function of its tasks, or None."""

    def __init__(self, claim: Claim, settings: Settings, store: Store | None):
        self.claim, self.settings, self.threads = claim, settings, settings.threads
        self.store = None if claim.timed else store
        self.early = claim.prepare if claim.timed else claim.measure
        self.tasks = [tuple(task) for task in claim.tasks(settings)]
        self.prepared = [()] * len(self.tasks)
        found = [self.store.get(claim.id, task, self.threads) if self.store else (None, 0.0) for task in self.tasks]
        self.rows, self.seconds = [rows for rows, _ in found], sum(seconds for _, seconds in found)

    def unfinished(self) -> list[int]:
        return [i for i, rows in enumerate(self.rows) if rows is None]

    def call(self, i: int) -> tuple:
        """The arguments with which `perform` runs the untimed part of task i."""
        if self.claim.timed:
            return prepared, self.threads, (self.claim.prepare, self._name(i), self.tasks[i], self.settings.own)
        return plain_rows, self.threads, (self.claim.measure, self._name(i), self.tasks[i], self.settings.own)

    def take(self, i: int, value, seconds: float):
        """Keep the result of the untimed part of task i: its rows or, if the claim is timed, its preparation."""
        self.seconds += seconds
        if self.claim.timed:
            self.prepared[i] = (value,)
            return
        self.rows[i] = value
        if self.store:
            self.store.put(self.claim.id, self.tasks[i], self.threads, value, seconds)

    def measure(self, i: int):
        """Measure timed task i, in this process."""
        from ..workshop.machine import machine_line

        if self.prepared[i] and isinstance(self.prepared[i][0], Missing):
            rows, seconds = [self.prepared[i][0].row], 0.0
        else:
            arguments = self.claim.measure, self._name(i), self.tasks[i] + self.prepared[i], self.settings.own
            rows, seconds = perform(plain_rows, self.threads, arguments)
        machine = {"machine": machine_line(self.threads)}
        self.rows[i] = [machine | row for row in rows]
        self.seconds += seconds

    def _name(self, i: int) -> str:
        return f"claim {self.claim.id}, task {self.tasks[i]}"

    def result(self) -> Result:
        rows = list(itertools.chain(*self.rows))
        if self.claim.nets or any(effect.tested_on != "none" for effect in self.claim.effects):
            rows = learned.marked(rows, self.claim.nets, split_of(self.settings.data))
        try:
            return judge(self.claim, rows, self.seconds)
        except Exception as error:
            if not self.settings.own:
                raise
            return judge(self.claim, [unfit(error, f"claim {self.claim.id}")], self.seconds)


def judge(claim: Claim, rows: list[Row], seconds: float) -> Result:
    """The Result of measured rows; it depends on nothing else.

    Raises ValueError for an effect that `verdict` rejects, and for ratios that are not positive or have another name.
    """
    if why := why_not(rows):
        findings = [Finding(effect, in_words(why), holds=why.get("error", "")) for effect in claim.effects]
        return Result(claim, rows, findings, {}, [], seconds)
    findings = [_finding(claim, effect, rows) for effect in claim.effects]
    if any(finding.verdict.startswith("not measured:") for finding in findings):
        return Result(claim, rows, findings, {}, [], seconds)
    ratios = claim.ratios(learned.kept_and_left_out(rows, claim.nets)[0]) if claim.ratios else {}
    ratios = {name: float(ratio) for name, ratio in ratios.items() if ratio is not None}
    for name, ratio in ratios.items():
        if name not in ("theory", "disk", "clock") or not 0 < ratio < math.inf:
            raise ValueError(f"claim {claim.id}: ratios must be positive theory, disk or clock; got {name}={ratio}")
    return Result(claim, rows, findings, ratios, disagreements(ratios), seconds)


def _finding(claim: Claim, effect: Effect, rows: list[Row]) -> Finding:
    """What the rows say of one effect."""
    nets = claim.nets_of(effect)
    tested, of_a_class = effect.tested_on != "none", effect.tested_on == "of a class"
    images = number_of_images(rows, of_a_class and tested)
    rows, without = learned.kept_and_left_out(rows, nets)
    names, accuracies = learned.unlearned(rows, nets)
    if images is not None and images < learned.FEWEST and (tested or names):
        return Finding(effect, f"not measured: {images} test images are too few, {learned.FEWEST} would do")
    if names:
        return Finding(effect, f"not measured: {names} did not learn", holds=accuracies)
    values = effect.of(rows)
    if isinstance(values, Sequence) and not values:
        return Finding(
            effect, "not measured here: nothing to compare", holds=effect.holds(rows) if effect.holds else ""
        )
    counts = tested and not isinstance(values, bool)
    half = doubt(effect.of, rows, effect.unit == "points", of_a_class) if counts else 0.0
    how = effect.margin, effect.smallest, effect.equal, half or 0.0
    try:
        decided = verdict(values, *how)
    except ValueError as error:
        raise ValueError(f"claim {claim.id}, {effect.name}: {error}") from error
    more = (seeds_to_decide(values, *how), images_to_decide(values, *how)) if decided.verdict == "not shown" else ()
    holds = [effect.holds(rows)] if effect.holds else []
    holds += [f"left out, did not learn: {learned.unlearned(without, nets)[1]}"] if without else []
    return Finding(effect, *decided, DOT.join(holds), *(more or (None, None)), half)


def disagreements(ratios: dict[str, float]) -> list[str]:
    """Describe each pair of ratios (times smaller or faster) that differ by more than a factor of DISAGREEMENT."""
    return [
        f"{a} {ratios[a]:.3g}× but {b} {ratios[b]:.3g}×"
        for a, b in itertools.combinations(ratios, 2)
        if max(ratios[a] / ratios[b], ratios[b] / ratios[a]) > DISAGREEMENT
    ]


def of_files(chapter: str, *names: str) -> list[Claim]:
    """The claims of a chapter's files, in this order. To add a claim, write a file with a `CLAIM` and list its name."""
    return [importlib.import_module(f"{chapter}.{name}").CLAIM for name in names]
