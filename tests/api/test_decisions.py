"""`/api/runs/{run}/cancel|resume|skip|reject|retry`: of runs that a process has, and of runs at rest."""

import datetime as dt
import enum
import pickle
import threading
import uuid
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.engine.events import Decided, InputChange
from flowbook.store import RunRecord, open_store
from tests.api.conftest import approved


def _ask(call, run, action, **body):
    return call("POST", f"/api/runs/{run.run_id}/{action}", json=body)


def test_a_waiting_task_is_resumed_with_a_changed_input(call):
    run = approved().start(record=True)
    run.wait()

    answer = _ask(call, run, "resume", by="ana", note="agreed", tasks=["approve"], inputs={"value": 7})
    found = flowbook.run(run.run_id)
    found.wait()

    assert answer.status_code == 200, answer.text
    assert found.states["approve"].result == 17
    (decision,) = call("GET", f"/api/runs/{run.run_id}").json()["decisions"]
    assert (decision["action"], decision["by"], decision["note"]) == ("resume", "ana", "agreed")
    assert [each["name"] for each in decision["changes"]] == ["value"]
    (got,) = call("GET", f"/api/runs/{run.run_id}/states?task=approve").json()["tasks"]
    assert got["inputs"] == {"value": "7, changed by ana"}


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@task(trigger=triggers.manual_only)
def choose(day, level, pair, number, api_token):
    return f"{day!r} {level} {pair!r} {number!r} {api_token}"


@pytest.fixture
def choice():
    with Flow("chosen") as flow:
        choose(dt.date(2026, 1, 28), Level.LOW, (1, 2), 15, uuid.UUID(int=7))
    run = flow.start(record=True)
    run.wait()
    return run


def test_json_is_read_as_the_date_the_member_and_the_tuple_that_it_replaces(call, choice):
    inputs = {"day": "2026-02-01", "level": "HIGH", "pair": [3, 4], "number": "20"}

    answer = _ask(call, choice, "resume", tasks=["choose"], inputs=inputs)
    found = flowbook.run(choice.run_id)
    found.wait()

    assert answer.status_code == 200, answer.text
    assert found["choose"].result == f"datetime.date(2026, 2, 1) Level.HIGH (3, 4) '20' {uuid.UUID(int=7)}"


@pytest.mark.parametrize(
    ("inputs", "field", "message"),
    [
        ({"level": "MIDDLE"}, "inputs.level", "level is a Level, and 'MIDDLE' isn't. It is one of LOW, HIGH."),
        ({"day": 20}, "inputs.day", "day is a date, and '20' isn't. Write e.g. 2026-01-28."),
        ({"api_token": "hunter2"}, "inputs.api_token", "api_token is a UUID, and what was typed isn't."),
    ],
)
def test_json_of_another_kind_is_refused_before_anything_happens(call, choice, inputs, field, message):
    answer = _ask(call, choice, "resume", tasks=["choose"], inputs=inputs)

    assert answer.status_code == 422
    assert (answer.json()["field"], answer.json()["detail"]) == (field, message)
    assert type(flowbook.run(choice.run_id)["choose"]).__name__ == "Paused"
    assert "hunter2" not in answer.text


@task
def days(number):
    return [dt.date(2026, 1, 1 + each) for each in range(number)]


@task(trigger=triggers.manual_only)
def check(day):
    return day


def _mapped(number):
    with Flow("mapped") as flow:
        check.map(days(number))
    run = flow.start(record=True)
    run.wait()
    return run


def test_json_for_the_only_child_of_a_mapped_task_is_read_as_what_that_waits_with(call):
    run = _mapped(1)

    answer = _ask(call, run, "resume", tasks=["check"], inputs={"day": "2026-02-01"})
    found = flowbook.run(run.run_id)
    found.wait()

    assert answer.status_code == 200, answer.text
    assert found["check[0]"].result == dt.date(2026, 2, 1)


def test_inputs_for_several_children_of_a_mapped_task_are_refused_before_anything_happens(call):
    run = _mapped(2)

    answer = _ask(call, run, "resume", tasks=["check"], inputs={"day": "2026-02-01"})

    assert answer.status_code == 422
    assert (answer.json()["field"], answer.json()["detail"]) == (
        "inputs",
        "Changed inputs are for one task, and 2 wait: check[0] and check[1]. Name the one that gets them.",
    )
    assert type(flowbook.run(run.run_id).state).__name__ == "Paused"


def test_what_waits_is_told(call):
    run = approved().start(record=True)
    run.wait()

    (waiting,) = call("GET", f"/api/runs/{run.run_id}").json()["waiting"]

    assert (waiting["task"], waiting["inputs"]) == ("approve", {"value": "41, from load"})


@pytest.mark.parametrize(("action", "state"), [("skip", "Skipped"), ("reject", "Failed")])
def test_a_waiting_task_is_skipped_or_rejected(call, action, state):
    run = approved().start(record=True)
    run.wait()

    answer = _ask(call, run, action, by="ana", note="why not")
    found = flowbook.run(run.run_id)
    found.wait()

    assert answer.status_code == 200, answer.text
    assert type(found.states["approve"]).__name__ == state


def test_a_run_at_rest_is_cancelled(call):
    run = approved().start(record=True)
    run.wait()

    answer = _ask(call, run, "cancel", by="ana")
    found = flowbook.run(run.run_id)
    found.wait()

    assert answer.status_code == 200, answer.text
    assert type(found.state).__name__ == "Cancelled"


def test_a_run_that_goes_on_is_cancelled(call):
    may_end = threading.Event()

    @task
    def slow():
        may_end.wait(20)

    @task
    def after(_before):
        return 1

    with Flow("slow") as flow:
        after(slow())
    run = flow.start(record=True)

    answer = _ask(call, run, "cancel", by="ana")
    may_end.set()
    run.wait()

    assert (answer.status_code, answer.json()["state"]) == (200, "Cancelling"), answer.text
    assert type(run.state).__name__ == "Cancelled"


def test_what_failed_is_retried(call, tmp_path):
    path = str(tmp_path / "there")

    @task
    def read():
        return Path(path).stat().st_size

    with Flow("reading") as flow:
        read()
    run = flow.start(record=True)
    run.wait()
    (tmp_path / "there").write_text("four")

    answer = _ask(call, run, "retry")
    found = flowbook.run(run.run_id)
    found.wait()

    assert answer.status_code == 200, answer.text
    assert found.states["read"].result == 4


def test_of_what_failed_only_the_tasks_named_are_retried(call, tmp_path):
    folder = str(tmp_path)

    @task
    def read(name):
        return (Path(folder) / name).stat().st_size

    with Flow("reading") as flow:
        read.map(["one", "two"])
    run = flow.start(record=True)
    run.wait()
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)

    answer = _ask(call, run, "retry", tasks=["read[1]"])
    found = flowbook.run(run.run_id)
    found.wait()

    assert answer.status_code == 200, answer.text
    assert [type(state).__name__ for state in found.states["read"].map_states] == ["Failed", "Success"]


@pytest.mark.parametrize(
    ("action", "body", "status", "field", "words"),
    [
        ("resume", {"tasks": ["nothing"]}, 404, "tasks", "has no task 'nothing'"),
        ("resume", {"inputs": {"value": 1}}, 422, "inputs", "none is named"),
        ("resume", {"tasks": ["approve"], "inputs": {"other": 1}}, 422, "inputs.other", "Its inputs: value"),
        ("resume", {"tasks": ["load"]}, 409, None, "load doesn't wait for a decision"),
        ("retry", {}, 409, None, "Nothing failed"),
        ("resume", {"task": "approve"}, 422, "body.task", "Extra inputs are not permitted"),
        ("cancel", {"now": "yes"}, 422, "body.now", "valid boolean"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_and_says_why(call, action, body, status, field, words):  # noqa: PLR0913
    run = approved().start(record=True)
    run.wait()

    answer = _ask(call, run, action, **body)

    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert words in answer.json()["detail"]


def test_a_second_answer_is_refused(call):
    run = approved().start(record=True)
    run.wait()
    _ask(call, run, "resume")
    flowbook.run(run.run_id).wait()

    answer = _ask(call, run, "resume", tasks=["approve"])

    assert answer.status_code == 409


def test_a_run_is_resumed_by_another_process_and_nothing_is_unpickled_here(call, monkeypatch):
    run = approved().start(record=True)
    run.wait()

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr("flowbook.results.serializer.load", refuse)
    answer = _ask(call, run, "resume")
    monkeypatch.undo()

    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] in {"Submitted", "Running", "Success"}


def test_a_flow_that_could_not_be_stored_is_named(call):
    lock = threading.Lock()

    @task(trigger=flowbook.triggers.manual_only)
    def use():
        return lock.locked()

    with Flow("locked") as flow:
        use()
    run = flow.start(record=True)
    run.wait()

    answer = _ask(call, run, "resume")

    assert answer.status_code == 409
    assert "its flow" in answer.json()["detail"]
    assert open_store().runs.summary(run.run_id).state == "Paused"


def test_no_secret_is_shown_in_what_a_person_changed(call, store):
    store.runs.create(RunRecord("run-1", "f", "p", {"name": "f", "tasks": []}, owner="here"))
    changes = [
        InputChange("api_token", "a", "b", "'hunter2' → 'x'"),
        InputChange("dsn", "a", "b", "'password=hunter2' → 'host=db'"),
        InputChange("threshold", "a", "b", "15 → 20"),
    ]
    recorder = store.runs.recorder("run-1", 1)
    recorder.emit(Decided(1, "agree", 1.0, "resume", "ana", "", changes))
    recorder.close()

    told = call("GET", "/api/runs/run-1").json()["decisions"][0]["changes"]
    events = call("GET", "/api/runs/run-1/events").json()

    assert {each["name"]: each["text"] for each in told} == {
        "api_token": "",
        "dsn": "'password=*****' → 'host=db'",
        "threshold": "15 → 20",
    }
    assert "hunter2" not in str(events)
