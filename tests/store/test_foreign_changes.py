"""What others may have done to a store's file: every look at it says so in words, and none raises what SQLite or JSON do."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.events import FLOW, Logged
from flowbook.engine.state import Paused, Success
from flowbook.exceptions import FlowbookError, StoreError
from flowbook.store import CacheEntry, Store, open_store
from tests.store.run_helpers import begin, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def filled(store: Store) -> Store:
    """Fill a store with something of everything."""
    recorder = begin(store, parameters_ref=store.values.put({"day": 1}))
    tell(
        recorder, ("a", Success("Done.", result=(1, 2))), ("b", Paused(cached_inputs={"x": [1]})), (FLOW, Paused("b."))
    )
    recorder.emit(Logged(4, "a", 1.0, 20, "a line"))
    recorder.close()
    store.cache.add(CacheEntry("p", "delays", "a", store.values.put((1, 2)), input_hashes={"x": "h"}))
    return store


LOOKS: dict[str, Callable[[Store], object]] = {
    "snapshot": lambda store: store.history.snapshot("r1").states(),
    "states": lambda store: store.history.states("r1"),
    "events": lambda store: store.history.events("r1"),
    "logs": lambda store: store.history.logs("r1"),
    "task history": lambda store: store.history.task_history("delays", "a", project="p"),
    "newest result": lambda store: store.history.newest_result("delays", "a", "p"),
    "summary": lambda store: store.runs.summary("r1"),
    "list": lambda store: store.runs.list(),
    "table": lambda store: store.runs.table(),
    "record": lambda store: store.runs.get("r1"),
    "owner": lambda store: store.ownership.is_owned("r1"),
    "entries": lambda store: store.cache.entries(),
    "value": lambda store: store.history.states("r1")["a"].result,
    "claim": lambda store: store.ownership.claim("r1", 1, "ada"),
    "write": lambda store: store.values.put((3, 4)),
    "sweep": lambda store: store.sweep(),
}
CHANGES = {
    "no events": "DROP TABLE event",
    "no runs": "PRAGMA foreign_keys = OFF; DROP TABLE run",
    "another table": "ALTER TABLE run RENAME TO walk",
    "a column less": "ALTER TABLE run DROP COLUMN beat",
    "bodies that are no JSON": "UPDATE event SET body = '{' WHERE kind = 0",
    "bodies that are lists": "UPDATE event SET body = '[]' WHERE kind = 0",
    "states that there are not": "UPDATE event SET name = 'Evil' WHERE kind = 0",
    "levels that are none": "UPDATE event SET name = 'loud' WHERE kind = 1",
    "a graph that is none": "UPDATE graph SET content = 'no'",
    "parameters that are none": "UPDATE run SET parameters = 'no'",
    "counts that are none": "UPDATE run SET counts = 'no'",
    "times that are none": "UPDATE run SET created = 1e300",
    "a trigger": "CREATE TRIGGER t BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'not here'); END",
    "a trigger on values": "CREATE TRIGGER t BEFORE INSERT ON value BEGIN SELECT RAISE(ABORT, 'not here'); END",
    "hashes that are none": "UPDATE cache_entry SET input_hashes = 'no'",
    "a value that is another": "UPDATE value SET content = x'00'",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_store_that_others_changed_says_so_at_every_look(disk_store: Store, change: str) -> None:
    filled(disk_store)
    connection = sqlite3.connect(disk_store._database.path)
    connection.executescript(CHANGES[change])
    connection.close()
    raw = {}

    for name, look in LOOKS.items():
        try:
            look(disk_store)
        except FlowbookError:
            continue
        except Exception as error:  # noqa: BLE001  # what is looked for
            raw[name] = repr(error)

    assert raw == {}


def test_a_file_with_garbage_in_it_says_so_at_every_look(tmp_path: Path) -> None:
    with open_store() as store:
        filled(store)
    path = tmp_path / "home" / "store.sqlite"
    whole, choose, raw = path.read_bytes(), random.Random(1), {}

    for trial in range(12):
        damaged = bytearray(whole)
        for _ in range(200):
            damaged[choose.randrange(100, len(damaged))] = choose.randrange(256)
        path.write_bytes(damaged)
        for name, look in LOOKS.items():
            try:
                with open_store() as store:
                    look(store)
            except FlowbookError:
                continue
            except Exception as error:  # noqa: BLE001  # what is looked for
                raw[name, trial] = repr(error)

    assert raw == {}


def test_a_file_that_is_no_database_any_more_says_what_to_do(disk_store: Store) -> None:
    filled(disk_store)
    disk_store.close()
    disk_store._database.path.write_bytes(b"not a database at all" * 1000)

    with pytest.raises(
        StoreError, match=r"Its file is damaged, or something other than flowbook changed it. Move it away"
    ):
        open_store()
