"""What other processes ask of a run's owner (cancel, retry, an answer to a task that waits), and what it answers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from flowbook.results.reference import ResultRef
from flowbook.store.queries import queries
from flowbook.store.records import Request
from flowbook.store.run_lookup import find_run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from flowbook.store.database import Database
    from flowbook.store.values import Values

__all__ = ["RunRequests"]


class RunRequests:
    """The requests of all runs of a store. From any thread.

    Args:
        database: of the store.
        values: of the store; it holds the inputs that requests change.
    """

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values
        self._sql = queries()

    def send(self, run_id: str, request: Request, epoch: int, rows: Sequence[tuple[object, ...]] = ()) -> int:
        """Send a request to the run's owner at `epoch`; return its number.

        Args:
            run_id: of the run.
            request: what is asked.
            epoch: the run's, as the caller saw it.
            rows: the prepared values that the request's inputs refer to.

        Raises:
            UnknownRunError: if there is no such run.
        """
        row = find_run(self._database, run_id).id
        values = {
            "run": row,
            "epoch": epoch,
            "action": request.action,
            "keys": json.dumps(request.keys),
            "person": request.by,
            "note": request.note,
            "now": time.time(),
            "details": _details(request),
        }

        def add(connection: sqlite3.Connection) -> int:
            connection.executemany(self._values.insert_statement, rows)
            held = [(row, bytes.fromhex(ref.digest)) for ref in request.inputs.values()]
            connection.executemany(self._sql["hold_value"], held)
            return int(connection.execute(self._sql["add_request"], values).fetchone()[0])

        return self._database.write(add)

    def version(self) -> object:
        """Return a value that differs after each new request, and after other commits, too."""
        return self._database.version()

    def newest(self) -> int:
        """Return the number of the newest request in the store; 0 if there is none."""
        return int(self._database.read(self._sql["newest_request"])[0][0])

    def open(self, run_id: str, epoch: int) -> list[Request]:
        """Return the unanswered requests to the run's owner, in order. Raises UnknownRunError."""
        row = find_run(self._database, run_id).id
        return [self._request(*found) for found in self._database.read(self._sql["open_requests"], (row, epoch))]

    def was_asked(self, run_id: str, epoch: int, action: str) -> bool:
        """Return whether the run's owner at `epoch` was ever asked for this. Raises UnknownRunError."""
        row = find_run(self._database, run_id).id
        return bool(self._database.read(self._sql["was_asked"], (row, epoch, action)))

    def _request(self, number: int, action: str, keys: str, by: str, note: str, details: str | None) -> Request:  # noqa: PLR0913  # a row
        known: dict[str, Any] = json.loads(details) if details else {}
        inputs = {
            name: ResultRef(digest, size_bytes, self._values)
            for name, (digest, size_bytes) in known.get("inputs", {}).items()
        }
        looked_at, typed = known.get("looked_at", {}), tuple(known.get("typed", ()))
        return Request(action, tuple(json.loads(keys)), by, note, inputs, looked_at, number, typed)

    def answer(self, number: int, answer: Mapping[str, object]) -> bool:
        """Answer a request with plain JSON; return False if it was answered (or withdrawn) before."""
        text = json.dumps(answer)
        change = self._sql["answer_request"]
        return bool(self._database.write(lambda connection: connection.execute(change, (text, number)).rowcount))

    def answer_to(self, number: int) -> dict[str, Any] | None:
        """Return the answer to a request, or None as long as there is none."""
        rows = self._database.read(self._sql["request_answer"], (number,))
        answer: dict[str, Any] | None = json.loads(rows[0][0]) if rows and rows[0][0] is not None else None
        return answer


def _details(request: Request) -> str | None:
    """Return as JSON what only few requests have; None if this one hasn't."""
    inputs = {name: [ref.digest, ref.size_bytes] for name, ref in request.inputs.items()}
    looked_at = {key: dict(each) for key, each in request.looked_at.items() if each}
    details = {"inputs": inputs, "looked_at": looked_at, "typed": request.typed}
    found = {name: each for name, each in details.items() if each}
    return json.dumps(found) if found else None
