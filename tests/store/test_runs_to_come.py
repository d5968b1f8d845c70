"""Runs that are in the store before they begin."""

import datetime as dt
import threading
from dataclasses import replace

import pytest

from flowbook.engine.state import Scheduled, Submitted
from flowbook.exceptions import StoreError
from flowbook.store import RunRecord

DUE = dt.datetime(2026, 12, 1, 6, tzinfo=dt.UTC)
RECORD = RunRecord("one", "nightly", "test", {"name": "nightly", "tasks": []}, due=DUE, deployment="d1")
AT_REST = Scheduled("It waits for its time.", start_time=DUE)


def test_a_run_to_come_is_at_rest_with_its_state_as_its_first_event(store):
    created = store.runs.create_to_come(
        replace(RECORD, flow_runner={"type": "subprocess", "config": {}}, flow_location="/flows.py:nightly"), AT_REST
    )

    summary, claim, snapshot = store.runs.summary("one"), store.ownership.owner("one"), store.history.snapshot("one")
    assert (created.number, summary.state, summary.due, summary.deployment) == (1, "Scheduled", DUE, "d1")
    assert (claim.owner, claim.process, claim.epoch, claim.started) == (None, None, 1, None)
    assert [(event.seq, event.key, type(event.state), event.state.start_time) for event in snapshot.events] == [
        (1, "", Scheduled, DUE)
    ]
    again = store.runs.get("one")
    assert (again.due, again.deployment, again.flow_location) == (DUE, "d1", "/flows.py:nightly")
    assert again.flow_runner == {"type": "subprocess", "config": {}}


def test_a_deployment_has_one_run_for_each_time(store):
    first = store.runs.create_to_come(RECORD, AT_REST)
    second = store.runs.create_to_come(replace(RECORD, run_id="two"), AT_REST)
    other = store.runs.create_to_come(replace(RECORD, run_id="three", deployment="d2"), AT_REST)

    assert (first is None, second, other is None) == (False, None, False)
    assert [each.run_id for each in store.runs.list()] == ["one", "three"]


def test_many_threads_create_each_run_of_a_schedule_once(store):
    times = [DUE + dt.timedelta(hours=hour) for hour in range(10)]
    made = []

    def create(who):
        for number, due in enumerate(times):
            record = replace(RECORD, run_id=f"{who}-{number}", due=due)
            if store.runs.create_to_come(record, AT_REST) is not None:
                made.append(due)

    threads = [threading.Thread(target=create, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == times


def test_runs_without_a_deployment_may_be_due_at_the_same_time(store):
    for name in ("one", "two"):
        store.runs.create_to_come(replace(RECORD, run_id=name, deployment=None), AT_REST)

    assert len(store.runs.list()) == 2


def test_due_runs_are_listed_by_time_unless_a_live_process_starts_them(store):
    for number, name in enumerate(("late", "early", "later")):
        due = DUE + dt.timedelta(hours=(2, 0, 5)[number])
        store.runs.create_to_come(replace(RECORD, run_id=name, due=due), AT_REST)

    before = [each.run_id for each in store.runs.to_begin((DUE + dt.timedelta(hours=2)).timestamp())]
    store.ownership.claim("early", 1, "ada")
    after = [each.run_id for each in store.runs.to_begin((DUE + dt.timedelta(hours=9)).timestamp())]

    assert before == ["early", "late"]
    assert after == ["late", "later"]


def test_a_run_that_was_claimed_for_a_process_whose_starter_died_is_to_begin_again(store):
    store.runs.create_to_come(RECORD, AT_REST)
    store.ownership.claim("one", 1, "ada")
    dead = "elsewhere|1|1"
    store._database.write(lambda connection: connection.execute("UPDATE run SET process = ?, beat = 0", (dead,)))

    found = store.runs.to_begin(DUE.timestamp())

    assert [(each.run_id, each.due) for each in found] == [("one", DUE)]


def test_a_run_whose_process_is_about_to_start_has_an_owner(store):
    store.runs.create_to_come(replace(RECORD, owner="ada@host:1"), Submitted("Its process is being started."))

    claim = store.ownership.owner("one")
    assert (claim.owner, claim.process is None, store.ownership.is_owned("one")) == ("ada@host:1", False, True)
    store.ownership.set_identifier("one", 1, "process 7")
    assert store.runs.identifier("one") == "process 7"
    assert store.runs.summary("one").identifier == "process 7"


def test_an_id_is_refused_that_there_is_already(store):
    store.runs.create_to_come(RECORD, AT_REST)

    with pytest.raises(StoreError) as caught:
        store.runs.create_to_come(replace(RECORD, deployment=None), AT_REST)

    assert str(caught.value) == "There is a run one already. Give each run an id of its own."
