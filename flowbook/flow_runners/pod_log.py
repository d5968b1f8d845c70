"""A pod's log as it is read in pieces: each line once, although a connection that is cut begins again a little earlier. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, deque
from datetime import datetime
from typing import TYPE_CHECKING

from flowbook.flow_runners.kept_lines import KeptLine

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PodLog"]

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")
_SECOND_NS = 1_000_000_000


class PodLog:
    """Takes the lines of one container's log, each with the time that the cluster puts before it.

    A log is read again from some seconds back, in the same order. So what comes up to the line that was taken last was taken
    before, and all that follows is new, whatever its time: a container writes to two streams, and times of lines may be equal or
    in the wrong order. The lines of the last seconds are known by their hashes, and counted.

    Args:
        after_ns: lines up to this time were taken by somebody else, in nanoseconds since the epoch; if no more is known.
        kept: the lines that somebody else has taken, in order, at least those of the last seconds.

    Attributes:
        read_until_ns: the time of the newest line that was taken.
        last: the line that was taken last.
        says: what the cluster said last in place of a container's line, such as "unable to retrieve container logs".
    """

    def __init__(self, after_ns: int = 0, kept: Sequence[KeptLine] = ()) -> None:
        self.read_until_ns = self._after_ns = 0 if kept else after_ns
        self.last = KeptLine(0, 0)
        #: The newest whole second that was read, and the one before it, from which on lines are known.
        self._second = self._from = 0
        #: With hashes of the lines: a container may write very much in a second.
        self._recent: deque[KeptLine] = deque()
        self._to_skip: Counter[int] = Counter()
        self._left_to_skip = 0
        self.says = ""
        for line in kept:
            self._note(line)
        self.reopened()

    def reopened(self) -> None:
        """Note that the log is read again, from some time before the last line on, or from its beginning."""
        self._to_skip = Counter(line.key for line in self._recent)
        self._left_to_skip = len(self._recent)

    def take(self, line: bytes) -> bytes | None:
        """Return a line without its time, or None if it was taken before, or is the cluster's own: `says` has that then.

        Args:
            line: with its end, unless it is the last one.
        """
        stamp = _STAMP.match(line)
        if stamp is None:
            self.says = line.decode("utf-8", "replace").strip()
            return None
        found = KeptLine(_nanoseconds(stamp), _key(line))
        if self._was_taken(found):
            return None
        self._note(found)
        return line[stamp.end() :]

    def _was_taken(self, line: KeptLine) -> bool:
        if not self._left_to_skip:
            return line.at_ns <= self._after_ns
        if self._to_skip[line.key] > 0:
            self._to_skip[line.key] -= 1
            self._left_to_skip -= 1
            return True
        return line.at_ns // _SECOND_NS < self._from

    def _note(self, line: KeptLine) -> None:
        second = line.at_ns // _SECOND_NS
        self.read_until_ns, self.last = max(self.read_until_ns, line.at_ns), line
        if second > self._second:
            # One second further back: times may be in the wrong order.
            self._from, self._second = self._second or second, second
            while self._recent and self._recent[0].at_ns // _SECOND_NS < self._from:
                self._recent.popleft()
        self._recent.append(line)


def _key(line: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "big")


def _nanoseconds(stamp: re.Match[bytes]) -> int:
    zone = b"+00:00" if stamp[3] == b"Z" else stamp[3]
    seconds = int(datetime.fromisoformat((stamp[1] + zone).decode()).timestamp())
    return seconds * _SECOND_NS + int((stamp[2] or b"").ljust(9, b"0"))
