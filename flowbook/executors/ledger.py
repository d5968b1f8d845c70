"""What workers have begun and done, recorded in a folder that they share with the driver, so that no call begins twice.

Dask repeats what a dead worker had: five of ten finished tasks were seen to run again, and `os._exit` four times. So each
Dask task has a page in the ledger. The worker that gets the task creates the page as a new file; a worker that gets the
same task later reads what was begun and done before. Only its creator writes to a page, and stops once there is a newer one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from flowbook._utils.locks import Rank, RankedLock

__all__ = ["BEGUN", "DONE", "RETURNED", "Entry", "Ledger", "LedgerFolder", "Page"]

#: Kinds of entries; the last entry of a call counts.
BEGUN, DONE, RETURNED = b"b", b"d", b"r"
_HEAD = struct.Struct("<cQdI")
_TOKEN = "token"  # noqa: S105  # a file's name
_STOP = "stop"
_WRITER = 0
_PREFIX = "flowbook-"


class LedgerFolder(NamedTuple):
    """The folder of a run's ledger, and a token by which a worker can tell that it sees the same folder."""

    path: str
    token: str

    @classmethod
    def create(cls, path: Path) -> LedgerFolder:
        """Write a new token into the folder `path`, which exists."""
        folder = cls(str(path), os.urandom(16).hex())
        (path / _TOKEN).write_text(folder.token, encoding="ascii")
        return folder

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def is_in_reach(self) -> bool:
        """Return whether this process sees the same folder."""
        try:
            return Path(self.path, _TOKEN).read_text(encoding="ascii") == self.token
        except (OSError, UnicodeDecodeError):
            return False


class Entry(NamedTuple):
    """The last entry of a call: its kind, its content, who wrote it, and when the call began (seconds since the epoch)."""

    kind: bytes
    body: bytes
    writer: str
    begun: float


class Ledger:
    """The driver's side: reads what workers recorded, and tells them to stop.

    Args:
        folder: one that workers may see too; default: a temporary folder on this machine.
    """

    def __init__(self, folder: LedgerFolder | None = None) -> None:
        self._is_temporary = folder is None
        self.folder = folder if folder is not None else LedgerFolder.create(Path(tempfile.mkdtemp(prefix=_PREFIX)))

    def stop(self) -> None:
        """Let no worker that sees the folder begin anything more."""
        with contextlib.suppress(OSError):  # the run is over, or its disk is full
            Path(self.folder.path, _STOP).touch()

    def read(self, name: str) -> dict[int, Entry] | None:
        """Return the entries of page `name` by call; None if no worker that sees the folder has the calls."""
        entries: dict[int, Entry] = {}
        turns = 0
        while (found := _read(_path(self.folder, name, turns))) is not None:
            entries.update(found)
            turns += 1
        return entries if turns else None

    def close(self) -> None:
        """Remove the folder if it is temporary."""
        if self._is_temporary:
            self.folder.remove()


class Page:
    """A worker's side: the page of one Dask task. `known` is what another worker recorded when it had the task.

    Raises:
        OSError: if the file can't be created; the calls then go unrecorded.
    """

    def __init__(self, folder: LedgerFolder, name: str, writer: str) -> None:
        self.known: dict[int, Entry] = {}
        self._stop = os.path.join(folder.path, _STOP)  # noqa: PTH118  # needed at every call
        turn = 0
        while True:
            path = _path(folder, name, turn)
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
                break
            except FileExistsError:
                self.known.update(_read(path) or {})
                turn += 1
        self._next = str(_path(folder, name, turn + 1))
        self._is_whole = True
        self._lock = RankedLock(Rank.LEDGER)
        self.record(BEGUN, _WRITER, writer.encode())

    def record(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Record what became of a call, in one write; after a write that failed (a full disk) record nothing more."""
        entry = _HEAD.pack(kind, number, time.time(), len(body)) + body
        with self._lock, contextlib.suppress(OSError):
            self._is_whole = self._is_whole and os.write(self._file, entry) == len(entry)

    def is_stopped(self) -> bool:
        """Return whether the run was cancelled, so that nothing more may begin."""
        return os.path.exists(self._stop)  # noqa: PTH110  # as above

    def is_superseded(self) -> bool:
        """Return whether another worker has the task now, because this one was taken for dead."""
        return os.path.exists(self._next)  # noqa: PTH110  # as above

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._is_whole = False
            os.close(self._file)


def _path(folder: LedgerFolder, name: str, turn: int) -> Path:
    return Path(folder.path, f"{name}.{turn}")


def _read(path: Path) -> dict[int, Entry] | None:
    """Return the entries of one file, None if there is no file. An entry that its writer's death cut off doesn't count."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    entries: dict[int, Entry] = {}
    position, writer = 0, ""
    while position + _HEAD.size <= len(text):
        kind, number, at, length = _HEAD.unpack_from(text, position)
        position += _HEAD.size
        body = text[position : position + length]
        position += length
        if position > len(text):
            break
        if number == _WRITER:
            writer = body.decode()
        else:
            begun = at if kind == BEGUN or number not in entries else entries[number].begun
            entries[number] = Entry(kind, body, writer, begun)
    return entries
