"""What a disk, its owner and its neighbours can do to a store."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine.state import Success
from flowbook.exceptions import InfrastructureError, StoreError
from flowbook.store import open_store
from flowbook.store.queries import migrations
from tests.removal import remove_folder
from tests.store.run_helpers import begin, tell

FIXTURES = Path(__file__).parent / "fixtures"


def mode(path):
    return path.stat().st_mode & 0o777


def small_flow():
    @task
    def load():
        return b"x" * 100_000

    @task
    def size(found):
        return len(found)

    with Flow("small") as flow:
        size(load())
    return flow


def test_a_file_that_others_can_read_is_made_private(tmp_path):
    open_store().close()
    path = tmp_path / "home" / "store.sqlite"
    path.chmod(0o644)

    open_store().close()

    assert mode(path) == 0o600


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="platform: only root can give a file away")
@pytest.mark.parametrize("name", [".", "store.sqlite", "lock"])
def test_what_really_belongs_to_somebody_else_is_refused(name, tmp_path):
    open_store().close()
    os.chown(tmp_path / "home" / name, 65534, 65534)

    with pytest.raises(StoreError, match=r"belongs to user 65534, not to you \(0\), so the store is not opened"):
        open_store()


@pytest.mark.parametrize("name", ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "lock"])
def test_a_link_in_the_place_of_a_file_is_refused_and_not_followed(name, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "mine").chmod(0o600)
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / name).symlink_to(tmp_path / "mine")

    with pytest.raises(StoreError, match="is not an ordinary file, so the store is not opened"):
        open_store()

    assert (tmp_path / "mine").read_text() == "mine"


def test_a_linked_folder_is_the_folder(tmp_path, monkeypatch):
    ref = open_store().values.put((1, 2))
    (tmp_path / "link").symlink_to(tmp_path / "home")
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "link"))

    assert open_store().values.load(ref) == (1, 2)
    assert open_store() is open_store(tmp_path / "home")
    open_store().close()


def test_a_folder_that_is_missing_is_made_with_those_above_it(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "a" / "b" / "c"))

    with open_store() as store:
        assert store.values.put(b"x" * 100_000).load() == b"x" * 100_000

    assert mode(tmp_path / "a" / "b" / "c") == 0o700


def test_a_run_whose_store_is_removed_goes_on_and_the_next_is_recorded_anew(tmp_path):
    @task
    def remove():
        remove_folder(tmp_path / "home")
        return 1

    @task
    def work(x):
        return x + 1

    with Flow("removed") as flow:
        work(remove())

    with pytest.warns(UserWarning, match="The end of run 1 was not recorded: The store .* was removed or replaced"):
        state = flow.run(record=True)
    again = small_flow()
    again.run(record=True)

    assert state.is_successful()
    assert flowbook.runs()["flow"].tolist() == ["small"]
    assert flowbook.run(again.last_run.run_id)["size"].result == 100_000
    open_store().close()


def test_a_store_that_is_replaced_by_another_is_not_mixed_with_it(tmp_path):
    store = open_store()
    store.values.put(1)
    (tmp_path / "home").rename(tmp_path / "away")
    shutil.copytree(tmp_path / "away", tmp_path / "home")

    with pytest.raises(StoreError, match="was removed or replaced"):
        store.values.put(2)

    store.close()
    open_store().close()


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Mount a disk of 16 MB for the store; return how to make it read-only and writable again."""
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", str(disk)]
    if os.name == "nt" or os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("platform: no disk can be mounted here")
    monkeypatch.setenv("FLOWBOOK_HOME", str(disk / "home"))

    def remount(how):
        done = subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=False, capture_output=True)
        return done.returncode == 0

    yield remount
    remount("rw")
    open_store().close()
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_became_read_only_is_read_and_a_run_goes_on_in_memory(mounted):
    flow = small_flow()
    flow.run(record=True)
    open_store().close()
    assert mounted("ro")

    with pytest.raises(StoreError, match=r"can only be read: its folder or its disk can't be written to\. Make it"):
        open_store().values.put(1)
    with pytest.warns(UserWarning, match="is not recorded: .* can only be read"):
        state = flow.run(record=True)
    value = flow.as_of(dt.datetime.now(dt.UTC))["load"]
    runs = flowbook.runs()["state"].tolist()
    open_store().close()
    assert mounted("rw")
    flow.run(record=True)

    assert state.is_successful()
    assert (value, runs) == (b"x" * 100_000, ["Success"])
    assert flowbook.runs()["state"].tolist() == ["Success"] * 2


@pytest.mark.parametrize("has_log", [True, False])
def test_a_store_that_can_only_be_read_shows_all_that_was_committed(has_log, mounted):
    script = "import os; from flowbook.store import open_store; open_store().values.put((1, 2)); OPEN; os._exit(0)"
    script = script.replace("OPEN", "pass" if has_log else "open_store().close()")
    subprocess.run([sys.executable, "-c", script], check=True)
    assert mounted("ro")

    store = open_store()

    assert (store.path / "store.sqlite-wal").exists() == has_log
    assert store._database.read("SELECT count(*) FROM value") == [(1,)]
    assert store.sweep(dry_run=True).dropped == ()
    with pytest.raises(StoreError, match="can only be read"):
        store.sweep()
    store.close()


def test_an_older_store_that_can_only_be_read_says_so(mounted):
    home = Path(os.environ["FLOWBOOK_HOME"])
    shutil.copytree(FIXTURES / "schema-1" / "home", home)
    home.chmod(0o700)
    for path in home.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert mounted("ro")

    with pytest.raises(StoreError, match="can only be read"):
        open_store()


@pytest.mark.parametrize(("given", "level"), [("", 1), ("crash", 1), ("power-loss", 2)])
def test_commits_wait_for_the_disk_only_where_they_are_to_outlast_a_loss_of_power(given, level, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_DURABILITY", given)

    with open_store() as store:
        found = store._database.write(lambda connection: connection.execute("PRAGMA synchronous").fetchone())

    assert found == (level,)


def test_another_durability_is_refused(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_DURABILITY", "always")

    with pytest.raises(InfrastructureError, match=r"FLOWBOOK_DURABILITY is 'always'\. Give 'crash'"):
        open_store()


def test_a_full_index_is_named_and_nothing_is_left_half(mounted):
    del mounted
    store = open_store()
    store.values.put(0)
    kept = []
    with contextlib.suppress(StoreError):
        while len(kept) < 10_000:
            kept.append(store.values.put(os.urandom(40_000)))

    with pytest.raises(StoreError, match=r"can't be written to: (database or disk is full|disk I/O error)"):
        store.values.put(os.urandom(40_000))
    assert 50 < len(kept) < 1000
    assert {len(ref.load()) for ref in kept} == {40_000}
    assert store._database.read("SELECT count(*) FROM value") == [(len(kept) + 1,)]
    assert store._database.read("PRAGMA integrity_check") == [("ok",)]


KILLED = textwrap.dedent("""
    import itertools, os, signal, sys
    from flowbook.store import database
    point, where = int(sys.argv[1]), sys.argv[2]
    original, backup = database._statements, database.Database._back_up

    def killing(script):
        for number, statement in enumerate(original(script)):
            if where == "statement" and number == point:
                os.kill(os.getpid(), signal.SIGKILL)
            yield statement
        if where == "end":
            os.kill(os.getpid(), signal.SIGKILL)

    def backing(self, version):
        if where == "before backup":
            os.kill(os.getpid(), signal.SIGKILL)
        backup(self, version)
        if where == "after backup":
            os.kill(os.getpid(), signal.SIGKILL)

    database._statements, database.Database._back_up = killing, backing
    from flowbook.store import open_store
    open_store(sys.argv[3])
""")
POINTS = [("before backup", 0), ("after backup", 0), *(("statement", n) for n in range(6)), ("end", 0)]


@pytest.mark.parametrize(("where", "point"), POINTS)
def test_a_store_opens_after_a_kill_in_the_middle_of_its_migration(where, point, tmp_path, monkeypatch):
    home = tmp_path / "old"
    shutil.copytree(FIXTURES / "schema-1" / "home", home)
    home.chmod(0o700)
    for path in home.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    shutil.copy(FIXTURES / "schema-1" / "store.key", tmp_path / "old.key")
    (tmp_path / "old.key").chmod(0o600)
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "old.key"))

    killed = subprocess.run([sys.executable, "-c", KILLED, str(point), where, str(home)], check=False)

    assert killed.returncode == -signal.SIGKILL
    with open_store(home) as store:
        assert store.history.states("done")["load"].result == list(range(30_000))
        assert [entry.ref.load() for entry in store.cache.entries()] == [(0, {"rows": 3}), (1, "y" * 70_000)]
        assert store._database.read("PRAGMA user_version") == [(max(migrations()),)]
        assert store._database.read("PRAGMA integrity_check") == [("ok",)]
    backup = sqlite3.connect(home / "store.sqlite.schema-1")
    assert backup.execute("PRAGMA user_version").fetchone() == (1,)
    assert backup.execute("SELECT count(*) FROM run").fetchone() == (2,)
    backup.close()


def test_the_file_shrinks_when_values_are_swept(tmp_path):
    store = open_store()
    for number in range(400):
        store.values.put(bytes([number % 256]) * 40_000 + bytes([number // 256]))
    full = (tmp_path / "home" / "store.sqlite").stat().st_size

    swept = store.sweep(older_than=dt.timedelta(0))

    assert len(swept.dropped) == 400
    assert full > 10_000_000
    assert (tmp_path / "home" / "store.sqlite").stat().st_size < full / 20
    assert (tmp_path / "home" / "store.sqlite-wal").stat().st_size == 0
    assert store._database.read("PRAGMA integrity_check") == [("ok",)]


def test_an_older_store_shrinks_too(tmp_path, monkeypatch):
    home = tmp_path / "old"
    shutil.copytree(FIXTURES / "schema-1" / "home", home)
    home.chmod(0o700)
    for path in home.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    monkeypatch.setenv("FLOWBOOK_HOME", str(home))
    store = open_store()
    for number in range(100):
        store.values.put(bytes([number]) * 40_000)
    full = (home / "store.sqlite").stat().st_size

    store.sweep(older_than=dt.timedelta(0))
    store.sweep(older_than=dt.timedelta(0))

    assert (home / "store.sqlite").stat().st_size < full / 5
    assert store._database.read("PRAGMA auto_vacuum") == [(2,)]
    assert store.history.states("done")["check"].is_successful()
    store.close()


def test_the_log_stays_small_while_many_write_and_read(tmp_path):
    store = open_store()
    is_over = threading.Event()
    largest = 0

    def read():
        while not is_over.is_set():
            store._database.read("SELECT count(*), sum(length(content)) FROM value")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(2500):
        store.values.put(bytes([number % 256, number // 256]) * 15_000)
        if number % 50 == 0:
            largest = max(largest, (tmp_path / "home" / "store.sqlite-wal").stat().st_size)
    is_over.set()
    for reader in readers:
        reader.join()

    assert largest < 80_000_000
    store.close()


def test_a_clock_that_was_set_back_leaves_the_order_of_events_as_it_was():
    with open_store() as store:
        recorder = begin(store)
        states = [Success(message=str(number)) for number in range(4)]
        for state, at in zip(states, (1000.0, 2000.0, 500.0, 600.0), strict=True):
            state.at = at
        tell(recorder, *(("a", state) for state in states))
        recorder.close()

        assert store.history.states("r1")["a"].message == "3"
        assert [event.state.message for event in store.history.events("r1")] == ["0", "1", "2", "3"]
