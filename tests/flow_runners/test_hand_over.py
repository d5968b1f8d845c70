"""A run that goes on in another process, and comes back, while tasks run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import textwrap
import threading
import time
from collections import Counter

import psutil
import pytest

import flowbook
from flowbook import Flow, task
from flowbook._utils import threads
from flowbook.engine.state import Cancelled, Paused, Success
from flowbook.exceptions import FlowRunnerError, RunClaimedError, RunError, RunIncompleteError, StoreError
from flowbook.executors import LocalDaskExecutor
from flowbook.flow_run import hand_over
from flowbook.flow_run.run_control import RunControl
from flowbook.flow_runners import SubprocessFlowRunner
from flowbook.store import open_store
from flowbook.store.process_identity import number_of
from tests.flow_runners import flows
from tests.scripts import start, wait_for

LONG_S = 50
QUIET = SubprocessFlowRunner(stream_output=False)
IS_SOAK = os.environ.get("FLOWBOOK_SOAK") == "1"


def until(is_so, within_s=LONG_S):
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        threading.Event().wait(0.005)


def flow_states(run):
    return [type(event.state).__name__ for event in run.events() if event.key == "" and hasattr(event, "state")]


def decisions(run):
    return [event.action for event in run.events() if hasattr(event, "action")]


def has_no_gap(run):
    return [event.seq for event in run.events()] == list(range(1, len(run.events()) + 1))


@pytest.mark.parametrize("executor", [None, "threads", "processes"])
def test_a_run_goes_on_in_a_process_and_no_finished_task_runs_again(folder, executor):
    options = {} if executor is None else {"executor": LocalDaskExecutor(executor, num_workers=2)}
    run = flows.waiting().start(record=True, n=4, **options)
    wait_for(folder / "middle")

    run.hand_over(QUIET, by="ada", note="I close the lid")
    is_handing_over = run.is_handing_over
    (folder / "go").touch()
    until(lambda: run.where != "here" and not run.is_handing_over)
    state = run.wait(LONG_S)

    assert (is_handing_over, type(state), run["after"].result) == (True, Success, 51)
    assert flows.noted(folder) == ["before", "middle", "after"]
    assert flow_states(run) == ["Running", "Submitted", "Running", "Success"]
    assert (decisions(run), has_no_gap(run)) == (["hand_over"], True)
    pids = [int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()]
    assert (pids[2] != pids[1], pids[2] != os.getpid()) == (True, True)


@pytest.mark.parametrize("trouble", ["it can't be read for a moment", "it is closed"])
def test_who_waits_for_the_new_process_survives_trouble_with_the_store(folder, monkeypatch, trouble):
    met, answer = threading.Event(), hand_over._answer_meanwhile

    def in_trouble(control, recording):
        if not met.is_set():
            met.set()
            if trouble != "it is closed":
                raise StoreError(trouble)
            recording.store.close()
        answer(control, recording)

    monkeypatch.setattr(hand_over, "_answer_meanwhile", in_trouble)
    run = flows.waiting().start(record=True, n=4)
    wait_for(folder / "middle")

    run.hand_over(QUIET)
    (folder / "go").touch()

    until(lambda: met.is_set() and not any("taker" in thread.name for thread in threads.alive()))
    until(lambda: open_store().runs.summary(run.run_id).state == "Success")
    assert flows.noted(folder) == ["before", "middle", "after"]


def test_a_run_is_taken_back(folder):
    run = flows.waiting().start(flow_runner=QUIET)
    wait_for(folder / "middle")

    run.take_back(by="ada")
    (folder / "go").touch()
    until(lambda: run.where == "here" or run.state.is_finished())
    state = run.wait(LONG_S)

    assert (type(state), flows.noted(folder)) == (Success, ["before", "middle", "after"])
    last = int((folder / "ran").read_text().split()[-1])
    assert (last, has_no_gap(run)) == (os.getpid(), True)
    assert open_store().runs.get(run.run_id).flow_runner is None


def test_waiting_goes_on_while_a_run_is_taken_back(folder, monkeypatch):
    run = flows.waiting().start(flow_runner=QUIET)
    wait_for(folder / "middle")
    may_go_on, states = threading.Event(), []
    go_on = RunControl.go_on

    def late(control):
        may_go_on.wait(LONG_S)
        go_on(control)

    monkeypatch.setattr(RunControl, "go_on", late)
    waiter = threading.Thread(target=lambda: states.append(type(run.wait(LONG_S))))
    waiter.start()
    run.take_back()
    (folder / "go").touch()
    until(lambda: run.where == "at rest")
    waiter.join(0.3)
    before = list(states)
    may_go_on.set()
    waiter.join()

    assert (before, states) == ([], [Success])


def test_a_run_stays_if_it_is_taken_back_before_it_has_gone(folder):
    run = flows.waiting().start(record=True)
    wait_for(folder / "middle")

    run.hand_over(QUIET)
    run.take_back()
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), decisions(run), run["after"].result) == (Success, ["hand_over", "stay"], 21)
    assert {int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()} == {os.getpid()}


def test_a_run_at_rest_gets_the_flow_runner_for_what_comes(folder):
    flow = flows.pausing()
    flow.run(record=True)
    run = flow.last_run

    run.hand_over(QUIET)
    flowbook.run(run.run_id).resume()
    state = run.wait(LONG_S)

    assert (type(state), flows.noted(folder)) == (Success, ["before", "approve", "after"])
    pids = [int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()]
    assert (pids[0] == os.getpid(), pids[1] == os.getpid()) == (True, False)


def test_a_task_that_waits_for_a_person_or_its_next_attempt_goes_along(folder):
    @task(max_retries=1, retry_delay=0.5)
    def flaky():
        flows.note("flaky")
        if flows.noted(flows.folder()).count("flaky") < 2:
            raise OSError("not yet")

    with Flow("several", executor=LocalDaskExecutor("threads", num_workers=3)) as flow:
        rows = flows.before(1)
        flows.approve(rows)
        flows.middle(rows)
        flaky(upstream_tasks=[rows])
    run = flow.start(record=True)
    wait_for(folder / "middle")
    until(lambda: run["approve"].is_paused() and type(run["flaky"]).__name__ in {"Retrying", "Success"})

    run.hand_over(QUIET)
    (folder / "go").touch()
    paused = run.wait(LONG_S)
    run.resume(by="ada")
    state = run.wait(LONG_S)

    assert (type(paused), type(state), has_no_gap(run)) == (Paused, Success, True)
    assert Counter(flows.noted(folder)) == {"before": 1, "middle": 1, "flaky": 2, "approve": 1}


def test_a_run_that_is_cancelled_while_it_is_handed_over_is_cancelled(folder):
    run = flows.waiting().start(record=True)
    wait_for(folder / "middle")

    run.hand_over(QUIET)
    run.cancel(by="ada")
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), flows.noted(folder)) == (Cancelled, ["before", "middle"])


class Connection:
    """Can't be pickled."""

    def __init__(self):
        self.lock = threading.Lock()


def test_what_cannot_go_along_is_said_by_name_and_nothing_happens(folder):
    @task
    def connect():
        return Connection()

    @task
    def use(conn, n):  # noqa: ARG001  # what it needs can't go along
        return n

    @task(keep=False)
    def secret_rows():
        return [1]

    with Flow("stays") as flow:
        conn = connect()
        n = flows.middle(flows.before(1), upstream_tasks=[conn])
        use(conn, n)
        flows.after(n, upstream_tasks=[secret_rows()])
    run = flow.start(record=True, context={"secrets": {"API_KEY": "x"}})
    wait_for(folder / "middle")
    until(lambda: type(open_store().history.states(run.run_id).get("connect")) is Success)

    with pytest.raises(RunIncompleteError) as caught:
        run.hand_over(QUIET)
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert str(caught.value) == (
        "Run 1 of 'stays' can't go to another process, so nothing was started. These can't go along: secret 'API_KEY' (secrets "
        "are never stored; set the environment variable FLOWBOOK_SECRET_API_KEY here, which the process inherits); the output "
        f"of 'connect' ({caught.value.missing and str(caught.value).partition(chr(39) + 'connect' + chr(39) + ' (')[2]}"
    )
    assert "Connection can't be pickled: its .lock is a _thread.lock" in str(caught.value)
    assert (type(state), decisions(run), run["use"].result) == (Success, [], 20)


def test_an_output_that_comes_too_late_to_be_named_keeps_the_run_where_it_is(folder):
    @task
    def open_one(n):
        (flows.folder() / "opening").touch()
        flows.wait_for("go")
        return Connection() if n else None

    @task
    def use(conn):
        return type(conn).__name__

    with Flow("late") as flow:
        use(open_one(flows.before(1)))
    run = flow.start(record=True)
    wait_for(folder / "opening")

    run.hand_over(QUIET)
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), run["use"].result, decisions(run)) == (Success, "Connection", ["hand_over"])
    assert flow_states(run) == ["Running", "Submitted", "Running", "Success"]


def test_a_run_that_is_not_recorded_is_not_handed_over(folder):
    run = flows.waiting().start(record=False)
    wait_for(folder / "middle")

    with pytest.raises(RunError) as caught:
        run.hand_over(QUIET)
    (folder / "go").touch()
    run.wait(LONG_S)

    assert str(caught.value) == (
        f"Run {run.number} of 'waiting' isn't recorded, so no other process can go on with it. Run it with record=True."
    )


def test_a_run_goes_on_where_it_is_if_no_process_can_be_started(folder):
    run = flows.waiting().start(record=True)
    wait_for(folder / "middle")

    with pytest.raises(FlowRunnerError, match="There is no virtual environment"):
        run.hand_over(SubprocessFlowRunner(virtualenv=folder / "nowhere"))
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), decisions(run)) == (Success, [])


@pytest.mark.parametrize("is_early", [True, False])
def test_a_run_goes_on_where_it_is_if_its_new_process_ends_before_it_has_it(folder, is_early):
    run = flows.waiting().start(record=True)
    wait_for(folder / "middle")

    run.hand_over(
        SubprocessFlowRunner(env={"FLOWBOOK_KEY_FILE": str(folder / "no" / "key"), "FLOWBOOK_HOME": "/dev/null/x"})
    )
    if not is_early:
        (folder / "go").touch()
    until(lambda: "stay" in decisions(run) or run.state.is_finished())
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), flows.noted(folder)) == (Success, ["before", "middle", "after"])
    assert {int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()} == {os.getpid()}


#: Runs the flow `waiting`, and hands it over when it is told to; then it waits to be killed.
OWNER = textwrap.dedent("""
    import sys
    from flowbook.flow_runners import SubprocessFlowRunner
    from tests.flow_runners import flows

    if __name__ == "__main__":
        run = flows.waiting().start(record=True)
        print(run.run_id, flush=True)
        sys.stdin.readline()
        run.hand_over(SubprocessFlowRunner(stream_output=False))
        print("asked", flush=True)
        sys.stdin.readline()
""")


def test_the_new_process_takes_over_if_the_owner_is_killed_while_its_tasks_end(folder):
    owner = start(OWNER, folder, stdin=subprocess.PIPE)
    run_id = owner.stdout.readline().strip()
    wait_for(folder / "middle")
    owner.stdin.write("go\n")
    owner.stdin.flush()
    owner.stdout.readline()

    owner.kill()
    owner.communicate()
    run = flowbook.run(run_id)
    until(lambda: flows.noted(folder).count("middle") == 2)
    (folder / "go").touch()
    until(lambda: type(flowbook.run(run_id).state) is Success)

    assert flows.noted(folder) == ["before", "middle", "middle", "after"]
    assert has_no_gap(flowbook.run(run_id))
    del run


def process_of(run):
    claim = open_store().ownership.owner(run.run_id)
    return psutil.Process(number_of(claim.process))


def test_an_owner_that_is_stopped_is_overtaken_and_what_it_still_records_is_refused(folder):
    run = flows.waiting().start(flow_runner=QUIET)
    wait_for(folder / "middle")
    process = process_of(run)
    process.send_signal(signal.SIGSTOP)

    with pytest.raises(RunClaimedError, match="did not answer within"):
        run._control.location.remote.request(flowbook.flow_run.decision.Decision("hand_over"), within_s=0.3)
    run.take_back(force=True)
    until(lambda: run.where == "here")
    (folder / "go").touch()
    state = run.wait(LONG_S)
    events = len(run.events())
    process.send_signal(signal.SIGCONT)
    until(lambda: not psutil.pid_exists(process.pid))

    found = flowbook.run(run.run_id)
    assert (type(state), type(found.state), len(found.events()), has_no_gap(found)) == (Success, Success, events, True)
    assert found["after"].result == 21
    last = [line.split() for line in (folder / "ran").read_text().splitlines() if line.startswith("after")]
    assert last == [["after", str(os.getpid())]]


@task(max_retries=1, retry_delay=0.05)
def piece(n):
    begun = time.monotonic()
    time.sleep(0.04)
    mark = flows.folder() / f"failed-{n}"
    is_first = n % 7 == 0 and not mark.exists()
    with (flows.folder() / "pieces").open("a") as file:
        file.write(f"{n} {os.getpid()} {begun:.6f} {time.monotonic():.6f} {'failed' if is_first else 'done'}\n")
    if is_first:
        mark.touch()
        raise OSError("once")
    return n


def has_moved(run, where):
    return (run.where == where and not run.is_handing_over) or run.state.is_finished() or run.state.is_paused()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_run_moves_many_times_at_random_moments(folder):
    moves, seed = (100 if IS_SOAK else 4), random.randrange(10**6)
    chance = random.Random(seed)
    width = 40 * moves

    @task
    def numbers(width):
        return list(range(width))

    @task
    def count(rows):
        return len(rows)

    with Flow("moving", executor=LocalDaskExecutor("threads", num_workers=2)) as flow:
        rows = numbers(width)
        flows.approve(1)
        mapped = piece.map(rows)
        count(mapped)
    run = flow.start(record=True)

    made = 0
    while made < moves and not run.state.is_finished() and not run.state.is_paused():
        time.sleep(chance.random() * 0.3)
        here = run.where == "here"
        if run.state.is_finished() or run.state.is_paused():
            break
        try:
            run.hand_over(QUIET) if here else run.take_back()
        except RunError:
            break
        until(lambda wanted="elsewhere" if here else "here": has_moved(run, wanted))
        made += 1
    paused = run.wait(400)
    run.resume("approve")
    state = run.wait(LONG_S)

    rows = [line.split() for line in (folder / "pieces").read_text().splitlines()]
    done = Counter(int(row[0]) for row in rows if row[4] == "done")
    failed = Counter(int(row[0]) for row in rows if row[4] == "failed")
    assert (type(paused), type(state), run["count"].result) == (Paused, Success, width), seed
    assert done == Counter(range(width)), seed
    assert failed == Counter(range(0, width, 7)), seed
    assert has_no_gap(run), seed
    assert made >= (moves // 2), seed
    assert _owners_overlap(rows) == [], seed


def _owners_overlap(rows):
    """Return the pieces that ran in one process while another one had the run."""
    rows = sorted(rows, key=lambda row: float(row[2]))
    overlaps, ends = [], {}
    for number, pid, begun, ended, _ in rows:
        if any(float(begun) < end for other, end in ends.items() if other != pid):
            overlaps.append(number)
        ends[pid] = max(ends.get(pid, 0.0), float(ended))
    return overlaps


#: Begins the run `kills`, or takes it back, and hands it over when it is told to, again and again.
PARTNER = textwrap.dedent("""
    import sys
    import flowbook
    from flowbook.exceptions import FlowbookError
    from flowbook.flow_runners import SubprocessFlowRunner
    from tests.flow_runners import test_hand_over

    if __name__ == "__main__":
        if sys.argv[1] == "new":
            run = test_hand_over.many(int(sys.argv[2])).start(record=True)
        else:
            run = flowbook.run(sys.argv[1])
            run.resume()
        print(run.run_id, flush=True)
        for line in sys.stdin:
            try:
                run.hand_over(SubprocessFlowRunner(stream_output=False)) if line == "over\\n" else run.take_back()
            except FlowbookError as error:
                print("refused", error, flush=True)
            else:
                print("asked", flush=True)
""")


def many(width):
    @task
    def numbers(width):
        return list(range(width))

    @task
    def count(rows):
        return len(rows)

    with Flow("kills", executor=LocalDaskExecutor("threads", num_workers=2)) as flow:
        count(piece.map(numbers(width)))
    return flow


def tell(partner, word):
    partner.stdin.write(f"{word}\n")
    partner.stdin.flush()
    return partner.stdout.readline()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_run_survives_kills_of_either_side_at_random_moments(folder):
    rounds, seed = (25 if IS_SOAK else 2), random.randrange(10**6)
    chance = random.Random(seed)
    width, kills, run_id = 60 * rounds, 0, "new"

    for _ in range(rounds):
        partner = start(PARTNER, folder, run_id, width, stdin=subprocess.PIPE)
        said = partner.stdout.readline().strip()
        if not said:  # there is nothing left to resume
            partner.communicate()
            break
        run_id = said
        for word in ("over", "back"):
            time.sleep(chance.random() * 0.4)
            tell(partner, word)
        time.sleep(chance.random() * 0.5)
        claim = open_store().ownership.owner(run_id)
        victim = chance.choice([partner.pid, number_of(claim.process or "") or partner.pid])
        os.kill(victim, signal.SIGKILL)
        kills += 1
        time.sleep(chance.random() * 0.5)
        partner.kill()
        partner.communicate()
        kills += 1
    run = flowbook.run(run_id)
    while not run.state.is_successful():
        run.wait(LONG_S)
        if run.where == "at rest" and not run.state.is_successful():
            run.resume()

    rows = [line.split() for line in (folder / "pieces").read_text().splitlines()]
    done = Counter(int(row[0]) for row in rows if row[4] == "done")
    succeeded = Counter(
        event.key for event in run.events() if hasattr(event, "state") and type(event.state) is Success and event.key
    )
    assert run["count"].result == width, seed
    assert has_no_gap(run), seed
    assert {succeeded[f"piece[{number}]"] for number in range(width)} == {1}, seed
    assert set(done) == set(range(width)), seed
    # Two tasks run at once: what a kill interrupts, or what was not committed yet, runs again; nothing else does.
    assert sum(done.values()) - width <= 2 * kills + 2, seed


def test_a_run_that_is_over_has_nothing_to_hand_over(folder):
    (folder / "go").touch()
    run = flows.waiting().start(record=True)
    assert isinstance(run.wait(LONG_S), Success)

    with pytest.raises(
        RunError, match=r"Run 1 of 'waiting' is over: it is Success\. There is nothing left to hand over"
    ):
        run.hand_over(QUIET)
