"""Collections of tasks: a list, tuple, set or dict of tasks that is given to one input is gathered by a task of its own.

Such a task only passes values on. Triggers and skips of the task that takes the collection see each task in it, as if these
were separate inputs. Pure; values are never loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.state import Success

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flowbook.engine.graph import Binding, Graph, TaskSpec
    from flowbook.engine.state import State

__all__ = ["element_bindings", "given_by", "item_name", "judged"]


def item_name(index: int) -> str:
    """Return the name of the argument in which a task that gathers gets an element."""
    return f"item_{index}"


def judged(
    graph: Graph, spec: TaskSpec, upstream: Sequence[State], states: Mapping[str, State]
) -> tuple[TaskSpec, list[State]]:
    """Return `spec` and the states upstream with each collection replaced by the tasks in it, for triggers and skips."""
    found = [
        source
        for binding, state in zip(spec.bindings, upstream, strict=True)
        for source in _sources(graph, binding, state, states)
    ]
    return spec._replace(bindings=tuple(binding for binding, _ in found)), [state for _, state in found]


def _sources(
    graph: Graph, binding: Binding, state: State, states: Mapping[str, State]
) -> Iterator[tuple[Binding, State]]:
    above = graph.specs[binding.upstream]
    if not above.gathers or type(state) is not Success or (binding.mapped and state is not states[binding.upstream]):
        yield binding, state
        return
    for inner in above.bindings:
        yield from _sources(graph, inner, states[inner.upstream], states)


def given_by(graph: Graph, spec: TaskSpec) -> list[str]:
    """Return the tasks whose results a task gets, in order; of a collection those that it gathers."""
    found: dict[str, None] = {}
    for binding in spec.bindings:
        above = graph.specs[binding.upstream]
        if binding.argument:
            found.update(dict.fromkeys(given_by(graph, above) if above.gathers else (binding.upstream,)))
    return list(found)


def element_bindings(graph: Graph, key: str, width: int) -> list[Binding | None]:
    """Return for each element of a list or tuple that task `key` gathers the binding it comes from; None for a constant."""
    by_name = {binding.argument: binding for binding in graph.specs[key].bindings}
    return [by_name.get(item_name(index)) for index in range(width)]
