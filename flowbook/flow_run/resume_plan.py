"""Plans how a run resumes: which of its tasks wait, failed or are unfinished, and in which states they begin again.

Pure: states and events are arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.answer import answered_state
from flowbook.engine.answer import to_try_again as tried_again
from flowbook.engine.events import FLOW, Decided, StateChanged
from flowbook.engine.mapped_states import children_of
from flowbook.engine.start_point import StartPoint
from flowbook.engine.state import Cached, Crashed, Paused, Pending, Running, Success, TriggerFailed
from flowbook.engine.state_kinds import after_death, failed_by_itself, waits_for_person
from flowbook.engine.task_keys import child_key, named, parent_key, split_child_key
from flowbook.exceptions import FlowbookError, RunClaimedError, StartTaskError
from flowbook.flow_run.run_request import no_child
from flowbook.report.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Reversible, Sequence

    from flowbook.engine.answer import Answer
    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.run_inputs import RunInputs
    from flowbook.engine.state import State
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.run_description import RunLabel

__all__ = [
    "all_waiting",
    "answered_by",
    "begun_anew",
    "broken_off",
    "could_not_run",
    "failed",
    "first_of",
    "overdue",
    "plan_cancel",
    "plan_next",
    "plan_resume",
    "plan_retry",
    "started_again",
    "tasks_concerned",
    "to_set_up_again",
    "to_try_again",
    "unfinished",
    "waiting",
    "waiting_or_refuse",
]


_PAST = {"resume": "resumed", "skip": "skipped", "reject": "rejected"}


def tasks_concerned(
    run: RunLabel, state: State, states: Mapping[str, State], events: Reversible[Event], decision: Decision
) -> tuple[str, ...]:
    """Return the waiting tasks that a decision about a run at rest answers; none if it retries.

    Raises:
        StartTaskError: if nothing waits, or nothing failed that could be retried.
        RunClaimedError: if a task that it names doesn't wait.
    """
    if decision.action == "retry":
        found = named(failed(states), decision.keys)
        if found or (not decision.keys and could_not_run(state, states)):
            return found if decision.keys else ()
        if decision.keys:
            start = repr(decision.keys[0] if len(decision.keys) == 1 else list(decision.keys))
            msg = (
                f"{listed(decision.keys)} has not failed in {run}. Name what has: {listed(failed(states)) or 'nothing'}. "
                f"To run what hasn't, start there: flow.run(start_at={start})."
            )
            raise StartTaskError(msg, run=run.run_id)
        hint = " Go on with run.resume()." if isinstance(state, Crashed) else ""
        msg = f"Nothing failed in {run}: it is {type(state).__name__}.{hint}"
        raise StartTaskError(msg, run=run.run_id)
    found = waiting_or_refuse(run, state, states, events, decision.keys, is_live=False)
    if decision.action == "resume":
        return waiting(states, decision.keys) if isinstance(state, Crashed) else found
    if not found:
        msg = f"Nothing waits in {run}: it is {type(state).__name__}."
        raise StartTaskError(msg, run=run.run_id)
    return found


def plan_next(  # noqa: PLR0913  # a decision, and what it is about
    graph: Graph,
    at: StartPoint,
    waiting: tuple[str, ...],
    inputs: RunInputs,
    answer: Answer | None,
    *,
    is_changed: bool,
) -> StartPoint:
    """Return the start point from which a run at rest goes on; without an `answer`, what failed is tried again.

    Args:
        graph: the flow to go on with.
        at: the states that the last epoch left.
        waiting: keys of the paused tasks that are answered; without an `answer`, of the failed ones to try again, or none: all.
        inputs: the run's inputs.
        answer: what a person answers to them.
        is_changed: whether the flow differs from the recorded one.
    """
    if answer is None and failed(at.states):
        return plan_retry(graph, at, waiting)
    if answer is not None and answer.is_lasting:
        at = at._replace(states={**at.states, **{key: answered_state(at.states[key], answer) for key in waiting}})
    return plan_resume(graph, at, waiting, inputs, is_changed=is_changed)


def overdue(states: Mapping[str, State], now: float) -> dict[str, Paused]:
    """Return the tasks that wait for a person and whose deadline has passed, by key.

    Args:
        states: of tasks and children, by key.
        now: seconds since the epoch.
    """
    return {
        key: state
        for key, state in list(states.items())
        if isinstance(state, Paused) and waits_for_person(state) and state.is_overdue(now)
    }


def plan_resume(
    graph: Graph, at: StartPoint, waiting: tuple[str, ...], inputs: RunInputs, *, is_changed: bool
) -> StartPoint:
    """Return the start point from which a run at rest resumes.

    Args:
        graph: the flow to resume with.
        at: the states that the last epoch left.
        waiting: keys of the paused tasks to resume.
        inputs: the run's inputs.
        is_changed: whether the flow differs from the recorded one. Added tasks are then downstream of no paused task.
    """
    is_broken_off = at.state.is_cancelled() or isinstance(at.state, Crashed)
    if waiting and not is_broken_off and not is_changed:
        return StartPoint(dict(at.states), at.state, start=waiting, first_seq=at.first_seq)
    states = started_again(unfinished(graph, at.states), inputs.start, inputs.states)
    return StartPoint(states, at.state, resumed=waiting, first_seq=at.first_seq)


def plan_retry(graph: Graph, at: StartPoint, only: Sequence[str] = ()) -> StartPoint:
    """Return the start point from which a run at rest runs its failed tasks again, or `only` these."""
    found = list(only) or failed(at.states)
    again = [*found, *to_set_up_again(graph, at.states, found)]
    return StartPoint(
        to_try_again(graph, at.states, again), at.state, start=first_of(graph, again), first_seq=at.first_seq
    )


def plan_cancel(at: StartPoint) -> StartPoint:
    """Return the start point from which a run at rest only cleans up."""
    return StartPoint(dict(at.states), at.state, is_cancelled=True, first_seq=at.first_seq)


def waiting_or_refuse(  # noqa: PLR0913  # what the refusal names
    run: RunLabel,
    state: State,
    states: Mapping[str, State],
    events: Reversible[Event],
    keys: tuple[str, ...],
    *,
    is_live: bool,
) -> tuple[str, ...]:
    """Return the waiting tasks that `keys` name (for a mapped task, its children); without keys, all that wait.

    Raises:
        StartTaskError: if nothing waits.
        RunClaimedError: if a task in `keys` doesn't wait; says who resumed it, if known.
    """
    for key in keys:
        if not waiting(states, (key,)):
            raise _refusal(states, events, key)
    if keys:
        return waiting(states, keys)
    found = all_waiting(states)
    if not found and is_live:
        msg = f"Nothing waits in {run}; it goes on."
        raise StartTaskError(msg, run=run.run_id)
    if not found and state.is_finished() and not _is_broken_off(state, states):
        msg = f"Nothing waits in {run}: it is {type(state).__name__}."
        raise StartTaskError(msg, run=run.run_id)
    return found


def _is_broken_off(state: State, states: Mapping[str, State]) -> bool:
    """Return whether a finished run still has tasks to run."""
    return state.is_cancelled() or isinstance(state, Crashed) or could_not_run(state, states)


def could_not_run(state: State, states: Mapping[str, State]) -> bool:
    """Return whether a run failed with no failed task (e.g. because workers couldn't start) and has tasks left to run."""
    is_failed = state.is_failed() and not isinstance(state, Crashed) and not failed(states)
    return is_failed and not all(each.is_finished() for each in states.values())


def _refusal(states: Mapping[str, State], events: Reversible[Event], key: str) -> FlowbookError:
    if key not in states:
        return no_child(key, states.get(parent_key(key)))
    last = answered_by(events, key)
    who = "" if last is None else last.by
    by = f", {_PAST[last.action]} by {who}" if last is not None and who else ""
    state, found = states[key], all_waiting(states)
    says = "does not wait any more" if last is not None else "doesn't wait for a decision"
    if not who and not state.is_finished():
        says = "isn't waiting yet"
    again = " A retry runs it again." if last is None and failed_by_itself(state) else ""
    which = f" What waits: {listed(found)}." if found and not (who or again) else ""
    return RunClaimedError(f"{key} {says}: it is {type(state).__name__}{by}.{again}{which}", key=key, owner=who)


def broken_off(states: Mapping[str, State]) -> dict[str, State]:
    """Return the states of a run whose process ended in the middle."""
    return {key: after_death(state) for key, state in states.items()}


def all_waiting(states: Mapping[str, State]) -> tuple[str, ...]:
    """Return the tasks and children that wait for a person."""
    return tuple(key for key, each in list(states.items()) if waits_for_person(each))


def waiting(states: Mapping[str, State], keys: Iterable[str]) -> tuple[str, ...]:
    """Return the tasks among these that wait for a person; for a mapped task, its waiting children."""
    return tuple(
        each for key in keys for each in (key, *children_of(key, states)) if waits_for_person(states.get(each))
    )


def answered_by(events: Reversible[Event], key: str) -> Decided | None:
    """Return the last answer to a task or the run; None if there is none."""
    task = parent_key(key)
    decided = (event for event in reversed(events) if isinstance(event, Decided) and event.action in _PAST)
    return next((e for e in decided if e.key in (key, task, FLOW) or parent_key(e.key) == key), None)


def unfinished(graph: Graph, states: Mapping[str, State]) -> dict[str, State]:
    """Return the states to resume from: finished ones stay (also Cached ones), the others start again."""
    found: dict[str, State] = {}
    for key, state in states.items():
        if isinstance(state, Cached):
            found[key] = Success(state.message, state.raw_result)  # never loads a value
        elif isinstance(state, Running) or state.is_cancelled():
            found[key] = Pending()
        else:
            found[key] = state
    open_ones = [key for key in graph.specs if not found[key].is_finished()]
    for key in graph.to_set_up_again(open_ones, lambda key: found[key].is_finished()):
        found[key] = Pending("To be set up again: it was cleaned up.")
    return found


def started_again(states: Mapping[str, State], start: Iterable[str], begun: Mapping[str, State]) -> dict[str, State]:
    """Return `states` with the run's start tasks set to begin again with the inputs from `task_states`.

    Args:
        states: as returned by `unfinished`.
        start: keys of the start tasks, or of children of mapped ones.
        begun: the states passed as `task_states`.
    """
    found = {key: begun[key].cached_inputs for key in start if key in begun and type(states.get(key)) is Pending}
    return {**states, **{key: Pending(cached_inputs=inputs) for key, inputs in found.items() if inputs}}


def begun_anew(before: Mapping[str, State], after: Mapping[str, State], first_seq: int) -> list[StateChanged]:
    """Return the events of tasks that were over or waited and begin anew: whoever reads the record has to know.

    Args:
        before: the states that the last epoch left.
        after: the states from which the next one begins.
        first_seq: number of the first event.
    """
    found = [
        key
        for key, state in after.items()
        if type(state) is Pending and key in before and (before[key].is_finished() or waits_for_person(before[key]))
    ]
    return [StateChanged(seq, key, after[key]) for seq, key in enumerate(found, first_seq)]


def failed(states: Mapping[str, State]) -> list[str]:
    """Return the tasks that failed themselves, not because of their trigger."""
    return [key for key, state in states.items() if failed_by_itself(state)]


def to_set_up_again(graph: Graph, states: Mapping[str, State], failed: Sequence[str]) -> list[str]:
    """Return the set-up and clean-up tasks of resources that these failed tasks need and that were cleaned up."""
    tasks = [parent_key(key) for key in failed]
    found = graph.to_set_up_again(tasks, lambda key: states[key].is_finished())
    return [key for key in found if key not in failed]


def to_try_again(graph: Graph, states: Mapping[str, State], failed: Sequence[str]) -> dict[str, State]:
    """Return the states in which these failed tasks can run again, with what couldn't go on below them.

    Those are the tasks whose triggers failed, and those that wait for a person: they ask again, with what they get then.
    """
    found = dict(states)
    below = graph.downstream(parent_key(key) for key in failed)
    for key, state in states.items():
        if (isinstance(state, TriggerFailed) or waits_for_person(state)) and parent_key(key) in below:
            found[key] = Pending()
    for key in failed:
        found[key] = tried_again(found[key])
    return found


def first_of(graph: Graph, failed: Sequence[str]) -> tuple[str, ...]:
    """Return the failed tasks that have no other one upstream; the others run after those."""
    among = set(failed)
    specs = graph.specs
    below = graph.downstream(each for key in failed if key in specs for each in graph.children[key])

    def is_first(key: str) -> bool:
        if key in specs:
            return key not in below
        parent, index = split_child_key(key)
        above = (b.upstream for b in specs[parent].bindings if b.mapped)
        return parent not in below and not any(child_key(up, index) in among for up in above)

    return tuple(key for key in failed if is_first(key))
