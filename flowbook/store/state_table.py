"""States that were passed to a run so that it doesn't run these tasks: as a table in plain JSON, and back.

They have no events, since nothing happened in this run; so a task's history doesn't list them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook import config
from flowbook.engine.mapped_states import fill_children
from flowbook.engine.state import Looped, Mapped, State
from flowbook.engine.task_keys import parent_key
from flowbook.results.reference import ResultRef
from flowbook.store.state_codec import StateValues, decode, encode, state_name
from flowbook.store.value_collector import ObjectMemo, ValueCollector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.store.values import Values

__all__ = ["Table", "states_from_table", "states_to_table"]

#: By task or child: name and time of the state, its body, digest and size of its value.
Table = dict[str, list[Any]]


def states_to_table(
    states: Mapping[str, State], graph: Graph, values: Values
) -> tuple[Table, list[tuple[object, ...]], list[ResultRef]]:
    """Return the table, the rows of the values to store with it, and the values that it refers to.

    Args:
        states: by key, children included.
        graph: says which values are never stored; states of tasks that it doesn't have are left out.
        values: where values are stored.
    """
    collector = ValueCollector(values, ObjectMemo(), config.limits().value_bytes)
    table: Table = {}
    named: list[ResultRef] = []
    for key, state in states.items():
        spec = graph.specs.get(parent_key(key))
        if spec is None:
            continue
        stored = _stored_values(state, spec, graph, collector)
        ref = stored.result
        found = (None, None) if ref is None else (ref.digest, ref.size_bytes)
        table[key] = [state_name(state), state.at, encode(state, stored), *found]
        named += [] if ref is None else [ref]
    return table, collector.rows, [*named, *(ResultRef(digest, 0, values) for digest in collector.needed)]


def _stored_values(state: State, spec: TaskSpec, graph: Graph, collector: ValueCollector) -> StateValues:
    stored = StateValues()
    value = None if isinstance(state, Mapped | Looped) else state.raw_result  # reading it would load it
    if issubclass(type(value), BaseException) and not state.is_successful():
        stored.error = collector.error(value)  # type: ignore[arg-type]  # as just compared
    elif value is not None:
        found = collector.output(value) if spec.keep else _never(spec.key)
        if isinstance(found, str):
            stored.missing = found
        else:
            stored.result = found
    never_stored = {b.argument: b.upstream for b in spec.bindings if not graph.specs[b.upstream].keep}
    for name, each in state.cached_inputs.items():
        stored.inputs[name] = _never(never_stored[name]) if name in never_stored else collector.input(each)
    return stored


def _never(key: str) -> str:
    return f"task {key!r} is marked keep=False"


def states_from_table(table: Table, values: Values) -> dict[str, State]:
    """Return the states in a table; their values are references."""
    states = {
        key: decode(name, at, body, None if digest is None else ResultRef(digest, size, values), values)
        for key, (name, at, body, digest, size) in table.items()
    }
    fill_children(states)
    return states
