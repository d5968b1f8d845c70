"""What lists and commands say of a run from an order to cancel it until what runs has ended: all say the same."""

import json
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, config, task, triggers
from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from flowbook.cli.main import main
from flowbook.notebook.run_list import newest_runs
from flowbook.notebook.run_overview import overview
from flowbook.notebook.runs_view import runs_view
from flowbook.store import open_store
from tests.api.conftest import TOKEN, Client
from tests.scripts import start, wait_for


def _started(folder, *, mapped=False, is_stored=True):
    """Return a run whose first task, or the children of one, runs until there is a file "gate"."""
    begun, gate = str(folder / "begun"), str(folder / "gate")
    lock = None if is_stored else threading.Lock()  # with one the flow can't be stored

    @task
    def load(_, _lock=lock):
        Path(begun).touch()
        wait_for(Path(gate))

    @task
    def report(_): ...

    with Flow("long") as flow:
        report(load.map([1, 2]) if mapped else load(1))
    run = flow.start(record=True)
    wait_for(Path(begun))
    return run


@contextmanager
def _cancelled(folder, *, mapped=False):
    """Give such a run that ana has cancelled; let it end afterwards."""
    run = _started(folder, mapped=mapped)
    try:
        run.cancel(by="ana")
        yield run
    finally:
        (folder / "gate").touch()
        run.wait(20)


def _said(capsys, *words):
    capsys.readouterr()
    assert main(words) == 0
    return capsys.readouterr().out


def _call(path):
    return Client(create_app(open_store(), ApiSettings(token=TOKEN)))("GET", path).json()


WAYS = {
    "run ls": lambda _, capsys: _said(capsys, "run", "ls").splitlines()[1].split()[3],
    "run ls --json": lambda _, capsys: json.loads(_said(capsys, "run", "ls", "--json"))[0]["state"],
    "run ls --state": lambda _, capsys: _said(capsys, "run", "ls", "--state", "cancelling").splitlines()[1].split()[3],
    "run inspect": lambda _, capsys: _said(capsys, "run", "inspect", "last").split()[4],
    "run inspect --json": lambda _, capsys: json.loads(_said(capsys, "run", "inspect", "last", "--json"))["state"],
    "api list": lambda *_: _call("/api/runs")["runs"][0]["state"],
    "api list of a state": lambda *_: _call("/api/runs?state=Cancelling")["runs"][0]["state"],
    "api run": lambda run, _: _call(f"/api/runs/{run.run_id}")["state"],
    "api flows": lambda *_: _call("/api/flows")["flows"][0]["last"]["state"],
    "pages and side bar": lambda *_: overview(open_store())["runs"][0]["state"],
    "tab Runs": lambda *_: runs_view(open_store(), "long", config.project(), 5).rows[0].state,
    "%flow": lambda *_: repr(newest_runs()).splitlines()[1].split()[3],
    "flowbook.runs": lambda *_: flowbook.runs().state.item(),
    "flowbook.run": lambda run, _: type(flowbook.run(run.run_id).state).__name__,
    "the run": lambda run, _: type(run.state).__name__,
}


@pytest.mark.parametrize("mapped", [False, True], ids=["a task", "children"])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_being_cancelled_is_said_to_be_everywhere(way, mapped, tmp_path, capsys):
    with _cancelled(tmp_path, mapped=mapped) as run:
        while_it_goes_on = WAYS[way](run, capsys)
    summary = open_store().runs.summary(run.run_id)

    assert while_it_goes_on == "Cancelling"
    assert (summary.state, summary.message) == ("Cancelled", "Cancelled by a person.")


def test_who_cancelled_it_is_in_the_lists_and_it_is_no_running_one_any_more(tmp_path, capsys):
    with _cancelled(tmp_path):
        told = overview(open_store())["runs"][0]
        running = json.loads(_said(capsys, "run", "ls", "--state", "running", "--json"))

    assert (told["message"], told["took_s"] is None) == ("by ana: nothing else starts", False)
    assert running == []


def test_inspect_says_how_to_stop_it_now(tmp_path, capsys):
    with _cancelled(tmp_path) as run:
        lines = _said(capsys, "run", "inspect", run.run_id).splitlines()

    assert lines[-1] == f"  stop now   flowbook run cancel {run.run_id} --now"


class _Lines:
    """Standard output that lets the run end once two lines were written."""

    encoding = "utf-8"

    def __init__(self, gate):
        self.text = ""
        self._gate = gate

    def write(self, text):
        self.text += text
        if self.text.count("\n") == 2:
            self._gate.touch()

    def isatty(self):
        return False

    def flush(self): ...


@pytest.mark.parametrize("is_stored", [True, False], ids=["with its flow", "without its flow"])
def test_the_command_that_cancels_says_what_still_runs_and_how_to_stop_it(is_stored, tmp_path, monkeypatch):
    run, lines = _started(tmp_path, is_stored=is_stored), _Lines(tmp_path / "gate")
    monkeypatch.setattr("sys.stdout", lines)

    code = main(["run", "cancel", "last"])
    run.wait(20)

    assert lines.text.splitlines() == [
        f"long, run {run.number} is being cancelled: load goes on to the end, nothing else starts.",
        "To stop it now: flowbook run cancel last --now",
        f"long run {run.number} is cancelled.",
    ]
    assert code == 0


def test_a_run_at_rest_whose_flow_was_not_stored_is_cancelled(capsys):
    lock = threading.Lock()

    @task(trigger=triggers.manual_only)
    def approve(_lock=lock): ...

    with Flow("locked") as flow:
        approve()
    flow.run(record=True)
    run_id = flow.last_run.run_id

    assert json.loads(_said(capsys, "run", "cancel", run_id, "--by", "ana", "--json"))["state"] == "Cancelled"
    assert [(each.action, each.by) for each in open_store().history.decisions(run_id)] == [("cancel", "ana")]


#: A run whose process is killed while its resource is set up; its flow can't be stored, or is gone.
WITH_RESOURCE = """
import sys, threading, time
from pathlib import Path
from flowbook import Flow, resource_manager, task

FOLDER = Path(__file__).resolve().parent

@resource_manager
class Database:
    def setup(self): return 1
    def cleanup(self, value): (FOLDER / "cleaned up").touch()

@task
def work(_, lock=threading.Lock() if sys.argv[1] == "not stored" else None):
    Path("begun").touch()
    time.sleep(600)

with Flow("with a database") as flow:
    with Database() as database:
        work(database)
flow.run(record=True, progress=False)
"""


@pytest.mark.parametrize("why", ["not stored", "gone"])
def test_a_run_that_crashed_and_cannot_be_cleaned_up_is_cancelled_and_says_so(why, tmp_path, capsys):
    process = start(WITH_RESOURCE, tmp_path, why, cwd=tmp_path)
    wait_for(tmp_path / "begun")
    process.kill()
    process.communicate()
    run_id = open_store().runs.list()[-1].run_id
    if why == "gone":
        digest = bytes.fromhex(open_store().runs.get(run_id).flow_ref.digest)
        open_store()._database.write(
            lambda connection: connection.execute("DELETE FROM value WHERE digest = ?", (digest,))
        )

    said = _said(capsys, "run", "cancel", run_id, "--by", "ana")
    summary = open_store().runs.summary(run_id)

    assert said.splitlines()[-1].startswith(
        "with a database run 1 is cancelled. Cancelled by a person. Database.cleanup could not be run, since "
    )
    assert said.endswith("Clean up by hand what is left.\n")
    assert (summary.state, summary.process) == ("Cancelled", None)
    assert [(each.action, each.by) for each in open_store().history.decisions(run_id)] == [("cancel", "ana")]
    assert not (tmp_path / "cleaned up").exists()
