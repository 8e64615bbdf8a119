"""Compiled kernels on disk: a cache may save time, but whatever is wrong with it, kernels are right and nothing ends."""

import errno
import multiprocessing
import os
import pickle
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

numba = pytest.importorskip("numba")
if numba.config.DISABLE_JIT:
    pytest.skip("nothing is compiled", allow_module_level=True)

from tinycompress.kernels.runtime import cache  # noqa: E402
from tinycompress.kernels.runtime.jit import jit  # noqa: E402

posix = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
root = pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can be somebody else")


def triple(x):
    return x + x + x


def square(x):
    return x * x


@pytest.fixture
def base(tmp_path, monkeypatch):
    """The folder that NUMBA_CACHE_DIR names, still empty."""
    base = tmp_path / "base"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(base))
    monkeypatch.setattr(cache, "SOURCES", [])  # which somebody may be editing
    yield base
    monkeypatch.undo()
    cache.cache_folder.cache_clear()


def start(*functions):
    """What a new process does: compile `functions` or find them on disk, and call them. Checks their results."""
    cache.cache_folder.cache_clear()
    cache._warned = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compiled = [jit(function) for function in functions]
        for ours, function in zip(compiled, functions, strict=True):
            assert ours(np.int64(7)) == function(7)
    return SimpleNamespace(
        found=sum(sum(ours.stats.cache_hits.values()) for ours in compiled),
        warnings=[str(warning.message) for warning in caught],
    )


def files(base):
    return list(base.rglob("*.nbc"))


def assert_one_warning(started, names, advice):
    (warning,) = started.warnings
    assert str(names) in warning and advice in warning and "compile" in warning
    assert len(warning.splitlines()) == 1


NOT_CACHED = "set NUMBA_CACHE_DIR to a writable folder"
DAMAGED = "delete that folder"


def test_what_the_first_start_compiles_every_later_one_finds(base):
    first, second = start(triple, square), start(triple, square)
    assert (first.found, second.found) == (0, 2)
    assert first.warnings == second.warnings == []
    assert len(files(base)) == 2


def test_each_type_of_argument_and_each_setting_has_its_own_code(base):
    start(triple)
    compiled, counting = jit(triple), jit(triple, allocates=True)
    assert compiled(np.float32(1.5)) == 4.5 and compiled(np.int64(7)) == counting(np.int64(7)) == 21
    assert sum(compiled.stats.cache_hits.values()) == 1 and not counting.stats.cache_hits
    assert len(files(base)) == 3


def test_functions_on_one_line_are_told_apart(base):
    lambdas = [lambda x: x + 1, lambda x: x + 2]
    assert (start(*lambdas).found, start(*lambdas).found) == (0, 2)


def test_a_closure_is_compiled_for_its_own_variables(base):
    def adder(n):
        return lambda x: x + n

    assert start(adder(1)).warnings == start(adder(2)).warnings == []
    assert not files(base)


def test_a_function_without_a_source_file_is_compiled_without_a_word(base):
    assert start(eval("lambda x: x / 2")).warnings == []


STEP = 1


def test_a_function_compiled_anew_forgets_its_code_on_disk(base, monkeypatch):
    compiled = jit(stepped)
    assert compiled(1) == 2
    monkeypatch.setitem(globals(), "STEP", 2)
    compiled.recompile()
    assert compiled(1) == 3


def stepped(x):
    return x + STEP


def test_another_version_of_numba_compiles_for_itself_and_leaves_the_others_code_alone(base, monkeypatch):
    start(triple)
    with monkeypatch.context() as other:
        other.setattr(numba, "__version__", "0.0.1")
        upgraded = start(triple)
    assert (upgraded.found, upgraded.warnings) == (0, [])
    assert start(triple).found == 1


# ---- files ----


def sealed(data):
    return cache.DIGEST(data).digest() + data


def by_another_numba(data):
    key, _ = pickle.loads(data[cache.DIGEST().digest_size :])
    return sealed(pickle.dumps((key, ("what this one does not expect",))))


DAMAGE = {
    "cut short": lambda data: data[: len(data) // 2],
    "cut to its digest": lambda data: data[: cache.DIGEST().digest_size],
    "without its last byte": lambda data: data[:-1],
    "longer by a byte": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "random": lambda data: np.random.default_rng(0).bytes(len(data)),
    "a pickle that would end the program": lambda data: b"cbuiltins\nexit\n(I1\ntR.",
    "sealed, but no code": lambda data: sealed(pickle.dumps("no code")),
    "sealed by another Numba": by_another_numba,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_gives_one_warning_and_is_replaced(base, damage):
    start(triple, square)
    for file in files(base):
        file.write_bytes(DAMAGE[damage](file.read_bytes()))
    damaged = start(triple, square)
    assert damaged.found == 0
    assert_one_warning(damaged, names=cache.cache_folder(), advice=DAMAGED)
    mended = start(triple, square)
    assert (mended.found, mended.warnings) == (2, [])


def test_no_flipped_bit_reaches_the_machine(base):
    start(triple)
    (file,) = files(base)
    for part in np.linspace(0, 1, 12, endpoint=False):
        flipped = bytearray(file.read_bytes())
        flipped[int(part * len(flipped))] ^= 4
        file.write_bytes(flipped)
        damaged = start(triple)
        assert damaged.found == 0
        assert_one_warning(damaged, names=file.parent, advice=DAMAGED)


def test_code_of_another_function_is_not_taken(base):
    start(triple)
    (file,) = files(base)
    start(square)
    (other,) = set(files(base)) - {file}
    file.write_bytes(other.read_bytes())
    assert start(triple).found == 0


def test_a_file_that_cannot_be_read_gives_one_warning_and_is_replaced(base):
    start(triple)
    (file,) = files(base)
    file.unlink()
    file.symlink_to(file)  # which stops even root
    assert_one_warning(start(triple), names=file.parent, advice=DAMAGED)
    assert start(triple).found == 1


def test_a_folder_where_a_file_should_be_gives_one_warning_and_stays(base):
    start(triple)
    (file,) = files(base)
    file.unlink()
    (file / "somebody's").mkdir(parents=True)
    started = start(triple)
    assert started.found == 0
    assert_one_warning(started, names=file.parent, advice=DAMAGED)
    assert (file / "somebody's").is_dir()


# ---- saving ----


def refusal(number):
    def refuse(*args, **settings):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EROFS", "EACCES"])
@pytest.mark.parametrize("function", ["tinycompress.files.open", "os.replace"])
def test_code_that_cannot_be_saved_gives_one_warning_and_leaves_nothing(base, monkeypatch, function, error):
    number = getattr(errno, error)
    monkeypatch.setattr(function, refusal(number), raising=False)
    started = start(triple, square)
    assert_one_warning(started, names=cache.cache_folder(), advice=NOT_CACHED)
    assert os.strerror(number) in started.warnings[0]
    assert os.listdir(cache.cache_folder()) == []


@posix
def test_a_disk_that_fills_up_within_a_file_leaves_no_half_of_it(base):
    import resource

    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        started = start(triple)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_one_warning(started, names=cache.cache_folder(), advice=NOT_CACHED)
    assert os.listdir(cache.cache_folder()) == []


def test_damage_that_cannot_be_mended_is_still_one_warning(base, monkeypatch):
    start(triple, square)
    for file in files(base):
        file.write_bytes(b"")
    monkeypatch.setattr("os.replace", refusal(errno.ENOSPC))
    assert_one_warning(start(triple, square), names=cache.cache_folder(), advice=DAMAGED)


def test_a_folder_that_vanishes_gives_one_warning(base, monkeypatch):
    monkeypatch.setattr(cache, "others_can_write", os.rmdir)  # as soon as it is made
    assert_one_warning(start(triple, square), names=base, advice=NOT_CACHED)


def test_writers_and_readers_of_one_file_do_not_disturb_each_other(tmp_path):
    file = tmp_path / "code.nbc"
    texts = [bytes([n]) * (200_000 + n) for n in range(4)]

    def write_and_read(text):
        for _ in range(10):
            cache.write_checked(file, text)
            assert cache.read_checked(file) in texts

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_and_read, texts))
    assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize(
    "internal", ["compiler.CompileResult._reduce", "compiler.CompileResult._rebuild", "serialize.dumps"]
)
def test_without_what_we_need_of_numbas_inside_every_start_compiles(base, monkeypatch, internal):
    if internal.endswith("_rebuild"):
        start(triple, square)
    monkeypatch.delattr(f"numba.core.{internal}")
    started = start(triple, square)
    assert started.found == 0
    assert_one_warning(started, names=cache.cache_folder(), advice="again")


# ---- the folder ----


@posix
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(base, mode):
    start(triple)
    os.chmod(cache.cache_folder(), mode)
    started = start(triple)
    assert started.found == 0
    assert_one_warning(started, names=base, advice="other users can write to it")


@root
def test_a_folder_of_somebody_else_is_not_used(base):
    start(triple)
    os.chown(cache.cache_folder(), 54321, 54321)
    started = start(triple)
    assert started.found == 0
    assert_one_warning(started, names=base, advice="other users can write to it")


@pytest.fixture
def home(base, tmp_path, monkeypatch):
    """A home folder, in an empty current folder, and no setting of the cache's place."""
    home = tmp_path / "work" / "home"
    home.mkdir(parents=True)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(home.parent)
    return home


needs_home = pytest.mark.skipif(sys.platform != "linux", reason="HOME and XDG_CACHE_HOME are those of Linux")


@needs_home
@pytest.mark.parametrize("xdg", [None, "", "their-own"])
def test_the_folder_is_the_users_own(home, monkeypatch, xdg):
    if xdg is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg and str(home / xdg))
    assert start(triple).warnings == []
    assert start(triple).found == 1
    (file,) = files(home)
    assert file.is_relative_to(home / (xdg or ".cache") / "tinycompress")


def test_a_tilde_in_the_setting_is_the_home(home, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", os.path.join("~", "mine"))
    monkeypatch.setenv("USERPROFILE", str(home))
    assert start(triple).warnings == []
    (file,) = files(home)
    assert file.is_relative_to(home / "mine")


def no_home(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # KeyError: no password entry


def from_platformdirs(monkeypatch, folder):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda app, appauthor: folder)


NOWHERE = {
    "no home": lambda home, patch: no_home(patch),
    "no home, a tilde in the setting": lambda home, patch: (
        no_home(patch),
        patch.setattr(numba.config, "CACHE_DIR", "~/x"),
    ),
    "no home, a tilde from platformdirs": lambda home, patch: (no_home(patch), from_platformdirs(patch, "~/.cache/x")),
    "a relative folder from platformdirs": lambda home, patch: from_platformdirs(patch, "cache/x"),
    "a home that does not exist": lambda home, patch: home.rmdir(),
    "a home that is a file": lambda home, patch: (home.rmdir(), home.touch()),
}


@needs_home
@pytest.mark.parametrize("trouble", NOWHERE)
def test_without_a_place_for_it_there_is_one_warning_and_no_folder_somewhere_else(home, monkeypatch, trouble):
    NOWHERE[trouble](home, monkeypatch)
    before = sorted(home.parent.rglob("*"))
    assert_one_warning(start(triple, square), names="cache", advice=NOT_CACHED)
    assert sorted(home.parent.rglob("*")) == before


@needs_home
def test_a_relative_xdg_cache_home_is_not_made_in_the_current_folder(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert len(start(triple, square).warnings) <= 1  # none where platformdirs takes the folder below the home instead
    assert os.listdir(home.parent) == ["home"]


# ---- other processes ----


def processes(begin=None):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"), initializer=begin)


def test_first_starts_at_the_same_time_leave_a_whole_cache(base):
    with processes() as pool:
        for started in pool.map(start, [triple, square] * 4, [square, triple] * 4):
            assert started.warnings == []
    assert start(triple, square).found == 2
    assert [path.suffix for path in base.rglob("*") if path.is_file()] == [".nbc"] * 2


def become_somebody_else():
    os.setgroups([])
    os.setgid(54321)
    os.setuid(54321)  # who has no password entry
    os.environ.pop("HOME", None)
    os.environ.pop("XDG_CACHE_HOME", None)


def start_with(setting):
    numba.config.CACHE_DIR = setting
    return start(triple, square)


@pytest.fixture
def somebody(base, monkeypatch):
    """somebody(setting): a start, with this NUMBA_CACHE_DIR, of a user whose own is the current folder and nothing else."""
    import platformdirs  # noqa: F401

    start(triple)  # with the line above it loads what others may not be allowed to
    with tempfile.TemporaryDirectory() as folder, processes(become_somebody_else) as pool:
        os.chmod(folder, 0o777)
        monkeypatch.chdir(folder)
        if not pool.submit(os.access, __file__, os.R_OK).result():
            pytest.skip("others may not read this file")
        yield lambda setting: pool.submit(start_with, setting).result()
        monkeypatch.undo()


@root
def test_a_user_without_a_home_gets_one_warning(somebody):
    assert_one_warning(somebody(""), names="cache", advice=NOT_CACHED)
    assert os.listdir() == []


@root
def test_files_that_may_not_be_read_give_one_warning_and_are_replaced(somebody):
    assert somebody("base").warnings == []
    for file in files(Path()):
        file.chmod(0)
    unreadable, mended = somebody("base"), somebody("base")
    assert_one_warning(unreadable, names=Path("base").absolute(), advice=DAMAGED)
    assert (unreadable.found, mended.found, mended.warnings) == (0, 2, [])


@root
def test_a_folder_to_read_from_is_enough_as_long_as_nothing_is_missing(somebody):
    somebody("base")
    file, _ = files(Path())
    file.parent.chmod(0o500)
    complete = somebody("base")
    assert (complete.found, complete.warnings) == (2, [])
    file.unlink()
    incomplete = somebody("base")
    assert incomplete.found == 1
    assert_one_warning(incomplete, names=file.parent, advice=NOT_CACHED)
