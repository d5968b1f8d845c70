"""What an agent does beside starting runs: schedules, deadlines, and what is due next."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time

import pytest

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.agent.chores import chores_of
from flowbook.agent.coming import coming
from flowbook.deployments import DeploymentSpec, IntervalSchedule, deploy
from flowbook.deployments.due_runs import create_run
from flowbook.exceptions import DeploymentError
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.store import open_store
from tests.agent.due_runs import News, create, wait_for_states, working
from tests.notices.servers import webhook

__all__ = ["webhook"]

HOUR = dt.timedelta(hours=1)


def _flow(name="delays"):
    with Flow(name) as flow:
        flow.add_task(Parameter("x", default=1))
    return flow


def _deployed(name, **options):
    return deploy(DeploymentSpec(name, _flow(), schedule=IntervalSchedule(HOUR), **options))[0]


def test_runs_of_schedules_are_made_a_while_before_their_time():
    deployment = _deployed("hourly")
    due = IntervalSchedule(HOUR).next(deployment.mark).timestamp()
    schedules, *_ = chores_of(open_store(), News(), ahead_s=20)

    schedules(due - 25)
    early = open_store().runs.list()
    schedules(due - 15)
    schedules(due - 10)

    assert early == []
    assert [each.due.timestamp() for each in open_store().runs.list()] == [due]


def test_a_deployment_that_cannot_be_scheduled_is_told_of_once_and_holds_up_no_other():
    store, news = open_store(), News()
    bad, good = _deployed("bad"), _deployed("good")
    broken = '{"type": "lunar", "config": {}}'
    store._database.write(
        lambda connection: connection.execute(
            "UPDATE deployment SET schedule = ? WHERE deployment_id = ?", (broken, bad.id)
        )
    )
    schedules, *_ = chores_of(store, news)

    for _ in range(3):
        schedules(good.mark.timestamp() + 3600)

    assert [each.deployment for each in store.runs.list()] == [good.id]
    assert [each.what for each in news] == ["trouble"]
    assert news[0].text.startswith("Deployment 'delays/bad' can't be scheduled: ")


def test_what_is_due_next_are_runs_that_wait_and_the_next_times_of_schedules():
    now = time.time()
    hourly = _deployed("hourly")
    _deployed("paused", flow_runner=None)
    paused = open_store().deployments.named("paused")[0]
    open_store().deployments.pause(paused.id)
    create(due=now + 60, name="nightly")
    create(due=now - 60, name="late")

    found = coming(open_store(), now, 5)

    assert [what for what, _ in found] == ["nightly  run 1", "delays/hourly"]
    assert found[1][1] == IntervalSchedule(HOUR).next(hourly.mark).timestamp()


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_an_overdue_task_is_answered_and_its_run_goes_on_in_a_process_of_its_own():
    @task(trigger=triggers.manual_only, deadline=0.1, otherwise="approve")
    def approve():
        return 1

    @task
    def publish(_approved):
        return os.getpid()

    with Flow("approval") as flow:
        published = publish(approve())
    flow.run(record=True)
    run_id = flow.last_run.run_id
    news = News()

    with working(chores=chores_of(open_store(), news), flow_runners=flow_runner_of):
        wait_for_states([run_id], "Success", timeout=60)
        news.wait_for("answered")

    assert flowbook.run(run_id)[flow.key_of(published)].result != os.getpid()
    assert [each.text for each in news] == ["approval run 1 goes on: nobody answered approve in time"]
    assert [(each.action, each.by) for each in open_store().history.decisions(run_id)] == [("resume", "deadline")]


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_a_run_of_a_deployment_that_fails_is_told_of_once(webhook):
    @task
    def broken():
        raise ValueError("no such column")

    with Flow("delays", notify=webhook.url) as flow:
        broken()
    (deployment,) = deploy(
        DeploymentSpec("nightly", flow, notify={"to": webhook.url, "on": ["waits", "failed", "ended"]})
    )
    run = create_run(open_store(), deployment)

    with working(chores=chores_of(open_store(), News()), flow_runners=flow_runner_of) as (_, news):
        news.wait_for("ended", timeout=60)
        webhook.wait()

    assert [body["title"] for body in webhook.bodies] == ["delays run 1 failed: broken"]
    assert [row.sent is not None for row in open_store().notices.of_run(run.run_id)] == [True]


def test_a_deployment_is_refused_whose_function_to_tell_cannot_be_stored():
    frame = sys._getframe()

    with pytest.raises(DeploymentError) as caught:
        deploy(DeploymentSpec("nightly", _flow(), notify=lambda notice: (notice, frame)))

    assert "<lambda>() of notify= can't be stored, and its runs have processes of their own: " in str(caught.value)
