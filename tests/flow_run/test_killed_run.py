"""A run whose process was killed: lists, commands, the API, pages and notebooks say the same of its tasks."""

import dataclasses
import json

import pytest

import flowbook
from flowbook import config
from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from flowbook.cli.main import main
from flowbook.flow_run.process_end import record_lost
from flowbook.notebook.panel_session import PanelSession
from flowbook.notebook.run_overview import overview
from flowbook.notebook.runs_view import runs_view
from flowbook.pages.stored_run import StoredRun
from flowbook.store import open_store
from tests.api.conftest import TOKEN, Client
from tests.killed_runs import KILLED, killed_run

STATES = {"first": "Success", "each": "Pending", "each[0]": "Success", "each[1]": "Pending", "last": "Pending"}
SAYS = "Its process ended while it ran; it is to run again."


@pytest.fixture
def run_id(home, tmp_path):
    return killed_run(home, tmp_path, KILLED)


def _command(_, capsys):
    main(["run", "inspect", "last", "--all"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    return {row[0]: row[2] for row in rows if row and row[0] in STATES}


def _listed(tasks):
    """Return the states in a list in which a mapped task is one that is mapped, so that its children tell."""
    found = {each["task"]: each["state"] for each in tasks}
    assert found.pop("each") == "Mapped"
    return {"each": "Pending", **found}


def _json(_, capsys):
    main(["run", "inspect", "last", "--json"])
    return _listed(json.loads(capsys.readouterr().out)["states"])


def _api(run_id, _):
    call = Client(create_app(open_store(), ApiSettings(token=TOKEN)))
    return _listed(call("GET", f"/api/runs/{run_id}/states").json()["tasks"])


def _panel(run):
    session = PanelSession(run)
    tasks = session.snapshot["tasks"]
    shown = {key: tasks[key]["state"] for key in ("first", "each", "last")}
    children = {key: session.state_name(key) for key in ("each[0]", "each[1]")}
    session.close()
    assert tasks["each"]["counts"] == {"Success": 1, "Pending": 2}
    return {**shown, **children}


WAYS = {
    "run inspect": _command,
    "run inspect --json": _json,
    "api": _api,
    "page": lambda run_id, _: _panel(StoredRun(open_store(), run_id)),
    "notebook": lambda run_id, _: _panel(flowbook.run(run_id)),
}


def test_what_ran_is_to_run_again_wherever_one_looks(run_id, capsys):
    assert {way: look(run_id, capsys) for way, look in WAYS.items()} == dict.fromkeys(WAYS, STATES)


def _ls(_, capsys):
    main(["run", "ls", "--json"])
    return json.loads(capsys.readouterr().out)[0]["tasks"]


COUNTS = {
    "run ls --json": _ls,
    "api": lambda *_: Client(create_app(open_store(), ApiSettings(token=TOKEN)))("GET", "/api/runs").json()["runs"][0][
        "tasks"
    ],
    "pages and side bar": lambda *_: overview(open_store())["runs"][0]["counts"],
    "tab Runs": lambda *_: runs_view(open_store(), "killed", config.project(), 5).rows[0].counts,
}


def test_no_list_counts_a_task_as_running(home, tmp_path, capsys):
    run_id = killed_run(home, tmp_path, KILLED.replace("each.map", "each"))

    found = {way: dict(count(run_id, capsys)) for way, count in COUNTS.items()}

    assert found == {way: {"Success": 1, "Pending": 1} for way in COUNTS}


MESSAGES = {
    "pages and side bar": lambda: overview(open_store())["runs"][0],
    "tab Runs": lambda: dataclasses.asdict(runs_view(open_store(), "killed", config.project(), 5).rows[0]),
}


def test_lists_say_that_the_process_ended_and_count_no_time_since(run_id, capsys):
    found = {way: (row["message"], row["took_s"]) for way, look in MESSAGES.items() for row in [look()]}
    main(["run", "ls", "--json"])
    listed = json.loads(capsys.readouterr().out)[0]
    told = Client(create_app(open_store(), ApiSettings(token=TOKEN)))("GET", f"/api/runs/{run_id}").json()
    panels = [PanelSession(StoredRun(open_store(), run_id)), PanelSession(flowbook.run(run_id))]
    ended = [each.snapshot["run"]["ended"] for each in panels]
    last = max(each.at for each in open_store().history.events(run_id))

    assert found == dict.fromkeys(MESSAGES, ("Its process ended in the middle.", None))
    assert (listed["seconds"], told["seconds"]) == (None, None)
    assert ended == [last, last]


def test_a_child_says_that_it_is_to_run_again_and_since_when_it_did_not_end(run_id):
    call = Client(create_app(open_store(), ApiSettings(token=TOKEN)))
    child = call("GET", f"/api/runs/{run_id}/states?task=each[1]").json()["tasks"][0]
    began = next(
        each for each in call("GET", f"/api/runs/{run_id}/events").json()["events"] if each["task"] == "each[1]"
    )

    assert (child["state"], child["message"], child["since"]) == ("Pending", SAYS, began["at"])
    assert StoredRun(open_store(), run_id).states["each[1]"].message == SAYS


TIMELINES = {
    "notebook": lambda run_id: flowbook.run(run_id).timeline().query("end.isna()")[["task", "state"]].values.tolist(),
    "api": lambda run_id: [
        [each["task"], each["state"]]
        for each in Client(create_app(open_store(), ApiSettings(token=TOKEN)))(
            "GET", f"/api/runs/{run_id}/timeline"
        ).json()["spans"]
        if each["end"] is None
    ],
}


def test_no_timeline_says_that_what_ran_goes_on(run_id):
    unseen = {way: look(run_id) for way, look in TIMELINES.items()}
    store = open_store()
    assert record_lost(store, run_id, store.ownership.owner(run_id).epoch)
    recorded = {way: look(run_id) for way, look in TIMELINES.items()}

    assert unseen == recorded == {way: [["each[1]", "Crashed"]] for way in TIMELINES}
