"""The application over a store of its own: called without a network, or served by the real server on loopback."""

import asyncio
import threading
from contextlib import contextmanager

import httpx
import pytest

from flowbook import Flow, Parameter, task, triggers
from flowbook._utils import threads
from flowbook.api.app import create_app
from flowbook.api.server import ApiServer, listen
from flowbook.api.settings import ApiSettings
from flowbook.pages.app_part import OPEN_PATHS, add_pages
from flowbook.store import open_store
from tests.homes import home

__all__ = ["BASE", "BEARER", "TOKEN", "Client", "app_with_pages", "approved", "home", "serving", "simple"]

TOKEN = "a-token-of-tests-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BASE = "http://127.0.0.1:4200"


class Client:
    """Calls an application, each time in an event loop of its own; shows the token unless `headers` say otherwise."""

    def __init__(self, app, headers=BEARER):
        self.app = app
        self.headers = headers

    def __call__(self, method, path, **options):
        async def call():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, **{"headers": self.headers, **options})

        return asyncio.run(call())


@contextmanager
def serving(app):
    """Serve an application with uvicorn in a thread, on a free port; give its address."""
    started = threading.Event()
    server = ApiServer(app, started.set)
    with listen("127.0.0.1", 0) as listener:
        thread = threads.spawn(server.run, [listener], name="api-server", owner="tests")
        assert started.wait(20)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def store(home):
    with open_store(home) as opened:
        yield opened


@pytest.fixture
def app(store):
    return create_app(store, ApiSettings(token=TOKEN))


@contextmanager
def app_with_pages(store):
    """Give the application that has the pages too."""
    made = create_app(store, ApiSettings(token=TOKEN, open_paths=OPEN_PATHS), parts=[add_pages])
    try:
        yield made
    finally:
        made.state.hub.close()


@pytest.fixture
def call(app):
    return Client(app)


@pytest.fixture
def address(app):
    with serving(app) as found:
        yield found


def simple():
    """Return a flow of two tasks that logs a line."""

    @task(log_stdout=True)
    def load(origin):
        print(f"from {origin}")  # noqa: T201
        return [1, 2, 3]

    @task
    def total(values):
        return sum(values)

    with Flow("simple") as flow:
        total(load(Parameter("origin", default="JFK")()))
    return flow


def approved():
    """Return a flow with a task that waits for a person."""

    @task
    def load():
        return 41

    @task(trigger=triggers.manual_only)
    def approve(value, limit=10):
        return value + limit

    with Flow("approved") as flow:
        approve(load())
    return flow
