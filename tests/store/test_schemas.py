"""A store of every schema there ever was opens, and all of it is read. `fixtures/make.py` wrote them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import flowbook
from flowbook.engine.state import Failed, Paused, Success
from flowbook.exceptions import UnpicklableError
from flowbook.store import open_store
from flowbook.store.queries import migrations
from tests.store.fixtures import old_flow

FIXTURES = Path(__file__).parent / "fixtures"
SCHEMAS = sorted(path.name for path in FIXTURES.glob("schema-*"))


def test_there_is_a_store_of_every_schema():
    every = [f"schema-{number}" for number in sorted(migrations())]

    assert sorted(every) == SCHEMAS


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return what copies the store of a schema, as its owner would have it, and gives its folder."""

    def copy(schema: str) -> Path:
        home, key = tmp_path / "old", tmp_path / "old.key"
        shutil.copytree(FIXTURES / schema / "home", home)
        shutil.copy(FIXTURES / schema / "store.key", key)
        for path in (home, *home.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        key.chmod(0o600)
        monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(key))
        monkeypatch.setenv("FLOWBOOK_HOME", str(home))
        return home

    return copy


def test_a_run_that_an_earlier_flowbook_recorded_goes_on_with_its_flow(copied):
    copied("schema-4")
    run_id = flowbook.runs(flow="old")["run_id"].iloc[0]

    run = flowbook.run(run_id, flow=old_flow.make())
    before = {key: type(state).__name__ for key, state in run.states.items()}
    error = run["fail"].result
    run.resume("approve")
    run.wait()

    assert before == {
        "day": "Success", "child": "Mapped", "load": "Success", "clean": "Success", "approve": "Paused", "fail": "Failed",
        "child[0]": "Success", "child[1]": "Success", "child[2]": "Success",
    }  # fmt: skip
    assert (run["load"].result, run["child"].result, run["approve"].result) == (["tue", 1, 2], [2, 3, 4], 6)
    assert (repr(error), type(error.__cause__).__name__) == (
        "ValueError('not with 3 rows')",
        "RecordedTracebackError",
    )
    assert type(run.state) is Failed
    open_store().close()


def test_a_flow_that_an_earlier_flowbook_stored_says_what_to_do(copied):
    copied("schema-4")
    run_id = flowbook.runs(flow="old")["run_id"].iloc[0]

    with pytest.raises(
        UnpicklableError, match=rf"The stored flow of run 1 can't be read here: .*flowbook\.run\('{run_id}', f"
    ):
        flowbook.run(run_id)
    open_store().close()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_store_of_an_older_schema_opens_and_is_read(schema, copied):
    home = copied(schema)

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
