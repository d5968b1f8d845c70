"""A run in words, for a cell without a panel: how it stands, and what a cancelled one still does."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.final_state import ALL_WELL
from flowbook.engine.state import Mapped, Running
from flowbook.engine.state_kinds import failed_by_itself, name_in_words
from flowbook.flow_run.reuse import reuse_of
from flowbook.report.phrases import duration, listed
from flowbook.report.secret_names import shown_text
from flowbook.store.working_time import working_time
from flowbook.terminal.lines import padded, widest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.state import State
    from flowbook.flow_run.recorded_decision import RecordedState
    from flowbook.flow_run.run import FlowRun

__all__ = ["cancelled", "summary"]

#: Of a flow with more tasks, only those that need a look are listed, and others up to this number.
_MOST_TASKS = 40


def summary(run: FlowRun) -> str:
    """Return the state of `run` as lines of text: the flow, then its tasks with their messages, 40 at most."""
    state = run.state
    took = f", {duration(_took_s(run))}" if run.started and run.ended else ""
    is_plain = state.message == ALL_WELL and not any(found.is_failed() for found in run.states.values())
    said = "" if is_plain else shown_text(state.message or "")
    lines = [f"{run.flow_name}, run {run.number}: {type(state).__name__}{took}. {said}".rstrip()]
    states = run.states
    shown = _of_interest({key: states[key] for key in run.graph.specs})
    width = widest(shown)
    for key, found in shown.items():
        count = f" ×{found.n_map_states}" if isinstance(found, Mapped) else ""  # times
        said = (
            f"  {shown_text(found.message or '')}"
            if (found.message and not found.is_pending()) or found.is_paused()
            else ""
        )
        lines.append(f"  {padded(key, width)}  {name_in_words(found)}{count}{said}")
    if more := len(run.graph.specs) - len(shown):
        left_out = Counter(name_in_words(states[key]) for key in run.graph.specs if key not in shown)
        lines.append(f"  and {more:,} more: {', '.join(f'{n:,} {name}' for name, n in left_out.items())}")
    if state.is_finished() and (reused := reuse_of(run.run_id, run.graph, run.states, run.only).sentence()):
        lines.append(reused)
    return "\n".join(lines)


def _of_interest(states: Mapping[str, State]) -> dict[str, State]:
    """Return the tasks that are listed, in their order: first of all those that failed or wait, as far as there is room."""
    urgent_first = sorted(states, key=lambda key: not (failed_by_itself(states[key]) or states[key].is_paused()))
    listed_ones = frozenset(urgent_first[:_MOST_TASKS])
    return {key: state for key, state in states.items() if key in listed_ones}


def _took_s(run: FlowRun) -> float:
    """Return for how long a run ran, without the time between its epochs."""
    changed = [event for event in run.events() if isinstance(event, StateChanged) and event.key == FLOW]
    return working_time([(type(event.state).__name__, event.at, None) for event in changed], time.time())


def cancelled(run: FlowRun | RecordedState, *, now: bool = False) -> str:
    """Return one line about a run that was just cancelled: whether it is over, else what still runs.

    Args:
        run: the run.
        now: whether what runs is stopped, too.
    """
    state = run.state
    head = f"{run.flow_name}, run {run.number}"
    running = [key for key, found in list(run.states.items()) if isinstance(found, Running)]
    if state.is_finished():
        return f"{head} is over: {type(state).__name__}."
    if not running:
        return f"{head} is being cancelled; nothing of it runs."
    if now:
        verb = "is" if len(running) == 1 else "are"
        return f"{head} is being cancelled: {listed(running)} {verb} stopped, nothing else starts."
    verb = "goes" if len(running) == 1 else "go"
    return f"{head} is being cancelled: {listed(running)} {verb} on to the end, nothing else starts."
