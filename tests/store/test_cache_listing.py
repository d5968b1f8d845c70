"""Looking at the cache at a moment: what is found, by which index, and that it takes no more work where there is more."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.results.reference import ResultRef
from flowbook.store import CacheEntry, MemoryStore, Store
from flowbook.store import cache_listing as listing_module
from flowbook.store.records import from_stamp
from tests.store.run_helpers import begin, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.store.cache_listing import CacheListing

BEGIN = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
NEAR = "SEARCH cache_entry USING INDEX cache_entry_created (created<?)"
BY_NAME = "SEARCH cache_entry USING COVERING INDEX cache_entry_name (task=? AND flow=? AND created<?)"


def kept(*entries: tuple[str, str, float]) -> Store:
    """Return a store with entries of these flows, tasks and minutes."""
    store = MemoryStore()
    for number, (flow, task, minute) in enumerate(entries):
        created = BEGIN + dt.timedelta(minutes=minute)
        ref = ResultRef(f"{number:064x}", 5)
        store.cache.add(CacheEntry("p", flow, task, ref, created=created, id=f"e{number}", parameters={"n": number}))
    return store


def many(count: int) -> Store:
    return kept(*((f"f{number % 4}", f"t{number % 3}", float(number)) for number in range(count)))


def middle(count: int) -> dt.datetime:
    return BEGIN + dt.timedelta(minutes=count // 2)


LOOKS: dict[str, Callable[[CacheListing, dt.datetime], object]] = {
    "at all": lambda browse, at: browse.window(at, 20),
    "at a flow": lambda browse, at: browse.window(at, 20, flow="f1"),
    "at a task": lambda browse, at: browse.window(at, 20, task="t1"),
    "at a flow's task": lambda browse, at: browse.window(at, 20, flow="f1", task="t1"),
    "before the first": lambda browse, at: browse.window(at - dt.timedelta(days=99), 20),
    "at the names": lambda browse, _: browse.names(),
    "at the first entry": lambda browse, _: browse.first(),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_takes_no_more_work_where_there_are_more_entries(look: str, monkeypatch) -> None:
    monkeypatch.setattr(listing_module, "MOST_COUNTED", 20)
    found = []
    for count in (900, 9000):
        store = many(count)
        found.append(steps(store, lambda store=store, count=count: LOOKS[look](store.browse(), middle(count))))

    few, lots = found
    assert lots <= few * 1.1


def test_a_search_looks_at_each_entry_once() -> None:
    store, looked = many(3000), []

    def choose(entries: Sequence[CacheEntry]) -> list[CacheEntry]:
        looked.extend(entry.id for entry in entries)
        return [entry for entry in entries if entry.parameters["n"] % 10 == 7]

    browse = store.browse()
    first = browse.window(middle(3000), 20, choose=choose)
    at_first = len(looked)
    store.cache.add(
        CacheEntry("p", "f1", "t1", ResultRef("ab" * 32, 5), created=middle(3000), id="new", parameters={"n": 7})
    )
    work = steps(store, lambda: browse.window(middle(3000), 20, choose=choose))
    then = browse.window(middle(3000), 20, choose=choose)

    assert [entry.id for entry in first.entries] == [f"e{number}" for number in range(1307, 1500, 10)]
    assert (at_first, looked[3000:], first.total, then.total) == (3000, ["new"], 300, 301)
    assert then.entries[-1].id == "new"
    assert work < 500


def test_an_entry_that_expired_since_is_found_as_it_is_now() -> None:
    store = many(10)
    browse = store.browse()

    def choose(entries: Sequence[CacheEntry]) -> Sequence[CacheEntry]:
        return entries

    browse.window(middle(10), 5, choose=choose)
    store.cache.expire("e3")

    found = {entry.id: entry for entry in browse.window(middle(10), 5, choose=choose).entries}
    assert found["e3"].expires < found["e4"].expires


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({}, [NEAR, "SEARCH cache_entry USING INDEX cache_entry_created (created>?)"]),
        ({"flow": "f1"}, [BY_NAME, BY_NAME.replace("<", ">")]),
        ({"task": "t1"}, [BY_NAME, BY_NAME.replace("<", ">")]),
        ({"flow": "f1", "task": "t1"}, [BY_NAME, BY_NAME.replace("<", ">")]),
    ],
)
def test_what_is_near_a_moment_is_found_by_an_index(names: dict[str, str], expected: list[str], monkeypatch) -> None:
    store, asked = many(30), []
    read = store._database.read
    monkeypatch.setattr(store._database, "read", lambda *given: asked.append(given) or read(*given))

    store.browse().window(middle(30), 100, **names)

    near = [given for given in asked if ":limit" in given[0]]
    plans = [[step for *_, step in read(f"EXPLAIN QUERY PLAN {query}", *rest)] for query, *rest in near]
    assert [next(step for step in plan if "cache_entry_" in step) for plan in plans] == expected
    assert all("SCAN cache_entry" not in step for plan in plans for step in plan)


@given(
    entries=st.lists(
        st.tuples(st.sampled_from("fgh"), st.sampled_from(["a", "b", "é"]), st.integers(0, 9).map(float)), max_size=25
    ),
    minute=st.integers(-1, 10),
    limit=st.integers(1, 8),
    flow=st.sampled_from([None, "f", "nowhere"]),
    task=st.sampled_from([None, "a", "é"]),
)
def test_a_window_is_the_newest_up_to_the_moment_and_what_came_next(entries, minute, limit, flow, task) -> None:
    store, at = kept(*entries), BEGIN + dt.timedelta(minutes=minute)
    fitting = [entry for entry in store.cache.entries() if flow in {None, entry.flow} and task in {None, entry.task}]
    end = max(limit, sum(entry.created <= at for entry in fitting))
    expected = fitting[:end][-limit:]

    found = store.browse().window(at, limit, flow, task)
    searched = store.browse().window(at, limit, flow, task, choose=lambda some: some)

    assert found.entries == searched.entries == expected
    assert found.total == searched.total == len(fitting)
    assert set(store.browse().names()) == {(flow, task) for flow, task, _ in entries}


def test_a_moment_takes_in_what_happened_in_its_microsecond() -> None:
    store = MemoryStore()
    stamp = 1.7e9 + 0.1234564
    store.cache.add(CacheEntry("p", "f", "t", ResultRef("ab" * 32, 5), created=from_stamp(stamp), id="e"))
    store._database.write(lambda connection: connection.execute("UPDATE cache_entry SET created = ?", (stamp,)))
    first = store.browse().first()

    assert first is not None
    assert [entry.id for entry in store.browse().window(first, 1).entries] == ["e"]


def test_numbers_of_runs_are_read_in_one_question(monkeypatch) -> None:
    store, asked = MemoryStore(), []
    for number in range(5):
        begin(store, f"r{number}", "f").close()
    read = store._database.read
    monkeypatch.setattr(store._database, "read", lambda *given: asked.append(given) or read(*given))

    found = store.runs.numbers(["r0", "r3", "nobody's"])

    assert found == {"r0": 1, "r3": 4}
    assert len(asked) == 1
