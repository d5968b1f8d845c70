"""Deployments in the store, on disk and in memory."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from flowbook.engine.state import Scheduled
from flowbook.exceptions import UnknownDeploymentError
from flowbook.store import RunRecord
from flowbook.store.deployments import DeploymentRecord

GRAPH = {"name": "delays", "tasks": []}
SOON = dt.timedelta(minutes=1)


@pytest.fixture
def save(store):
    def save_one(name="nightly", **changed):
        fields = {
            "project": "test",
            "graph": GRAPH,
            "parameters_ref": store.values.put({"limit": 3}),
            "flow_runner": {"type": "universal", "config": {}},
            "schedule": {"cron": "0 6 * * *"},
            **changed,
        }
        (found,) = store.deployments.save([DeploymentRecord("delays", name, **fields)])
        return found

    return save_one


def run_of(deployment, due):
    return RunRecord(
        uuid.uuid4().hex,
        "delays",
        "test",
        GRAPH,
        parameters_ref=deployment.parameters_ref,
        due=due,
        deployment=deployment.id,
    )


def test_a_deployment_is_read_as_it_was_saved(store, save):
    made = save(tags=("a", "b"), made_by={"python": "3.11"}, parameters={"limit": 3}, executor="threads")

    assert (made.title, made.tags, made.made_by, made.parameters, made.executor, made.graph) == (
        "delays/nightly",
        ("a", "b"),
        {"python": "3.11"},
        {"limit": 3},
        "threads",
        GRAPH,
    )
    assert (store.deployments.get(made.id), store.deployments.list("delays")) == (made, [made])
    assert (store.deployments.list("other"), made.parameters_ref.load()) == ([], {"limit": 3})


def test_deployments_are_found_by_name_and_by_the_beginning_of_their_ids(store, save):
    nightly, weekly = save(), save("weekly")

    assert store.deployments.named("weekly") == [weekly]
    assert (store.deployments.named("nightly", "delays"), store.deployments.named("nightly", "x")) == ([nightly], [])
    assert store.deployments.that_begin(weekly.id[:6]) == [weekly]


def test_runs_are_made_and_the_mark_is_moved_at_once(store, save):
    made = save()
    due = made.mark + SOON
    wanted = [(run_of(made, due), Scheduled(start_time=due))]

    first = store.deployments.make_due(made, due, wanted)
    again = store.deployments.make_due(made, due, [(run_of(made, due + SOON), Scheduled())])

    assert ([run.number for run in first], again, store.deployments.get(made.id).mark) == ([1], [], due)
    assert [(run.due, run.state, run.deployment) for run in store.runs.list()] == [(due, "Scheduled", made.id)]


def test_a_time_that_has_a_run_gets_no_second_one(store, save):
    made = save()
    due = made.mark + SOON
    store.deployments.make_due(made, due, [(run_of(made, due), Scheduled())])

    further = [(run_of(made, due), Scheduled()), (run_of(made, due + SOON), Scheduled())]
    found = store.deployments.make_due(store.deployments.get(made.id), due + SOON, further)

    assert [run.due for run in found] == [due + SOON]


def test_nothing_is_made_for_a_deployment_that_was_changed_paused_or_deleted_since_it_was_read(store, save):
    made = save()
    wanted = [(run_of(made, made.mark + SOON), Scheduled())]

    store.deployments.pause(made.id)
    paused = store.deployments.make_due(made, made.mark + SOON, wanted)
    store.deployments.pause(made.id, paused=False)
    save(schedule={"cron": "0 7 * * *"})
    changed = store.deployments.make_due(made, made.mark + SOON, wanted)
    store.deployments.delete(made.id)
    deleted = store.deployments.make_due(made, made.mark + SOON, wanted)

    assert (paused, changed, deleted, store.runs.list()) == ([], [], [], [])


def test_only_schedules_that_go_on_are_looked_at(store, save):
    made, paused = save(), save("paused")
    save("by hand", schedule=None)
    store.deployments.pause(paused.id)

    assert store.deployments.scheduled() == [made]


def test_a_deployment_that_is_not_there_is_named(store):
    with pytest.raises(UnknownDeploymentError) as caught:
        store.deployments.delete("beef")

    assert str(caught.value) == "There is no deployment 'beef' in this store. `flowbook deployment ls` lists them."
