"""A run in a process of its own: begun here, followed from here, asked from anywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.engine.state import Cancelled, Crashed, Paused, Submitted, Success
from flowbook.exceptions import DefinitionError, RunIncompleteError
from flowbook.flow_runners import SubprocessFlowRunner
from flowbook.store import open_store
from flowbook.store.process_identity import number_of
from flowbook.store.process_output import output_file
from tests.flow_runners import flows
from tests.scripts import wait_for

LONG_S = 40
QUIET = SubprocessFlowRunner(stream_output=False)


def process_of(run):
    """Return the process that has a run, once it has claimed it."""
    while True:
        claim = open_store().ownership.owner(run.run_id)
        if claim.started is not None:
            return psutil.Process(number_of(claim.process))
        threading.Event().wait(0.01)


def changes(run):
    """Return the states that the flow went through."""
    return [type(event.state).__name__ for event in run.events() if event.key == "" and hasattr(event, "state")]


def test_a_run_goes_through_a_process_of_its_own(folder):
    flow = flows.waiting()

    run = flow.start(n=4, flow_runner=QUIET)
    wait_for(folder / "middle")
    seen = run.where, type(run["before"]), type(run["after"]).__name__
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert seen == ("elsewhere", Success, "Pending")
    assert (type(state), run["after"].result, run.where) == (Success, 51, "at rest")
    assert [line.text for line in run.logs()] == ["in the middle 5"]
    assert changes(run) == ["Submitted", "Running", "Success"]
    assert [event.seq for event in run.events()] == list(range(1, len(run.events()) + 1))
    pids = {int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()}
    assert (len(pids), os.getpid() in pids) == (1, False)


def test_a_run_is_found_in_the_store_while_it_goes_on(folder):
    run = flows.waiting().start(flow_runner=QUIET)
    wait_for(folder / "middle")

    found = flowbook.run(run.run_id)
    identifier = open_store().runs.identifier(run.run_id)
    (folder / "go").touch()

    assert (found.where, type(found.wait(LONG_S))) == ("elsewhere", Success)
    assert number_of(identifier) in {int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()}


def test_a_run_that_waits_for_a_person_holds_no_process_and_resumes_in_one(folder):
    run = flows.pausing().start(flow_runner=QUIET)
    paused = run.wait(LONG_S)

    found = flowbook.run(run.run_id)
    found.resume(by="ada", note="looks right")
    state = found.wait(LONG_S)

    assert (type(paused), type(state), flows.noted(folder)) == (Paused, Success, ["before", "approve", "after"])
    assert [
        (event.action, event.key, event.by, event.note) for event in found.events() if hasattr(event, "action")
    ] == [("resume", "approve", "ada", "looks right")]
    assert changes(found) == ["Submitted", "Running", "Paused", "Submitted", "Running", "Success"]
    pids = [int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()]
    assert (len(set(pids)), os.getpid() in pids) == (2, False)
    assert type(run.wait(LONG_S)) is Success


def test_a_failed_run_is_retried_in_a_process(folder):
    @task
    def flaky():
        flows.note("flaky")
        if not (flows.folder() / "works").exists():
            raise OSError("not yet")
        return 1

    with Flow("flaky") as flow:
        flaky()
    run = flow.start(flow_runner=QUIET)
    failed = run.wait(LONG_S)
    (folder / "works").touch()

    run.retry(by="ada")
    state = run.wait(LONG_S)

    assert (failed.is_failed(), type(state), flows.noted(folder)) == (True, Success, ["flaky", "flaky"])


def test_a_run_is_cancelled_while_it_goes_on_elsewhere(folder):
    run = flows.waiting().start(flow_runner=QUIET)
    wait_for(folder / "middle")

    run.cancel(by="ada")
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), flows.noted(folder)) == (Cancelled, ["before", "middle"])


def test_a_run_whose_process_is_killed_is_crashed_and_says_how_and_goes_on_from_what_is_stored(folder):
    @task
    def loud(n):
        sys.stdout.write("about to hang\n")
        sys.stdout.flush()
        (flows.folder() / "loud").touch()
        flows.wait_for("go")
        return n

    with Flow("killed") as flow:
        flows.after(loud(flows.before(1)))
    run = flow.start(flow_runner=QUIET)
    wait_for(folder / "loud")
    process_of(run).kill()
    state = run.wait(LONG_S)

    assert type(state) is Crashed
    assert state.message == (
        "Its process was ended by SIGKILL in the middle of the run; maybe the machine ran out of memory. "
        "run.resume() goes on from what is stored.\nThe last lines of its output:\n    about to hang"
    )
    assert type(run["loud"]).__name__ == "Pending"
    (folder / "go").touch()
    run.resume()
    assert type(run.wait(LONG_S)) is Success
    assert flows.noted(folder) == ["before", "after"]


@pytest.mark.parametrize(("code", "said"), [(3, "exit code 3"), (0, "exit code 0")])
def test_a_task_that_ends_its_process_makes_the_run_crashed(code, said):
    @task
    def leave():
        os._exit(code)

    with Flow("left") as flow:
        leave()

    state = flow.start(flow_runner=QUIET).wait(LONG_S)

    assert (type(state), state.message) == (
        Crashed,
        f"Its process ended with {said} in the middle of the run. run.resume() goes on from what is stored.",
    )


def test_a_process_that_is_told_to_end_leaves_the_run_at_rest(folder):
    run = flows.waiting().start(flow_runner=QUIET)
    wait_for(folder / "middle")
    process = process_of(run)

    process.send_signal(signal.SIGTERM)
    state = run.wait(LONG_S)

    assert (type(state), type(run["middle"])) == (Cancelled, Cancelled)
    assert run["middle"].message == (
        "Cancelled by SIGTERM while it ran: Its process was told to end. run.resume() goes on with what is left."
    )
    (folder / "go").touch()
    run.resume()
    assert type(run.wait(LONG_S)) is Success
    assert flows.noted(folder) == ["before", "middle", "middle", "after"]


def test_what_a_process_writes_is_kept_whatever_it_is(capfd):
    @task
    def write():
        os.write(1, b"plain\n\xff\xfe no text\n")
        os.write(2, b"error\n")

    with Flow("writes") as flow:
        write()
    run = flow.start(flow_runner=SubprocessFlowRunner())
    state = run.wait(LONG_S)

    assert type(state) is Success
    assert output_file(run.run_id).read_bytes() == b"plain\n\xff\xfe no text\nerror\n"
    assert capfd.readouterr().out == "plain\n\ufffd\ufffd no text\nerror\n"


def test_children_of_a_process_end_with_it(folder):
    @task
    def leave_a_child():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (flows.folder() / "child").write_text(str(child.pid))

    with Flow("parents") as flow:
        leave_a_child()
    run = flow.start(flow_runner=QUIET)
    run.wait(LONG_S)
    child = int((folder / "child").read_text())
    deadline = time.monotonic() + LONG_S
    while psutil.pid_exists(child):
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_a_run_that_is_about_to_start_is_submitted(folder):
    run = flows.waiting().start(flow_runner=QUIET)
    first = run.state
    (folder / "go").touch()
    run.wait(LONG_S)

    assert isinstance(first, Submitted) or first.is_running()


class Connection:
    """Can't be pickled."""

    def __init__(self):
        self.lock = threading.Lock()


def test_what_cannot_go_along_is_said_before_anything_is_started():
    with Flow("stays") as flow:
        Parameter("db")()

    with pytest.raises(RunIncompleteError) as caught:
        flow.start(db=Connection(), context={"conn": Connection(), "secrets": {"API_KEY": "x"}}, flow_runner=QUIET)

    lock = (
        "tests.flow_runners.test_own_process.Connection can't be pickled: its .lock is a _thread.lock "
        "(cannot pickle '_thread.lock' object)"
    )
    assert str(caught.value) == (
        f"Run {flow.last_run.number} of 'stays' can't go to another process, so nothing was started. These can't go along: "
        f"parameter 'db' ({lock}); 'conn' of the context ({lock}); secret 'API_KEY' (secrets are never stored; set the "
        "environment variable FLOWBOOK_SECRET_API_KEY here, which the process inherits)."
    )
    assert len(flowbook.runs()) == 0


@pytest.mark.parametrize("call", ["run", "call"])
def test_a_flow_runner_given_to_a_call_is_refused(call):
    flow = flows.pausing()

    with pytest.raises(DefinitionError) as caught:
        (flow.run if call == "run" else flow)(flow_runner=QUIET)

    assert str(caught.value) == (
        "Flow 'pausing' was called with flow_runner=SubprocessFlowRunner(stream_output=False). Whoever calls a flow has full "
        "control of where it runs, which is this process, so a flow runner can't be used. Start it in a process of its own "
        "with flow.start(flow_runner=...), or give the flow runner to a deployment: DeploymentSpec(flow_runner=...)."
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            SubprocessFlowRunner,
            "flow_runner=SubprocessFlowRunner is a class. Make a flow runner of it: SubprocessFlowRunner().",
        ),
        (
            "subprocess",
            "flow_runner='subprocess' isn't a flow runner. Give one of flowbook.flow_runners, e.g. SubprocessFlowRunner().",
        ),
    ],
)
def test_what_is_no_flow_runner_is_refused(given, said):
    with pytest.raises(DefinitionError) as caught:
        flows.pausing().start(flow_runner=given)

    assert str(caught.value) == said


def test_the_environment_goes_from_this_process_to_what_was_given(monkeypatch):
    monkeypatch.setenv("MY_VARIABLE", "from here")
    inherited = flows.marked().start(flow_runner=QUIET)
    given = flows.marked().start(flow_runner=SubprocessFlowRunner(env={"MY_VARIABLE": "FOO"}, stream_output=False))

    for run in (inherited, given):
        run.wait(LONG_S)

    assert (inherited["marks"].result, given["marks"].result) == ("from here", "FOO")


def test_a_preview_shows_the_command_and_what_it_gets():
    from flowbook.flow_run.ports import RunToStart  # noqa: PLC0415

    shown = SubprocessFlowRunner(env={"A": "b c"}).preview(RunToStart("7c1f", "f")).splitlines()

    assert shown[0] == "A='b c'"
    assert shown[-1] == f"{sys.executable} -m flowbook.engine 7c1f"
    assert [line.partition("=")[0] for line in shown[1:-1]] == [
        "FLOWBOOK_HOME", "FLOWBOOK_KEY_FILE", "FLOWBOOK_PROGRESS", "FLOWBOOK_PROJECT", "PYTHONUNBUFFERED",
    ]  # fmt: skip


def engine(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "flowbook.engine", *arguments], capture_output=True, text=True, check=False
    )


def test_the_engine_says_that_there_is_no_such_run():
    open_store()

    done = engine("nosuchrun")

    assert (done.returncode, done.stderr) == (
        1,
        "flowbook.engine: There is no run 'nosuchrun' in this store. flowbook.runs() lists those that there are.\n",
    )


def test_the_engine_leaves_a_run_alone_that_is_over():
    flow = flows.marked()
    flow.run(record=True)
    run = flow.last_run

    done = engine(run.run_id)

    assert (done.returncode, done.stderr) == (
        1,
        (
            f"flowbook.engine: Nothing is to be done in run 1 of 'marked': it is Success. "
            f"Go on with it: flowbook run resume {run.run_id}, or retry.\n"
        ),
    )
