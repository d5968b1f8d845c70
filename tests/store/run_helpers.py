"""Shorthand for tests of recorded runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.events import StateChanged
from flowbook.store import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.state import State
    from flowbook.store import Recorder, Store


def begin(store: Store, run_id: str = "r1", flow: str = "delays", **given: Any) -> Recorder:
    """Create a run and return its recorder."""
    graph = given.pop("graph", {"name": flow, "tasks": []})
    store.runs.create(RunRecord(run_id=run_id, flow=flow, project="p", graph=graph, owner="here:1", **given))
    return store.runs.recorder(run_id, 1)


def tell(recorder: Recorder, *changes: tuple[str, State], after: int = 0) -> None:
    """Emit these changes of state, numbered on from what was recorded and from `after`, and let them be written."""
    for seq, (key, state) in enumerate(changes, recorder.last_seq + after + 1):
        recorder.emit(StateChanged(seq, key, state))
    recorder.flush()


def steps(store: Store, ask: Callable[[], object]) -> int:
    """Return how many instructions SQLite needs, in tens."""
    count = [0]

    def counting() -> None:
        count[0] += 1

    connection = store._database._connections.writer()
    connection.set_progress_handler(counting, 10)
    ask()
    connection.set_progress_handler(None, 0)
    return count[0]
