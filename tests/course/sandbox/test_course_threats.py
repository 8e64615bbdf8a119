"""What hostile submissions try, in the real sandbox: no point that is not earned, nothing seen, nothing altered."""

import socket
import sys
import uuid

import numpy as np
import pytest
from course_class import inside, walls, write_exercise

from tinycompress.course import SubmissionProblem, SubmissionRaised, expect_array, expect_close, expect_number, sandbox
from tinycompress.course.sandbox import Kit, bubblewrap, readable
from tinycompress.course.sandbox.workers import InWorkers

# ---- ending the process, and answering for it ----

EXITS = [
    "import os; os._exit(0)",
    "import sys; sys.exit(0)",
    "raise SystemExit",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import ctypes; ctypes.string_at(0)",
    "import atexit; atexit.register(lambda: __import__('os').write(int(__import__('sys').argv[2]), b'x' * 99)); exit()",
]


@walls
@pytest.mark.parametrize("code", EXITS)
def test_ending_the_process_is_no_answer(submit, code):
    at_import = submit(code)
    with pytest.raises(SubmissionProblem, match="cannot be imported"):
        at_import.f()
    with pytest.raises(SubmissionProblem, match="cannot be imported"):  # and is not tried again and again
        at_import.f()
    in_call = submit(f"def f():\n    {code}\ndef fine():\n    return 1\n")
    with pytest.raises(SubmissionProblem, match="f (ended its process|raised)"):
        in_call.f()
    assert in_call.fine() == 1  # one crash does not sink the rest


FORGE = """
import os, sys
replies, requests = int(sys.argv[2]), int(sys.argv[1])
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
import wire
def f(*a):
    {}
"""
FORGERIES = {
    "extra": "os.write(replies, wire.pack(wire.dumps((1, 'value', 'forged', [])))); return 1",
    "another number": "os.write(replies, wire.pack(wire.dumps((7, 'value', 1, [])))); os._exit(0)",
    "number true": "os.write(replies, wire.pack(wire.dumps((True, 'value', 1, [])))); os._exit(0)",
    "number array": "import numpy; os.write(replies, wire.pack(wire.dumps((numpy.ones(2), 'value', 1, [])))); os._exit(0)",
    "kind array": "import numpy; os.write(replies, wire.pack(wire.dumps((1, numpy.ones(2), 1, [])))); os._exit(0)",
    "raised array": "import numpy; os.write(replies, wire.pack(wire.dumps((numpy.ones(2), 'raised', 'E', '', 1)))); os._exit(0)",
    "changed": "os.write(replies, wire.pack(wire.dumps((1, 'value', 1, [3])))); os._exit(0)",
    "changed true": "os.write(replies, wire.pack(wire.dumps((1, 'value', 1, [False])))); os._exit(0)",
    "changed array": "import numpy; os.write(replies, wire.pack(wire.dumps((1, 'value', 1, [numpy.ones(2)])))); os._exit(0)",
    "changed by name": "os.write(replies, wire.pack(wire.dumps((1, 'value', 1, ['secret'])))); os._exit(0)",
    "unknown kind": "os.write(replies, wire.pack(wire.dumps((1, 'passed', 10)))); os._exit(0)",
    "no tuple": "os.write(replies, wire.pack(wire.dumps('passed'))); os._exit(0)",
    "half": "os.write(replies, wire.pack(wire.dumps((1, 'value', 1, [])))[:-3]); os._exit(0)",
    "half length": "os.write(replies, b'123'); os._exit(0)",
    "huge": "os.write(replies, (1 << 62).to_bytes(8, 'little') + b'0' * 1000); os._exit(0)",
    "pickle": "import pickle; p = pickle.dumps(print); os.write(replies, len(p).to_bytes(8, 'little') + p); os._exit(0)",
    "closed": "os.close(replies); os.close(requests)",
    "flood": "\n    while True: os.write(replies, b'0' * 65536)",
}


@walls
@pytest.mark.parametrize("code", FORGERIES.values(), ids=FORGERIES)
def test_forged_answers_are_noticed(submit, code):
    submission = submit(FORGE.format(code))
    submission.timeout = 3
    with pytest.raises(SubmissionProblem):
        submission.f(1)
        submission.f(1)  # one answer too many may be on its way still while the first one is read


@walls
def test_no_answer_in_time_is_no_answer_and_not_waited_for_again_and_again(submit):
    submission = submit(
        "import time\ndef loop():\n    while True: pass\n"
        "def sleep():\n    time.sleep(1e6)\ndef deaf():\n    import os, sys; os.read(int(sys.argv[1]), 1)\n"
    )
    submission.timeout = 0.5
    for function in "loop", "sleep", "deaf":
        for _ in range(2):
            with pytest.raises(SubmissionProblem, match="took longer than 0.5 s"):
                getattr(submission, function)()
        with pytest.raises(SubmissionProblem, match="was not called again"):
            getattr(submission, function)()


# ---- values that pretend ----

PRETENDERS = """
import numpy as np
class Equal:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: False
class Sly(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, bool)
    def __array_ufunc__(self, *a, **k): return np.True_
class Text(str):
    def __eq__(self, other): return True
def equal(x): return Equal()
def sly(x): return np.zeros(3).view(Sly)
def objects(x): return np.array([Equal()] * 3, object)
def text(x): return Text('no')
def nested(x): return {'a': (Equal(),)}
def bad_shape(x): return np.zeros((3, 1))
def bad_kind(x): return np.zeros(3, complex)
def nan(x): return x * np.nan
def none(x): return None
def yes(x): return True
def generator(x): yield 1
"""


@walls
def test_objects_that_pretend_to_be_equal_arrive_as_plain_values_or_not_at_all(submit):
    submission, right = submit(PRETENDERS), np.arange(3.0)
    sly = submission.sly(right)
    assert type(sly) is np.ndarray and not (sly == right).all()
    for name in "equal", "objects", "text", "nested", "generator":
        with pytest.raises(SubmissionProblem, match=f"{name} returned .* cannot be sent"):
            getattr(submission, name)(right)
    for name in "sly", "bad_shape", "bad_kind", "nan", "none", "yes":
        with pytest.raises(AssertionError):
            expect_close(getattr(submission, name)(right), right, "not equal")
        with pytest.raises(AssertionError):
            expect_number(getattr(submission, name)(right))
    with pytest.raises(AssertionError, match="NaN"):
        expect_array(submission.nan(right), (3,))


# ---- looking around ----

LOOK = """
import gc, inspect, os, sys
def strings(reversed_secret):
    secret = reversed_secret[::-1]
    found, frame = [], sys._getframe()
    while frame is not None:
        found += [name for name, value in frame.f_locals.items() if name != 'secret' and secret in repr(value)[:9999]]
        found += [frame.f_code.co_filename]
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, (dict, list)):
            for value in (thing.values() if isinstance(thing, dict) else thing):
                if type(value) is str and value != secret and secret in value:
                    found.append(value)
    return found
def files(parts):
    found = []
    for folder, folders, names in os.walk('/'):
        found += [os.path.join(folder, name) for name in names + folders if any(part in name for part in parts)]
    return found
def read(path):
    with open(path, 'rb') as file:
        return file.read(100)
def write(path):
    with open(path, 'w') as file:
        file.write('x')
def listing(path): return sorted(os.listdir(path))
def modules(): return [name for name in sys.modules if name.split('.')[0] in ('tinycompress', 'pytest', '_pytest', 'worker')]
def environment(): return dict(os.environ)
def processes(): return [pid for pid in range(2, 40000) if _alive(pid)]
def _alive(pid):
    try:
        os.kill(pid, 0)
        return pid != os.getpid()
    except OSError as error:
        return error.errno != 3
def identity(): return [os.getuid(), os.geteuid(), os.getgid()] + os.getgroups()
"""


def top_of(submission):
    """The folder in which it finds runner/, site/ and submission/."""
    staged = submission._worker._staged
    return staged.name if staged else ""


@walls
def test_neither_tests_nor_reference_nor_anything_of_the_host_can_be_seen(submit, tmp_path, wall):
    secret = f"secret{uuid.uuid4().hex}"
    exercise = write_exercise(tmp_path)
    tmp_path.joinpath("gradebook.jsonl").write_text(secret)
    readable(tmp_path)
    submission = submit(LOOK)
    submission.timeout = 60
    found, top = submission.strings(secret[::-1]), top_of(submission)
    assert set(found) <= {f"{top}/submission/{submission._file}", f"{top}/runner/worker.py"}
    assert submission.files(["n_of_m", "test_keep.py", "course_class", "gradebook", "tinycompress", "id_rsa"]) == []
    assert submission.listing(f"{top}/submission") == [submission._file]
    assert submission.listing(f"{top}/runner") == ["wire.py", "worker.py"]
    assert submission.modules() == [] and 0 not in submission.identity()
    assert wall != sandbox.FULL or submission.processes() == []  # others exist for another user, out of its reach
    more = {"PWD"} if wall == sandbox.FULL else {"TMPDIR", "PATH"}
    assert set(submission.environment()) == {*bubblewrap.quiet_environment(), *more}
    for path in (
        tmp_path / "gradebook.jsonl",
        exercise.tests,
        __file__,
        "/etc/passwd",
        "/proc/self/mountinfo",
        "/proc/1/root",
    ):
        with pytest.raises(SubmissionRaised, match="FileNotFoundError|PermissionError"):
            submission.read(str(path))
    for path in (
        "/x",
        "/usr/x",
        f"{top}/x",
        f"{top}/submission/{submission._file}",
        f"{top}/runner/worker.py",
        f"{top}/site/x",
        f"{sys.base_prefix}/x",
        "/dev/x",
    ):
        with pytest.raises(SubmissionRaised, match="OSError|PermissionError"):
            submission.write(path)


@walls
def test_an_exercise_sees_only_the_modules_it_allows(submit, tmp_path):
    source = "import importlib\ndef f(name):\n    importlib.import_module(name)\n"
    source += "def g():\n    import tinycompress as tc\n    return tc.functional.relu(tc.Tensor([-1.0, 2.0])).data\n"
    engine = submit(source, kit=Kit.make(("engine",), tmp_path / "kit"))
    assert engine.g().tolist() == [0, 2]
    for name in (
        "pruning",
        "quantization",
        "course",
        "lecture",
        "course.exercises",
        "quantization.coding.huffman",
        "pruning.products.csr",
    ):
        with pytest.raises(SubmissionRaised, match="ModuleNotFoundError"):
            engine.f(f"tinycompress.{name}")
    with pytest.raises(SubmissionRaised, match="ModuleNotFoundError"):
        submit(source).g()


@walls
def test_there_is_no_network(submit):
    with socket.create_server(("127.0.0.1", 0)) as server:
        submission = submit(
            "import socket\ndef connect(port):\n    socket.create_connection(('127.0.0.1', port), 2)\n"
            "def make(family):\n    socket.socket(family)\ndef pair():\n    return len(socket.socketpair())\n"
        )
        with pytest.raises(SubmissionRaised, match="PermissionError"):
            submission.connect(server.getsockname()[1])
        for family in socket.AF_UNIX, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK:
            with pytest.raises(SubmissionRaised, match="PermissionError"):
                submission.make(int(family))
        assert submission.pair() == 2


@inside
def test_without_the_filter_there_is_still_no_network(kit, tmp_path):
    (tmp_path / "answer.py").write_text(
        "import socket\ndef names(): return [name for _, name in socket.if_nameindex()]\n"
    )
    readable(tmp_path)
    submission = InWorkers(kit, tmp_path, "answer.py", sandbox.UNFILTERED)
    try:
        assert submission.names() == ["lo"]
    finally:
        submission.close()


@walls
def test_no_new_rights_can_be_had(submit):
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def mount(): return libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)
def remount(): return libc.mount(None, b'/', None, 32, None)
def unshare(): return libc.unshare(0x10000000)
def chroot(): return libc.chroot(b'/tmp')
def root(): return libc.setuid(0)
def limits():
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
def device(): os.mknod('/tmp/device', 0o60600, 0x800)
"""
    submission = submit(source)
    for name in "mount", "remount", "unshare", "chroot", "root":
        assert getattr(submission, name)() == -1, name
    with pytest.raises(SubmissionRaised, match="ValueError|PermissionError"):
        submission.limits()
    with pytest.raises(SubmissionRaised, match="PermissionError"):
        submission.device()
