"""No command, answer of the API, list, page or log shows a secret: one of flowbook's, or one that sounds so by its name."""

import importlib.util
import json
import logging
import sys

import pytest

import flowbook
from flowbook import config
from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from flowbook.cli.main import main
from flowbook.notebook.cache_rows import parameters_text
from flowbook.notebook.run_overview import overview
from flowbook.notebook.runs_view import runs_view
from flowbook.pages.stored_run import StoredRun
from flowbook.report.error_view import describe_error
from flowbook.store import open_store
from tests.api.conftest import TOKEN, Client

#: In the environment, and in the code under a name that tells nothing.
OF_ENVIRONMENT = "env-value-71"
#: In the code, under names that sound secret.
IN_CODE = ("first-code-value-72", "second-code-value-73")
#: Given to the runs.
GIVEN = ("first-given-74", "second-given-75")
SECRETS = (OF_ENVIRONMENT, *IN_CODE, *GIVEN)

CODE = """
from datetime import timedelta
from flowbook import Flow, Parameter, task

@task(cache_for=timedelta(days=1))
def load(db_password):
    token = "IN_CODE"
    return {"api_key": db_password, "rows": len(token)}

@task
def report(loaded, db_password):
    place = "OF_ENVIRONMENT"
    raise ValueError(f"{place} has no {db_password!r}"[:0] + "no rows")

with Flow("secretive") as flow:
    password = Parameter("db_password", default="x")()
    report(load(password), password)
"""


@pytest.fixture
def runs(tmp_path, monkeypatch, caplog):
    """Run a flow twice: with other code and other parameters."""
    monkeypatch.setenv("FLOWBOOK_SECRET_PLACE", OF_ENVIRONMENT)
    caplog.set_level(logging.DEBUG)
    for number, (code, given) in enumerate(zip(IN_CODE, GIVEN, strict=True)):
        file = tmp_path / f"flow_{number}.py"
        file.write_text(CODE.replace("IN_CODE", code).replace("OF_ENVIRONMENT", OF_ENVIRONMENT))
        spec = importlib.util.spec_from_file_location("secretive_flow", file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "secretive_flow", module)
        spec.loader.exec_module(module)
        module.flow.run({"db_password": given}, record=True)
    return module.flow


def _said(capsys, *words):
    capsys.readouterr()
    assert main(words) == 0
    return "".join(capsys.readouterr())


def _answer(path):
    found = Client(create_app(open_store(), ApiSettings(token=TOKEN)))("GET", path)
    assert found.status_code == 200, found.text
    return found.text


def _entry():
    return open_store().cache.entries()[0].id


def _compared(_flow, _capsys):
    found = flowbook.run("secretive 1").compare(flowbook.run("secretive 2"))
    return f"{found!r} {found._repr_mimebundle_()} {found.plain()} {found.to_frame().to_dict()}"


COMMANDS = {
    " ".join(words): words
    for words in (
        ("run", "ls"),
        ("run", "ls", "--json"),
        ("run", "inspect", "last"),
        ("run", "inspect", "last", "--traceback"),
        ("run", "inspect", "last", "--json"),
        ("run", "inspect", "last", "report"),
        ("run", "inspect", "last", "report", "--json"),
        ("run", "inspect", "last", "load"),
        ("run", "logs", "last"),
        ("run", "logs", "last", "--json"),
        ("cache", "ls"),
        ("cache", "ls", "--json"),
    )
}
PATHS = (
    "runs",
    "runs/last",
    *(f"runs/last/{what}" for what in ("states", "events", "logs", "timeline", "graph")),
    "flows",
    "cache",
)
OTHERS = {
    "cache show": lambda _, capsys: _said(capsys, "cache", "show", _entry()),
    "cache show --json": lambda _, capsys: _said(capsys, "cache", "show", _entry(), "--json"),
    "api cache entry": lambda *_: _answer(f"/api/cache/{_entry()}"),
    "api states of a task": lambda *_: _answer("/api/runs/last/states?task=report"),
    "compared": _compared,
    "side bar": lambda *_: json.dumps(overview(open_store())),
    "tab Runs": lambda *_: repr(runs_view(open_store(), "secretive", config.project(), 5)),
    "cache browser": lambda *_: "".join(parameters_text(each.parameters) for each in open_store().cache.entries()),
    "flowbook.runs": lambda *_: str(flowbook.runs().to_dict()),
    "flow.history": lambda flow, _: str(flow.history("load")["parameters"].tolist()),
    "flowbook.cache.entries": lambda *_: str(flowbook.cache.entries()["parameters"].tolist()),
    "plan": lambda flow, _: repr(flow.plan({"db_password": GIVEN[0]})),
    "page": lambda *_: str(StoredRun(open_store(), flowbook.run("last").run_id).parameters),
}
WAYS = {
    **{name: lambda _, capsys, words=words: _said(capsys, *words) for name, words in COMMANDS.items()},
    **{f"api {path}": lambda *_, path=path: _answer(f"/api/{path}") for path in PATHS},
    **OTHERS,
}


@pytest.mark.parametrize("way", WAYS)
def test_no_secret_is_shown(way, runs, capsys):
    said = WAYS[way](runs, capsys)

    assert said
    assert [each for each in SECRETS if each in said] == []


@pytest.mark.usefixtures("runs")
def test_the_log_shows_none(caplog):
    said = "\n".join(map(logging.Formatter().format, caplog.get_records("setup")))

    assert "secretive run 2 started" in said
    assert [each for each in SECRETS if each in said] == []


@pytest.mark.usefixtures("runs")
def test_a_panel_or_page_of_the_run_shows_none_in_what_failed():
    run = flowbook.run("last")
    stored = StoredRun(open_store(), run.run_id)

    cards = [describe_error(each.states["report"].result, hide=each.hide) for each in (run, stored)]

    assert all('place = "*****"' in repr(card) for card in cards)
    assert [each for each in SECRETS for card in cards if each in repr(card)] == []
