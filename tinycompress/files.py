"""Files that are written completely or not at all."""

import os
import threading
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path):
    """Yield a temporary binary file that replaces `path` when the block ends; if the block fails, `path` is unchanged.
    Readers never see half a file."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes to `path`, completely or not at all. Raises TypeError for anything else."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
