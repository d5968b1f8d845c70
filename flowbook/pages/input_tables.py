"""Rows of the inputs of tasks that wait, and their differences to what was approved, for whoever has a link.

Values are read without running anything of them, and masked before they are paged or compared. The last one of each is kept,
so that its pages are turned at once. From any thread; one reader at a time, as each may take much memory.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedLock
from flowbook.exceptions import PickledValueError
from flowbook.notebook.value_comparison import Comparisons
from flowbook.pages.frames import KeptPager, ReadableValues, careful_pager
from flowbook.report.masked_values import masked_preview, masked_value

if TYPE_CHECKING:
    from flowbook.notebook.value_access import Pager
    from flowbook.results.reference import ResultRef
    from flowbook.store import Store

__all__ = ["InputTables"]

_IDLE_S = 120.0
_ASKED = ("offset", "limit", "kinds", "key")


class InputTables:
    """What links read of the values of a store.

    Args:
        store: has the values.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._values = ReadableValues(store.values)
        self._lock = RankedLock(Rank.LINKED_VALUES)
        self._paged: tuple[str, Pager] | None = None
        self._compared: tuple[tuple[str, str], Comparisons] | None = None
        self._used = time.monotonic()

    def page(self, ref: ResultRef, request: dict[str, Any]) -> dict[str, Any]:
        """Return a PAGE of a value. Raises FlowbookError: if it can't be read here."""
        with self._lock:
            self._used = time.monotonic()
            if self._paged is None or self._paged[0] != ref.digest:
                self._paged = None  # not two at once in memory
                self._paged = str(ref.digest), self._pager(ref)
            return self._paged[1].page(**request)

    def difference(self, before: ResultRef, after: ResultRef, asked: dict[str, Any]) -> dict[str, Any]:
        """Return a DIFF from one value to another.

        Args:
            before: what was approved.
            after: what the task would get.
            asked: `offset`, `limit`, `kinds` and `key` as in the command `compare-values`.

        Raises:
            FlowbookError: if one can't be read here, or the key identifies no rows.
        """
        refs = {"before": before, "now": after}

        def load(source: dict[str, str]) -> object:
            return masked_value(self._values.load(refs[source["is"]]))

        command = {name: asked[name] for name in _ASKED if name in asked}
        with self._lock:
            self._used = time.monotonic()
            pair = str(before.digest), str(after.digest)
            if self._compared is None or self._compared[0] != pair:
                self._compared = pair, Comparisons(load)
            comparisons = self._compared[1]
            return comparisons.answer({**command, "id": "", "first": {"is": "before"}, "second": {"is": "now"}})

    def forget_idle(self) -> None:
        """Let go of what nobody has asked about for long: it may take much memory."""
        with self._lock:
            if time.monotonic() - self._used > _IDLE_S:
                self._paged = self._compared = None

    def _pager(self, ref: ResultRef) -> Pager:
        from flowbook.results.frame_pager import FramePager  # noqa: PLC0415  # loads pandas

        try:
            return careful_pager(FramePager(masked_value(self._values.load(ref))))
        except PickledValueError:
            preview = self._values.preview(ref)
            return KeptPager(None if preview is None else masked_preview(preview))
