"""`/api/store`: the store itself, for command lines, agents and engines on other machines (`FLOWBOOK_API_URL`).

Calls are those of `store.remote_calls`, one a request. Large values come and go as streams, are checked and signed, and
never unpickled. Whoever knows the token may do all that the store's owner may.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from flowbook import config
from flowbook._utils.versions import versions_here
from flowbook.api.body_limits import is_too_deep
from flowbook.api.call_attempts import CallAttempts
from flowbook.api.problems import problem
from flowbook.api.store_changes import StoreChanges
from flowbook.exceptions import FlowbookError
from flowbook.results.blobs import TooLargeError
from flowbook.store.api_errors import encode_error
from flowbook.store.remote_calls import call_of, fingerprint
from flowbook.store.served_store import ServedStore
from flowbook.store.wire_codec import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from flowbook.results.blobs import BlobWriter
    from flowbook.store import Store

__all__ = ["add_store_calls", "end_waiting"]

#: The error that a call raised, for the client to raise again.
_RAISED: dict[int | str, dict[str, Any]] = {
    409: {"description": "The error that the call raised", "content": {"application/json": {}}}
}
router = APIRouter(prefix="/api/store", tags=["store"], responses=_RAISED)

#: The most that one call may send, and how deep it may be nested; large values have requests of their own.
_CALL_BYTES, _NESTING = 64_000_000, 200
_CHUNK_BYTES = 1 << 20
_MOST_WAIT_S = 60.0
_NAME_CHARACTERS = 100
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Query(ge=0)]


def add_store_calls(app: FastAPI) -> None:
    """Add the routes to an application."""
    store: Store = app.state.store
    app.state.served_store = ServedStore(store, app.state.settings.token)
    app.state.store_changes = StoreChanges(store)
    app.state.call_attempts = CallAttempts()
    #: Another one each time that the server starts, so that clients compare versions again.
    app.state.started = f"{time.time_ns():x}"
    # Beside the route that the API's description shows: FastAPI's own work for a call takes as long as a short call itself.
    app.router.routes.append(Route("/api/store/calls/{name}", _called, methods=["POST"]))
    app.include_router(router)


async def _called(request: Request) -> Response:
    return await call(request, request.path_params["name"])


def end_waiting(app: FastAPI) -> None:
    """Answer all requests that wait for changes, so that their server can end."""
    changes: StoreChanges = app.state.store_changes
    changes.end()


@router.get("/version")
async def version(request: Request) -> Response:
    """Return which calls this server understands, and the time by its clock."""
    found = {"flowbook": versions_here()["flowbook"], "calls": fingerprint(), "now": time.time()}
    return _json(request, found)


@router.post("/calls/{name}")
async def call(request: Request, name: Annotated[str, Path(max_length=100)]) -> Response:
    """Call one method of the store.

    The body has its `arguments`, a `name` of this one call, and `again` if the first attempt may have been carried out.
    """
    body = await _body(request)
    if isinstance(body, Response):
        return body
    return await run_in_threadpool(_answer, request, name, body)


def _answer(request: Request, name: str, body: bytes) -> Response:
    served: ServedStore = request.app.state.served_store
    found = call_of(name)
    if found is None:
        return problem(HTTPStatus.NOT_FOUND, f"There is no call {name[:100]!r}. Use the same flowbook on both ends.")
    try:
        given = json.loads(body)
        arguments = found.decode(_arguments(given), served.values)
    except (ValueError, RecursionError, WireError) as error:
        detail = f"The arguments of {name} can't be read: {error}. Use the same flowbook on both ends."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="arguments")
    attempts: CallAttempts = request.app.state.call_attempts
    is_again = given.get("again") is True
    try:
        with attempts.attempt(str(given.get("name", ""))[:_NAME_CHARACTERS], is_again=is_again) as is_wanted:
            if not is_wanted:
                return problem(HTTPStatus.GONE, "This call was repeated meanwhile, and is answered there.")
            answer = found.encode_answer(served.method(name, is_again=is_again)(**arguments))
    except FlowbookError as error:
        return _json(request, encode_error(error), HTTPStatus.CONFLICT)
    return _json(request, {"answer": answer})


def _arguments(given: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    arguments = given.get("arguments") if isinstance(given, dict) else None
    if not isinstance(arguments, dict):
        msg = "there are none"
        raise WireError(msg)
    return arguments


async def _body(request: Request) -> bytes | Response:
    """Return the body of a call, or why it is refused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        detail = (
            f"The body is {kind[:100] or 'of no kind'!r}. Send JSON, with the header 'Content-Type: application/json'."
        )
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, field="Content-Type")
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > _CALL_BYTES:
                detail = f"The body has more than {_CALL_BYTES:,} bytes. Send less at once."
                return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, field="body")
            parts.append(part)
    except ClientDisconnect:
        return _broken_off()
    body = b"".join(parts)
    if is_too_deep(body, _NESTING):
        detail = f"The body is nested deeper than {_NESTING} levels. Send flatter JSON."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="body")
    return body


@router.put("/blobs/{digest}")
async def put_blob(request: Request, digest: Digest) -> Response:
    """Take the bytes of a large value; return the receipt that its row needs. They are neither read nor unpickled."""
    served: ServedStore = request.app.state.served_store
    limit = config.limits().total_bytes
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > limit:
        return _too_large(limit)
    writer = served.transit.writer(limit)
    try:
        async for part in request.stream():
            await run_in_threadpool(writer.write, part)
        return await run_in_threadpool(_keep, request, writer, digest)
    except ClientDisconnect:
        return _broken_off()
    except TooLargeError:
        return _too_large(limit)
    except OSError as error:
        detail = f"The value can't be written on the server: {error.strerror}. Free some room there."
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, kind="StoreError")
    finally:
        await run_in_threadpool(writer.__exit__, None, None, None)


def _keep(request: Request, writer: BlobWriter, digest: str) -> Response:
    if writer.digest != digest:
        detail = f"The bytes don't match their digest {digest[:12]}. Send them again."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="digest")
    writer.commit()
    served: ServedStore = request.app.state.served_store
    return _json(request, {"receipt": served.transit.receipt(digest, writer.size_bytes).hex()})


def _broken_off() -> Response:
    """Return what nobody reads: the caller is gone."""
    return problem(HTTPStatus.BAD_REQUEST, "The request broke off. Send it again.")


def _too_large(limit: int) -> Response:
    detail = (
        f"The value has more than {limit:,} bytes, which is the most that this server takes (FLOWBOOK_MAX_TOTAL_BYTES)."
    )
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, field="body")


@router.get("/blobs/{digest}")
def get_blob(request: Request, digest: Digest, size: Size, start: Size = 0) -> Response:
    """Send the bytes of a large value that this store has signed, from `start` on."""
    served: ServedStore = request.app.state.served_store
    try:
        view = served.blob(digest, size)
    except FlowbookError as error:
        return _json(request, encode_error(error), HTTPStatus.CONFLICT)
    rest = view[start:]
    headers = {**_headers(request), "content-length": str(len(rest))}
    return StreamingResponse(_chunks(rest), media_type="application/octet-stream", headers=headers)


def _chunks(view: memoryview) -> Iterator[bytes]:
    for start in range(0, len(view), _CHUNK_BYTES):
        yield bytes(view[start : start + _CHUNK_BYTES])


@router.get("/changes")
async def changes(
    request: Request,
    wait_s: Annotated[float, Query(ge=0.0, le=_MOST_WAIT_S)] = 0.0,
    commits: Annotated[str | None, Query(max_length=100)] = None,
    requests: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Return the numbers of the store's commits and requests, as soon as one of those that are given isn't the present one."""
    following: StoreChanges = request.app.state.store_changes
    known = {what: given for what, given in (("commits", commits), ("requests", requests)) if given is not None}
    return _json(request, await following.after(known, wait_s))


def _headers(request: Request) -> dict[str, str]:
    return {"flowbook-server": request.app.state.started}


def _json(request: Request, found: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    content = json.dumps(found, separators=(",", ":"), default=repr)
    return Response(content, status, headers=_headers(request), media_type="application/json")
