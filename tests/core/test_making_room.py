"""What a sweep takes from the store, and what it leaves."""

from __future__ import annotations

import datetime as dt
import os
import sys
import types

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine.state import Cached, Paused, Success
from flowbook.exceptions import (
    DefinitionError,
    ResultGoneError,
    UnpicklableError,
)
from flowbook.store import open_store
from tests.core.versions import HOUR, cached_entries, two_versions


def test_a_cached_output_above_the_limit_is_had_from_the_run_that_made_it_too(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_MAX_VALUE_BYTES", "1000")

    @task(cache_for=HOUR)
    def load():
        return b"x" * 5000

    with Flow("large") as flow:
        load()

    flow.run(record=True)

    assert flowbook.run(flow.last_run.run_id)["load"].result == b"x" * 5000


def test_an_output_whose_class_is_not_there_any_more_says_what_it_needs(monkeypatch):
    module = types.ModuleType("passing")
    module.Point = type("Point", (), {"__module__": "passing"})
    monkeypatch.setitem(sys.modules, "passing", module)

    @task
    def make():
        return sys.modules["passing"].Point()

    with Flow("classes") as flow:
        make()
    flow.run(record=True)
    monkeypatch.delitem(sys.modules, "passing")

    with pytest.raises(UnpicklableError, match=r"can't be read here: .*No module named 'passing'.*PYTHONPATH"):
        _ = flow.as_of(dt.datetime.now(dt.UTC))["make"]


def test_a_sweep_takes_what_is_expired_and_says_so_where_somebody_looks(home):
    gone, kept, pinned = cached_entries(b"a" * 100_000, b"b" * 100_000, b"c" * 100_000)
    for entry in (gone, pinned):
        flowbook.cache.expire(entry)
    flowbook.cache.pin(pinned)

    planned = flowbook.cache.gc(older_than=dt.timedelta(0), dry_run=True)
    there = sum(path.is_file() for path in (home / "blobs").rglob("*"))
    swept = flowbook.cache.gc(older_than=dt.timedelta(0))

    assert there == 3
    assert (len(swept.dropped), swept.entries, swept.orphans) == (1, 1, 0)
    assert planned.dropped == swept.dropped
    assert "The output of task 'load' of flow 'c'" in swept.dropped[0][0]
    assert swept.freed_bytes > 100_000
    assert list(flowbook.cache.entries().set_index("id")["state"][[gone, kept, pinned]]) == [
        "dropped",
        "valid",
        "expired",
    ]
    with pytest.raises(ResultGoneError, match=r"task 'load' of flow 'c' .* \(100\.1 kB\) was dropped on"):
        flowbook.cache.load(gone)
    assert flowbook.cache.load(kept) == b"b" * 100_000
    assert flowbook.cache.load(pinned) == b"c" * 100_000
    assert sum(path.is_file() for path in (home / "blobs").rglob("*")) == 2


def test_a_sweep_leaves_what_is_young_and_what_an_open_run_needs():
    @task
    def load():
        return list(range(30_000))

    @task(trigger=flowbook.triggers.manual_only)
    def publish(rows):
        return len(rows)

    with Flow("open") as flow:
        publish(load())
    flow.run(record=True)
    run = flow.last_run

    young = flowbook.cache.gc()
    zealous = flowbook.cache.gc(older_than=dt.timedelta(0), total_bytes=0)
    resumed = flowbook.run(run.run_id).resume().wait(30)

    assert (young.dropped, zealous.dropped) == ((), ())
    assert resumed.is_successful()


def test_a_sweep_cuts_the_oldest_runs_until_all_fits():
    given = iter(range(100))

    @task
    def load():
        return bytes([next(given)]) * 70_000

    with Flow("big") as flow:
        load()
    runs = []
    for _ in range(4):
        flow.run(record=True)
        runs.append(flow.last_run.run_id)
    open_store()._database.write(lambda c: c.execute("UPDATE value SET created = created - 3600"))
    for path in (open_store().path / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))

    swept = flowbook.cache.gc(total_bytes=170_000)

    found = [_outcome(run) for run in runs]
    assert found == ["dropped", "dropped", "there", "there"]
    assert swept.kept_bytes <= 170_000
    assert swept.dropped[0][0] == "The output of task 'load' of run 1 of flow 'big'"


def _outcome(run_id):
    try:
        open_store().history.states(run_id)["load"].result  # noqa: B018  # loads it
    except ResultGoneError as error:
        return "dropped" if "of flow 'big' (70.1 kB) was dropped" in str(error) else str(error)
    return "there"


def test_what_a_sweep_may_take_is_checked():
    for wrong in (
        {"older_than": "5 days"},
        {"older_than": -5},
        {"older_than": -HOUR},
        {"total_bytes": "1"},
        {"total_bytes": -1},
        {"total_bytes": True},
    ):
        with pytest.raises(DefinitionError):
            flowbook.cache.gc(**wrong)


def test_orphans_are_swept(home):
    cached_entries(b"a" * 100_000)
    orphan = home / "blobs" / "ab" / ("c" * 62)
    orphan.parent.mkdir(exist_ok=True)
    for path in (orphan, home / "blobs" / ".tmp-1-ff"):
        path.write_bytes(b"x" * 10)
    stranger = home / "blobs" / "ab" / "notes.txt"
    stranger.write_text("mine")

    swept = flowbook.cache.gc(older_than=dt.timedelta(0))

    assert (swept.orphans, swept.freed_bytes) == (2, 20)
    assert not orphan.exists()
    assert stranger.exists()


def test_an_output_that_is_made_again_after_a_sweep_is_there_again():
    (entry,) = cached_entries(b"a" * 100_000)
    flowbook.cache.expire(entry)
    flowbook.cache.gc(older_than=dt.timedelta(0))

    ref = open_store().values.put(b"a" * 100_000)  # no table

    assert ref.load() == b"a" * 100_000


def test_states_that_a_flow_hands_on_are_plain():
    flow, between, _ = two_versions()

    states = flow.as_of(between).states()

    assert {key: type(state) for key, state in states.items()} == dict.fromkeys(["load", "clean", "report"], Success)
    assert not any(isinstance(state, Cached | Paused) for state in states.values())
