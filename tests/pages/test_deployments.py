"""Deployments on their page: what they say, and what a person decides."""

import datetime as dt

import pytest

import flowbook
from flowbook.deployments import DeploymentSpec, IntervalSchedule, deploy
from tests.pages import flows


@pytest.fixture
def deployed(store):
    """Return the id of a deployment that runs every hour."""
    assert store is not None
    (found,) = deploy(DeploymentSpec("nightly", flows.failing(), schedule=IntervalSchedule(3600)))
    return found.id


def row(call):
    (found,) = call("GET", "/live/deployments").json()["deployments"]
    return found


@pytest.mark.usefixtures("deployed")
def test_a_deployment_says_when_it_runs_next(call):
    now = dt.datetime.now(dt.UTC).timestamp()

    found = row(call)

    assert (found["flow"], found["name"], found["scheduled"], found["paused"]) == ("jfk_days", "nightly", True, False)
    assert found["when"] == IntervalSchedule(3600).describe()
    assert len(found["next"]) == 5
    assert found["next"][0] > now
    assert found["last"] is None


def test_its_schedule_is_paused_and_goes_on(call, deployed):
    paused = call("POST", f"/live/deployments/{deployed}", json={"action": "pause"}).json()
    then = row(call)
    again = call("POST", f"/live/deployments/{deployed}", json={"action": "go-on"}).json()

    assert (paused["ok"], paused["text"]) == (True, "jfk_days/nightly is paused: its schedule makes no runs.")
    assert (then["paused"], then["next"]) == (True, [])
    assert again["ok"]
    assert row(call)["paused"] is False


def test_it_is_run_now_in_a_process_of_its_own(call, deployed):
    said = call("POST", f"/live/deployments/{deployed}", json={"action": "run"}).json()
    run = flowbook.run(said["run"])
    run.wait(30)

    assert said["text"] == "jfk_days/nightly: run 1 is started."
    assert (type(run.state).__name__, row(call)["last"]["state"]) == ("Failed", "Failed")


@pytest.mark.parametrize("action", ["delete", "", None, ["pause"]])
def test_other_actions_are_refused(call, deployed, action):
    assert call("POST", f"/live/deployments/{deployed}", json={"action": action}).json()["ok"] is False
    assert call("POST", "/live/deployments/nobody", json={"action": "pause"}).json()["ok"] is False
