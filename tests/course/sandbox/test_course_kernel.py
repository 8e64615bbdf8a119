"""What the kernel keeps for all: keys, memory that no limit counts, processes. Out of reach, or the level says so."""

import ctypes
import errno
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from course_class import inside, walls
from ordinary_user import as_ordinary_user

from tinycompress.course import SubmissionRaised, sandbox
from tinycompress.course.sandbox import launch, syscalls

# ---- the filter itself ----


def result(program, architecture, number, argument=0):
    """What the kernel does with a call: an interpreter of the instructions, as linux/filter.h defines them."""
    data = struct.pack("<iIQ6Q", number - (1 << 32 if number >= 1 << 31 else 0), architecture, 0, argument, *[0] * 5)
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at = register = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x06:  # BPF_RET | BPF_K
            return value
        if operation == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            register = struct.unpack_from("<I", data, value)[0]
        else:  # BPF_JMP | BPF_K, with BPF_JEQ, BPF_JGE, BPF_JSET
            holds = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[operation]
            at += if_true if holds else if_false


ALLOWED = {  # among them what threads, memory and files need
    "x86_64": {"read": 0, "mmap": 9, "futex": 202, "openat": 257, "socketpair": 53, "execve": 59, "exit_group": 231},
    "aarch64": {"read": 63, "mmap": 222, "futex": 98, "openat": 56, "socketpair": 199, "execve": 221, "exit_group": 94},
}


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
def test_the_filter_refuses_what_is_in_its_table_and_nothing_else(machine):
    column, architecture = syscalls.ARCHITECTURES[machine]
    program = syscalls.program(machine)
    assert len(program) % 8 == 0 and len(program) // 8 <= 4096  # BPF_MAXINSNS
    refused = {number for number in range(1000) if result(program, architecture, number) != syscalls.ALLOW}
    named = {numbers[column] for numbers in syscalls.DENIED.values()} | set(syscalls.FORKS[machine])
    prctl = syscalls.PRCTL[column]
    clone, clone3 = syscalls.CLONE[column], syscalls.CLONE3[column]
    assert refused == named | {clone, clone3} and not refused & set(ALLOWED[machine].values())
    assert {result(program, architecture, number) for number in named} == {0x50000 | errno.EPERM}
    assert result(program, architecture, clone3) == 0x50000 | errno.ENOSYS  # so that the C library uses clone
    assert result(program, architecture, clone, 0x3D0F00) == syscalls.ALLOW  # the flags of pthread_create
    assert result(program, architecture, clone, 0x1200011) == 0x50000 | errno.EPERM  # those of fork
    assert result(program, 0x40000003, 1) == syscalls.KILL  # 32-bit x86
    assert result(program, architecture, prctl, 38) == syscalls.ALLOW  # PR_SET_NO_NEW_PRIVS
    assert result(program, architecture, prctl, syscalls.PR_SET_PDEATHSIG) == 0x50000 | errno.EPERM
    if machine == "x86_64":
        assert result(program, architecture, 0x40000000 + 1) == 0x50000 | errno.EPERM  # x32


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
def test_the_numbers_are_those_of_the_kernels_headers(machine):
    pattern = "asm-generic/unistd.h" if machine == "aarch64" else "asm/unistd_64.h"
    header = next(iter(sorted(Path("/usr/include").glob(f"{pattern}"))), None)
    header = header or next(iter(sorted(Path("/usr/include").glob(f"*/{pattern}"))), None)
    if header is None:
        pytest.skip(f"no {pattern} on this machine")
    known = {
        name: int(number) for name, number in re.findall(r"#define __NR3?2?6?4?_(\w+)\s+(\d+)", header.read_text())
    }
    column = syscalls.ARCHITECTURES[machine][0]
    table = syscalls.DENIED | {"clone": syscalls.CLONE, "clone3": syscalls.CLONE3, "prctl": syscalls.PRCTL}
    shared = set(table) & set(known)
    assert len(shared) > 50
    assert {name: table[name][column] for name in shared} == {name: known[name] for name in shared}


def test_a_machine_without_a_table_has_no_filter(monkeypatch, tmp_path):
    assert syscalls.program("riscv64") is None
    monkeypatch.setattr(syscalls, "ARCHITECTURES", {})
    found = sandbox.level.__wrapped__()
    assert found.name in (sandbox.UNFILTERED, sandbox.NONE)
    assert "there is no table of system calls" in found.detail or "bubblewrap" in found.detail


@inside
def test_where_the_kernel_refuses_the_filter_the_level_says_so(monkeypatch):
    monkeypatch.setattr(syscalls, "program", lambda: struct.pack("<HBBI", 0xFFFF, 0, 0, 0))
    found = sandbox.level.__wrapped__()
    assert found.name == sandbox.UNFILTERED and "WITHOUT a filter of system calls" in found.detail
    assert "eccomp" in found.detail or "SECCOMP" in found.detail


# ---- from inside ----

CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    found = libc.syscall(number, *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments])
    return ctypes.get_errno() if found == -1 else 0
def read_key(number, key):
    buffer = ctypes.create_string_buffer(100)
    size = libc.syscall(number, 11, ctypes.c_long(key), buffer, ctypes.c_long(100))
    return buffer.raw[:size] if size > 0 else b''
def fork():
    if os.fork() == 0: os._exit(0)
def spawn(): os.posix_spawn('/bin/true', ['true'], {})
def threads():
    import threading
    found = []
    crowd = [threading.Thread(target=found.append, args=(n,)) for n in range(4)]
    [t.start() for t in crowd]; [t.join() for t in crowd]
    return sorted(found)
def parallel(x):
    import numba
    @numba.njit(parallel=True)
    def total(x):
        found = 0.0
        for i in numba.prange(len(x)): found += x[i]
        return found
    return total(x)
def score(): return 1
"""


@walls
def test_no_system_call_of_the_table_gets_through(submit):
    submission, column = submit(CALLS), syscalls.ARCHITECTURES[os.uname().machine][0]
    for name, numbers in syscalls.DENIED.items():
        assert submission.call(numbers[column], 0, 0, 0, 0, 0) == errno.EPERM, name
    assert submission.call(syscalls.PRCTL[column], syscalls.PR_SET_PDEATHSIG, 0, 0, 0, 0) == errno.EPERM


@walls
def test_threads_and_parallel_loops_work_and_further_processes_do_not(submit):
    submission = submit(CALLS)
    assert submission.threads() == [0, 1, 2, 3]
    submission.timeout = 60
    assert submission.parallel(np.ones(100)) == 100
    for function in "fork", "spawn":
        with pytest.raises(SubmissionRaised, match="PermissionError"):
            getattr(submission, function)()


SESSION, JOIN, USER_TYPE = -3, 1, b"user"
KEYS = syscalls.DENIED["add_key"], syscalls.DENIED["keyctl"]


def add_key(secret):
    """A key in this session's keyring, of which every process of the session may read everything; or a skip."""
    machine = os.uname().machine
    if machine not in syscalls.ARCHITECTURES:
        pytest.skip(f"no numbers of system calls for {machine}")
    add, keyctl = (numbers[syscalls.ARCHITECTURES[machine][0]] for numbers in KEYS)
    libc = ctypes.CDLL(None, use_errno=True)
    key = libc.syscall(add, USER_TYPE, b"test", secret, ctypes.c_long(len(secret)), ctypes.c_long(SESSION))
    if key == -1:
        pytest.skip(f"no keys here: {os.strerror(ctypes.get_errno())}")
    libc.syscall(keyctl, 5, ctypes.c_long(key), ctypes.c_long(0x3F3F3F3F))  # KEYCTL_SETPERM: all to all
    return keyctl, key


@walls
def test_no_key_of_the_graders_session_can_be_read(submit):
    keyctl, key = add_key(b"secret")
    submission = submit(CALLS)
    for place in -3, key:  # the session's keyring, which holds the key's number
        assert submission.read_key(keyctl, place) == b""


@inside
def test_without_the_filter_the_graders_session_is_still_another(submit):
    keyctl, _ = add_key(b"secret")
    assert submit(CALLS, level=sandbox.UNFILTERED).read_key(keyctl, -3) == b""


def test_the_launcher_joins_an_empty_keyring_and_is_the_first_to_be_killed():
    keyctl, key = add_key(b"secret")
    assert launch.KEYCTL == {m: syscalls.DENIED["keyctl"][c] for m, (c, _) in syscalls.ARCHITECTURES.items()}
    program = (
        "import ctypes; b = ctypes.create_string_buffer(64)\n"
        f"print(ctypes.CDLL(None).syscall({keyctl}, 11, ctypes.c_long(-3), b, ctypes.c_long(64)))\n"
        "print(open('/proc/self/oom_score_adj').read())"
    )
    said = subprocess.run(
        as_ordinary_user([sys.executable, "-I", launch.__file__, "", sys.executable, "-c", program]),
        capture_output=True,
        text=True,
    )
    assert said.stdout.split() == ["0", "1000"], said.stderr


@walls
def test_the_kernel_kills_a_worker_before_its_grader(submit):
    submission = submit(CALLS)
    assert submission.score() == 1
    scores = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if submission._file.encode() in path.read_bytes():
            scores.add(path.with_name("oom_score_adj").read_text().strip())
    assert scores == {"1000"} and Path("/proc/self/oom_score_adj").read_text().strip() != "1000"


@inside
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can limit the number of files in memory")
def test_files_in_memory_are_limited_in_number(submit):
    source = "def many():\n    for n in range(10**6): open(f'/tmp/{n}', 'w').close()\n"
    with pytest.raises(SubmissionRaised, match="OSError.*No space left"):
        submit(source).many()


# ---- one way, whatever the seed ----

FORKS = "import os\nos.fork()\ndef f(x):\n    return x\n"


@walls
def test_a_file_that_forks_cannot_be_imported(submit):
    with pytest.raises(Exception, match="cannot be imported: the file raised PermissionError"):
        submit(FORKS).f(1)


@pytest.mark.parametrize("level", [pytest.param(sandbox.UNFILTERED, marks=inside), sandbox.NONE])
def test_without_the_filter_only_the_worker_itself_answers(submit, level):
    submission = submit(FORKS, level=level)
    assert [submission.f(n) for n in range(20)] == list(range(20))


# ---- without root ----


@inside
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests of the sandbox have shown it")
def test_an_ordinary_user_has_the_same_sandbox():
    program = "from tinycompress.course import sandbox; found = sandbox.level(); print(found.name); print(found.detail)"
    said = subprocess.run(as_ordinary_user([sys.executable, "-c", program]), capture_output=True, text=True, cwd="/")
    assert said.stdout.splitlines()[:1] == [sandbox.FULL], said.stdout + said.stderr
    assert "user 65534" in said.stdout
