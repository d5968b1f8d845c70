"""The cache browser: a widget that shows stored outputs as of any moment, and the values themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from flowbook.notebook.assets import Assets, read_assets
from flowbook.notebook.cache_session import CacheSession
from flowbook.notebook.routing import RoutedWidget

if TYPE_CHECKING:
    from flowbook.notebook.ports import CacheLike, ValuesLike

__all__ = ["CacheBrowser"]


class CacheBrowser(RoutedWidget):
    """Shows the entries of a cache.

    Args:
        cache: the index.
        values: the stored values.
        assets: the views' code.
        is_started: whether to start the threads; a test may do their work itself.
        surroundings: as for `CacheSession`.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    parts = traitlets.Bytes().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        cache: CacheLike,
        values: ValuesLike,
        *,
        assets: Assets | None = None,
        is_started: bool = True,
        **surroundings: Any,  # noqa: ANN401  # as `CacheSession` has them
    ) -> None:
        code = assets or read_assets("cache")
        self._session = CacheSession(cache, values, **surroundings)
        super().__init__(_esm=code.esm, parts=code.parts, snapshot=self._session.snapshot)
        self._session.listen(self._tell)
        self.on_msg(self._on_message)
        if is_started:
            self._session.start()

    def close(self) -> None:
        """End the threads and remove the widget. Calling it again does nothing."""
        self._session.close()
        super().close()

    def _tell(self, message: dict[str, Any]) -> None:
        self.send(message)

    def _on_message(self, _widget: object, content: object, _buffers: object) -> None:
        self._session.answer_here()  # as in the panel: the newest message shows where answers get through
        self._session.hear(content)
