from __future__ import annotations

import gc
import os
import sqlite3
import stat
import threading
from typing import TYPE_CHECKING, ClassVar

import pytest

from flowbook.engine.events import StateChanged
from flowbook.engine.state import Success
from flowbook.exceptions import StoreError
from flowbook.store import Store, open_store
from flowbook.store.connections import Connection, Connections, _Handle
from flowbook.store.database import Database
from flowbook.store.queries import migrations
from tests.removal import remove_folder
from tests.store.run_helpers import begin, tell

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_opened_once_a_process(tmp_path: Path) -> None:
    first, again, by_link = open_store(), open_store(tmp_path / "home"), open_store(tmp_path / "x" / ".." / "home")

    assert first is again is by_link
    assert first.path == tmp_path / "home"
    first.close()
    with open_store() as second:
        assert second is not first


def test_all_that_is_made_is_private(tmp_path: Path) -> None:
    with open_store() as store:
        ref = store.values.put(b"x" * 100_000)

        home = tmp_path / "home"
        blob = home / "blobs" / ref.digest[:2] / ref.digest[2:]
        assert [mode(path) for path in (home, home / "blobs", blob.parent, tmp_path / "keys")] == [0o700] * 4
        files = [home / "store.sqlite", home / "store.sqlite-wal", home / "lock", blob, tmp_path / "keys" / "store.key"]
        assert [mode(path) for path in files] == [0o600] * 5


@pytest.mark.parametrize("bits", [0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, bits: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(bits)

    with pytest.raises(StoreError, match=r"can be written to by others \(mode .*chmod go-w"):
        open_store()


def test_a_file_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    open_store().close()
    (tmp_path / "home" / "store.sqlite").chmod(0o666)

    with pytest.raises(StoreError, match="can be written to by others"):
        open_store()


def test_a_link_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "store.sqlite").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StoreError, match="is not an ordinary file"):
        open_store()


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: (tmp_path / "home").stat().st_uid + 1)

    with pytest.raises(StoreError, match="belongs to user"):
        open_store()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    with pytest.raises(StoreError, match="there is a file in its place"):
        open_store()
    with pytest.raises(StoreError, match="there is a file in its place"):
        open_store(tmp_path / "home" / "deeper")


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    if os.getuid() == 0:  # root may write anywhere
        monkeypatch.setattr(os, "access", lambda path, bits: not (path == home and bits & os.W_OK))

    with pytest.raises(StoreError, match=r"can't be written to\. Make it writable"):
        open_store()


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    open_store().close()
    connection = sqlite3.connect(tmp_path / "home" / "store.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StoreError, match=r"made by a newer flowbook \(schema 99"):
        open_store()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "store.sqlite").write_bytes(b"nonsense" * 1000)
    (home / "store.sqlite").chmod(0o600)

    with pytest.raises(StoreError, match="can't be opened: file is not a database"):
        open_store()


def test_the_schema_s_version_and_history_are_kept(disk_store: Store) -> None:
    assert disk_store._database.read("PRAGMA user_version") == [(max(migrations()),)]
    assert disk_store._database.read("SELECT version FROM migration") == [(number,) for number in migrations()]


def test_a_closed_store_says_so(store: Store) -> None:
    ref = store.values.put(1)

    store.close()

    for use in (lambda: store.values.put(2), lambda: store.values.load(ref), store.runs.list):
        with pytest.raises(StoreError, match="is closed"):
            use()


def test_a_thread_that_ends_leaves_no_connection(disk_store: Store) -> None:
    before = len(disk_store._database._connections)

    for _ in range(3):
        thread = threading.Thread(target=disk_store.runs.list)
        thread.start()
        thread.join()

    assert len(disk_store._database._connections) == before


def test_a_connection_that_a_collection_finds_with_its_thread_is_closed_before() -> None:
    class Connection(sqlite3.Connection):
        closed: ClassVar[list[int]] = []

        def close(self) -> None:
            self.closed.append(id(self))
            super().close()

    ring: list[object] = [_Handle(Connection(":memory:"))]
    ring.append(ring)
    connection = id(ring[0].connection)

    del ring
    gc.collect()

    assert Connection.closed == [connection]


def test_a_full_disk_loses_no_event_and_earlier_results_stay_readable(disk_store: Store) -> None:
    recorder = begin(disk_store)
    tell(recorder, ("a", Success(result="kept")))
    pages = disk_store._database.read("PRAGMA page_count")[0][0]
    disk_store._database._connections.writer().execute(f"PRAGMA max_page_count = {pages}")

    for seq in range(2, 12):
        tell_one = Success(result="x" * 50_000 + str(seq))
        recorder.emit(_changed(seq, f"t{seq}", tell_one))
    recorder.flush()

    assert recorder.trouble is not None
    assert "disk is full" in recorder.trouble
    assert disk_store.history.states("r1")["a"].result == "kept"
    disk_store._database._connections.writer().execute("PRAGMA max_page_count = 1000000")
    recorder.close()
    assert recorder.trouble is None
    assert len(disk_store.history.states("r1")) == 11


def test_a_folder_that_vanishes_is_said_and_does_not_end_the_run(tmp_path: Path) -> None:
    with open_store() as store:
        recorder = begin(store)
        remove_folder(tmp_path / "home")

        tell(recorder, ("a", Success(result=b"x" * 100_000)))
        recorder.close()

        assert "was removed or replaced while it was open" in recorder.trouble
        assert not (tmp_path / "home").exists()
        with pytest.raises(StoreError, match=r"was removed or replaced .* open it anew with open_store\(\)"):
            store.values.put(1)
    with open_store() as store:
        assert store.runs.list() == []
        assert store.values.put(b"x" * 100_000).load() == b"x" * 100_000


def _changed(seq: int, key: str, state: Success) -> object:
    return StateChanged(seq, key, state)


OLD = {1: migrations()[1]}
NEW = {**OLD, 2: "CREATE TABLE more (x);\nINSERT INTO more\nVALUES (1);\n"}


def test_an_older_store_is_brought_up_to_date_after_a_backup(tmp_path: Path) -> None:
    Database(tmp_path, OLD).close()

    database = Database(tmp_path, NEW)

    assert database.read("SELECT x FROM more") == [(1,)]
    assert database.read("PRAGMA user_version") == [(2,)]
    database.close()
    backup = tmp_path / "store.sqlite.schema-1"
    assert mode(backup) == 0o600
    connection = sqlite3.connect(backup)
    assert connection.execute("SELECT version FROM migration").fetchall() == [(1,)]
    connection.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    Database(tmp_path, OLD).close()

    with pytest.raises(StoreError, match="no such table: nowhere"):
        Database(tmp_path, {**OLD, 2: "CREATE TABLE more (x);\nINSERT INTO nowhere VALUES (1);\n"})

    database = Database(tmp_path, NEW)
    assert database.read("SELECT x FROM more") == [(1,)]
    database.close()


def test_what_a_writer_was_given_never_disturbs_the_next_one(tmp_path: Path) -> None:
    """A cursor resets its statement when it goes, and the next writer may be at work with the same statement."""
    insert = "INSERT INTO more VALUES (?)"
    database = Database(tmp_path, NEW)
    given = [database.write(lambda connection: connection.executemany(insert, [(2,), (3,)]))]

    class Four:
        def __conform__(self, protocol: object) -> int:  # while its row is written
            given.clear()
            return 4

    database.write(lambda connection: connection.executemany(insert, [(Four(),), (5,)]))

    assert database.read("SELECT x FROM more ORDER BY x") == [(1,), (2,), (3,), (4,), (5,)]
    database.close()


def test_a_connection_that_is_opened_while_the_database_is_closed_is_closed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, opened = Database(tmp_path, NEW), []
    prepare = Connections._prepare

    def closing(self: Connections, connection: Connection) -> None:
        prepare(self, connection)
        opened.append(connection)
        database.close()

    monkeypatch.setattr(Connections, "_prepare", closing)
    with pytest.raises(StoreError, match="closed"):
        database.read("SELECT x FROM more")  # by this thread's first connection to read with

    (connection,) = opened
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_the_watching_connection_is_there_although_all_are_abandoned_at_that_moment(tmp_path: Path) -> None:
    connections = Connections(tmp_path / "a.sqlite", is_read_only=False)
    first = connections.watcher()

    class Watcher:
        """The connection so far; when it is looked at, descriptors are found to be somebody else's."""

        connection = first

        @property
        def is_closed(self) -> bool:
            connections.abandon()
            return False

    connections._watcher = Watcher()  # type: ignore[assignment]

    assert connections.watcher() is first
    assert connections.watcher() is not first
    first.close()
    connections.close()
