"""A run that an agent has claimed: it waits for its time, is started through its flow runner, and is watched to its end."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.agent.news import News, RunInHand
from flowbook.engine.remote_error import error_line, safe_str
from flowbook.engine.state import Cancelled, Scheduled
from flowbook.exceptions import FlowbookError, FlowRunnerError, RunClaimedError
from flowbook.flow_run.ports import FlowRunnerSettings
from flowbook.flow_run.put_down import CANCELS, decision_to_cancel, put_down
from flowbook.flow_run.submission import record_failed_submission, submit
from flowbook.store.process_identity import shown_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.agent.news import Report
    from flowbook.engine.state import State
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.flow_run.recording import Recording

    FlowRunnerOf = Callable[[FlowRunnerSettings], FlowRunner]

__all__ = ["ClaimedRun"]

_WAITS = "It waits for its time, and nothing of it is to be answered yet. Cancel it, or ask again once it runs."
_log = logging.getLogger("flowbook.agent")


class ClaimedRun:
    """One claimed run. Its methods are called by the agent's thread; a thread of its own starts and watches its process.

    Args:
        recording: of a run that was claimed for a process.
        due: its time, seconds since the epoch.
        flow_runner_of: restores the flow runner of its settings.
        report: told what happens.
        on_end: called when it is over, in whichever thread.
    """

    def __init__(
        self,
        recording: Recording,
        due: float,
        flow_runner_of: FlowRunnerOf,
        report: Report,
        on_end: Callable[[], None],
    ) -> None:
        self.run_id = recording.run_id
        self.due = due
        self._recording = recording
        #: At which the run was claimed here; a process that has the run is at a later one.
        self._epoch = recording.epoch
        self._flow_runner_of = flow_runner_of
        self._report = report
        self._on_end = on_end
        self._flow_runner: FlowRunner | None = None
        self._identifier: str | None = None
        self._phase, self._since = "waits", time.time()
        self._is_taken = False
        self._is_cancelled = False
        self.is_over = False

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its time."""
        return self._phase == "waits" and not self.is_over

    def as_seen(self) -> RunInHand:
        """Return it as a value, for views."""
        recording = self._recording
        return RunInHand(self.run_id, recording.record.flow, recording.number, self._phase, self._since, self.due)

    def beat(self) -> None:
        """Tell the store that this agent lives, until the run's own process has it. Raises StoreError."""
        if not self._is_taken and not self.is_over:
            try:
                self._recording.store.ownership.beat(self.run_id, self._epoch)
            except RunClaimedError:
                self._is_taken = True

    # While it waits for its time

    def answer_requests(self) -> None:
        """Answer what people ask of the run while it waits for its time. Raises StoreError."""
        requests = self._recording.store.requests
        for request in requests.open(self.run_id, self._epoch):
            if request.action not in CANCELS:
                requests.answer(request.number, {"error": "StartTaskError", "message": _WAITS})
                continue
            state = Cancelled("Cancelled by a person.")
            is_done = self._put_down(state, decision_to_cancel(request))
            requests.answer(request.number, {"done": is_done})
            if is_done:
                self._tell("cancelled", f"was cancelled before its time{_by(request.by)}", state)
            return

    def give_back(self) -> None:
        """Let another agent claim the run: it is Scheduled again. Raises StoreError."""
        state = Scheduled("Waits for its time.", start_time=self._recording.record.due)
        if self._put_down(state):
            self._tell("given back", "waits for another agent")

    def _put_down(self, state: State, decision: Decision | None = None) -> bool:
        """Let the run come to rest in a state; return False if another process has it."""
        is_done = put_down(self._recording.store, self.run_id, self._epoch, state, decision)
        self._end()
        return is_done

    # Its process

    def start(self) -> None:
        """Start its process in a thread that watches it; return at once.

        Raises:
            RuntimeError: if the system can't start another thread; it waits on then.
        """
        self._set_phase("starts")
        try:
            threads.spawn(self._work, name=f"agent-{self._recording.number}", owner=self)
        except RuntimeError:
            self._set_phase("waits")
            raise

    def cancel(self) -> None:
        """End its process with all its children, as soon as it has one; its run is cancelled."""
        self._is_cancelled = True
        flow_runner, identifier = self._flow_runner, self._identifier
        if flow_runner is not None and identifier is not None and not self.is_over:
            threads.spawn(
                self._end_process, flow_runner, identifier, name=f"ending-{self._recording.number}", owner=self
            )

    def _end_process(self, flow_runner: FlowRunner, identifier: str) -> None:
        try:
            flow_runner.end(identifier)
        except Exception as error:  # noqa: BLE001  # the border to flow runners, and the agent goes on
            _log.debug("Ending a process failed.", exc_info=True)
            self._tell("trouble", f"can't be ended: {error_line(error)}")

    def _work(self) -> None:
        try:
            self._start_and_watch()
        except FlowbookError as error:
            self._tell("failed", f"could not be started: {safe_str(error)}")
        except BaseException as error:  # noqa: BLE001  # the border to flow runners, and the agent goes on
            _log.debug("Watching the process of run %s failed.", self.run_id, exc_info=True)
            self._fail(error)
        else:
            self._tell_end()
        finally:
            self._end()

    def _start_and_watch(self) -> None:
        record = self._recording.record
        settings = record.flow_runner or {"type": "universal", "config": {}}
        try:
            config = dict(settings["config"])
            env = {"FLOWBOOK_PROJECT": record.project, **(config.get("env") or {})}
            self._flow_runner = self._flow_runner_of(FlowRunnerSettings(settings["type"], {**config, "env": env}))
        except FlowbookError as error:
            record_failed_submission(self._recording, error)
            raise
        submit(self._recording, self._flow_runner, self._started)

    def _started(self, identifier: str) -> None:
        is_first, self._identifier = self._identifier is None, identifier
        if not is_first:
            return  # what keeps it has died, and something else keeps it
        self._set_phase("runs")
        self._tell("started", "starts")
        if self._is_cancelled:
            self.cancel()

    def _fail(self, error: BaseException) -> None:
        """Note that a flow runner broke down: before the process existed the run is Crashed, later it goes on."""
        why = error_line(error)
        if self._identifier is not None:
            self._tell("trouble", f"can't be watched any more and goes on: {why}")
            return
        failed = FlowRunnerError(f"its flow runner broke down: {why}")
        try:
            record_failed_submission(self._recording, failed)
        except FlowbookError:
            _log.exception("That run %s could not be started is not recorded.", self.run_id)
        self._tell("failed", f"could not be started: {failed}")

    def _tell_end(self) -> None:
        summary = self._recording.store.runs.summary(self.run_id)
        state = shown_state(summary)
        took = "" if summary.took_s is None else f" after {summary.took_s:.1f} s"
        what = "crashed" if state == "Crashed" else "ended"
        says_why = state in {"Crashed", "Failed"} and summary.message
        message = f": {summary.message.splitlines()[0]}" if says_why and summary.message else ""
        verb = {"Success": "succeeded", "Failed": "failed"}.get(state, f"is {state.lower()}")
        self._report(self._news(what, f"{verb}{took}{message}", state))

    def _set_phase(self, phase: str) -> None:
        self._phase, self._since = phase, time.time()

    def _end(self) -> None:
        self.is_over = True
        self._on_end()

    def _tell(self, what: str, text: str, state: State | None = None) -> None:
        self._report(self._news(what, text, None if state is None else type(state).__name__))

    def _news(self, what: str, text: str, state: str | None) -> News:
        flow, number = self._recording.record.flow, self._recording.number
        return News(what, f"{flow} run {number} {text}", self.run_id, flow, number, state)


def _by(person: str) -> str:
    return f" by {person}" if person else ""
