"""Recordings of runs by other processes: batches of events that are written for the owner of a run, each event once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.store.event_writer import EventWriter
from flowbook.store.queries import queries
from flowbook.store.record_writer import UnwritableEventError
from flowbook.store.run_lookup import claimed_error, find_run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from flowbook.engine.task_progress import TaskProgress
    from flowbook.store.database import Database
    from flowbook.store.event_rows import EventRow
    from flowbook.store.values import Values

__all__ = ["RecordingStart", "Recordings", "Written"]


class RecordingStart(NamedTuple):
    """Where a recording goes on.

    Attributes:
        run: the run's key in the database.
        last_seq: number of the last event that was recorded before.
    """

    run: int
    last_seq: int


class Written(NamedTuple):
    """What became of a batch of events.

    Attributes:
        written: how many of them, from the first on, are committed.
        refused: why the next one can never be written; None if all were.
        has_notices: whether there are notices to send.
    """

    written: int
    refused: str | None
    has_notices: bool


class Recordings:
    """Writes events for whoever claimed a run. A batch may be sent again: what of it is stored already is left out."""

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values

    def begin(self, run_id: str, epoch: int) -> RecordingStart:
        """Return where the recording of a run goes on. Raises UnknownRunError, RunClaimedError."""
        row = find_run(self._database, run_id)
        if row.epoch != epoch:
            raise claimed_error(run_id, row)
        writer = EventWriter(self._database, self._values, row.id, epoch)
        return RecordingStart(row.id, writer.last_seq)

    def write(self, run_id: str, epoch: int, rows: Sequence[EventRow]) -> Written:
        """Write events in order.

        Args:
            run_id: of a run that the caller claimed at `epoch`.
            epoch: whoever has claimed it since, writes nothing.
            rows: values that they hold are in them, or stored.

        Raises:
            UnknownRunError: if there is no such run.
            RunClaimedError: if somebody else owns the run now.
            StoreError: if they can't be written now.
        """
        row = find_run(self._database, run_id)
        writer = _WriterOnce(self._database, self._values, row.id, epoch)
        count, refused = 0, None

        def done(number: int) -> None:
            nonlocal count
            count = number

        own = [each._replace(event=(row.id, *each.event[1:])) for each in rows]
        if own:
            try:
                writer.write(own, done)
            except UnwritableEventError as error:
                refused = str(error)
        if any(each.needs_sync for each in own[:count]):
            writer.sync()
        return Written(count, refused, writer.has_notices)

    def write_progress(self, run_id: str, epoch: int, progress: Mapping[str, TaskProgress]) -> None:
        """Replace what was known of how far these tasks are. Raises as `write`."""
        row = find_run(self._database, run_id)
        EventWriter(self._database, self._values, row.id, epoch).write_progress(progress)


class _WriterOnce(EventWriter):
    """Leaves out events that are stored already: they were sent before, and the answer to that was lost."""

    def _insert(self, connection: sqlite3.Connection, rows: list[EventRow]) -> None:
        numbers = [row.event[1] for row in rows]
        asked = (self.run, min(numbers), max(numbers))
        stored = dict(connection.execute(queries()["event_times"], asked).fetchall())
        super()._insert(connection, [row for row in rows if stored.get(row.event[1]) != row.event[4]])
