"""`flowbook run start` and `watch`: here, and in a process of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import textwrap
import threading

import psutil
import pytest

import flowbook
from flowbook.cli.main import main
from flowbook.engine.state import Success
from flowbook.flow_run.run import FlowRun
from flowbook.store import open_store
from tests.scripts import ROOT, wait_for

LONG_S = 40
FLOWS = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    from flowbook import Flow, Parameter, task, triggers

    FOLDER = Path(os.environ["FOLDER"])

    @task(log_stdout=True)
    def load(day, rows):
        print("loaded", rows)
        return [day] * rows

    @task
    def slow(rows):
        (FOLDER / "slow").touch()
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
        sys.stderr.write("to the log file\\n")
        return len(rows)

    @task
    def fail(n):
        raise ValueError(f"not with {n}")

    with Flow("delays") as delays:
        slow(load(Parameter("day"), Parameter("rows", default=2)))

    with Flow("fails") as broken:
        fail(Parameter("n", default=1))
""")


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FOLDER", str(tmp_path))
    path = tmp_path / "flows.py"
    path.write_text(FLOWS)
    return path


@pytest.fixture
def go_once_it_is_watched(file, monkeypatch):
    """Return what lets the task `slow` go on as soon as somebody follows a run."""
    subscribe = FlowRun.subscribe

    def watch(run, sink):
        stop = subscribe(run, sink)
        (file.parent / "go").touch()
        return stop

    return lambda: monkeypatch.setattr(FlowRun, "subscribe", watch)


def run(capsys, *words):
    code = main(list(map(str, words)))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_flow_of_a_file_runs_here(file, capsys):
    (file.parent / "go").touch()

    code, out, _ = run(
        capsys, "run", "start", f"{file}:delays", "--param", "day=mon", "--param", "rows=3", "--name", "x"
    )

    last = flowbook.run("last")
    assert (code, out) == (0, "delays run 1 succeeded.\n")
    assert (last["slow"].result, last.parameters, last.name) == (3, {"day": "mon", "rows": 3}, "x")


def test_a_flow_that_fails_ends_the_command_with_1(file, capsys):
    code, out, _ = run(capsys, "run", "start", f"{file}:broken", "--json")

    assert (code, json.loads(out)["state"]) == (1, "Failed")


def test_a_flow_goes_on_in_a_process_of_its_own_and_is_watched(file, capsys, go_once_it_is_watched):
    code, out, err = run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon", "--detach", "--json")
    said = json.loads(out)
    wait_for(file.parent / "slow")
    is_alive = psutil.pid_exists(said["process"])
    go_once_it_is_watched()
    watched = run(capsys, "run", "watch", "last")

    assert (code, err, said["flow"], said["number"], said["state"]) == (0, "", "delays", 1, "Running")
    assert (is_alive, said["process"] == os.getpid()) == (True, False)
    assert watched[0] == 0
    assert re.sub(r"(?m)^\d\d:\d\d:\d\d", "TIME", watched[1]) == "TIME  Success   slow\ndelays run 1 succeeded.\n"
    assert run(capsys, "run", "logs", "last")[1].endswith("INFO     load  loaded 2\n")
    assert run(capsys, "run", "logs", "last", "--output") == (0, "to the log file\n", "")
    hint = "slow has logged nothing. What its process wrote: flowbook run logs last --output\n"
    assert run(capsys, "run", "logs", "last", "--task", "slow") == (0, "", hint)


def test_the_command_says_how_to_go_on(file, capsys):
    (file.parent / "go").touch()

    _, out, _ = run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon", "--detach")

    last = flowbook.run("last")
    assert isinstance(last.wait(LONG_S), Success)
    name = last.run_id[:8]
    assert re.sub(r"process \d+", "process N", out) == (
        "delays run 1 goes on in process N, without this terminal.\n"
        f"  watch it   flowbook run watch {name}\n"
        f"  its logs   flowbook run logs {name}\n"
        f"  end it     flowbook run cancel {name}\n"
    )


def test_a_run_at_rest_is_watched_by_saying_how_it_stands(file, capsys):
    (file.parent / "go").touch()
    run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon")

    assert run(capsys, "run", "watch", "last") == (0, "delays run 1 succeeded.\n", "")


def test_watching_as_json_gives_an_object_for_each_event(file, capsys, go_once_it_is_watched):
    run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon", "--detach")
    wait_for(file.parent / "slow")
    go_once_it_is_watched()

    code, out, _ = run(capsys, "run", "watch", "last", "--json")

    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    ends = [(each.get("task"), each["state"]) for each in events if each["state"] != "Running"]  # which may come late
    assert ends == [
        ("slow", "Success"),
        ("", "Success"),
        (None, "Success"),
    ]


def test_a_text_becomes_a_value_of_the_kind_of_its_default(tmp_path, capsys):
    path = tmp_path / "dated.py"
    path.write_text(
        "import datetime as dt\nfrom flowbook import Flow, Parameter\n"
        "with Flow('dated') as flow:\n    flow.add_task(Parameter('day', dt.date(2026, 1, 28)))\n"
        "    flow.add_task(Parameter('pair', (1, 2)))\n"
    )

    code, _, err = run(capsys, "run", "start", f"{path}:flow", "--param", "day=2026-02-01", "--param", "pair=[3, 4]")
    wrong = run(capsys, "run", "start", f"{path}:flow", "--param", "day=soon")

    assert (code, flowbook.run("last").parameters) == (
        0,
        {"day": dt.date(2026, 2, 1), "pair": (3, 4)},
    ), err
    assert wrong == (2, "", "flowbook: day is a date, and 'soon' isn't. Write e.g. 2026-01-28.\n")


WRONG = {
    "a parameter without a value": (
        ["--param", "day"],
        2,
        "flowbook: --param 'day' isn't NAME=VALUE. Write e.g. --param origin=JFK.\n",
    ),
    "a parameter that isn't there": (
        ["--param", "date=1"],
        2,
        "flowbook: Flow 'delays' has no parameter 'date'. Its parameters: day, rows.\n",
    ),
    "a parameter that is missing": (
        [],
        2,
        ("flowbook: Flow 'delays' needs a value for 'day'. Give it: flow.run(day=...), or a default in Parameter.\n"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("place", [[], ["--detach"]])
def test_wrong_use_ends_with_2_and_records_nothing(file, capsys, name, place):
    words, code, said = WRONG[name]

    assert run(capsys, "run", "start", f"{file}:delays", *words, *place) == (code, "", said)
    assert len(flowbook.runs()) == 0


def test_a_run_without_a_process_of_its_own_has_no_output(file, capsys):
    (file.parent / "go").touch()
    run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon")

    assert run(capsys, "run", "logs", "last", "--output") == (
        1,
        "It has no process of its own, so no output is kept. What its tasks logged: flowbook run logs RUN\n",
        "",
    )


def test_a_command_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["run", "start", "--help"])

    assert "Example: flowbook run start delays.py:nightly --param origin=JFK --detach" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_run_is_handed_over_from_a_terminal(file, capsys):
    first = json.loads(run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon", "--detach", "--json")[1])
    wait_for(file.parent / "slow")

    def go_once_it_was_asked():
        while not open_store().history.decisions(first["run_id"]):
            threading.Event().wait(0.01)
        (file.parent / "go").touch()

    asked = threading.Thread(target=go_once_it_was_asked)
    asked.start()
    code, out, err = run(capsys, "run", "hand-over", "last", "--by", "ana", "--json")

    last = flowbook.run("last")
    assert isinstance(last.wait(LONG_S), Success)
    said = json.loads(out)
    asked.join()
    assert (code, err, said["run_id"]) == (0, "", first["run_id"])
    assert [event.action for event in last.events() if hasattr(event, "action")] == ["hand_over"]


def test_a_run_at_rest_is_not_handed_over(file, capsys):
    (file.parent / "go").touch()
    run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon")

    assert run(capsys, "run", "hand-over", "last") == (
        1,
        "",
        "flowbook: delays run 1 is at rest: no process has it. Go on with it: flowbook run resume last\n",
    )


def test_the_last_lines_of_a_process_that_died_are_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    file = tmp_path / "dies.py"
    file.write_text(
        "import os\nfrom flowbook import flow, task\n@task\ndef die():\n    os.write(1, b'one\\ntwo\\n')\n    os._exit(3)\n"
        "@flow\ndef dies():\n    die()\n"
    )
    main(["run", "start", f"{file}:dies", "--detach"])
    capsys.readouterr()
    run = flowbook.run("last")
    run.wait(LONG_S)
    while "\n" not in flowbook.run("last").state.message:  # whoever watched it tells more of its end
        threading.Event().wait(0.01)

    code = main(["run", "watch", "last"])

    assert (code, capsys.readouterr().out) == (
        1,
        (
            "dies run 1 failed: Its process ended with exit code 3 in the middle of the run. "
            f"`flowbook run resume {run.run_id[:8]}` goes on from what is stored.\n"
            "The last lines of its output:\n    one\n    two\n"
        ),
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--on", "docker:flows:2"], "says where a run's own process lives, and this run has none. Add --detach."),
        (["--detach", "--on", "moon"], "'moon' is no place for a run. Write one of subprocess, docker:IMAGE, kubernetes:IMAGE."),
        (
            ["--detach", "--on", "subprocess:x"],
            "'subprocess:x' is no place for a run. Write one of subprocess, docker:IMAGE, kubernetes:IMAGE.",
        ),
    ],
)  # fmt: skip
def test_a_place_that_can_not_be_is_refused_before_anything_is_recorded(file, capsys, words, message):
    code, _, err = run(capsys, "run", "start", f"{file}:delays", "--param", "day=mon", *words)

    assert (code, message in err) == (2, True)
    assert flowbook.runs().empty
