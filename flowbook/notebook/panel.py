"""The panel as a widget, for every host of anywidget that has no view of flowbook's own: VS Code, Colab, marimo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets

from flowbook.notebook.assets import Assets, read_assets
from flowbook.notebook.routing import RoutedWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.notebook.panel_session import PanelSession
    from flowbook.notebook.patch_feed import Message

__all__ = ["Panel"]


class Panel(RoutedWidget):
    """Shows a session's run.

    Args:
        session: what it shows, and what hears its commands.
        assets: the views' code.
        on_close: called when it is closed, by whomever.
    """

    #: Saved notebooks hold these traits, so no value of the user's goes into them.
    _esm = traitlets.Unicode().tag(sync=True)
    parts = traitlets.Bytes().tag(sync=True)
    graph = traitlets.Dict().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self, session: PanelSession, *, assets: Assets | None = None, on_close: Callable[[], object] = lambda: None
    ) -> None:
        code = assets or read_assets("panel")
        self._session = session
        self._on_close = on_close
        self._unlisten: Callable[[], None] = lambda: None  # a widget that couldn't be made is closed too
        super().__init__(_esm=code.esm, parts=code.parts, graph=session.graph, snapshot=session.snapshot)
        self._unlisten = session.listen(self._tell)
        self.on_msg(self._on_message)

    def close(self) -> None:
        """Remove the widget. Calling it again does nothing."""
        self._unlisten()
        super().close()
        self._on_close()

    def _on_message(self, _widget: object, content: object, _buffers: object) -> None:
        # JupyterLab creates a comm's subshell late, so early messages, `hello` included, arrive on the main shell. The newest
        # message shows where answers get through while a cell runs.
        self._session.answer_here()
        self._session.hear(content)

    def _tell(self, message: Message) -> None:
        if message["type"] == "graph":
            self.graph = message["graph"]
        elif message["type"] == "kept":
            # A new view starts from this trait.
            self.snapshot = self._session.snapshot
        else:
            self.send(message)
