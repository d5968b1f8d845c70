"""Widgets whose threads the test drives, and whose views are a list of what was sent to them."""

from __future__ import annotations

import base64
import json
import re
import threading
import zlib
from typing import TYPE_CHECKING, Any

from flowbook.engine.events import FLOW
from flowbook.notebook.assets import Assets
from flowbook.notebook.cache_browser import CacheBrowser
from flowbook.notebook.panel_session import PanelSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowbook.engine.events import Event
    from flowbook.notebook.ports import RunLike

__all__ = ["ASSETS", "MADE", "RecordedBrowser", "RecordedPanel", "report_text", "unpacked"]

ASSETS = Assets("export default {}", b"")
#: What a page says once it has made a widget.
MADE = {"type": "made"}
_LONG_S = 20


class _Bell:
    """An event sink that wakes whoever waits for a change."""

    def __init__(self) -> None:
        self.changed = threading.Condition()

    def emit(self, event: Event) -> None:
        del event
        with self.changed:
            self.changed.notify_all()


class RecordedPanel(PanelSession):
    """A panel whose threads are driven by the test, and whose views are a list."""

    def __init__(self, run: RunLike, *args: Any, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self._bell = _Bell()
        super().__init__(run, *args, **options)
        self.listen(self.sent.append)

    def hear(self, type_: str, id_: str = "c1", **fields: Any) -> dict[str, Any]:  # type: ignore[override]  # in short
        """Have a view say something, do what follows, and return its acknowledgement."""
        super().hear({"type": type_, "id": id_, "view": "v", **fields})
        self.settle()
        return next(message for message in reversed(self.sent) if message["type"] == "ack" and message["id"] == id_)

    def settle(self) -> None:
        """Send all that is due, without waiting for the rhythm of patches."""
        self._feed._last = float("-inf")
        while self._worker.step() or self._feed.step() is not None or self._feed._outbox:
            self._feed._last = float("-inf")

    def until(self, key: str, state: str) -> None:
        """Return once the panel was told that `key` (or the flow, as FLOW) is in that state, and has sent it."""
        with self._bell.changed:
            assert self._bell.changed.wait_for(lambda: self._told(key) == state, _LONG_S), (key, self._told(key))
        self.settle()

    def all(self, type_: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == type_]

    def tasks(self) -> dict[str, str]:
        """Return the state of each task as the patches told it, the newest last."""
        return {key: view["state"] for patch in self.all("patch") for key, view in patch["tasks"].items()}

    def _told(self, key: str) -> str:
        with self._feed.locked:
            projection = self._feed.projection
            state = projection.flow_state if key == FLOW else projection.state(key)
        return type(state).__name__

    def _attach(self, run: RunLike) -> Callable[[], None]:
        stop = super()._attach(run)
        stop_bell = run.subscribe(self._bell)  # after the panel, so that it is told first

        def stop_both() -> None:
            stop()
            stop_bell()

        return stop_both


class RecordedBrowser(CacheBrowser):
    """A cache browser whose threads are driven by the test."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(*args, assets=ASSETS, is_started=False, **options)
        self._handle_custom_msg(MADE, [])

    def send(self, content: Any, buffers: Any = None) -> None:
        del buffers
        self.sent.append(content)

    def hear(self, type_: str, id_: str = "c1", **fields: Any) -> dict[str, Any]:
        self._on_message(None, {"type": type_, "id": id_, "view": "v", **fields}, None)
        self.settle()
        return next(message for message in reversed(self.sent) if message["type"] == "ack" and message["id"] == id_)

    def settle(self) -> None:
        """Do what was asked, and send what there is."""
        session = self._session
        while session._worker.step() or session._outbox._outbox:
            session._outbox.step()


def unpacked(text: str) -> dict[str, Any]:
    """Return what a notebook or a report keeps, from its packed text."""
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return found


def report_text(file: Path) -> str:
    """Return all that a report holds of its run, packed and in plain sight; not the code of its views."""
    text = file.read_text("utf-8")
    packed = re.search(r'id="flowbook-run">([A-Za-z0-9+/=]*)</script>', text)
    assert packed is not None
    return text + json.dumps({name: each for name, each in unpacked(packed[1]).items() if name != "parts"})
