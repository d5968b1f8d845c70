"""The part of a flow that a run is limited to: from a task on, one alone, or up to one; and what it takes from an earlier run.

Decides from states; loads no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from flowbook.engine.mapped_states import children_of
from flowbook.engine.state import Cached, Mapped, Skipped, Success
from flowbook.engine.task_keys import is_child_key, parent_key, split_child_key
from flowbook.exceptions import StartTaskError
from flowbook.report.phrases import listed
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.state import State

__all__ = ["PART_WAYS", "EarlierRun", "PartWay", "RunPart", "earlier_run_of", "kept_states", "run_part", "was_left_out"]

#: From a task on with all below it; that task alone; that task with all that it needs.
PartWay = Literal["start_at", "only", "up_to"]
PART_WAYS: tuple[PartWay, ...] = ("start_at", "only", "up_to")
_NAMED_AT_MOST = 3
_LEFT_OUT = "Left out: "
_WORDS: Mapping[PartWay, str] = {"start_at": "from {} on", "only": "only {}", "up_to": "up to {}"}


class EarlierRun(NamedTuple):
    """The run whose results stand for what doesn't run.

    Attributes:
        name: "run 12"; "" if there is none.
        states: of its tasks and children, by key.
    """

    name: str = ""
    states: Mapping[str, State] = {}  # never changed


class RunPart(NamedTuple):
    """A part of a flow, to run.

    Attributes:
        way: how it was asked for.
        asked: the tasks, or children of mapped ones, that were asked for.
        runs: keys of the tasks that may run, in order.
        anew: those of them that aren't taken from the cache.
        start: children to start with, if all that runs lies below them; empty: the first of `runs`.
        states: of everything else, and of parameters.
    """

    way: PartWay
    asked: tuple[str, ...]
    runs: tuple[str, ...]
    anew: tuple[str, ...]
    start: tuple[str, ...]
    states: Mapping[str, State]

    def __str__(self) -> str:
        return _WORDS[self.way].format(listed(self.asked, _NAMED_AT_MOST))

    def is_left_out(self, key: str) -> bool:
        """Return whether a task has no result in this run."""
        state = self.states.get(key)
        return key not in self.runs and (state is None or was_left_out(state))


def earlier_run_of(number: int | None, states: Mapping[str, State]) -> EarlierRun:
    """Return a run as the one whose results are taken."""
    return EarlierRun(_name_of(number), dict(states))


def kept_states(graph: Graph, number: int | None, states: Mapping[str, State], keys: Iterable[str]) -> dict[str, State]:
    """Return the states that stand for those that tasks and children had in a run; a parameter's stays as it is."""
    specs, name = graph.specs, _name_of(number)
    return {key: states[key] if specs[parent_key(key)].is_parameter else _kept_state(states[key], name) for key in keys}


def run_part(
    graph: Graph, way: PartWay, asked: Iterable[str], earlier: EarlierRun, parameters: Mapping[str, object]
) -> RunPart:
    """Return the part of a flow that is asked for.

    Args:
        graph: of the flow.
        way: how it is asked for.
        asked: keys of tasks, or of children of mapped ones.
        earlier: the run whose results are taken.
        parameters: values by name.

    Raises:
        StartTaskError: if a task can't run so; says why.
    """
    return _Parting(graph, way, tuple(dict.fromkeys(asked)), earlier, parameters).part()


def _name_of(number: int | None) -> str:
    return "the last run" if number is None else f"run {number}"


class _Parting:
    """Works one part out."""

    def __init__(
        self,
        graph: Graph,
        way: PartWay,
        asked: tuple[str, ...],
        earlier: EarlierRun,
        parameters: Mapping[str, object],
    ) -> None:
        self._graph = graph
        self._way = way
        self._asked = asked
        self._earlier = earlier
        self._parameters = parameters
        self._tasks = tuple(dict.fromkeys(map(parent_key, asked)))
        self._children = tuple(key for key in asked if is_child_key(key))

    def part(self) -> RunPart:
        for key in self._children:
            self._check_child(key)
        wanted = self._wanted()
        runs = self._with_what_is_needed(wanted)
        order = [key for key in self._graph.specs if key in runs]
        anew = [] if self._way == "up_to" else [key for key in order if key in wanted]
        return RunPart(self._way, self._asked, tuple(order), tuple(anew), self._start(runs), self._states(runs))

    def _start(self, runs: set[str]) -> tuple[str, ...]:
        """Return the children that were asked for, unless something else runs first, or beside them, such as the list above."""
        return self._children if runs <= self._graph.downstream(map(parent_key, self._children)) else ()

    def _wanted(self) -> set[str]:
        """Return the tasks that are asked for themselves, parameters left out."""
        if self._way == "up_to":
            found = self._graph.upstream(self._tasks)
        else:
            found = self._graph.downstream(self._tasks) if self._way == "start_at" else set(self._tasks)
        return {key for key in found if not self._graph.specs[key].is_parameter}

    def _with_what_is_needed(self, wanted: set[str]) -> set[str]:
        """Add what above gives nothing to go by: collections, resources, and tasks without a result."""
        specs, runs = self._graph.specs, set(wanted)
        stack = [key for key in specs if key in runs]
        while stack:
            key = stack.pop()
            found = [up for up in specs[key].upstream if up not in runs and self._must_run(up, specs[key])]
            found += [each for each in self._resources_of(key) if each not in runs and each not in found]
            if self._way == "only" or self._children:
                for up in found:
                    self._refuse_missing(key, up)
            runs.update(found)
            stack += found
        return runs

    def _must_run(self, up: str, below: TaskSpec) -> bool:
        spec = self._graph.specs[up]
        return not spec.is_parameter and (spec.gathers or bool(self._lacks(up, below)))

    def _resources_of(self, key: str) -> list[str]:
        """Return set-up and clean-up of the resources that a task needs: an earlier run's are cleaned up."""
        return self._graph.to_set_up_again([key], lambda _: True)

    def _lacks(self, key: str, below: TaskSpec) -> str:
        """Return why the earlier run's result of a task can't be taken; "" if it can."""
        state = self._earlier.states.get(key)
        if state is None or not state.is_finished() or was_left_out(state):
            return f"did not run in {self._earlier.name}" if self._earlier.name else "has not run yet"
        if not state.is_successful() and below.trigger is None:
            return f"is {type(state).__name__} in {self._earlier.name}"
        reads = any(binding.upstream == key and binding.argument is not None for binding in below.bindings)
        each = (state, *(self._earlier.states[child] for child in children_of(key, self._earlier.states)))
        return f"lost its value of {self._earlier.name}" if reads and not all(map(_is_there, each)) else ""

    def _refuse_missing(self, key: str, up: str) -> None:
        spec = self._graph.specs[up]
        why = self._lacks(up, self._graph.specs[key])
        if spec.gathers or spec.cleans_up or not why or key not in self._tasks:
            return
        asked = listed(self._asked, _NAMED_AT_MOST)
        advice = f"Run up to {parent_key(self._asked[0])}, or from {up} on."
        msg = f"Can't run {'only ' if self._way == 'only' else 'from '}{asked}: {up}, above it, {why}. {advice}"
        raise StartTaskError(msg, key=key, upstream=up)

    def _check_child(self, key: str) -> None:
        """Raise StartTaskError unless the earlier run has this child."""
        parent, index = split_child_key(key)
        state = self._earlier.states.get(parent)
        if self._way == "up_to":
            msg = (
                f"Can't run up to {key}: which children there are is known once {parent} is split. Run up to {parent}."
            )
            raise StartTaskError(msg, key=key)
        if not isinstance(state, Mapped) or index >= state.n_map_states:
            name = self._earlier.name or "an earlier run"
            msg = f"There is no {key} in {name}. Run {parent} itself."
            raise StartTaskError(msg, key=key)
        if self._graph.specs[parent].is_manual:
            msg = f"{key} waits for a person when it runs: run {parent} itself, and answer it."
            raise StartTaskError(msg, key=key)

    # States

    def _states(self, runs: AbstractSet[str]) -> dict[str, State]:
        below = self._graph.downstream(runs)
        found: dict[str, State] = {}
        for key, spec in self._graph.specs.items():
            if spec.is_parameter:
                found[key] = Success(result=spec.task.accept(self._parameters.get(key)))  # type: ignore[attr-defined]  # a Parameter
            elif key in runs:
                found |= self._of_siblings(key)
            elif self._way != "up_to" and key not in below and self._has_result(key):
                found |= {each: self._kept(each) for each in (key, *children_of(key, self._earlier.states))}
            else:
                found[key] = Skipped(f"{_LEFT_OUT}the run goes {self._words()}.")
        return found

    def _words(self) -> str:
        asked = listed(self._asked, _NAMED_AT_MOST)
        return f"no further than {asked}" if self._way == "only" else _WORDS[self._way].format(asked)

    def _has_result(self, key: str) -> bool:
        state = self._earlier.states.get(key)
        return state is not None and state.is_successful() and not was_left_out(state)

    def _of_siblings(self, key: str) -> dict[str, State]:
        """Return the states of a mapped task of which only some children run, or are fed by such: of the others."""
        state = self._earlier.states.get(key)
        if not self._children or not isinstance(state, Mapped):
            return {}
        places = {split_child_key(each)[1] for each in self._children}
        children = children_of(key, self._earlier.states)
        others = {child: self._kept(child) for child in children if split_child_key(child)[1] not in places}
        return {key: Mapped(n_map_states=state.n_map_states), **others}

    def _kept(self, key: str) -> State:
        return _kept_state(self._earlier.states[key], self._earlier.name)


def _kept_state(state: State, name: str) -> State:
    """Return the state that stands for one of run `name`: made there, whether it ran then or came from the cache."""
    message = state.message or ""
    known = message if message.startswith("Kept from ") else f"Kept from {name}."
    if type(state) is Success or isinstance(state, Cached):
        return Success(known, state.raw_result)
    if isinstance(state, Mapped):
        return Mapped(known, map_states=state.map_states, n_map_states=state.n_map_states)
    return state


def was_left_out(state: State) -> bool:
    """Return whether a task has this state because its run was limited to others."""
    return state.is_skipped() and (state.message or "").startswith(_LEFT_OUT)


def _is_there(state: State) -> bool:
    """Return whether a state's value can be had, without loading it."""
    raw = state.raw_result
    holds = getattr(raw.store, "holds", None) if is_reference(raw) else None
    return holds is None or bool(holds(raw))
