from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.ports import CacheScope, NewOutput

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.lookup import Lookup

SCOPE = CacheScope("p", "f", "clean")
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)


def output(store: Store, value: int, scope: CacheScope = SCOPE, hours: float = 0.0, **hashes: str) -> NewOutput:
    created = NOW - dt.timedelta(hours=hours)
    return NewOutput(scope, store.values.put(value), created, NOW + HOUR, hashes, {}, None, "r")


def found(lookup: Lookup, scope: CacheScope = SCOPE, **hashes: str) -> list[int]:
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
