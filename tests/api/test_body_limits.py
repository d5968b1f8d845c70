"""Bodies that are too large, too deep or no JSON are refused, and soon."""

import json
import socket
import time
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.api.app import create_app
from flowbook.api.body_limits import is_too_deep
from flowbook.api.settings import ApiSettings
from tests.api.conftest import BEARER, TOKEN, Client

PATH = "/api/runs"
JSON = {**BEARER, "Content-Type": "application/json"}
GIGABYTE = 1_000_000_000
#: Processor time of test and server; nothing of it is read, parsed or recursed into, which would take longer.
SOON_S = 5.0
LONG_S = 60.0


def _sent(address, head, parts):
    """Send a request by hand until it is answered; return the answer and how much was sent."""
    found, sent = b"", 0
    with socket.create_connection((urlsplit(address).hostname, urlsplit(address).port)) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode())
        connection.settimeout(0.01)
        for part in parts:
            try:
                connection.sendall(part)
                sent += len(part)
            except OSError:
                break
            try:
                found += connection.recv(65536)
                break
            except TimeoutError:
                continue
        connection.settimeout(LONG_S)
        while b"\r\n\r\n" not in found:
            found += connection.recv(65536)
    return found, sent


HEAD = f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"


def test_a_body_of_a_gigabyte_is_refused_before_it_is_sent(address):
    began = time.process_time()

    answer, _ = _sent(address, f"{HEAD}Content-Length: {GIGABYTE}\r\n", [])

    assert answer.startswith(b"HTTP/1.1 413")
    assert time.process_time() - began < SOON_S


def test_a_body_of_unknown_length_is_refused_once_it_is_too_large(address):
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    answer, sent = _sent(address, f"{HEAD}Transfer-Encoding: chunked\r\n", (chunk for _ in range(GIGABYTE // 0x10000)))

    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < 100_000_000


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_of_100_000_levels_is_refused(call, opening):
    body = opening * 100_000
    began = time.process_time()

    answer = call("POST", PATH, content=body, headers=JSON)

    assert answer.status_code == 422
    assert "nested deeper than 100" in answer.json()["detail"]
    assert time.process_time() - began < SOON_S


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_no_json_is_refused(call, kind):
    answer = call("POST", PATH, content=b'{"deployment": "a"}', headers={**BEARER, "Content-Type": kind})

    assert (answer.status_code, answer.json()["field"]) == (415, "Content-Type")


@pytest.mark.parametrize("body", [b"{", b"nothing", b'"\xff"', b'{"deployment": "a", "deployment": 1', b"[" * 50])
def test_json_that_is_broken_is_refused(call, body):
    answer = call("POST", PATH, content=body, headers=JSON)

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b'"\xff"', b'{"deployment": "a", "parameters": {"n": ' + b"9" * 5000 + b"}}"])
def test_json_that_cannot_be_read_says_what_can(call, body):
    answer = call("POST", PATH, content=body, headers=JSON)

    assert (answer.status_code, answer.json()["field"]) == (400, "body")
    assert answer.json()["detail"] == (
        "The body can't be read. Send JSON in UTF-8, with numbers of 4,300 digits at most."
    )


def test_the_limit_can_be_set(store):
    call = Client(create_app(store, ApiSettings(token=TOKEN, body_bytes=100)))

    answer = call("POST", PATH, content=json.dumps({"deployment": "a" * 200}), headers=JSON)

    assert answer.status_code == 413
    assert "takes 100 at most" in answer.json()["detail"]


@given(
    st.recursive(
        st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
    ),
    st.integers(1, 6),
)
def test_depth_is_measured_as_json_has_it(value, limit):
    def depth(each):
        inner = each.values() if isinstance(each, dict) else each
        return 1 + max(map(depth, inner), default=0) if isinstance(each, dict | list) else 0

    assert is_too_deep(json.dumps(value).encode(), limit) == (depth(value) > limit)
