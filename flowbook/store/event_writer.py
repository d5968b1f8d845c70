"""Writes the rows of one run in transactions, as long as this process owns the run."""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import TYPE_CHECKING

from flowbook.engine.state import Paused
from flowbook.engine.stopping import cancelled_by
from flowbook.exceptions import FlowbookError, RunClaimedError
from flowbook.store.event_rows import Urgency
from flowbook.store.notices import add_notices
from flowbook.store.queries import queries
from flowbook.store.record_writer import UnwritableEventError
from flowbook.store.state_codec import is_finished_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.task_progress import TaskProgress
    from flowbook.store.database import Database
    from flowbook.store.event_rows import EventRow
    from flowbook.store.values import Values

__all__ = ["EventWriter"]

#: A longer message of a flow's state is cut in the list of runs; the state itself has all of it.
_MESSAGE_CHARACTERS = 1000

#: What the database raises for what is in a row, not for what is wrong with itself.
_ROW_ERRORS = (
    sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError,
    ArithmeticError, TypeError, ValueError, MemoryError,
)  # fmt: skip

_log = logging.getLogger("flowbook.store")


class EventWriter:
    """Writes rows for the owner of a run. For one thread at a time.

    Args:
        database: of the store.
        values: of the store.
        run: see `run`.
        epoch: at which this process claimed it.

    Attributes:
        run: the run's key in the database.
        last_seq: number of the last event that was recorded before.
        has_notices: whether there are notices to send that its caller doesn't know of.
        patience_s: how long to go on trying, once the run is at rest, to write what could not be written.
    """

    patience_s = 0.0

    def __init__(self, database: Database, values: Values, run: int, epoch: int) -> None:
        self._database = database
        self._add_value = values.insert_statement
        self.run = run
        self._epoch = epoch
        self.has_notices = False
        self._sql = queries()
        self.last_seq: int = database.read(self._sql["last_seq"], (run,))[0][0]

    @property
    def generation(self) -> int:
        """A number that differs in the child of a fork."""
        return self._database.generation

    def sync(self) -> None:
        """Make what was written outlast a loss of power. Raises OSError."""
        self._database.sync()

    def write(self, rows: list[EventRow], done: Callable[[int], None]) -> None:
        """Write `rows` in order, in one transaction; where the database refuses one of them, each by itself.

        Args:
            rows: not empty.
            done: told how many of them, from the first on, are committed.

        Raises:
            StoreError: if they can't be written now; those that are not done may be tried again.
            RunClaimedError: if somebody else owns the run now.
            UnwritableEventError: if the row after those that are done can never be written.
        """
        try:
            self._database.write(lambda connection: self._insert(connection, rows))
        except FlowbookError as exc:
            if not isinstance(exc.__cause__, _ROW_ERRORS):
                raise
        except _ROW_ERRORS:
            _log.debug("%d events are written one by one.", len(rows), exc_info=True)
        else:
            done(len(rows))
            return
        for number, row in enumerate(rows, start=1):
            self._write_one(row)
            done(number)

    def write_progress(self, progress: Mapping[str, TaskProgress]) -> None:
        """Replace what was known of how far these tasks are. Raises as `write`."""

        def insert(connection: sqlite3.Connection) -> None:
            self._check_owner(connection)
            rows = [(self.run, key, *report) for key, report in progress.items()]
            connection.executemany(self._sql["set_progress"], rows)

        self._database.write(insert)

    def _write_one(self, row: EventRow) -> None:
        """Write one row; if that fails, without lone surrogates and under the next free number."""
        try:
            try:
                self._database.write(lambda connection: self._insert(connection, [row]))
            except (FlowbookError, *_ROW_ERRORS) as exc:
                if not isinstance(exc, _ROW_ERRORS) and not isinstance(exc.__cause__, _ROW_ERRORS):
                    raise
                self._database.write(lambda connection: self._insert(connection, [self._repaired(connection, row)]))
        except FlowbookError as exc:
            if isinstance(exc.__cause__, _ROW_ERRORS):
                raise UnwritableEventError(_described(row, exc)) from exc
            raise
        except _ROW_ERRORS as exc:
            raise UnwritableEventError(_described(row, exc)) from exc

    def _check_owner(self, connection: sqlite3.Connection) -> None:
        found = connection.execute(self._sql["run_epoch"], (self.run,)).fetchone()
        if found is None or found[0] != self._epoch:
            msg = "Somebody else went on with it."
            raise RunClaimedError(msg, epoch=self._epoch)

    def _repaired(self, connection: sqlite3.Connection, row: EventRow) -> EventRow:
        last = connection.execute(self._sql["last_seq"], (self.run,)).fetchone()[0]
        run, seq, kind, key, at, name, body, digest, size_bytes = row.event
        texts = (_as_valid_unicode(key), at, _as_valid_unicode(name), None if body is None else _as_valid_unicode(body))
        return row._replace(event=(run, max(seq, last + 1), kind, *texts, digest, size_bytes))

    def _insert(self, connection: sqlite3.Connection, rows: list[EventRow]) -> None:
        self._check_owner(connection)
        if values := [value for row in rows for value in row.values]:
            connection.executemany(self._add_value, values)
        connection.executemany(self._sql["add_event"], [row.event for row in rows])
        if needed := [(self.run, bytes.fromhex(digest)) for row in rows for digest in row.needed]:
            connection.executemany(self._sql["hold_value"], needed)
        for row in rows:
            if row.is_of_flow:
                self._update_run(connection, row)
            elif row.cancels_run:
                by = _as_valid_unicode(json.loads(row.event[6] or "{}").get("by", ""))
                connection.execute(self._sql["run_cancelled"], {"run": self.run, "message": cancelled_by(by)})
        if urgent := [row for row in rows if row.urgency is Urgency.NOW]:  # what people are told of is
            self.has_notices = add_notices(connection, self.run, urgent) or self.has_notices

    def _update_run(self, connection: sqlite3.Connection, row: EventRow) -> None:
        """Let the list of runs show the flow's new state."""
        _, _, _, _, at, name, text, *_ = row.event
        body = json.loads(text) if text else {}
        is_finished = is_finished_name(name)
        values = {
            "run": self.run,
            "state": name,
            "message": _shortened(body.get("message")),
            "started": at if name == "Running" else None,
            "ended": at if is_finished else None,
            "answer_due": body.get("deadline"),
        }
        connection.execute(self._sql["flow_changed"], values)
        if is_finished or name == Paused.__name__:
            counts = dict(connection.execute(self._sql["count_states"], {"run": self.run}).fetchall())
            connection.execute(self._sql["keep_counts"], (json.dumps(counts), self.run))


def _shortened(message: object) -> str | None:
    """Return a message as a column takes it: without lone surrogates, and not too long."""
    if message is None:
        return None
    text = _as_valid_unicode(str(message))
    return text if len(text) <= _MESSAGE_CHARACTERS else f"{text[:_MESSAGE_CHARACTERS]}… ({len(text):,} characters)"


def _as_valid_unicode(text: str) -> str:
    """Return `text` as SQLite takes it: lone surrogates, which come with undecodable file names, are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _described(row: EventRow, error: Exception) -> str:
    _, _, _, key, _, name, *_ = row.event
    return f"{name} of {key!r} can't be written: {error.__cause__ or error}"
