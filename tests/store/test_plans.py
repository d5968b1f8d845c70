"""How SQLite answers what people and panels ask: by an index, and in the order that it gives, however much there is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.events import FLOW
from flowbook.engine.ports import CacheScope
from flowbook.engine.state import Success
from flowbook.store import CacheEntry, MemoryStore, Store
from tests.store.run_helpers import begin, steps, tell

if TYPE_CHECKING:
    from collections.abc import Callable

AT = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
QUESTIONS: dict[str, tuple[Callable[[Store], object], str]] = {
    "the newest runs": (lambda store: store.runs.list(limit=20), "SCAN run USING INDEX run_created"),
    "of a flow": (lambda store: store.runs.list(flow="f", limit=20), "SEARCH run USING INDEX run_flow (flow=?)"),
    "of a flow in a project": (
        lambda store: store.runs.list(flow="f", project="p", limit=20), "SEARCH run USING INDEX run_flow (flow=?)",
    ),
    "of a flow in a state": (
        lambda store: store.runs.list(flow="f", state="Paused"), "SEARCH run USING INDEX run_flow (flow=?)",
    ),
    "of a project": (
        lambda store: store.runs.list(project="p", limit=20), "SEARCH run USING INDEX run_project (project=?)",
    ),
    "in a state": (
        lambda store: store.runs.list(state="Paused", limit=20), "SEARCH run USING INDEX run_state (state=?)",
    ),
    "who has a run": (
        lambda store: store.ownership.is_owned("r1"), "SEARCH run USING INDEX sqlite_autoindex_run_1 (run_id=?)",
    ),
    "entries that serve": (
        lambda store: list(store.cache.find(CacheScope("p", "f", "t"))),
        "SEARCH cache_entry USING INDEX cache_entry_task (project=? AND flow=? AND task=? AND created<?)",
    ),
    "entries under a key": (
        lambda store: list(store.cache.find(CacheScope("p", "f", "t", "k"))),
        "SEARCH cache_entry USING INDEX cache_entry_key (cache_key=? AND created<?)",
    ),
    "entries of a task": (
        lambda store: store.cache.entries(flow="f", task="t"),
        "SEARCH cache_entry USING INDEX cache_entry_name (task=? AND flow=?)",
    ),
    "all entries": (lambda store: store.cache.entries(), "SCAN cache_entry USING INDEX cache_entry_created"),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_is_answered_by_an_index_without_sorting(question: str, monkeypatch) -> None:
    store = MemoryStore()
    begin(store).close()
    asked, read = [], store._database.read

    def noting(query: str, parameters: object = ()) -> list[tuple[object, ...]]:
        asked.append((query, parameters))
        return read(query, parameters)

    monkeypatch.setattr(store._database, "read", noting)
    ask, expected = QUESTIONS[question]

    ask(store)

    query, parameters = asked[0]
    assert [step for *_, step in read(f"EXPLAIN QUERY PLAN {query}", parameters)] == [expected]


def counted(store: Store, monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object]) -> int:
    """Return how often the store is read while something is asked."""
    count, read = [0], store._database.read

    def counting(*given: object) -> list[tuple[object, ...]]:
        count[0] += 1
        return read(*given)

    with monkeypatch.context() as patch:
        patch.setattr(store._database, "read", counting)
        ask()
    return count[0]


def test_a_task_s_past_is_read_in_as_many_queries_however_many_runs_there_are(monkeypatch) -> None:
    found = {}
    for runs in (3, 60):
        store = MemoryStore()
        for number in range(runs):
            recorder = begin(store, f"r{number}", "f")
            tell(recorder, ("clean", Success(result=number)), ("other", Success(result=-number)), (FLOW, Success()))
            recorder.close()
            store.ownership.finish(f"r{number}", 1, "Success")
            store.cache.add(CacheEntry("p", "f", "clean", store.values.put(number)))
        found[runs] = [
            counted(store, monkeypatch, ask)
            for ask in (
                lambda store=store: list(store.history.results("f", "clean", "p")),
                lambda store=store: store.history.newest_result("f", "clean", "p"),
                lambda store=store: store.runs.list(limit=20),
                lambda store=store: store.runs.summary("r1"),
                lambda store=store: store.values.previews([entry.ref for entry in store.cache.entries()]),
            )
        ]

    assert found[60] == found[3] == [1, 2, 1, 1, 2]


#: What opening a panel, `%flow` and `%flow resume` asks, and what beginning a run does.
OPENED: dict[str, Callable[[Store], object]] = {
    "the newest runs": lambda store: store.runs.table(limit=20),
    "the newest of a flow": lambda store: store.runs.table(flow="f", limit=20),
    "the newest that wait": lambda store: store.runs.table(state="Paused", limit=20),
    "a task's last outcomes": lambda store: store.history.task_history("f", "clean", project="p", besides="r7"),
    "a run": lambda store: store.runs.get("r7"),
    "its owner": lambda store: store.ownership.owner("r7"),
    "its events": lambda store: store.history.events("r7"),
    "its states": lambda store: store.history.states("r7"),
    "runs' numbers": lambda store: store.runs.numbers(["r7", "r8"]),
    "a new run": lambda store: begin(store, "another", "f").close(),
}


def of_one_flow(runs: int) -> Store:
    store = MemoryStore()
    for number in range(runs):
        recorder = begin(store, f"r{number}", "f")
        tell(recorder, ("clean", Success(result=number)), (FLOW, Success()))
        recorder.close()
        store.ownership.finish(f"r{number}", 1, "Paused" if number % 2 else "Success")
    return store


@pytest.fixture(scope="module")
def small_and_large() -> tuple[Store, Store]:
    return of_one_flow(50), of_one_flow(400)


@pytest.mark.parametrize("opened", OPENED)
def test_what_is_opened_takes_no_more_work_where_there_are_more_runs(opened: str, small_and_large) -> None:
    few, many = (steps(store, lambda store=store: OPENED[opened](store)) for store in small_and_large)

    assert 0 < many <= few * 1.1 + 1


def test_the_newest_result_is_that_of_the_run_that_was_let_go_of_last() -> None:
    store = MemoryStore()
    for run_id in ("r1", "r2"):
        recorder = begin(store, run_id, "f")
        tell(recorder, ("clean", Success(result=run_id)))
        recorder.close()
        store.ownership.finish(run_id, 1, "Success")
    epoch = store.ownership.claim("r1", 1, "ada")
    recorder = store.runs.recorder("r1", epoch)
    tell(recorder, ("clean", Success(result="again")))

    found = [store.history.newest_result("f", "clean", "p", at) for at in (None, AT)]
    recorder.close()

    assert [each and (each.run_id, each.state.result) for each in found] == [("r1", "again"), None]


def test_runs_of_one_flow_share_its_graph() -> None:
    store = MemoryStore()
    graph = {"name": "f", "tasks": [{"key": "clean"}]}

    for run_id in ("r1", "r2"):
        begin(store, run_id, "f", graph=graph).close()
    begin(store, "r3", "f", graph={"name": "f", "tasks": []}).close()

    assert store._database.read("SELECT count(*) FROM graph") == [(2,)]
    assert [store.runs.get(run_id).graph for run_id in ("r1", "r2")] == [graph, graph]


def test_runs_that_did_not_come_to_rest_are_listed_without_the_others() -> None:
    store = MemoryStore()
    for run_id, state in (("r1", "Success"), ("r2", "Running"), ("r3", "Paused"), ("r4", "Running")):
        begin(store, run_id, "f").close()
        store.ownership.finish(run_id, 1, state)
    begin(store, "r5", "g").close()

    assert [run.run_id for run in store.runs.list(is_open=True)] == ["r2", "r4", "r5"]
    assert [run.run_id for run in store.runs.list(flow="f", is_open=True, limit=1)] == ["r4"]
