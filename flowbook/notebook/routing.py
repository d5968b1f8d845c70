"""Makes the kernel answer a view's messages on the shell that they are addressed to.

JupyterLab sends what a view says over a subshell, so that it is answered while a cell runs. ipykernel 7.4 does not take
it there: it routes the messages of a comm to whichever shell last *sent* on it (`ipykernel.comm.comm._reply_subshell_for`), and
what a cell sends, the comm's opening included, comes from the main one. The messages of a panel that opens while more cells
are queued would wait for all of them. So this class makes ipykernel forget the route after each send; then the address on
the message decides. Other versions of ipykernel keep no route.

It also waits for the page before it closes a widget. anywidget gives a model 2 s to begin, and one that is closed before never
does: the page's console then says "Failed to initialize model". So the loader says `made` once the model has begun.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anywidget

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RoutedWidget"]

_MADE = {"type": "made"}
#: A page that hasn't made a model by then has no use for it: it has no anywidget, or none that works.
_MAKING_S = 5.0


class RoutedWidget(anywidget.AnyWidget):
    """An anywidget whose messages are handled while a cell runs, and that leaves nothing behind."""

    _opened = float("-inf")
    _is_made = False
    _is_unwanted = False

    def open(self) -> None:
        """Open the comm."""
        self._opened = self._clock()
        super().open()
        _forget_route(self.comm)

    def close(self) -> None:
        """Close the comm, and that of the widget's layout, which ipywidgets leaves open. Calling it again does nothing.

        A widget that is new is closed once a page has made it.
        """
        self._is_unwanted = True  # before the other is read: a page's answer may come meanwhile, in another thread
        if not self._is_made and self._clock() < self._opened + _MAKING_S:
            return
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def _clock(self) -> float:
        return time.monotonic()

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:  # noqa: ANN401  # ipywidgets' own
        if content != _MADE:
            super()._handle_custom_msg(content, buffers)
            return
        self._is_made = True
        if self._is_unwanted:
            self.close()

    def _send(self, msg: Any, buffers: Sequence[bytes] | None = None) -> None:  # noqa: ANN401  # ipywidgets' own
        super()._send(msg, buffers)
        _forget_route(self.comm)


def _forget_route(comm: object) -> None:
    known = getattr(comm, "__dict__", {})
    known.pop("_reply_subshell_id", None)
    known.get("_reply_subshell_ids", {}).clear()
