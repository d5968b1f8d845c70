"""Mapped tasks: how many children there are, and what each of them gets.

Made once a task, when its width is known: nothing done for one child touches the others. Values are only handed on.
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
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.graph import Binding, Graph, TaskSpec
    from flowbook.engine.state import State

__all__ = ["MapPlan", "MapPlans"]

#: What an element is judged by that was written in the flow itself, in a list beside tasks.
_CONSTANT = Success()


class MapPlan:
    """What the children of one mapped task share: made once, when the width is known, and anew if a shared input changes."""

    __slots__ = ("fixed", "fixed_states", "kept", "owners", "sources", "width")

    def __init__(self, kept: Mapping[str, object] | None = None) -> None:
        #: Inputs that were kept for the mapped task itself.
        self.kept = kept
        #: How many children there are; None: not known yet.
        self.width: int | None = None
        #: Inputs that every child gets.
        self.fixed: dict[str, object] = {}
        #: For each binding: the state itself, or None where each child has its own.
        self.fixed_states: list[State | None] = []
        #: For bindings whose elements come from different tasks or children: the key of each element's.
        self.owners: dict[int, list[str]] = {}
        #: (argument, sequence or None, key of the mapped upstream or None) of inputs that differ.
        self.sources: list[tuple[str, Sequence[Any] | None, str | None]] = []

    def is_current(self, spec: TaskSpec, states: Mapping[str, State]) -> bool:
        """Return whether what the children share is what it was: a retry may have changed it."""
        for state, binding in zip(self.fixed_states, spec.bindings, strict=True):
            if state is not None and states[binding.upstream] is not state:
                return False
        return True


class MapPlans:
    """The plans of one epoch, and the lists that its tasks read.

    Args:
        graph: what runs.
        states: newest state by key; live, owned by the machine.
    """

    def __init__(self, graph: Graph, states: Mapping[str, State]) -> None:
        self._graph = graph
        self._states = states
        self._plans: dict[str, MapPlan] = {}
        #: The list made of a task's result, and of which of its states.
        self._lists: dict[str, tuple[State, list[object]]] = {}
        #: Gives what a task reads of another, by key: its value, or what stands for it where workers hold values.
        self.read: Callable[[str], Any] = self.value

    def keep(self, key: str, plan: MapPlan) -> None:
        """Note the plan of a task that was split."""
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

    def _list_of(self, key: str, state: State) -> list[Any] | None:
        made_of, found = self._lists.get(key, (None, None))
        return found if made_of is state else None

    def plan(self, spec: TaskSpec, state: State) -> tuple[MapPlan, int]:
        """Return what the children of `spec` share, and how many there are.

        Raises:
            RunError: if an input can't be mapped over, or lengths differ.
        """
        plan = MapPlan(state.cached_inputs)
        states = self._states
        kept = {name: value.load() if is_reference(value) else value for name, value in state.cached_inputs.items()}
        widths: dict[str, int] = {}
        plan.fixed.update(fresh_values(spec.constants))
        for argument, sequence in (spec.mapped_constants or {}).items():
            self._add_source(
                plan,
                widths,
                argument,
                steps.elements(kept[argument] if argument in kept else fresh(sequence), argument),
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
                plan.fixed[name] = kept[name] if name in kept else self.read(binding.upstream)
            elif type(up) is Mapped and name not in kept and not binding.flattened:
                widths[name] = up.n_map_states
                plan.sources.append((name, None, binding.upstream))
            else:
                value, owners = self._elements(binding, name, kept)
                if owners is not None:
                    plan.owners[position] = owners
                self._add_source(plan, widths, name, value)
        if not widths:
            # Nothing that is mapped gives an input: what comes before gives the width.
            for above in dict.fromkeys(b.upstream for b in spec.bindings if b.mapped):
                widths[f"task {above}"] = len(self._sequence(above, above))
        plan.width = steps.width_of(spec, widths)
        return plan, plan.width

    def child_job(self, key: str, parent: str, index: int, *, is_start: bool) -> Job:
        """Return the job of a child, with its own inputs."""
        spec = self._graph.specs[parent]
        states = self._states
        state = states[key]
        plan = self._plans.get(parent)
        if plan is None or not plan.is_current(spec, states):
            plan = self._replan(parent, spec, state, plan)
        inputs = {name: handed_on(value) for name, value in plan.fixed.items()} if plan.fixed else {}
        for name, sequence, upstream in plan.sources:
            value = sequence[index] if sequence is not None else self.read(child_key(upstream or "", index))
            inputs[name] = value if type(value) in IMMUTABLE else handed_on(value)
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
        """Return the inputs of a task that reads mapped ones whole."""
        kept = state.cached_inputs or ()
        inputs = fresh_values(spec.constants)
        for binding in spec.bindings:
            if binding.argument is not None and binding.argument not in kept:
                value = self.read(binding.upstream)
                inputs[binding.argument] = own_list(value) if type(value) is list else handed_on(value)
        return inputs

    def _elements(
        self, binding: Binding, name: str, kept: Mapping[str, object]
    ) -> tuple[Sequence[Any], list[str] | None]:
        """Return the elements that children get of an input, and the key of the task or child that each comes from.

        None instead of the keys: all come from the one task upstream.
        """
        key = binding.upstream
        if name in kept:
            value = steps.elements(kept[name], name)
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
        """Make the plan of a task that was split before; a child that kept all its inputs needs none."""
        names = {b.argument for b in spec.bindings if b.argument is not None} | set(spec.mapped_constants or ())
        if state.cached_inputs and names <= set(state.cached_inputs):
            plan = MapPlan()
            plan.fixed_states = [self._states[binding.upstream] for binding in spec.bindings]
            return plan
        plan, _ = self.plan(spec, Pending(cached_inputs=None if before is None else before.kept))
        if before is not None and before.width not in {None, plan.width}:
            msg = (
                f"{spec.name} was split into {before.width} children, and what was tried again above it now gives {plan.width} "
                "elements. Run the flow again."
            )
            raise RunError(msg, widths=(before.width, plan.width))
        self._plans[parent] = plan
        return plan
