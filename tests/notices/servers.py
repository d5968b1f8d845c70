"""Real receivers on loopback: a webhook and a mail server."""

from __future__ import annotations

import contextlib
import json
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller

from tests.ports import free_port


class Webhook:
    """A server for `json://` URLs; it answers with `status`, or not before `hold` is cleared."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        self.came = threading.Semaphore(0)
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that http.server calls
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.bodies.append(json.loads(body))
                webhook.came.release()
                webhook.answers.wait(50)
                with contextlib.suppress(OSError):
                    self.send_response(webhook.status)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"json://ana:s3cret-word@127.0.0.1:{self._server.server_port}/hook-7f3a"

    def wait(self, count: int = 1) -> list[dict[str, object]]:
        """Return the bodies once `count` have come."""
        for _ in range(count):
            assert self.came.acquire(timeout=20)
        return self.bodies

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Mail:
    """An SMTP server."""

    def __init__(self) -> None:
        self.messages = []
        self.came = threading.Semaphore(0)
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=50)
        self._controller.start()

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802  # the name that aiosmtpd calls
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        self.came.release()
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=flows@example.com&to=ana@example.com&mode=insecure"

    def wait(self, count: int = 1):
        """Return the messages once `count` have come."""
        for _ in range(count):
            assert self.came.acquire(timeout=20)
        return self.messages

    def close(self) -> None:
        with contextlib.suppress(AssertionError):  # closed before
            self._controller.stop()


@pytest.fixture
def webhook():
    server = Webhook()
    yield server
    server.close()


@pytest.fixture
def mail():
    server = Mail()
    yield server
    server.close()
