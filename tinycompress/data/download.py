"""Files of public data sets: from a folder of the user's, or downloaded once into the cache, whole and checksummed."""

import errno
import os
from pathlib import Path

from ..files import FULL
from .checks import DataError
from .source import File


def find(name: str, files: tuple[str, ...]) -> Path | None:
    """The first of these files or folders that is in $TINYCOMPRESS_DATA/<name>; None if there is no such folder.

    Raises FileNotFoundError if the folder has none of them, and if the setting is not a folder.
    """
    setting = os.environ.get("TINYCOMPRESS_DATA")
    if not setting:
        return None
    root = Path(setting).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"TINYCOMPRESS_DATA={setting} is not a folder; set it to the parent of {name}/")
    folder = root / name
    if not folder.is_dir():
        return None
    for path in map(folder.joinpath, files):
        if path.exists():
            return path
    raise FileNotFoundError(f"{folder} (TINYCOMPRESS_DATA) has no {' or '.join(files)}; put one there")


def cache_folder(name: str) -> Path:
    """The user's cache folder for this data set, which need not be there yet."""
    import pooch

    return pooch.os_cache("tinycompress") / name


def check_whole(path: Path, file: File) -> None:
    """Raise DataError unless `path` has the size and the checksum of the published file."""
    import hashlib

    if (size := path.stat().st_size) != file.size:
        state = "cut short" if size < file.size else "too long"
        raise DataError(f"{path} is {state}: {size:,} bytes, expected {file.size:,}; get it again")
    with open(path, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != file.sha256:
        raise DataError(
            f"{path} differs from the published file: its SHA-256 is {digest}, expected {file.sha256}; get it again"
        )


def download(name: str, file: File, mirrors: tuple[str, ...], needed: str) -> Path:
    """The file in the user's cache folder; if it is not there, it comes from the first mirror that works.

    `needed` names the files that a user without network must get, such as "four IDX files". Raises PermissionError if the cache
    cannot be written, OSError if the disk is full, ConnectionError if no mirror has the file with this checksum.
    """
    import pooch

    folder, reasons = cache_folder(name), []
    hint = (
        f"Without network, put its {needed} into a folder {name}/ and set TINYCOMPRESS_DATA to the "
        "parent of that folder, or use 'digits', which needs no download"
    )
    for mirror in mirrors:
        host = mirror.split("/")[2]
        try:
            # pooch writes to a temporary file, which gets this name only once its checksum is right.
            path = pooch.retrieve(
                f"{mirror}{file.name}",
                known_hash=f"sha256:{file.sha256}",
                fname=file.name,
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
            )
            return Path(path)
        except PermissionError as error:
            raise PermissionError(f"cannot write the cache folder {folder}. {hint}") from error
        except OSError as error:  # includes all that requests raises
            if error.errno in (*FULL, errno.EROFS):
                raise OSError(
                    error.errno, f"{error.strerror}: {file.size:,} bytes of {name} need room in {folder}"
                ) from error
            reasons.append(f"{host}: {type(error).__name__}")
        except ValueError:
            reasons.append(f"{host}: wrong checksum, cut short or another page")
    raise ConnectionError(f"could not download {file.name} of {name} ({'; '.join(reasons)}). {hint}")
