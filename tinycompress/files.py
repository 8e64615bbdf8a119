"""Files that are written whole or not at all."""

import os
import threading
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path):
    """A binary file to write to, beside `path`, whose place it takes when the block ends; if the block fails, nothing has
    changed. No reader ever sees half a file."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path, content: str | bytes) -> None:
    """Write text, as UTF-8, or bytes: see `whole_file`. TypeError for anything else."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
