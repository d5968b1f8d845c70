"""A pod's log as it is read in pieces: each line once, although a connection that is cut begins again a little earlier. Pure."""

from __future__ import annotations

import re
from collections import Counter, deque
from datetime import datetime

__all__ = ["PodLog"]

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")


class PodLog:
    """Takes the lines of one container's log, each with the time that the cluster puts before it.

    A log can be read again only from some seconds back. What is older than the last seconds was taken before; the lines of
    these are counted, since times of two lines may be equal or in the wrong order: a container writes to two streams.

    Args:
        after_ns: lines up to this time were taken by somebody else, in nanoseconds since the epoch.

    Attributes:
        read_until_ns: the time of the newest line that was taken.
        says: what the cluster said last in place of a container's line, such as "unable to retrieve container logs".
    """

    def __init__(self, after_ns: int = 0) -> None:
        self.read_until_ns = self._after_ns = after_ns
        #: The newest whole second that was read, and what was read since the second before it.
        self._second = b""
        #: With hashes of the lines: a container may write very much in a second.
        self._recent: deque[tuple[bytes, int]] = deque()
        self._to_skip: Counter[int] = Counter()
        self._from = b""
        self.says = ""

    def reopened(self) -> None:
        """Note that the log is read again, from some time before the last line on, or from its beginning."""
        self._to_skip = Counter(key for _, key in self._recent)

    def take(self, line: bytes) -> bytes | None:
        """Return a line without its time, or None if it was taken before, or is the cluster's own: `says` has that then.

        Args:
            line: with its end, unless it is the last one.
        """
        key = hash(line)
        if self._to_skip[key] > 0:
            self._to_skip[key] -= 1
            return None
        stamp = _STAMP.match(line)
        if stamp is None:
            self.says = line.decode("utf-8", "replace").strip()
            return None
        at_ns = _nanoseconds(stamp)
        if stamp[1] < self._from or at_ns <= self._after_ns:
            return None
        self.read_until_ns = max(self.read_until_ns, at_ns)
        self._note(stamp[1], key)
        return line[stamp.end() :]

    def _note(self, second: bytes, key: int) -> None:
        if second > self._second:
            # One second further back: times may be in the wrong order.
            self._from, self._second = self._second or second, second
            while self._recent and self._recent[0][0] < self._from:
                self._recent.popleft()
        self._recent.append((second, key))


def _nanoseconds(stamp: re.Match[bytes]) -> int:
    zone = b"+00:00" if stamp[3] == b"Z" else stamp[3]
    seconds = int(datetime.fromisoformat((stamp[1] + zone).decode()).timestamp())
    return seconds * 1_000_000_000 + int((stamp[2] or b"").ljust(9, b"0"))
