"""Answers to tasks of a run that another, real process has, until that process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.engine.events import Decided, StateChanged
from flowbook.engine.state import Crashed, Failed, Paused, Resume, Running, Skipped, Success
from flowbook.exceptions import RejectedError, RunClaimedError, UnpicklableError
from flowbook.flow_runners import SubprocessFlowRunner
from flowbook.store import open_store
from tests.pace import slowness
from tests.scripts import ROOT, start, wait_for

LONG_S = 30


@task(trigger=triggers.manual_only)
def approve(x):
    return x


@task(trigger=triggers.manual_only)
def also(x):
    return x


@task
def publish(x):
    return x


#: Runs a flow of which one task waits while another goes on until the file `go` is there.
OWNER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from flowbook import Flow, task, triggers
    from flowbook.executors import LocalDaskExecutor, LocalExecutor

    FOLDER = Path(sys.argv[1])

    @task
    def load():
        return [1, 2]

    @task(trigger=triggers.manual_only)
    def approve(report, threshold=15):
        with (FOLDER / "approved").open("a") as file:
            file.write("once ")
        return sum(report) * threshold

    @task
    def publish(x):
        return x

    @task
    def blocks(x):
        (FOLDER / "blocks").touch()
        while not (FOLDER / "go").exists():
            time.sleep(0.01)

    @task(trigger=triggers.manual_only)
    def also(x):
        return x

    with Flow("owned") as flow:
        publish(approve(load()))
        also.map([0, 1, 2])
        blocks(load())

    if __name__ == "__main__":
        executor = LocalExecutor() if sys.argv[2] == "one" else LocalDaskExecutor("threads", num_workers=2)
        flow.run(executor=executor, record=True)
""")


@pytest.fixture
def owner(tmp_path):
    """Return a function that starts the owner, and gives it and its run once one task waits and another goes on."""
    begun = []

    def begin(workers):
        process = start(OWNER, tmp_path, tmp_path, workers)
        begun.append(process)
        wait_for(tmp_path / "blocks")
        run = flowbook.run("owned last")
        while not isinstance(run.states.get("approve"), Paused):
            run.wait(0.01)
        return process, run

    yield begin
    (tmp_path / "go").touch()
    for process in begun:
        process.communicate(timeout=LONG_S)


def decisions(run):
    return [(event.key, event.action, event.by) for event in run.events() if isinstance(event, Decided)]


def running_at(run, key):
    changes = [event for event in run.events() if isinstance(event, StateChanged) and event.key == key]
    return next((event.at for event in changes if isinstance(event.state, Running)), None)


def test_a_resume_from_another_process_reaches_the_task_in_half_a_second(owner, tmp_path):
    process, run = owner("two")

    took_s = []
    for key, inputs in (("approve", {"threshold": 100}), ("also[0]", None), ("also[1]", None), ("also[2]", {"x": 7})):
        begin = time.time()
        run.resume(key, by="ada", inputs=inputs)
        while (at := running_at(run, key)) is None:
            run.wait(0.01)
        took_s.append(at - begin)
    (tmp_path / "go").touch()
    state = run.wait(LONG_S)

    assert process.wait(LONG_S) == 0
    assert (type(state), run["publish"].result, (tmp_path / "approved").read_text()) == (Success, 300, "once ")
    #: Seconds; the least of them, as the machine may be busy.
    assert min(took_s) < 0.5 * slowness(time.perf_counter), took_s
    assert [key for key, *_ in decisions(run)] == ["approve", "also[0]", "also[1]", "also[2]"]
    assert [list(changes) for changes in run.decisions()["changed"]] == [["threshold"], [], [], ["x"]]
    assert run["also"].result == [0, 1, 7]


@pytest.mark.parametrize(("act", "ends"), [("reject", Failed), ("skip", Skipped)])
def test_an_answer_outlasts_the_process_that_took_it(owner, tmp_path, act, ends):
    process, run = owner("one")

    getattr(run, act)("approve", by="ada", note="odd")
    with pytest.raises(RunClaimedError, match=rf"it is Resume, {act}p?ed by ada\."):
        run.resume("approve", by="bob")
    taken = type(run["approve"])
    process.send_signal(signal.SIGKILL)
    process.wait(LONG_S)
    crashed = type(run.wait(LONG_S)), type(run["approve"])
    (tmp_path / "go").touch()
    run.resume(by="eve").wait(LONG_S)

    assert (taken, crashed) == (Resume, (Crashed, Resume))
    assert type(run["approve"]) is ends
    if ends is Failed:
        assert isinstance(run["approve"].result, RejectedError)
        assert run["approve"].message == "Rejected by ada: odd"
    assert [each for each in decisions(run) if each[0] == "approve"] == [("approve", act, "ada")]
    assert not (tmp_path / "approved").exists()


def test_other_inputs_outlast_the_process_that_took_them(owner, tmp_path):
    process, run = owner("one")

    run.resume("approve", by="ada", inputs={"report": [7]})
    process.send_signal(signal.SIGKILL)
    process.wait(LONG_S)
    run.wait(LONG_S)
    (tmp_path / "go").touch()
    run.resume(by="eve").wait(LONG_S)

    assert (run["approve"].result, run["publish"].result, (tmp_path / "approved").read_text()) == (105, 105, "once ")


def test_a_decision_while_the_owner_is_killed_is_taken_once_or_refused(owner, tmp_path):
    process, run = owner("two")
    killer = threading.Timer(0.02, process.send_signal, [signal.SIGKILL])

    killer.start()
    try:
        run.skip("approve", by="ada")
    except RunClaimedError as error:  # the owner took the answer, and died before it said so
        assert str(error) == "approve does not wait any more: it is Resume, skipped by ada."  # noqa: PT017  # or no error
    killer.join()
    process.wait(LONG_S)
    (tmp_path / "go").touch()
    state = run.wait(LONG_S)
    if isinstance(state, Crashed):
        run.resume().wait(LONG_S)
    after = flowbook.run(run.run_id)

    assert type(after["approve"]) is Skipped
    assert len([each for each in decisions(after) if each[0] == "approve"]) == 1
    assert open_store().ownership.is_owned(run.run_id) is False


def test_of_two_processes_that_answer_at_once_one_does(tmp_path):
    with Flow("raced") as flow:
        publish(approve(1))
    flow.run(record=True)
    words = [sys.executable, "-m", "flowbook", "run"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    people = [
        subprocess.Popen(  # flowbook itself
            [*words, act, "raced", "approve", "--by", act],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path.parent,
        )
        for act in ("skip", "reject", "resume")
    ]
    codes = {
        act: process.communicate(timeout=LONG_S) and process.returncode
        for act, process in zip(("skip", "reject", "resume"), people, strict=True)
    }
    run = flowbook.run(flow.last_run.run_id, flow=flow)

    (winner,) = [act for act, code in codes.items() if code == 0]
    assert sorted(codes.values()) in ([0, 1, 1], [0, 1, 2], [0, 2, 2])
    assert decisions(run) == [("approve", winner, winner)]


def test_a_run_with_processes_of_its_own_is_answered_in_the_next_one():
    with Flow("detached") as flow:
        publish(approve(1))
        also(2)
    run = flow.start(flow_runner=SubprocessFlowRunner(stream_output=False))
    assert isinstance(run.wait(LONG_S), Paused)

    with pytest.raises(
        UnpicklableError, match="input 'x' of approve can't be sent there: a generator can't be pickled"
    ):
        run.resume("approve", inputs={"x": (n for n in ())})
    still = type(run.state), run.where
    run.reject("also", by="bob", note="no").wait(LONG_S)
    run.resume("approve", by="ada", inputs={"x": 7}).wait(LONG_S)

    assert still == (Paused, "at rest")
    assert (run["publish"].result, type(run["also"]), type(run.state)) == (7, Failed, Failed)
    assert decisions(run) == [("also", "reject", "bob"), ("approve", "resume", "ada")]
