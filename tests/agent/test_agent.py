"""An agent starts each due run once, at its time, and goes on whatever one of them does. Runs here start no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import flowbook
from flowbook.agent import claimed_run, lost_runs
from flowbook.agent.claimed_run import ClaimedRun
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Running
from flowbook.exceptions import RunClaimedError
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.flow_run.submission import claim_for_process
from flowbook.store import RunRecord, open_store
from flowbook.store.process_identity import this_process
from flowbook.store.runs import Runs
from tests.agent.due_runs import (
    LightRunner,
    News,
    beginnings,
    create,
    create_real,
    make_flow,
    states,
    wait_for_states,
    working,
)
from tests.scripts import ROOT, start


class Held(LightRunner):
    """Runs that go on until the test lets them go."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()
        self.running = 0
        self.most = 0
        self.lock = threading.Lock()
        self.came = threading.Semaphore(0)
        self.ended = []

    def work(self, _run):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.came.release()
        assert self.go.wait(30)
        with self.lock:
            self.running -= 1

    def end(self, identifier):
        self.ended.append(identifier)
        self.go.set()


class Looks(threading.Semaphore):
    """A chore that counts an agent's looks."""

    def __init__(self):
        super().__init__(0)

    def __call__(self, _now):
        self.release()

    def wait_for_more(self):
        """Return after looks that began after this call."""
        while self.acquire(blocking=False):
            pass
        for _ in range(4):
            assert self.acquire(timeout=20)


def test_due_runs_are_started_once_each_and_end():
    ids = create(10)

    with working() as (_, news):
        news.wait_for("ended", 10)

    assert states(ids) == ["Success"] * 10
    assert [beginnings(run_id) for run_id in ids] == [1] * 10


def test_no_more_runs_go_on_at_once_than_the_limit():
    create(7)
    held = Held()

    with working(limit=3, flow_runners=lambda _: held) as (agent, news):
        for _ in range(3):
            assert held.came.acquire(timeout=20)
        in_hand = {(each.flow, each.phase) for each in agent.in_hand}, len(agent.in_hand)
        held.go.set()
        news.wait_for("ended", 7)

    assert in_hand == ({("nothing", "runs")}, 3)
    assert held.most == 3


def test_a_run_that_waits_for_its_time_takes_no_room_from_one_that_is_due():
    held, now = Held(), [time.time()]
    waiting = create(due=now[0] + 3600)

    with working(limit=1, prefetch_s=7200, flow_runners=lambda _: held, clock=lambda: now[0]) as (agent, news):
        while not agent.in_hand:
            time.sleep(0.01)
        due = create()
        wait_for_states([*due, *waiting], "Running", "Submitted")
        now[0] += 3601
        news.wait_for("given back")
        held.go.set()
        news.wait_for("ended", 2)

    assert held.most == 1
    assert [beginnings(run_id) for run_id in (*due, *waiting)] == [1, 1]


def test_runs_that_cannot_be_claimed_hold_up_no_others(monkeypatch):
    bad, good = create(7), create(2)
    real = Runs.get

    def get(runs, run_id):
        if run_id in bad:
            msg = f"The graph of run {run_id} is damaged."
            raise flowbook.exceptions.StoreError(msg)
        return real(runs, run_id)

    monkeypatch.setattr(Runs, "get", get)
    with working(limit=2) as (_, news):
        news.wait_for("ended", 2)

    assert states([*bad, *good]) == ["Scheduled"] * 7 + ["Success"] * 2
    assert news.what().count("trouble") == 7


def test_runs_that_are_due_at_once_are_claimed_in_one_transaction(monkeypatch):
    real, batches = Runs.claim_to_begin, []

    def claim(runs, wanted, most, owner):
        found = real(runs, wanted, most, owner)
        batches.append(len(found.claimed))
        return found

    monkeypatch.setattr(Runs, "claim_to_begin", claim)
    ids = create(60)
    with working(limit=100) as (_, news):
        news.wait_for("ended", 60)

    assert (sum(batches), max(batches), len(batches)) == (60, 25, 3)
    assert [beginnings(run_id) for run_id in ids] == [1] * 60


def test_two_agents_that_see_the_same_runs_share_them():
    ids = create(60)
    with working(limit=100, name="east") as (_, east), working(limit=100) as (_, west):
        wait_for_states(ids, *["Success"] * 60, timeout=40)

    assert [beginnings(run_id) for run_id in ids] == [1] * 60
    assert len(east) + len(west) >= 60


def test_requests_to_runs_that_wait_are_read_only_when_something_was_written(monkeypatch):
    create(due=time.time() + 50)
    asked, counts = [], []
    monkeypatch.setattr(ClaimedRun, "answer_requests", lambda run: asked.append(run.run_id))
    looks = threading.Semaphore(0)

    def count(_):
        counts.append(len(asked))
        looks.release()

    with working(prefetch_s=60, chores=[count]) as (agent, _):
        while not agent.in_hand:
            time.sleep(0.01)
        before = len(counts)
        for _ in range(before + 6):
            assert looks.acquire(timeout=20)

    assert counts[before + 5] - counts[before + 2] <= 3


def test_a_run_that_an_agent_of_another_machine_claimed_is_claimed_again_once_its_heartbeats_stop():
    fresh, silent = create(), create()
    store = open_store()
    for (run_id,), beat in ((fresh, time.time()), (silent, time.time() - 300)):
        claim_for_process(store, run_id)
        store._database.write(
            lambda connection, run_id=run_id, beat=beat: connection.execute(
                "UPDATE run SET process = 'elsewhere|1|1', beat = ? WHERE run_id = ?", (beat, run_id)
            )
        )

    with working() as (_, news):
        news.wait_for("ended")

    assert states([*fresh, *silent]) == ["Submitted", "Success"]


def test_a_run_is_claimed_ahead_and_begins_at_its_time_and_not_before():
    now, looks = [time.time()], Looks()
    (run_id,) = create(due=now[0] + 3600)

    with working(prefetch_s=7200, clock=lambda: now[0], chores=[looks]) as (_, news):
        wait_for_states([run_id], "Submitted")
        now[0] += 3599.9
        looks.wait_for_more()
        before = states([run_id])
        now[0] += 1.1
        news.wait_for("ended")

    assert (before, states([run_id])) == (["Submitted"], ["Success"])


def test_a_run_is_not_begun_early_when_the_clock_is_set_back():
    now, looks = [time.time()], Looks()
    (run_id,) = create(due=now[0] + 3600)

    with working(prefetch_s=30, clock=lambda: now[0], chores=[looks]) as (agent, news):
        now[0] += 3590
        while not agent.in_hand:
            time.sleep(0.01)
        now[0] -= 1800
        looks.wait_for_more()
        told, phases = news.what(), [each.phase for each in agent.in_hand]
        now[0] += 1811
        news.wait_for("ended")

    assert (told, phases) == ([], ["waits"])
    assert states([run_id]) == ["Success"]


def test_what_is_written_by_others_is_seen_before_the_next_poll():
    with working(poll_s=3600) as (agent, news):
        while agent._seen_version is None:
            time.sleep(0.01)
        (run_id,) = create()
        news.wait_for("ended")

    assert states([run_id]) == ["Success"]


# One bad run


def test_a_run_of_an_unknown_flow_runner_is_crashed_and_the_agent_goes_on():
    bad = create(flow_runner={"type": "zeppelin", "config": {}})
    good = create()

    with working(
        flow_runners=lambda settings: flow_runner_of(settings) if settings.type != "universal" else LightRunner()
    ) as (
        _,
        news,
    ):
        news.wait_for("failed")
        news.wait_for("ended")

    assert states([*bad, *good]) == ["Crashed", "Success"]
    assert open_store().runs.summary(bad[0]).message == (
        "It could not be started: There is no flow runner of type 'zeppelin'. "
        "The types are 'universal', 'subprocess', 'docker', 'kubernetes'."
    )


def test_a_flow_runner_that_breaks_down_before_its_process_exists_makes_the_run_crashed():
    class Broken(LightRunner):
        def submit(self, run, _started):
            raise OSError(24, f"Too many open files in {run.flow_name}")

    (run_id,) = create()
    with working(flow_runners=lambda _: Broken()) as (_, news):
        news.wait_for("failed")

    assert states([run_id]) == ["Crashed"]
    assert open_store().runs.summary(run_id).message == (
        "It could not be started: its flow runner broke down: OSError: [Errno 24] Too many open files in nothing"
    )


def test_a_flow_runner_that_breaks_down_while_it_watches_leaves_the_run_alone():
    class Broken(LightRunner):
        def work(self, run):
            raise OSError(5, f"Input/output error in {run.flow_name}")

    bad = create()
    with working(limit=1, flow_runners=lambda _: Broken()) as (_, news):
        news.wait_for("trouble")

    assert news[1].text == (
        "nothing run 1 can't be watched any more and goes on: OSError: [Errno 5] Input/output error in nothing"
    )
    wait_for_states(bad, "Running")


def test_a_chore_that_fails_is_told_of_once_and_stops_nothing():
    def broken(now):
        raise ValueError(f"no such chore at {now > 0}")

    ids = create(2)
    with working(chores=[broken, ids.append]) as (_, news):
        news.wait_for("ended", 2)
        while len(ids) < 5:
            time.sleep(0.01)

    assert [each.text for each in news if each.what == "trouble"] == [
        "ValueError: no such chore at True The agent goes on and tries again."
    ]


# Stopping


def test_an_agent_that_is_stopped_gives_back_what_waits_and_waits_for_what_runs():
    held = Held()
    running, waiting = create(), create(due=time.time() + 50)

    with working(prefetch_s=60, flow_runners=lambda _: held) as (agent, news):
        wait_for_states(running, "Running")
        while len(agent.in_hand) < 2:
            time.sleep(0.01)
        agent.stop()
        news.wait_for("drains")
        late = create()
        before = states([*running, *waiting, *late])
        owners = [open_store().ownership.owner(run_id).process for run_id in (*waiting, *late)]
        held.go.set()
        news.wait_for("ends")

    assert before == ["Running", "Scheduled", "Scheduled"]
    assert owners == [None, None]
    assert states([*running, *waiting, *late]) == ["Success", "Scheduled", "Scheduled"]
    assert [each.text for each in news if each.what in {"drains", "given back", "ends"}] == [
        "nothing run 2 waits for another agent",
        "Agent west claims nothing more, and waits for 1 run to the end; once more ends it now.",
        "Agent west has ended.",
    ]


def test_an_agent_that_is_stopped_twice_ends_the_processes_of_its_runs():
    held = Held()
    (run_id,) = create()

    with working(flow_runners=lambda _: held) as (agent, news):
        assert held.came.acquire(timeout=20)
        agent.stop()
        agent.stop()
        news.wait_for("ends")

    assert held.ended == [f"light-{run_id}"]


def test_a_run_that_was_given_back_is_claimed_by_the_next_agent():
    now = time.time()
    (run_id,) = create(due=now + 3600)
    with working(prefetch_s=7200, clock=lambda: now) as (agent, _):
        while not agent.in_hand:
            time.sleep(0.01)

    with working(name="east", clock=lambda: now + 3601) as (_, news):
        news.wait_for("ended")

    assert beginnings(run_id) == 1


def test_an_agent_that_cannot_give_back_what_waits_ends_all_the_same(monkeypatch):
    (run_id,) = create(due=time.time() + 50)

    def give_back(_):
        msg = "The disk is full."
        raise flowbook.exceptions.StoreError(msg)

    monkeypatch.setattr(ClaimedRun, "give_back", give_back)
    with working(prefetch_s=60) as (agent, news):
        while not agent.in_hand:
            time.sleep(0.01)
        agent.stop()
        news.wait_for("ends")

    assert states([run_id]) == ["Submitted"]
    assert [each.text for each in news if each.what == "trouble"] == [
        "The disk is full. The agent goes on and tries again."
    ]


def test_a_run_whose_thread_cannot_be_started_is_tried_again(monkeypatch):
    real, refused = claimed_run.threads.spawn, []

    def spawn(*args, **options):
        if options["name"].startswith("agent-") and len(refused) < 2:
            refused.append(options["name"])
            msg = "can't start new thread"
            raise RuntimeError(msg)
        return real(*args, **options)

    monkeypatch.setattr(claimed_run.threads, "spawn", spawn)
    (run_id,) = create()
    with working() as (_, news):
        news.wait_for("ended")

    assert (states([run_id]), beginnings(run_id)) == (["Success"], 1)


# Cancelling, in each state


def test_a_run_that_waits_in_an_agents_hand_is_cancelled():
    (run_id,) = create(due=time.time() + 50)

    with working(prefetch_s=60) as (agent, news):
        while not agent.in_hand:
            time.sleep(0.01)
        store = open_store()
        from flowbook.store.records import Request  # noqa: PLC0415

        number = store.requests.send(
            run_id, Request("cancel", (), "ada", "not today"), store.ownership.owner(run_id).epoch
        )
        news.wait_for("cancelled")
        answer = store.requests.answer_to(number)

    assert (answer, states([run_id])) == ({"done": True}, ["Cancelled"])
    assert [(each.action, each.by, each.note) for each in store.history.decisions(run_id)] == [
        ("cancel", "ada", "not today")
    ]
    assert news[0].text == "nothing run 1 was cancelled before its time by ada"


def test_a_run_that_waits_answers_that_nothing_is_to_be_resumed():
    (run_id,) = create(due=time.time() + 50)

    with working(prefetch_s=60) as (agent, _):
        while not agent.in_hand:
            time.sleep(0.01)
        store = open_store()
        from flowbook.store.records import Request  # noqa: PLC0415

        number = store.requests.send(run_id, Request("resume", (), "ada", ""), store.ownership.owner(run_id).epoch)
        while (answer := store.requests.answer_to(number)) is None:
            time.sleep(0.01)

    assert answer == {
        "error": "StartTaskError",
        "message": "It waits for its time, and nothing of it is to be answered yet. Cancel it, or ask again once it runs.",
    }


def test_a_run_that_is_cancelled_at_the_moment_of_its_claim_is_not_begun():
    (run_id,) = create()
    store = open_store()
    (seen,) = store.runs.to_begin(time.time())
    epoch = store.ownership.claim(run_id, 1, "ada")
    store.ownership.finish(run_id, epoch, "Cancelled")
    store._database.write(
        lambda connection: connection.execute("UPDATE run SET state = 'Cancelled' WHERE run_id = ?", (run_id,))
    )

    with pytest.raises(flowbook.exceptions.RunClaimedError) as caught:
        claim_for_process(store, seen.run_id, is_to_begin=True)

    assert str(caught.value) == "Run 1 of 'nothing' is Cancelled, so there is nothing to begin."


# Processes that are gone

_CLAIMS_AND_DIES = """
import os, sys
from flowbook.flow_run.submission import claim_for_process
from flowbook.store import open_store
claim_for_process(open_store(), sys.argv[1])
os._exit(9)
"""


@pytest.mark.acceptance
def test_a_run_whose_agent_died_before_it_began_is_claimed_again(tmp_path):
    (run_id,) = create()
    process = start(_CLAIMS_AND_DIES, tmp_path, run_id)
    process.communicate()
    claimed = states([run_id])

    with working() as (_, news):
        news.wait_for("ended")

    assert claimed == ["Submitted"]
    assert (states([run_id]), beginnings(run_id)) == (["Success"], 1)


_RUNS_AND_DIES = """
import os, signal, sys
from flowbook import Flow, task

@task
def dies():
    os.kill(os.getpid(), signal.SIGKILL)

with Flow("dies") as flow:
    dies()
flow.run(record=True)
"""


@pytest.mark.acceptance
def test_a_running_run_whose_process_is_gone_becomes_crashed_and_others_stay(tmp_path, monkeypatch):
    process = start(_RUNS_AND_DIES, tmp_path)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    store = open_store()
    (lost,) = [each.run_id for each in store.runs.list()]
    slow = store.runs.create(RunRecord("slow", "slow", "test", {"name": "slow", "tasks": []}, owner="ada@here:1"))
    store.runs.recorder("slow", 1).emit(StateChanged(1, FLOW, Running()))
    done = create()
    monkeypatch.setattr(lost_runs, "GRACE_S", 0.3)

    with working() as (_, news):
        news.wait_for("crashed")
        news.wait_for("ended")

    assert states([lost, slow.run_id, *done]) == ["Crashed", "Running", "Success"]
    message = store.runs.summary(lost).message
    assert message.endswith("is gone, and nobody saw how it ended. run.resume() goes on from what is stored.")
    assert [each.text for each in news if each.what == "crashed"] == [f"dies run 1 is crashed: {message}"]
    assert type(flowbook.run(lost)["dies"]).__name__ == "Pending"


def test_a_run_whose_process_died_before_anything_of_it_was_recorded_has_begun_and_is_not_begun_again(
    tmp_path, monkeypatch
):
    tries = tmp_path / "tries"

    def work():
        with tries.open("a") as file:
            file.write("x")
        os._exit(3)

    run_id = create_real(make_flow(work))
    store = open_store()
    gone = f"{this_process()}0"
    claimed = store.runs.claim_to_begin(store.runs.to_begin(time.time()), 1, "another agent", gone).claimed
    engine = subprocess.run([sys.executable, "-m", "flowbook.engine", run_id], cwd=ROOT, check=False)
    monkeypatch.setattr(lost_runs, "GRACE_S", 0.1)

    assert (len(claimed), engine.returncode, tries.read_text()) == (1, 3, "x")
    assert store.runs.to_begin(time.time()) == []
    with pytest.raises(RunClaimedError, match="so there is nothing to begin"):
        claim_for_process(store, run_id, is_to_begin=True)
    with working() as (_, news):
        news.wait_for("crashed")
    assert (states([run_id]), "started" in news.what(), tries.read_text()) == (["Crashed"], False, "x")


def test_a_crash_that_an_agent_notices_is_told(tmp_path, monkeypatch):
    from tests.notices.servers import Webhook  # noqa: PLC0415

    webhook = Webhook()
    program = _RUNS_AND_DIES.replace('Flow("dies")', f'Flow("dies", notify={webhook.url!r})')
    process = start(program, tmp_path)
    process.communicate()
    monkeypatch.setattr(lost_runs, "GRACE_S", 0.1)
    from flowbook.agent.chores import chores_of  # noqa: PLC0415

    try:
        with working(chores=chores_of(open_store(), News())) as (_, news):
            news.wait_for("crashed")
            (body,) = webhook.wait()
    finally:
        webhook.close()

    assert body["title"] == "dies run 1 crashed"


def test_a_run_that_was_lost_long_ago_is_left_as_it_is(tmp_path, monkeypatch):
    start(_RUNS_AND_DIES, tmp_path).communicate()
    store = open_store()
    (lost,) = store.runs.list()
    week_s = 7 * 86_400
    store._database.write(lambda connection: connection.execute("UPDATE run SET beat = beat - ?", (week_s + 60,)))
    monkeypatch.setattr(lost_runs, "GRACE_S", 0.0)

    found = lost_runs.LostRuns(store).record()
    store._database.write(lambda connection: connection.execute("UPDATE run SET beat = beat + 120"))

    assert found == []
    assert lost_runs.LostRuns(store).record() == [lost.run_id]


# Beats and views


def test_a_claimed_run_beats_until_its_process_has_it():
    (run_id,) = create(due=time.time() + 50)
    store = open_store()
    recording = claim_for_process(store, run_id)
    claimed = ClaimedRun(recording, time.time() + 50, lambda _: LightRunner(), News(), lambda: None)
    before = store.ownership.owner(run_id).beat

    claimed.beat()
    beaten = store.ownership.owner(run_id).beat
    store.ownership.claim(run_id, recording.epoch, "engine")
    claimed.beat()

    assert before < beaten
    assert claimed._is_taken


def test_an_agent_that_cannot_read_its_store_goes_on_when_it_can_again(monkeypatch):
    store = open_store()
    broken = threading.Event()
    real = type(store.runs).to_begin

    def to_begin(self, *args):
        if broken.is_set():
            msg = "The store can't be read."
            raise flowbook.exceptions.StoreError(msg)
        return real(self, *args)

    monkeypatch.setattr(type(store.runs), "to_begin", to_begin)
    broken.set()
    ids = create(2)

    with working() as (_, news):
        news.wait_for("trouble")
        broken.clear()
        news.wait_for("ended", 2)

    assert [each.text for each in news if each.what == "trouble"] == [
        "The store can't be read. The agent goes on and tries again."
    ]
    assert states(ids) == ["Success"] * 2


if sys.platform == "win32":
    pytest.skip("processes are ended by signals here", allow_module_level=True)


def test_a_run_whose_keeper_is_followed_by_another_is_said_to_start_once():
    class Kept(LightRunner):
        def submit(self, run, started):
            started("first keeper")
            return super().submit(run, started)

    (run_id,) = create()
    with working(flow_runners=lambda _: Kept()) as (_, news):
        wait_for_states([run_id], "Success")
        news.wait_for("ended")

    assert (news.what().count("started"), open_store().runs.identifier(run_id)) == (1, f"light-{run_id}")
