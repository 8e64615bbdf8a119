"""The other end of the pipe: loads a submission and calls its functions, in the sandbox.

    python worker.py REQUESTS REPLIES FILE PROCESSES SITE    (two inherited file descriptors, the student's file, …)

It knows no answers, and nothing it says is trusted, since it shares a process with the student's code. This file and
wire.py are all that the sandbox sees of the course, so they import only the standard library and NumPy.

A request is a tuple: ("load",), or (number, function, arguments, keywords). A reply begins with the request's number, 0
for loading: (number, "value", value, which arguments the function changed), (number, "raised", type, text, line),
(number, "missing"), (number, "unsendable", text).
"""

import builtins
import os
import sys
import traceback

MAX_TEXT = 1000
CPU_SECONDS, MEMORY, FILE_SIZE, FILES = 120, 2 << 30, 16 << 20, 128


def describe_error(error: BaseException, file: str) -> tuple[str, str, int | None]:
    """(nearest built-in type, message, last line of `file` in the traceback or None) of an exception."""
    kinds = [c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c]
    try:
        text = str(error)[:MAX_TEXT]
    except BaseException:  # the message is the student's code, too
        text = ""
    try:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        if isinstance(error, SyntaxError) and error.filename == file:
            lines.append(error.lineno)
    except BaseException:
        lines = []
    return (kinds or ["Exception"])[0], text, lines[-1] if lines else None


def main(requests: int, replies: int, file: str, processes: int, site: str) -> None:
    """Answer requests until the pipe ends."""
    sys.path += [site] if site else []
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import wire

    del sys.path[0]
    limit(processes)
    silence()
    read = lambda count: read_exactly(requests, count)  # noqa: E731
    write_all(replies, wire.pack(wire.dumps((0, "ready"))))
    process, module = os.getpid(), {}
    while True:
        request = wire.unpack(read, "A")
        number = 0 if request == ("load",) else request[0]
        try:
            if request == ("load",):
                module = load(file)
                reply = wire.dumps((0, "value", None, []))
            else:
                reply = answer(wire, module, *request)
        except BaseException as error:  # SystemExit and KeyboardInterrupt, too
            kind, text, line = describe_error(error, file)
            reply = wire.dumps((number, "raised", kind, text.encode(errors="replace").decode(), line))
        if os.getpid() != process:  # a copy that the submission forked: only the worker itself answers
            os._exit(0)
        write_all(replies, wire.pack(reply))


def answer(wire, module: dict, number: int, function: str, arguments: tuple, keywords: dict) -> list[bytes]:
    """Call the function, and return the frames of the reply."""
    callee = module.get(function)
    if not callable(callee):
        return wire.dumps((number, "missing"))
    before = wire.fingerprints(arguments, keywords)
    value = callee(*arguments, **keywords)
    changed = wire.changed(before, wire.fingerprints(arguments, keywords))
    try:
        return wire.dumps((number, "value", value, changed))
    except wire.WireError as error:
        return wire.dumps((number, "unsendable", str(error)))


def load(file: str) -> dict:
    """Execute the submission from its source, never from cached bytecode, and return its global names."""
    with open(file, "rb") as stream:
        source = stream.read()
    import types

    module = types.ModuleType(os.path.basename(file).removesuffix(".py"))
    module.__file__ = file
    sys.modules[module.__name__] = module
    exec(compile(source, file, "exec"), module.__dict__)
    return module.__dict__


def limit(processes: int) -> None:
    """Set limits that nothing in this process can raise again.

    They are set here, not before the sandbox starts, so that processes are counted inside its user namespace. Without a
    sandbox (processes = 0), limits that the system does not have are left out.
    """
    import resource

    limits = {"CPU": CPU_SECONDS, "AS": MEMORY, "FSIZE": FILE_SIZE, "NOFILE": FILES, "CORE": 0}
    if processes:
        limits["NPROC"] = processes
    for name, value in limits.items():
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
        except (AttributeError, ValueError, OSError):  # macOS does not limit memory; it has no sandbox either
            if processes:
                raise


def silence() -> None:
    """Discard what a submission prints, and let it read nothing from stdin."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in 0, 1, 2:
        os.dup2(null, descriptor)
    os.close(null)


def read_exactly(descriptor: int, count: int) -> bytes:
    """Read this many bytes. If the pipe ends, end the process."""
    data = bytearray()
    while len(data) < count:
        chunk = os.read(descriptor, min(count - len(data), 1 << 20))
        if not chunk:
            os._exit(0)
        data += chunk
    return bytes(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5])
