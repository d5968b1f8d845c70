"""The server unpickles nothing, whatever lies in the store, and shows no secret, whatever is asked."""

import datetime as dt
import logging
import os
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, Parameter, context, task, triggers
from flowbook.deployments import DeploymentSpec, deploy
from flowbook.flow_runners import SubprocessFlowRunner
from flowbook.store import MemoryStore
from tests.api.conftest import TOKEN, Client, approved
from tests.api.test_matrix import _app

SECRET = "hunter2-is-no-secret"
MARK = "FLOWBOOK_TEST_MARK"


def note():
    """Say which process has loaded a poisoned pickle."""
    with Path(os.environ[MARK]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return "poison"


class Poison:
    def __reduce__(self):
        return note, ()

    def __repr__(self):
        return "<poison>"


def _paths(method):
    with MemoryStore() as store:
        document = _app(store).openapi()
    return [path for path, methods in document["paths"].items() if method in methods and not path.endswith("/stream")]


def _poisoned():
    @task(cache_for=dt.timedelta(days=1))
    def make(_n):
        return Poison()

    @task(trigger=triggers.manual_only)
    def approve(value, n):
        return value, n

    @task
    def fail(value):
        raise ValueError(value)

    with Flow("poisoned") as flow:
        n = Parameter("n", default=None)()
        made = make(n)
        approve(made, n)
        fail(made)
    return flow


@pytest.fixture
def mark(tmp_path, monkeypatch):
    monkeypatch.setenv(MARK, str(tmp_path / "mark"))
    return tmp_path / "mark"


@pytest.fixture
def poisoned(mark, call, store):
    """Return the names in paths for a store with poison wherever values are, and what has been loaded so far."""
    flow = _poisoned()
    run = flow.start({"n": Poison()}, record=True, context={"poison": Poison()})
    run.wait()
    (deployment,) = deploy(DeploymentSpec("daily", flow, parameters={"n": Poison()}))
    call("POST", "/api/runs", json={"deployment": "daily"})
    entry = store.cache.entries()[0].id
    mark.write_text("")
    return {
        "run_id": run.run_id,
        "deployment": deployment.id,
        "entry": entry,
        "number": "1",
        "digest": "0" * 64,
        "name": "x",
    }


def test_no_answer_loads_a_pickle(call, poisoned, mark):
    for path in _paths("get"):
        call("GET", path.format(**poisoned), params={"size": 1})
    waiting = call("GET", f"/api/runs/{poisoned['run_id']}").json()["waiting"]

    assert mark.read_text() == ""
    assert [each["task"] for each in waiting] == ["approve"]


def test_no_change_loads_a_pickle_in_the_server(call, poisoned, mark):
    bodies = {"resume": {"tasks": ["approve"], "inputs": {"n": 1}}}
    for path in _paths("post"):
        if path.startswith(("/api/deployments/", "/api/cache/")) or path == "/api/runs":
            call("POST", path.format(**poisoned), json={"deployment": "daily"} if path == "/api/runs" else {})
    answer = call("POST", f"/api/runs/{poisoned['run_id']}/resume", json=bodies["resume"])
    loaded_here = str(os.getpid()) in mark.read_text().split()
    flowbook.run(poisoned["run_id"]).wait()

    assert answer.status_code == 200, answer.text
    assert not loaded_here
    assert set(mark.read_text().split()) - {str(os.getpid())}  # the run's own process has


def test_no_secret_is_in_any_answer_or_log(call, monkeypatch, caplog):
    monkeypatch.setenv("FLOWBOOK_SECRET__KEY", SECRET)
    caplog.set_level(logging.DEBUG)

    @task(log_stdout=True)
    def use():
        print(context.secrets["key"])  # noqa: T201
        password = SECRET
        raise ValueError(len(password))

    with Flow("secretive") as flow:
        use()
    runner = SubprocessFlowRunner(env={"DB_PASSWORD": SECRET, "URL": f"https://ana:{SECRET}@host"})
    deploy(DeploymentSpec("daily", flow, flow_runner=runner, notify=f"mailto://ana:{SECRET}@example.com"))
    call("POST", "/api/runs", json={"deployment": "daily"})
    call("POST", "/api/receivers", json={"to": f"mailto://ana:{SECRET}@example.com"})
    flow.start(record=True, context={"secrets": {"key": SECRET}}).wait()
    caplog.clear()
    names = {"run_id": "last", "deployment": "daily", "entry": "x", "number": "1", "digest": "0" * 64, "name": "x"}

    answers = [call("GET", path.format(**names)) for path in _paths("get")]
    answers += [call("GET", f"/api/runs?token={TOKEN}x"), call("GET", f"/nothing?token={TOKEN}")]
    answers += [Client(call.app, {})("GET", f"/api/runs?token={TOKEN}x")]

    said = "".join(f"{answer.text}{answer.headers}" for answer in answers)
    said += "".join(each.getMessage() for each in caplog.records if not each.name.startswith("httpx"))
    assert SECRET not in said
    assert TOKEN not in said


def test_a_fault_of_the_server_shows_nothing_from_inside(call, monkeypatch):
    approved().start(record=True).wait()

    def broken(*_, **__):
        raise RuntimeError(SECRET)

    monkeypatch.setattr("flowbook.api.runs.run_page", broken)
    answer = call("GET", "/api/runs")

    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"
