"""A store of every schema there ever was opens, and all of it is read. `fixtures/make.py` wrote them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flowbook.engine.state import Paused, Success
from flowbook.store import open_store
from flowbook.store.queries import migrations

FIXTURES = Path(__file__).parent / "fixtures"
SCHEMAS = sorted(path.name for path in FIXTURES.glob("schema-*"))


def test_there_is_a_store_of_every_schema_before_this_one():
    older = [f"schema-{number}" for number in sorted(migrations())[:-1]]

    assert older == [schema for schema in SCHEMAS if schema in older]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_store_of_an_older_schema_opens_and_is_read(schema, tmp_path, monkeypatch):
    home, key = tmp_path / "old", tmp_path / "old.key"
    shutil.copytree(FIXTURES / schema / "home", home)
    shutil.copy(FIXTURES / schema / "store.key", key)
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    key.chmod(0o600)
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(key))

    with open_store(home) as store:
        done, waits = store.history.states("done"), store.history.states("open")
        assert [type(state) for state in done.values()] == [Success] * 3
        assert done["load"].result == list(range(30_000))
        assert isinstance(waits["check"], Paused)
        assert waits["check"].cached_inputs["rows"].load() == (1, 2)
        assert [(event.action, event.by) for event in store.history.decisions("open")] == [("resume", "ada")]
        assert [event.text for event in store.history.logs("done")] == ["30,000 rows"]
        assert store.runs.get("done").parameters_ref.load() == {"day": "done"}
        assert [entry.ref.load() for entry in store.cache.entries()] == [(0, {"rows": 3}), (1, "y" * 70_000)]
        assert store.ownership.claim("open", 1, "ada") == 2
        assert store._database.read("PRAGMA user_version") == [(max(migrations()),)]
        assert store._database.read("PRAGMA integrity_check") == [("ok",)]
