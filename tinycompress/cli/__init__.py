"""The command line: `lecture` measures the lecture's claims, `claims` lists them, `bench` measures the engine.

`compress`, `inspect` and `run` are in `cli_files.py`, `course` in `cli_course.py`.
"""

import argparse
import contextlib
import re
import signal
import sys
import tempfile
import threading
from pathlib import Path

from ..course.exercise import CourseProblem
from ..text import did_you_mean
from . import course as cli_course
from . import files as cli_files

DONE, FAILED, BAD_ARGUMENTS, INTERRUPTED = 0, 1, 2, 130

_ABOUT = """\
Network compression, taught by short programs that run live: a lecture whose every claim measures
itself.

examples:
  tinycompress claims              what the lecture claims
  tinycompress lecture pruning     measure chapter 1 on the UCI digits, and draw it
  tinycompress lecture --help      other data, more seeds, more cores
  tinycompress bench               how fast the engine is, beside its rivals
  tinycompress compress lenet_5 --out net.tcz    a net, trained and made small; then
  tinycompress inspect net.tcz                   where its bytes go, and
  tinycompress run net.tcz                       what it predicts
  tinycompress course --help       exercises, and how they are graded
"""

_LECTURE = """\
Measure the lecture's claims on real data, and let the numbers decide.

Every claim is measured over several seeds. Its verdict is "supported" where the 95 % interval of
its effect lies on the side of 0, or of a stated margin, that the notes claim, "contradicted" on
the other side, and "not shown" where it straddles. What compresses shows three ratios: in theory,
on disk, and on the clock.

Written into --out: index.html (the whole, for a browser), <ID>.svg and <ID>.png a claim, and
claims.json (every number). Claims that an earlier run left there under the same settings stay in
the report until they are measured again. A report under other settings is replaced; its numbers
are then in claims.previous.json, until the next time.

Ctrl-C writes the claims that are finished. The same command then goes on where it stopped; only
what is timed, which comes last, begins anew.
"""

_EXAMPLES = """\
examples:
  tinycompress lecture pruning                     one chapter, on the UCI digits, in class
  tinycompress lecture P3 P4 --threads 4           two claims, timed with four threads
  tinycompress lecture --budget full --out report  more seeds, in a folder of its own
  tinycompress lecture pruning --budget paper      the paper's net, on MNIST
  tinycompress lecture pruning --data mine.npz     your images: x_train, y_train, x_test, y_test
  tinycompress lecture --dask tcp://10.0.0.1:8786  what is not timed, on a cluster

exit codes: 0 done (a claim that is contradicted is a result, not an error); 1 something failed;
2 bad arguments or data; 130 interrupted. Whatever ends a run, its finished claims are written.
"""

_CLAIMS = """\
List the lecture's claims: id, title, and the notes' statement. `tinycompress lecture ID` measures
one of them.
"""

_BENCH = """\
Measure the engine's speed beside its rivals', against stated goals.

Ours and its rivals live in processes of their own, on as many threads each. They get the same fresh
random data, must find the same results, and then take strict turns, round by round. A ratio is ours /
rival, below 1 is a win: the median of the rounds' ratios against the rival's fastest variant.

suites: conv, depthwise, pointwise, steps, tape (against PyTorch); sparse, lowbit, coding (against BLAS,
scipy, plain Python, scikit-learn); startup; limits (of this machine). Default: all.

Written: the roofline, roofline.svg and roofline.png, into --out, where a suite has a place on it; the
rows into --json, if given.
"""

_BENCH_EXAMPLES = """\
examples:
  tinycompress bench                                       all that needs no PyTorch
  tinycompress bench conv steps --against torch            two suites, beside PyTorch
  tinycompress bench --against torch --threads 1 --json one.json

exit codes: 0 done (a goal that is missed is a result, not an error); 1 a row could not be measured;
2 bad arguments; 130 interrupted. Whatever ends a run, its finished rows are written.
"""


class BadArguments(Exception):
    """What the user gave does not fit; the message says how to mend it."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line with these arguments (default: the process's own); returns the exit code."""
    for stream in sys.stdout, sys.stderr:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console without × must not end a measurement
    try:
        arguments, unknown = _parser().parse_known_args(argv)
        if unknown:
            arguments.parser.error(f"there is no {' '.join(unknown)}")
        return arguments.command(arguments)
    except (BadArguments, cli_files.FileProblem, CourseProblem) as error:
        print(f"tinycompress: {error}", file=sys.stderr)
        return BAD_ARGUMENTS
    except SystemExit as end:  # --help
        return end.code
    except KeyboardInterrupt:
        print("tinycompress: interrupted", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest right word, rather than with a page of usage."""

    def error(self, message):
        known = re.findall(r"[-\w]+", self.format_usage())
        wrong = [word for word in re.findall(r"[-\w]+", message) if word not in known]
        hints = (did_you_mean(word, known, cutoff=0.7) for word in wrong)
        raise BadArguments(f"{message}{next(filter(None, hints), '')} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="tinycompress", description=_ABOUT, formatter_class=form)
    commands = parser.add_subparsers(dest="COMMAND", title="commands", required=True)

    lecture = commands.add_parser(
        "lecture",
        help="measure the claims of the lecture and draw them",
        description=_LECTURE,
        epilog=_EXAMPLES,
        formatter_class=form,
    )
    lecture.set_defaults(command=_lecture, parser=lecture)
    lecture.add_argument("names", nargs="*", metavar="CHAPTER", help="chapters or claim ids; default: all chapters")
    lecture.add_argument(
        "--budget",
        choices=("quick", "full", "paper"),
        default="quick",
        help="quick (default): live in class; full: 10 seeds and longer training; paper: the paper's own net, on MNIST",
    )
    lecture.add_argument(
        "--data",
        metavar="NAME|FILE",
        help="digits, mnist, fashion_mnist, or an .npz of yours; default: digits, and mnist for --budget paper",
    )
    lecture.add_argument("--seeds", type=_count, metavar="N", help="repetitions; default: 5, and 10 for --budget full")
    lecture.add_argument("--threads", type=_count, metavar="N", default=1, help="threads of each process; default: 1")
    lecture.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="processes that share the work, for the same numbers sooner; default: as many as there are cores for. "
        "What is timed runs alone, in one process",
    )
    lecture.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="let the workers of a Dask cluster share the work instead, for the same numbers; its scheduler's address, as "
        "in tcp://10.0.0.1:8786 (needs the extra `distributed`)",
    )
    lecture.add_argument("--out", metavar="DIR", default="report", help="folder of the report; default: report")

    claims = commands.add_parser(
        "claims", help="list the claims of the lecture", description=_CLAIMS, formatter_class=form
    )
    claims.set_defaults(command=_claims, parser=claims)
    claims.add_argument("names", nargs="*", metavar="CHAPTER", help="chapters or claim ids; default: all chapters")

    cli_files.add_commands(commands, form)
    cli_course.add_commands(commands, form)

    bench = commands.add_parser(
        "bench",
        help="measure the engine's speed beside its rivals'",
        description=_BENCH,
        epilog=_BENCH_EXAMPLES,
        formatter_class=form,
    )
    bench.set_defaults(command=_bench, parser=bench)
    bench.add_argument("names", nargs="*", metavar="SUITE", help="suites; default: all of them")
    bench.add_argument(
        "--against", choices=("torch",), help="let PyTorch compete, too; without it, its rows are skipped"
    )
    bench.add_argument("--threads", type=_count, metavar="N", help="threads of every side; default: the cores")
    bench.add_argument("--rounds", type=_count, metavar="N", default=11, help="turns of each side; default: 11")
    bench.add_argument("--json", metavar="FILE", help="file for the rows")
    bench.add_argument("--out", metavar="DIR", default="report", help="folder of the roofline; default: report")
    return parser


def _count(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it is a whole number from 1 on, not {text!r}")
    return int(text)


def _claims(arguments) -> int:
    import textwrap

    chapter = None
    for claim in _chosen(arguments.names):
        if claim.chapter != chapter:
            chapter = claim.chapter
            print(chapter)
        timed = " (timed)" if claim.timed else ""
        print(f"  {claim.id}  {claim.title}{timed}")
        print(textwrap.fill(claim.statement, 100, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return DONE


def _lecture(arguments) -> int:
    from concurrent.futures import BrokenExecutor

    from ..kernels.runtime.threads import usable_cores
    from ..lecture import Store, report, run_all
    from ..workshop.executors import ClusterProblem, dask_cluster, local_processes

    if arguments.dask and arguments.workers:
        raise BadArguments("--workers are processes of this machine, and --dask those of a cluster: give one of both")
    claims = _chosen(arguments.names)
    settings = _settings(arguments)
    out = _folder(arguments.out)
    workers = arguments.workers or max(1, usable_cores() // settings.threads)
    store, results, drawings, code, reason = Store(out, settings.data), [], {}, DONE, ""
    try:
        cluster = dask_cluster(arguments.dask, settings.data) if arguments.dask else local_processes(workers)
        with cluster as executor, contextlib.closing(run_all(claims, settings, executor, store)) as measured:
            for result in measured:
                results.append(result)
                # A figure that fails does so again below, once the rows are saved.
                with _uninterrupted() as interrupts, contextlib.suppress(Exception):
                    drawings[result.claim.id] = report.draw(result)
                if interrupts:
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        code, reason = INTERRUPTED, "interrupted"
        if results:
            print("tinycompress: interrupted; drawing what is finished", file=sys.stderr)
    except ClusterProblem as error:
        raise BadArguments(f"--dask {arguments.dask}: {error}") from error
    except BrokenExecutor:
        code, reason = FAILED, "a worker process died, perhaps for want of memory: try fewer --workers"
    finally:  # whatever ended the run, what it finished is worth keeping
        if results:
            replaced = (out / "claims.json").exists() and not report.joins(settings, out)
            with _uninterrupted() as interrupts:
                report.write(results, settings, out, drawings)
            if interrupts:
                code, reason = INTERRUPTED, "interrupted"
    if results:
        print(report.table(sorted(results, key=lambda result: claims.index(result.claim))))
        print(f"\n{out / 'index.html'} shows it all.")
        if replaced:
            previous = out / "claims.previous.json"
            print(f"It took the place of a report of other settings, now in {previous}; --out keeps both.")
    if code != DONE:
        finished = f"{len(results)} of {len(claims)} claims finished; the same command goes on from here"
        print(f"tinycompress: {reason}; {finished}", file=sys.stderr)
        return code
    store.discard({claim.id for claim in claims})
    return DONE


@contextlib.contextmanager
def _uninterrupted():
    """Let Ctrl-C wait for the end: of a figure, since what is imported by half cannot be imported again, or of a report.

    Gives a list that is empty as long as nobody pressed it.
    """
    interrupts = []
    if threading.current_thread() is not threading.main_thread():  # another thread never gets one
        yield interrupts
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _bench(arguments) -> int:
    import numpy as np
    from tqdm.auto import tqdm

    from ..bench import busy, failed, report, roofline, run, suites
    from ..kernels.runtime.threads import usable_cores

    try:
        chosen = suites(arguments.names)
    except LookupError as error:
        raise BadArguments(error.args[0]) from error
    out = _folder(arguments.out)
    if arguments.json and (Path(arguments.json).is_dir() or not Path(arguments.json).parent.is_dir()):
        raise BadArguments(f"--json {arguments.json}: it is a file, in a folder that is there")
    if warning := busy():
        print(f"tinycompress: {warning}", file=sys.stderr)
    threads, rows, interrupted = arguments.threads or usable_cores(), [], False
    measured = run(chosen, threads, arguments.rounds, arguments.against == "torch", np.random.default_rng())
    try:
        with tqdm(total=sum(len(suite.cases) for suite in chosen), unit="case", disable=None) as bar:
            for done in measured:
                rows += done
                bar.update()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        measured.close()  # ends the processes
        if arguments.json:
            report.write_json(rows, arguments.json)
    if rows:
        print(report.table(rows))
        if path := roofline.write(rows, out):
            print(f"\n{path} shows how near the kernels come to the machine's limits.")
    if interrupted:
        print("tinycompress: interrupted", file=sys.stderr)
        return INTERRUPTED
    return FAILED if any(map(failed, rows)) else DONE


def _settings(arguments):
    """The settings that were asked for, once their data are seen to load."""
    from ..lecture import Settings
    from ..workshop.identity import fingerprint

    settings = Settings(arguments.budget, arguments.data, arguments.seeds, arguments.threads)
    try:
        fingerprint(settings.data)
    except (OSError, ValueError) as error:
        raise BadArguments(f"--data {settings.data}: {error}") from error
    return settings


def _folder(name: str) -> Path:
    """The folder, made if need be; better refused now than after the measurement."""
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=name):
            return Path(name)
    except OSError as error:
        raise BadArguments(f"--out {name}: no folder that can be written ({error.strerror})") from error


def _chosen(names):
    from ..lecture import claims

    try:
        return claims(names)
    except LookupError as error:
        raise BadArguments(error.args[0]) from error
