"""Wakes requests that wait for a change in the store: one look at the store serves them all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from flowbook.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.store import Store

__all__ = ["StoreChanges"]

#: How often the store is looked at while somebody waits. A look costs as much as a small query.
_LOOK_S = 0.03


class StoreChanges:
    """Follows one store for the requests of one event loop.

    Args:
        store: of this machine; other processes may write to it, too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version: object = None
        #: Replaced, never changed: each look that reads the numbers makes a new one.
        self._now: dict[str, str] = {}
        #: Those of which all who waited have been woken; whoever looked first, a request may have.
        self._told = self._now
        self._waiting: set[asyncio.Future[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    async def after(self, known: Mapping[str, str], wait_s: float) -> dict[str, str]:
        """Return the present numbers by what they count, as soon as one of `known` isn't one of them, or after `wait_s`."""
        deadline = time.monotonic() + wait_s
        await run_in_threadpool(self._look)
        while all(self._now.get(what) == number for what, number in known.items()):
            left = deadline - time.monotonic()
            if left <= 0 or self._is_over:
                break
            await self._changed(left)
        return dict(self._now)

    async def _changed(self, within_s: float) -> None:
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(changed)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        with contextlib.suppress(TimeoutError):
            try:
                await asyncio.wait_for(changed, within_s)
            finally:
                self._waiting.discard(changed)

    async def _watch(self) -> None:
        """Look at the store for as long as somebody waits."""
        while self._waiting:
            await asyncio.sleep(_LOOK_S)
            with contextlib.suppress(StoreError):
                if self._store.version() != self._version:  # in this thread: it takes 10 µs, a turn of another one 200
                    await run_in_threadpool(self._look)
            now = self._now
            if now is not self._told:
                self._told = now
                self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def end(self) -> None:
        """Let nobody wait any more."""
        self._is_over = True
        self._wake()

    def _look(self) -> None:
        """Read the numbers if anything was committed."""
        version = self._store.version()
        if version != self._version or not self._now:
            requests = self._store.requests.newest()
            self._version, self._now = version, {"commits": str(version), "requests": str(requests)}
