"""From hand-ins to the bytes that are graded: only the exercises' own files, wherever a student put them.

The hand-ins of a folder are those that `uploads.py` knows by their names; anything else is left out and reported with the
reason. In a hand-in, an exercise's file is, in this order, `<chapter>/<name>.py` beside the manifest that `release` writes,
`<chapter>/<name>.py` anywhere, `<name>.py` anywhere, or a copy such as `<name> (1).py`. Of several uploads the last that
holds it counts. Where nothing says which of two different files counts (also of a file and its copy), the file is encrypted,
too large or a link, one with another name or in an archive that cannot be read may be the one, or an untouched stub lies
beside a notebook that defines its functions, a person must decide.
Everything else in a hand-in (conftest.py, *.pth, bytecode, Numba's caches, links, devices) is ignored. Nothing is
unpacked.
"""

import ast
import difflib
import functools
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..files import whole_file
from . import system
from .allowed import missing_imports
from .contents import MAX_SOURCE, METADATA, NOTEBOOK, OTHERS, Contents, File, Refused
from .exercise import CourseProblem, Exercise
from .uploads import Entry, Upload, entries

__all__ = ["MANIFEST", "MAX_SOURCE", "METADATA", "HandIn", "Refused", "Source", "find_handins", "left_out", "pack"]

MANIFEST = "manifest.json"  # in a students' folder, written by `release`
APART = 60  # seconds between two uploads of which the later one is surely the last
MOST_NAMED = 3
_COPY = re.compile(
    r"(?P<name>.+?)(?:[ _-]?\(\d+\)|[ -]\d+|(?: -)? copy(?: \d+| \(\d+\))?)(?P<end>\.py|\.md)", re.IGNORECASE
)
ANSWERS = "answers.md"  # to the questions of all chapters, see `questions`
DECIDES = "a person will decide"  # ends a message that leaves nothing to do for the student
_ALSO_ANSWERS = ("answers.txt", "answers.markdown", "answers.md.txt")
_NO_ANSWERS = re.compile(r"answers?(?:[ _-].*)?\.(?:docx?|pdf|odt|rtf|html?|ipynb|pages|md|txt)", re.IGNORECASE)


class Unclear(Refused):
    """Nothing says which of several files counts, or what is in the only one; a person must decide."""


def not_handed_in(exercise_id: str) -> str:
    """The message for an exercise, or the questions of a chapter, whose file does not exist."""
    if exercise_id.endswith("/questions"):
        return f"there is no {ANSWERS} in the hand-in"
    return f"there is no {exercise_id}.py in the hand-in"


@dataclass(frozen=True)
class Source:
    """What a hand-in holds for one exercise: its bytes, or None and why; and what people should know about the choice.

    unclear: whether a person must decide; time: when the file was changed, in seconds since 1970 (0: not known).
    """

    data: bytes | None
    refused: str = ""
    unclear: bool = False
    notes: tuple[str, ...] = ()
    time: float = 0.0


@dataclass(frozen=True)
class HandIn:
    """One student's hand-in: `student` is the name by which `uploads.py` knows it, `uploads` what it consists of."""

    student: str
    path: Path
    uploads: tuple[Upload, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """What course systems call the student, such as "moodle 1234"."""
        return tuple(sorted({upload.number for upload in self.uploads} - {""}))

    @property
    def late(self) -> bool | None:
        """Whether it is late, if the system that it comes from says so."""
        said = {upload.late for upload in self.uploads}
        return True if True in said else False if said == {False} else None

    def read(self, exercise: Exercise) -> bytes:
        """The student's file for this exercise. Raises Refused."""
        (source,) = self.sources([exercise])
        if source.data is None:
            raise (Unclear if source.unclear else Refused)(source.refused)
        return source.data

    def sources(self, exercises: list[Exercise]) -> list[Source]:
        """The student's file for each exercise."""
        if why := self._namesakes():
            return [Source(None, why, unclear=True) for _ in exercises]
        wanted = {f"{exercise.name}.py" for exercise in exercises} | {MANIFEST}
        contents = self._contents(lambda name: name.lower().endswith(NOTEBOOK) or not wanted.isdisjoint(_names(name)))
        found = [_source(contents, exercise) for exercise in exercises]
        lone = all(source.data is None for source in found)
        return [_ask(source, contents, e, lone) for source, e in zip(found, exercises, strict=True)]

    def _namesakes(self) -> str:
        """Why nobody knows whose it is, if several participants hand in by this name, which anyone may take; else ""."""
        if len({number.split()[0] for number in self.numbers}) == len(self.numbers):
            return ""
        return f"several participants hand in by one name, and the roster does not say who has which number; {DECIDES}"

    def answers(self, is_blank: Callable[[bytes], bool] = lambda data: False) -> Source:
        """The student's answers.md, or what is surely meant for it. A file that is_blank counts only if there is no other."""
        if why := self._namesakes():
            return Source(None, why, unclear=True)
        also = {ANSWERS, MANIFEST, *_ALSO_ANSWERS}
        contents = self._contents(lambda name: not also.isdisjoint(_names(name)) or bool(_NO_ANSWERS.fullmatch(name)))
        roots = _roots(contents.files)
        ranked = [(rank, file) for file in contents.files if (rank := _rank_of_answers(file.place, roots)) is not None]
        missing = not_handed_in("/questions")
        found = _source_of(contents, ranked, ANSWERS, is_blank, missing)
        other = [str(file.place) for file in contents.files if _NO_ANSWERS.fullmatch(file.place.name)]
        if not ranked and other:
            return Source(
                None, f"{missing}; if it is in {', '.join(other[:MOST_NAMED])}, hand that in as {ANSWERS}", True
            )
        return found

    def _contents(self, wanted: Callable[[str], bool]) -> Contents:
        contents = Contents(wanted)
        for upload in self.uploads or (Upload(self.path),):
            try:
                contents.add(upload.path, upload.inside, upload.called, upload.order)
            except Refused as problem:
                contents.unread.append(str(problem))
            except OSError as error:
                name = upload.called or upload.path.name
                contents.unread.append(f"{name} cannot be read: {error.strerror or type(error).__name__}")
        return contents


def _names(name: str) -> set[str]:
    """The names of files that a file may stand for: its own in lower case, and that of which it is a copy."""
    copy = _COPY.fullmatch(name)
    return {name.casefold(), *([(copy["name"] + copy["end"]).casefold()] if copy else [])}


def _source(contents: Contents, exercise: Exercise) -> Source:
    roots, stub = _roots(contents.files), _words_of_stub(exercise)
    ranked = [(r, file) for file in contents.files if (r := _rank(file.place, exercise, roots)) is not None]
    missing = not_handed_in(exercise.id)
    return _source_of(contents, ranked, f"{exercise.name}.py", lambda data: data.split() in ([], stub), missing)


def _source_of(contents: Contents, ranked: list, name: str, is_blank: Callable, missing: str) -> Source:
    """What counts of the ranked files. name: what the file should be called; missing: the message if there is none."""
    try:
        chosen, notes = _choose(ranked, name, is_blank, missing)
    except Unclear as problem:
        return Source(None, str(problem), unclear=True)
    except Refused as problem:
        if str(problem) != missing:
            return Source(None, str(problem))
        why = [str(problem), *[*contents.foreign, *contents.unread, *contents.others][:MOST_NAMED]]
        return Source(None, "; ".join(why), unclear=bool(contents.foreign or contents.unread))
    return Source(chosen.data, notes=(*notes, *[*contents.foreign, *contents.unread][:MOST_NAMED]), time=chosen.time)


def _ask(source: Source, contents: Contents, exercise: Exercise, lone: bool) -> Source:
    """A missing file, or the stub, becomes a question if the answer may be elsewhere; beside any other, that is a note.

    lone: whether every exercise is missing. The notebooks that students get do not define the exercise's functions; one that
    does may be the answer beside a stub.
    """
    untouched = source.data is not None and source.data.split() in ([], _words_of_stub(exercise))
    missing = source.data is None and source.refused.startswith(not_handed_in(exercise.id))
    if source.data is None and not missing:
        return source
    known = _names_of_exercises(exercise.folder.parent)
    other = [place for place in contents.sources if place.name.casefold() not in known]
    meant = [place for place in other if _is_like(place, exercise)]
    if untouched:
        meant = [place for place in meant if place.suffix.lower() != NOTEBOOK] + _notebooks_with(contents, exercise)
    elif not missing:
        meant = [place for place in meant if place.suffix.lower() not in (NOTEBOOK, *OTHERS)]
    elif not meant and lone:
        meant = [place for place in other if place.suffix.lower() not in (".txt", *OTHERS)]
    names = ", ".join(map(str, meant[:MOST_NAMED])) + (", …" if len(meant) > MOST_NAMED else "")
    if missing and meant:
        return replace(
            source, refused=f"{source.refused}; if it is in {names}, hand that in as {exercise.name}.py", unclear=True
        )
    if meant and not untouched:
        return replace(source, notes=(*source.notes, f"not graded: {names}"))
    unread = [*contents.foreign, *contents.unread][:MOST_NAMED]
    if untouched and (meant or unread):
        where = "; ".join([f"the answer may be in {names}"] * bool(meant) + unread)
        how = "as it was handed out" if source.data.split() else "empty"
        return Source(None, f"{exercise.name}.py is {how}; {where}; {DECIDES}", unclear=True)
    return source


def _notebooks_with(contents: Contents, exercise: Exercise) -> list[PurePosixPath]:
    """The notebooks that define one of the exercise's functions, or are too large to say."""
    starts = [f"def {name}(".encode() for name in exercise.functions()]
    notebooks = [file for file in contents.files if file.place.suffix.lower() == NOTEBOOK]
    return [file.place for file in notebooks if file.data is None or any(start in file.data for start in starts)]


@functools.cache
def _names_of_exercises(root: Path) -> set[str]:
    """The files of all exercises and of the folder that students get: none of them is another one's answer."""
    return {"conftest.py", *(path.name.casefold() for path in root.glob("*/*.py"))}


def _is_like(place: PurePosixPath, exercise: Exercise) -> bool:
    """Whether a file's name is almost that of the exercise, or contains it, as in entropy-exit_final.py."""
    name, wanted = (re.sub("[^a-z0-9]", "", text.casefold()) for text in (place.stem, exercise.name))
    return wanted in name or difflib.SequenceMatcher(None, name, wanted).ratio() > 0.8


def _roots(files: list[File]) -> set[PurePosixPath]:
    """The students' folders in a hand-in."""
    return {_folded(file.place.parent) for file in files if _is_manifest(file)}


def _choose(ranked: list[tuple[int, File]], name: str, is_blank, missing: str) -> tuple[File, list[str]]:
    """The file that counts, and what people should know about the choice. Raises Refused, or Unclear."""
    if not ranked:
        raise Refused(missing)
    usable = [(rank, file) for rank, file in ranked if file.data is not None]
    if not usable:
        raise Unclear(min(ranked, key=_first)[1].problem)
    written = [(rank, file) for rank, file in usable if not is_blank(file.data)] or usable
    uploads = {}
    for rank, file in written:
        uploads.setdefault((file.order, file.upload), []).append((rank, file))
    best = [[file for rank, file in pairs if rank == min(pairs, key=_first)[0]] for pairs in uploads.values()]
    last = _last(best)
    copies = [file for rank, file in written if rank == COPY and _folder(file) == _folder(last[0])]
    last = [*last, *(file for file in copies if file not in last)]  # is it later, or a backup?
    if len({file.data for file in last}) > 1:
        where = ", ".join(_label(file) for file in last[:MOST_NAMED])
        raise Unclear(
            f"{name} is there {len(last)} times with different content ({where}), and nothing says which one "
            f"counts; {DECIDES}"
        )
    chosen = last[0]
    notes = [f"{chosen.place.name} is taken for {name}"] if min(written, key=_first)[0] == COPY else []
    notes += [] if chosen.data.split() else [f"{_label(chosen)} is empty"]
    if len({file.data for files in best for file in files}) > 1:
        notes.append(f"{_label(chosen)} is graded, from the last of {len(best)} uploads")
    others = [_label(file) for _, file in written if file.data != chosen.data and file not in sum(best, [])]
    others += [file.problem for _, file in ranked if file.data is None]
    if others:
        notes.append(f"{_label(chosen)} is graded; not graded: {', '.join(others[:MOST_NAMED])}")
    return chosen, notes


def _folder(file: File) -> tuple:
    return file.order, file.upload, file.place.parent


BESIDE_MANIFEST, IN_CHAPTER, LOOSE, COPY = range(4)


def _first(pair):
    return pair[0]


def _rank(place: PurePosixPath, exercise: Exercise, roots: set) -> int | None:
    """How surely a file is meant for an exercise (0: most); None if it is not."""
    *folders, name = _folded(place).parts
    chapter = folders[-1] if folders else ""
    if name == f"{exercise.name}.py":
        if chapter == exercise.chapter:
            return BESIDE_MANIFEST if PurePosixPath(*folders[:-1]) in roots else IN_CHAPTER
        other = exercise.folder.parent / chapter / name  # an exercise of this name in another chapter
        return None if chapter and other.is_file() else LOOSE
    return COPY if f"{exercise.name}.py" in _names(place.name) else None


def _rank_of_answers(place: PurePosixPath, roots: set) -> int | None:
    """How surely a file is meant to be answers.md; None if it is not."""
    if place.name.casefold() == ANSWERS:
        return BESIDE_MANIFEST if _folded(place.parent) in roots else LOOSE
    return COPY if not {ANSWERS, *_ALSO_ANSWERS}.isdisjoint(_names(place.name)) else None


def _folded(place: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(str(place).casefold())


def _label(file: File) -> str:
    """Where a file lies, for messages: below the folder or archive that was handed in."""
    return str(file.place) if str(file.place).startswith(file.upload) else f"{file.upload}/{file.place}"


def _last(uploads: list[list[File]]) -> list[File]:
    """The files of the last upload; those of all, if nothing says which is the last."""
    newest = max(uploads, key=lambda files: (files[0].order, files[0].time))
    for files in uploads:
        first, last = files[0], newest[0]
        same = {file.data for file in files} == {file.data for file in newest}
        timed = first.archived and last.archived and 0 < first.time <= last.time - APART
        if not (same or first.order < last.order or timed):
            return sum(uploads, [])
    return newest


def _is_manifest(file: File) -> bool:
    if file.place.name.casefold() != MANIFEST or file.data is None:
        return False
    try:
        return isinstance(json.loads(file.data)["exercises"], dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


@functools.cache
def _words_of_stub(exercise: Exercise) -> list[bytes]:
    """The stub's words: a file with just these was not worked on. None where the exercise itself is not at hand."""
    return exercise.stub().encode().split() if exercise.solution.is_file() else []


def find_handins(folder: Path, who=None) -> list[HandIn]:
    """The hand-ins in a folder, or in the .zip of a class, in order of the students; what is left out is listed on stderr.

    who: a function from a name in the folder, and the numbers that course systems give the student, to the student, such as
    `Roster.student`. Raises CourseProblem if there are no hand-ins.
    """
    if not folder.exists():
        raise CourseProblem(f"{folder}: no such folder; give one that holds a folder or .zip per student")
    if (folder / MANIFEST).is_file():
        raise CourseProblem(
            f"{folder} is a students' folder; give the folder that holds one .zip or folder per student"
        )
    for name, why in left_out(folder).items():
        print(f"not graded: {name!r}: {why}", file=sys.stderr)
    uploads: dict[str, list[Upload]] = {}
    taken = _handed_in(folder)
    names = {entry.without_ending() for entry in taken}
    for entry in taken:
        name, upload = entry.upload(names)
        uploads.setdefault(who(name, [upload.number]) if who else name, []).append(upload)
    if not uploads:
        raise CourseProblem(f"{folder}: no hand-in is there; expected a folder or a .zip per student")
    return [HandIn(student, uploads[student][0].path, tuple(uploads[student])) for student in sorted(uploads)]


def _handed_in(folder: Path) -> list[Entry]:
    return [entry for entry in entries(folder) if not entry.why_not()]


def left_out(folder: Path) -> dict[str, str]:
    """What lies in a folder of hand-ins and is none: {name: why}. METADATA is ignored, since systems create it."""
    return {entry.name: why for entry in entries(folder) if (why := entry.why_not())}


def released_exercises(folder: Path) -> list[str]:
    """The ids of the exercises in a students' folder, from its manifest. Raises CourseProblem for any other folder."""
    return list(manifest_of(folder)["exercises"])


def manifest_of(folder: Path) -> dict:
    """The manifest of a students' folder. Raises CourseProblem for any other folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return manifest | {"exercises": dict(manifest["exercises"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseProblem(
            f"{folder / MANIFEST} cannot be read; run this in the folder that you were given, or name it: --folder DIR"
        ) from error


def tests_of(exercises: list[str], names: list[str]) -> list[str]:
    """The test files, in a students' folder, of the exercises with these names ("pruning", "pruning/n_of_m" or "n_of_m").

    exercises: ids, as in its manifest. No names: [""], the folder with all of them. Raises CourseProblem for an unknown name.
    """
    for name in names:
        if not any(name in (exercise, *exercise.split("/")) for exercise in exercises):
            raise CourseProblem(f"no exercise or chapter is called {name!r}; there are {', '.join(exercises)}")
    chosen = [exercise.split("/") for exercise in exercises if {exercise, *exercise.split("/")} & set(names)]
    return [f"{chapter}/test_{name}.py" for chapter, name in chosen] or [""]


def pack(folder: Path, exercises: list[str], archive: Path) -> dict[str, bytes]:
    """Write the hand-in of a students' folder, `exercises` as in its manifest, into a .zip; return the files in it, without
    the manifest. answers.md goes with it, if there is one.

    Raises CourseProblem if no exercise is there, or a file would be refused.
    """
    packed = {}
    with system.opened(folder) as top:
        for place in map(PurePosixPath, [*(f"{exercise}.py" for exercise in exercises), ANSWERS]):
            try:
                data = system.read_below(top, place, MAX_SOURCE + 1)
            except (system.NotAFile, OSError) as error:
                raise CourseProblem(f"{place} is not a regular file that can be read") from error
            if data is not None and len(data) > MAX_SOURCE:
                raise CourseProblem(f"{place} is larger than {MAX_SOURCE >> 20} MiB")
            if data is not None:
                packed[str(place)] = data
    if not packed:
        raise CourseProblem(f"{folder} holds none of the exercises; run this in the folder that you were given")
    with whole_file(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, data in {**packed, MANIFEST: (folder / MANIFEST).read_bytes()}.items():
            stream.writestr(zipfile.ZipInfo(name), data)
    return packed


def state(source: bytes | None, stub: str | None = None) -> str:
    """Return "written", or what a student may have forgotten: functions that are still stubs, a syntax error, an import.

    stub: what `words_hash` says of the stub, by which a file is known that nobody has changed.
    """
    if source is None:
        return "missing"
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:  # older versions of Python raise ValueError for a null byte
        line = getattr(error, "lineno", None)
        return f"syntax error{f' in line {line}' if line else ''}: {getattr(error, 'msg', error)}"
    for name, line in missing_imports(tree):
        return f"line {line} imports {name}, which does not exist where it is graded; remove that"
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    stubs = [f.name for f in functions if any(_is_stub(node) for node in ast.walk(f))]
    if stubs:
        return f"not written yet: {', '.join(stubs)}"
    return "as it was handed out" if words_hash(source) == stub else "written"


def words_hash(source: bytes) -> str:
    """The hash of a file's words, whatever the blanks and ends of lines between them."""
    return hashlib.sha256(b" ".join(source.split())).hexdigest()


def _is_stub(node) -> bool:
    return isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
