"""Names, keys, ids and digests that were made to hurt: nothing leaves its folder, and each is kept or refused clearly."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from flowbook import Flow, task
from flowbook.engine.events import Decided, Logged, StateChanged
from flowbook.engine.state import Failed, Success
from flowbook.exceptions import CacheEntryError, DefinitionError, FlowbookError, StoreError, UnknownRunError
from flowbook.results.reference import ResultRef
from flowbook.store import CacheEntry, CacheScope, RunRecord, Store, open_store
from tests.hostile import HOSTILE, UNSAYABLE

if TYPE_CHECKING:
    from pathlib import Path


def test_there_are_at_least_200_hostile_strings():
    assert len(HOSTILE) >= 200


OWN_FILES = ("home/store.sqlite", "home/lock", "home/users", "home/blobs", "keys")


def _files(folder: Path) -> set[str]:
    """Return all that lies beside the store's own files."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.relative_to(folder)
        .as_posix()
        .startswith(("home/store.sqlite", "home/lock", "home/users", "home/blobs", "keys"))
        and path.name != "home"
    }


def test_hostile_run_ids_are_refused_or_only_names(disk_store: Store, tmp_path: Path):
    before, said = _files(tmp_path), set()
    for text in HOSTILE:
        try:
            disk_store.runs.create(RunRecord(text, "f", "p", {"name": "f", "tasks": []}))
        except StoreError as error:
            said.add("can't be a run's id. Use letters, digits" in str(error))
            with pytest.raises((UnknownRunError, StoreError)):
                disk_store.runs.get(text)
            with pytest.raises((UnknownRunError, StoreError)):
                disk_store.ownership.claim(text, 1, "me")
        else:
            assert disk_store.runs.get(text).run_id == text

    assert _files(tmp_path) == before
    assert said == {True}
    assert {run.run_id for run in disk_store.runs.list()} == {
        text
        for text in HOSTILE
        if text.replace(".", "").isalnum() and text.isascii() and text[0] != "." and len(text) < 101
    }


def test_hostile_names_of_runs_find_themselves(disk_store: Store, tmp_path: Path):
    before = _files(tmp_path)
    for number, text in enumerate(text for text in HOSTILE if text not in UNSAYABLE):
        graph = {"name": text, "tasks": [{"key": text, "keep": True}]}
        record = RunRecord(
            f"r{number}", text, text, graph, origin=text, executor=text, parameters={text: text}, owner=text
        )
        disk_store.runs.create(record)

        assert [run.run_id for run in disk_store.runs.list(flow=text, project=text)] == [record.run_id]
        assert disk_store.runs.get(record.run_id).graph == graph

    assert _files(tmp_path) == before
    assert disk_store._database.read("PRAGMA integrity_check") == [("ok",)]


def test_hostile_keys_and_texts_come_back_as_they_are(disk_store: Store, tmp_path: Path):
    before = _files(tmp_path)
    disk_store.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}))
    recorder = disk_store.runs.recorder("r1", 1)
    texts = [text for text in HOSTILE if text not in UNSAYABLE]
    for number, text in enumerate(texts):
        key = f"{number}{text}x"
        for seq, event in enumerate(
            (
                StateChanged(0, key, Success(text, result=text, context={text: text})),
                StateChanged(0, f"{key}y", Failed(text, ValueError(text))),
                Logged(0, key, 1.0, 20, text),
                Decided(0, key, 1.0, text, text, text),
            ),
            start=1,
        ):
            event.seq = 4 * number + seq
            recorder.emit(event)
    recorder.close()

    states = disk_store.history.states("r1")
    found = [states[f"{number}{text}x"] for number, text in enumerate(texts)]
    assert recorder.trouble is None
    assert [(state.result, state.message or "") for state in found] == [(text, text) for text in texts]
    assert [(each.by, each.note) for each in disk_store.history.decisions("r1")] == [(text, text) for text in texts]
    assert _files(tmp_path) == before


def test_hostile_names_of_cache_entries_find_themselves_and_nothing_else(disk_store: Store, tmp_path: Path):
    before = _files(tmp_path)
    ref = disk_store.values.put(1)
    texts = [text for text in HOSTILE if text not in UNSAYABLE]
    for text in texts:
        disk_store.cache.add(CacheEntry(text, text, text, ref, cache_key=text, parameters={text: text}))
    for text in texts:
        assert [entry.task for entry in disk_store.cache.find(CacheScope(text, text, text))] == [text]
        assert [entry.task for entry in disk_store.cache.find(CacheScope("", "", "", text))] == [text]
        for act in (disk_store.cache.get, disk_store.cache.expire, disk_store.cache.pin):
            with pytest.raises(CacheEntryError, match="There is no cache entry"):
                act(text)

    assert len(disk_store.cache.entries()) == len(texts)
    assert _files(tmp_path) == before


def test_hostile_digests_are_no_paths(disk_store: Store, tmp_path: Path):
    before = _files(tmp_path)
    for text in HOSTILE:
        with pytest.raises(StoreError, match="is not a digest"):
            disk_store._blobs.read(text, 1)
        with pytest.raises(StoreError, match="is not a digest"):
            disk_store._blobs.remove(text, 1e18)
        with pytest.raises((FlowbookError, ValueError)):
            disk_store.values.load(ResultRef(text or "zz", 1, disk_store.values))

    assert _files(tmp_path) == before


def test_hostile_tasks_and_flows_run_and_are_looked_back_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLOWBOOK_PROJECT", "../../x' --")
    before = _files(tmp_path)
    kept = 0
    for text in [*HOSTILE[::4], "\ud800"]:
        try:
            with Flow(text) as flow:
                task(name=text, cache_for=dt.timedelta(hours=1))(lambda: 1)()
        except DefinitionError:
            continue  # a name of nothing but blanks
        if text in UNSAYABLE:
            with pytest.warns(UserWarning, match="is not recorded: A text .* can't be kept"):
                assert flow.run(record=True) is not None
            continue
        flow.run(record=True)
        (key,) = flow.keys().values()
        assert flow.as_of(dt.datetime.now(dt.UTC))[flow.tasks[0]] == 1
        assert len(flow.history(flow.tasks[0])) == 1, (text, key)
        kept += 1

    assert kept > 40
    assert _files(tmp_path) == before
    open_store().close()


def test_text_that_sqlite_can_t_hold_is_no_crash(disk_store: Store):
    for text in UNSAYABLE:
        disk_store.runs.create(RunRecord(f"r{len(disk_store.runs.list())}", "f", "p", {"name": "f", "tasks": []}))
        run_id = disk_store.runs.list()[-1].run_id
        recorder = disk_store.runs.recorder(run_id, 1)
        recorder.emit(Logged(1, "a", 1.0, 20, text))
        recorder.emit(StateChanged(2, "a", Success(text, result=text)))
        recorder.close()

        assert disk_store.history.states(run_id)["a"].result == text
