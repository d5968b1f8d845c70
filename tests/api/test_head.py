"""HEAD is answered as GET is, without the body."""

import asyncio
import http.client
import socket
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import BEARER, TOKEN, Client, app_with_pages, approved, serving
from tests.api.test_matrix import _paths_of

QUICK_S = 20
IGNORED = {"date", "etag", "set-cookie"}


@pytest.fixture
def app(store):
    with app_with_pages(store) as made:
        yield made


@pytest.fixture
def paths(app, store):
    """Return the paths of all routes, with a run that there is, but for the streams."""
    flow = approved()
    flow.run(record=True, progress=False)
    names = {"run_id": flow.last_run.run_id, "run": flow.last_run.run_id}
    found = [path for path in _paths_of(app) if "{" not in path.replace("{run_id}", "").replace("{run}", "")]
    assert store is not None
    return sorted({path.format(**names) for path in found if "stream" not in path and path and "/static" not in path})


def test_every_route_answers_head_as_it_answers_get(call, paths):
    answers = {path: (call("HEAD", path), call("GET", path)) for path in paths}

    assert len(answers) > 20
    for path, (head, get) in answers.items():
        assert (path, head.status_code) == (path, get.status_code)
        assert (path, head.content) == (path, b"")
        assert _headers(head) == _headers(get)
    assert {get.status_code for _, get in answers.values()} >= {200, 405}


def _headers(answer):
    return {name: text for name, text in answer.headers.items() if name not in IGNORED | {"content-length"}}


@pytest.mark.parametrize("path", ["/api/runs", "/api/health", "/", "/approve/x", "/nothing", "/api/runs/nobody"])
def test_a_server_sends_the_headers_and_then_takes_the_next_request(app, path):
    with serving(app) as address:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=QUICK_S)
        found = []
        for method in ("HEAD", "GET", "HEAD"):
            connection.request(method, path, headers=BEARER)
            answer = connection.getresponse()
            found.append((answer.status, answer.headers["content-length"], len(answer.read())))
        connection.close()

    (status, length, size), get, again = found
    assert (status, length, size) == (get[0], get[1], 0)
    assert get[2] == int(get[1])
    assert again == found[0]


@pytest.mark.parametrize(
    "path", ["/api/runs/{run}/events/stream", "/api/events/stream", "/live/stream?what=runs&connection=abcdefgh"]
)
def test_a_stream_ends_with_its_headers(app, path, store):
    flow = approved()
    flow.run(record=True, progress=False)
    assert store is not None

    with serving(app) as address:
        host = urlsplit(address)
        with socket.create_connection((host.hostname, host.port), timeout=QUICK_S) as connection:
            asked = (
                f"HEAD {path.format(run=flow.last_run.run_id)} HTTP/1.1\r\nHost: {host.netloc}\r\nConnection: close\r\n"
            )
            connection.sendall(f"{asked}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"text/event-stream" in head
    assert body in {b"", b"0\r\n\r\n"}


def test_head_is_refused_as_get_is(app):
    anybody = Client(app, {})

    assert anybody("HEAD", "/api/runs").status_code == 401
    assert anybody("HEAD", "/api/runs", headers={"Host": "evil.example", **BEARER}).status_code == 403
    assert anybody("HEAD", f"/?token={TOKEN}").status_code == anybody("GET", f"/?token={TOKEN}").status_code == 303


def test_what_takes_no_get_takes_no_head(call):
    assert call("HEAD", "/live/say").status_code == call("GET", "/live/say").status_code == 405


def test_a_stream_that_is_never_read_stops_where_it_is_written(app):
    """Its generator is closed, so nothing goes on in the server."""

    async def ask():
        transport_messages = []

        async def send(message):
            transport_messages.append(message["type"])

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "HEAD",
            "scheme": "http", "path": "/api/events/stream", "raw_path": b"/api/events/stream", "query_string": b"",
            "root_path": "", "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {TOKEN}".encode())],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 4200), "state": {},
        }  # fmt: skip
        await asyncio.wait_for(app(scope, receive, send), QUICK_S)
        return transport_messages, scope["method"]

    assert asyncio.run(ask()) == (["http.response.start", "http.response.body"], "HEAD")
