"""Runs of deployments in processes of their own."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.deployments import DeploymentSpec, deploy
from flowbook.deployments.due_runs import create_run
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.flow_run.submission import claim_for_process, submit

pytestmark = pytest.mark.acceptance

FILE = """
from beside import FACTOR
from flowbook import flow, task, triggers


@task
def load(n):
    return n * FACTOR


@task(trigger=triggers.manual_only)
def publish(x):
    return x


@flow
def nightly(n=2):
    publish(load(n))
"""


@pytest.fixture
def start(store):
    """Return what starts the process of a run and waits for its end."""

    def start_run(run):
        recording = claim_for_process(store, run.run_id)
        return submit(recording, flow_runner_of(run.flow_runner))

    return start_run


def test_a_run_has_the_flow_that_its_file_makes_when_it_begins_and_keeps_that(store, start, write):
    write("beside.py", "FACTOR = 10\n")
    path = write("nightly.py", FILE)
    (deployment,) = deploy(DeploymentSpec("d", flow_location=path, parameters={"n": 3}))
    run = create_run(store, deployment)
    changed = FILE.replace("n * FACTOR", "n * FACTOR + 1")
    write("nightly.py", changed)

    outcome = start(run)
    write("nightly.py", "1 / 0")
    found = flowbook.run(run.run_id)
    found.resume("publish")
    found.wait()

    assert (outcome.exit_code, store.runs.get(run.run_id).graph["file_digest"]) == (
        0,
        hashlib.sha256(changed.encode()).hexdigest(),
    )
    assert (type(found.state).__name__, found["publish"].result) == ("Success", 31)


def test_a_run_that_has_not_begun_can_be_looked_at_without_running_its_file(store, write):
    write("beside.py", "FACTOR = 10\n")
    (deployment,) = deploy(DeploymentSpec("d", flow_location=write("nightly.py", FILE)))
    run = create_run(store, deployment)
    write("nightly.py", "1 / 0")

    found = flowbook.run(run.run_id)

    assert (type(found.state).__name__, found.flow_name) == ("Scheduled", "nightly")


def test_a_notebooks_flow_runs_by_value(store, start):
    factor = 3
    with Flow("mine") as flow:
        task(lambda x: x * factor, name="times")(Parameter("x"))
    (deployment,) = deploy(DeploymentSpec("d", flow, parameters={"x": 2}))
    run = create_run(store, deployment, {"x": 5})

    start(run)

    assert flowbook.run(run.run_id)["times"].result == 15


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "1 / 0",
            "can't be run: ZeroDivisionError: division by zero (line 1). Give a Python file that makes the flow.",
        ),
        (
            FILE.replace("def nightly", "def daily"),
            "holds no flow named 'nightly'. Those in it: 'daily'.",
        ),
        (None, "can't be read: No such file or directory. Give the Python file that makes the flow."),
    ],
)
def test_a_run_whose_file_makes_its_flow_no_more_is_crashed_and_says_so(text, said, store, start, write):
    write("beside.py", "FACTOR = 10\n")
    path = write("nightly.py", FILE)
    (deployment,) = deploy(DeploymentSpec("d", flow_location=path))
    run = create_run(store, deployment)
    path.unlink() if text is None else path.write_text(text)

    outcome = start(run)

    summary = store.runs.summary(run.run_id)
    assert (outcome.exit_code, outcome.last_lines, summary.state) == (
        1,
        (f"flowbook.engine: {path} {said}",),
        "Crashed",
    )
    assert said in summary.message


@pytest.mark.parametrize("is_there", [True, False])
def test_a_run_works_in_the_folder_in_which_its_deployment_was_made(is_there, store, start, tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    with Flow("mine") as flow:
        task(os.getcwd, name="where")()
    before = Path.cwd()
    monkeypatch.chdir(folder)
    (deployment,) = deploy(DeploymentSpec("d", flow))
    monkeypatch.chdir(before)
    if not is_there:
        folder.rmdir()
    run = create_run(store, deployment)

    start(run)

    assert flowbook.run(run.run_id)["where"].result == str(folder if is_there else before)


def test_a_flow_by_value_is_refused_by_another_python(store, start):
    with Flow("mine") as flow:
        task(lambda: 1, name="one")()
    (deployment,) = deploy(DeploymentSpec("d", flow))
    old = replace(deployment, made_by={**deployment.made_by, "python": "2.7.18"})
    run = create_run(store, store.deployments.save([old])[0])

    outcome = start(run)

    here = deployment.made_by["python"]
    assert (outcome.exit_code, store.runs.summary(run.run_id).state) == (1, "Crashed")
    (line,) = outcome.last_lines
    assert line == (
        f"flowbook.engine: Run 1 of 'mine' was deployed with Python 2.7.18, and this is Python {here}. "
        "Code that is kept by value is read by the versions that made it only. "
        "Deploy the flow again with these, or give it a flow runner whose environment has those."
    )
