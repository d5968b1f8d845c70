"""What `python -m flowbook.engine RUN_ID` does: claims a run, runs it in this process until it is at rest, and ends.

The exit code tells of the process, never of the flow: 0 as soon as the run was carried on, whatever its state is then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.versions import versions_here
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Pending, Submitted
from flowbook.exceptions import FlowbookError, RunChangedError, RunClaimedError
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.hand_over import await_taker, unkept_outputs
from flowbook.flow_run.location import Here
from flowbook.flow_run.new_record import graph_of
from flowbook.flow_run.recorded_cancel import cleanups_due, record_cancelled
from flowbook.flow_run.recorded_run import load_control
from flowbook.flow_run.recording import Recording
from flowbook.flow_run.request_listener import decision_of
from flowbook.flow_run.run_to_come import refuse_what_stays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.state import State
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.run_control import RunControl
    from flowbook.store import Store
    from flowbook.store.records import Request
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["run_in_this_process"]

_LOOK_S = 0.2
_TURN_S = 0.05
#: A number that no event has: a snapshot since then reads none.
_ALL = 2**62
#: How long tasks that were stopped may take to end.
_STOP_S = 5.0


def run_in_this_process(store: Store, run_id: str, flow_at: Callable[[str, str], tuple[RunnableFlow, str]]) -> State:
    """Carry on a run in this thread until it is at rest, or another process has taken it over; return the flow's state.

    Args:
        store: has the run.
        run_id: of a run that is Scheduled, or was claimed for this process, or broke off.
        flow_at: returns the flow at a location, of a given name, and the SHA-256 of its file.

    Raises:
        UnknownRunError: if there is no such run.
        RunClaimedError: if another process has it, or nothing of it is left to do.
        FlowbookError: if its flow or its inputs can't be loaded here.
    """
    recording = Recording.of(store, run_id)
    if not _has_turn(store, run_id):
        return Pending()
    snapshot = recording.snapshot()
    before = _state_before(snapshot)
    _refuse_unless_free(recording, snapshot, before)
    requests = store.requests.open(run_id, snapshot.claim.epoch)
    _enter_folder(recording.record.graph.get("made_by", {}).get("folder"))
    try:
        control = _load(recording, snapshot, before, flow_at)
    except FlowbookError as error:
        cancelled = _cancelled_as_it_is(recording, snapshot, requests, error)
        if cancelled is None:
            raise
        return cancelled
    if snapshot.is_owned and store.requests.was_asked(run_id, snapshot.claim.epoch, "hand_over"):
        refuse_what_stays(recording.label, list(unkept_outputs(control.run.graph, snapshot.states())), None)
    _carry_on(control, snapshot, requests, store)
    return control.location.state


def _load(
    recording: Recording, snapshot: RunSnapshot, before: State, flow_at: Callable[[str, str], tuple[RunnableFlow, str]]
) -> RunControl:
    """Return the control of the run with its flow: the stored one, or at its first beginning the one in its file."""
    location = recording.record.flow_location
    made_by = recording.record.graph.get("made_by", {})
    if location is None or snapshot.claim.started is not None:
        return load_control(recording, _stored_flow(recording, made_by), snapshot, before)
    flow, digest = flow_at(location, recording.record.flow)
    control = load_control(recording, flow, snapshot, before)
    graph = graph_of(control.run, control.inputs.limits)
    recording.store_flow(flow, {**graph, "file_digest": digest, "made_by": made_by})
    return control


def _cancelled_as_it_is(
    recording: Recording, snapshot: RunSnapshot, requests: list[Request], error: FlowbookError
) -> State | None:
    """If the run was to be cancelled, and only its clean-up wasn't possible for `error`, cancel it; return its state then."""
    if not requests or requests[0].action not in {"cancel", "cancel_now"}:
        return None
    recording.mark_read(snapshot)
    why = f"its process could not load the run ({str(error).partition('. ')[0].removesuffix('.')})"
    due = cleanups_due(recording, snapshot.states())
    state = record_cancelled(recording, snapshot, decision_of(requests[0]), due, why)
    recording.store.requests.answer(requests[0].number, {"done": True})
    return state


def _enter_folder(folder: str | None) -> None:
    """Work in the folder in which the run's deployment was made, if there is one: tasks read and write beside their notebook."""
    if folder is not None:
        with contextlib.suppress(OSError):  # another machine, or it was removed
            os.chdir(folder)


def _stored_flow(recording: Recording, made_by: Mapping[str, str]) -> RunnableFlow:
    """Return the flow that is kept by value. Raises RunChangedError if another version of Python or flowbook made it."""
    here = versions_here()
    other = [name for name, version in here.items() if _series(version) != _series(made_by.get(name, version))]
    if other:
        made = " and ".join(f"{name.capitalize()} {made_by[name]}" for name in other)
        now = " and ".join(f"{name.capitalize()} {here[name]}" for name in other)
        msg = (
            f"{recording.label.title} was deployed with {made}, and this is {now}. Code that is kept by value is read by the "
            "versions that made it only. Deploy the flow again with these, or give it a flow runner whose environment has those."
        )
        raise RunChangedError(msg, run_id=recording.run_id)
    return recording.flow()


def _series(version: str) -> str:
    """Return "3.11" of "3.11.7"."""
    return ".".join(version.split(".")[:2])


def _has_turn(store: Store, run_id: str) -> bool:
    """If the run is to be taken over, wait until its owner has left it or died; return False if it came to rest meanwhile."""
    pause, is_taker = threading.Event(), False
    while True:
        now = store.history.snapshot(run_id, since=_ALL)
        if now.claim.process is None or not now.is_owned or now.state == Submitted.__name__:
            return now.claim.process is not None or not is_taker
        if not store.requests.was_asked(run_id, now.claim.epoch, "hand_over"):
            return not is_taker
        is_taker = True
        pause.wait(_TURN_S)


def _state_before(snapshot: RunSnapshot) -> State:
    """Return the flow's state before somebody claimed the run for this process."""
    states = [each.state for each in snapshot.events if isinstance(each, StateChanged) and each.key == FLOW]
    state = states[-1] if states else Pending()
    if isinstance(state, Submitted):
        return state.state or Pending()
    return state


def _refuse_unless_free(recording: Recording, snapshot: RunSnapshot, before: State) -> None:
    """Raise RunClaimedError if a live process runs the run, or it is over."""
    if snapshot.is_owned and snapshot.state != Submitted.__name__:
        owner = recording.owner_name(snapshot.claim)
        msg = f"{owner} has {recording.label}, so this process leaves it alone."
        raise RunClaimedError(msg, run_id=recording.run_id, owner=owner)
    is_waiting = snapshot.state in {Submitted.__name__, "Scheduled"} or snapshot.claim.process is not None
    if not is_waiting:
        msg = (
            f"Nothing is to be done in {recording.label}: it is {type(before).__name__}. "
            f"Go on with it: flowbook run resume {recording.run_id}, or retry."
        )
        raise RunClaimedError(msg, run_id=recording.run_id)


def _carry_on(control: RunControl, snapshot: RunSnapshot, requests: list[Request], store: Store) -> None:
    """Begin the run, or do what was asked of it while it waited for this process; run it to rest.

    Whoever asks for more meanwhile asks again, of the process that has the run by then.
    """
    if requests:
        first = requests[0]
        control.decide(decision_of(first), force=True)
        store.requests.answer(first.number, {"done": True})
    elif snapshot.claim.started is None:
        control.begin_recorded()
    else:
        control.go_on()
    while isinstance(here := control.location, Here):
        with _Guard(control, here):
            control.work(here)
        await_taker(control)


class _Guard:
    """Ends the run when the process is told to end (SIGTERM), and the process if tasks that were stopped go on.

    A thread of its own watches: the main thread runs tasks, and may be in C code for long.
    """

    def __init__(self, control: RunControl, here: Here) -> None:
        self._control = control
        self._here = here
        self._is_told = False
        self._is_over = False

    def __enter__(self) -> None:
        self._read, self._write = os.pipe()
        for descriptor in (self._read, self._write):
            os.set_blocking(descriptor, False)
        self._before = signal.signal(signal.SIGTERM, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = threads.spawn(self._watch, name="guard", owner=self)

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGTERM, self._before)
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _watch(self) -> None:
        stopped = 0.0
        while not self._is_over:
            if select.select([self._read], [], [], _LOOK_S)[0] and signal.SIGTERM in os.read(self._read, 512):
                self._end()
            if self._here.epoch.threads.is_stopped:
                stopped = stopped or time.monotonic()
                if time.monotonic() - stopped > _STOP_S:
                    self._leave()

    def _end(self) -> None:
        """Bring the run to rest, since the process was told to end; it can be resumed."""
        if not self._is_told:
            self._is_told = True
            note = "Its process was told to end. run.resume() goes on with what is left."
            self._here.apply(Decision("cancel_now", by="SIGTERM", note=note))

    def _leave(self) -> None:
        """End the process although a task goes on in it, which nothing else can stop."""
        message = (
            f"Cancelled; what still ran after {_STOP_S:.0f} s was ended with its process. It runs again on resume."
        )
        self._here.epoch.leave(message)
        self._control.end(self._here, self._here.epoch.state)
        os._exit(0)
