"""The pages of stored frames and arrays, read without running what is in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.notebook.command_worker import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.notebook.value_access import Pager
    from flowbook.results.reference import Preview, ResultRef
    from flowbook.store import Store

__all__ = ["KeptPager", "pager_of"]

_MOST_ROWS = 100
_ONLY_KEPT = (
    "Only the first {rows:,} rows of this value can be shown here: it is stored in a form that runs code when it is read, "
    "and this server runs none. Open it in a notebook for the rest."
)


def pager_of(store: Store) -> Callable[[ResultRef], Pager]:
    """Return a function that returns what turns the pages of a stored value."""
    values = store.values

    def found(ref: ResultRef) -> Pager:
        return KeptPager(values.preview(ref))

    return found


class KeptPager:
    """Turns the pages of what is kept of a value in its preview: its first rows, in the order in which they are stored.

    Args:
        preview: of the value.
    """

    def __init__(self, preview: Preview | None) -> None:
        page = (preview or {}).get("page")
        if not page:
            msg = "This value has no rows to show."
            raise RefusedError(msg)
        self._page: dict[str, Any] = page

    def page(
        self,
        offset: int = 0,
        limit: int = _MOST_ROWS,
        sort: str | None = None,
        *,
        descending: bool = False,
        query: str = "",
    ) -> dict[str, Any]:
        """Return a PAGE of the rows that are kept. Raises RefusedError: for the others, and for another order."""
        del descending
        page, rows = self._page, self._page["rows"]
        is_whole = len(rows) >= page["total"]
        if sort is not None or query or (offset >= len(rows) and not is_whole):
            raise RefusedError(_ONLY_KEPT.format(rows=len(rows)))
        last = offset + limit
        shown = {"rows": rows[offset:last], "index": page["index"][offset:last], "offset": offset}
        return {**page, **shown, "query": "", "fitting": page["total"]}
