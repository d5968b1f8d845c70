"""What reads the events of all runs as they come misses none, whoever records them and however soon they let go."""

import pytest

from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import Paused, Running, Success
from flowbook.exceptions import StoreError
from flowbook.store import RunRecord, late_events

GRAPH = {"name": "flow", "tasks": [], "reference": []}


def begin(store, run_id):
    store.runs.create(RunRecord(run_id, "flow", "test", GRAPH, owner="test"))
    return store.runs.recorder(run_id, 1)


def end(store, run_id, recorder, seq, state, epoch=1):  # noqa: PLR0913
    recorder.emit(StateChanged(seq, FLOW, state))
    recorder.close()
    store.ownership.finish(run_id, epoch, type(state).__name__)


def numbers(rows):
    return [(row.run_id, row.seq) for row in rows]


def all_news(feed, monkeypatch):
    """Return what is new, runs that are looked through once a second included."""
    found = feed.news()
    monkeypatch.setattr(feed, "_next_full", 0.0)
    return numbers(found) + numbers(feed.news())


def test_what_was_there_before_is_left_out(disk_store):
    end(disk_store, "a", begin(disk_store, "a"), 1, Success())

    feed = disk_store.history.feed()

    assert feed.news() == []


def test_new_runs_and_runs_that_go_on_are_read(disk_store):
    recorder = begin(disk_store, "a")
    recorder.emit(StateChanged(1, FLOW, Running()))
    recorder.flush()
    feed = disk_store.history.feed()

    recorder.emit(Logged(2, "task", 1.0, 20, "line"))
    other = begin(disk_store, "b")
    end(disk_store, "b", other, 1, Success())
    end(disk_store, "a", recorder, 3, Success())

    assert numbers(feed.news()) == [("a", 2), ("a", 3), ("b", 1)]
    assert feed.news() == []


def test_a_run_that_was_claimed_and_released_between_two_looks_is_read(disk_store, monkeypatch):
    end(disk_store, "a", begin(disk_store, "a"), 1, Paused())
    feed = disk_store.history.feed()
    feed.news()

    epoch = disk_store.ownership.claim("a", 1, "somebody")
    recorder = disk_store.runs.recorder("a", epoch)
    recorder.emit(StateChanged(2, FLOW, Running()))
    end(disk_store, "a", recorder, 3, Success(), epoch)

    assert all_news(feed, monkeypatch) == [("a", 2), ("a", 3)]


def test_a_run_that_takes_the_place_of_a_deleted_one_is_read_from_its_begin(disk_store, monkeypatch):
    end(disk_store, "a", begin(disk_store, "a"), 1, Success())
    feed = disk_store.history.feed()
    disk_store.ownership.delete("a", 1)

    end(disk_store, "b", begin(disk_store, "b"), 1, Success())

    assert all_news(feed, monkeypatch) == [("b", 1)]


def test_a_deleted_run_is_forgotten(disk_store, monkeypatch):
    end(disk_store, "a", begin(disk_store, "a"), 1, Success())
    feed = disk_store.history.feed()

    disk_store.ownership.delete("a", 1)

    assert all_news(feed, monkeypatch) == []
    assert feed._known == {}


def test_a_look_that_fails_is_made_up_for(disk_store, monkeypatch):
    feed = disk_store.history.feed()
    recorder = begin(disk_store, "a")
    end(disk_store, "a", recorder, 1, Success())
    sound = feed._sql

    monkeypatch.setattr(feed, "_sql", {**sound, "feed_events": "SELECT nothing"})
    with pytest.raises(StoreError):
        feed.news()
    monkeypatch.setattr(feed, "_sql", sound)

    assert numbers(feed.news()) == [("a", 1)]


def test_a_page_of_a_run_is_limited(disk_store):
    recorder = begin(disk_store, "a")
    for seq in range(1, 6):
        recorder.emit(Logged(seq, "task", 1.0, 20, f"line {seq}"))
    recorder.close()

    assert [row.seq for row in disk_store.history.page("a", 2, 2)] == [3, 4]
    assert disk_store.history.page("nothing", 0, 2) == []


def test_an_event_that_is_stored_after_newer_ones_is_read(disk_store, monkeypatch):
    monkeypatch.setattr(late_events, "_FIRST_LOOK_S", 0.0)
    recorder = begin(disk_store, "a")
    feed = disk_store.history.feed()
    for seq in (1, 3):
        recorder.emit(StateChanged(seq, f"task-{seq}", Running()))
    recorder.flush()
    first = numbers(feed.news())

    recorder.emit(StateChanged(2, "task-2", Running()))
    recorder.flush()
    second = numbers(feed.news())

    end(disk_store, "a", recorder, 4, Success())
    assert (first, second, numbers(feed.news())) == ([("a", 1), ("a", 3)], [("a", 2)], [("a", 4)])


def test_a_gap_is_looked_at_again_although_nothing_is_new(disk_store, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("flowbook.store.event_feed.time.monotonic", lambda: clock[0])
    recorder = begin(disk_store, "a")
    feed = disk_store.history.feed()
    recorder.emit(StateChanged(2, "task", Running()))
    recorder.flush()
    assert numbers(feed.news()) == [("a", 2)]
    recorder.emit(StateChanged(1, "task", Running()))
    recorder.flush()
    assert numbers(feed.news()) == []

    clock[0] += 0.2

    assert numbers(feed.news()) == [("a", 1)]
    recorder.close()


def test_a_gap_from_before_the_feed_began_is_known(disk_store, monkeypatch):
    monkeypatch.setattr(late_events, "_FIRST_LOOK_S", 0.0)
    recorder = begin(disk_store, "a")
    for seq in (1, 3):
        recorder.emit(StateChanged(seq, "task", Running()))
    recorder.flush()
    feed = disk_store.history.feed()

    recorder.emit(StateChanged(2, "task", Running()))
    recorder.flush()

    assert numbers(feed.news()) == [("a", 2)]
    recorder.close()


def test_what_came_late_of_a_run_that_nobody_has_any_more_is_read_within_a_second(disk_store, monkeypatch):
    recorder = begin(disk_store, "a")
    feed = disk_store.history.feed()
    recorder.emit(StateChanged(2, "task", Running()))
    recorder.flush()
    found = numbers(feed.news())

    recorder.emit(StateChanged(1, "task", Running()))
    end(disk_store, "a", recorder, 3, Success())

    assert found + all_news(feed, monkeypatch) == [("a", 2), ("a", 3), ("a", 1)]
