"""Links by which a person without a login decides about one task that waits: good for one decision, and for no other waiting.

A link's token has 256 random bits, and only its hash is stored: whoever reads the store can't decide with what is in it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

from flowbook.store.queries import queries
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import sqlite3

    from flowbook.store.database import Database

__all__ = ["ApprovalLink", "ApprovalLinks"]

_TOKEN_BYTES = 32
#: For how long a link that has expired still says so.
_REMEMBERED_S = 90 * 86_400


class ApprovalLink(NamedTuple):
    """What a link is good for, and what became of it. Times are seconds since the epoch.

    Attributes:
        run_id: of the run.
        key: of the task, or of a mapped task's child.
        seq: number of the event with which it began to wait.
        used: when it decided; None if it hasn't.
        action: what was decided then.
        by: who decided, as they call themselves.
    """

    run_id: str
    key: str
    seq: int
    created: float
    expires: float
    used: float | None
    action: str | None
    by: str | None
    note: str | None


class ApprovalLinks:
    """All links of a store. From any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries()

    def make(self, run: int, key: str, seq: int, expires: float) -> str:
        """Make a link for one task that waits; return its token, which is kept nowhere.

        Args:
            run: the run's key in the database.
            key: of the task.
            seq: number of the event with which it began to wait.
            expires: seconds since the epoch.

        Raises:
            StoreError: if it can't be written.
        """
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), time.time()
        row = {"digest": _digest(token), "run": run, "key": key, "seq": seq, "now": now, "expires": expires}

        def add(connection: sqlite3.Connection) -> None:
            connection.execute(self._sql["drop_old_approval_links"], (now - _REMEMBERED_S,))
            connection.execute(self._sql["add_approval_link"], row)

        self._database.write(add)
        return token

    @in_words
    def find(self, token: str) -> ApprovalLink | None:
        """Return what a link is good for; None if there is no such link. It is looked up by its hash, never compared."""
        rows = self._database.read(self._sql["approval_link"], (_digest(token),))
        return ApprovalLink._make(rows[0]) if rows else None

    def use(self, token: str, action: str, by: str, note: str) -> float | None:
        """Use a link up for a decision; of many who try at once, one does. Return when, or None if it isn't good any more."""
        now = time.time()
        row = {"digest": _digest(token), "now": now, "action": action, "person": by, "note": note}
        is_used = self._database.write(
            lambda connection: connection.execute(self._sql["use_approval_link"], row).rowcount
        )
        return now if is_used else None

    def give_back(self, token: str, used: float) -> None:
        """Make a link good again whose decision could not be carried out."""
        row = {"digest": _digest(token), "used": used}
        self._database.write(lambda connection: connection.execute(self._sql["give_back_approval_link"], row))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
