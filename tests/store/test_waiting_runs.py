"""Runs that wait for their time are claimed many at once, each by one claimer."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Scheduled, Submitted
from flowbook.exceptions import StoreError
from flowbook.store import RunRecord, open_store
from flowbook.store.process_identity import this_process
from flowbook.store.runs import Runs

DUE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "store.key"))


def _waiting(count):
    """Create runs that are due; return them as they are seen."""
    runs = open_store().runs
    for number in range(count):
        record = RunRecord(f"r{number:02}", "f", "p", {"name": "f", "tasks": []}, due=DUE)
        runs.create_to_come(record, Scheduled("Waits for its time.", start_time=DUE))
    return runs.to_begin(time.time())


def _ids(found):
    return [each.record.run_id for each in found.claimed]


def test_a_claimed_run_is_submitted_and_its_claimers():
    (seen,) = _waiting(1)
    store = open_store()

    (claim,) = store.runs.claim_to_begin([seen], 10, "agent west").claimed

    owner, (first, last) = store.ownership.owner("r00"), store.history.events("r00")
    assert (claim.record.run_id, claim.record.number, claim.record.due, claim.epoch) == ("r00", 1, DUE, 2)
    assert (owner.epoch, owner.owner, owner.process) == (2, "agent west", this_process())
    assert (last.seq, last.key, claim.last_seq, store.runs.summary("r00").state) == (2, FLOW, 2, "Submitted")
    assert isinstance(last, StateChanged)
    assert isinstance(last.state, Submitted)
    assert last.state.state == first.state
    assert store.runs.to_begin(time.time()) == []


def test_the_first_that_are_still_free_are_claimed_and_no_more_than_wanted():
    seen = _waiting(6)
    runs = open_store().runs

    first, second, third = (runs.claim_to_begin(seen, 4, "agent") for _ in range(3))

    assert [_ids(each) for each in (first, second, third)] == [["r00", "r01", "r02", "r03"], ["r04", "r05"], []]


def test_a_run_that_was_cancelled_or_claimed_since_it_was_seen_is_left_alone():
    seen = _waiting(3)
    store = open_store()
    store.ownership.finish("r00", store.ownership.claim("r00", 1, "ada"), "Cancelled")
    store.ownership.claim("r01", 1, "ada")

    found = store.runs.claim_to_begin(seen, 10, "agent")

    assert (_ids(found), found.refused) == (["r02"], {})


def test_a_run_that_cannot_be_read_is_not_claimed_and_says_why(monkeypatch):
    seen = _waiting(2)
    real = Runs.get

    def get(runs, run_id):
        if run_id == "r00":
            msg = "Its graph is damaged."
            raise StoreError(msg)
        return real(runs, run_id)

    monkeypatch.setattr(Runs, "get", get)
    found = open_store().runs.claim_to_begin(seen, 1, "agent")

    assert (_ids(found), found.refused) == (["r01"], {"r00": "Its graph is damaged."})
    assert open_store().ownership.owner("r00").epoch == 1


def test_a_run_whose_claimer_died_is_marked_and_left_to_be_looked_at():
    (seen,) = _waiting(1)
    store = open_store()
    store.runs.claim_to_begin([seen], 1, "agent")
    store.internals()[0].write(
        lambda connection: connection.execute("UPDATE run SET process = 'elsewhere|1|1', beat = 0")
    )

    (again,) = store.runs.to_begin(time.time())

    assert (seen.was_claimed, again.was_claimed, again.epoch) == (False, True, 2)
    assert store.runs.claim_to_begin([again], 1, "agent").claimed == []


def test_of_many_who_claim_the_same_runs_at_once_each_gets_others():
    seen = _waiting(40)
    runs = open_store().runs

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: _ids(runs.claim_to_begin(seen, 10, f"agent {number}")), range(8)))

    claimed = [run_id for each in found for run_id in each]
    assert len(claimed) == len(set(claimed))
    assert all(open_store().ownership.owner(run_id).epoch == 2 for run_id in claimed)
