"""The application over a store of its own, called without a network."""

import asyncio

import httpx
import pytest

from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from flowbook.store import open_store

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


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def call(store):
    return Client(create_app(store, ApiSettings(token=TOKEN)))
