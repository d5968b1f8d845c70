"""Which lines of a pod's output are in a run's log file, so that whoever goes on after a crash repeats none and leaves none out.

A line is noted beside the log file before it is written there, with its place. So after a crash it is known of the last one
how much of it was written; that part is cut off again, and the line is read anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flowbook.store.process_output import OLDER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from flowbook.flow_runners.run_output import Place

__all__ = ["KeptLine", "KeptLines"]

_SUFFIX = ".lines"
#: Hash of the pod's name, time, hash of the line, inode of the file and place in it, length.
_RECORD = struct.Struct(">8sqQQQQ")
#: From so many bytes on, what no connection reads again is forgotten.
_MOST_BYTES = 8_000_000
_SECOND_NS = 1_000_000_000
_CLOSED = -1


class KeptLine(NamedTuple):
    """A line that was kept.

    Attributes:
        at_ns: its time by the cluster's clock, in nanoseconds since the epoch.
        key: its hash, the time included.
    """

    at_ns: int
    key: int


class _Record(NamedTuple):
    pod: bytes
    line: KeptLine
    place: Place
    length: int

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        pod, at_ns, key, file, start, length = _RECORD.unpack(packed)
        return cls(pod, KeptLine(at_ns, key), (file, start), length)

    def packed(self) -> bytes:
        return _RECORD.pack(self.pod, *self.line, *self.place, self.length)


class KeptLines:
    """The notes of one log file. For the process that has locked its mark; from any thread that writes to the log file.

    What an earlier process left half written is cut off.

    Args:
        output: path of the log file.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._path = output.with_name(output.name + _SUFFIX)
        self._file, self._bytes = _CLOSED, 0
        self._records = self._whole(self._read())
        self._rewrite(self._records)

    def of(self, pod: str) -> list[KeptLine]:
        """Return the lines of a pod that an earlier process kept, in order; of an old log only the newest."""
        name = _name(pod)
        return [each.line for each in self._records if each.pod == name]

    def note(self, pod: str, line: KeptLine, place: Place, length: int) -> None:
        """Note a line that is written next.

        Args:
            pod: whose it is.
            line: the line.
            place: where the log file ends now, see `RunOutput.write`.
            length: how many bytes will be written.
        """
        with contextlib.suppress(OSError):  # no room: after a crash the line would come twice
            if self._bytes > _MOST_BYTES:
                self._rewrite(_newest(self._read()))
            self._bytes += os.write(self._file, _Record(_name(pod), line, place, length).packed())

    def remove(self) -> None:
        """Remove the notes."""
        self._path.unlink(missing_ok=True)
        file, self._file = self._file, _CLOSED
        os.close(file)

    def _read(self) -> list[_Record]:
        try:
            found = self._path.read_bytes()
        except OSError:
            return []
        whole = len(found) - len(found) % _RECORD.size  # the last one may be cut off: its line wasn't written then
        return [_Record.unpacked(found[at : at + _RECORD.size]) for at in range(0, whole, _RECORD.size)]

    def _whole(self, records: list[_Record]) -> list[_Record]:
        """Return the records without the last, if that line isn't whole in the file; cut off what is there of it."""
        if not records:
            return []
        last = records[-1]
        files = (self._output, Path(f"{self._output}{OLDER}"))
        sizes = [(file, found.st_ino, found.st_size) for file in files if (found := _stat(file)) is not None]
        place = next((at for at, (_, inode, _) in enumerate(sizes) if inode == last.place[0]), None)
        if place is None:
            return records
        written = sizes[place][2] - last.place[1] + sum(size for _, _, size in sizes[:place])
        if written >= last.length:
            return records
        os.truncate(sizes[place][0], last.place[1])
        for file, _, _ in sizes[:place]:
            os.truncate(file, 0)
        return records[:-1]

    def _rewrite(self, records: Iterable[_Record]) -> None:
        """Replace the notes at once by these."""
        text = b"".join(each.packed() for each in records)
        new = self._path.with_name(f"{self._path.name}.new")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.write(file, text)
        new.replace(self._path)
        earlier, self._file, self._bytes = self._file, file, len(text)
        if earlier != _CLOSED:
            os.close(earlier)


def _name(pod: str) -> bytes:
    return hashlib.blake2b(pod.encode(), digest_size=8).digest()


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _newest(records: list[_Record]) -> list[_Record]:
    """Return the records from the second before each pod's newest on: only these lines may be read again as new ones."""
    seconds: dict[bytes, list[int]] = {}
    for each in records:
        known, second = seconds.setdefault(each.pod, [0, 0]), each.line.at_ns // _SECOND_NS
        if second > known[1]:
            known[:] = [known[1], second]
    return [each for each in records if each.line.at_ns // _SECOND_NS >= seconds[each.pod][0]]
