"""What happens to a run in a process of its own when something dies, fills up, hangs or floods."""

from __future__ import annotations

import datetime as dt
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine.state import Cancelled, Crashed, Paused, Scheduled, Success
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import Outcome
from flowbook.flow_run.run import start_run
from flowbook.flow_run.run_to_come import create_run_to_come
from flowbook.flow_run.submission import claim_for_process, submit
from flowbook.flow_runners import SubprocessFlowRunner
from flowbook.flow_runners.keeper import LogFile
from flowbook.store import open_store
from flowbook.store.process_identity import number_of
from flowbook.store.process_output import output_file
from tests.flow_runners import flows
from tests.scripts import start, wait_for

LONG_S = 50
QUIET = SubprocessFlowRunner(stream_output=False)
IS_SOAK = os.environ.get("FLOWBOOK_SOAK") == "1"


def until(is_so, within_s=LONG_S):
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        threading.Event().wait(0.01)


def engine_of(run):
    until(lambda: open_store().ownership.owner(run.run_id).started is not None)
    return psutil.Process(number_of(open_store().ownership.owner(run.run_id).process))


#: Starts the flow `waiting` in a process of its own, says its id, and waits to be killed.
STARTER = textwrap.dedent("""
    import sys
    from flowbook.flow_runners import SubprocessFlowRunner
    from tests.flow_runners import flows

    if __name__ == "__main__":
        run = flows.{name}().start(flow_runner=SubprocessFlowRunner())
        print(run.run_id, flush=True)
        sys.stdin.readline()
""")


def started_by_another(folder, name="waiting"):
    """Return a process that has started a run in a process of its own, and the run's id."""
    starter = start(STARTER.format(name=name), folder, stdin=subprocess.PIPE, start_new_session=True)
    return starter, starter.stdout.readline().strip()


def test_a_run_outlives_the_process_that_started_it_and_is_finished_from_another_one(folder):
    starter, run_id = started_by_another(folder)
    wait_for(folder / "middle")

    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    run = flowbook.run(run_id)
    until(lambda: type(run["middle"]).__name__ == "Running")
    where = run.where
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert where == "elsewhere"
    assert (type(state), run["after"].result, flows.noted(folder)) == (Success, 21, ["before", "middle", "after"])
    assert [line.text for line in run.logs()] == ["in the middle 2"]


def test_a_run_whose_starter_is_dead_pauses_and_is_resumed_in_a_process(folder):
    starter, run_id = started_by_another(folder, "pausing")
    starter.kill()
    starter.communicate()
    run = flowbook.run(run_id)
    paused = run.wait(LONG_S)

    flowbook.run(run_id).resume(by="ada")
    state = run.wait(LONG_S)

    assert (type(paused), type(state), flows.noted(folder)) == (Paused, Success, ["before", "approve", "after"])
    assert str(os.getpid()) not in (folder / "ran").read_text()


def test_a_process_that_dies_after_its_starter_is_recorded_by_its_keeper(folder):
    starter, run_id = started_by_another(folder)
    wait_for(folder / "middle")
    starter.kill()
    starter.communicate()

    engine_of(flowbook.run(run_id)).kill()
    until(lambda: open_store().runs.summary(run_id).state == "Crashed")

    run = flowbook.run(run_id)
    assert run.state.message == (
        "Its process was ended by SIGKILL in the middle of the run; maybe the machine ran out of memory. "
        "run.resume() goes on from what is stored."
    )
    (folder / "go").touch()
    run.resume()
    assert type(run.wait(LONG_S)) is Success
    assert flows.noted(folder) == ["before", "middle", "middle", "after"]


def test_a_run_outlives_its_keeper_and_its_prints_do_no_harm(folder):
    @task
    def talk():
        (flows.folder() / "talk").touch()
        flows.wait_for("go")
        for _ in range(10):
            sys.stdout.write("is anybody there?\n")
            sys.stdout.flush()
            time.sleep(0.01)
        return "said"

    with Flow("talks") as flow:
        talk()
    run = flow.start(flow_runner=QUIET)
    wait_for(folder / "talk")
    engine_of(run).parent().kill()
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), run["talk"].result) == (Success, "said")


def test_a_process_that_runs_out_of_memory_says_so():
    @task
    def devour():
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        return len(bytearray(2**33))

    @task
    def die():
        os.kill(os.getpid(), signal.SIGKILL)  # what the system does where memory is short

    with Flow("devours") as first:
        devour()
    with Flow("dies") as second:
        die()

    failed, killed = (flow.start(flow_runner=QUIET).wait(LONG_S) for flow in (first, second))

    assert (failed.is_failed(), type(killed)) == (True, Crashed)
    assert "MemoryError" in failed.message
    assert killed.message.startswith(
        "Its process was ended by SIGKILL in the middle of the run; maybe the machine ran out of memory."
    )


# Cancelling ---------------------------------------------------------------------------------------------------------


def scheduled(flow):
    """Return a run that waits for its time, with a flow runner."""
    run = start_run(flow, None, {})
    control = run._control
    due = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    return create_run_to_come(control.run, control.inputs, due, flow_runner=QUIET)


def test_a_run_that_waits_for_its_time_is_cancelled(folder):
    run = flowbook.run(scheduled(flows.waiting()).run_id)
    before = type(run.state)

    run.cancel(by="ada")

    assert (before, type(run.state), type(flowbook.run(run.run_id).state)) == (Scheduled, Cancelled, Cancelled)
    assert flows.noted(folder) == []


def test_a_run_is_cancelled_while_its_process_starts(folder):
    (folder / "go").touch()
    run = flows.waiting().start(flow_runner=QUIET)

    run.cancel(by="ada")
    state = run.wait(LONG_S)

    assert type(state) in {Cancelled, Success}
    assert type(flowbook.run(run.run_id).state) is type(state)


def test_a_paused_run_is_cancelled(folder):
    run = flows.pausing().start(flow_runner=QUIET)
    run.wait(LONG_S)

    run.cancel(by="ada")

    assert (type(flowbook.run(run.run_id).state), flows.noted(folder)) == (Cancelled, ["before"])


def test_a_task_that_nothing_stops_is_ended_with_its_process_and_all_its_children(folder):
    @task
    def stuck():
        child = subprocess.Popen(["sleep", "600"])
        (flows.folder() / "child").write_text(str(child.pid))
        child.wait()

    with Flow("stuck") as flow:
        flows.after(stuck())
    run = flow.start(flow_runner=QUIET)
    until(lambda: (folder / "child").exists() and (folder / "child").read_text())

    run.cancel(by="ada", now=True)
    state = run.wait(LONG_S)

    assert (type(state), state.message) == (
        Cancelled,
        "Cancelled; what still ran after 5 s was ended with its process. It runs again on resume.",
    )
    until(lambda: not psutil.pid_exists(int((folder / "child").read_text())))


def test_a_flow_runner_ends_a_process_with_all_its_children(folder):
    run = flows.waiting().start(flow_runner=QUIET)
    wait_for(folder / "middle")
    process = engine_of(run)

    QUIET.end(run.identifier)
    state = run.wait(LONG_S)
    QUIET.end(run.identifier)  # it is over

    assert type(state) is Cancelled
    until(lambda: not psutil.pid_exists(process.pid))


# Starting -----------------------------------------------------------------------------------------------------------


def test_a_run_to_come_is_claimed_and_submitted(folder):
    (folder / "go").touch()
    waiting = scheduled(flows.waiting())
    started = []

    outcome = submit(claim_for_process(open_store(), waiting.run_id, "agent west"), QUIET, started.append)

    run = flowbook.run(waiting.run_id)
    names = [type(event.state).__name__ for event in run.events() if event.key == "" and hasattr(event, "state")]
    assert (outcome, type(run.state), run["after"].result) == (Outcome(0, ()), Success, 21)
    assert names == ["Scheduled", "Submitted", "Running", "Success"]
    assert [each == run.identifier for each in started] == [True]


def test_a_run_to_come_begins_where_somebody_resumes_it(folder):
    (folder / "go").touch()
    run = flowbook.run(scheduled(flows.waiting()).run_id)

    run.resume(by="ada")

    assert (type(run.wait(LONG_S)), flows.noted(folder)) == (Success, ["before", "middle", "after"])


def test_of_two_processes_for_one_run_one_runs_it(folder):
    (folder / "go").touch()
    recording = claim_for_process(open_store(), scheduled(flows.waiting()).run_id)
    command = [sys.executable, "-m", "flowbook.engine", recording.run_id]

    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(each.communicate(timeout=LONG_S)[1] for each in both)

    assert sorted(each.returncode for each in both) in ([0, 1], [0, 0])
    assert flows.noted(folder) == ["before", "middle", "after"]
    assert said[0] == ""


def test_an_engine_that_ends_before_it_has_the_run_makes_it_crashed(folder):
    run = flows.waiting().start(
        flow_runner=replace_env(PYTHONPATH="/nowhere", FLOWBOOK_KEY_FILE=str(folder / "other.key"))
    )

    state = run.wait(LONG_S)

    assert type(state) is Crashed
    assert state.message.startswith("Its process ended with exit code 1 before the run went on. run.resume() goes on")
    assert flows.noted(folder) == []


def replace_env(**env):
    return SubprocessFlowRunner(env=env, stream_output=False)


# Output -------------------------------------------------------------------------------------------------------------


def test_a_log_file_keeps_the_newest_part_and_never_takes_more_than_it_may(tmp_path):
    path = tmp_path / "run.log"
    log = LogFile(str(path), 1000)

    for number in range(1000):
        log.write(f"{number:04}\n".encode())

    older = path.with_name("run.log.1")
    kept = (older.read_bytes() + path.read_bytes()).split()
    assert kept[-1] == b"0999"
    assert kept == [f"{number:04}".encode() for number in range(1000 - len(kept), 1000)]
    assert older.stat().st_size + path.stat().st_size <= 1000


def test_one_part_that_is_larger_than_a_log_file_is_kept_as_far_as_it_goes(tmp_path):
    path = tmp_path / "run.log"

    LogFile(str(path), 1000).write(b"x" * 5000)

    assert path.stat().st_size + path.with_name("run.log.1").stat().st_size == 1000


def test_a_full_disk_loses_the_log_and_says_so_once_there_is_room(tmp_path):
    path = tmp_path / "logs" / "run.log"
    log = LogFile(str(path), 1000)

    log.write(b"lost\n")
    path.parent.mkdir()
    log.write(b"kept\n")

    assert path.read_bytes() == b"\n[5 bytes of output are lost: No such file or directory]\nkept\n"


def test_a_full_disk_for_the_log_does_no_harm_to_the_run():
    @task
    def talk():
        sys.stdout.write("a line\n" * 1000)
        sys.stdout.flush()
        return 1

    with Flow("talks") as flow:
        talk()
    made = start_run(flow, None, {})
    file = output_file(made.run_id)
    file.parent.mkdir(parents=True)
    file.symlink_to("/dev/full")
    made._control.own_process.begin(QUIET)
    state = made.wait(LONG_S)

    assert (type(state), made["talk"].result) == (Success, 1)
    file.unlink()


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_flood_of_output_is_capped_and_holds_nothing_up(monkeypatch):
    total = 200_000_000 if IS_SOAK else 5_000_000
    monkeypatch.setenv("FLOWBOOK_OUTPUT_BYTES", "1000000")

    @task
    def flood():
        line = b"\xff" + b"x" * 998 + b"\n"
        for _ in range(total // 1000):
            os.write(1, line)

    with Flow("floods") as flow:
        flood()
    run = flow.start(flow_runner=QUIET)
    state = run.wait(200)
    while not run._control.own_process.submission.is_over:
        threading.Event().wait(0.01)

    file = output_file(run.run_id)
    kept = file.stat().st_size + file.with_name(f"{file.name}.1").stat().st_size
    assert (type(state), 500_000 < kept <= 1_000_000) == (Success, True)
    assert file.read_bytes()[-1000:] == b"\xff" + b"x" * 998 + b"\n"


class BreaksDown(SubprocessFlowRunner):
    """A flow runner that fails as nobody thought of."""

    def submit(self, *_):
        raise OSError(24, "Too many open files")


@pytest.mark.usefixtures("folder")
def test_a_run_whose_flow_runner_breaks_down_is_crashed_and_says_why():
    with pytest.raises(FlowRunnerError) as caught:
        flows.waiting().start(flow_runner=BreaksDown())

    why = "its flow runner broke down: OSError: [Errno 24] Too many open files"
    (summary,) = open_store().runs.list()
    assert str(caught.value) == why
    assert (summary.state, summary.message) == ("Crashed", f"It could not be started: {why}")
    assert open_store().ownership.owner(summary.run_id).process is None


def test_whoever_starts_a_process_sees_all_of_its_output(capfd):
    @task
    def talk():
        for number in range(20_000):
            os.write(1, b"line %d\n" % number)

    with Flow("talks") as flow:
        talk()
    run = flow.start(flow_runner=SubprocessFlowRunner())
    state = run.wait(LONG_S)
    until(lambda: run._control.own_process.submission.is_over)

    said = capfd.readouterr()
    assert (type(state), "line 19999\n" in said.out, said.err) == (Success, True, "")


def test_old_log_files_are_removed_when_a_process_is_started(folder):
    (folder / "go").touch()
    old = output_file("old")
    old.parent.mkdir(parents=True)
    old.write_text("old")
    os.utime(old, (1, 1))

    run = flows.waiting().start(flow_runner=QUIET)
    run.wait(LONG_S)

    assert (old.exists(), output_file(run.run_id).exists()) == (False, True)
