"""`/api/runs`."""

import datetime as dt

import pytest

from flowbook import Flow, Parameter, task
from tests.api.conftest import approved, simple


def test_runs_are_listed_the_newest_first_and_page_by_page(call):
    runs = [simple().start(record=True).wait() for _ in range(5)]

    pages, before = [], ""
    while before is not None:
        page = call("GET", f"/api/runs?limit=2{before and f'&before={before}'}").json()
        pages.append([each["number"] for each in page["runs"]])
        before = page["next"]

    assert pages == [[5, 4], [3, 2], [1]]
    assert len(runs) == 5


def test_a_run_is_shown_with_what_it_did(call):
    run = simple().start({"origin": "EWR"}, record=True)
    run.wait()

    found = call("GET", f"/api/runs/{run.run_id}").json()

    assert (found["flow"], found["number"], found["state"]) == ("simple", 1, "Success")
    assert found["parameters"] == {"origin": "EWR"}
    assert found["tasks"] == {"Success": 2}
    assert found["started"].endswith("Z")
    assert found["waiting"] == found["decisions"] == []


@pytest.mark.parametrize("name", ["last", "simple", "1", "simple 1"])
def test_a_run_is_found_by_what_people_call_it(call, name):
    run = simple().start(record=True)
    run.wait()

    assert call("GET", f"/api/runs/{name}").json()["run_id"] == run.run_id


def test_states_are_listed_as_they_are_and_as_they_were(call):
    run = simple().start(record=True)
    run.wait()
    began = dt.datetime.fromtimestamp(run.states["load"].at, dt.UTC) - dt.timedelta(days=1)

    now = call("GET", f"/api/runs/{run.run_id}/states").json()
    before = call("GET", f"/api/runs/{run.run_id}/states", params={"at": began.isoformat()}).json()

    assert {each["task"]: each["state"] for each in now["tasks"]} == dict.fromkeys(
        ("origin", "load", "total"), "Success"
    )
    assert {each["task"]: each["value"] for each in now["tasks"]}["total"] == "6"
    assert {each["state"] for each in before["tasks"]} == {"Pending"}


def test_a_failed_task_shows_what_it_raised(call):
    @task
    def divide():
        return 1 / 0

    with Flow("failing") as flow:
        divide()
    run = flow.start(record=True)
    run.wait()

    (shown,) = call("GET", f"/api/runs/{run.run_id}/states?task=divide").json()["tasks"]

    assert shown["error"]["type"] == "ZeroDivisionError"
    assert "1 / 0" in shown["error"]["traceback"]


def test_events_come_in_order_and_page_by_page(call):
    run = simple().start(record=True)
    run.wait()

    first = call("GET", f"/api/runs/{run.run_id}/events?limit=3").json()
    rest = call("GET", f"/api/runs/{run.run_id}/events?since={first['next']}").json()

    numbers = [each["seq"] for each in (*first["events"], *rest["events"])]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (first["more"], rest["more"]) == (True, False)
    assert {each["kind"] for each in (*first["events"], *rest["events"])} == {"state", "log"}


@pytest.mark.parametrize("part", ["states", "logs"])
def test_a_task_that_a_run_does_not_have_is_said_to_be_none(call, part):
    run = simple().start(record=True)
    run.wait()

    answer = call("GET", f"/api/runs/{run.run_id}/{part}?task=lead")

    assert answer.status_code == 404
    assert (
        answer.json()["detail"]
        == f"Run {run.number} of 'simple' has no task 'lead'. Its tasks: origin, load and total."
    )
    assert answer.json()["field"] == "task"


def test_logs_timeline_and_graph(call):
    run = simple().start(record=True)
    run.wait()

    logs = call("GET", f"/api/runs/{run.run_id}/logs").json()
    timeline = call("GET", f"/api/runs/{run.run_id}/timeline").json()
    graph = call("GET", f"/api/runs/{run.run_id}/graph").json()

    assert [(each["task"], each["text"]) for each in logs["lines"]] == [("load", "from JFK")]
    assert [each["task"] for each in timeline["spans"]][-2:] == ["load", "total"]
    assert {each["key"]: each["inputs"] for each in graph["tasks"]} == {
        "origin": {},
        "load": {"origin": "origin"},
        "total": {"values": "load"},
    }


def test_runs_are_filtered_by_flow_and_state(call):
    simple().start(record=True).wait()
    waiting = approved().start(record=True)
    waiting.wait()

    assert [each["flow"] for each in call("GET", "/api/runs?state=paused").json()["runs"]] == ["approved"]
    assert [each["flow"] for each in call("GET", "/api/runs?flow=simple").json()["runs"]] == ["simple"]
    refused = call("GET", "/api/runs?state=sleepy")
    assert (refused.status_code, refused.json()["field"]) == (422, "state")


def test_a_run_is_deleted(call, store):
    run = simple().start(record=True)
    run.wait()

    deleted = call("DELETE", f"/api/runs/{run.run_id}")

    assert deleted.json()["number"] == 1
    assert store.runs.list() == []
    assert call("GET", f"/api/runs/{run.run_id}").status_code == 404


def test_flows_are_listed_with_their_newest_run(call):
    for _ in range(2):
        simple().start(record=True).wait()

    (flow,) = call("GET", "/api/flows").json()["flows"]

    assert (flow["flow"], flow["runs"], flow["last"]["number"]) == ("simple", 2, 2)


def test_not_a_number_becomes_null(call):
    @task
    def use(limit):
        return limit

    with Flow("odd") as flow:
        use(Parameter("limit")())
    run = flow.start({"limit": float("nan")}, record=True)
    run.wait()

    assert call("GET", f"/api/runs/{run.run_id}").json()["parameters"] == {"limit": None}
