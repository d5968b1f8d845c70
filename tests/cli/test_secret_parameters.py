"""A secret parameter is shown nowhere as the input that it becomes, whatever a task calls it: no command, answer, page or log."""

import datetime as dt
import json
import logging

import pytest

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.cli.main import main
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.panel_records import PanelRecords
from flowbook.notebook.run_report import write_report
from flowbook.notebook.run_text import summary
from flowbook.pages.stored_run import StoredRun
from flowbook.store import open_store
from flowbook.triggers import manual_only
from tests.api.conftest import Client, app_with_pages
from tests.notebook.recorded import RecordedPanel, report_text, unpacked

#: In each secret, and in nothing else.
SECRET = "tok-5f3a9c71e2"
#: What is no secret and has to be seen still.
ORDINARY = "lighthouse"


@task
def fetch(t, place):
    with_mark = f"{t}!"
    raise ValueError(f"no rows, {len(with_mark)} {len(place)}")


@task(trigger=manual_only)
def ask(t, place):
    """Is this the right account?"""
    return len(t + place)


@task(trigger=manual_only)
def ask_each(t):
    return len(t)


@task
def fetch_each(t):
    raise ValueError(f"no rows, {len(t)}")


@task(cache_for=dt.timedelta(days=1))
def kept(t, place):
    return len(t + place)


@task(cache=True)
def kept_by_inputs(t, place):
    return len(t + place)


@task(trigger=manual_only)
def ask_all(several):
    return len(several)


@task(trigger=manual_only)
def ask_after(failed, t):
    return failed, len(t)


def _flow():
    with Flow("secretive") as flow:
        token = Parameter("api_token")
        tokens = Parameter("api_tokens", default=[f"{SECRET}-first", f"{SECRET}-second"])
        place = Parameter("place", default=ORDINARY)
        ask(token, place)
        ask_each.map(tokens)
        fetch_each.map(tokens)
        kept(token, place)
        kept_by_inputs(token, place)
        ask_all([token, place])
        ask_after(fetch(token, place), token)
    return flow


@pytest.fixture
def flow(caplog, monkeypatch):
    """Run a flow twice, with another secret; in the first run, people change secrets that tasks wait with."""
    monkeypatch.setenv("FLOWBOOK_PROJECT", "test")
    caplog.set_level(logging.DEBUG)
    flow = _flow()
    flow.run({"api_token": SECRET}, record=True, progress=False)
    first = flow.last_run
    first.resume("ask", by="ana", inputs={"t": f"{SECRET}-changed"})
    first.wait(20)
    first.resume("ask_each[0]", by="ana", inputs={"t": f"{SECRET}-changed"})
    first.wait(20)
    flow.run({"api_token": f"{SECRET}-other"}, record=True, progress=False)
    return flow


TASKS = ("ask", "ask_each", "ask_each[0]", "ask_each[1]", "fetch", "fetch_each", "fetch_each[0]", "kept")
TASKS += ("kept_by_inputs", "ask_all", "ask_after")


def _commands(capsys):
    for run in ("1", "2"):
        asked = [("run", "inspect", run), ("run", "inspect", run, "--traceback"), ("run", "logs", run)]
        asked += [("run", "inspect", run, key) for key in TASKS]
        for words in asked:
            yield from _said(capsys, *words)
    yield from _said(capsys, "run", "ls")
    yield from _said(capsys, "cache", "ls")
    for entry in open_store().cache.entries():
        yield from _said(capsys, "cache", "show", entry.id)


def _said(capsys, *words):
    for option in ((), ("--json",)):
        capsys.readouterr()
        assert main([*words, *option]) == 0
        yield " ".join([*words, *option]), "".join(capsys.readouterr())


def _answers():
    paths = ["runs", "cache", *(f"cache/{each.id}" for each in open_store().cache.entries())]
    for run in ("1", "2"):
        paths += [f"runs/{run}", *(f"runs/{run}/{what}" for what in ("states", "events", "logs", "graph"))]
        paths += [f"runs/{run}/states?task={key}" for key in TASKS]
    with app_with_pages(open_store()) as app:
        for path in paths:
            found = Client(app)("GET", f"/api/{path}")
            assert found.status_code == 200, found.text
            yield path, found.text


def _panels(flow):
    """Give what views of a recorded run are told: of a panel, and of a page; and what a notebook keeps."""
    for number in (1, 2):
        run = flowbook.run(number, flow)
        for of, shown in (("panel", run), ("page", StoredRun(open_store(), run.run_id))):
            yield from _panel(f"{of} {number}", shown)
        yield f"text {number}", summary(run)


def _panel(name, run):
    records = PanelRecords(run.flow_name, lambda: run)
    actions = PanelActions(history=records.history, decisions_before=records.decisions, why_ran=records.why_ran)
    panel = RecordedPanel(run, actions)
    for key in run.states:
        panel.hear("inspect", key=key)
    panel.hear("logs")
    panel.hear("children", key="fetch_each")
    yield name, json.dumps([panel.graph, panel.snapshot, panel.sent])
    yield f"{name}, kept", json.dumps([unpacked(panel.kept(500_000)), panel.picture(), panel.picture_text()])
    panel.close()


WAYS = {
    "commands": lambda _, capsys: _commands(capsys),
    "api": lambda *_: _answers(),
    "panels": lambda flow, _: _panels(flow),
    "plan": lambda flow, _: [("plan", flow.plan({"api_token": f"{SECRET}-third"}).to_frame().to_csv())],
    "compared": lambda *_: [("compared", str(flowbook.run(1).compare(flowbook.run(2)).to_frame().to_dict()))],
    "states": lambda flow, _: [("states", repr(flow.last_run.states))],
    "history": lambda flow, _: [(key, str(flow.history(key).to_dict())) for key in TASKS if "[" not in key],
}


@pytest.mark.parametrize("way", WAYS)
def test_no_secret_of_a_parameter_is_shown_as_an_input(way, flow, capsys):
    told = dict(WAYS[way](flow, capsys))

    assert told
    assert {name: _around(text) for name, text in told.items() if SECRET in text} == {}


def _around(text):
    place = text.index(SECRET)
    return text[max(0, place - 100) : place + 50]


@pytest.mark.usefixtures("flow")
def test_the_log_shows_none_not_even_among_the_values_where_a_task_failed(caplog):
    said = "\n".join(map(logging.Formatter().format, caplog.get_records("setup")))

    assert "kept" in said
    assert ORDINARY in said
    assert SECRET not in said


def test_a_report_holds_none(flow, tmp_path):
    write_report(flowbook.run(1, flow), tmp_path / "report.html")

    told = report_text(tmp_path / "report.html")
    assert ORDINARY in told
    assert SECRET not in told
