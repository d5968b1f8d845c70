"""A real panel, or cache browser, behind a small HTTP server, so that a browser shows it without Jupyter."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from flowbook.notebook.assets import read_assets
from flowbook.notebook.cache_browser import CacheBrowser
from flowbook.notebook.panel_session import PanelSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.notebook.panel_actions import PanelActions
    from flowbook.notebook.ports import RunLike

__all__ = ["LiveCache", "LivePanel", "served", "served_cache"]

ROOT = Path(__file__).parents[2]
_POLL_S = 5.0
_PARTS = base64.b64encode(read_assets("panel").parts).decode()


class _Messages:
    """What was sent to views that fetch it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self._more = threading.Condition()

    def add(self, message: dict[str, Any]) -> None:
        with self._more:
            self.sent.append(message)
            self._more.notify_all()

    def since(self, start: int) -> list[dict[str, Any]]:
        with self._more:
            self._more.wait_for(lambda: len(self.sent) > start, _POLL_S)
            return self.sent[start:]


class LivePanel(PanelSession):
    """A session whose views fetch what is sent to them."""

    def __init__(self, run: RunLike, actions: PanelActions | None = None, *, begin: str = "") -> None:
        self._messages = _Messages()
        super().__init__(run, actions, begin=begin)
        self.listen(self._messages.add)
        self.start()

    @property
    def sent(self) -> list[dict[str, Any]]:
        """All messages, in order."""
        return self._messages.sent

    def sent_since(self, start: int) -> list[dict[str, Any]]:
        """Return what was sent since message number `start`, as soon as there is something, or nothing after a while."""
        return self._messages.since(start)

    def traits_plain(self) -> dict[str, Any]:
        """Return what a view starts from."""
        heard = len(self.sent)
        return {"parts": _PARTS, "graph": self.graph, "snapshot": self.snapshot, "heard": heard}


class LiveCache(CacheBrowser):
    """A cache browser whose views fetch what is sent to them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._messages = _Messages()
        super().__init__(*args, **options)

    def send(self, content: Any, buffers: Any = None) -> None:
        del buffers
        self._messages.add(content)

    def hear(self, content: object) -> None:
        """Take what a view said."""
        self._on_message(None, content, None)

    def sent_since(self, start: int) -> list[dict[str, Any]]:
        """Return what was sent since message number `start`, as for a panel."""
        return self._messages.since(start)

    def traits_plain(self) -> dict[str, Any]:
        """Return what a view starts from."""
        return {
            "parts": base64.b64encode(self.parts).decode(),
            "snapshot": self.snapshot,
            "heard": len(self._messages.sent),
        }


class _Door(http.server.SimpleHTTPRequestHandler):
    panel: LivePanel | LiveCache

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/traits":
            return self._answer(self.panel.traits_plain())
        if asked.path == "/heard":
            return self._answer(self.panel.sent_since(int(parse_qs(asked.query)["from"][0])))
        return super().do_GET()

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.panel.hear(content)
        self._answer({})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, found: object) -> None:
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)


@contextlib.contextmanager
def served(run: RunLike, actions: PanelActions | None = None, *, begin: str = "") -> Iterator[tuple[LivePanel, str]]:
    """Serve the panel of `run`; yield it with the address of its page."""
    panel = LivePanel(run, actions, begin=begin)
    with _served(panel) as address:
        yield panel, address


@contextlib.contextmanager
def served_cache(*args: Any, **options: Any) -> Iterator[tuple[LiveCache, str]]:
    """Serve a cache browser; yield it with the address of its page."""
    browser = LiveCache(*args, **options)
    with _served(browser) as address:
        yield browser, address


@contextlib.contextmanager
def _served(panel: LivePanel | LiveCache) -> Iterator[str]:
    door = type("Door", (_Door,), {"panel": panel})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(door, directory=str(ROOT)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tests/js/live.html"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        panel.close()
