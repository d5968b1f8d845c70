"""The cache as one page shows it: its own moment, filters and choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.notebook.cache_session import CacheActions, CacheSession
from flowbook.pages.frames import ReadableValues, pager_of
from flowbook.pages.stored_versions import kept_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.notebook.pacer import Pacer
    from flowbook.store import Store

__all__ = ["LiveCache"]

Message = dict[str, Any]


class LiveCache:
    """Implements `connections.Subject` for one page.

    Args:
        store: has the cache.
        pacer: sends.
    """

    def __init__(self, store: Store, pacer: Pacer) -> None:
        self._session = CacheSession(
            store.browse(),
            ReadableValues(store.values),
            actions=CacheActions(
                pin=lambda entry, is_pinned: store.cache.pin(entry, pinned=is_pinned),
                expire=store.cache.expire,
                renew=store.cache.renew,
            ),
            pages=pager_of(store),
            kept=kept_value,
            numbers=store.runs.numbers,
        )
        self._session.start(pacer)

    def listen(self, receiver: Callable[[Message], object]) -> Callable[[], None]:
        """From now on tell `receiver` every message; returns a function that ends this."""
        return self._session.listen(receiver)

    def hear(self, content: object) -> None:
        """Take what a view said, and return at once."""
        self._session.hear(content)

    def opening(self) -> list[Message]:
        """Return the entries as of now."""
        return [{"type": "snapshot", **self._session.snapshot}]

    def leave(self) -> None:
        """End: no other page shows it."""
        self._session.close()
