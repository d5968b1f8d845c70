"""Lists recorded runs page by page, the newest first, by the states that people see: a run whose process died is Crashed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.engine.state_kinds import DISPLAY_ORDER
from flowbook.exceptions import DefinitionError
from flowbook.store.process_identity import UNSETTLED, shown_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.store import RunSummary, Store

__all__ = ["RunFilter", "run_page", "run_state"]

#: States of runs; a state handler may give a run any other.
_RUN_STATES = (
    "Success", "Running", "Cancelling", "Paused", "Failed", "Crashed", "Cancelled", "Scheduled", "Submitted", "Pending",
)  # fmt: skip
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are listed; None: any.

    Attributes:
        state: as `run_state` returns it.
        deployment: id of a deployment.
    """

    flow: str | None = None
    state: str | None = None
    project: str | None = None
    deployment: str | None = None


def run_state(name: str) -> str:
    """Return the state of that name, in capitals or not. Raises DefinitionError: if there is none; lists those of runs."""
    found = {each.lower(): each for each in DISPLAY_ORDER}.get(name.lower())
    if found is None:
        msg = f"No run is ever in the state {name!r}. Give one of {', '.join(_RUN_STATES)}."
        raise DefinitionError(msg, state=name, field="state")
    return found


def run_page(store: Store, which: RunFilter, limit: int, before: str | None = None) -> tuple[list[RunSummary], bool]:
    """Return the newest runs, the newest first, and whether there are older ones.

    Args:
        store: has the runs.
        which: only these.
        limit: at most so many.
        before: id of a run; only runs that are older.

    Raises:
        UnknownRunError: if there is no run `before`.
        StoreError: if they can't be read.
    """
    found: list[RunSummary] = []
    for each in _newest(store, which, limit + 1, before):
        found.append(each)
        if len(found) > limit:
            return found[:limit], True
    return found, False


def _newest(store: Store, which: RunFilter, wanted: int, before: str | None) -> Iterator[RunSummary]:
    """Yield the runs, the newest first."""
    is_settled = which.state is None or which.state not in UNSETTLED
    at_once = wanted if is_settled else max(wanted, _AT_ONCE)
    while True:
        page = store.runs.list(
            flow=which.flow,
            project=which.project,
            state=which.state if is_settled else None,
            deployment=which.deployment,
            is_open=not is_settled,
            limit=at_once,
            before=before,
        )
        #: The store has the same rows for runs that go on and for those that broke off; they are few.
        yield from (each for each in reversed(page) if is_settled or shown_state(each) == which.state)
        if len(page) < at_once:
            return
        before = page[0].run_id
