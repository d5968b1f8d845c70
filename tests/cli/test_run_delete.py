"""`flowbook run delete`: a run at rest goes with all that was recorded of it; one that a process has stays."""

from __future__ import annotations

import json
import threading

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.cli.main import main
from flowbook.exceptions import UnknownRunError
from flowbook.store import open_store
from flowbook.store.process_output import output_file


@task
def give():
    return 5


def recorded():
    with Flow("delays") as flow:
        give()
    flow.run(record=True)
    return flow.last_run


def test_a_run_is_deleted_with_its_events_and_its_log_file(capsys):
    kept, gone = recorded(), recorded()
    output_file(gone.run_id).parent.mkdir(parents=True)
    output_file(gone.run_id).write_text("given")

    code = main(["run", "delete", "delays 2"])

    assert (code, capsys.readouterr().out) == (0, "delays run 2 is deleted.\n")
    assert list(flowbook.runs()["run_id"]) == [kept.run_id]
    assert not output_file(gone.run_id).exists()
    with pytest.raises(UnknownRunError):
        open_store().history.events(gone.run_id)


def test_what_was_deleted_is_said_as_json(capsys):
    run = recorded()

    main(["run", "delete", run.run_id[:8], "--json"])

    assert json.loads(capsys.readouterr().out) == {"run_id": run.run_id, "flow": "delays", "number": 1}


def test_a_run_that_goes_on_is_not_deleted(capsys):
    may_end = threading.Event()

    @task
    def patient():
        may_end.wait(20)

    with Flow("delays") as flow:
        patient()
    run = flow.start(record=True)

    code = main(["run", "delete", "delays"])
    said = capsys.readouterr().err
    may_end.set()
    run.wait()

    assert code == 1
    assert said.endswith(
        f" has delays run 1, so it isn't deleted. Cancel it first: flowbook run cancel {run.run_id[:8]}\n"
    )
    assert list(flowbook.runs()["run_id"]) == [run.run_id]


def test_a_run_that_is_not_there_is_not_deleted(capsys):
    recorded()

    assert main(["run", "delete", "delays 7"]) == 1
    assert "There is no run 'delays 7' in this store." in capsys.readouterr().err
