"""`flowbook.serve`: a schedule and an agent within a process, for one flow, in real processes."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.deployments import CronSchedule, DeploymentSpec, IntervalSchedule, deploy
from flowbook.deployments.due_runs import create_run, schedule_due_runs
from flowbook.exceptions import FlowbookError
from flowbook.store import open_store

LONG_S = 40.0


@pytest.fixture
def flow():
    with Flow("delays") as flow:
        task(lambda limit: limit * 10, name="load")(Parameter("limit", default=3))
    return flow


@pytest.fixture
def serve():
    """Return `flowbook.serve`; what it serves is stopped at the end."""
    served = []

    def start(*args, **options):
        served.append(flowbook.serve(*args, **options))
        return served[-1]

    yield start
    for each in served:
        each.stop()
        each.stop()
        each.wait()


def wait_for(condition):
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def states():
    return [run.state for run in open_store().runs.list()]


@pytest.mark.acceptance
def test_a_flow_is_served_in_processes_until_it_is_stopped(serve, flow):
    served = serve(flow, "every 2 seconds", parameters={"limit": 5})
    wait_for(lambda: states().count("Success") >= 2)

    served.stop()
    served.wait()

    runs = open_store().runs.list()
    assert {run.state for run in runs} <= {"Success", "Cancelled"}
    assert flowbook.run(runs[0].run_id)["load"].result == 50
    gaps = [later - due for due, later in itertools.pairwise(sorted(run.due for run in runs))]
    # A run whose process starts slowly stands for the times that pass meanwhile.
    assert min(gaps) >= dt.timedelta(seconds=2)
    assert {gap % dt.timedelta(seconds=2) for gap in gaps} == {dt.timedelta(0)}
    assert (served.next(), repr(served)) == (None, "delays/served was served until it was stopped.")
    assert open_store().deployments.get(served.deployment.id).schedule is None


@pytest.mark.acceptance
def test_runs_of_other_deployments_are_left_to_agents(serve, flow):
    (other,) = deploy(DeploymentSpec("other", flow))
    left = create_run(open_store(), other)
    served = serve(flow, "every 1 second")

    wait_for(lambda: states().count("Success") >= 1)
    served.stop()

    assert open_store().runs.summary(left.run_id).state == "Scheduled"


def test_what_is_served_has_no_schedule_that_outlives_it(serve, flow):
    served = serve(flow, "0 6 * * *", timezone="Europe/Berlin")

    assert schedule_due_runs(open_store(), dt.datetime.now(dt.UTC) + dt.timedelta(days=3)) == []
    assert served.schedule == CronSchedule("0 6 * * *", "Europe/Berlin")
    assert re.fullmatch(
        r"delays/served runs at 06:00 every day, Europe/Berlin; next: \w+ \d+ \w+( \d{4})? 06:00 CES?T, in .*\. "
        r"It ends with this process, or with stop\(\)\.",
        repr(served),
    )
    assert served.next() == served.schedule.next(dt.datetime.now(dt.UTC))


def test_a_flow_that_is_served_again_has_the_new_schedule_alone(serve, flow):
    first = serve(flow, "every 1 second")
    wait_for(states)

    second = serve(flow, "0 6 * * *")
    first.wait()

    assert (first.deployment.id, first.next(), second.next() is None) == (second.deployment.id, None, False)
    assert "Scheduled" not in states()


SCRIPT = """
import signal
import sys
import flowbook
from flowbook import Flow, task

@task
def load():
    return 7

with Flow("scripted") as flow:
    load()

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    served = flowbook.serve(flow, "every 1 second")
    print(served, flush=True)
    served.wait()
    print("over", flush=True)
"""


@pytest.mark.acceptance
def test_a_script_serves_until_ctrl_c(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True, env=env)
    assert script.stdout.readline().startswith("scripted/served runs every second; next: ")
    wait_for(lambda: "Success" in states())

    script.send_signal(signal.SIGINT)
    rest, _ = script.communicate(timeout=LONG_S)

    assert (rest.splitlines()[-1], script.returncode) == ("over", 0)
    assert {run.state for run in open_store().runs.list()} <= {"Success", "Cancelled"}


WRONG = {
    "no schedule": (
        lambda flow: flowbook.serve(flow, None),
        "There is no schedule. Give e.g. flowbook.serve(flow, '0 6 * * *'), or call flow.run() to run it once.",
    ),
    "a wrong schedule": (
        lambda flow: flowbook.serve(flow, "every now and then"),
        "'every now and then' isn't understood. Write e.g. 'every 2 hours', or a cron line such as '0 6 * * *'.",
    ),
    "no flow": (
        lambda _: flowbook.serve(print, IntervalSchedule(60)),
        "Deployment 'served': flow=<built-in function print> isn't a flow. Give the flow itself, not its function or name.",
    ),
    "no limit": (
        lambda flow: flowbook.serve(flow, dt.timedelta(hours=1), limit=0),
        "limit=0 isn't a number of runs. Give 1 or more.",
    ),
    "a parameter too many": (
        lambda flow: flowbook.serve(flow, "@daily", parameters={"day": 1}),
        "Deployment 'served': flow 'delays' has no parameter 'day'. Its parameters: limit.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_refused_in_words(case, flow):
    wrong, message = WRONG[case]

    with pytest.raises(FlowbookError) as caught:
        wrong(flow)

    assert (str(caught.value), open_store().deployments.list()) == (message, [])
