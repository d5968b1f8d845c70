"""Agents as people start them, with runs in real processes; agents and runs that are killed."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

import flowbook
from flowbook.cli.main import main
from flowbook.deployments import DeploymentSpec, IntervalSchedule, deploy
from flowbook.flow_runners import SubprocessFlowRunner, UniversalFlowRunner
from flowbook.store import open_store
from tests.agent.due_runs import create, create_real, make_flow, states, wait_for_states
from tests.scripts import ROOT, wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


def _news_until(process, what):
    """Return an agent's news up to the first of that kind."""
    found = []
    for line in process.stdout:
        found.append(json.loads(line))
        if found[-1]["what"] == what:
            return found
    raise AssertionError(found)


def _stopped(process):
    """Stop an agent; return its exit code and the kinds of its last news."""
    process.send_signal(signal.SIGTERM)
    told = [json.loads(line)["what"] for line in process.stdout]
    return process.wait(), told


def test_an_agent_runs_a_due_run_in_a_process_of_its_own_and_ends_when_it_is_told_to(agents, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_PROJECT", "elsewhere")

    def work():
        Path(out).write_text(f"{os.getpid()} {os.environ['FOO']} {os.environ['FLOWBOOK_PROJECT']}")

    out = str(tmp_path / "out")
    run_id = create_real(make_flow(work), flow_runner=UniversalFlowRunner(env={"FOO": "bar"}))
    monkeypatch.setenv("FLOWBOOK_PROJECT", "test")
    agent = agents("--name", "west")

    news = _news_until(agent, "ended")
    code, told = _stopped(agent)

    pid, foo, project = Path(out).read_text().split()
    assert (foo, project) == ("bar", "elsewhere")
    assert int(pid) not in {os.getpid(), agent.pid}
    assert [(each["what"], each["run_id"], each["state"]) for each in news] == [
        ("started", run_id, None),
        ("ended", run_id, "Success"),
    ]
    assert (code, told) == (0, ["drains", "ends"])


def test_an_agent_that_is_stopped_waits_for_its_run_and_claims_nothing_more(agents, tmp_path):
    def work():
        begun.touch()
        while not go.exists():
            time.sleep(0.02)

    begun, go = tmp_path / "begun", tmp_path / "go"
    run_id = create_real(make_flow(work))
    agent = agents("--limit", "1")
    wait_for(begun)

    agent.send_signal(signal.SIGINT)
    _news_until(agent, "drains")
    late = create_real(make_flow(work, name="late"))
    go.touch()
    told = [json.loads(line)["what"] for line in agent.stdout]

    assert (agent.wait(), told) == (0, ["ended", "ends"])
    assert states([run_id, late]) == ["Success", "Scheduled"]


def test_an_agent_that_is_stopped_twice_ends_its_run(agents, tmp_path):
    def work():
        pid.write_text(str(os.getpid()))
        while True:
            time.sleep(0.02)

    pid = tmp_path / "pid"
    run_id = create_real(make_flow(work))
    agent = agents()
    wait_for(pid)

    agent.send_signal(signal.SIGTERM)
    _news_until(agent, "drains")
    agent.send_signal(signal.SIGTERM)
    told = [json.loads(line)["what"] for line in agent.stdout]

    assert (agent.wait(), told) == (0, ["drains", "ended", "ends"])
    assert states([run_id]) == ["Cancelled"]


def test_a_run_that_is_cancelled_from_elsewhere_ends_with_all_its_children(agents, tmp_path):
    def work():
        child = subprocess.Popen(["sleep", "600"])  # of the machine
        pids.write_text(f"{os.getpid()} {child.pid}\n")
        child.wait()

    pids = tmp_path / "pids"
    run_id = create_real(make_flow(work))
    agent = agents()
    while not (pids.exists() and pids.read_text().endswith("\n")):
        time.sleep(0.02)
    processes = [psutil.Process(int(pid)) for pid in pids.read_text().split()]

    code = main(["run", "cancel", run_id, "--now", "--by", "ada"])
    news = _news_until(agent, "ended")

    assert psutil.wait_procs(processes, 60)[1] == []
    assert (code, states([run_id]), news[-1]["state"]) == (0, ["Cancelled"], "Cancelled")


#: Holds every Python that finds it as it starts.
_WAITS = """
import pathlib, time
folder = pathlib.Path(__file__).parent
(folder / "starts").touch()
while not (folder / "go").exists():
    time.sleep(0.02)
"""


def test_a_run_that_is_cancelled_while_its_process_starts_does_nothing(agents, tmp_path):
    def work():
        (tmp_path / "worked").touch()

    (tmp_path / "sitecustomize.py").write_text(_WAITS)
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    run_id = create_real(make_flow(work), flow_runner=UniversalFlowRunner(env=env))
    agents()
    wait_for(tmp_path / "starts")

    asking = threading.Thread(target=flowbook.run(run_id).cancel, kwargs={"by": "ada"})
    asking.start()
    while open_store().requests.newest() == 0:
        time.sleep(0.02)
    (tmp_path / "go").touch()
    wait_for_states([run_id], "Cancelled")
    asking.join()

    assert not (tmp_path / "worked").exists()
    assert [(each.action, each.by) for each in open_store().history.decisions(run_id)] == [("cancel", "ada")]


def test_a_run_that_nobody_has_claimed_is_cancelled_and_never_begins(agents, tmp_path):
    def work():
        (tmp_path / "worked").touch()

    run_id = create_real(make_flow(work))
    flowbook.run(run_id).cancel(by="ada")
    other = create_real(make_flow(lambda: None, name="other"))
    _news_until(agents(), "ended")

    assert states([run_id, other]) == ["Cancelled", "Success"]
    assert not (tmp_path / "worked").exists()


def test_a_run_whose_process_exits_is_crashed_with_its_exit_code(agents):
    run_id = create_real(make_flow(lambda: os._exit(3)))

    _news_until(agents(), "crashed")

    assert (
        open_store()
        .runs.summary(run_id)
        .message.startswith("Its process ended with exit code 3 in the middle of the run.")
    )


def test_a_run_whose_process_is_killed_is_crashed_with_its_signal_and_last_lines(agents, tmp_path):
    def work():
        print("Reading the flights", flush=True)  # noqa: T201  # the task's
        os.kill(os.getpid(), signal.SIGKILL)

    run_id = create_real(make_flow(work), flow_runner=SubprocessFlowRunner(env={"FLOWBOOK_TEST": str(tmp_path)}))
    agent = agents()

    news = _news_until(agent, "crashed")

    assert states([run_id]) == ["Crashed"]
    message = open_store().runs.summary(run_id).message
    assert message.startswith("Its process was ended by SIGKILL in the middle of the run")
    assert message.endswith("The last lines of its output:\n    Reading the flights")
    assert news[-1]["text"].startswith("due run 1 is crashed")


_TICKS = """
from flowbook import Flow, task

@task
def tick():
    pass

with Flow("ticks") as flow:
    tick()
"""


def test_an_agent_runs_a_schedule_at_its_times_and_never_before(agents, tmp_path):
    file = tmp_path / "ticks.py"
    file.write_text(
        "from flowbook import Flow, task\n\n@task\ndef tick():\n    pass\n\nwith Flow('ticks') as flow:\n    tick()\n"
    )
    schedule = IntervalSchedule(dt.timedelta(seconds=2))
    deploy(DeploymentSpec("often", flow_location=file, schedule=schedule))
    agent = agents()

    _news_until(agent, "ended")
    news = _news_until(agent, "ended")
    _stopped(agent)

    runs = [each for each in open_store().runs.list() if each.state == "Success"]
    assert len(runs) >= 2
    assert len({each.due for each in runs}) == len(runs)
    assert [each.run_id for each in runs if each.started < each.due] == []
    assert news[-1]["flow"] == "ticks"


def test_an_agent_goes_on_when_nobody_reads_its_news_any_more(agents):
    agent = agents()
    first = create_real(make_flow(lambda: None))
    _news_until(agent, "ended")
    agent.stdout.close()
    second = create_real(make_flow(lambda: None, name="second"))

    wait_for_states([first, second], "Success", "Success")
    agent.send_signal(signal.SIGTERM)

    assert agent.wait() == 0


# Wrong use


def _cli(*words, **env):
    done = subprocess.run(
        [sys.executable, "-m", "flowbook", "agent", "start", *words],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_an_agent_without_a_store_says_so(tmp_path):
    file = tmp_path / "file"
    file.touch()

    code, out, said = _cli(FLOWBOOK_HOME=str(file))

    assert (code, out, said) == (
        1,
        "",
        f"flowbook: The store can't be at {file}: there is a file in its place. Move it, or set FLOWBOOK_HOME to a folder.\n",
    )


def test_an_agent_of_a_store_that_can_only_be_read_says_so(monkeypatch, capsys, home):
    monkeypatch.setattr(type(open_store()), "is_read_only", True)

    code = main(["agent", "start"])

    assert (code, capsys.readouterr().err) == (
        1,
        f"flowbook: The store {home} can only be read here, and an agent writes to it. Start it where you may write.\n",
    )


def test_an_agent_shows_on_a_terminal_what_it_runs_and_what_is_due_next(tmp_path):
    def work():
        begun.touch()
        while not go.exists():
            time.sleep(0.02)

    begun, go = tmp_path / "begun", tmp_path / "go"
    create_real(make_flow(work))
    create(due=time.time() + 3600, name="nightly")
    control, terminal = pty.openpty()
    agent = subprocess.Popen(
        [sys.executable, "-m", "flowbook", "agent", "start", "--name", "west", "--limit", "3"],
        stdin=terminal, stdout=terminal, stderr=terminal, env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
    )  # fmt: skip
    os.close(terminal)
    seen = ""
    while not ("1 of 3 runs" in seen and "due  run 1" in seen and "nightly  run 1" in seen):
        seen += os.read(control, 4096).decode()
    go.touch()
    agent.send_signal(signal.SIGTERM)
    with contextlib.suppress(OSError):  # at its end on Linux
        while part := os.read(control, 4096).decode():
            seen += part
    os.close(control)

    assert agent.wait() == 0
    assert "Agent west starts due runs of" in seen
    assert "due run 1 starts" in seen
    assert "due run 1 succeeded after" in seen
    assert seen.rstrip().endswith("Agent west has ended.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--limit", "0"), "argument --limit: '0' isn't a count. Give a whole number, 1 or more."),
        (("--prefetch", "-1"), "argument --prefetch: '-1' isn't a number of seconds. Give 0 to 86400, e.g. 10."),
    ],
)
def test_wrong_numbers_are_refused(words, said):
    code, out, error = _cli(*words)

    assert (code, out, error.splitlines()[-1]) == (2, "", f"flowbook agent start: error: {said}")
