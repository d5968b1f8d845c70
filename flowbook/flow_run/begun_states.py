"""The states with which a recorded run began: what a run of a part of a flow keeps of an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.mapped_states import add_missing_children, fill_children
from flowbook.engine.state import Mapped
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.stored_inputs import StoredInputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.state import State
    from flowbook.store import Store

__all__ = ["with_begun"]


def with_begun(store: Store, run_id: str, states: Mapping[str, State]) -> dict[str, State]:
    """Return the recorded states of a run, by key, with those of its tasks that have none because the run was given them.

    Values are references, and nothing is unpickled. Given states whose record is gone or can't be read are left out.
    """
    begun = _begun(store, run_id)
    if not begun:
        return dict(states)
    found = {**begun, **states}
    add_missing_children(found)
    fill_children(found)
    return found


def _begun(store: Store, run_id: str) -> dict[str, State]:
    ref = store.runs.inputs(run_id)
    if ref is None:
        return {}
    values = store.values.without_pickles()
    try:
        inputs = StoredInputs(values.restored(ref, *values.row(ref)), values)
        given = inputs.states()
    except FlowbookError:
        return {}
    return {key: state for key, state in given.items() if isinstance(state, Mapped) or key not in inputs.start}
