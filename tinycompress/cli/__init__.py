"""The command line: `lecture` measures the lecture's claims, `bench` measures the engine.

`claims` and `notebooks` are in `claims.py`, `compress`, `inspect` and `run` are in `files.py`, `course`, `challenge` and
`completion` are in the files of their names.
"""

import argparse
import contextlib
import errno
import os
import re
import signal
import sys
import threading
import warnings
from pathlib import Path

from .. import __version__
from ..course.exercise import CourseProblem
from ..files import FULL, check_room
from ..text import did_you_mean, names
from . import challenge as cli_challenge
from . import claims as cli_claims
from . import completion as cli_completion
from . import course as cli_course
from . import files as cli_files
from .claims import BadArguments, chosen

DONE, FAILED, BAD_ARGUMENTS, INTERRUPTED = 0, 1, 2, 130
PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow"}  # what is installed under another name than it is imported

_ABOUT = """\
Network compression, taught by short programs that run live: a lecture that measures each of its
claims.

examples:
  tinycompress claims              list what the lecture claims
  tinycompress lecture pruning     measure chapter 1 on the UCI digits, and draw it
  tinycompress lecture --help      other data, more seeds, more cores
  tinycompress notebooks --out lecture           write the lecture's notebooks
  tinycompress bench               compare the engine's speed with its rivals'
  tinycompress compress lenet_5 --out net.tcz    train a net and compress it
  tinycompress inspect net.tcz                   show where its bytes go
  tinycompress run net.tcz                       test its predictions
  tinycompress course --help       exercises and their grading
  tinycompress challenge --help    the best net that fits, judged by a number
"""

_LECTURE = """\
Measure the lecture's claims on real data, and let the numbers decide.

Every claim is measured over several seeds. Its verdict is "supported" if the 95 % interval of its
effect lies on the claimed side of 0 (or of a stated margin), "contradicted" if it lies on the other
side, "no difference" if it lies within the smallest effect that would matter, and "not shown"
otherwise, with how many seeds, or how many times as many test images, would decide it. Intervals
say how far other seeds and other test images would move an effect. A verdict that rests on a net
which did no better than guessing, or on too few test images, is "not measured". Compression methods
show three ratios: in theory, on disk, and on the clock.

Written to --out: index.html (the whole report), <ID>.svg and <ID>.png per claim, and claims.json
(every number). Claims from an earlier run with the same settings stay in the report until they
are measured again. A report with other settings is replaced, and its numbers are kept in
claims.previous.json until the next replacement.

Ctrl-C writes the finished claims. The same command then resumes where it stopped; only timed
claims, which run last, start over.
"""

_EXAMPLES = """\
examples:
  tinycompress lecture pruning                     one chapter, on the UCI digits, in class
  tinycompress lecture P3 P4 --threads 4           two claims, timed with four threads
  tinycompress lecture --budget full --out full    more seeds, in a separate folder
  tinycompress lecture pruning --budget paper      the paper's net, on MNIST
  tinycompress lecture pruning --data mine.npz     your images: x_train, y_train, x_test, y_test
  tinycompress lecture --dask tcp://10.0.0.1:8786  untimed claims on a cluster, timed ones here

exit codes: 0 done (a contradicted claim is a result, not an error); 1 something failed; 2 bad
arguments or data; 130 interrupted. However a run ends, its finished claims are written.
"""

_BENCH = """\
Compare the engine's speed with its rivals', against stated goals.

Each side runs in a separate process, on the same number of threads. All get the same fresh random
data, must find the same results, and then take strict turns, round by round. A ratio is ours / rival,
so below 1 is a win: the median of the rounds' ratios against the rival's fastest variant.

suites: conv, depthwise, pointwise, steps, tape (against PyTorch); predict (against PyTorch, ONNX Runtime,
and our own float32); sparse, lowbit, coding (against BLAS, scipy, plain Python, scikit-learn); startup; memory;
limits (of this machine). Default: all.

Written: roofline.svg and roofline.png to --out, if a suite has a place on the roofline; the rows to
--json, if given.
"""

_BENCH_EXAMPLES = """\
examples:
  tinycompress bench                                       everything that needs no other library
  tinycompress bench conv steps --against torch            two suites, against PyTorch
  tinycompress bench predict --against torch --against onnxruntime
  tinycompress bench --against torch --threads 1 --json one.json

exit codes: 0 done (a missed goal is a result, not an error); 1 a row could not be measured; 2 bad
arguments; 130 interrupted. However a run ends, its finished rows are written.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line with these arguments (default: those of the process) and return the exit code."""
    for name in "stdout", "stderr":
        if getattr(sys, name) is None:  # closed by whoever started this process
            setattr(sys, name, open(os.devnull, "w"))
    for stream in sys.stdout, sys.stderr:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console without × must not end a measurement
    whole = warnings.formatwarning
    warnings.formatwarning = lambda message, *_: f"tinycompress: {message}\n"  # without the line of code that warns
    try:
        code = _run(argv)
        sys.stdout.flush()  # here, where a closed pipe is caught
        return code
    except BrokenPipeError:  # whoever reads, such as `head`, has seen enough
        _drop_output()
        return DONE
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "tinycompress", *sys.stdlib_module_names}:
            raise
        package = PACKAGES.get(package, package)
        print(f"tinycompress: needs {package}, which is not installed; pip install {package}", file=sys.stderr)
        return FAILED
    except OSError as error:
        if error.errno not in (*FULL, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        advice = "; make room, and start the same command again" if error.errno in FULL else ""
        print(f"tinycompress: {error.filename or 'the output'}: {error.strerror}{advice}", file=sys.stderr)
        _drop_output()
        return FAILED
    finally:
        warnings.formatwarning = whole


def _run(argv: list[str] | None) -> int:
    try:
        arguments, unknown = _parser().parse_known_args(argv)
        if unknown:
            arguments.parser.error(f"not recognised: {' '.join(unknown)}")
        return arguments.command(arguments)
    except (BadArguments, cli_files.FileProblem, CourseProblem) as error:
        print(f"tinycompress: {error}", file=sys.stderr)
        return BAD_ARGUMENTS
    except SystemExit as end:  # --help, --version
        return end.code
    except KeyboardInterrupt:
        print("tinycompress: interrupted", file=sys.stderr)
        return INTERRUPTED


def _drop_output() -> None:
    """Print what is still waiting, if that is possible, and nothing after it, so that Python can end in silence."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, with the closest known word, instead of a page of usage."""

    def error(self, message):
        known = re.findall(r"[-\w]+", self.format_usage() + message.partition("choose from")[2])
        wrong = [word for word in re.findall(r"[-\w]+", message) if word not in known]
        hints = (did_you_mean(word, known, cutoff=0.7) for word in wrong)
        raise BadArguments(f"{message}{next(filter(None, hints), '')} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="tinycompress", description=_ABOUT, formatter_class=form)
    parser.add_argument("--version", action="version", version=f"tinycompress {__version__}")
    commands = parser.add_subparsers(dest="COMMAND", metavar="COMMAND", title="commands", required=True)
    _add_lecture(commands, form)
    cli_claims.add_commands(commands, form)
    cli_files.add_commands(commands, form)
    cli_course.add_commands(commands, form)
    cli_challenge.add_commands(commands, form)
    _add_bench(commands, form)
    cli_completion.add_commands(commands, form, parser)
    return parser


def _add_lecture(commands, form) -> None:
    lecture = commands.add_parser(
        "lecture",
        help="measure the lecture's claims and draw them",
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
        help="quick (default): live in class; full: 10 seeds and longer training; paper: the papers' nets, on MNIST, or a "
        "ResNet-20 on many colour images",
    )
    lecture.add_argument(
        "--data",
        metavar="NAME|FILE",
        help="digits, mnist, fashion_mnist, cifar10, or your own .npz; default: digits (mnist for --budget paper)",
    )
    lecture.add_argument(
        "--seeds",
        type=_count,
        metavar="N",
        help="number of seeds; default: 5 (10 for --budget full; quick: 3 for the longest claims)",
    )
    lecture.add_argument(
        "--first-seed", type=_seed, default=0, metavar="N", help="the first seed, to try others than ours; default: 0"
    )
    lecture.add_argument("--threads", type=_count, metavar="N", default=1, help="threads per process; default: 1")
    lecture.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="processes that share the work, for the same numbers in less time; default: as many as the cores allow. "
        "Timed claims always run alone, in one process",
    )
    lecture.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="share the work among the workers of a Dask cluster instead, for the same numbers; the address of its "
        "scheduler, such as tcp://10.0.0.1:8786 (needs the extra `distributed`)",
    )
    lecture.add_argument("--out", metavar="DIR", default="report", help="folder for the report; default: report")
    lecture.add_argument("--language", choices=("en", "zh"), default="en", help="of the report: English or Chinese")


def _add_bench(commands, form) -> None:
    bench = commands.add_parser(
        "bench",
        help="compare the engine's speed with its rivals'",
        description=_BENCH,
        epilog=_BENCH_EXAMPLES,
        formatter_class=form,
    )
    bench.set_defaults(command=_bench, parser=bench)
    bench.add_argument("names", nargs="*", metavar="SUITE", help="suites; default: all of them")
    bench.add_argument(
        "--against",
        choices=("torch", "onnxruntime"),
        action="append",
        default=[],
        help="let this library compete, too; otherwise its rows are skipped; may be given twice",
    )
    bench.add_argument("--threads", type=_count, metavar="N", help="threads per side; default: the number of cores")
    bench.add_argument("--rounds", type=_count, metavar="N", default=11, help="turns per side; default: 11")
    bench.add_argument("--json", metavar="FILE", help="file to write the rows to")
    bench.add_argument("--out", metavar="DIR", default="report", help="folder for the roofline; default: report")


def _count(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more; got {text!r}")
    return int(text)


def _seed(text: str) -> int:
    """A whole number of 0 or more, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more; got {text!r}")
    return int(text)


def _lecture(arguments) -> int:
    from ..lecture.language import speaking

    with speaking(arguments.language):
        return _lectured(arguments)


def _lectured(arguments) -> int:
    from concurrent.futures import BrokenExecutor

    import matplotlib  # noqa: F401  (draws the figures: to be missed before the measuring, not after it)

    from ..kernels.runtime.threads import usable_cores
    from ..lecture import Store, report, run_all
    from ..lecture.learned import cautions_of
    from ..workshop.executors import ClusterProblem, dask_cluster, local_processes

    if arguments.dask and arguments.workers:
        raise BadArguments(
            "--workers are processes of this machine, --dask takes those of a cluster: give only one of them"
        )
    claims = chosen(arguments.names)
    settings = _settings(arguments)
    for words in cautions_of(claims, settings):
        print(f"tinycompress: {Path(settings.data).name}: {words}", file=sys.stderr)
    if not arguments.dask and (words := _idle(claims, settings, usable_cores())):
        print(f"tinycompress: {words}", file=sys.stderr)
    out = _folder(arguments.out)
    workers = arguments.workers or max(1, usable_cores() // settings.threads)
    store, results, drawings, code, reason = Store(out, settings.data), [], {}, DONE, ""
    try:
        cluster = dask_cluster(arguments.dask, settings.data) if arguments.dask else local_processes(workers)
        with cluster as executor, contextlib.closing(run_all(claims, settings, executor, store)) as measured:
            for result in measured:
                results.append(result)
                # A figure that fails here fails again below, after the rows are saved.
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
        code, reason = FAILED, "a worker process died, perhaps out of memory: try fewer --workers"
    finally:  # however the run ended, keep what it finished
        if results:
            replaced = (out / "claims.json").exists() and not report.joins(settings, out)
            with _uninterrupted() as interrupts:
                try:
                    report.write(results, settings, out, drawings)
                finally:  # whether there is room for them or not
                    print(report.table(sorted(results, key=lambda result: claims.index(result.claim))))
            if interrupts:
                code, reason = INTERRUPTED, "interrupted"
    if results:
        _print_place(out, replaced)
    if code != DONE:
        finished = f"{len(results)} of {len(claims)} claims finished; the same command resumes from here"
        print(f"tinycompress: {reason}; {finished}", file=sys.stderr)
        return code
    store.discard({claim.id for claim in claims})
    return DONE


def _idle(claims, settings, cores: int) -> str:
    """How to use cores that a run of hours would leave idle, since it has fewer tasks; "" if it has enough."""
    tasks = sum(len(claim.tasks(settings)) for claim in claims)
    threads = cores // max(1, tasks)
    if settings.budget != "paper" or threads <= settings.threads:
        return ""
    return f"{tasks} {'task' if tasks == 1 else 'tasks'} on {cores} cores: with --threads {threads} it takes less time"


def _print_place(out: Path, replaced: bool) -> None:
    print(f"\nThe whole report is in {out / 'index.html'}.")
    if replaced:
        previous = out / "claims.previous.json"
        print(f"It replaced a report with other settings, now in {previous}; use another --out to keep both.")


@contextlib.contextmanager
def _uninterrupted():
    """Delay Ctrl-C to the end of the block: a figure, since a half-imported module cannot be imported again, or a report.

    Yields a list that stays empty unless Ctrl-C is pressed.
    """
    interrupts = []
    if threading.current_thread() is not threading.main_thread():  # other threads never get the signal
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
    from ..kernels.registers.vectors import ROWS, VECTOR_BYTES, VECTORS
    from ..kernels.runtime.threads import usable_cores
    from ..workshop.machine import cpu_features, machine_line

    try:
        found = suites(arguments.names)
    except LookupError as error:
        raise BadArguments(error.args[0]) from error
    out = _folder(arguments.out)
    if arguments.json and (Path(arguments.json).is_dir() or not Path(arguments.json).parent.is_dir()):
        raise BadArguments(f"--json {arguments.json}: must be a file in an existing folder")
    if warning := busy():
        print(f"tinycompress: {warning}", file=sys.stderr)
    threads, rows, interrupted = arguments.threads or usable_cores(), [], False
    measured = run(found, threads, arguments.rounds, arguments.against, np.random.default_rng())
    try:
        with tqdm(total=sum(len(suite.cases) for suite in found), unit="case", disable=None) as bar:
            for done in measured:
                rows += done
                bar.update()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        measured.close()  # ends the processes
        try:
            if arguments.json:
                report.write_json(rows, arguments.json)
        finally:
            print(report.table(rows), end="\n" if rows else "")
    if rows:
        print(f"\n{machine_line(threads)}; {', '.join(cpu_features())}; tile {ROWS}×{VECTORS} of {VECTOR_BYTES} bytes")
    if rows and (path := roofline.write(rows, out)):
        print(f"\n{path} shows how close the kernels come to the machine's limits.")
    if interrupted:
        print("tinycompress: interrupted", file=sys.stderr)
        return INTERRUPTED
    return FAILED if any(map(failed, rows)) else DONE


def _settings(arguments):
    """The requested settings, after a check that their data can be loaded."""
    from ..lecture import Settings
    from ..workshop.identity import fingerprint

    settings = Settings(arguments.budget, arguments.data, arguments.seeds, arguments.threads, arguments.first_seed)
    try:
        fingerprint(settings.data)
    except (OSError, ValueError) as error:
        raise BadArguments(f"--data {settings.data}: {error}") from error
    return settings


def _folder(name: str) -> Path:
    """The folder, created if needed. A folder that cannot be written is better refused now than after the measurement."""
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
        check_room(name)
    except OSError as error:
        raise BadArguments(f"--out {name}: cannot create or write to this folder ({error.strerror})") from error
    return Path(name)


names.answer()
