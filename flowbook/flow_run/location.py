"""Where a run is: at rest, here, or elsewhere. `RunControl` holds one of these values and replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook._utils.latch import Latch
from flowbook.engine.state import Cancelling, Running, Submitted
from flowbook.exceptions import StartTaskError
from flowbook.executors.interrupts import wait_for
from flowbook.flow_run.answers import answer_of, look_at, refuse_unknown_inputs
from flowbook.flow_run.decision import ANSWERS
from flowbook.flow_run.resume_plan import all_waiting, waiting, waiting_or_refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.engine.epoch import Epoch
    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.exceptions import RunClaimedError
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.remote_run import RemoteRun
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.flow_run.run_log import RunLog

__all__ = ["AtRest", "Elsewhere", "Here", "Location"]

#: How long a decision waits for a run to come to rest before it looks whether a subscriber holds the run up.
_SUBSCRIBER_S = 1.0
#: What is said of a run that was cancelled and still goes on.
_CANCELLED = "Nothing more starts; what runs goes on to its end."


class AtRest(NamedTuple):
    """No process runs it: it hasn't begun, it is over, or it waits to be resumed.

    Attributes:
        state: the flow's state.
        states: states of tasks and children, by key; they no longer change.
        next_seq: number of the next event.
        recording: the run in the store; None if it isn't recorded.
        is_lost: whether the run stopped here because another process took it over.
    """

    state: State
    states: dict[str, State]
    next_seq: int = 1
    recording: Recording | None = None
    is_lost: bool = False

    @property
    def is_on_its_way(self) -> bool:
        """Whether another process is about to go on with it."""
        return isinstance(self.state, Submitted)


class Here:
    """The run is in this process, which runs one of its epochs.

    Args:
        epoch: the epoch that runs, or is about to.
        recording: the run in the store; None if it isn't recorded.
        run: facts that all epochs of the run share.
        log: all events so far.
        given: called once all that ran here has ended, because another process is to take the run over.

    Attributes:
        over: set once the run is no longer here.
        lost_to: the error that says who took the run over; None if this process still has it.
        afterwards: functions to call once the run is no longer here.
    """

    __slots__ = ("_given", "_log", "_run", "afterwards", "epoch", "lost_to", "over", "recording")

    def __init__(
        self,
        epoch: Epoch,
        recording: Recording | None,
        run: RunDescription,
        log: RunLog,
        *,
        given: Callable[[], None] = lambda: None,
    ) -> None:
        self.epoch = epoch
        self.recording = recording
        self.over = Latch()
        self.lost_to: RunClaimedError | None = None
        self.afterwards: list[Callable[[], None]] = []
        self._given = given
        self._run = run
        self._log = log

    @property
    def state(self) -> State:
        """The flow's state now; Cancelling between a cancel and the end of the last running task."""
        state = self.epoch.state
        if self.epoch.is_cancelled and type(state) is Running:
            return Cancelling(_CANCELLED)
        if self.epoch.is_draining and type(state) is Running:
            return Running("Nothing more starts here; another process goes on once what runs has ended.")
        return state

    @property
    def states(self) -> dict[str, State]:
        """The states of tasks and children now; the epoch changes them."""
        return self.epoch.states

    def apply(self, decision: Decision) -> bool:
        """Carry out a decision; return False if the epoch is over, even if the run isn't at rest yet.

        Raises:
            StartTaskError: if nothing waits, or nothing has failed.
            RunClaimedError: if a task that the decision names no longer waits.
        """
        by, note, run = decision.by, decision.note, self._run
        match decision.action:
            case "cancel" | "cancel_now":
                return self.epoch.cancel(by, note, now=decision.action == "cancel_now")
            case "hand_over":
                return self.epoch.drain(by, note)
            case "stay":
                self.epoch.stay(by, note)
                return True
            case "retry":
                is_taken = self.epoch.retry(by, note, decision.keys)
                if is_taken is None:
                    msg = f"Nothing has failed so far in {run.label}; it goes on."
                    raise StartTaskError(msg, run=run.label.run_id)
                return is_taken
            case "resume" | "skip" | "reject":
                return self._answer(decision)

    def _answer(self, decision: Decision) -> bool:
        run, events = self._run, _AllEvents(self.epoch, self._log)
        keys = tuple(run.graph.key_of(key) for key in decision.keys)
        is_taken = None
        while is_taken is None:  # somebody else may answer at the same moment
            if self.epoch.is_cancelling:
                msg = f"{run.label.title} is being cancelled. Wait for its end; run.resume() then goes on with it."
                raise StartTaskError(msg, run=run.label.run_id)
            states = self.states.copy()
            found = waiting_or_refuse(run.label, self.state, states, events, keys, is_live=True)
            is_taken = self.epoch.answer(found, answer_of(run.graph, states, found, decision))
        return is_taken

    def answer_overdue(self) -> None:
        """Answer the tasks whose deadline has passed."""
        self.epoch.answer_overdue()

    def apply_request(self, decision: Decision) -> bool:
        """Carry out another process's decision, as `apply` does; once it returns False, that process may claim the run."""
        is_done = self.apply(decision)
        if not is_done:
            self.over.wait()
        return is_done

    def wait(self) -> bool:
        """Wait until the run is no longer here; return False if a subscriber holds it up.

        The run comes to rest only after the subscriber has returned, and the subscriber may be waiting for this thread.
        """
        while not self._log.is_delivering_here and not wait_for(self.over, _SUBSCRIBER_S):
            if self._log.is_delivering:
                break
        return self.over.is_set()

    def end(self) -> None:
        """Mark the run as no longer here, and call the functions in `afterwards`. Call it without a lock."""
        self.over.set()
        if self.epoch.is_drained:
            self._given()
        for action in self.afterwards:
            try:
                action()
            except Exception:
                import logging  # noqa: PLC0415  # only where something is wrong

                logging.getLogger("flowbook").exception("What a subscriber of %s asked for failed.", self._run.label)

    def lose_claim(self, error: RunClaimedError) -> None:
        """Stop, because another process has taken the run over."""
        self.lost_to = error
        self.epoch.cancel("flowbook", str(error))


class _AllEvents:
    """The events of a run, including those that haven't reached its log yet.

    A task's state can change a moment before the log has the decision that caused it; this includes that decision.
    """

    def __init__(self, epoch: Epoch, log: RunLog) -> None:
        self._epoch = epoch
        self._log = log

    def __iter__(self) -> Iterator[Event]:
        pending = self._epoch.pending_events()
        yield from self._log
        yield from pending

    def __reversed__(self) -> Iterator[Event]:
        yield from reversed(self._epoch.pending_events())
        yield from reversed(self._log)


class Elsewhere:
    """Another process has the run; this one follows it through the store and can send it decisions.

    Attributes:
        over: set once the other process no longer has the run.
    """

    __slots__ = ("_graph", "over", "remote")

    def __init__(self, remote: RemoteRun, graph: Graph) -> None:
        self.remote = remote
        self._graph = graph
        self.over = Latch()

    @property
    def recording(self) -> Recording:
        """The run in the store."""
        return self.remote.recording

    @property
    def state(self) -> State:
        """The flow's state, as known here; Cancelling between a cancel and the end of the last running task."""
        state = self.remote.state
        is_cancelled = self.remote.snapshot.state == Cancelling.__name__
        return Cancelling(_CANCELLED) if is_cancelled and type(state) is Running else state

    @property
    def states(self) -> dict[str, State]:
        """The states of tasks and children, as known here; following changes them."""
        return self.remote.states

    def apply(self, decision: Decision) -> bool:
        """Send the decision to the owner, with what this process sees of the tasks that it answers.

        Returns:
            False if the owner has released the run.

        Raises:
            ArgumentError: if it changes an input that the task doesn't have.
            RunClaimedError, StartTaskError, UnpicklableError: as `RemoteRun.request` does.
        """
        if decision.action in ANSWERS:
            states = self.states.copy()
            found = waiting(states, decision.keys) if decision.keys else all_waiting(states)
            if decision.inputs and found:
                refuse_unknown_inputs(self._graph, found, decision.inputs)
            decision = decision._replace(looked_at=look_at(states, found))
        return self.remote.request(decision)


Location = AtRest | Here | Elsewhere
