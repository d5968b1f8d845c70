"""Records that a run at rest was cancelled in which nothing is left to run, or whose clean-up tasks can't run any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Cancelled
from flowbook.flow_run.decision import decided
from flowbook.report.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.recording import Recording
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["cleanups_due", "record_cancelled"]

_BY_A_PERSON = "Cancelled by a person."


def cleanups_due(recording: Recording, states: Mapping[str, State]) -> tuple[str, ...]:
    """Return the clean-up tasks that a run has yet to run: those of the resources that were set up."""
    tasks = recording.record.graph.get("tasks", ())
    return tuple(each["key"] for each in tasks if each.get("cleans_up") and _is_due(each, states))


def _is_due(task: Mapping[str, object], states: Mapping[str, State]) -> bool:
    own, inputs = states.get(str(task["key"])), task.get("inputs")
    if own is not None and own.is_finished():
        return False
    above = [states.get(key) for key in inputs.values()] if isinstance(inputs, dict) else []
    return all(state is not None and state.is_successful() and not state.is_skipped() for state in above)


def record_cancelled(
    recording: Recording, snapshot: RunSnapshot, decision: Decision, uncleaned: Sequence[str] = (), why: str = ""
) -> Cancelled:
    """Record that a run in which nothing will run any more was cancelled, and return its state.

    Args:
        recording: the run.
        snapshot: the run as it was read.
        decision: of whoever cancelled it.
        uncleaned: clean-up tasks that can't run.
        why: why they can't, as the end of a sentence.

    Raises:
        RunClaimedError: if another process has claimed the run meanwhile.
    """
    left = f" {listed(uncleaned)} could not be run, since {why}. Clean up by hand what is left." if uncleaned else ""
    state = Cancelled(f"{_BY_A_PERSON}{left}")
    seq = snapshot.last_seq + 1
    with recording.claimed(decision.by):
        for event in (*decided(decision, (FLOW,), seq), StateChanged(seq + 1, FLOW, state)):
            recording.emit(event)
        recording.finish(state)
    return state
