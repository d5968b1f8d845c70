"""A file or folder as an input: it counts by its content."""

from __future__ import annotations

import functools
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook.exceptions import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["File"]

_CHUNK_BYTES = 1 << 22
#: A file may change once more within one step of the disk's clock; one that is older than this shows it by its time.
_SETTLED_S = 2.0


class File(os.PathLike[str]):
    """Names a file or folder whose content decides whether a cached output fits.

        @task(cache=True)
        def load(source):
            return pd.read_csv(source)

        load(File("data/delays.csv"))

    Goes wherever a path goes. A folder counts with all files below it and their names. What was read once is read again
    only after size or time of change differ, per process.

    Args:
        path: relative to the working folder; `~` is yours.
    """

    __slots__ = ("path",)

    path: Path

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, (str, os.PathLike)):
            msg = f"File({path!r}) isn't a path. Give e.g. File('data/delays.csv')."
            raise ArgumentError(msg, path=repr(path))
        self.path = Path(path).expanduser()

    def digest(self) -> bytes:
        """Return the SHA-256 of its content, and of its name.

        Raises:
            OSError: if it isn't there, or can't be read.
        """
        found = hashlib.sha256(self.path.name.encode(errors="surrogateescape") + b"\0")
        if not self.path.is_dir():
            return found.digest() + _file_digest(self.path)
        for below in _files(self.path):
            name = below.relative_to(self.path).as_posix().encode(errors="surrogateescape")
            found.update(b"%d:%b%b" % (len(name), name, _file_digest(below)))
        return b"folder" + found.digest()

    def __fspath__(self) -> str:
        return str(self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.path == self.path

    def __hash__(self) -> int:
        return hash((File, self.path))

    def __repr__(self) -> str:
        return f"File({str(self.path)!r})"


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(root, name) for name in sorted(names))


def _file_digest(path: Path) -> bytes:
    status = path.stat()
    if abs(time.time() - status.st_mtime) < _SETTLED_S:
        return _read_digest(path)
    return _known_digest(str(path.absolute()), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=100_000)
def _known_digest(path: str, *_: int) -> bytes:
    return _read_digest(Path(path))


def _read_digest(path: Path) -> bytes:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK_BYTES):
            found.update(part)
    return found.digest()
