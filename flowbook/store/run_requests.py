"""What other processes ask of a run's owner (cancel, resume), and what it answers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from flowbook.store.queries import queries
from flowbook.store.records import Request
from flowbook.store.run_lookup import find_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.store.database import Database

__all__ = ["RunRequests"]


class RunRequests:
    """The requests of all runs of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries()

    def send(self, run_id: str, request: Request, epoch: int) -> int:
        """Send a request to the run's owner at `epoch`; return its number. Raises UnknownRunError."""
        values = {
            "run": find_run(self._database, run_id).id,
            "epoch": epoch,
            "action": request.action,
            "keys": json.dumps(request.keys),
            "person": request.by,
            "note": request.note,
            "now": time.time(),
        }
        add = self._sql["add_request"]
        return int(self._database.write(lambda connection: connection.execute(add, values).fetchone()[0]))

    def open(self, run_id: str, epoch: int) -> list[Request]:
        """Return the unanswered requests to the run's owner, in order. Raises UnknownRunError."""
        row = find_run(self._database, run_id).id
        rows = self._database.read(self._sql["open_requests"], (row, epoch))
        return [Request(action, tuple(json.loads(keys)), by, note, number) for number, action, keys, by, note in rows]

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
