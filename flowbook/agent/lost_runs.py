"""Finds runs whose process is gone and of which nobody has recorded that, and records it: they are Crashed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flowbook.exceptions import FlowbookError
from flowbook.flow_run.process_end import record_lost
from flowbook.store.process_identity import is_alive, is_here

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.records import RunWithProcess

__all__ = ["GRACE_S", "LostRuns"]

#: For how long a process must have been gone: whoever watched it says more of its end, and comes first.
GRACE_S = 10.0
#: Nobody waits for news of a run whose last sign is older; lists show it as Crashed all the same.
_OLDEST_S = 7 * 86_400.0


class LostRuns:
    """Looks again and again for runs that nobody runs any more. For one thread.

    A run at rest has no process, and a slow one has one, so neither is lost. A run that hasn't begun and has a time is
    claimed again instead.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        #: When each run was first seen without its process, by id and epoch (`time.monotonic`).
        self._since: dict[tuple[str, int], float] = {}

    def record(self) -> list[str]:
        """Record which runs have lost their process for long enough; return their ids. Raises StoreError."""
        now = time.monotonic()
        gone = {(run.run_id, run.epoch) for run in self._store.runs.with_process() if _is_lost(run)}
        self._since = {key: self._since.get(key, now) for key in gone}
        due = [key for key, since in self._since.items() if now - since >= GRACE_S]
        return [run_id for run_id, epoch in due if self._record(run_id, epoch)]

    def _record(self, run_id: str, epoch: int) -> bool:
        try:
            return record_lost(self._store, run_id, epoch)
        except FlowbookError:
            return False  # one run that can't be read must not hide the others


def _is_lost(run: RunWithProcess) -> bool:
    now = time.time()
    if is_alive(run.process, run.beat, now) or now - (run.beat or 0.0) > _OLDEST_S:
        return False
    is_started_by_nobody = run.identifier is None or not is_here(run.identifier)
    waits_for_an_agent = run.state == "Submitted" and run.due is not None and not run.has_started
    return is_started_by_nobody and not waits_for_an_agent
