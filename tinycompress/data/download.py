"""Files of public data sets: from a folder of the user's, or downloaded once into the cache, whole and checksummed."""

import os
from pathlib import Path


def find(name: str, files: tuple[str, ...]) -> Path | None:
    """The first of these files that is in $TINYCOMPRESS_DATA/<name>; None if there is no such folder.

    Raises FileNotFoundError if the folder has none of the files, and if the setting is not a folder.
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
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder} (TINYCOMPRESS_DATA) has no {' or '.join(files)}; put one there")


def download(name: str, file: str, sha256: str, mirrors: tuple[str, ...], needed: str) -> Path:
    """The file in the user's cache folder; if it is not there, it comes from the first mirror that works.

    `needed` names the files that a user without network must get, such as "four IDX files". Raises PermissionError if the cache
    cannot be written, ConnectionError if no mirror has the file with this checksum.
    """
    import pooch

    folder, reasons = pooch.os_cache("tinycompress") / name, []
    hint = (
        f"Without network, put its {needed} into a folder {name}/ and set TINYCOMPRESS_DATA to the "
        "parent of that folder, or use 'digits', which needs no download"
    )
    for mirror in mirrors:
        host = mirror.split("/")[2]
        try:
            # pooch writes to a temporary file, which gets this name only once its checksum is right.
            path = pooch.retrieve(
                f"{mirror}{file}",
                known_hash=f"sha256:{sha256}",
                fname=file,
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
            )
            return Path(path)
        except PermissionError as error:
            raise PermissionError(f"cannot write the cache folder {folder}. {hint}") from error
        except OSError as error:  # includes all that requests raises
            reasons.append(f"{host}: {type(error).__name__}")
        except ValueError:
            reasons.append(f"{host}: wrong checksum, cut short or another page")
    raise ConnectionError(f"could not download {file} of {name} ({'; '.join(reasons)}). {hint}")
