"""States that a run was given instead of running these tasks: as a table in plain JSON, and back.

No event tells of them, since nothing happened; so a task's history doesn't list them.
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

#: By task or child: the state's name, its time, what else is known of it, its value's digest and size.
Table = dict[str, list[Any]]


def states_to_table(
    states: Mapping[str, State], graph: Graph, values: Values
) -> tuple[Table, list[tuple[object, ...]], list[ResultRef]]:
    """Return the table, the rows of the values that are to be kept for it, and what it names.

    Args:
        states: by key, children included.
        graph: says what is never kept; states of tasks that it lacks are left out.
        values: where values are kept.
    """
    keeping = ValueCollector(values, ObjectMemo(), config.limits().value_bytes)
    table: Table = {}
    named: list[ResultRef] = []
    for key, state in states.items():
        spec = graph.specs.get(parent_key(key))
        if spec is None:
            continue
        kept = _kept(state, spec, graph, keeping)
        ref = kept.result
        found = (None, None) if ref is None else (ref.digest, ref.size_bytes)
        table[key] = [state_name(state), state.at, encode(state, kept), *found]
        named += [] if ref is None else [ref]
    return table, keeping.rows, [*named, *(ResultRef(digest, 0, values) for digest in keeping.needed)]


def _kept(state: State, spec: TaskSpec, graph: Graph, keeping: ValueCollector) -> StateValues:
    kept = StateValues()
    value = None if isinstance(state, Mapped | Looped) else state.raw_result  # reading it would load it
    if isinstance(value, BaseException) and not state.is_successful():
        kept.error = keeping.error(value)
    elif value is not None:
        found = keeping.output(value) if spec.keep else _never(spec.key)
        if isinstance(found, str):
            kept.missing = found
        else:
            kept.result = found
    unkept = {b.argument: b.upstream for b in spec.bindings if not graph.specs[b.upstream].keep}
    for name, each in state.cached_inputs.items():
        kept.inputs[name] = _never(unkept[name]) if name in unkept else keeping.input(each)
    return kept


def _never(key: str) -> str:
    return f"task {key!r} is marked keep=False"


def states_from_table(table: Table, values: Values) -> dict[str, State]:
    """Return the states; values are references."""
    states = {
        key: decode(name, at, body, None if digest is None else ResultRef(digest, size, values), values)
        for key, (name, at, body, digest, size) in table.items()
    }
    fill_children(states)
    return states
