"""Makes the kernel answer a view's messages on the shell that they are addressed to.

JupyterLab sends what a view says over a subshell, so that it is answered while a cell runs. ipykernel 7.4 does not take
it there: it routes the messages of a comm to whichever shell last *sent* on it (`ipykernel.comm.comm._reply_subshell_for`), and
what a cell sends, the comm's opening included, comes from the main one. The messages of a panel that opens while more cells
are queued would wait for all of them. So this class makes ipykernel forget the route after each send; then the address on
the message decides. Other versions of ipykernel keep no route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RoutedWidget"]


class RoutedWidget(anywidget.AnyWidget):
    """An anywidget whose messages are handled while a cell runs, and that leaves nothing behind."""

    def open(self) -> None:
        """Open the comm."""
        super().open()
        _forget_route(self.comm)

    def close(self) -> None:
        """Close the comm, and that of the widget's layout, which ipywidgets leaves open. Calling it again does nothing."""
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def _send(self, msg: Any, buffers: Sequence[bytes] | None = None) -> None:  # noqa: ANN401  # ipywidgets' own
        super()._send(msg, buffers)
        _forget_route(self.comm)


def _forget_route(comm: object) -> None:
    known = getattr(comm, "__dict__", {})
    known.pop("_reply_subshell_id", None)
    known.get("_reply_subshell_ids", {}).clear()
