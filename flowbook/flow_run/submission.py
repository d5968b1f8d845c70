"""Starts a process for a claimed run through the run's flow runner, watches it in a thread, and records how it ended."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.remote_error import error_line
from flowbook.engine.state import Crashed
from flowbook.exceptions import FlowbookError, FlowRunnerError, RunClaimedError
from flowbook.flow_run.new_record import owner_text
from flowbook.flow_run.ports import Outcome, RunToStart
from flowbook.flow_run.process_end import record_process_end
from flowbook.flow_run.put_down import CancelledBeforeItBegins
from flowbook.flow_run.recording import Recording
from flowbook.store.waiting_runs import submitted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.engine.state import State
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.store import Store
    from flowbook.store.records import RunToBegin

__all__ = ["Submission", "claim_for_process", "claim_to_begin", "emit_submitted", "record_failed_submission", "submit"]

#: States of a run that hasn't begun.
_TO_BEGIN = frozenset({"Scheduled", "Submitted"})


def claim_for_process(store: Store, run_id: str, by: str = "", *, is_to_begin: bool = False) -> Recording:
    """Claim a run that is at rest, in order to start a process for it; it is Submitted from then on.

    Args:
        store: has the run.
        run_id: of the run.
        by: who starts it, in words; default: this process.
        is_to_begin: whether only a run is claimed that hasn't begun.

    Raises:
        UnknownRunError: if there is no such run.
        RunClaimedError: if another process has it, or was quicker, or somebody has cancelled it.
    """
    recording = Recording.of(store, run_id)
    snapshot = recording.snapshot()
    recording.mark_read(snapshot)
    if snapshot.is_owned:
        owner = recording.owner_name(snapshot.claim)
        msg = f"{owner} has {recording.label}. Wait for it, or look at it with flowbook.run({run_id!r})."
        raise RunClaimedError(msg, run_id=run_id, owner=owner)
    if is_to_begin and (snapshot.state not in _TO_BEGIN or snapshot.claim.started is not None):
        msg = f"{recording.label.title} is {snapshot.state}, so there is nothing to begin."
        raise RunClaimedError(msg, run_id=run_id)
    before = snapshot.states().get(FLOW)
    recording.claim(by or owner_text())
    emit_submitted(recording, snapshot.last_seq + 1, before)
    return recording


def claim_to_begin(
    store: Store, wanted: Sequence[RunToBegin], most: int, by: str
) -> tuple[list[Recording], dict[str, str]]:
    """Claim the first `most` of `wanted` that nobody has claimed by now, all at once; they are Submitted from then on.

    Args:
        store: has the runs.
        wanted: that wait for their time; one that a process had claimed is left to `claim_for_process`.
        most: how many.
        by: who starts them, in words.

    Returns:
        Their recordings in order, and by id why others, though free, can't be claimed.
    """
    found = store.runs.claim_to_begin(wanted, most, by)
    return [Recording.at(store, run.record, run.epoch, last_seq=run.last_seq) for run in found.claimed], dict(
        found.refused
    )


def emit_submitted(recording: Recording, seq: int, before: State | None) -> StateChanged:
    """Record that a claimed run waits for a process that is being started; keep the claim. Return the event."""
    event = StateChanged(seq, FLOW, submitted(before))
    recording.emit(event)
    recording.hold()
    return event


def submit(
    recording: Recording,
    flow_runner: FlowRunner,
    started: Callable[[str], None] | None = None,
    *,
    is_taker: bool = False,
) -> Outcome:
    """Start a process for a run that this process has claimed for it, wait for its end, and record how it ended.

    Args:
        recording: of the run, from `claim_for_process`.
        flow_runner: starts the process.
        started: called with the process's name once it exists.
        is_taker: whether the process is to take the run over from one that goes on with it meanwhile.

    Raises:
        FlowRunnerError: if it can't be started, or its flow runner breaks down before; the run is Crashed then, with that
            message, unless somebody has it.
    """
    run = RunToStart(recording.run_id, recording.record.flow, recording.number, recording.epoch)
    store, until_its_end = recording.store, ExitStack()
    exists = False

    def note(identifier: str) -> None:
        nonlocal exists
        store.ownership.set_identifier(run.run_id, run.epoch, identifier)
        if not (exists or is_taker or getattr(flow_runner, "is_of_this_machine", True)):
            end = partial(flow_runner.end, identifier)
            until_its_end.enter_context(CancelledBeforeItBegins(store, run.run_id, run.epoch, end))
        exists = True
        if started is not None:
            started(identifier)

    try:
        with until_its_end:
            outcome = flow_runner.submit(run, note)
    except FlowbookError as error:
        if not is_taker:
            record_failed_submission(recording, error)
        raise
    except Exception as error:
        if exists:
            raise  # the process goes on, and its keeper tells of its end
        failed = FlowRunnerError(f"its flow runner broke down: {error_line(error)}")
        if not is_taker:
            record_failed_submission(recording, failed)
        raise failed from error
    record_process_end(store, run.run_id, run.epoch, outcome)
    return outcome


def record_failed_submission(recording: Recording, error: FlowbookError) -> None:
    """Record that no process could be started for a run that was claimed for one."""
    current = Recording.of(recording.store, recording.run_id)
    snapshot = current.snapshot()
    if snapshot.claim.epoch != recording.epoch:
        return
    current.mark_read(snapshot)
    current.claim(owner_text())
    crashed = Crashed(f"It could not be started: {error}")
    current.emit(StateChanged(snapshot.last_seq + 1, FLOW, crashed))
    current.finish(crashed)


class Submission:
    """A process of a run, from its start until its end was recorded.

    Args:
        recording: of a run that this process has claimed for it.
        flow_runner: starts the process.
        is_taker: as for `submit`.

    Attributes:
        identifier: the process's name; "" before it exists.
    """

    def __init__(self, recording: Recording, flow_runner: FlowRunner, *, is_taker: bool = False) -> None:
        self._recording = recording
        self._flow_runner = flow_runner
        self._is_taker = is_taker
        self.identifier = ""
        self._has_started = threading.Event()
        self._error: FlowbookError | None = None
        self._is_over = False

    @property
    def store(self) -> Store:
        """The store that has the run."""
        return self._recording.store

    @property
    def is_over(self) -> bool:
        """Whether the process has ended, and that is recorded."""
        return self._is_over

    def start(self) -> None:
        """Start the process; return once it exists. Raises FlowRunnerError: if it can't be started."""
        threads.spawn(self._work, name=f"process-{self._recording.number}", owner=self)
        self._has_started.wait()
        if self._error is not None:
            raise self._error

    def _started(self, identifier: str) -> None:
        self.identifier = identifier
        self._has_started.set()

    def _work(self) -> None:
        try:
            submit(self._recording, self._flow_runner, self._started, is_taker=self._is_taker)
        except FlowbookError as error:
            self._error = error
        finally:
            self._is_over = True
            self._has_started.set()
