"""Closes Dask clients that are no longer needed.

The garbage collector finds such a client in any thread at any moment: in one of Dask's own event loops, where closing would
wait for itself, or while a thread holds Dask's lock of all loops, which closing a loop takes again. So the collector only
queues the client, and a separate thread closes it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import weakref
from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    import threading

__all__ = ["close_client", "close_client_with"]


class _Closing:
    """One thread, and the clients that are still open."""

    def __init__(self) -> None:
        #: With the process that opened them. Held until they are closed: Dask would close them where they are collected.
        self._open: dict[Any, int] = {}
        #: Of all queues this one may be put to in the middle of anything, its own `get` included.
        self._unneeded: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = RankedLock(Rank.DASK_CLOSING)
        self._thread: threading.Thread | None = None

    def close_with(self, owner: object, client: Any) -> None:  # noqa: ANN401
        """Close `client` soon after `owner` was collected, or at exit."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # a fork leaves threads behind
                self._thread = threads.spawn(self._work, name="dask-closing", owner=self)
                atexit.unregister(self.close_all)
                atexit.register(self.close_all)
        self._open[client] = os.getpid()
        weakref.finalize(owner, self._unneeded.put, client).atexit = False

    def close(self, client: Any) -> None:  # noqa: ANN401
        self._open.pop(client, None)
        with contextlib.suppress(Exception):  # closed already, or its cluster is gone
            client.close()

    def close_all(self) -> None:
        for client, process in list(self._open.items()):
            if process == os.getpid():  # after a fork the others' loops are threads of the parent
                self.close(client)

    def _work(self) -> None:
        while True:
            self.close(self._unneeded.get())


_CLOSING = _Closing()


def close_client(client: Any) -> None:  # noqa: ANN401  # a distributed.Client
    """Close `client` now; not in a finalizer."""
    _CLOSING.close(client)


def close_client_with(owner: object, client: Any) -> None:  # noqa: ANN401  # a distributed.Client
    """Close `client` soon after `owner` was collected, or at exit, unless `close_client` did."""
    _CLOSING.close_with(owner, client)
