"""`/api/deployments`: made, listed, paused, run and deleted; no flow is loaded in the server."""

import datetime as dt
import json

import pytest

from flowbook import Flow, Parameter, flow, task
from flowbook.deployments import DeploymentSpec, deploy
from flowbook.flow_runners import SubprocessFlowRunner

FLOWS = """
from flowbook import flow, task


@task
def load(n):
    return n * 10


@flow
def nightly(n=2):
    load(n)
"""


@pytest.fixture
def deployed():
    @task
    def load(n):
        return n * 10

    with Flow("nightly") as made:
        load(Parameter("n", default=2)())
    (found,) = deploy(DeploymentSpec("daily", made, schedule="0 6 * * *", parameters={"n": 4}, tags=["db"]))
    return found


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "flows_of_api.py"
    path.write_text(FLOWS)
    return path


def test_deployments_are_listed(call, deployed):
    (found,) = call("GET", "/api/deployments").json()["deployments"]

    assert (found["id"], found["title"], found["tags"]) == (deployed.id, "nightly/daily", ["db"])
    assert found["parameters"] == {"n": 4}
    assert found["next"] > dt.datetime.now(dt.UTC).isoformat()


@pytest.mark.parametrize("name", ["daily", "id", "beginning"])
def test_one_is_shown_with_its_runs(call, deployed, name):
    call("POST", f"/api/deployments/{deployed.id}/run", json={})

    asked = {"daily": "daily", "id": deployed.id, "beginning": deployed.id[:8]}[name]
    found = call("GET", f"/api/deployments/{asked}").json()

    assert [each["state"] for each in found["runs"]] == ["Scheduled"]


def test_a_run_is_made_with_other_parameters(call, deployed, store):
    made = call("POST", "/api/runs", json={"deployment": "nightly/daily", "parameters": {"n": 7}})

    assert made.status_code == 201
    assert made.json()["parameters"] == {"n": 7}
    assert store.runs.get(made.json()["run_id"]).parameters_ref.load() == {"n": 7}
    assert made.json()["deployment"] == deployed.id


def test_a_run_is_made_for_a_later_time_once(call, deployed):
    due = "2199-01-01T06:00:00+01:00"

    first = call("POST", f"/api/deployments/{deployed.id}/run", json={"due": due})
    second = call("POST", f"/api/deployments/{deployed.id}/run", json={"due": due})

    assert (first.status_code, first.json()["due"]) == (201, "2199-01-01T05:00:00Z")
    assert (second.status_code, second.json()["field"]) == (422, "due")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"parameters": {"m": 1}}, "parameters.m"),
        ({"due": "2199-01-01T06:00:00"}, "body.due"),
        ({"due": "9999-12-31T23:59:59-14:00"}, "due"),
        ({"parameter": {}}, "body.parameter"),
        ({"parameters": {"n": float("inf")}}, "body.parameters.n"),
        ({"parameters": {"n": ["\ud800"]}}, "body.parameters.n"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(call, deployed, body, field):
    headers = {**call.headers, "Content-Type": "application/json"}
    answer = call("POST", f"/api/deployments/{deployed.id}/run", content=json.dumps(body), headers=headers)

    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_parameters_that_are_no_plain_data_are_not_loaded(call):
    @flow
    def dated(day, n=1):
        return day, n

    (found,) = deploy(DeploymentSpec("daily", dated, parameters={"day": dt.date(2026, 1, 1)}))

    answer = call("POST", f"/api/deployments/{found.id}/run", json={"parameters": {"n": 2}})

    assert answer.status_code == 422
    assert "flowbook deployment run" in answer.json()["detail"]


def test_a_schedule_is_paused_and_resumed(call, deployed):
    paused = call("POST", f"/api/deployments/{deployed.id}/pause").json()
    resumed = call("POST", f"/api/deployments/{deployed.id}/resume").json()

    assert (paused["paused"], paused["next"]) == (True, None)
    assert resumed["paused"] is False


def test_one_without_a_schedule_is_not_paused(call):
    @flow
    def plain():
        return 1

    (found,) = deploy(DeploymentSpec("by hand", plain))

    assert call("POST", f"/api/deployments/{found.id}/pause").status_code == 422


def test_one_is_deleted_with_the_runs_that_wait(call, deployed, store):
    answer = call("DELETE", f"/api/deployments/{deployed.id}")

    assert answer.json() == {"id": deployed.id, "cancelled": []}
    assert store.deployments.list() == []


def test_one_is_created_from_a_file_in_a_process_of_its_own(call, file, store):
    spec = {"name": "weekly", "flow_location": str(file), "schedule": {"cron": "0 6 * * 1"}, "parameters": {"n": 5}}

    made = call("POST", "/api/deployments", json=spec)

    assert made.status_code == 201, made.text
    assert made.json()["title"] == "nightly/weekly"
    assert [each.title for each in store.deployments.list()] == ["nightly/weekly"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"flow_location": "flows.py"}, "isn't absolute"),
        ({"flow_location": "/nowhere/flows.py"}, "/nowhere/flows.py"),
        ({"name": "a/b"}, "'/'"),
        ({"schedule": {"cron": "often"}}, "often"),
        ({"parameters": {"m": 1}}, "no parameter 'm'"),
        ({"flow_runner": {"type": "space"}}, "'space'"),
        ({"flow_runner": {"type": "subprocess", "image": "flows:2"}}, "no field 'image'"),
        ({"notify": 5}, "notify=5"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused_and_says_why_and_where(call, file, changed, words):
    answer = call("POST", "/api/deployments", json={"name": "weekly", "flow_location": str(file), **changed})

    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert [answer.json()["field"]] == [*changed]
    assert "deployment.yaml" not in answer.json()["detail"]


def test_what_json_holds_arrives_as_it_is(call, file, store):
    sent = {
        "n": {"🎉": "a\x7f\x85\u2028\u2029\ufffeb\nc  ", "small": 1e-05, "large": 1e300, "word": "1e-05", "on": "yes"}
    }

    made = call("POST", "/api/deployments", json={"name": "naïve 🎉", "flow_location": str(file), "parameters": sent})

    assert made.status_code == 201, made.text
    (found,) = store.deployments.list()
    assert (found.name, found.parameters_ref.load()) == ("naïve 🎉", sent)


def test_secrets_of_a_flow_runner_are_masked(call):
    @flow
    def plain():
        return 1

    env = {"DB_PASSWORD": "hunter2", "URL": "postgres://ana:hunter2@host/db", "PLAIN": "shown"}
    deploy(DeploymentSpec("by hand", plain, flow_runner=SubprocessFlowRunner(env=env)))
    call("POST", "/api/runs", json={"deployment": "by hand"})

    found = call("GET", "/api/deployments").text + call("GET", "/api/runs/last").text

    assert "hunter2" not in found
    assert "shown" in found


def test_a_request_that_is_sent_again_makes_one_run(call, deployed, store):
    body = {"run_id": "a-run-of-my-own-0001", "parameters": {"n": 7}}

    answers = [call("POST", f"/api/deployments/{deployed.id}/run", json=body) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["number"] for answer in answers} == {1}
    assert len(store.runs.list()) == 1


def test_an_id_that_another_deployments_run_has_is_refused(call, deployed):
    @flow
    def plain():
        return 1

    (other,) = deploy(DeploymentSpec("by hand", plain))
    body = {"run_id": "a-run-of-my-own-0001"}
    call("POST", f"/api/deployments/{deployed.id}/run", json=body)

    answer = call("POST", f"/api/deployments/{other.id}/run", json=body)

    assert (answer.status_code, answer.json()["field"]) == (409, "run_id")


def test_a_secret_in_a_spec_is_not_echoed(call, file):
    runner = {"type": "subprocess", "env": {"DB_PASSWORD": ["hunter2"]}}

    answer = call("POST", "/api/deployments", json={"name": "a", "flow_location": str(file), "flow_runner": runner})

    assert answer.status_code == 422
    assert "DB_PASSWORD" in answer.json()["detail"]
    assert "hunter2" not in answer.text
