"""A request to the store behind the API goes out in one piece."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flowbook.store.http_connection import OnePieceConnection


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def _served():
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Noting:
    """A socket that notes what is sent."""

    def __init__(self, sock):
        self._sock = sock
        self.sent = []

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def sendall(self, data):
        self.sent.append(bytes(data))
        self._sock.sendall(data)


@pytest.mark.parametrize("bodies", [[b'{"a": 1}'], [b"x", b"", b"y" * 300_000]], ids=["one", "several"])
def test_head_and_body_are_sent_together_and_the_connection_stays_open(bodies):
    with _served() as port:
        connection = OnePieceConnection("127.0.0.1", port)
        connection.connect()
        connection.sock = noting = _Noting(connection.sock)

        answers = []
        for body in bodies:
            connection.request("POST", "/x", body, {"Content-Type": "application/json"})
            answers.append(connection.getresponse().read())
        connection.close()

    assert answers == bodies
    assert [each.partition(b"\r\n\r\n")[2] for each in noting.sent] == bodies


def test_a_body_that_comes_in_parts_is_sent_as_it_comes():
    with _served() as port:
        connection = OnePieceConnection("127.0.0.1", port)
        connection.connect()
        connection.sock = noting = _Noting(connection.sock)

        connection.request("POST", "/x", iter([b"ab", b"cd"]), {"Content-Length": "4"})
        answer = connection.getresponse().read()
        connection.close()

    assert answer == b"abcd"
    assert noting.sent[1:] == [b"ab", b"cd"]
