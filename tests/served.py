"""A store behind a real server, and the client's view of it, for tests of both ends."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, NamedTuple

from flowbook.api.app import create_app
from flowbook.api.server import ApiServer, listen
from flowbook.api.settings import ApiSettings
from flowbook.store import Store, open_store
from flowbook.store.remote_store import RemoteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token-of-tests-0123456789"


class Served(NamedTuple):
    """Both ends of a store that is served."""

    local: Store
    remote: RemoteStore
    url: str


@contextlib.contextmanager
def serving(store: Store, port: int = 0) -> Iterator[str]:
    """Serve a store in a thread; give the address of its API."""
    app = create_app(store, ApiSettings(token=TOKEN))
    started = threading.Event()
    with listen("127.0.0.1", port) as listener:
        server = ApiServer(app, started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server of tests")
        thread.start()
        assert started.wait(20)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve the store in a folder; give both ends."""
    with open_store(folder) as local, serving(local) as url, RemoteStore(url, TOKEN, refuse) as remote:
        yield Served(local, remote, url)


def refuse(_: str | None) -> None:
    """Stand in for what opens a store in another process."""
    msg = "these tests open none"
    raise AssertionError(msg)
