"""Talks to the server of a store: sends requests over connections that stay open, and repeats what a broken one may have lost.

The standard library's HTTP client: a container that runs one task needs nothing more than flowbook. From any thread; the
child of a fork opens connections of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

from flowbook import config
from flowbook._utils.locks import Rank, RankedLock, renew_in_child
from flowbook._utils.versions import versions_here
from flowbook.exceptions import InfrastructureError, StoreError
from flowbook.store.api_errors import decode_error
from flowbook.store.http_connection import OnePieceConnection, OnePieceSecureConnection
from flowbook.store.remote_calls import call_of, fingerprint
from flowbook.store.server_clock import ServerClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.store.values import Values

__all__ = ["ApiClient", "LostError", "UnreachableError"]

_CONNECT_S = 5.0
#: How long an answer may take: the server waits for its disk, and for other writers.
_ANSWER_S = 60.0
#: A connection that wasn't used for so long is closed: the server closes it soon, too.
_IDLE_S = 4.0
#: Pauses between attempts: the first, by what each grows, and the longest.
_PAUSE_S, _GROWTH, _LONGEST_S = 0.1, 1.6, 2.0
#: How long a process that has used the server waits for it, where nothing else is set.
_USUAL_PATIENCE_S = 10.0
_CHUNK_BYTES = 1 << 20
_JSON = "application/json"
T = TypeVar("T")


class UnreachableError(StoreError):
    """The server can't be reached, or the connection broke and was not made again in time."""


class _Stream(NamedTuple):
    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse


class _Answer(NamedTuple):
    status: int
    body: bytes
    headers: http.client.HTTPMessage


class ApiClient:
    """A connection with one server.

    Args:
        url: of the API: "http://host:4200", with a prefix if it has one.
        token: of the API.

    Raises:
        InfrastructureError: if the URL is none.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            msg = f"FLOWBOOK_API_URL is {url!r}. Give the address that `flowbook server start` printed, e.g. http://127.0.0.1:4200."
            raise InfrastructureError(msg, name="FLOWBOOK_API_URL", value=url)
        self._is_secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._renew_locks()
        renew_in_child(self, ApiClient._renew_locks)
        self._process = os.getpid()
        #: Connections that nobody uses now, each with the time of its last use; the last used at the end.
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._server: str | None = None
        self.clock = ServerClock()
        self._is_closed = False
        self._fails_until = 0.0
        self._pause_s = _PAUSE_S
        self._last_error: UnreachableError | None = None

    def _renew_locks(self) -> None:
        self._lock = RankedLock(Rank.API_CONNECTIONS)
        self._first_lock = RankedLock(Rank.API_FIRST_CONTACT)

    # What it is used for

    def call(self, name: str, values: Values, *given: object, **named: object) -> Any:  # noqa: ANN401  # what the method returns
        """Call a method of the store; see `remote_calls`. Repeated if the connection breaks.

        Raises:
            FlowbookError: what the method raises.
            UnreachableError: if the server can't be reached.
        """
        return self._call(name, values, self.patience_s, given, named)

    def try_call(self, name: str, values: Values, *given: object, **named: object) -> Any:  # noqa: ANN401  # as above
        """Do as `call`, but don't wait for a server that is down: the caller tries again itself."""
        return self._call(name, values, 0.0, given, named)

    def _call(
        self, name: str, values: Values, patience_s: float, given: tuple[object, ...], named: dict[str, object]
    ) -> Any:  # noqa: ANN401  # as above
        call = call_of(name)
        assert call is not None, name  # noqa: S101  # it is named by flowbook's own code
        said = {"arguments": call.encode(*given, **named), "name": os.urandom(8).hex()}

        def request(*, is_again: bool) -> _Answer:
            body = json.dumps({**said, "again": is_again}, default=repr, separators=(",", ":"))
            return self._exchange("POST", f"/api/store/calls/{name}", body.encode())

        answer = self._patiently(request, patience_s)
        return call.decode_answer(json.loads(answer.body)["answer"], values)

    def upload(self, digest: str, size_bytes: int, parts: Callable[[], Iterator[bytes]]) -> bytes:
        """Send the bytes of a value; return the receipt for its row. Raises StoreError, UnreachableError."""

        def request(*, is_again: bool) -> _Answer:  # noqa: ARG001  # the same bytes under the same name
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
            return self._exchange("PUT", f"/api/store/blobs/{digest}", parts(), headers)

        return bytes.fromhex(json.loads(self._patiently(request, self.patience_s).body)["receipt"])

    def parts(self, digest: str, size_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a value, unchecked; where the connection breaks, it goes on from there.

        Raises:
            FlowbookError: what the server says.
            UnreachableError: if the server can't be reached.
        """
        taken, deadline = 0, time.monotonic() + self.patience_s

        def request(*, is_again: bool) -> _Stream:  # noqa: ARG001  # it reads only
            return self._open("GET", f"/api/store/blobs/{digest}?size={size_bytes}&start={taken}")

        while True:
            stream = self._patiently(request, self.patience_s)
            try:
                for part in self._read_parts(stream):
                    taken += len(part)
                    deadline = time.monotonic() + self.patience_s
                    yield part
            except LostError as error:
                if time.monotonic() >= deadline:
                    raise self._unreachable(error) from error
            else:
                return

    def changes(self, known: dict[str, str], wait_s: float) -> dict[str, Any]:
        """Return what is known of these as soon as one is another, or after `wait_s`. Not repeated.

        Raises:
            FlowbookError: what the server says.
            LostError: if the connection can't be made, or broke.
        """
        self._meet()
        path = f"/api/store/changes?{urlencode({**known, 'wait_s': f'{wait_s:g}'})}"
        found: dict[str, Any] = json.loads(self._exchange("GET", path, timeout_s=wait_s + _CONNECT_S).body)
        return found

    @property
    def ahead_s(self) -> float:
        """How far the server's clock is ahead of this machine's; asks it if it wasn't asked anything so far."""
        if self._server is None:
            self._patiently(lambda *, is_again: is_again, self.patience_s)
        return self.clock.ahead_s

    @property
    def patience_s(self) -> float:
        """How long to wait for a server that can't be reached: not at all if it never could be, unless that is set."""
        given = config.api_patience_s()
        if given is not None:
            return given
        return _USUAL_PATIENCE_S if self._server is not None else 0.0

    def close(self) -> None:
        """Close all connections, those that are in use when their answer has come."""
        self._is_closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    # Repeating

    def _patiently(self, request: Callable[..., T], patience_s: float) -> T:
        """Make a request; repeat it while the server can't be reached, until the patience ends."""
        deadline, is_again, is_first = time.monotonic() + patience_s, False, True
        while True:
            self._refuse_closed()
            self._refuse_early(patience_s)
            is_under_way = False
            try:
                self._meet()
                is_under_way = True
                answer = request(is_again=is_again)
            except LostError as error:
                is_again = is_again or (is_under_way and error.may_be_done)
                if is_first and error.is_cut:
                    is_first = False
                    continue
                failure = self._unreachable(error)
            else:
                self._pause_s, self._fails_until = _PAUSE_S, 0.0
                return answer
            if time.monotonic() >= deadline:
                raise failure
            threading.Event().wait(min(self._pause_s, max(0.0, deadline - time.monotonic())))

    def _refuse_closed(self) -> None:
        if self._is_closed:
            msg = f"The store behind {self.url} is closed. Open it again with open_store()."
            raise StoreError(msg, url=self.url)

    def _refuse_early(self, patience_s: float) -> None:
        """Where nobody waits, fail at once for a while after a failure: a network that swallows packets takes seconds."""
        if patience_s <= 0.0 and self._last_error is not None and time.monotonic() < self._fails_until:
            raise self._last_error

    def _unreachable(self, error: LostError) -> UnreachableError:
        self._fails_until = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * _GROWTH, _LONGEST_S)
        advice = "Start it there (flowbook server start), or unset FLOWBOOK_API_URL to use the store of this machine."
        msg = f"The store behind {self.url} can't be reached: {error}. {advice}"
        self._last_error = UnreachableError(msg, url=self.url)
        return self._last_error

    # The first contact

    def _meet(self) -> None:
        """Before the first request to a server, compare its version with this one's. Raises StoreError, LostError."""
        if self._server is not None and self._process == os.getpid():
            return
        with self._first_lock:
            if self._process != os.getpid():
                self._begin_in_child()
            if self._server is None:
                self._compare()

    def _begin_in_child(self) -> None:
        idle, self._process, self._server, self._idle = self._idle, os.getpid(), None, []
        for _, connection in idle:
            connection.close()  # this process's descriptor; the parent's stays open

    def _compare(self) -> None:
        answer = self._exchange("GET", "/api/store/version")
        try:
            found = json.loads(answer.body)
            theirs, number, now = found["calls"], found["flowbook"], float(found["now"])
        except (ValueError, LookupError, TypeError) as error:
            msg = f"{self.url} isn't flowbook's API: it answers {answer.body[:80]!r}. Check FLOWBOOK_API_URL."
            raise StoreError(msg, url=self.url) from error
        if theirs != fingerprint():
            here = versions_here()["flowbook"]
            msg = (
                f"The server at {self.url} is flowbook {number}, this is {here}, and they don't understand each other. "
                "Install the same version on both ends."
            )
            raise StoreError(msg, url=self.url, server=number, here=here)
        self.clock.compare(now)
        self._server = answer.headers.get("flowbook-server", "")

    # One request

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = _ANSWER_S,
    ) -> _Answer:
        """Make one request. Raises as `_open`."""
        stream = self._open(method, path, body, headers, timeout_s)
        return _Answer(stream.response.status, b"".join(self._read_parts(stream)), stream.response.headers)

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = _ANSWER_S,
    ) -> _Stream:
        """Make one request; the body of the answer is still to be read.

        Raises:
            FlowbookError: what the server answers instead.
            LostError: if the connection can't be made, or broke.
        """
        known = {"Authorization": f"Bearer {self._token}", "Content-Type": _JSON, **(headers or {})}
        connection, was_idle = self._connection(timeout_s)
        try:
            connection.request(method, self._path + path, body, known)
            response = connection.getresponse()
            if (
                response.length is None and not response.chunked
            ):  # cut within the headers, which the library takes for their end
                raise http.client.IncompleteRead(b"")
            if response.status != http.client.OK:
                answer = _Answer(response.status, response.read(), response.headers)
                self._give_back(connection, response)
                raise self._refusal(answer)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if was_idle:
                self._close_idle()  # the server has closed the others, too
            raise LostError(_in_words(error), may_be_done=True, is_cut=not isinstance(error, TimeoutError)) from error
        self.clock.note(response.headers.get("date"))
        if self._server is not None and response.headers.get("flowbook-server", "") != self._server:
            self._server = None  # it was started again, maybe as another version
        return _Stream(connection, response)

    def _read_parts(self, stream: _Stream) -> Iterator[bytes]:
        """Yield the body of an answer. Raises LostError: if it ends before its end."""
        connection, response = stream
        is_whole = False
        try:
            while part := response.read(_CHUNK_BYTES):
                yield part
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            is_whole = True
        except (OSError, http.client.HTTPException) as error:
            raise LostError(_in_words(error), may_be_done=True) from error
        finally:
            if is_whole:
                self._give_back(connection, response)
            else:
                connection.close()

    def _refusal(self, answer: _Answer) -> Exception:
        """Return what an answer other than 200 means."""
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if isinstance(found, dict) and "error" in found:
            return decode_error(found)
        detail = found.get("detail") if isinstance(found, dict) else None
        if answer.status in {502, 503, 504} and detail is None:
            return LostError(f"its proxy answers {answer.status}", may_be_done=True)
        why = detail or f"it answers {answer.status} {answer.body[:80]!r}"
        advice = " Set FLOWBOOK_API_TOKEN to the server's token." if answer.status == http.client.UNAUTHORIZED else ""
        msg = f"The server at {self.url} refuses a request: {why}{advice}"
        return StoreError(msg, url=self.url, status=answer.status)

    # Connections

    def _connection(self, timeout_s: float) -> tuple[http.client.HTTPConnection, bool]:
        """Return a connection for one request, and whether it was used before."""
        now, old = time.monotonic(), []
        with self._lock:
            if self._process != os.getpid():
                self._begin_in_child()
            while self._idle and now - self._idle[0][0] > _IDLE_S:
                old.append(self._idle.pop(0)[1])
            found = self._idle.pop()[1] if self._idle else None
        for connection in old:
            connection.close()
        if found is None:
            return self._new_connection(timeout_s), False
        if found.sock is not None:
            found.sock.settimeout(timeout_s)
        return found, True

    def _new_connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return a connected connection. Raises LostError."""
        if self._is_secure:
            connection: OnePieceConnection = OnePieceSecureConnection(
                self._host, self._port, timeout=_CONNECT_S, context=ssl.create_default_context()
            )
        else:
            connection = OnePieceConnection(self._host, self._port, timeout=_CONNECT_S)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise LostError(_in_words(error), may_be_done=False) from error
        connection.sock.settimeout(timeout_s)
        return connection

    def _give_back(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        is_good = not response.will_close and connection.sock is not None
        with self._lock:
            is_kept = is_good and not self._is_closed  # with the lock: `close` comes before, or finds it
            if is_kept:
                self._idle.append((time.monotonic(), connection))
        if not is_kept:
            connection.close()


class LostError(Exception):
    """The connection can't be made, or broke; then what was asked may have been done.

    Attributes:
        may_be_done: whether the server may have got the request.
        is_cut: whether the other end closed it, as a server does with a connection that was idle for long.
    """

    def __init__(self, why: str, *, may_be_done: bool, is_cut: bool = False) -> None:
        super().__init__(why)
        self.may_be_done = may_be_done
        self.is_cut = is_cut


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it doesn't answer in time"
    if isinstance(error, http.client.HTTPException):
        return f"the connection broke ({type(error).__name__})"
    found = error.strerror if isinstance(error, OSError) else None
    return found or str(error) or type(error).__name__
