"""What workers have begun and done, noted in a folder that they share with the driver, so that nothing is begun twice.

Dask repeats by itself what a dead worker had: five of ten finished tasks, `os._exit` four times. So each Dask task has a
page here. Whoever gets the task makes the page, as a new file; whoever gets it again finds what was begun and done before.
A page is only ever written by the one who made it, who stops when there is a next one.
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

__all__ = ["BEGUN", "DONE", "RETURNED", "Entry", "Ledger", "Page", "Place"]

#: Kinds of entries; the last one of a call counts.
BEGUN, DONE, RETURNED = b"b", b"d", b"r"
_HEAD = struct.Struct("<cQdI")
_TOKEN = "token"  # noqa: S105  # a file's name
_STOP = "stop"
_WRITER = 0
_MADE_HERE = "flowbook-"


class Place(NamedTuple):
    """Where the ledger of a run is: a folder, and the token by which a worker sees that its folder is the same one."""

    folder: str
    token: str

    @classmethod
    def make(cls, folder: Path) -> Place:
        """Return the place in a folder that is there."""
        place = cls(str(folder), os.urandom(16).hex())
        (folder / _TOKEN).write_text(place.token, encoding="ascii")
        return place

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_in_reach(self) -> bool:
        """Return whether this process sees the same folder."""
        try:
            return Path(self.folder, _TOKEN).read_text(encoding="ascii") == self.token
        except (OSError, UnicodeDecodeError):
            return False


class Entry(NamedTuple):
    """The last that is noted of a call: its kind, what was noted with it, by whom, and when the call was begun."""

    kind: bytes
    body: bytes
    writer: str
    begun: float


class Ledger:
    """The driver's side: reads what workers noted, and tells them to stop.

    Args:
        place: that workers may see as well; default: a temporary one of this machine.
    """

    def __init__(self, place: Place | None = None) -> None:
        self._is_made_here = place is None
        self.place = place if place is not None else Place.make(Path(tempfile.mkdtemp(prefix=_MADE_HERE)))

    def stop(self) -> None:
        """From now on no worker in reach begins anything."""
        with contextlib.suppress(OSError):  # the run is over, or its disk is full
            Path(self.place.folder, _STOP).touch()

    def read(self, name: str) -> dict[int, Entry] | None:
        """Return the entries of page `name` by call; None if nobody made it: its calls are with no worker in reach."""
        entries: dict[int, Entry] = {}
        turns = 0
        while (found := _read(_path(self.place, name, turns))) is not None:
            entries.update(found)
            turns += 1
        return entries if turns else None

    def close(self) -> None:
        """Remove what was made here."""
        if self._is_made_here:
            self.place.remove()


class Page:
    """A worker's side: the page of one Dask task; `known` is what was noted before, when somebody else had the task.

    Raises:
        OSError: if it can't be made; the calls are then done without.
    """

    def __init__(self, place: Place, name: str, writer: str) -> None:
        self.known: dict[int, Entry] = {}
        self._stop = os.path.join(place.folder, _STOP)  # noqa: PTH118  # asked for at every call
        turn = 0
        while True:
            path = _path(place, name, turn)
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
                break
            except FileExistsError:
                self.known.update(_read(path) or {})
                turn += 1
        self._next = str(_path(place, name, turn + 1))
        self._is_whole = True
        self._lock = RankedLock(Rank.LEDGER)
        self.note(BEGUN, _WRITER, writer.encode())

    def note(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Note what became of a call, in one piece; once that is not possible (a full disk) nothing more is noted."""
        entry = _HEAD.pack(kind, number, time.time(), len(body)) + body
        with self._lock, contextlib.suppress(OSError):
            self._is_whole = self._is_whole and os.write(self._file, entry) == len(entry)

    def is_stopped(self) -> bool:
        """Return whether the run was cancelled: nothing more is to be begun."""
        return os.path.exists(self._stop)  # noqa: PTH110  # as above

    def is_superseded(self) -> bool:
        """Return whether another worker has the task now, as this one was taken for dead."""
        return os.path.exists(self._next)  # noqa: PTH110  # as above

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._is_whole = False
            os.close(self._file)


def _path(place: Place, name: str, turn: int) -> Path:
    return Path(place.folder, f"{name}.{turn}")


def _read(path: Path) -> dict[int, Entry] | None:
    """Return the entries of one file, None if there is none; one that was cut off by its writer's end does not count."""
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
