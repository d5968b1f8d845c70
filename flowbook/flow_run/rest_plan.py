"""What a run at rest would do if a person let it go on: from its states, and its graph as it was recorded. Pure.

It foresees no hit of the cache, as only code knows by what an output is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from flowbook.engine.mapped_states import children_of
from flowbook.engine.run_inputs import RunInputs
from flowbook.engine.start_point import StartPoint
from flowbook.engine.state_kinds import name_in_words, waits_for_person
from flowbook.engine.steps import name_of
from flowbook.engine.task_keys import parent_key
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.plan import FAILURE_TRIGGERS, PlannedTask
from flowbook.flow_run.resume_plan import broken_off, failed, plan_resume, plan_retry, tasks_concerned
from flowbook.report.phrases import listed, message, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Reversible, Sequence
    from collections.abc import Set as AbstractSet

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.state import State
    from flowbook.flow_run.run_description import RunLabel

__all__ = ["Way", "planned_rest"]

#: What a person would press.
Way = Literal["resume", "retry"]
_NAMED_AT_MOST = 3
_WHY_CHARACTERS = 200


class _Rest(NamedTuple):
    """What is known of a run at rest, and of how it would go on.

    Attributes:
        graph: of the run.
        before: the states in which it rests, by key.
        states: those from which it would go on.
        asked: the tasks and children that are let go on, or are tried again.
        reached: the tasks that may run: these, and what lies below them.
    """

    graph: Graph
    before: Mapping[str, State]
    states: Mapping[str, State]
    asked: tuple[str, ...]
    reached: AbstractSet[str]


def planned_rest(
    graph: Graph, label: RunLabel, at: tuple[State, Mapping[str, State]], events: Reversible[Event], way: Way
) -> list[PlannedTask]:
    """Return what would become of each task; parameters aren't listed.

    Args:
        graph: of the run.
        label: of the run.
        at: the flow's state, and those of its tasks and children, by key.
        events: of the run, for what a refusal says.
        way: what a person would press.

    Raises:
        StartTaskError: if nothing waits, or nothing failed.
    """
    rest = _rest(graph, label, at, events, way)
    planned: dict[str, PlannedTask] = {}
    for key, spec in graph.specs.items():
        if not spec.is_parameter:
            planned[key] = _with_children(rest, _planned(rest, spec, planned))
    return [planned[key] for key, spec in graph.specs.items() if key in planned and not spec.gathers]


def _rest(
    graph: Graph, label: RunLabel, at: tuple[State, Mapping[str, State]], events: Reversible[Event], way: Way
) -> _Rest:
    state, before = at[0], broken_off(at[1])
    concerned = tasks_concerned(label, state, before, events, Decision(way))
    point = StartPoint(before, state)
    if way == "retry" and failed(before):
        asked: tuple[str, ...] = tuple(failed(before))
        start = plan_retry(graph, point, concerned)
    else:
        asked = concerned
        start = plan_resume(graph, point, concerned, RunInputs(), is_changed=False)
    roots = {parent_key(key) for key in start.start}
    reached = graph.downstream(roots) if roots else set(graph.specs)
    return _Rest(graph, before, start.states, asked, reached)


def _planned(rest: _Rest, spec: TaskSpec, planned: Mapping[str, PlannedTask]) -> PlannedTask:
    key = spec.key
    own = [rest.states[each] for each in (*children_of(key, rest.states), key)]
    asked = [each for each in rest.asked if parent_key(each) == key]
    if asked:
        return _asked(key, rest.before[asked[0]])
    if any(map(waits_for_person, own)):
        return PlannedTask(key, "wait", "it goes on waiting", "waits")
    if all(each.is_finished() for each in own):
        return PlannedTask(key, "keep", _end_of(own[-1]), stays=_stays(own))
    return _to_run(rest, spec, list(_above(rest.graph, spec, planned)))


def _to_run(rest: _Rest, spec: TaskSpec, above: list[PlannedTask]) -> PlannedTask:
    key = spec.key
    if key not in rest.reached:
        return PlannedTask(key, "out", "nothing above it goes on")
    if spec.is_manual:
        return PlannedTask(key, "wait", "until a person resumes it")
    if spec.trigger is not None and name_of(spec.trigger) in FAILURE_TRIGGERS:
        return PlannedTask(key, "if failed", "only if something above it fails")
    return _below(key, above)


def _asked(key: str, state: State) -> PlannedTask:
    if waits_for_person(state):
        return PlannedTask(key, "run", "it waits for you", "waits")
    why = message(state)
    return PlannedTask(key, "run", f"it failed{f': {shorten(why, _WHY_CHARACTERS)}' if why else ''}", "failed")


def _below(key: str, above: list[PlannedTask]) -> PlannedTask:
    unsure = [each.key for each in above if each.outcome == "if failed"]
    if unsure:
        return PlannedTask(key, "if failed", f"below {listed(unsure, _NAMED_AT_MOST)}")
    waits = [each.key for each in above if each.outcome == "wait"]
    runs = [each.key for each in above if each.outcome == "run"]
    if waits or runs:
        why = f"after {listed(waits, _NAMED_AT_MOST)}" if waits else f"below {listed(runs, _NAMED_AT_MOST)}"
        return PlannedTask(key, "run", why, "above")
    return PlannedTask(key, "run", "it has yet to run", "open")


def _above(graph: Graph, spec: TaskSpec, planned: Mapping[str, PlannedTask]) -> Iterator[PlannedTask]:
    """Yield what becomes of the tasks right above one; of a collection, of those that it gathers."""
    for up in spec.upstream:
        above = graph.specs[up]
        yield from _above(graph, above, planned) if above.gathers else filter(None, [planned.get(up)])


def _with_children(rest: _Rest, task: PlannedTask) -> PlannedTask:
    """Return the task with how many children it has, and how many of them keep their results."""
    children = children_of(task.key, rest.states)
    if not children or task.outcome in {"keep", "out"}:
        return task
    again = {key for key in rest.asked if parent_key(key) == task.key}
    keeps = sum(rest.states[key].is_finished() and key not in again for key in children)
    return PlannedTask(task.key, task.outcome, task.why, task.cause, width=len(children), keeps=keeps)


def _stays(own: Sequence[State]) -> Literal["", "failed", "skipped"]:
    if any(each.is_failed() for each in own):
        return "failed"
    return "skipped" if own[-1].is_skipped() else ""


def _end_of(state: State) -> str:
    """Return how a task ended, and what is said of it, where that is more than its success."""
    why = message(state)
    plain = state.is_successful() and not state.is_skipped()
    return name_in_words(state) if plain or not why else f"{name_in_words(state)}: {shorten(why, _WHY_CHARACTERS)}"
