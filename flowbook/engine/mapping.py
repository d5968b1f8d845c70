"""Plans mapped tasks: the number of children, and the inputs of each.

A plan is made once for each mapped task, when its width is known, so that work for one child doesn't grow with their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook._utils.fresh import fresh, fresh_values
from flowbook._utils.handed_on import IMMUTABLE, handed_on, own_list
from flowbook.engine import steps
from flowbook.engine.gathering import element_bindings, judged
from flowbook.engine.job import Job
from flowbook.engine.state import Mapped, Pending, Success
from flowbook.engine.task_keys import child_key, child_keys
from flowbook.exceptions import RunError
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Binding, Graph, TaskSpec
    from flowbook.engine.state import State

__all__ = ["MapPlan", "MapPlans"]

#: State that triggers see for an element that the flow's author wrote in a list beside tasks.
_CONSTANT = Success()


class MapPlan:
    """What the children of one mapped task share. Made anew if a shared input changes."""

    __slots__ = ("fixed", "fixed_states", "is_simple", "owners", "sources", "stored", "width")

    def __init__(self, stored: Mapping[str, object] | None = None) -> None:
        #: Inputs that the mapped task's own state had stored.
        self.stored = stored
        #: Number of children; None: not known yet.
        self.width: int | None = None
        #: Inputs that every child gets.
        self.fixed: dict[str, object] = {}
        #: For each binding: the state itself, or None where each child has its own.
        self.fixed_states: list[State | None] = []
        #: By position of a binding whose elements come from several tasks or children: the key of each element's task.
        self.owners: dict[int, list[str]] = {}
        #: (argument, sequence or None, key of the mapped upstream or None) of inputs that differ.
        self.sources: list[tuple[str, Sequence[Any] | None, str | None]] = []
        #: Whether all tasks upstream simply succeeded and none of them is mapped, so that a child differs in its elements only.
        self.is_simple = False

    def note_if_simple(self, spec: TaskSpec) -> None:
        """Set `is_simple`, once all else is set."""
        self.is_simple = (
            not self.owners and not spec.reads_gathered and all(map(_has_simply_succeeded, self.fixed_states))
        )

    def is_current(self, spec: TaskSpec, states: Mapping[str, State]) -> bool:
        """Return whether the shared inputs are still the same: a retry may have changed them."""
        for state, binding in zip(self.fixed_states, spec.bindings, strict=True):
            if state is not None and states[binding.upstream] is not state:
                return False
        return True


class MapPlans:
    """The plans of one epoch, and the lists that its tasks read.

    Args:
        graph: the compiled flow.
        states: newest state by key; live, owned by the machine.
    """

    def __init__(self, graph: Graph, states: Mapping[str, State]) -> None:
        self._graph = graph
        self._states = states
        self._plans: dict[str, MapPlan] = {}
        #: By key: the list made from a task's result, with the state that had the result.
        self._lists: dict[str, tuple[State, list[object]]] = {}

    def keep(self, key: str, plan: MapPlan) -> None:
        """Remember the plan of a task that was split."""
        self._plans[key] = plan

    def value(self, key: str) -> Any:  # noqa: ANN401
        """Return a task's result; the list of a mapped one is made once, not once for every reader."""
        state = self._states[key]
        if type(state) is not Mapped:
            return state.result
        found = self._list_of(key, state)
        if found is None:
            found = state.result
            self._lists[key] = (state, found)
        return found

    #: Returns another task's value by key. Replaced where workers have it, to return a reference.
    read = value

    def _list_of(self, key: str, state: State) -> list[Any] | None:
        made_of, found = self._lists.get(key, (None, None))
        return found if made_of is state else None

    def plan(self, spec: TaskSpec, state: State) -> tuple[MapPlan, int]:
        """Return the plan of `spec`, and the number of its children.

        Raises:
            RunError: if an input can't be mapped over, or lengths differ.
        """
        plan = MapPlan(state.cached_inputs)
        states = self._states
        stored = {name: value.load() if is_reference(value) else value for name, value in state.cached_inputs.items()}
        widths: dict[str, int] = {}
        plan.fixed.update(fresh_values(spec.constants))
        for argument, sequence in (spec.mapped_constants or {}).items():
            self._add_source(
                plan,
                widths,
                argument,
                steps.elements(stored[argument] if argument in stored else fresh(sequence), argument),
            )
        for position, binding in enumerate(spec.bindings):
            up, name = states[binding.upstream], binding.argument
            is_fed = binding.mapped and not binding.flattened and type(up) is Mapped
            plan.fixed_states.append(None if is_fed else up)
            if name is None:
                if binding.mapped and type(up) is Mapped:
                    widths[f"task {binding.upstream}"] = up.n_map_states
                continue
            if not binding.mapped:
                plan.fixed[name] = stored[name] if name in stored else self.read(binding.upstream)
            elif type(up) is Mapped and name not in stored and not binding.flattened:
                widths[name] = up.n_map_states
                plan.sources.append((name, None, binding.upstream))
            else:
                value, owners = self._elements(binding, name, stored)
                if owners is not None:
                    plan.owners[position] = owners
                self._add_source(plan, widths, name, value)
        if not widths:
            # No mapped edge passes an input: the tasks above determine the width.
            for above in dict.fromkeys(b.upstream for b in spec.bindings if b.mapped):
                widths[f"task {above}"] = len(self._sequence(above, above))
        plan.width = steps.width_of(spec, widths)
        plan.note_if_simple(spec)
        return plan, plan.width

    def simple_inputs(self, parent: str, index: int) -> dict[str, object] | None:
        """Return the inputs of a child if that is all there is to know of it, as `is_simple` says; None otherwise."""
        plan = self._plans.get(parent)
        if plan is None or not plan.is_simple or not plan.is_current(self._graph.specs[parent], self._states):
            return None
        return self._inputs(plan, index)

    def _inputs(self, plan: MapPlan, index: int) -> dict[str, object]:
        inputs = {name: handed_on(value) for name, value in plan.fixed.items()} if plan.fixed else {}
        for name, sequence, upstream in plan.sources:
            value = sequence[index] if sequence is not None else self.read(child_key(upstream or "", index))
            inputs[name] = value if type(value) in IMMUTABLE else handed_on(value)
        return inputs

    def child_job(self, key: str, parent: str, index: int, *, is_start: bool) -> Job:
        """Return the job of a child, with its own inputs."""
        spec = self._graph.specs[parent]
        states = self._states
        state = states[key]
        plan = self._plans.get(parent)
        if plan is None or not plan.is_current(spec, states):
            plan = self._replan(parent, spec, state, plan)
        inputs = self._inputs(plan, index)
        ups = [
            fixed if fixed is not None else states[child_key(binding.upstream, index)]
            for fixed, binding in zip(plan.fixed_states, spec.bindings, strict=True)
        ]
        for position, owners in plan.owners.items():
            owner = owners[index]
            ups[position] = _CONSTANT if owner == spec.bindings[position].upstream else states[owner]
        job = Job(spec, key, state, ups, inputs, index, is_start=is_start)
        if spec.reads_gathered:
            job.judged = judged(self._graph, spec, ups, states)
        return job

    def reduced(self, spec: TaskSpec, state: State) -> dict[str, object]:
        """Return the inputs of a task that reads mapped tasks whole."""
        stored = state.cached_inputs or ()
        inputs = fresh_values(spec.constants)
        for binding in spec.bindings:
            if binding.argument is not None and binding.argument not in stored:
                value = self.read(binding.upstream)
                inputs[binding.argument] = own_list(value) if type(value) is list else handed_on(value)
        return inputs

    def _elements(
        self, binding: Binding, name: str, stored: Mapping[str, object]
    ) -> tuple[Sequence[Any], list[str] | None]:
        """Return an input's elements, one for each child, and the key of the task or child that each comes from.

        The keys are None if all come from the one task upstream.
        """
        key = binding.upstream
        if name in stored:
            value = steps.elements(stored[name], name)
            return (steps.flat(value, name) if binding.flattened else value), None
        value = self._sequence(key, name)
        state, spec = self._states[key], self._graph.specs[key]
        if isinstance(state, Mapped):
            owners = list(child_keys(key, len(value)))
        elif spec.gathers:
            owners = [key if each is None else each.upstream for each in element_bindings(self._graph, key, len(value))]
        else:
            return (steps.flat(value, name) if binding.flattened else value), None
        return self._flat(value, owners, name) if binding.flattened else (value, owners)

    def _flat(self, parts: Sequence[Any], owners: Sequence[str], name: str) -> tuple[list[Any], list[str]]:
        """Return the elements of all parts, each with the key of its part's task.

        A part that was skipped or failed stands for one element, so that one child is skipped or fails with it.
        """
        elements: list[Any] = []
        keys: list[str] = []
        for part, owner in zip(parts, owners, strict=True):
            state = self._states[owner]
            is_there = state.is_successful() and not state.is_skipped()
            found = steps.flat([part], name) if is_there else [part]
            elements += found
            keys += [owner] * len(found)
        return elements, keys

    def _sequence(self, key: str, argument: str) -> Sequence[Any]:
        """Return a result as a sequence; an iterator is consumed once, also when several tasks map over it."""
        state = self._states[key]
        found = self._list_of(key, state)
        if found is not None:
            return found
        value: object = self.value(key)
        if isinstance(value, list):
            return value
        found = list(steps.elements(value, argument))
        self._lists[key] = (state, found)
        return found

    @staticmethod
    def _add_source(plan: MapPlan, widths: dict[str, int], name: str, sequence: Sequence[Any]) -> None:
        widths[name] = len(sequence)
        plan.sources.append((name, sequence, None))

    def _replan(self, parent: str, spec: TaskSpec, state: State, before: MapPlan | None) -> MapPlan:
        """Make the plan of a task that was split before; a child whose inputs are all stored doesn't need its shared inputs."""
        names = {b.argument for b in spec.bindings if b.argument is not None} | set(spec.mapped_constants or ())
        if state.cached_inputs and names <= set(state.cached_inputs):
            plan = MapPlan()
            plan.fixed_states = [self._states[binding.upstream] for binding in spec.bindings]
            return plan
        plan, _ = self.plan(spec, Pending(cached_inputs=None if before is None else before.stored))
        if before is not None and before.width not in {None, plan.width}:
            msg = (
                f"{spec.name} was split into {before.width} children, and after a retry above it there are {plan.width} "
                "elements. Run the flow again."
            )
            raise RunError(msg, widths=(before.width, plan.width))
        self._plans[parent] = plan
        return plan


def _has_simply_succeeded(state: State | None) -> bool:
    return state is not None and state._successful and not state._skipped and type(state) is not Mapped  # noqa: SLF001
