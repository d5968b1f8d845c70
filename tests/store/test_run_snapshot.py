"""A recorded run is read in one piece: never one part from before a commit and another from after it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.events import FLOW
from flowbook.engine.state import Running, Success
from flowbook.exceptions import RunClaimedError, StoreError, UnknownRunError
from flowbook.store import RunRecord
from flowbook.store.database import Database
from tests.store.run_helpers import begin, tell

if TYPE_CHECKING:
    from flowbook.store import Recorder, Store

COUNT = "SELECT count(*) FROM run"


def finish(store: Store, recorder: Recorder, run_id: str = "r1") -> None:
    """End the run as its owner does."""
    tell(recorder, ("a", Success(result=1)), (FLOW, Success()), after=2)
    recorder.close()
    store.ownership.finish(run_id, 1, "Success")


def names(snapshot) -> list[tuple[str, str]]:
    return [(event.key, type(event.state).__name__) for event in snapshot.events]


def test_a_commit_between_two_reads_of_a_snapshot_is_not_seen(disk_store: Store) -> None:
    other = Database(disk_store.path)

    with other.snapshot() as read:
        before = read(COUNT)
        disk_store.runs.create(RunRecord(run_id="r1", flow="f", project="p", graph={}))
        during = read(COUNT)
    after = other.read(COUNT)
    other.close()

    assert (before, during, after) == ([(0,)], [(0,)], [(1,)])


def test_no_commit_comes_between_two_reads_of_a_snapshot_in_memory() -> None:
    from flowbook.store import MemoryStore  # noqa: PLC0415  # named beside its use

    with MemoryStore() as store:
        create = threading.Thread(target=store.runs.create, args=(RunRecord("r1", "f", "p", {}),))
        with store._database.snapshot() as read:
            create.start()
            found = [read(COUNT), read(COUNT)]
        create.join()

        assert (found, store._database.read(COUNT)) == ([[(0,)], [(0,)]], [(1,)])


def test_a_snapshot_that_fails_leaves_its_thread_reading_on(disk_store: Store) -> None:
    with pytest.raises(StoreError, match="syntax error"), disk_store._database.snapshot() as read:
        read("SELECT count(*) FROM nothing")
    disk_store.runs.create(RunRecord(run_id="r1", flow="f", project="p", graph={}))

    assert disk_store._database.read(COUNT) == [(1,)]


def test_a_snapshot_has_owner_state_inputs_and_events_of_one_moment(store: Store) -> None:
    inputs = store.values.put({"day": "monday"})
    recorder = begin(store, parameters_ref=inputs)
    tell(recorder, (FLOW, Running()), ("a", Running()), ("a", Success(result=1)))

    found = store.history.snapshot("r1", since=1)

    assert (found.claim.owner, found.claim.epoch, found.is_owned) == ("here:1", 1, True)
    assert (found.state, found.inputs, found.last_seq) == ("Running", inputs, 3)
    assert names(found) == [("a", "Running"), ("a", "Success")]
    assert {key: state.result for key, state in found.states().items()} == {"a": 1}


def test_a_run_that_ends_while_its_owner_is_looked_for_is_read_again(store: Store, monkeypatch) -> None:
    recorder = begin(store)
    tell(recorder, (FLOW, Running()), ("a", Running()))

    def dies(process, *_: object) -> bool:
        if process is not None and not recorder._closing.is_set():
            finish(store, recorder)
        return False

    monkeypatch.setattr("flowbook.store.run_snapshot.has_owner", dies)

    found = store.history.snapshot("r1")

    assert (found.state, found.claim.process, found.is_owned, names(found)[-1]) == (
        "Success",
        None,
        False,
        (FLOW, "Success"),
    )


def test_a_run_whose_process_died_is_read_as_it_left_it(store: Store, monkeypatch) -> None:
    tell(begin(store), (FLOW, Running()), ("a", Running()))
    monkeypatch.setattr("flowbook.store.run_snapshot.has_owner", lambda *_: False)

    found = store.history.snapshot("r1")

    assert (found.state, found.is_owned, names(found)) == ("Running", False, [(FLOW, "Running"), ("a", "Running")])


def test_a_run_that_is_not_there_has_no_snapshot(store: Store) -> None:
    with pytest.raises(UnknownRunError, match="There is no run 'nope' in this store"):
        store.history.snapshot("nope")


def test_a_thousand_looks_at_runs_as_they_end_show_no_run_halfway(disk_store: Store) -> None:
    torn = []
    for number in range(50):
        run_id = f"r{number}"
        recorder = begin(disk_store, run_id)
        tell(recorder, (FLOW, Running()), ("a", Running()))
        end = threading.Thread(target=finish, args=(disk_store, recorder, run_id))
        end.start()
        for _ in range(20):
            found = disk_store.history.snapshot(run_id)
            last = names(found)[-1]
            if not found.is_owned and (found.state, last) != ("Success", (FLOW, "Success")):
                torn.append((found.state, last))
        end.join()

    assert torn == []


def test_whoever_missed_an_event_does_not_claim_the_run(store: Store) -> None:
    recorder = begin(store)
    tell(recorder, (FLOW, Running()), ("a", Running()))
    seen = store.history.snapshot("r1")
    tell(recorder, ("a", Success(result=1)), after=2)
    recorder.close()

    with pytest.raises(RunClaimedError, match="Run r1 has recorded more since it was read, so it isn't claimed"):
        store.ownership.claim("r1", seen.claim.epoch, "ada", last_seq=seen.last_seq)

    again = store.history.snapshot("r1")
    assert store.ownership.claim("r1", again.claim.epoch, "ada", last_seq=again.last_seq) == 2


def test_a_run_without_events_is_claimed_by_whoever_saw_none(store: Store) -> None:
    begin(store).close()

    assert store.ownership.claim("r1", 1, "ada", last_seq=store.history.snapshot("r1").last_seq) == 2
