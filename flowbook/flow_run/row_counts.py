"""How many rows and which columns a state's value has, from its stored preview; loads no value and describes none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook._utils.loaded import LoadedClasses
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from flowbook.engine.state import State

__all__ = ["Table", "rows_of", "table_of"]

_TABLES = frozenset({"frame", "series"})
_CLASSES = tuple((LoadedClasses(name, "DataFrame"), LoadedClasses(name, "Series")) for name in ("pandas", "polars"))


class Table(NamedTuple):
    """The size of a frame or series, and the names of its first columns."""

    rows: int
    columns: tuple[str, ...]


def rows_of(state: State) -> int | None:
    """Return the number of rows of the frame or series that `state` holds; None if it holds another value."""
    found = table_of(state)
    return found.rows if found is not None else None


def table_of(state: State) -> Table | None:
    """Return the size of the frame or series that `state` holds; None if it holds another value."""
    raw = state.raw_result
    if not is_reference(raw):
        return _measured(raw)
    try:
        preview = raw.store.preview(raw) if raw.store is not None else None
    except Exception:  # noqa: BLE001  # the store is gone or damaged; then nothing is said of rows
        return None
    if preview is None or preview.get("kind") not in _TABLES or not preview.get("shape"):
        return None
    columns = (preview.get("page") or {}).get("columns") or ()
    return Table(int(preview["shape"][0]), tuple(str(column["name"]) for column in columns))


def _measured(value: Any) -> Table | None:  # noqa: ANN401  # what a user's task returned
    for frame, series in _CLASSES:
        if isinstance(value, frame.now()):
            return Table(len(value), tuple(str(column) for column in value.columns))
        if isinstance(value, series.now()):
            return Table(len(value), ())
    return None
