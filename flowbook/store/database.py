"""A SQLite database that many threads and processes write to at once.

Each thread reads through a connection of its own; writers take turns on one, under a lock in the process and one
between processes, since SQLite's own waiting starves writers. After a fork the child opens everything anew and never
touches what it inherited. Knows no tables but the list of migrations.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from flowbook import config
from flowbook._utils.locks import Rank, RankedLock
from flowbook.exceptions import StoreError
from flowbook.store.folder import check_file, make_private
from flowbook.store.process_lock import ProcessLock, open_lock
from flowbook.store.queries import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Database"]

T = TypeVar("T")
_FILE = "store.sqlite"
_WAIT_S = 30
#: How often others' commits are looked for: it costs as much as a small query.
_LOOK_S = 0.0005
#: So much of the log stays as a file once it was taken over into the database; four times as much is not waited for.
_LOG_BYTES = 16_000_000
#: How often the log's length is looked at, in commits, and how long readers are waited for when it is to begin anew.
_COMMITS_BETWEEN_LOOKS = 32
_READERS_MS = 500
#: As many free pages are given back in one transaction (8 MB): others write in between.
_PAGES_AT_ONCE = 2000
_FREED_BY_AND_BY = 2


class Database:
    """SQLite in `folder`, or in memory where that is None.

    Args:
        folder: prepared, see `folder.prepare`.
        scripts: from one schema version to the next, by the version they lead to; flowbook's own by default.
        is_read_only: nothing can be written there; whoever tries gets a StoreError.

    Raises:
        StoreError: if it can't be opened, or was made by a newer flowbook.
    """

    def __init__(
        self, folder: Path | None, scripts: Mapping[int, str] | None = None, *, is_read_only: bool = False
    ) -> None:
        self._folder = folder
        self.is_read_only = is_read_only
        self._scripts = scripts if scripts is not None else migrations()
        #: Grows with each fork: what was waiting before belongs to the parent.
        self.generation = 0
        self.path = folder / _FILE if folder is not None else None
        self.is_closed = False
        self._abandoned: list[object] = []
        self._commits = 0
        self._version_handle: _Handle | None = None
        self._others = 0
        if folder is not None and self.path is not None:
            if not is_read_only:
                make_private(self.path)
            for path in (self.path, *map(self.path.with_name, (f"{_FILE}-wal", f"{_FILE}-shm", "lock"))):
                check_file(path, is_read_only=is_read_only)
        self._identity: tuple[int, int] | None = None
        self._begin()
        try:
            self._open()
            if self.path is not None:
                status = self.path.stat()
                self._identity = status.st_dev, status.st_ino
        except BaseException:
            self.close()
            raise
        if hasattr(os, "register_at_fork"):
            self_reference = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _forked(self_reference()))

    def read(self, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401  # what sqlite3 takes
        """Return all rows of `query`, as they are at this moment. From any thread.

        Raises:
            StoreError: if they can't be read.
        """
        if self.path is None:
            with self._lock:
                return self._fetch(self._writer(), query, parameters)
        try:
            connection = self._reader()
        except sqlite3.Error as exc:
            raise self._trouble(exc, "read") from exc
        return self._fetch(connection, query, parameters)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        """Give a function like `read` whose answers are all of one moment: nobody's commit comes in between.

        For one thread. Keep it short: as long as it is open, the log can't begin anew.

        Raises:
            StoreError: if the database can't be read.
        """
        if self.path is None:
            with self._lock:
                yield lambda query, parameters=(): self._fetch(self._writer(), query, parameters)
            return
        connection = self._reader()
        self._fetch(connection, "BEGIN")
        try:
            yield lambda query, parameters=(): self._fetch(connection, query, parameters)
        finally:
            with contextlib.suppress(sqlite3.Error):  # it changed nothing
                connection.execute("ROLLBACK")

    def _fetch(self, connection: sqlite3.Connection, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
        try:
            return connection.execute(query, parameters).fetchall()
        except UnicodeEncodeError as exc:
            raise _unsayable(exc) from exc
        except sqlite3.Error as exc:
            raise self._trouble(exc, "read") from exc

    def version(self) -> object:
        """Return what differs after each commit: at once after one of this process, after others' in half a millisecond.

        From any thread.

        Raises:
            StoreError: if the database can't be read.
        """
        if self.path is not None and time.monotonic() >= self._next_look:
            try:
                with self._version_lock:
                    self._look()
            except sqlite3.Error as exc:
                raise self._trouble(exc, "read") from exc
        return self.generation, self._commits, self._others

    def _look(self) -> None:
        handle = self._version_handle
        if handle is None or handle.is_closed:
            handle = self._version_handle = self._connect()
        #: It differs after commits of all connections but its own, which makes none.
        self._others = handle.connection.execute("PRAGMA data_version").fetchone()[0]
        self._next_look = time.monotonic() + _LOOK_S

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work(connection)` does within one transaction: all of it is kept, or nothing. From any thread.

        Raises:
            StoreError: if it can't be kept (disk full, read-only).
            sqlite3.IntegrityError: if `work` breaks a rule of the schema.
        """
        with self._lock:
            if self.is_closed:
                raise self._closed()
            if self.is_read_only:
                raise self._unwritable()
            if self.is_gone():
                raise self._gone()
            self._process_lock.acquire()
            try:
                connection = self._writer()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                else:
                    self._keep_log_short(connection)
                    return result
            except sqlite3.IntegrityError:
                raise
            except UnicodeEncodeError as exc:
                raise _unsayable(exc) from exc
            except sqlite3.Error as exc:
                raise self._trouble(exc, "written to") from exc
            finally:
                self._process_lock.release()

    def _keep_log_short(self, connection: sqlite3.Connection) -> None:
        """Begin the log anew where readers, who never all pause at once, have kept SQLite from it for long."""
        self._commits += 1
        if self.path is None or self._commits % _COMMITS_BETWEEN_LOOKS:
            return
        with contextlib.suppress(OSError, sqlite3.Error):  # what was committed is safe; the next look tries again
            if self.path.with_name(_FILE + "-wal").stat().st_size > 4 * _LOG_BYTES:
                connection.execute(f"PRAGMA busy_timeout = {_READERS_MS}")
                try:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                finally:
                    connection.execute(f"PRAGMA busy_timeout = {_WAIT_S * 1000}")

    def is_gone(self) -> bool:
        """Return whether the file was removed or replaced while it was open. SQLite would write on, where nobody reads."""
        if self._identity is None or self.path is None:
            return False
        try:
            status = os.stat(self.path)  # noqa: PTH116  # a third of Path.stat's time, at each commit
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def sync(self) -> None:
        """Make all that was committed outlast a loss of power. Does not wait for, nor hold up, writers."""
        if self.path is None or self.is_read_only:
            return
        #: Only the log needs it: a checkpoint syncs what it moves. Opening it apart is safe: SQLite puts no lock on it.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(self.path.with_name(_FILE + "-wal"), os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def shrink(self) -> None:
        """Give the room of what was deleted back to the disk. Raises StoreError."""
        if self.path is None:
            return
        if self.read("PRAGMA auto_vacuum")[0][0] != _FREED_BY_AND_BY:
            self._outside_transactions("PRAGMA auto_vacuum = INCREMENTAL", "VACUUM")
        while (free := self.read("PRAGMA freelist_count")[0][0]) > 0:
            self.write(lambda connection: connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall())
            if self.read("PRAGMA freelist_count")[0][0] >= free:
                break  # somebody fills them as fast
        self.take_over_log()

    def take_over_log(self) -> None:
        """Move the log into the database, so that it takes no room. Raises StoreError."""
        if self.path is not None:
            self._outside_transactions("PRAGMA wal_checkpoint(TRUNCATE)")

    def _outside_transactions(self, *statements: str) -> None:
        with self._lock:
            if self.is_closed:
                raise self._closed()
            if self.is_read_only:
                raise self._unwritable()
            self._process_lock.acquire()
            try:
                for statement in statements:
                    self._writer().execute(statement).fetchall()
            except sqlite3.Error as exc:
                raise self._trouble(exc, "made smaller") from exc
            finally:
                self._process_lock.release()

    def close(self) -> None:
        """Close every connection of this process; nothing can be read or written afterwards."""
        with self._lock:
            self.is_closed = True
            for handle in list(self._handles):
                handle.close()
            self._process_lock.close()

    def _begin(self) -> None:
        self._lock = RankedLock(Rank.DATABASE)
        self._local = threading.local()
        self._handles: weakref.WeakSet[_Handle] = weakref.WeakSet()
        self._write_handle: _Handle | None = None
        self._version_lock = RankedLock(Rank.DATABASE_VERSION)
        self._version_handle = None
        self._next_look = 0.0
        has_lock = self._folder is not None and not self.is_read_only
        self._process_lock: ProcessLock = open_lock(self._folder / "lock") if self._folder and has_lock else _NoLock()

    def begin_in_child(self) -> None:
        """In the child of a fork: leave what was inherited as it is (SQLite forbids even closing it) and begin anew."""
        self.generation += 1
        if self.path is None:
            self._lock = RankedLock(Rank.DATABASE)
        if self.is_closed or self.path is None:
            return
        self._abandoned += [*self._handles, self._local, self._write_handle, self._version_handle]
        #: The child's copy of the descriptor shares the parent's lock and would keep it alive after the parent's death.
        self._process_lock.close()
        self._begin()

    def _open(self) -> None:
        try:
            version = self._writer().execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as exc:
            raise self._trouble(exc, "opened") from exc
        newest = max(self._scripts)
        if version > newest:
            msg = (
                f"The store {self.path} was made by a newer flowbook (schema {version}, this one knows {newest}). "
                "Install that flowbook, or set FLOWBOOK_HOME to another folder."
            )
            raise StoreError(msg, path=str(self.path), version=version, known=newest)
        if version < newest:
            self.write(self._migrate)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Another process may have done it in the meantime, so ask again under the lock."""
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version and self.path is not None:
            self._back_up(version)
        for target, script in self._scripts.items():
            if target > version:
                for statement in _statements(script):
                    connection.execute(statement)
                connection.execute("INSERT INTO migration VALUES (?, ?)", (target, time.time()))
                connection.execute(f"PRAGMA user_version = {target:d}")

    def _back_up(self, version: int) -> None:
        assert self.path is not None  # noqa: S101  # asked for by the caller
        target = self.path.with_name(f"{_FILE}.schema-{version}")
        make_private(target)
        with contextlib.closing(sqlite3.connect(target)) as copy:
            self._reader().backup(copy)

    def _writer(self) -> sqlite3.Connection:
        """Return the connection of whoever holds the lock."""
        handle = self._write_handle
        if handle is None or handle.is_closed:
            handle = self._write_handle = self._connect()
        return handle.connection

    def _reader(self) -> sqlite3.Connection:
        handle: _Handle | None = getattr(self._local, "handle", None)
        if handle is None or handle.is_closed:
            handle = self._local.handle = self._connect()
        return handle.connection

    def _connect(self) -> _Handle:
        if self.is_closed:
            raise self._closed()
        connection = sqlite3.connect(
            self._address(),
            uri=self.is_read_only,
            timeout=_WAIT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        handle = _Handle(connection)
        if self.is_read_only:
            self._handles.add(handle)
            return handle
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if self.path is not None and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._switch_to_wal(connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if config.outlasts_power_loss() else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        self._handles.add(handle)
        return handle

    def _address(self) -> str:
        if self.path is None:
            return ":memory:"
        if not self.is_read_only:
            return str(self.path)
        #: A log that is there holds what the file lacks, and can only be read beside SQLite's own index of it.
        log = self.path.with_name(_FILE + "-wal")
        has_log = log.exists() and log.stat().st_size > 0
        return f"{self.path.as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"

    def _unwritable(self) -> StoreError:
        msg = (
            f"The store {self.path} can only be read: its folder or its disk can't be written to. "
            f"Make it writable (chmod u+rwx {self._folder}), make room if it is full, or set FLOWBOOK_HOME to another folder."
        )
        return StoreError(msg, path=str(self.path))

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            connection.close()
            msg = f"SQLite can't keep a write-ahead log at {self.path}. Set FLOWBOOK_HOME to a folder on a local disk."
            raise StoreError(msg, path=str(self.path), mode=mode)

    def _closed(self) -> StoreError:
        msg = f"The store {self.path or 'in memory'} is closed. Open it again with open_store()."
        return StoreError(msg, path=str(self.path))

    def _gone(self) -> StoreError:
        msg = (
            f"The store {self.path} was removed or replaced while it was open, so nothing is written to it. "
            "Put it back, or open it anew with open_store()."
        )
        return StoreError(msg, path=str(self.path))

    def _trouble(self, error: sqlite3.Error, what: str) -> StoreError:
        msg = (
            f"The store {self.path or 'in memory'} can't be {what}: {error}. "
            "Check that its disk has room and its folder can be written to, or set FLOWBOOK_HOME to another folder."
        )
        return StoreError(msg, path=str(self.path))


def _unsayable(error: UnicodeEncodeError) -> StoreError:
    """Lone surrogates come with undecodable file names; SQLite takes none."""
    msg = f"A text that is no valid Unicode can't be kept or looked for: {error.object[:40]!r}. Give it another name."
    return StoreError(msg, text=error.object)


class _Handle:
    """Closes its connection when its thread is gone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.is_closed = False
        self._process = os.getpid()

    def close(self) -> None:
        self.is_closed = True
        self.connection.close()

    def __del__(self) -> None:
        if not self.is_closed and self._process == os.getpid():
            self.close()


def _forked(database: Database | None) -> None:
    if database is not None:
        database.begin_in_child()


class _NoLock:
    def acquire(self) -> None:
        """Nobody else reaches this memory."""

    def release(self) -> None:
        """See acquire."""

    def close(self) -> None:
        """See acquire."""


def _statements(script: str) -> list[str]:
    """Split `script`, since `executescript` would commit before it begins."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
