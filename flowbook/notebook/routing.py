"""Lets a view's messages reach the shell they are addressed to.

JupyterLab sends what a view says over a subshell, so that it is answered while a cell runs. ipykernel 7.4 does not take
it there: it routes the messages of a comm to whichever shell last *sent* on it (`ipykernel.comm.comm._reply_subshell_for`), and
what a cell sends, the comm's opening included, comes from the main one. A panel that opens while further cells wait would
so not be heard before all of them are done. So each send is followed by forgetting where it came from; then the address on
the message counts. Other versions of ipykernel have nothing to forget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RoutedWidget"]


class RoutedWidget(anywidget.AnyWidget):
    """An anywidget whose views are heard while a cell runs."""

    def open(self) -> None:
        """Open the comm."""
        super().open()
        _forget_route(self.comm)

    def _send(self, msg: Any, buffers: Sequence[bytes] | None = None) -> None:  # noqa: ANN401  # ipywidgets' own
        super()._send(msg, buffers)
        _forget_route(self.comm)


def _forget_route(comm: object) -> None:
    known = getattr(comm, "__dict__", {})
    known.pop("_reply_subshell_id", None)
    known.get("_reply_subshell_ids", {}).clear()
