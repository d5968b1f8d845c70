"""`/api/events/stream` and `/api/runs/{run}/events/stream`: what happens, as server-sent events that resume by number."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from flowbook.api.answers import PROBLEMS, StoreHere, store_of
from flowbook.api.run_events import event_text, message
from flowbook.api.watcher import ALL, FLOWS, Watcher, end_of
from flowbook.flow_run.run_names import find_run_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from flowbook.api.event_buffer import EventBuffer
    from flowbook.store import Store

__all__ = ["close_streams", "router"]

router = APIRouter(prefix="/api", tags=["events"], responses=PROBLEMS)

_BEAT_S = 15.0
_BEAT = b": still here\n\n"
_PAGE = 2000
_NO_EVENTS = 2**62
_HEADERS = {"x-accel-buffering": "no"}  # so that a proxy passes on each message at once
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
_LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)]


def _watcher(request: Request) -> Watcher:
    """Return the watcher of this application in this event loop."""
    state = request.app.state
    found: Watcher | None = getattr(state, "watcher", None)
    if found is None or not found.is_here:
        found = state.watcher = Watcher(store_of(request))
    return found


def close_streams(app: object) -> None:
    """End the streams of an application, so that its server can end."""
    found: Watcher | None = getattr(app.state, "watcher", None)  # type: ignore[attr-defined]  # a FastAPI
    if found is not None:
        found.close()


@router.get("/runs/{run_id}/events/stream", responses=_STREAM, response_class=StreamingResponse)
async def stream_run(
    request: Request,
    store: StoreHere,
    run_id: str,
    since: Annotated[int, Query(ge=0, le=_NO_EVENTS)] = 0,
    last_event_id: _LastId = None,
) -> Response:
    """Stream the events of a run after number `since`, or after the header Last-Event-ID, until it is over.

    The last message is `end` with the run's state. Who comes back after that is told to stay away (204).
    """
    position = int(last_event_id) if last_event_id and last_event_id.isdecimal() else since
    found = await anyio.to_thread.run_sync(find_run_id, store, run_id)
    now = await anyio.to_thread.run_sync(store.history.snapshot, found, _NO_EVENTS)
    position = min(position, now.last_seq)  # a number from before the store was put back would hide what comes
    if last_event_id and end_of(now, position) is not None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    there = await anyio.to_thread.run_sync(store.history.numbers, found, now.last_seq)
    messages = _of_run(_watcher(request), store, found, position, now.last_seq, there)
    return StreamingResponse(messages, media_type="text/event-stream", headers=_HEADERS)


async def _of_run(  # noqa: PLR0913  # what is known of the run
    watcher: Watcher, store: Store, run_id: str, position: int, last: int, there: Sequence[int]
) -> AsyncIterator[bytes]:
    with watcher.reading(run_id, last, there) as buffer:
        late = buffer.late
        yield b"retry: 1000\n\n"
        while True:
            held = buffer.after(position)
            if held is None:
                rows = await anyio.to_thread.run_sync(store.history.page, run_id, position, _PAGE)
                text = b"".join(map(event_text, rows))
                held = (rows[-1].seq if rows else buffer.last), text
            if held[1]:
                position = held[0]
                yield held[1]
            elif text := buffer.late_after(late):
                late = buffer.late
                yield text
            elif buffer.end is not None:
                yield buffer.end
                return
            else:
                position = max(position, held[0])
                if not await buffer.wait(position, _BEAT_S, late):
                    yield _BEAT


@router.get("/events/stream", responses=_STREAM, response_class=StreamingResponse)
async def stream_all(
    request: Request,
    since: Annotated[str | None, Query(max_length=100)] = None,
    of: Literal["all", "runs"] = "all",
    last_event_id: _LastId = None,
) -> Response:
    """Stream what happens in all runs from now on, or after the number `since` or Last-Event-ID of an earlier stream.

    With `of=runs` only the states of runs. If the server no longer has what came after that number, the first message is
    `reset`: list the runs again.
    """
    watcher, stream = _watcher(request), FLOWS if of == "runs" else ALL
    buffer = await watcher.prepare(stream)
    asked = last_event_id or since
    position = _position(watcher, buffer, asked)
    is_reset = position is None and asked is not None
    messages = _of_all(watcher, stream, buffer.last if position is None else position, is_reset=is_reset)
    return StreamingResponse(messages, media_type="text/event-stream", headers=_HEADERS)


async def _of_all(watcher: Watcher, stream: str, position: int, *, is_reset: bool) -> AsyncIterator[bytes]:
    with watcher.reading(stream) as buffer:
        yield b"retry: 1000\n\n"
        if is_reset:
            yield message("reset", "{}", f"{watcher.generation}-{position}")
        while True:
            held = buffer.after(position)
            if held is None:  # it read so slowly that the buffer went on without it
                held = buffer.last, message("reset", "{}", f"{watcher.generation}-{buffer.last}")
            position = held[0]
            if held[1]:
                yield held[1]
            elif buffer.end is not None:
                return
            elif not await buffer.wait(position, _BEAT_S):
                yield _BEAT


def _position(watcher: Watcher, buffer: EventBuffer, since: str | None) -> int | None:
    """Return the number after which a stream goes on; None if it begins anew."""
    generation, _, number = (since or "").partition("-")
    if generation != watcher.generation or not number.isdecimal() or int(number) > buffer.last:
        return None
    return None if buffer.after(int(number)) is None else int(number)
