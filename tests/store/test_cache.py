from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from flowbook.exceptions import CacheEntryError
from flowbook.store import CacheEntry, CacheScope, Store
from flowbook.store.records import now

HOUR = dt.timedelta(hours=1)
SCOPE = CacheScope("p", "delays", "clean")


def entry(store: Store, value: object = 1, **given: object) -> CacheEntry:
    made = CacheEntry(project="p", flow="delays", task="clean", ref=store.values.put(value), expires=now() + HOUR)
    return store.cache.add(replace(made, **given))  # type: ignore[arg-type]  # fields by name


def test_an_entry_comes_back_as_it_was_given(store: Store) -> None:
    made = entry(
        store,
        [1],
        input_hashes={"x": "ab"},
        parameters={"o": "JFK", "f": {"$hash": "cd"}, "day": {"$hash": "cd"}},
        parameter_texts={"day": "2026-01-28"},
        code_hash="ef",
        run_id="r1",
        cache_key="k",
    )

    assert made.id
    assert store.cache.get(made.id) == made
    assert store.cache.get(made.id).ref.load() == [1]


def test_the_newest_valid_entry_of_the_task_comes_first(store: Store) -> None:
    old = entry(store, 1, created=now() - HOUR)
    new = entry(store, 2)
    entry(store, 3, expires=now())
    entry(store, 4, flow="other")
    entry(store, 5, project="q")

    assert list(store.cache.find(SCOPE)) == [new, old]


def test_the_last_entries_of_tasks_are_found_as_of_a_moment_expired_or_not(store: Store) -> None:
    old = entry(store, 1, created=now() - 2 * HOUR)
    entry(store, 2, created=now() + HOUR)
    gone = entry(store, 3, task="total", created=now() - 2 * HOUR, expires=now() - HOUR)
    entry(store, 4, task="other")

    found = store.cache.last("delays", ["total", "clean", "none"], "p", now())

    assert found == [gone, old]
    assert store.cache.last("delays", ["clean"], "p", now() - 3 * HOUR) == []


def test_a_shared_key_is_found_from_any_flow(store: Store) -> None:
    made = entry(store, cache_key="weather")

    assert list(store.cache.find(CacheScope("q", "other", "task", cache_key="weather"))) == [made]
    assert list(store.cache.find(CacheScope("q", "other", "task", cache_key="else"))) == []


def test_an_entry_from_the_future_does_not_serve(store: Store) -> None:
    entry(store, created=now() + HOUR, expires=now() + 2 * HOUR)

    assert list(store.cache.find(SCOPE)) == []


def test_an_expired_entry_is_listed_for_the_time_when_it_served(store: Store) -> None:
    made = entry(store, created=now() - HOUR)

    store.cache.expire(made.id)

    assert list(store.cache.find(SCOPE)) == []
    assert [found.id for found in store.cache.entries(at=now() - HOUR / 2)] == [made.id]
    assert store.cache.entries(at=now() - 2 * HOUR) == []
    assert [found.id for found in store.cache.entries()] == [made.id]


def test_entries_are_listed_by_flow_and_task(store: Store) -> None:
    made = [entry(store, flow=flow, task=task) for flow, task in (("a", "x"), ("a", "y"), ("b", "x"))]

    assert store.cache.entries() == made
    assert store.cache.entries(flow="a") == made[:2]
    assert store.cache.entries(task="x") == [made[0], made[2]]


def test_uses_are_counted_and_pins_kept(store: Store) -> None:
    made = entry(store)

    for _ in range(300):
        store.cache.used(made.id)
    store.cache.pin(made.id)

    found = store.cache.get(made.id)
    assert (found.uses, found.pinned) == (300, True)


def test_an_unknown_entry_is_named(store: Store) -> None:
    for ask in (store.cache.get, store.cache.expire, store.cache.pin):
        with pytest.raises(CacheEntryError, match="There is no cache entry 'nope'"):
            ask("nope")
