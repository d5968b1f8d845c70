"""`/api/cache`: the cached outputs, their previews, and what may become of them. No value is loaded."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from flowbook.api import wire
from flowbook.api.answers import PROBLEMS, StoreHere, answer
from flowbook.core.cached_outputs import entry_state
from flowbook.report.masked_values import masked_preview
from flowbook.report.secret_names import shown_parameters
from flowbook.store.cache import NEVER

if TYPE_CHECKING:
    from flowbook.store import CacheEntry

__all__ = ["router"]

router = APIRouter(prefix="/api/cache", tags=["cache"], responses=PROBLEMS)

_LISTED, _MOST = 100, 1000
Text = Annotated[str, Query(min_length=1, max_length=1000)]


@router.get("", response_model=wire.CachePage)
def list_entries(
    store: StoreHere,
    flow: Text | None = None,
    task: Text | None = None,
    at: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _LISTED,
) -> Response:
    """List the newest entries at a moment, by default now, the newest first."""
    now = dt.datetime.now(dt.UTC)
    found = store.browse().window(now if at is None else at, limit, flow, task)
    entries = [wire.CacheItem(**_fields(each, now)) for each in reversed(found.entries)]
    return answer(wire.CachePage(entries=entries, total=found.total))


@router.get("/{entry}", response_model=wire.CacheItemDetails)
def get_entry(store: StoreHere, entry: str) -> Response:
    """Show an entry with the preview of its value."""
    found = store.cache.get(entry)
    return answer(wire.CacheItemDetails(**_fields(found, dt.datetime.now(dt.UTC)), preview=_preview(store, found)))


@router.post("/{entry}/expire", response_model=wire.CacheItem)
def expire(store: StoreHere, entry: str) -> Response:
    """Let no run reuse an entry from now on."""
    store.cache.expire(entry)
    return answer(wire.CacheItem(**_fields(store.cache.get(entry), dt.datetime.now(dt.UTC))))


@router.post("/{entry}/pin", response_model=wire.CacheItem)
def pin(store: StoreHere, entry: str, given: wire.Pin) -> Response:
    """Let no sweep drop an entry's value; with `pinned` false, let it do so again."""
    store.cache.pin(entry, pinned=given.pinned)
    return answer(wire.CacheItem(**_fields(store.cache.get(entry), dt.datetime.now(dt.UTC))))


def _preview(store: StoreHere, found: CacheEntry) -> dict[str, Any] | None:
    preview = store.values.preview(found.ref)
    return None if preview is None else masked_preview(preview)


def _fields(found: CacheEntry, now: dt.datetime) -> dict[str, Any]:
    same = ("id", "flow", "task", "project", "created", "uses", "pinned", "cache_key", "run_id")
    return {
        **{name: getattr(found, name) for name in same},
        "expires": None if found.expires >= NEVER else found.expires,
        "state": entry_state(found, now),
        "size_bytes": found.ref.size_bytes,
        "parameters": shown_parameters(found.parameters),
        "digest": found.ref.digest,
    }
