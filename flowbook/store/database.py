"""A SQLite database that many threads and processes write to at once.

Each thread reads through a connection of its own; writers take turns on one, under a lock in the process and one
between processes, since SQLite's own waiting starves writers. After a fork the child opens everything anew and never
touches what it inherited. Knows no tables but the list of migrations.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any, TypeVar

from flowbook._utils.locks import Rank, RankedLock, renew_in_child
from flowbook.exceptions import StoreError
from flowbook.store import store_errors
from flowbook.store.connections import LOG_BYTES, WAIT_S, Connections
from flowbook.store.folder import check_file, make_private
from flowbook.store.process_lock import ProcessLock, open_lock
from flowbook.store.queries import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from flowbook.store.connections import Connection

__all__ = ["Database"]

T = TypeVar("T")
_FILE = "store.sqlite"
#: How often to check for other processes' commits; a check costs as much as a small query.
_LOOK_S = 0.0005
#: How often the log's length is checked, in commits, and how long to wait for readers when it should start over.
_COMMITS_BETWEEN_LOOKS = 32
_READERS_MS = 500
#: Number of free pages returned to the disk in one transaction (8 MB); others write in between.
_PAGES_AT_ONCE = 2000
_FREED_BY_AND_BY = 2
#: How long the lock between processes is tried again where the system refuses it, and how often.
_LOCK_RETRY_S = 2.0
_LOCK_PAUSE_S = 0.02


class Database:
    """SQLite in `folder`, or in memory where that is None.

    Args:
        folder: prepared, see `folder.prepare`.
        scripts: migrations by the schema version that they lead to; flowbook's own by default.
        is_read_only: whether the folder can only be read; writing raises StoreError.

    Raises:
        StoreError: if it can't be opened, or was made by a newer flowbook.
    """

    def __init__(
        self, folder: Path | None, scripts: Mapping[int, str] | None = None, *, is_read_only: bool = False
    ) -> None:
        self._folder = folder
        self.is_read_only = is_read_only
        self._scripts = scripts if scripts is not None else migrations()
        #: Grows with each fork, so that objects made before a fork can be told from those made after it.
        self.generation = 0
        self.path = folder / _FILE if folder is not None else None
        self._commits = 0
        self._others = 0
        self._next_look = 0.0
        if folder is not None and self.path is not None:
            if not is_read_only:
                make_private(self.path)
            for path in (self.path, *map(self.path.with_name, (f"{_FILE}-wal", f"{_FILE}-shm", "lock"))):
                check_file(path, is_read_only=is_read_only)
        self._identity: tuple[int, int] | None = None
        self._is_lock_failing = False
        self._lock = RankedLock(Rank.DATABASE)
        self._version_lock = RankedLock(Rank.DATABASE_VERSION)
        self._connections = Connections(self.path, is_read_only=is_read_only)
        self._process_lock = self._open_lock()
        try:
            self._open()
            if self.path is not None:
                status = self.path.stat()
                self._identity = status.st_dev, status.st_ino
        except BaseException:
            self.close()
            raise
        renew_in_child(self, Database.begin_in_child)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._connections.is_closed

    def read(self, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401  # what sqlite3 takes
        """Return all rows of `query` as of now. From any thread.

        Raises:
            StoreError: if they can't be read.
        """
        if self.path is None:
            with self._lock:
                return self._fetch(self._connections.writer(), query, parameters)
        try:
            return self._fetch(self._reader(), query, parameters)
        except StoreError:
            if not self._renew():
                raise
        return self._fetch(self._reader(), query, parameters)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        """Give a function like `read` whose answers are all as of one moment: no commit comes in between.

        For one thread. Keep it short: while it is open, the log can't start over.

        Raises:
            StoreError: if the database can't be read.
        """
        if self.path is None:
            with self._lock:
                yield lambda query, parameters=(): self._fetch(self._connections.writer(), query, parameters)
            return
        connection = self._reader()
        self._fetch(connection, "BEGIN")
        try:
            yield lambda query, parameters=(): self._fetch(connection, query, parameters)
        finally:
            with contextlib.suppress(sqlite3.Error), connection.guard:  # it changed nothing
                connection.execute("ROLLBACK")

    def _reader(self) -> Connection:
        try:
            return self._connections.reader()
        except (sqlite3.Error, UnicodeDecodeError) as exc:
            raise store_errors.failed(self.path, exc, "read") from exc

    def _fetch(self, connection: Connection, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
        try:
            with connection.guard:
                return connection.execute(query, parameters).fetchall()
        except UnicodeEncodeError as exc:
            raise store_errors.invalid_unicode(exc) from exc
        except (sqlite3.Error, UnicodeDecodeError) as exc:
            raise store_errors.failed(self.path, exc, "read") from exc

    def version(self) -> object:
        """Return a value that differs after each commit: at once after this process's, within half a millisecond after others'.

        From any thread.

        Raises:
            StoreError: if the database can't be read.
        """
        if self.path is not None and time.monotonic() >= self._next_look:
            try:
                with self._version_lock:
                    self._read_version()
            except (sqlite3.Error, UnicodeDecodeError) as exc:
                raise store_errors.failed(self.path, exc, "read") from exc
        return self.generation, self._commits, self._others

    def _read_version(self) -> None:
        #: It differs after commits of all connections but its own, which makes none.
        watcher = self._connections.watcher()
        with watcher.guard:
            self._others = watcher.execute("PRAGMA data_version").fetchone()[0]
        self._next_look = time.monotonic() + _LOOK_S

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work(connection)` does within one transaction: all of it is kept, or nothing. From any thread.

        A cursor that it returns is closed; rows have to be fetched in `work`.

        Raises:
            StoreError: if it can't be kept (disk full, read-only), or `work` breaks a rule of the schema.
        """
        with self._lock:
            self._refuse_unwritable()
            if self.is_gone():
                raise store_errors.gone(self.path)
            self._lock_process()
            try:
                connection = self._connections.writer()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                else:
                    _let_go_of_statement(result)
                    self._keep_log_short(connection)
                    return result
            except sqlite3.IntegrityError as exc:
                raise store_errors.refused(self.path, exc) from exc
            except UnicodeEncodeError as exc:
                raise store_errors.invalid_unicode(exc) from exc
            except (sqlite3.Error, UnicodeDecodeError) as exc:
                raise store_errors.failed(self.path, exc, "written to") from exc
            finally:
                self._unlock_process()

    def _refuse_unwritable(self) -> None:
        if self.is_closed:
            raise store_errors.closed(self.path)
        if self.is_read_only:
            raise store_errors.unwritable(self.path)

    def _lock_process(self) -> None:
        """Take the lock between processes; where the system refuses it, try again for a while.

        Source: network file systems refuse locks (ENOLCK) for a moment when their lock daemon restarts.
        """
        if not self._process_lock.is_intact():
            self._begin_anew()
        deadline = time.monotonic() + (0.0 if self._is_lock_failing else _LOCK_RETRY_S)
        while True:
            try:
                self._process_lock.acquire()
            except OSError as exc:
                if time.monotonic() >= deadline or exc.errno == errno.EBADF:
                    self._is_lock_failing = True
                    raise store_errors.lock_failed(self.path, exc) from exc
            else:
                self._is_lock_failing = False
                return
            time.sleep(_LOCK_PAUSE_S)

    def _unlock_process(self) -> None:
        with contextlib.suppress(OSError):  # its descriptor was closed by somebody else, and the lock went with it
            self._process_lock.release()

    def _renew(self) -> bool:
        """If other code closed this process's descriptors, reopen everything and return True."""
        with self._lock:
            if self.is_closed or self._process_lock.is_intact():
                return False
            self._begin_anew()
            return True

    def _begin_anew(self) -> None:
        """Abandon connections whose descriptors now belong to another file: closing them would damage that file."""
        self._connections.abandon()
        self._process_lock = self._open_lock()

    def _keep_log_short(self, connection: sqlite3.Connection) -> None:
        """Start the log over if readers, who never all pause at once, have kept SQLite from doing so for long."""
        self._commits += 1
        if self.path is None or self._commits % _COMMITS_BETWEEN_LOOKS:
            return
        with contextlib.suppress(OSError, sqlite3.Error):  # what was committed is safe; the next look tries again
            if self.path.with_name(_FILE + "-wal").stat().st_size > 4 * LOG_BYTES:
                connection.execute(f"PRAGMA busy_timeout = {_READERS_MS}")
                try:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                finally:
                    connection.execute(f"PRAGMA busy_timeout = {WAIT_S * 1000}")

    def is_gone(self) -> bool:
        """Return whether the file was removed or replaced while it was open. SQLite would go on writing to the removed file."""
        if self._identity is None or self.path is None:
            return False
        try:
            status = os.stat(self.path)  # noqa: PTH116  # a third of Path.stat's time, at each commit
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def sync(self) -> None:
        """Make all commits so far outlast a loss of power. Doesn't wait for writers, nor hold them up."""
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
        """Return the space of deleted rows to the disk. Raises StoreError."""
        if self.path is None:
            return
        if self.read("PRAGMA auto_vacuum")[0][0] != _FREED_BY_AND_BY:
            self._outside_transactions("PRAGMA auto_vacuum = INCREMENTAL", "VACUUM")
        while (free := self.read("PRAGMA freelist_count")[0][0]) > 0:
            self.write(lambda connection: connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall())
            if self.read("PRAGMA freelist_count")[0][0] >= free:
                break  # other writers fill them as fast
        self.take_over_log()

    def take_over_log(self) -> None:
        """Move the log into the database, so that it takes no room. Raises StoreError."""
        if self.path is not None:
            self._outside_transactions("PRAGMA wal_checkpoint(TRUNCATE)")

    def _outside_transactions(self, *statements: str) -> None:
        with self._lock:
            self._refuse_unwritable()
            self._lock_process()
            try:
                for statement in statements:
                    self._connections.writer().execute(statement).fetchall()
            except (sqlite3.Error, UnicodeDecodeError) as exc:
                raise store_errors.failed(self.path, exc, "made smaller") from exc
            finally:
                self._unlock_process()

    def close(self) -> None:
        """Close every connection of this process; nothing can be read or written afterwards."""
        with self._lock:
            self._connections.close()
            self._process_lock.close()

    def _open_lock(self) -> ProcessLock:
        if self._folder is None or self.is_read_only:
            return _NoLock()
        try:
            return open_lock(self._folder / "lock")
        except OSError as exc:
            raise store_errors.lock_failed(self.path, exc) from exc

    def begin_in_child(self) -> None:
        """In the child of a fork, leave the inherited connections alone (SQLite forbids even closing them) and open new ones."""
        self.generation += 1
        #: The thread that held these locks at the fork doesn't exist in the child, so it can't release them.
        self._lock = RankedLock(Rank.DATABASE)
        self._version_lock = RankedLock(Rank.DATABASE_VERSION)
        self._next_look = 0.0
        if self.is_closed or self.path is None:
            return
        #: The child's copy of the descriptor shares the parent's lock and would keep it alive after the parent's death.
        self._process_lock.close()
        self._begin_anew()

    def _open(self) -> None:
        try:
            version = self._connections.writer().execute("PRAGMA user_version").fetchone()[0]
        except (sqlite3.Error, UnicodeDecodeError) as exc:
            raise store_errors.failed(self.path, exc, "opened") from exc
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
            reader = self._connections.reader()
            with reader.guard:
                reader.backup(copy)


def _let_go_of_statement(result: object) -> None:
    """Close `result` if it is a cursor: going later, it would reset a statement that the next writer may be using."""
    if isinstance(result, sqlite3.Cursor):
        result.close()


class _NoLock:
    def is_intact(self) -> bool:
        """Return True: a database in memory has no files to lose."""
        return True

    def acquire(self) -> None:
        """Do nothing: no other process reaches this memory."""

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
