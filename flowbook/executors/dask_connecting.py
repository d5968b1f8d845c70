"""One attempt to connect to a Dask cluster: it takes only so long, and another thread can stop it. Loads no Dask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Connecting"]


class Connecting:
    """One attempt to connect. `stop` may be called from any thread, before, during and after the attempt."""

    def __init__(self) -> None:
        self._lock = RankedLock(Rank.DASK_CONNECTING)
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        self.is_stopped = False

    async def attempt(self, start: Coroutine[Any, Any, None], limit_s: float) -> None:
        """Run `start`, for at most `limit_s` seconds.

        Raises:
            TimeoutError: if it takes longer.
            ConnectionAbortedError: if somebody stopped it.
        """
        task = asyncio.create_task(start)
        with self._lock:
            self._task = asyncio.get_running_loop(), task
            if self.is_stopped:
                task.cancel()
        try:
            await asyncio.wait_for(task, limit_s)
        except asyncio.CancelledError:
            if not self.is_stopped:
                raise
            msg = "the run was cancelled while it connected"
            raise ConnectionAbortedError(msg) from None
        except TimeoutError:
            msg = f"no Dask scheduler answered within {limit_s:g} s"
            raise TimeoutError(msg) from None
        finally:
            with self._lock:
                self._task = None

    def stop(self) -> None:
        """Let the attempt end at once, with an error."""
        with self._lock:
            self.is_stopped = True
            if self._task is not None:
                loop, task = self._task
                loop.call_soon_threadsafe(task.cancel)
