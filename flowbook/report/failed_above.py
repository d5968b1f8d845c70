"""What right above a waiting task did not succeed, and what the task gets instead. Loads no value; reads previews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.gathering import item_name
from flowbook.engine.secret_inputs import judged_by
from flowbook.engine.state import Mapped
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_keys import child_key, child_keys, is_child_key, parent_key, split_key
from flowbook.report.phrases import error_text, listed, outcomes
from flowbook.report.secret_names import sounds_secret
from flowbook.report.value_text import value_text
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowbook.engine.graph import Binding, Graph
    from flowbook.engine.state import State

    States = Callable[[str], State | None]

__all__ = ["failed_above", "failed_for", "instead"]


def failed_above(graph: Graph, key: str, states: States) -> str:
    """Return what right above a task or child that only a person starts did not succeed: "top failed"; "" if all did.

    Of a collection of tasks, each counts by itself. For a task that doesn't wait: "".
    """
    state, spec = states(key), graph.specs[parent_key(key)]
    if state is None or not waits_for_person(state) or not spec.is_manual:
        return ""
    given = {binding.upstream for binding in spec.bindings}
    found = [each for binding in spec.bindings for each in _of_binding(graph, key, binding, states)]
    found += [each for up in spec.upstream if up not in given for each in _failed(graph, up, states)]
    return outcomes(list(dict.fromkeys(found)))


def failed_for(graph: Graph, key: str, states: States) -> dict[str, str]:
    """Return the same by argument, for the arguments that get something else than results."""
    if not failed_above(graph, key, states):
        return {}
    bindings = [each for each in graph.specs[parent_key(key)].bindings if each.argument is not None]
    found = {str(each.argument): _of_binding(graph, key, each, states) for each in bindings}
    return {name: outcomes(failed) for name, failed in found.items() if failed}


def instead(graph: Graph, key: str, states: States) -> str:
    """Return what a task gets if a person resumes it all the same, as sentences; "" if all above it succeeded."""
    above, state = failed_above(graph, key, states), states(key)
    if not above or state is None:
        return ""
    sources = {str(each.argument): each.upstream for each in graph.specs[parent_key(key)].bindings}
    given = [
        f"an error or None within {name}"
        if not is_child_key(key) and (graph.specs[sources[name]].gathers or isinstance(states(sources[name]), Mapped))
        else f"{_given(judged_by(graph, key, name), state.cached_inputs.get(name))} for {name}"
        for name in failed_for(graph, key, states)
    ]
    gets = f"gets {listed(given)}" if given else "runs all the same"
    return f"{above}. If resumed, {key} {gets}."


def _given(name: str, value: object) -> str:
    if sounds_secret(name):
        return "a value that isn't shown"
    if isinstance(value, BaseException):
        return f"the error {error_text(value)}"
    if not is_reference(value):
        return value_text(name, value)
    preview = value.store.preview(value) if value.store is not None else None
    if preview is None:
        return "a value in the store"
    return "None" if preview.get("type") == "NoneType" else str(preview.get("text", ""))


def _of_binding(graph: Graph, key: str, binding: Binding, states: States) -> list[tuple[str, str]]:
    """Return what failed of the tasks that an input comes from; of a child's input, of the one that its element comes from."""
    index, up = split_key(key)[1], binding.upstream
    if index is None or not binding.mapped:
        return list(_failed(graph, up, states))
    if binding.flattened:
        return []  # which task an element comes from isn't known before the values are read
    if isinstance(states(up), Mapped):
        return list(_failed(graph, child_key(up, index), states))
    if not graph.specs[up].gathers:
        return list(_failed(graph, up, states))
    elements = [each.upstream for each in graph.specs[up].bindings if each.argument == item_name(index)]
    return [failed for each in elements for failed in _failed(graph, each, states)]


def _failed(graph: Graph, key: str, states: States) -> Iterator[tuple[str, str]]:
    """Yield what is over without success, with the names of the states: a task, or what it gathers, or its children."""
    spec, state = graph.specs.get(key), states(key)
    if spec is not None and spec.gathers:
        for up in spec.upstream:
            yield from _failed(graph, up, states)
    elif isinstance(state, Mapped):
        yield from _ended((child, states(child)) for child in child_keys(key, state.n_map_states))
    else:
        yield from _ended([(key, state)])


def _ended(found: Iterable[tuple[str, State | None]]) -> Iterator[tuple[str, str]]:
    for key, state in found:
        if state is not None and state.is_finished() and not state.is_successful():
            yield key, type(state).__name__
