"""Writes the events of a run that goes on here into a store behind the API: in batches, which may be sent again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.exceptions import RunClaimedError, UnknownRunError
from flowbook.store.api_client import UnreachableError
from flowbook.store.event_rows import STATE
from flowbook.store.record_writer import UnwritableEventError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flowbook.engine.task_progress import TaskProgress
    from flowbook.store.api_client import ApiClient
    from flowbook.store.event_rows import EventRow
    from flowbook.store.recordings import RecordingStart, Written
    from flowbook.store.values import Values

__all__ = ["RemoteWriter"]

#: The most that goes into one request.
_BATCH_ROWS, _BATCH_BYTES = 2000, 8_000_000
#: How long the end of a run waits for a server that is down, where nothing else is set.
_PATIENCE_S = 60.0
#: The fields of states that say until when they last.
_WAITS_UNTIL = ("start_time", "deadline")


class RemoteWriter:
    """Implements `RecordWriter`.

    Args:
        client: talks to the server.
        values: of the store.
        run_id: of the run.
        epoch: at which this process claimed it.

    Raises:
        UnknownRunError: if there is no such run.
        RunClaimedError: if somebody else claimed it since.
    """

    def __init__(self, client: ApiClient, values: Values, run_id: str, epoch: int) -> None:
        self._client = client
        self._values = values
        self._run_id = run_id
        self._epoch = epoch
        start: RecordingStart = client.call("recordings.begin", values, run_id, epoch)
        self.run, self.last_seq = start.run, start.last_seq
        self.has_notices = False
        #: The same for all that is written, so that an event which is sent again is the same one.
        self._ahead_s = client.clock.ahead_s
        #: Smaller after each failure: over a bad connection, little by little gets through.
        self._most_rows = _BATCH_ROWS

    @property
    def generation(self) -> int:
        """See the port."""
        return os.getpid()

    @property
    def patience_s(self) -> float:
        """See the port."""
        given = config.api_patience_s()
        return _PATIENCE_S if given is None else given

    def write(self, rows: list[EventRow], done: Callable[[int], None]) -> None:
        """See the port. Fails at once while the server is known to be down."""
        count = 0
        if self._ahead_s:
            rows = [_by_the_servers_clock(row, self._ahead_s) for row in rows]
        for batch in _batches(rows, self._most_rows):
            written = self._written(batch)
            self.has_notices = self.has_notices or written.has_notices
            done(count + written.written)
            if written.refused is not None:
                raise UnwritableEventError(written.refused)
            count += len(batch)

    def _written(self, batch: list[EventRow]) -> Written:
        try:
            found: Written = self._client.try_call("recordings.write", self._values, self._run_id, self._epoch, batch)
        except UnknownRunError as error:
            msg = "It was deleted."
            raise RunClaimedError(msg, epoch=self._epoch) from error
        except UnreachableError:
            self._most_rows = max(1, min(self._most_rows, len(batch)) // 2)
            raise
        self._most_rows = min(self._most_rows * 2, _BATCH_ROWS)
        return found

    def write_progress(self, progress: Mapping[str, TaskProgress]) -> None:
        """See the port."""
        self._client.try_call("recordings.write_progress", self._values, self._run_id, self._epoch, progress)

    def sync(self) -> None:
        """Do nothing: the server syncs with what has to outlast a loss of power."""


def _by_the_servers_clock(row: EventRow, ahead_s: float) -> EventRow:
    """Return a row whose times are those of the server: of the event, and until when its task waits."""
    run, seq, kind, key, at, name, body, digest, size_bytes = row.event
    if kind == STATE and body is not None and any(f'"{each}"' in body for each in _WAITS_UNTIL):
        found = json.loads(body)
        found |= {each: found[each] + ahead_s for each in _WAITS_UNTIL if isinstance(found.get(each), int | float)}
        body = json.dumps(found, separators=(",", ":"))
    return row._replace(event=(run, seq, kind, key, at + ahead_s, name, body, digest, size_bytes))


def _batches(rows: list[EventRow], most: int) -> Iterator[list[EventRow]]:
    batch: list[EventRow] = []
    size_bytes = 0
    for row in rows:
        if batch and (len(batch) >= most or size_bytes + row.size_bytes > _BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(row)
        size_bytes += row.size_bytes
    yield batch
