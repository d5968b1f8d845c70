"""What the side bar decides about runs of a notebook, through its kernel."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

import flowbook
from flowbook import Flow, task, triggers
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.flow_cell import FlowCell
from flowbook.notebook.lab_runs import LabRuns
from flowbook.notebook.loop import Loop
from flowbook.notebook.notebook_flows import NotebookFlows
from flowbook.notebook.panel_session import PanelSession

TASKS = """
from flowbook import task, triggers

@task(trigger=triggers.manual_only)
def approve():
    return {}

@task
def publish(number):
    return number
"""
BODY = "publish(approve())"


class _Notebook:
    def __init__(self):
        self.shell = InteractiveShell()
        self.flows = NotebookFlows(self.shell)
        self.runs = LabRuns(self.flows, Loop(self.flows), PanelSession)
        self.define(1)
        self.flow, _ = self.flows.write(FlowCell("delays", BODY))
        self.flow.run(record=True)
        self.flows.cell_ended()

    def define(self, number):
        assert self.shell.run_cell(TASKS.format(number)).success

    def act(self, action, note=""):
        said = self.runs.act(self.flow.last_run.run_id, action, note)
        run = flowbook.run(self.flow.last_run.run_id)
        return said, type(run.wait()).__name__


@pytest.fixture
def notebook():
    return _Notebook()


@pytest.mark.parametrize(
    ("action", "note", "said", "state"),
    [
        ("resume", "", "approve goes on.", "Success"),
        ("skip", "", "approve is skipped.", "Success"),
        ("reject", "August is missing", "approve is rejected.", "Failed"),
        ("cancel", "", "delays, run {number} is over: Cancelled.", "Cancelled"),
        ("cancel-now", "", "delays, run {number} is over: Cancelled.", "Cancelled"),
    ],
)
def test_what_waits_is_answered(notebook, action, note, said, state):
    number = notebook.flow.last_run.number

    assert notebook.act(action, note) == (said.format(number=number), state)


def test_a_run_of_this_notebook_goes_on_as_its_tasks_stand_now(notebook):
    notebook.define(2)

    notebook.act("resume")

    assert flowbook.run(notebook.flow.last_run.run_id).states["publish"].result == 2


def test_a_run_of_another_notebook_goes_on_as_it_was_recorded(notebook):
    @task(trigger=triggers.manual_only)
    def approve():
        return 7

    with Flow("others") as others:
        approve()
    others.run(record=True)

    said = notebook.runs.act(others.last_run.run_id, "resume")

    assert said == "approve goes on."
    assert flowbook.run(others.last_run.run_id).wait().is_successful()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("reject", "Write a note first: it becomes the message of the failure."),
        ("dance", "There is no action 'dance' here. Reload the page, so that it and the kernel agree."),
    ],
)
def test_what_can_not_be_done_is_refused(notebook, action, message):
    with pytest.raises(RefusedError) as refused:
        notebook.act(action)

    assert str(refused.value) == message
