"""Versions of a task's output, for comparing them where nothing may be unpickled: plain values, tables, else what previews hold.

Used by one worker thread for each run or cache that is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.state import Mapped
from flowbook.flow_run.begun_states import with_begun
from flowbook.notebook.command_worker import RefusedError
from flowbook.pages.frames import ReadableValues
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.results.reference import Preview, ResultRef
    from flowbook.store import Store

__all__ = ["StoredVersions", "kept_value"]

#: More isn't read for one side of a comparison: it would take the server's memory.
_MOST_BYTES = 1_000_000_000


class StoredVersions:
    """What tasks gave in the runs of a store. Implements `ports.VersionsLike`.

    Args:
        store: has the runs and the values.
        shown: id of the run that a version is of which names none.
    """

    def __init__(self, store: Store, shown: str) -> None:
        self._store = store
        self._history = store.plain_history()
        self._values = ReadableValues(store.values)
        self._shown = shown

    def load(self, version: Mapping[str, Any]) -> object:
        """Return the value of a version.

        Raises:
            RefusedError: if the task gave nothing in that run, or too much.
            PickledValueError: if it can't be read without running it.
            FlowbookError: if it can't be read at all.
        """
        state = self._state(version)
        refs = list(_references(state))
        if sum(each.size_bytes for each in refs) > _MOST_BYTES:
            msg = f"{version.get('key')} gave more than this server reads to compare it. Compare it in a notebook."
            raise RefusedError(msg)
        if isinstance(state, Mapped):
            return [self._value(each) for each in state.map_states]
        return self._value(state)

    def kept(self, version: Mapping[str, Any]) -> object:
        """Return what the previews of a version hold, as plain data. Raises RefusedError: if there is none."""
        state = self._state(version)
        previews = self._values.previews(_references(state))
        if isinstance(state, Mapped):
            return [_kept(each, previews, version) for each in state.map_states]
        return _kept(state, previews, version)

    def _state(self, version: Mapping[str, Any]) -> State:
        run_id, key = version.get("run") or self._shown, str(version.get("key"))
        state = with_begun(self._store, run_id, self._history.states(run_id)).get(key)
        if state is None or not state.is_successful() or state.is_skipped():
            named = type(state).__name__ if state is not None else "Pending"
            msg = f"{key} has no output in that run: it is {named}."
            raise RefusedError(msg)
        return state

    def _value(self, state: State) -> object:
        if not state.is_successful():
            return _end_of(state)
        raw = state.raw_result
        return self._values.load(raw) if is_reference(raw) else raw


def kept_value(preview: Preview | None) -> object:
    """Return what a preview holds of a value, as plain data: the rows of a table, the parts of a tree, a text."""
    if preview is None:
        return None
    body, page = preview.get("body"), preview.get("page")
    if page is not None:
        names = [column["name"] for column in page["columns"]]
        return [" | ".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=False)) for row in page["rows"]]
    if isinstance(body, list):
        return _parts(body)
    if preview.get("kind") == "text" and isinstance(body, str):
        return body
    return str(preview.get("repr") or preview.get("text") or "")


def _parts(parts: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return the parts of a tree by their labels; what stands for more than is kept counts as one of them."""
    found: dict[str, object] = {}
    for place, part in enumerate(parts):
        below = part.get("parts")
        found[str(part.get("label") or f"… {place}")] = _parts(below) if below else str(part.get("text") or "")
    return found


def _end_of(state: State) -> str:
    """Return what stands for the output of a child that gave none."""
    return f"({type(state).__name__})"


def _kept(state: State, previews: Mapping[str, Preview], version: Mapping[str, Any]) -> object:
    if not state.is_successful():
        return _end_of(state)
    raw = state.raw_result
    if not is_reference(raw):
        return raw
    found = kept_value(previews.get(raw.digest))
    if found is None:
        msg = f"Nothing of {version.get('key')} can be compared here: it has no preview. Compare it in a notebook."
        raise RefusedError(msg)
    return found


def _references(state: State) -> Iterator[ResultRef]:
    for each in state.map_states if isinstance(state, Mapped) else (state,):
        if each.is_successful() and is_reference(each.raw_result):
            yield each.raw_result
