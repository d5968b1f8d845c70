"""Where a run is: at rest, here, or elsewhere. One value at a time; `RunControl` puts another in its place."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.state import Cancelling, Running
from flowbook.exceptions import StartTaskError
from flowbook.flow_run.resume_plan import waiting_or_refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.engine.epoch import Epoch
    from flowbook.engine.events import Event
    from flowbook.engine.state import State
    from flowbook.exceptions import RunClaimedError
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.remote_run import RemoteRun
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.flow_run.run_log import RunLog

__all__ = ["AtRest", "Elsewhere", "Here", "Location"]


class AtRest(NamedTuple):
    """No process runs it: it hasn't begun, it is over, or it waits to be resumed.

    Attributes:
        state: of the flow.
        states: of its tasks and children, by key; nobody changes them any more.
        next_seq: number of the event that comes next.
        recording: where it is recorded, if it is.
        is_lost: whether it came to rest here because another process took it over.
    """

    state: State
    states: dict[str, State]
    next_seq: int = 1
    recording: Recording | None = None
    is_lost: bool = False


class Here:
    """An epoch of it runs in this process.

    Args:
        epoch: that runs, or is about to.
        recording: where the run is recorded, if it is.
        run: what its epochs share.
        log: all events so far.

    Attributes:
        over: set once the run is no longer here.
        lost_to: the error that says who took the run over, if somebody did.
        afterwards: what is to be done once the run is no longer here.
    """

    __slots__ = ("_log", "_run", "afterwards", "epoch", "lost_to", "over", "recording")

    def __init__(self, epoch: Epoch, recording: Recording | None, run: RunDescription, log: RunLog) -> None:
        self.epoch = epoch
        self.recording = recording
        self.over = threading.Event()
        self.lost_to: RunClaimedError | None = None
        self.afterwards: list[Callable[[], None]] = []
        self._run = run
        self._log = log

    @property
    def state(self) -> State:
        """The flow's state now; Cancelling from a cancel until what runs has ended."""
        state = self.epoch.state
        if self.epoch.is_cancelled and type(state) is Running:
            return Cancelling("Nothing more starts; what runs goes on to its end.")
        return state

    @property
    def states(self) -> dict[str, State]:
        """The states of tasks and children now; the epoch changes them."""
        return self.epoch.states

    def obey(self, decision: Decision) -> bool:
        """Do what a person decided; return False if the epoch is over, though it may not have come to rest yet.

        Raises:
            StartTaskError: if nothing waits, or nothing has failed.
            RunClaimedError: if a task named there does not wait any more.
        """
        by, note, run = decision.by, decision.note, self._run
        match decision.action:
            case "cancel" | "cancel_now":
                return self.epoch.cancel(by, note, now=decision.action == "cancel_now")
            case "retry":
                is_taken = self.epoch.retry(by, note)
                if is_taken is None:
                    msg = f"Nothing has failed so far in {run.label}; it goes on."
                    raise StartTaskError(msg, run=run.label.run_id)
                return is_taken
            case "resume":
                keys = tuple(run.graph.key_of(key) for key in decision.keys)
                states = self.states.copy()
                events = _AllEvents(self.epoch, self._log)
                waiting = waiting_or_refuse(run.label, self.state, states, events, keys, is_live=True)
                return self.epoch.resume(waiting, by, note)

    def answer(self, decision: Decision) -> bool:
        """As `obey`, for another process: return False once the run has come to rest, so that it can go on there."""
        is_done = self.obey(decision)
        if not is_done:
            self.over.wait()
        return is_done

    def end(self) -> None:
        """Take note that the run is no longer here, and do what was to be done then. Call it without a lock."""
        self.over.set()
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
    """The events of a run, with those that are still on their way to its log.

    Who resumed a task is known from its state on, which may be seen a moment before the log has the decision.
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
    """Another process has it; this one follows it through the store, and may ask for what a person decides.

    Attributes:
        over: set once the run is no longer there.
    """

    __slots__ = ("over", "remote")

    def __init__(self, remote: RemoteRun) -> None:
        self.remote = remote
        self.over = threading.Event()

    @property
    def recording(self) -> Recording:
        """Where it is recorded."""
        return self.remote.recording

    @property
    def state(self) -> State:
        """The flow's state, as known here."""
        return self.remote.state

    @property
    def states(self) -> dict[str, State]:
        """The states of tasks and children, as known here; following changes them."""
        return self.remote.states

    def obey(self, decision: Decision) -> bool:
        """Ask the process that has it; return False if it let go of the run meanwhile. Raises as `RemoteRun.ask`."""
        return self.remote.ask(decision)


Location = AtRest | Here | Elsewhere
