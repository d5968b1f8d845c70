"""Every route refuses each request unless Host, Origin and token are all right, on every method."""

import asyncio
from itertools import product

import pytest

from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from flowbook.store import MemoryStore
from tests.api.conftest import BASE, BEARER, TOKEN, Client

HOSTS = {
    "127.0.0.1:4200": True,
    "localhost:4200": True,
    "evil.example": False,
    "127.0.0.1.evil.example": False,
    "": False,
}
ORIGINS = {
    None: True,
    BASE: True,
    "http://127.0.0.1:4201": False,
    "http://evil.example": False,
    "null": False,
    "file://": False,
}
TOKENS = {
    f"Bearer {TOKEN}": True,
    f"bearer {TOKEN}": True,
    None: False,
    "": False,
    "Bearer ": False,
    f"Bearer {TOKEN}x": False,
    f"Basic {TOKEN}": False,
    f"Bearer {TOKEN[:-1]}": False,
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _app(store):
    return create_app(store, ApiSettings(token=TOKEN))


def _paths():
    with MemoryStore() as store:
        return sorted(set(_paths_of(_app(store))))


def _paths_of(router):
    for route in router.routes:
        if hasattr(route, "path"):
            yield route.path
        else:
            yield from _paths_of(route.original_router)


@pytest.mark.parametrize("path", [*_paths(), "/", "/nothing", "/api/../api/runs"])
def test_a_request_is_refused_unless_host_origin_and_token_are_right(path, store):
    app = _app(store)
    wrong = [
        combination
        for combination in product(METHODS, HOSTS.items(), ORIGINS.items(), TOKENS.items())
        if not all(is_right for _, is_right in combination[1:])
    ]

    async def ask():
        return [await _status(app, path, each) for each in wrong]

    statuses = asyncio.run(ask())

    assert set(statuses) <= {401, 403}
    assert len(statuses) > 1500


async def _status(app, path, combination):
    """Return the status of the answer to a request, sent as a server sends it to an application."""
    method, (host, _), (origin, _), (token, _) = combination
    given = {"host": host, "origin": origin, "authorization": token}
    headers = [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers, "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 4200), "state": {},
    }  # fmt: skip
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize("path", [each for each in _paths() if "{" not in each and not each.endswith("/stream")])
def test_it_is_let_in_where_all_are_right(path, call):
    answer = call("GET", path, headers={"Origin": BASE, "Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code not in {401, 403}


def test_two_hosts_are_refused(call):
    headers = [("Host", "127.0.0.1:4200"), ("Host", "evil.example"), ("Authorization", f"Bearer {TOKEN}")]

    assert call("GET", "/api/runs", headers=headers).status_code == 403


def test_another_name_is_let_in_where_it_is_allowed(store):
    app = create_app(store, ApiSettings(token=TOKEN, allowed_hosts=("runs.example.com",)))

    headers = {**BEARER, "Host": "runs.example.com", "Origin": "https://runs.example.com"}
    assert Client(app)("GET", "/api/runs", headers=headers).status_code == 200
    assert Client(app)("GET", "/api/runs").status_code == 403
