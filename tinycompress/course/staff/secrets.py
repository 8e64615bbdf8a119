"""What no submission may see, and a trial from inside the sandbox whether one could."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from ..exercise import Exercise
from ..outcome import SubmissionProblem
from ..sandbox import Kit, SandboxProblem, readable
from ..sandbox.workers import SECONDS, InWorkers

PACKAGE = Path(__file__).parents[2] / "__init__.py"
MOST_FILES = 5000  # looked for in one trial
SMALL = 64  # bytes; the same few may well be in any file of the system
PROBE = """\
import hashlib, os

def opened(paths):
    found = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                file.read(1)
            found.append(path)
        except OSError:
            pass
    return found

def copies(sizes, digests):
    sizes, digests, found = set(sizes), set(digests), []
    for folder, folders, names in os.walk("/"):
        for path in (os.path.join(folder, name) for name in names):
            try:
                if os.path.getsize(path) in sizes and os.path.isfile(path):
                    with open(path, "rb") as file:
                        digest = hashlib.sha256(file.read()).hexdigest()
                    if digest in digests:
                        found.append((path, digest))
            except OSError:
                pass
    return found
"""


def secret_paths(handins, exercises: list[Exercise], log: Path | str | None) -> tuple[str, ...]:
    """The folders of hand-ins, of exercises with their tests, and of the log with all beside it."""
    folders = {*map(Path, handins), *(exercise.folder for exercise in exercises)}
    if log is not None:
        folders.add(Path(log).absolute().parent)
    return tuple(sorted(str(folder.absolute()) for folder in folders))


def seen_inside(
    exercises: list[Exercise], handins: Path | None, log: Path | str, level: str
) -> tuple[int, dict[str, str]]:
    """Look for each secret file inside the sandbox, as grading starts it: by its path, and any copy by its bytes.

    Returns how many files were looked for, and {file: where it was found}. Raises SandboxProblem if it cannot be tried.
    """
    secrets = secret_paths([] if handins is None else [handins], exercises, log)
    files = _files(exercises, handins, Path(log))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest(): str(path) for path in files}
    found = {}
    for may_import in {exercise.may_import() for exercise in exercises}:
        with _probe(may_import, level, secrets) as probe:
            found |= {path: path for path in probe.opened([str(path) for path in files])}
            sizes = sorted({path.stat().st_size for path in files})
            found |= {digests[digest]: place for place, digest in probe.copies(sizes, list(digests))}
    return len(files), found


def opened_inside(files: list[Path], level: str) -> list[str]:
    """Those of the files that a submission can open by their path. Raises SandboxProblem if it cannot be tried."""
    with _probe((), level, ()) as probe:
        return probe.opened([str(path.absolute()) for path in files])


@contextlib.contextmanager
def _probe(may_import: tuple[str, ...], level: str, secrets: tuple[str, ...]):
    """A submission that looks for files."""
    with tempfile.TemporaryDirectory() as folder:
        submission = Path(folder) / "submission"
        submission.mkdir()
        (submission / "probe.py").write_text(PROBE)
        readable(submission)
        probe = InWorkers(Kit.make(may_import, Path(folder) / "kit"), submission, "probe.py", level, secrets)
        probe.timeout = SECONDS
        try:
            yield probe
        except SubmissionProblem as problem:
            raise SandboxProblem(f"looking for secrets inside the sandbox failed: {problem}") from problem
        finally:
            probe.close()


def _files(exercises, handins, log) -> list[Path]:
    """The secret files that exist and are not small."""
    names = [log, log.with_name("corrections.jsonl")]
    names += [path for e in exercises for path in (e.solution, e.tests, e.wrong) if path]
    if handins is not None:
        graded = {exercise.solution.name for exercise in exercises}
        below = (Path(folder) / name for folder, _, names in os.walk(handins) for name in names)
        names += [path for path in below if path.name in graded or path.suffix.lower() == ".zip"]
    found = (path.absolute() for path in names)
    return [path for path in found if path.is_file() and path.stat().st_size >= SMALL][:MOST_FILES]
