"""How the end of a run's own process is told, and when it makes the run Crashed."""

from __future__ import annotations

import threading

import pytest

from flowbook import Flow, task
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Crashed
from flowbook.flow_run import process_end
from flowbook.flow_run.ports import Outcome
from flowbook.flow_run.process_end import how_it_ended, record_process_end
from flowbook.flow_run.recording import Recording
from flowbook.flow_run.run import start_run
from flowbook.flow_run.run_to_come import create_submitted_run
from flowbook.flow_runners import SubprocessFlowRunner
from flowbook.store import open_store
from flowbook.store.process_identity import PLACE, place_of_run
from flowbook.store.run_ownership import RunOwnership


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Outcome(3), "Its process ended with exit code 3 in the middle of the run."),
        (Outcome(-15), "Its process was ended by SIGTERM in the middle of the run."),
        (
            Outcome(-9),
            "Its process was ended by SIGKILL in the middle of the run; maybe the machine ran out of memory.",
        ),
        (
            Outcome(-9, how="Its container ran out of memory."),
            "Its container ran out of memory.",
        ),
    ],
)
def test_an_end_is_told_with_its_reason(outcome, sentence):
    assert how_it_ended(outcome) == sentence


@task
def one():
    return 1


def submitted():
    """Return the recording of a run that was claimed for a process."""
    with Flow("ends") as flow:
        one()
    run = start_run(flow, None, {})
    return create_submitted_run(run._control.run, run._control.inputs, SubprocessFlowRunner())


def claimed_in(place, recording, monkeypatch):
    """Claim the run as a process in that place would."""
    monkeypatch.setenv(PLACE, place)
    claimed_by("root@container", recording)
    monkeypatch.delenv(PLACE)


def claimed_by(owner, recording):
    """Claim the run as that owner; return its recording."""
    found = Recording.of(open_store(), recording.run_id)
    found.mark_read(found.snapshot())
    found.claim(owner)
    return found


def test_a_run_whose_container_has_ended_is_crashed_although_its_last_heartbeat_is_fresh(monkeypatch):
    recording = submitted()
    claimed_in(place_of_run(recording.run_id, recording.epoch), recording, monkeypatch)

    is_crashed = record_process_end(open_store(), recording.run_id, recording.epoch, Outcome(-9, ("last words",)))

    state = Recording.of(open_store(), recording.run_id).snapshot().states()[""]
    assert (is_crashed, type(state)) == (True, Crashed)
    assert state.message == (
        "Its process was ended by SIGKILL in the middle of the run; maybe the machine ran out of memory. "
        "run.resume() goes on from what is stored.\n"
        "The last lines of its output:\n    last words"
    )


def test_a_run_that_somebody_else_has_claimed_meanwhile_is_left_to_them(monkeypatch):
    recording = submitted()
    claimed_in("elsewhere", recording, monkeypatch)

    is_crashed = record_process_end(open_store(), recording.run_id, recording.epoch, Outcome(-9))

    assert is_crashed is False


def test_the_apis_token_in_the_last_lines_is_masked(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", "t0ken-of-this-api")
    recording = submitted()

    record_process_end(open_store(), recording.run_id, recording.epoch, Outcome(1, ("it is t0ken-of-this-api",)))

    assert open_store().runs.summary(recording.run_id).message.endswith("    it is *****")


def test_of_two_who_watch_a_process_the_second_waits_until_the_first_has_recorded_its_end(monkeypatch):
    recording = submitted()
    claimed_in("container", recording, monkeypatch)
    first = claimed_by("the keeper", recording)
    looks, seen = threading.Semaphore(0), []
    owner = RunOwnership.owner
    monkeypatch.setattr(RunOwnership, "owner", lambda *args: (owner(*args), looks.release())[0])

    def second():
        outcome = Outcome(-9)
        seen.append(record_process_end(open_store(), recording.run_id, recording.epoch, outcome))
        seen.append(open_store().runs.summary(recording.run_id).state)

    thread = threading.Thread(target=second)
    thread.start()
    for _ in range(3):
        assert looks.acquire(timeout=20)
    assert seen == []
    first.emit(StateChanged(first.snapshot().last_seq + 1, FLOW, Crashed("Its process ended.")))
    first.finish(Crashed())
    thread.join(20)

    assert seen == [False, "Crashed"]


def test_nobody_waits_for_a_run_that_another_process_has_taken_over(monkeypatch):
    recording = submitted()
    claimed_in("container", recording, monkeypatch)
    claimed_by("another process", recording)
    monkeypatch.setattr(process_end, "_RECORDED_S", 3600.0)

    assert not record_process_end(open_store(), recording.run_id, recording.epoch, Outcome(0))
