"""A recorded run as it was at one moment: its owner, state, inputs and events, all read in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.engine.events import StateChanged
from flowbook.engine.mapped_states import fill_children
from flowbook.engine.task_progress import TaskProgress
from flowbook.store.event_rows import decode_event, value_ref
from flowbook.store.process_identity import has_owner
from flowbook.store.queries import queries
from flowbook.store.records import Claim, from_stamp
from flowbook.store.run_lookup import unknown_run
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.events import Event
    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef
    from flowbook.store.database import Database
    from flowbook.store.values import Values

__all__ = ["RunSnapshot", "read_snapshot"]


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A run at one moment.

    Attributes:
        claim: who owned it; with its epoch.
        is_owned: whether that process is alive, so that more may come. If not, `events` has all that it recorded.
        state: name of the flow's last state; None if it has none yet.
        inputs: reference to the run's inputs: `RunRecord.parameters_ref` as of this moment.
        last_seq: number of the run's last event; 0 if it has none. `RunOwnership.claim` compares it.
        events: the events after number `since`, in order; values are references.
        progress: by key, how far tasks are that reported it after the time `progress_since`.
    """

    claim: Claim
    is_owned: bool
    state: str | None
    inputs: ResultRef | None
    last_seq: int
    events: list[Event]
    progress: Mapping[str, TaskProgress]

    def states(self) -> dict[str, State]:
        """Return the last state of each task among `events`, by key; the flow's own under `events.FLOW`.

        Mapped children are under their keys (`clean[3]`) and in their parent's `map_states`.
        """
        states = {event.key: event.state for event in self.events if isinstance(event, StateChanged)}
        fill_children(states)
        return states


@in_words
def read_snapshot(
    database: Database, values: Values, run_id: str, since: int = 0, progress_since: float = 0.0
) -> RunSnapshot:
    """Return run `run_id` as of now, with its events after number `since`. Raises UnknownRunError."""
    snapshot = _read(database, values, run_id, since, progress_since)
    while snapshot.claim.process is not None and not snapshot.is_owned:
        #: Its owner may have recorded more, or released the run, between the read and its death. The dead record nothing.
        again = _read(database, values, run_id, since, progress_since)
        if again.claim.epoch == snapshot.claim.epoch:
            return again
        snapshot = again
    return snapshot


def _read(database: Database, values: Values, run_id: str, since: int, progress_since: float) -> RunSnapshot:
    sql = queries()
    with database.snapshot() as read:
        runs = read(sql["run_snapshot"], (run_id,))
        if not runs:
            raise unknown_run(run_id)
        row, state, process, beat, owner, epoch, started, ended, digest, size_bytes, last_seq, identifier = runs[0]
        events = read(sql["events"], (row, since))
        reports = read(sql["progress"], (row, progress_since))
    return RunSnapshot(
        claim=Claim(epoch, owner, process, from_stamp(beat), from_stamp(started), from_stamp(ended)),
        is_owned=has_owner(state, process, identifier, beat, time.time()),
        state=state,
        inputs=value_ref(digest, size_bytes, values),
        last_seq=last_seq,
        events=[decode_event(event, values) for event in events],
        progress={key: TaskProgress(*report) for key, *report in reports},
    )
