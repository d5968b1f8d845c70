"""A run in a process of its own: started here through the run's flow runner, then followed like any other process's run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowbook.engine.run_inputs import RunInputs
from flowbook.flow_run.location import AtRest
from flowbook.flow_run.ports import FlowRunnerSettings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.location import Location
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.flow_run.run_log import RunLog
    from flowbook.flow_run.stored_inputs import StoredInputs
    from flowbook.flow_run.submission import Submission

__all__ = ["Control", "OwnProcess", "own_process_of"]


class Control(Protocol):
    """The part of `RunControl` that is needed to give a run to another process."""

    run: RunDescription
    inputs: RunInputs | StoredInputs
    location: Location
    log: RunLog
    #: Whether the run is recorded; set here.
    record: bool | None
    #: Whether it has inputs that aren't stored yet; set here.
    has_new_inputs: bool

    def moving(self, seen: Location) -> AbstractContextManager[bool]:
        """Hold the lock of the run's location; return whether that is still `seen`."""
        ...

    def follow(self, recording: Recording) -> None:
        """Follow the run at rest, which another process has or is about to have."""
        ...


class OwnProcess:
    """What one run needs to go on in a process of its own.

    Args:
        control: the run's control.

    Attributes:
        submission: the process that was started here for the run, or the last one of them.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        #: Restored from its settings when it is needed: another flowbook may know types that this one doesn't.
        self._flow_runner: FlowRunner | FlowRunnerSettings | None = None
        self.submission: Submission | None = None
        #: Whether a run that was to be taken over is to go on here after all.
        self.stays = False

    @property
    def is_wanted(self) -> bool:
        """Whether a flow runner starts a process for each epoch of the run."""
        return self._flow_runner is not None

    def ends_soon(self) -> bool:
        """Return whether a process that was started here has yet to end, or how it ended has yet to be recorded."""
        return self.submission is not None and not self.submission.is_over

    @property
    def flow_runner(self) -> FlowRunner:
        """The run's flow runner. Raises DefinitionError: if this flowbook doesn't know its type."""
        found = self._flow_runner
        assert found is not None  # noqa: S101  # asked only of runs that have one
        if isinstance(found, FlowRunnerSettings):
            from flowbook.flow_run.flow_runner_of import flow_runner_of  # noqa: PLC0415  # few runs have one

            found = self._flow_runner = flow_runner_of(found)
            found.stream_output = False  # that was for whoever made the run; here it would come into somebody's way
        return found

    def use(self, flow_runner: FlowRunner | FlowRunnerSettings | None) -> None:
        """Let this flow runner start the run's processes from now on; None: the run goes on where it is resumed."""
        self._flow_runner = flow_runner

    def begin(self, flow_runner: FlowRunner) -> None:
        """Record the run, which hasn't begun, start a process for it, and follow it from then on.

        Raises:
            RunIncompleteError: if something of it can't go along; nothing is recorded then.
            FlowRunnerError: if no process can be started.
        """
        from flowbook.flow_run.run_to_come import create_submitted_run  # noqa: PLC0415  # loading the store takes long

        control = self._control
        rest, inputs = control.location, control.inputs
        assert isinstance(rest, AtRest)  # noqa: S101  # no other thread has the run yet, and it wasn't loaded:
        assert isinstance(inputs, RunInputs)  # noqa: S101
        flow_runner.check()
        recording = create_submitted_run(control.run, inputs, flow_runner)
        control.run = control.run._replace(label=recording.label)
        control.log.label = recording.label
        control.record = True
        self.use(flow_runner)
        control.location = rest._replace(recording=recording)
        self._start(recording)

    def go_on(self, rest: AtRest, inputs: RunInputs, decision: Decision, *, force: bool) -> bool:
        """Start a process that carries out a decision about the run at rest; return False if its location has changed.

        Raises:
            RunIncompleteError: if an input that the caller added, or a secret, can't go along; nothing has happened then.
            RunClaimedError: if another process has claimed the run.
            FlowRunnerError: if no process can be started.
        """
        from flowbook.flow_run.run_to_come import refuse_inputs_that_stay  # noqa: PLC0415  # as above

        control, recording = self._control, rest.recording
        assert recording is not None  # noqa: S101  # a run with a flow runner is recorded
        if not force:
            refuse_inputs_that_stay(recording, control.run, inputs, self.flow_runner)
        self.flow_runner.check()
        with control.moving(rest) as is_here:
            if not is_here:
                return False
            self._claim(rest, recording, inputs, decision)
        self._start(recording)
        return True

    def _claim(self, rest: AtRest, recording: Recording, inputs: RunInputs, decision: Decision) -> None:
        """Claim the run for a process, and leave it the decision as a request."""
        from flowbook.flow_run.submission import emit_submitted  # noqa: PLC0415  # as above

        control = self._control
        with recording.claimed(""):
            if control.has_new_inputs:
                recording.store_inputs(inputs, control.run.graph)
                control.has_new_inputs = False
            recording.send_request(decision)
            event = emit_submitted(recording, rest.next_seq, rest.state)
        control.log.append(event)
        control.location = rest._replace(state=event.state, next_seq=rest.next_seq + 1)

    def _start(self, recording: Recording) -> None:
        """Start a process for the run, which was claimed for it, and follow the run."""
        from flowbook.flow_run.submission import Submission  # noqa: PLC0415  # as above

        self._control.log.deliver()
        self.submission = Submission(recording, self.flow_runner)
        try:
            self.submission.start()
        finally:
            self._control.follow(recording)


def own_process_of(control: Control) -> OwnProcess:
    """Return the one of a run's control, for all threads; made when it is first asked for."""
    made: OwnProcess | None = vars(control).get("_own_process")
    # `setdefault` is one step. `functools.cached_property` would make two, from Python 3.12 on, and drop what one was told.
    if made is None:
        made = vars(control).setdefault("_own_process", OwnProcess(control))
    return made
