"""A notebook's flow is deployed by value, and told what runs it."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from flowbook import Flow, Parameter
from flowbook.deployments import CronSchedule, IntervalSchedule, RRuleSchedule
from flowbook.exceptions import ScheduleError
from flowbook.notebook.flow_deployments import deploy_flow, schedule_of
from flowbook.store import open_store
from tests.homes import home

__all__ = ["home"]


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("0 6 * * *", CronSchedule("0 6 * * *", "Europe/Berlin")),
        ("@daily", CronSchedule("@daily", "Europe/Berlin")),
        ("every 2 hours", IntervalSchedule(7200, timezone="Europe/Berlin")),
        ("every 10m", IntervalSchedule(600, timezone="Europe/Berlin")),
        ("Every day", IntervalSchedule(dt.timedelta(days=1), timezone="Europe/Berlin")),
        ("FREQ=WEEKLY;BYDAY=MO", RRuleSchedule("FREQ=WEEKLY;BYDAY=MO", "Europe/Berlin")),
    ],
)
def test_a_line_names_a_schedule(text, schedule):
    assert schedule_of(text, "Europe/Berlin") == schedule


def test_a_line_that_names_none_says_how_to_write_one():
    with pytest.raises(ScheduleError) as caught:
        schedule_of("every now and then")

    assert str(caught.value) == (
        "'every now and then' isn't understood. Write e.g. 'every 2 hours', or a cron line such as '0 6 * * *'."
    )


@pytest.fixture
def flow():
    with Flow("delays") as flow:
        flow.add_task(Parameter("limit", default=3))
    return flow


def test_a_scheduled_flow_is_deployed_by_value_and_says_what_runs_it(flow):
    text = deploy_flow(
        open_store(), flow, "flights.ipynb", schedule_of("0 6 * * *", "Europe/Berlin"), parameters={"limit": 5}
    )

    (made,) = open_store().deployments.list()
    assert (made.title, made.flow_ref.load().name, made.parameters) == ("delays/flights", "delays", {"limit": 5})
    assert re.sub(r"next: .*\.", "next: DUE.", text) == (
        "delays/flights runs at 06:00 every day, Europe/Berlin; next: DUE.\n"
        "The code is kept as it is now: write this line again after a change.\n"
        "An agent of this machine runs it, also without this notebook. Start one in a terminal: flowbook agent start\n"
        "To keep an agent running: systemd, launchd or the Task Scheduler; docs/schedules.md says how.\n"
        "Pause it: flowbook deployment pause 'delays/flights'"
    )


def test_a_deployed_flow_says_how_it_is_run(flow):
    text = deploy_flow(open_store(), flow, "a/b.ipynb")

    assert text == (
        "delays/a-b runs when somebody runs it.\n"
        "The code is kept as it is now: write this line again after a change.\n"
        "Run it: flowbook deployment run 'delays/a-b'. "
        "An agent of this machine runs it, also without this notebook. Start one in a terminal: flowbook agent start"
    )


def test_a_deployment_of_no_notebook_has_a_name_too(flow):
    deploy_flow(open_store(), flow, "")
    deploy_flow(open_store(), flow, "", name="mine")

    assert [each.title for each in open_store().deployments.list()] == ["delays/mine", "delays/notebook"]
