"""Where a public data set comes from, under which licence, and whom to cite."""

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A file as it is published: its name, its size in bytes, and its SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """A public data set: its classes, and what a paper that uses it has to say.

    mirrors: addresses below which its files lie, tried in turn. files: as published; none where a package brings them.
    unpacked: the SHA-256 of the unpacked IDX files; empty: unknown.
    """

    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    licence: str
    citation: str
    files: tuple[File, ...] = ()
    unpacked: tuple[str, ...] = ()


def described(sources: dict[str, Source]) -> str:
    """The sources as text: address, licence and citation of each, and the size and the checksum of each of its files."""
    lines = []
    for name, source in sources.items():
        lines += [name, f"  licence   {source.licence}", f"  cite      {source.citation}"]
        lines += [f"  address   {mirror}" for mirror in source.mirrors]
        lines += [f"  file      {file.name}, {file.size:,} bytes, SHA-256 {file.sha256}" for file in source.files]
    return "\n".join(lines)
