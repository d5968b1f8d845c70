"""The pages of stored frames and arrays, read without running what is in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.exceptions import DamagedValueError, FlowbookError, PickledValueError
from flowbook.notebook.command_worker import RefusedError
from flowbook.report.phrases import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.notebook.value_access import Pager
    from flowbook.results.reference import Preview, ResultRef
    from flowbook.store import Store
    from flowbook.store.values import Values

__all__ = ["KeptPager", "ReadableValues", "careful_pager", "pager_of"]

_MOST_ROWS = 100
#: A larger value isn't read here: sorting it would take the server's memory.
_MOST_BYTES = 1_000_000_000
_ONLY_KEPT = (
    "Only the first {rows:,} rows of this value can be shown here: it is stored in a form that runs code when it is read, "
    "and this server runs none. Open it in a notebook for the rest."
)


def pager_of(store: Store) -> Callable[[ResultRef], Pager]:
    """Return a function that returns what turns the pages of a stored value."""
    values = store.values

    def found(ref: ResultRef) -> Pager:
        try:
            return _whole(*values.stored(ref))
        except FlowbookError:
            return KeptPager(values.preview(ref))

    return found


class ReadableValues:
    """Stored values that can be read without running anything: plain ones, and tables. Implements `ports.ValuesLike`.

    Args:
        values: of the store.
    """

    def __init__(self, values: Values) -> None:
        self._values = values.without_pickles()

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401  # plain data, a frame or an array
        """Return the value. Raises PickledValueError: if it can't be read so; ResultGoneError: if it was dropped."""
        from flowbook.results.inert_table import read_table  # noqa: PLC0415  # loads pandas

        try:
            return self._values.load(ref)
        except PickledValueError:
            stored, is_signed = self._values.stored(ref)
            if not is_signed or len(stored) > _MOST_BYTES:
                raise
            try:
                return read_table(stored)
            except DamagedValueError as error:
                raise PickledValueError(str(error), digest=ref.digest) from error

    def preview(self, ref: ResultRef) -> Preview | None:
        """Return the preview that was stored with the value."""
        return self._values.preview(ref)

    def previews(self, refs: Iterable[ResultRef]) -> dict[str, Preview]:
        """Return the stored previews of many values, by digest."""
        return self._values.previews(refs)


def _whole(stored: memoryview, is_signed: bool) -> Pager:  # noqa: FBT001  # as the store gives them
    """Return what turns all pages of a stored table. Raises DamagedValueError: if it can't be read without running it."""
    from flowbook.results.frame_pager import FramePager  # noqa: PLC0415  # loads pandas
    from flowbook.results.inert_table import read_table  # noqa: PLC0415  # as above

    if not is_signed or len(stored) > _MOST_BYTES:
        msg = "This value isn't read here."
        raise DamagedValueError(msg)
    return _CarefulPager(FramePager(read_table(stored)))


def careful_pager(pager: Pager) -> Pager:
    """Return a pager that says why it can't show rows, where another would raise whatever its cells raise."""
    return _CarefulPager(pager)


class _CarefulPager:
    """Turns the pages of a value that may hold anything: what can't be shown is refused with the reason.

    Args:
        pager: of the value.
    """

    def __init__(self, pager: Pager) -> None:
        self._pager = pager

    def page(self, *given: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401  # as its pager takes them
        """Return a PAGE. Raises RefusedError: if a cell can't be shown, such as a time after the year 9999."""
        try:
            return self._pager.page(*given, **named)
        except FlowbookError:
            raise
        except Exception as error:
            msg = f"These rows can't be shown: {type(error).__name__}: {shorten(str(error), 200)}. Open the value in a notebook."
            raise RefusedError(msg) from error


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
