"""The connections of one process to a SQLite database: one to write with, and one a thread to read with.

Each is opened when it is first asked for, and closed when its thread is gone. Knows no tables.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from typing import TYPE_CHECKING

from flowbook import config
from flowbook._utils.live_objects import LiveObjects
from flowbook._utils.locks import Rank, RankedLock
from flowbook.exceptions import StoreError
from flowbook.store import store_errors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOG_BYTES", "WAIT_S", "Connection", "Connections"]

#: How long SQLite waits for other processes.
WAIT_S = 30
#: Size to which SQLite cuts the log's file after moving the log into the database.
LOG_BYTES = 16_000_000


class Connection(sqlite3.Connection):
    """A connection that is closed while nobody uses it: SQLite would crash. Take its `guard` for each use beside the writer's."""

    guard: threading.Lock


class Connections:
    """The connections to the database at `path`, or in memory where that is None. The caller holds the lock to write.

    Attributes:
        is_closed: whether `close` was called; then none is opened any more.
    """

    def __init__(self, path: Path | None, *, is_read_only: bool) -> None:
        self.is_closed = False
        self._path = path
        self._is_read_only = is_read_only
        #: Connections of a forked parent, or to files that aren't ours any more: SQLite forbids even closing them.
        self._abandoned: list[object] = []
        self._begin()

    def _begin(self) -> None:
        self._local = threading.local()
        self._handles: LiveObjects[_Handle] = LiveObjects()
        self._writer: _Handle | None = None
        self._watcher: _Handle | None = None

    def writer(self) -> Connection:
        """Return the connection for the thread that holds the lock."""
        if self._writer is None or self._writer.is_closed:
            self._writer = self._connect()
        return self._writer.connection

    def watcher(self) -> Connection:
        """Return a connection that never writes, to look for others' commits with. For one thread at a time."""
        watcher = self._watcher  # once: `abandon` may be called meanwhile
        if watcher is None or watcher.is_closed:
            watcher = self._watcher = self._connect()
        return watcher.connection

    def reader(self) -> Connection:
        """Return the calling thread's own connection."""
        handle: _Handle | None = getattr(self._local, "handle", None)
        if handle is None or handle.is_closed:
            handle = self._local.handle = self._connect()
        return handle.connection

    def close(self) -> None:
        """Close all, each once its thread has read what it reads."""
        self.is_closed = True
        for handle in self._handles.listed():
            handle.close()

    def abandon(self) -> None:
        """Leave all that are open as they are, and begin anew."""
        for handle in (handles := self._handles.listed()):
            handle.abandon()
        self._abandoned += [*handles, self._local]
        self._begin()

    def __len__(self) -> int:
        return len(self._handles)

    def _connect(self) -> _Handle:
        if self.is_closed:
            raise store_errors.closed(self._path)
        connection = sqlite3.connect(
            self._address(),
            uri=self._is_read_only,
            timeout=WAIT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
            factory=Connection,
        )
        connection.guard = RankedLock(Rank.CONNECTION)
        handle = _Handle(connection)
        try:
            if not self._is_read_only:
                self._prepare(connection)
        except BaseException:
            handle.close()
            raise
        self._handles.add(handle)
        if self.is_closed:  # meanwhile; `close` may not have found it
            handle.close()
            raise store_errors.closed(self._path)
        return handle

    def _prepare(self, connection: Connection) -> None:
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if self._path is not None and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._switch_to_wal(connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if config.outlasts_power_loss() else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")

    def _switch_to_wal(self, connection: Connection) -> None:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            msg = f"SQLite can't keep a write-ahead log at {self._path}. Set FLOWBOOK_HOME to a folder on a local disk."
            raise StoreError(msg, path=str(self._path), mode=mode)

    def _address(self) -> str:
        if self._path is None:
            return ":memory:"
        if not self._is_read_only:
            return str(self._path)
        #: An existing log holds changes that the file lacks, and can only be read with SQLite's index of it.
        log = self._path.with_name(self._path.name + "-wal")
        has_log = log.exists() and log.stat().st_size > 0
        return f"{self._path.as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"


class _Handle:
    """Closes its connection when its thread is gone.

    The finalizer holds the connection, so that no garbage collection meets the connection first and calls it unclosed.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_closed = False
        self._finalize = weakref.finalize(self, _close, connection, os.getpid())
        self._finalize.atexit = False  # the store writes and closes at exit, and needs it until then

    def close(self) -> None:
        self.is_closed = True
        with self.connection.guard:
            #: Not by calling the finalizer: at exit that does nothing any more.
            if (found := self._finalize.detach()) is not None:
                _, close, given, _ = found
                close(*given)

    def abandon(self) -> None:
        """Never close it."""
        self._finalize.detach()


def _close(connection: Connection, process: int) -> None:
    if process == os.getpid():
        connection.close()
