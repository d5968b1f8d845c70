"""Who is told of runs, and the notices for them.

A notice is a row that is written in the same transaction as the event that causes it, whichever process records that. It is
claimed before it is sent, so that one process sends it; a claim that no answer follows is given up, never sent again.
Source: the transactional outbox, as message queues beside a database have it; docs/decisions/0067.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.events import FLOW, Logged
from flowbook.engine.state_kinds import FAILED as FAILED_STATES
from flowbook.store.event_rows import STATE, EventRow
from flowbook.store.queries import queries
from flowbook.store.records import ReceiverRow, from_stamp
from flowbook.store.state_codec import is_finished_name
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3
    from collections.abc import Sequence

    from flowbook.store.database import Database

__all__ = [
    "ENDED",
    "FAILED",
    "MOST_TASKS",
    "WAITS",
    "DueNotice",
    "NoticeRow",
    "Notices",
    "RunToTellOf",
    "TaskToTellOf",
    "add_notices",
    "add_receivers",
]

WAITS, FAILED, ENDED = "waits", "failed", "ended"
_FAILED_FLOW = frozenset({*FAILED_STATES, "TriggerFailed"})
#: As in `logging`.
_WARNING = 30
#: A notice names no more tasks than this, and counts the others.
MOST_TASKS = 100


class DueNotice(NamedTuple):
    """A notice to send: all of one run for one cause to one receiver.

    Attributes:
        run_id: of the run.
        run: the run's key in the database.
        cause: "waits", "failed" or "ended".
        spec: the receiver, as JSON.
        shown: the receiver as people see it.
        seq: number of the first event that caused it.
        tries: how often it couldn't be sent.
    """

    run_id: str
    run: int
    cause: str
    spec: str
    shown: str
    seq: int
    tries: int


class NoticeRow(NamedTuple):
    """What became of a notice.

    Attributes:
        seq: number of the event that caused it.
        cause: "waits", "failed" or "ended".
        shown: the receiver as people see it.
        noted: when it was caused.
        due: when it is sent next; None once it is over.
        tries: how often it was sent.
        sent: when it arrived; None if it didn't, or nobody knows.
        trouble: why it didn't.
    """

    seq: int
    cause: str
    shown: str
    noted: dt.datetime
    due: dt.datetime | None
    tries: int
    sent: dt.datetime | None
    trouble: str | None

    @property
    def is_lost(self) -> bool:
        """Whether it didn't arrive, as far as is known, and isn't sent again."""
        return self.due is None and self.sent is None and self.trouble is not None


class TaskToTellOf(NamedTuple):
    """A task that waits or failed.

    Attributes:
        key: of the task or child.
        state: name of its state.
        body: what else is known of the state, as the store holds it.
        seq: number of the event with which it came to that state.
        link: where it is answered; "" where there is no such page.
    """

    key: str
    state: str
    body: dict[str, object]
    seq: int = 0
    link: str = ""


class RunToTellOf(NamedTuple):
    """What a notice says of a run.

    Attributes:
        state: name of the flow's state.
        message: of that state.
        tasks: those that wait, or that failed, by the notice's cause.
        is_cut: whether there are more of them.
    """

    run_id: str
    flow: str
    number: int
    state: str
    message: str
    tasks: tuple[TaskToTellOf, ...]
    is_cut: bool


class Notices:
    """The receivers and notices of a store. From any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries()

    # Who is told of all runs

    @in_words
    def add_receiver(self, receiver: ReceiverRow) -> int:
        """Tell a receiver of all runs from now on; return its number. If it is there already, only its causes change."""
        values = {"run": None, **_row(receiver)}

        def change(connection: sqlite3.Connection) -> int:
            found = connection.execute(self._sql["change_receiver"], values).fetchone()
            return int((found or connection.execute(self._sql["add_receiver"], values).fetchone())[0])

        return self._database.write(change)

    @in_words
    def receivers(self) -> list[ReceiverRow]:
        """Return who is told of all runs."""
        rows = self._database.read(self._sql["receivers_of_all"])
        return [
            ReceiverRow(spec, shown, tuple(causes.split()), number, from_stamp(created))
            for number, spec, shown, causes, created in rows
        ]

    @in_words
    def remove_receiver(self, number: int) -> bool:
        """Tell a receiver of no more runs; return False if there is none of that number. What is under way is still sent."""
        remove = self._sql["remove_receiver"]
        return bool(self._database.write(lambda connection: connection.execute(remove, (number,)).rowcount))

    # What there is to send

    @in_words
    def due(self, now: float, limit: int = 100) -> list[DueNotice]:
        """Return the notices to send at `now` (seconds since the epoch), those that wait longest first."""
        rows = self._database.read(self._sql["due_notices"], {"now": now, "limit": limit})
        return [DueNotice._make(row) for row in rows]

    @in_words
    def next_due(self) -> float | None:
        """Return when the next notice is to be sent, in seconds since the epoch; None if there is none."""
        found: float | None = self._database.read(self._sql["next_notice"])[0][0]
        return found

    def claim(self, notice: DueNotice, token: str, until: float) -> int | None:
        """Claim a notice; return the number of the first event that caused it, or None if another process was faster.

        Args:
            notice: as `due` returned it.
            token: tells this attempt from all others.
            until: when the notice is given up if nobody has settled it.
        """
        values = {"run": notice.run, "cause": notice.cause, "spec": notice.spec, "token": token, "until": until}
        claim = self._sql["claim_notices"]
        found = self._database.write(lambda connection: connection.execute(claim, values).fetchall())
        return min((seq for (seq,) in found), default=None)

    def settle(
        self, token: str, *, sent: float | None = None, trouble: str | None = None, due: float | None = None
    ) -> bool:
        """Note what became of an attempt; return False if it was given up meanwhile.

        Args:
            token: as claimed.
            sent: when the notice arrived.
            trouble: why it didn't.
            due: when it is sent again; None: never.
        """
        values = {"token": token, "sent": sent, "trouble": trouble, "due": due}
        settle = self._sql["settle_notices"]
        return bool(self._database.write(lambda connection: connection.execute(settle, values).rowcount))

    def give_up(self, now: float, trouble: str) -> int:
        """Give up the notices that were being sent until `now` and that nobody has settled; return how many."""
        if not self._database.read("SELECT 1 FROM notice WHERE due <= ? AND token IS NOT NULL LIMIT 1", (now,)):
            return 0
        give_up, values = self._sql["give_up_notices"], {"now": now, "trouble": trouble}
        return self._database.write(lambda connection: connection.execute(give_up, values).rowcount)

    # What they say, and what became of them

    @in_words
    def run_to_tell_of(self, run: int, cause: str, seq: int) -> RunToTellOf:
        """Return what a notice says of a run, as of now.

        Args:
            run: the run's key in the database.
            cause: "waits": the tasks are those that wait; "failed", "ended": those that failed.
            seq: number of the first event that caused it; for "waits", only tasks that wait since then are meant.
        """
        with self._database.snapshot() as read:
            run_id, flow, number, state, message = read(self._sql["run_to_tell_of"], (run,))[0]
            names = ("Paused",) if cause == WAITS else FAILED_STATES
            since = seq if cause == WAITS else 0
            asked = {"run": run, "seq": since, "names": json.dumps(names), "limit": MOST_TASKS + 1}
            rows = read(self._sql["tasks_to_tell_of"], asked)
        found = [TaskToTellOf(key, name, json.loads(body) if body else {}, last) for key, name, body, last in rows]
        tasks = tuple(each for each in found if cause != WAITS or not each.body.get("start_time"))
        return RunToTellOf(
            run_id, flow, number, state or "", message or "", tasks[:MOST_TASKS], is_cut=len(rows) > MOST_TASKS
        )

    @in_words
    def of_run(self, run_id: str) -> list[NoticeRow]:
        """Return the notices of a run, in order of their events."""
        return [
            NoticeRow(seq, cause, shown, from_stamp(noted), from_stamp(due), tries, from_stamp(sent), trouble)
            for seq, cause, shown, noted, due, tries, sent, trouble in self._database.read(
                self._sql["notices_of_run"], (run_id,)
            )
        ]

    def log_lines(self, run_id: str) -> list[Logged]:
        """Return what went wrong with notices of a run, as lines of its log."""
        return [
            Logged(
                row.seq,
                FLOW,
                row.noted.timestamp(),
                _WARNING,
                f"The notice for {row.shown} did not arrive: {row.trouble}.",
            )
            for row in self.of_run(run_id)
            if row.trouble is not None and row.sent is None
        ]


def add_receivers(connection: sqlite3.Connection, run: int, receivers: Sequence[ReceiverRow]) -> None:
    """Add who is told of one run, within a transaction."""
    add = queries()["add_receiver"]
    for receiver in receivers:
        connection.execute(add, {"run": run, **_row(receiver)}).fetchone()


def add_notices(connection: sqlite3.Connection, run: int, rows: list[EventRow]) -> bool:
    """Add the notices that events cause, within the transaction that adds these; return whether there are any."""
    added = 0
    for row in rows:
        for cause in _causes(row):
            values = {"run": run, "seq": row.event[1], "cause": cause, "now": time.time()}
            added += connection.execute(queries()["add_notices"], values).rowcount
    return added > 0


def _causes(row: EventRow) -> tuple[str, ...]:
    """Return the causes in an event; those who are told of the first aren't told of the next."""
    _, _, kind, key, _, name, body, *_ = row.event
    if kind != STATE:
        return ()
    if not row.is_of_flow:
        waits = name == "Paused" and not (body and json.loads(body).get("start_time"))
        return (WAITS,) if waits and key else ()
    if not is_finished_name(name):
        return ()
    return (FAILED, ENDED) if name in _FAILED_FLOW else (ENDED,)


def _row(receiver: ReceiverRow) -> dict[str, object]:
    return {
        "spec": receiver.spec,
        "shown": receiver.shown,
        "causes": " ".join(receiver.causes),
        "now": time.time(),
    }
