"""Hands a run over to another process, or takes it back, while it goes on.

Whoever has the run starts no new task, and what runs ends. The run is Submitted then and keeps its owner until the other
process has claimed it, so that nothing is lost whoever dies: a taker that sees its owner dead takes the run all the same, and
an owner from whom nobody takes it goes on with it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from flowbook._utils import threads
from flowbook.engine.events import FLOW
from flowbook.engine.run_inputs import MissingInput
from flowbook.engine.state import Crashed, Pending, Submitted
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError, FlowRunnerError, RunClaimedError, RunError
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.location import AtRest, Elsewhere, Here
from flowbook.flow_run.resume_plan import broken_off, unfinished
from flowbook.results.reference import ResultRef
from flowbook.store.process_identity import is_here, this_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.flow_run.location import Location
    from flowbook.flow_run.own_process import OwnProcess
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.flow_run.run_log import RunLog
    from flowbook.flow_run.submission import Submission

__all__ = ["Control", "await_taker", "expect_taker", "hand_over", "take_back", "unkept_outputs"]

_LOOK_S = 0.05
#: How long an owner that has ended its tasks waits for the process that is to go on; then it goes on itself.
_TAKER_S = 30.0
#: How long an owner may take to answer before `force` takes its run away.
_FORCED_S = 3.0
_TRIES = 5
_log = logging.getLogger("flowbook")


class Control(Protocol):
    """The part of `RunControl` that hands a run over."""

    run: RunDescription
    location: Location
    log: RunLog
    own_process: OwnProcess
    #: Whether epochs are run by whoever called for them.
    works_in_caller: bool

    def refresh(self, *, now: bool = False) -> Location:
        """Read what other processes did; return where the run is."""
        ...

    def moving(self, seen: Location) -> AbstractContextManager[bool]:
        """Hold the lock of the run's location; return whether that is still `seen`."""
        ...

    def follow(self, recording: Recording) -> None:
        """Follow the run at rest, which another process has."""
        ...

    def go_on(self) -> None:
        """Go on here with a run that another process has left to this one."""
        ...


def hand_over(control: Control, flow_runner: FlowRunner, by: str = "", note: str = "") -> None:
    """Let a process that the flow runner starts go on with the run; return once that process exists.

    If the run is at rest, its next process is started by this flow runner.

    Raises:
        RunIncompleteError: if something of it can't go along; nothing has happened then.
        FlowRunnerError: if no process can be started; the run goes on where it is.
        RunError: if it isn't recorded, or is being cancelled.
        RunClaimedError: if the process that has it doesn't answer.
    """
    location = control.refresh(now=True)
    recording = location.recording
    if recording is None:
        msg = (
            f"{control.run.label.title} isn't recorded, so no other process can go on with it. Run it with record=True."
        )
        raise RunError(msg, run=control.run.label.run_id)
    _refuse_if_over(control, location)
    _refuse_what_stays(control, recording, flow_runner)
    flow_runner.check()
    settings = flow_runner.to_settings().as_json()
    if isinstance(location, AtRest):
        recording.set_flow_runner(settings)
        control.own_process.use(flow_runner)
        return
    epoch = _ask(control, location, recording, by, note)
    before = recording.record.flow_runner
    recording.set_flow_runner(settings, epoch)
    taker = _taker(control, recording, epoch, flow_runner)
    try:
        taker.start()
    except FlowRunnerError:
        recording.set_flow_runner(before, epoch)
        _stay(control, "No process could be started.")
        raise
    threads.spawn(
        _see_it_taken,
        control,
        taker,
        flow_runner,
        epoch,
        name=f"hand-over-{control.run.label.number}",
        owner="hand_over",
    )


def _refuse_if_over(control: Control, location: Location) -> None:
    """Raise RunError if nothing is left to do that another process could go on with: all went well."""
    if isinstance(location, AtRest) and location.state.is_successful():
        msg = (
            f"{control.run.label.title} is over: it is {type(location.state).__name__}. There is nothing left to hand over; "
            "run the flow again with flow_runner=… to run it there."
        )
        raise RunError(msg, run=control.run.label.run_id)


def _refuse_what_stays(control: Control, recording: Recording, flow_runner: FlowRunner) -> None:
    from flowbook.flow_run.run_to_come import lacking_secrets, refuse_what_stays  # noqa: PLC0415  # loading the store takes long

    inputs = recording.newer_inputs() or recording.inputs()
    stays = [*inputs.missing, *lacking_secrets(inputs.secrets, flow_runner)]
    stays += unkept_outputs(control.run.graph, recording.snapshot().states())
    refuse_what_stays(control.run.label, stays, recording.record.flow_unkept)


def unkept_outputs(graph: Graph, recorded: Mapping[str, State]) -> Iterator[MissingInput]:
    """Yield the outputs that tasks still need and that the store doesn't have."""
    known = {key: state for key, state in recorded.items() if key != FLOW}
    states = unfinished(graph, {**dict.fromkeys(graph.specs, Pending()), **known})
    for key, state in states.items():
        value: object = state.raw_result
        if not isinstance(value, ResultRef) or value.digest or not state.is_finished():
            continue
        if any(not states[below].is_finished() for below in graph.children[parent_key(key)]):
            yield MissingInput("outputs", key, _why(value))


def _why(value: ResultRef) -> str:
    try:
        value.load()
    except FlowbookError as error:
        return str(error)
    return "it isn't stored"


def _ask(control: Control, location: Location, recording: Recording, by: str, note: str) -> int:
    """Ask whoever has the run to hand it over; return the epoch at which it has it."""
    decision = Decision("hand_over", by=by, note=note)
    if isinstance(location, Here):
        number = recording.send_request(decision)
        recording.withdraw(number)  # so that only the note of it stays, which a taker looks for
        is_done = location.apply(decision)
    else:
        assert isinstance(location, Elsewhere)  # noqa: S101  # asked of no run at rest
        is_done = location.remote.request(decision)
    if not is_done:
        msg = f"{control.run.label.title} is over, or being cancelled, so it isn't handed over."
        raise RunError(msg, run=control.run.label.run_id)
    return recording.epoch


def _taker(control: Control, recording: Recording, epoch: int, flow_runner: FlowRunner) -> Submission:
    from flowbook.flow_run.recording import Recording as StoredRun  # noqa: PLC0415  # loading the store takes long
    from flowbook.flow_run.submission import Submission  # noqa: PLC0415  # as above

    target = StoredRun.at(recording.store, recording.record, epoch, last_seq=0)
    del control
    return Submission(target, flow_runner, is_taker=True)


def _see_it_taken(control: Control, taker: Submission, flow_runner: FlowRunner, epoch: int) -> None:
    """Wait until the process has taken the run; let the run stay if it ends before that, and end it if the run stays."""
    ownership, label = taker.store.ownership, control.run.label
    pause = threading.Event()
    try:
        while (claim := ownership.owner(label.run_id)).epoch == epoch and claim.process is not None:
            if _stays(control):
                flow_runner.end(taker.identifier)
                return
            if taker.is_over:
                _log.warning("%s was not taken over: its new process has ended. It goes on here.", label.title)
                _stay(control, "The process that was to go on has ended.")
                return
            pause.wait(_LOOK_S)
        if claim.epoch == epoch + 1:
            control.own_process.use(flow_runner)
            control.own_process.submission = taker
        control.refresh(now=True)
    except FlowbookError:
        _log.debug("Who has %s can't be seen any more.", label, exc_info=True)


def _stays(control: Control) -> bool:
    """Return whether the run goes on here after all."""
    location = control.location
    return isinstance(location, Here) and not location.epoch.is_draining and not location.over.is_set()


def _stay(control: Control, note: str) -> None:
    """Let the run go on where it is, after it was to be handed over."""
    location, decision = control.location, Decision("stay", note=note)
    if isinstance(location, Here):
        location.apply(decision)
    elif isinstance(location, AtRest):
        control.own_process.stays = True
    else:
        with contextlib.suppress(FlowbookError):  # it goes on by itself after a while
            location.remote.request(decision)


def expect_taker(control: Control) -> None:
    """Wait in a thread until the process to which this one left the run has claimed it, as `await_taker`."""
    if not control.works_in_caller:
        threads.spawn(_await_in_thread, control, name=f"taker-{control.run.label.number}", owner="hand_over")


def _await_in_thread(control: Control) -> None:
    try:
        await_taker(control)
    except FlowbookError:
        _log.warning("%s doesn't go on here. Resume it.", control.run.label.title, exc_info=True)


def await_taker(control: Control) -> None:
    """Wait until the process to which this one left the run has claimed it, and follow it; if none does, go on here.

    Raises:
        FlowbookError: if the run can't go on here.
    """
    rest = control.location
    if not isinstance(rest, AtRest) or not isinstance(rest.state, Submitted) or rest.recording is None:
        return
    pause, deadline = threading.Event(), time.monotonic() + _TAKER_S
    while control.location is rest and time.monotonic() < deadline and not control.own_process.stays:
        try:
            is_dead = is_here(rest.recording.store.runs.identifier(control.run.label.run_id)) is False
            _answer_meanwhile(control, rest.recording)
            control.refresh(now=True)
        except FlowbookError:
            if rest.recording.store.is_closed:
                return  # nothing can be seen any more, nor go on here
            is_dead = False  # the store can't be read now; it may be later
        if is_dead:
            break
        pause.wait(_LOOK_S)
    control.own_process.stays = False
    if control.location is rest:
        try:
            control.go_on()
        except RunClaimedError:
            control.refresh(now=True)


def _answer_meanwhile(control: Control, recording: Recording) -> None:
    """Answer who asks for a run that is about to leave this process; other requests are for the process that gets it."""
    requests = recording.store.requests
    for request in requests.open(recording.run_id, recording.epoch):
        if request.action in {"hand_over", "stay"}:
            control.own_process.stays = control.own_process.stays or request.action == "stay"
            requests.answer(request.number, {"done": True})


def take_back(control: Control, by: str = "", note: str = "", *, force: bool = False) -> None:
    """Go on with the run in this process; return at once, and go on once what runs there has ended.

    Raises:
        RunClaimedError: if the process that has it doesn't answer, unless `force`; or somebody else was quicker.
    """
    location = control.refresh(now=True)
    if not isinstance(location, Elsewhere):
        control.own_process.use(None)
        if isinstance(location, Here):
            location.apply(Decision("stay", by=by, note=note))
        elif isinstance(location.state, Submitted):
            control.own_process.stays = True
        elif location.recording is not None:
            location.recording.set_flow_runner(None)
        return
    location.recording.set_identifier(this_process())
    try:
        is_asked = location.remote.request(
            Decision("hand_over", by=by, note=note), within_s=_FORCED_S if force else None
        )
    except RunClaimedError:
        if not force:
            raise
        is_asked = False
    if not is_asked:
        _take(control, location)
        return
    threads.spawn(_take_in_turn, control, location, name=f"take-back-{control.run.label.number}", owner="hand_over")


def _take_in_turn(control: Control, away: Elsewhere) -> None:
    """Take the run once its owner has left it."""
    pause = threading.Event()
    try:
        while control.location is away:
            away.remote.refresh(now=True)
            if isinstance(away.remote.state, Submitted) or not away.remote.snapshot.is_owned:
                _refuse_to_take(control, away)
                _take(control, away)
                return
            pause.wait(_LOOK_S)
        _take(control, away)
    except FlowbookError:
        _log.warning("%s was not taken back.", control.run.label.title, exc_info=True)
        with contextlib.suppress(FlowbookError):  # the next look shows where it is
            control.refresh(now=True)


def _refuse_to_take(control: Control, away: Elsewhere) -> None:
    """Leave the run to its owner, and say so, if it has outputs by now that can't come along."""
    from flowbook.flow_run.run_to_come import refuse_what_stays  # noqa: PLC0415  # loading the store takes long

    if away.remote.snapshot.is_owned:
        stays = list(unkept_outputs(control.run.graph, away.remote.states))
        if stays:
            _stay(control, "An output of a task can't go along.")
        refuse_what_stays(control.run.label, stays, None)


def _take(control: Control, away: Elsewhere) -> None:
    """Claim the run from its owner, and go on here. Raises RunClaimedError: if somebody else was quicker."""
    remote = away.remote
    remote.refresh(now=True)
    if isinstance(control.location, AtRest):
        _go_on_after_crash(control)
        return
    state = remote.state.state if isinstance(remote.state, Submitted) else remote.state
    with control.moving(away) as is_here:
        if not is_here:
            return
        remote.stop()
        remote.recording.mark_read(remote.snapshot)
        states = broken_off(remote.states)
        control.location = AtRest(state or remote.state, states, remote.snapshot.last_seq + 1, remote.recording)
    control.own_process.use(None)
    away.over.set()
    try:
        control.go_on()
    except Exception:
        control.follow(remote.recording)  # so that it doesn't stay Running with nobody who runs it
        raise
    remote.recording.set_flow_runner(None)
    remote.recording.set_identifier("")


def _go_on_after_crash(control: Control) -> None:
    """Go on here if the run's process has died; whoever watched it may record that at the same moment."""
    control.own_process.use(None)
    for _ in range(_TRIES):
        rest = control.location
        if not isinstance(rest, AtRest) or not isinstance(rest.state, Crashed):
            return
        try:
            control.go_on()
        except RunClaimedError:
            control.refresh(now=True)
        else:
            return
