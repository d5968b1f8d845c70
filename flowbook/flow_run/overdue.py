"""Tasks that wait beyond their deadline in runs that no process has: their answers are given by whoever looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.exceptions import FlowbookError
from flowbook.flow_run.recorded_run import load_run
from flowbook.flow_run.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.flow_run.run import FlowRun
    from flowbook.store import Store

__all__ = ["Answered", "answer_overdue"]


class Answered(NamedTuple):
    """A run whose overdue tasks were to be answered.

    Attributes:
        run: the run, which goes on in the background; None if it couldn't be loaded, or `go_on` took it.
        keys: of the tasks that were overdue.
        error: why they couldn't be answered; None if they were, by this call or by somebody else at the same moment.
    """

    run_id: str
    run: FlowRun | None = None
    keys: tuple[str, ...] = ()
    error: FlowbookError | None = None


def answer_overdue(
    store: Store, now: float | None = None, go_on: Callable[[str], object] | None = None
) -> list[Answered]:
    """Answer the tasks of all runs at rest that wait beyond their deadline, as `otherwise=` of each says.

    For a process that looks every few seconds: where nothing is overdue, this is one quick query. Calling it twice, or in two
    processes at once, gives each answer once. One run that can't go on doesn't hold up the others.

    Args:
        store: the store with the runs; of this process.
        now: seconds since 1970; default: the present.
        go_on: called with the id of each run instead of going on with it here, e.g. to start a process for it that calls
            `flowbook.run(run_id).answer_overdue()`.

    Returns:
        The runs with overdue tasks, the longest overdue first.
    """
    moment = store.now_s() if now is None else now
    return [_answered(store, run_id, moment, go_on) for run_id in store.runs.overdue(moment)]


def _answered(store: Store, run_id: str, now: float, go_on: Callable[[str], object] | None) -> Answered:
    try:
        if go_on is not None:
            go_on(run_id)
            return Answered(run_id)
        run = load_run(Recording.of(store, run_id))
        return Answered(run_id, run, run.answer_overdue(now))
    except FlowbookError as error:
        return Answered(run_id, error=error)
