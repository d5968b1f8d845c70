"""The runs of schedules are made once, whoever looks and however often; a run by hand beside them."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections import Counter

import pytest

from flowbook import DateTimeParameter, Flow, Parameter, task
from flowbook.deployments import DeploymentSpec, IntervalSchedule, deploy
from flowbook.deployments.changes import delete_deployment, pause_deployment, resume_deployment
from flowbook.deployments.due_runs import create_run, schedule_due_runs
from flowbook.engine.state import Scheduled
from flowbook.exceptions import DeploymentError, ParameterError
from flowbook.store import open_store

HOUR, MINUTE, SECOND = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(seconds=1)
HOURLY = IntervalSchedule(3600)
#: Of a day, the time that is furthest from now.
NEVER_SOON = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)
MAKES_X = "from flowbook import Flow, Parameter\nwith Flow('f') as flow:\n    flow.add_task(Parameter('x', 1))\n"


@pytest.fixture
def flow():
    with Flow("delays") as flow:
        task(lambda limit, day: (limit, day), name="load")(
            Parameter("limit", default=3), DateTimeParameter("day", required=False)
        )
    return flow


def next_hour(deployment):
    return HOURLY.next(deployment.mark)


def dues(store):
    return [each.due for each in store.runs.list()]


def test_a_due_run_is_recorded_at_rest_with_all_that_its_process_needs(store, flow):
    (deployment,) = deploy(DeploymentSpec("hourly", flow, parameters={"limit": 5}, schedule=HOURLY))
    due = next_hour(deployment)

    (made,) = schedule_due_runs(store, due - SECOND)

    record, summary = store.runs.get(made.run_id), store.runs.summary(made.run_id)
    assert (record.flow, record.number, record.origin, record.due, record.deployment) == (
        "delays",
        1,
        "schedule",
        due,
        deployment.id,
    )
    assert (record.flow_runner, record.parameters_ref.load()) == ({"type": "universal", "config": {}}, {"limit": 5})
    assert record.flow_ref.load().name == "delays"
    assert (summary.state, summary.owner, summary.message) == ("Scheduled", None, "Waits for its time.")
    (event,) = store.history.events(made.run_id)
    assert (type(event.state), event.state.start_time) == (Scheduled, due)


def test_however_often_one_looks_a_time_has_one_run(store, flow):
    (deployment,) = deploy(DeploymentSpec("hourly", flow, schedule=HOURLY))
    due = next_hour(deployment)

    made = [len(schedule_due_runs(store, due + number * SECOND)) for number in range(-30, 30, 3)]

    assert (sum(made), dues(store)) == (1, [due])


LOOKS = """
import datetime as dt, sys
from flowbook.deployments.due_runs import schedule_due_runs
from flowbook.store import open_store
store, start = open_store(), dt.datetime.fromisoformat(sys.argv[1])
print("ready", flush=True)
input()
print(sum(len(schedule_due_runs(store, start + number * dt.timedelta(minutes=7))) for number in range(60)))
"""


def test_however_many_processes_look_at_once_a_time_has_one_run(store, flow):
    (deployment,) = deploy(DeploymentSpec("hourly", flow, schedule=IntervalSchedule(3600, catch_up="all")))
    start = deployment.mark
    command = [sys.executable, "-c", LOOKS, start.isoformat()]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    lookers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) for _ in range(3)
    ]
    for looker in lookers:
        assert looker.stdout.readline() == "ready\n"

    answers = [looker.communicate("\n", timeout=50)[0] for looker in [*map(_started, lookers)]]

    last = start + 59 * 7 * MINUTE
    assert Counter(dues(store)) == Counter(HOURLY.between(start, last + 10 * SECOND))
    assert sum(map(int, answers)) == len(dues(store))


def _started(looker):
    looker.stdin.write("\n")
    looker.stdin.flush()
    return looker


def test_after_a_sleep_one_run_stands_for_all_that_were_missed_or_each_is_made(store, flow):
    one, every = deploy(
        DeploymentSpec("one", flow, schedule=HOURLY),
        DeploymentSpec("all", flow, schedule=IntervalSchedule(3600, catch_up="all")),
    )
    woken = next_hour(one) + 100 * HOUR + MINUTE

    made = Counter(run.deployment for _ in range(3) for run in schedule_due_runs(store, woken))

    assert made == {one.id: 1, every.id: 101}
    assert max(dues(store)) == woken - MINUTE


def test_a_run_that_is_late_and_waits_stands_for_the_times_after_it(store, flow):
    (deployment,) = deploy(DeploymentSpec("hourly", flow, schedule=HOURLY))
    due = next_hour(deployment)
    schedule_due_runs(store, due)

    later = schedule_due_runs(store, due + 5 * HOUR)

    assert (later, dues(store)) == ([], [due])


def test_a_clock_that_is_put_back_makes_no_second_run(store, flow):
    (deployment,) = deploy(DeploymentSpec("hourly", flow, schedule=IntervalSchedule(3600, catch_up="all")))
    due = next_hour(deployment)
    schedule_due_runs(store, due + 3 * HOUR)

    again = [schedule_due_runs(store, due + number * HOUR) for number in (-1, 0, 1, 2, 3)]

    assert (again, len(dues(store))) == ([[]] * 5, 4)


def test_a_clock_that_was_years_ahead_makes_no_second_run_either(store, flow):
    (deployment,) = deploy(DeploymentSpec("hourly", flow, schedule=HOURLY))
    due = next_hour(deployment)
    schedule_due_runs(store, due)
    schedule_due_runs(store, due + 50_000 * HOUR)

    schedule_due_runs(store, due - 5 * SECOND)
    schedule_due_runs(store, due + SECOND)

    assert Counter(dues(store))[due] == 1


def test_nothing_is_made_for_a_deployment_that_is_paused_and_nothing_is_made_up_for(store, flow):
    hourly = IntervalSchedule(3600, anchor=dt.datetime.now(dt.UTC) + HOUR / 2)  # no time while the test runs
    (deployment,) = deploy(DeploymentSpec("hourly", flow, schedule=hourly))
    due = hourly.next(deployment.mark)
    store.deployments.pause(deployment.id)

    while_paused = schedule_due_runs(store, due + HOUR)
    goes_on = store.deployments.pause(deployment.id, paused=False)

    assert (while_paused, goes_on.is_paused, schedule_due_runs(store, goes_on.mark + SECOND)) == ([], False, [])
    assert goes_on.mark > deployment.mark


def test_what_was_made_ahead_is_cancelled_when_the_schedule_is_paused_or_changed(store, flow):
    minutely = IntervalSchedule(60)
    (deployment,) = deploy(DeploymentSpec("d", flow, schedule=minutely))
    now = deployment.mark
    schedule_due_runs(store, now, 10 * MINUTE)

    pause_deployment(store, deployment)
    resume_deployment(store, deployment)
    schedule_due_runs(store, now, 20 * MINUTE)
    deploy(DeploymentSpec("d", flow, schedule=HOURLY))

    assert Counter((run.state, run.message) for run in store.runs.list()) == {
        ("Cancelled", "The schedule was paused."): 10,
        ("Cancelled", "The schedule was changed."): 10,
    }


def test_of_several_runs_that_were_made_and_are_late_the_newest_stands_for_all(store, flow):
    minutely = IntervalSchedule(60)
    (deployment,) = deploy(DeploymentSpec("d", flow, schedule=minutely))
    schedule_due_runs(store, deployment.mark, 5 * MINUTE)

    schedule_due_runs(store, deployment.mark + HOUR)

    runs = store.runs.list()
    assert [(run.state, run.message) for run in runs] == [
        *[("Cancelled", "A later run stands for it: it was late, and its schedule catches up with one.")] * 4,
        ("Scheduled", "Waits for its time."),
    ]


def test_a_look_at_which_nothing_is_due_writes_nothing(store, flow):
    (deployment,) = deploy(
        DeploymentSpec("d", flow, schedule=IntervalSchedule(dt.timedelta(days=1), anchor=NEVER_SOON))
    )
    before = store.requests.version()

    for number in range(5):
        schedule_due_runs(store, deployment.mark + number * 5 * SECOND)

    assert store.requests.version() == before


def test_a_deployment_without_schedule_has_no_run_of_its_own(store, flow):
    deploy(DeploymentSpec("by hand", flow))

    assert schedule_due_runs(store) == []


def test_a_run_by_hand_has_the_deployments_parameters_and_those_given(store, flow):
    (deployment,) = deploy(DeploymentSpec("hourly", flow, parameters={"limit": 5}))

    plain = create_run(store, deployment)
    other = create_run(store, deployment, {"limit": 7, "day": "2026-01-01"}, due=plain.due + HOUR)

    kept = [store.runs.get(run.run_id) for run in (plain, other)]
    assert [(each.parameters_ref.load(), each.parameters, each.origin) for each in kept] == [
        ({"limit": 5}, {"limit": 5}, "delays/hourly"),
        ({"limit": 7, "day": "2026-01-01"}, {"limit": 7, "day": "2026-01-01"}, "delays/hourly"),
    ]
    assert (kept[0].due <= dt.datetime.now(dt.UTC), kept[1].due) == (True, kept[0].due + HOUR)


def test_a_text_for_a_run_by_hand_becomes_a_value_of_the_kind_of_the_default(store):
    with Flow("dated") as flow:
        flow.add_task(Parameter("since", default=dt.date(2026, 1, 28)))
    (deployment,) = deploy(DeploymentSpec("d", flow))

    made = create_run(store, deployment, {"since": "2026-02-01"})

    kept = store.runs.get(made.run_id)
    assert (kept.parameters_ref.load(), kept.parameters) == (
        {"since": dt.date(2026, 2, 1)},
        {"since": "datetime.date(2026, 2, 1)"},
    )


def test_a_run_of_a_file_is_checked_by_the_flow_that_the_file_makes_now(store, write):
    path = write(
        "one.py",
        MAKES_X,
    )
    (deployment,) = deploy(DeploymentSpec("d", flow_location=path))
    write(
        "one.py",
        MAKES_X.replace("x", "y"),
    )

    made = create_run(store, deployment, {"y": 2})

    assert (made.flow_location, store.runs.get(made.run_id).parameters) == (f"{path}:f", {"y": 2})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"origin": 1}, "Flow 'delays' has no parameter 'origin'. Its parameters: limit, day."),
        (
            {"day": "soon"},
            "Parameter 'day': 'soon' isn't a time. Give a datetime, or ISO text such as '2024-02-29T12:00'.",
        ),
    ],
)
def test_a_parameter_that_the_flow_does_not_take_is_refused(parameters, message, store, flow):
    (deployment,) = deploy(DeploymentSpec("d", flow))

    with pytest.raises(ParameterError) as caught:
        create_run(store, deployment, parameters)

    assert (str(caught.value), store.runs.list()) == (message, [])


def test_a_time_that_has_a_run_or_no_zone_is_refused(store, flow):
    (deployment,) = deploy(DeploymentSpec("d", flow))
    due = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    create_run(store, deployment, due=due)

    with pytest.raises(DeploymentError) as twice:
        create_run(store, deployment, due=due)
    with pytest.raises(DeploymentError) as naive:
        create_run(store, deployment, due=due.replace(tzinfo=None))
    with pytest.raises(DeploymentError) as too_late:
        create_run(store, deployment, due=dt.datetime.fromisoformat("9999-12-31T23:59:59-14:00"))

    assert str(twice.value) == "Deployment 'delays/d' has a run at 2030-01-01 00:00:00 UTC already. Give another time."
    assert str(naive.value) == (
        "due=2030-01-01 00:00:00 has no time zone. Give an aware datetime, e.g. datetime.now(timezone.utc)."
    )
    assert (str(too_late.value), too_late.value.field) == (
        "due=9999-12-31 23:59:59-14:00 is out of reach of the clock. Give a time between the years 2 and 9998.",
        "due",
    )


def test_a_deleted_deployment_leaves_its_runs_but_cancels_those_that_its_schedule_made_ahead(store, flow):
    (deployment,) = deploy(DeploymentSpec("d", flow, schedule=HOURLY))
    by_hand = create_run(store, deployment)
    (due,) = schedule_due_runs(store, next_hour(deployment))

    cancelled = delete_deployment(store, deployment)

    assert (store.deployments.list(), cancelled) == ([], [due.run_id])
    assert {each.run_id: each.state for each in store.runs.list()} == {
        by_hand.run_id: "Scheduled",
        due.run_id: "Cancelled",
    }


def test_a_sweep_keeps_the_flow_and_the_parameters_of_a_deployment(store, flow):
    (deployment,) = deploy(DeploymentSpec("d", flow, parameters={"limit": "x" * 200_000}))

    store.sweep(older_than=dt.timedelta(0), limit_bytes=0)
    kept = open_store().deployments.get(deployment.id)

    assert (kept.flow_ref.load().name, len(kept.parameters_ref.load()["limit"])) == ("delays", 200_000)
