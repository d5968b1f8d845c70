"""Events of runs as rows, read as they come: of one run page by page, and of all runs since the last look. Decodes no value."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from flowbook.store.late_events import LateEvents
from flowbook.store.queries import queries
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.store.database import Database

__all__ = ["EventFeed", "FeedRow", "event_page", "log_page", "numbers_up_to"]

#: How often all runs are looked through for those that were claimed and released between two looks.
_FULL_S = 1.0


class FeedRow(NamedTuple):
    """An event as the store has it, see `event_rows.decode_event`."""

    run_id: str
    seq: int
    kind: int
    key: str
    at: float
    name: str
    body: str | None


class _Known(NamedTuple):
    """What is known of a run: its epoch, and which of its events were read."""

    run_id: str
    epoch: int
    late: LateEvents


@in_words
def event_page(database: Database, run_id: str, since: int, limit: int) -> list[FeedRow]:
    """Return the events of a run after number `since`, in order, at most `limit`; none if there is no such run."""
    return [FeedRow._make(row) for row in database.read(queries()["event_page"], (run_id, since, limit))]


@in_words
def log_page(database: Database, run_id: str, since: int, limit: int, key: str | None = None) -> list[FeedRow]:
    """Return what a run, or one of its tasks, logged after event number `since`, in order, at most `limit` lines."""
    given = {"run_id": run_id, "since": since, "limit": limit, "key": key}
    return [FeedRow._make(row) for row in database.read(queries()["log_page"], given)]


@in_words
def numbers_up_to(database: Database, run_id: str, last: int) -> list[int]:
    """Return the numbers of a run's events up to `last`: only the last one if none is missing, else all from 0 on."""
    asked = {"run_id": run_id, "last": last}
    (count,) = database.read(queries()["count_numbers"], asked)[0]
    if count == last:
        return [last] if last else []
    return [0, *(number for (number,) in database.read(queries()["numbers"], asked))]


class EventFeed:
    """Reads what happens in all runs from now on. For one thread at a time.

    An event whose value takes long to store comes after newer ones of its run, so gaps in the numbers are looked at again.

    A run gets events only from the process that has claimed it. So those are read of runs that have an owner or may get one
    (by their state), of new ones and, once a second, of those whose epoch has grown.

    Args:
        database: of the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries()
        self._seen: object = None
        self._needs_full = False
        self._next_full = time.monotonic() + _FULL_S
        #: By the run's key in the database.
        self._known: dict[int, _Known] = {}
        self._owned: set[int] = set()
        #: Runs whose events couldn't be read yet.
        self._unread: set[int] = set()
        seen = database.version()
        for number, run_id, epoch, is_owned, seq in database.read(self._sql["feed_start"]):
            numbers = numbers_up_to(database, run_id, seq) if is_owned else [seq] if seq else []
            self._known[number] = _Known(run_id, epoch, LateEvents(numbers))
            self._owned |= {number} if is_owned else set()
        self._seen = seen

    @in_words
    def news(self) -> list[FeedRow]:
        """Return the events since the last call; those of each run in order, but for those that came late."""
        version = self._database.version()
        if version == self._seen and not self._needs_full:
            return self._read(due) if (due := self._due()) else []
        self._needs_full = self._needs_full or version != self._seen
        if self._needs_full and time.monotonic() >= self._next_full:
            found = self._read(self._all())
            self._needs_full, self._next_full = False, time.monotonic() + _FULL_S
        else:
            found = self._read(self._changed(self._likely()))
        self._seen = version
        return found

    def _likely(self) -> list[tuple[int, str, int, int]]:
        """Return the runs that are likely to have new events."""
        asked = {"last": max(self._known, default=0), "owned": json.dumps(sorted(self._owned))}
        return self._database.read(self._sql["feed_runs"], asked)

    def _all(self) -> set[int]:
        """Look through all runs; return those that may have new events."""
        rows = self._database.read(self._sql["feed_all"])
        there = {row[0] for row in rows}
        self._known = {number: known for number, known in self._known.items() if number in there}
        before = self._owned
        self._owned = {number for number, *_, is_owned in rows if is_owned}
        changed = {row[0] for row in rows if self._is_changed(*row[:3])}
        return self._changed([row for row in rows if row[0] in changed]) | before & there | self._owned

    def _is_changed(self, number: int, run_id: str, epoch: int) -> bool:
        known = self._known.get(number)
        return known is None or known.epoch != epoch or known.run_id != run_id

    def _changed(self, rows: Iterable[tuple[int, str, int, int]]) -> set[int]:
        """Take in what was read of runs; return their keys."""
        found = set()
        for number, run_id, epoch, is_owned in rows:
            known = self._known.get(number)
            is_same = known is not None and known.run_id == run_id
            late = known.late if is_same and known is not None else LateEvents(())
            self._known[number] = _Known(run_id, epoch, late)
            if is_owned:
                self._owned.add(number)
            found.add(number)
        return found

    def _due(self) -> set[int]:
        """Return the runs that have a gap in their numbers which it is time to look at."""
        now = time.monotonic()
        return {number for number in self._owned if number in self._known and self._known[number].late.is_due(now)}

    def _read(self, runs: set[int]) -> list[FeedRow]:
        self._unread |= runs
        positions = [[number, self._position(number)] for number in sorted(self._unread) if number in self._known]
        rows = self._database.read(self._sql["feed_events"], (json.dumps(positions),))
        self._unread = set()
        by_run: dict[int, list[FeedRow]] = {}
        for number, *row in rows:
            by_run.setdefault(number, []).append(FeedRow(self._known[number].run_id, *row))
        return [event for number, events in by_run.items() for event in self._known[number].late.unseen(events)]

    def _position(self, number: int) -> int:
        """Return the number after which to read a run: where nobody has it, all that comes late is there."""
        late = self._known[number].late
        if number not in self._owned and late.gap is not None:
            return late.gap
        return late.since(time.monotonic())
