from __future__ import annotations

import datetime as dt
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.ports import CacheScope, NewOutput
from flowbook.exceptions import DamagedValueError

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.cache_lookup import CacheLookup

SCOPE = CacheScope("p", "f", "clean")
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)


def output(store: Store, value: int, scope: CacheScope = SCOPE, hours: float = 0.0, **hashes: str) -> NewOutput:
    created = NOW - dt.timedelta(hours=hours)
    return NewOutput(scope, store.values.put(value), created, NOW + HOUR, hashes, {}, None, "r")


def found(lookup: CacheLookup, scope: CacheScope = SCOPE, **hashes: str) -> list[int]:
    return [entry.ref.load() for entry in lookup.find(scope, hashes or None)]


@pytest.mark.parametrize("others", [0, 20], ids=["few entries", "many"])
def test_outputs_of_alike_inputs_are_found_newest_first(store: Store, others: int) -> None:
    lookup = store.lookup()
    for number in range(others):
        lookup.record(output(store, 1000 + number, x=f"other {number}", y="b"))
    lookup.record(output(store, 1, hours=1, x="a", y="b"))
    lookup.record(output(store, 3, x="a", y="c"))
    lookup.record(output(store, 2, hours=2, x="a", y="b"))

    assert found(lookup, x="a", y="b") == [1, 2]
    assert found(lookup, x="a") == [3, 1, 2]
    assert found(lookup, x="a", z="b") == []


@pytest.mark.parametrize("others", [0, 20], ids=["few entries", "many"])
def test_what_others_add_and_end_meanwhile_counts(store: Store, others: int) -> None:
    mine, theirs = store.lookup(), store.lookup()
    for number in range(others):
        mine.record(output(store, 1000 + number, x="other"))
    old = mine.record(output(store, 1, hours=1, x="a"))
    before = found(mine, x="a")

    theirs.record(output(store, 2, x="a"))
    both = found(mine, x="a")
    store.cache.expire(old)

    assert (before, both, found(mine, x="a")) == ([1], [2, 1], [2])


@pytest.mark.parametrize("others", [0, 20], ids=["few entries", "many"])
def test_a_shared_key_is_found_from_any_task(store: Store, others: int) -> None:
    keyed = SCOPE._replace(cache_key="weather")
    lookup = store.lookup()
    for number in range(others):
        lookup.record(output(store, 1000 + number, keyed, x="other"))
    assert found(lookup, keyed, x="a") == []

    lookup.record(output(store, 1, keyed, x="a"))

    assert found(lookup, CacheScope("q", "g", "load", "weather"), x="a") == [1]
    assert found(lookup, x="a") == [1]
    assert found(lookup, CacheScope("q", "g", "load"), x="a") == []


@pytest.fixture
def asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries to the database from here on."""
    queries: list[str] = []
    read = store._database.read

    def noted(query: str, parameters: object = ()) -> list[tuple[object, ...]]:
        queries.append(query)
        return read(query, parameters)

    monkeypatch.setattr(store._database, "read", noted)
    return queries


TASKS = [f"clean-{number}" for number in range(300)]


def filled(store: Store, **hashes: str) -> list[CacheScope]:
    scopes = [SCOPE._replace(task=name) for name in TASKS]
    for value, scope in enumerate(scopes):
        store.lookup().record(output(store, value, scope, hours=1, **hashes))
    return scopes


@pytest.mark.parametrize("hashes", [{}, {"x": "a"}], ids=["any inputs", "alike inputs"])
def test_outputs_of_tasks_to_come_are_read_ahead_with_their_values(store: Store, asked: list[str], hashes) -> None:
    scopes = filled(store, **hashes)
    lookup = store.lookup("p", "f", TASKS)
    asked.clear()

    values = [value for scope in scopes for value in found(lookup, scope, **hashes)]

    assert values == list(range(300))
    assert len(asked) <= 9  # 1, 2, 4, … 128 tasks and the rest


def test_a_value_that_is_not_small_is_read_when_it_is_loaded(store: Store) -> None:
    large = "x" * 2000
    store.lookup().record(output(store, large, SCOPE))  # type: ignore[arg-type]  # any value does

    (entry,) = store.lookup("p", "f", ["clean"]).find(SCOPE)

    assert entry.ref.load() == large


def test_the_children_of_a_mapped_task_are_read_ahead(store: Store, asked: list[str]) -> None:
    lookup = store.lookup("p", "f", ["clean"])
    for number in range(300):
        lookup.record(output(store, number, x=f"{number}"))
    asked.clear()

    values = [value for number in range(300) for value in found(lookup, x=f"{number}")]

    assert values == list(range(300))
    assert len(asked) <= 2 + 9 + 2  # that there are many, their inputs, and 1, 2, 4, … 128 entries and the rest


def test_what_is_committed_after_it_was_read_ahead_counts(store: Store) -> None:
    scopes = filled(store)
    lookup = store.lookup("p", "f", TASKS)
    before = [found(lookup, scope) for scope in scopes[:4]]

    lookup.record(output(store, 1000, scopes[4]))
    (old,) = lookup.find(scopes[5])
    store.cache.expire(old.id)

    assert before == [[0], [1], [2], [3]]
    assert [found(lookup, scope) for scope in scopes[4:7]] == [[1000, 4], [], [6]]


OTHER = """
import datetime as dt
from flowbook.engine.ports import CacheScope, NewOutput
from flowbook.store import open_store

now = dt.datetime.now(dt.UTC)
with open_store() as store:
    ref = store.values.put(1000)
    lookup = store.lookup()
    lookup.record(NewOutput(CacheScope("p", "f", "clean-5"), ref, now, now + dt.timedelta(hours=1), {}, {}, None, "r"))
    for entry in store.cache.entries(task="clean-6"):
        store.cache.expire(entry.id)
"""


def test_what_another_process_commits_after_it_was_read_ahead_counts(disk_store: Store) -> None:
    scopes = filled(disk_store)
    lookup = disk_store.lookup("p", "f", TASKS)
    before = [found(lookup, scope) for scope in scopes[:4]]

    subprocess.run([sys.executable, "-c", OTHER], check=True)

    assert before == [[0], [1], [2], [3]]
    assert [found(lookup, scope) for scope in scopes[4:8]] == [[4], [1000, 5], [], [7]]


def test_a_value_that_is_damaged_after_it_was_read_ahead_is_not_given(store: Store) -> None:
    scopes = filled(store)
    lookup = store.lookup("p", "f", TASKS)
    before = [found(lookup, scope) for scope in scopes[:4]]

    store._database.write(
        lambda connection: connection.execute("UPDATE value SET content = CAST(content || 'x' AS BLOB)")
    )
    (entry,) = lookup.find(scopes[4])

    assert before == [[0], [1], [2], [3]]
    with pytest.raises(DamagedValueError):
        entry.ref.load()


def test_a_value_that_was_removed_after_it_was_read_ahead_is_not_found(store: Store) -> None:
    scopes = filled(store)
    lookup = store.lookup("p", "f", TASKS)
    entries = [next(iter(lookup.find(scope))) for scope in scopes[:5]]
    store.cache.expire(entries[4].id)

    swept = store.sweep(older_than=dt.timedelta(0))

    assert len(swept.dropped) == 1
    assert [found(lookup, scope) for scope in scopes[3:6]] == [[3], [], [5]]


def test_an_output_that_expired_since_it_was_read_ahead_does_not_serve(store: Store) -> None:
    (entry,) = store.lookup("p", "f", [TASKS[0]]).find(filled(store)[0])
    expires = entry.expires.timestamp()

    assert [entry.is_valid(at) for at in (expires - 1, expires, expires - 7201)] == [True, False, False]


def test_the_next_run_of_a_flow_reads_nothing_where_nothing_was_committed(store: Store, asked: list[str]) -> None:
    scopes = filled(store)
    first = [found(store.lookup("p", "f", TASKS), scope) for scope in scopes]
    asked.clear()

    second = [found(store.lookup("p", "f", list(TASKS)), scope) for scope in scopes]

    assert first == second == [[value] for value in range(300)]
    assert asked == []


def test_the_next_run_of_a_task_of_many_outputs_reads_nothing_either(store: Store, asked: list[str]) -> None:
    for number in range(300):
        store.lookup().record(output(store, number, x=f"{number}"))
    first = [found(store.lookup("p", "f", ["clean"]), x=f"{number}") for number in range(300)]
    asked.clear()

    second = [found(store.lookup("p", "f", ["clean"]), x=f"{number}") for number in range(300)]

    assert first == second == [[value] for value in range(300)]
    assert asked == []


def test_what_was_committed_between_two_runs_counts(disk_store: Store) -> None:
    scopes = filled(disk_store)
    before = [found(disk_store.lookup("p", "f", TASKS), scope) for scope in scopes]

    subprocess.run([sys.executable, "-c", OTHER], check=True)
    after = [found(disk_store.lookup("p", "f", TASKS), scope) for scope in scopes]

    assert after == [*before[:5], [1000, 5], [], *before[7:]]


def test_an_output_that_expires_between_two_runs_serves_the_first_alone(store: Store, monkeypatch) -> None:
    scopes = filled(store)
    before = found(store.lookup("p", "f", TASKS), scopes[0])

    monkeypatch.setattr("flowbook.store.cache_lookup.time", SimpleNamespace(time=(NOW + HOUR).timestamp))

    assert (before, found(store.lookup("p", "f", TASKS), scopes[0])) == ([0], [])


def test_each_run_gets_a_value_and_hashes_of_its_own(store: Store) -> None:
    store.lookup().record(output(store, [1], x="a"))  # type: ignore[arg-type]  # any value does
    (entry,) = store.lookup("p", "f", ["clean"]).find(SCOPE)
    entry.ref.load().append(2)
    entry.input_hashes.clear()

    (again,) = store.lookup("p", "f", ["clean"]).find(SCOPE)

    assert (again.ref.load(), again.input_hashes) == ([1], {"x": "a"})


def test_a_flow_with_other_tasks_and_one_asked_for_long_ago_are_looked_up_anew(store: Store) -> None:
    first = store.lookup("p", "f", ["clean"])

    others = [store.lookup("p", "f", ["clean", f"load-{number}"]) for number in range(4)]

    assert len({first, *others, store.lookup("p", "f", ["clean"])}) == 6


def test_a_fork_shares_no_lookup_with_its_parent(disk_store: Store) -> None:
    of_parent = disk_store.lookup("p", "f", TASKS)

    disk_store._database.begin_in_child()

    assert disk_store.lookup("p", "f", TASKS) is not of_parent


def test_a_task_of_many_outputs_is_read_once_however_often_it_is_asked_for(store: Store, monkeypatch) -> None:
    lookup = store.lookup()
    for number in range(300):
        lookup.record(output(store, number, x=f"{number}"))
    rows, read = [0], store._database.read

    def counted(*asked: object) -> list[tuple[object, ...]]:
        answer = read(*asked)
        rows[0] += len(answer)
        return answer

    monkeypatch.setattr(store._database, "read", counted)

    for number in range(300):
        assert len(list(lookup.find(SCOPE, {"x": f"{number}"}))) == 1
        lookup.record(output(store, number, x=f"again {number}"))

    assert rows[0] <= 300 + 5 + 300 + 301


def test_of_many_outputs_only_as_many_are_read_as_are_looked_at(store: Store, monkeypatch) -> None:
    for number in range(300):
        store.lookup().record(output(store, number, x="a"))
    rows, read = [0], store._database.read

    def counted(*asked: object) -> list[tuple[object, ...]]:
        answer = read(*asked)
        rows[0] += len(answer)
        return answer

    monkeypatch.setattr(store._database, "read", counted)

    newest = next(iter(store.lookup().find(SCOPE)))

    assert (newest.ref.load(), rows[0]) == (299, 2)
