"""An agent: looks every few seconds which runs are due, claims them, and starts each at its time through its flow runner.

Any number of agents may work on one store: a claim decides between two. One bad run never stops an agent.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.agent.claimed_run import ClaimedRun
from flowbook.agent.lost_runs import LostRuns
from flowbook.agent.news import News
from flowbook.engine.remote_error import error_line
from flowbook.exceptions import FlowbookError, RunClaimedError
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.flow_run.submission import claim_for_process, claim_to_begin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.agent.claimed_run import FlowRunnerOf
    from flowbook.agent.news import Report, RunInHand
    from flowbook.flow_run.recording import Recording
    from flowbook.store import Store
    from flowbook.store.records import RunToBegin

__all__ = ["Agent", "AgentSettings"]

#: How often an agent looks whether somebody has written to the store, and how soon it then looks for due runs again.
_LOOK_S, _AGAIN_S = 0.25, 0.5
#: How many runs it claims at once: the rest is for others. And how many more it looks for than it has room for, in case that
#: others claim some of them at the same moment.
_BATCH, _SPARE = 25, 100
_log = logging.getLogger("flowbook.agent")


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """How an agent works.

    Attributes:
        name: what people call it.
        limit: how many runs it starts at once.
        prefetch_s: how long before its time it claims a run.
        poll_s: how often it looks.
        deployment: id of the deployment whose runs it starts; None: it starts all.
    """

    name: str
    limit: int
    prefetch_s: float = 10.0
    poll_s: float = 5.0
    deployment: str | None = None


class Agent:
    """One agent. `run` works in the calling thread; the other methods may be called from any thread or signal handler.

    Args:
        store: with the runs.
        settings: how it works.
        report: told what happens, from any thread.
        chores: called at each poll with the time, in seconds since the epoch, e.g. to make the runs of schedules.
        flow_runners: restores a flow runner from its settings.
        clock: returns the time, in seconds since the epoch; default: the store's.
    """

    def __init__(  # noqa: PLR0913  # what a test replaces
        self,
        store: Store,
        settings: AgentSettings,
        report: Report,
        *,
        chores: Sequence[Callable[[float], object]] = (),
        flow_runners: FlowRunnerOf = flow_runner_of,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.settings = settings
        self._store = store
        self._report = report
        self._chores = chores
        self._flow_runners = flow_runners
        self._clock = store.now_s if clock is None else clock
        self._lost = LostRuns(store)
        #: Replaced, never changed, so that any thread may read it.
        self._in_hand: tuple[ClaimedRun, ...] = ()
        self._woken = threading.Event()
        self._is_draining = self._is_cancelled = False
        self._next_poll = 0.0
        self._next_due: float | None = None
        self._seen_version: object = None
        self._seen_requests: object = None
        self._troubles: dict[str, str] = {}

    @property
    def in_hand(self) -> list[RunInHand]:
        """The runs that it has claimed, those that are due first at the front."""
        return sorted((run.as_seen() for run in self._in_hand), key=lambda run: (run.due, run.run_id))

    @property
    def is_draining(self) -> bool:
        """Whether it claims nothing more."""
        return self._is_draining

    def stop(self) -> None:
        """Claim nothing more, and end once all processes have; the second time, end these with all their children."""
        self._is_cancelled = self._is_draining
        self._is_draining = True
        self._woken.set()

    def run(self) -> None:
        """Work until it was told to stop and its runs have ended. What goes wrong is reported, and it goes on."""
        has_drained = has_cancelled = False
        while self._in_hand or not has_drained:
            self._guarded("poll", self._poll)
            if self._is_draining and not has_drained:
                has_drained = True
                self._drain()
            if self._is_cancelled and not has_cancelled:
                has_cancelled = True
                self._cancel()
            self._forget_ended()
            if self._in_hand or not has_drained:
                self._wait()
        self._report(News("ends", f"Agent {self.settings.name} has ended."))

    # One look

    def _poll(self) -> None:
        now = self._clock()
        if time.monotonic() >= self._next_poll:
            self._next_poll = time.monotonic() + self.settings.poll_s
            for run in self._in_hand:
                self._guarded("heartbeats", run.beat)
            self._guarded("lost runs", self._record_lost)
            if not self._is_draining:
                for number, chore in enumerate(self._chores):
                    self._guarded(f"chore {number}", lambda chore=chore: chore(now))  # type: ignore[misc]  # bound here
        if any(run.is_waiting for run in self._in_hand):
            self._guarded("requests", self._answer_requests)
        self._forget_ended()
        if self._is_draining:
            self._give_back()
        else:
            self._claim_due(now)
            self._start_due()

    def _answer_requests(self) -> None:
        """Answer what people ask of runs that wait for their time; nothing is read unless somebody may have asked something."""
        version = self._store.requests.version()
        if version != self._seen_requests:
            waiting = [run for run in self._in_hand if run.is_waiting]
            went_well = [self._guarded(f"requests of {run.run_id}", run.answer_requests) for run in waiting]
            self._seen_requests = version if all(went_well) else None

    def _claim_due(self, now: float) -> None:
        """Claim the runs that there is room for; one that only waits for its time takes no room from one that is due."""
        prefetch_s = self.settings.prefetch_s
        ahead = now + max(prefetch_s, self.settings.poll_s)
        most = self.settings.limit + len(self._in_hand) + len(self._troubles) + _SPARE
        found = self._store.runs.to_begin(ahead, most, self.settings.deployment)
        later = [run.due.timestamp() - prefetch_s for run in found if run.due.timestamp() > now + prefetch_s]
        self._next_due = min(later, default=None)
        self._claim_all([run for run in found if run.due.timestamp() <= now], self._count_started)
        coming = [run for run in found if now < run.due.timestamp() <= now + prefetch_s]
        self._claim_all(coming, lambda: len(self._in_hand))

    def _claim_all(self, wanted: Sequence[RunToBegin], taken: Callable[[], int]) -> None:
        """Claim runs in batches, each started before the next, as long as there is room; `taken` returns how many take it."""
        for run in wanted:
            if run.was_claimed and taken() < self.settings.limit and not self._is_draining:
                self._claim(run)
                self._start_due()
        free = [run for run in wanted if not run.was_claimed]
        while free and (room := self.settings.limit - taken()) > 0 and not self._is_draining:
            most = min(room, _BATCH)
            claimed = self._claim_batch(free, most)
            self._start_due()
            if len(claimed) < most:
                return  # the others are somebody else's
            free = [run for run in free if run.run_id not in claimed]

    def _claim_batch(self, free: Sequence[RunToBegin], most: int) -> set[str]:
        """Claim the first runs that still are free; return their ids."""
        recordings, refused = claim_to_begin(self._store, free, most, f"agent {self.settings.name}")
        for run_id, why in refused.items():
            self._tell_trouble(run_id, f"Run {run_id} can't be claimed: {why}")
        self._take(recordings)
        return {recording.run_id for recording in recordings}

    def _claim(self, run: RunToBegin) -> None:
        """Claim a run whose claimer has died: it is looked at before."""
        try:
            recording = claim_for_process(self._store, run.run_id, f"agent {self.settings.name}", is_to_begin=True)
        except RunClaimedError:
            return  # another agent was quicker, or somebody has cancelled it
        except FlowbookError as error:
            self._tell_trouble(run.run_id, f"Run {run.run_id} can't be claimed: {error}")
            return
        self._take([recording])

    def _take(self, recordings: Sequence[Recording]) -> None:
        runs = [
            ClaimedRun(each, each.record.due.timestamp(), self._flow_runners, self._report, self._woken.set)
            for each in recordings
            if each.record.due is not None
        ]
        self._in_hand = (*self._in_hand, *runs)

    def _start_due(self) -> None:
        """Start the runs whose time has come, by the clock that people see; give back those that there is no room for."""
        for run in self._in_hand:
            if run.is_waiting:
                if run.due > self._clock():
                    self._next_due = run.due if self._next_due is None else min(self._next_due, run.due)
                elif self._count_started() < self.settings.limit:
                    self._guarded(run.run_id, run.start)
                else:
                    self._guarded(run.run_id, run.give_back)

    def _count_started(self) -> int:
        return sum(not (run.is_waiting or run.is_over) for run in self._in_hand)

    def _record_lost(self) -> None:
        for run_id in self._lost.record():
            summary = self._store.runs.summary(run_id)
            text = f"{summary.flow} run {summary.number} is crashed: {(summary.message or '').splitlines()[0]}"
            self._report(News("crashed", text, run_id, summary.flow, summary.number, "Crashed"))

    def _forget_ended(self) -> None:
        self._in_hand = tuple(run for run in self._in_hand if not run.is_over)

    # The end

    def _give_back(self) -> None:
        """Let other agents have what it hasn't begun; what the store doesn't take now is free once this process has ended."""
        for run in self._in_hand:
            if run.is_waiting:
                self._guarded(run.run_id, run.give_back)
        self._in_hand = tuple(run for run in self._in_hand if not (run.is_over or run.is_waiting))

    def _drain(self) -> None:
        self._give_back()
        count = len(self._in_hand)
        text = f"Agent {self.settings.name} claims nothing more"
        if count:
            runs, them = ("run", "it") if count == 1 else ("runs", "them")
            text += f", and waits for {count} {runs} to the end; once more ends {them} now"
        self._report(News("drains", f"{text}."))

    def _cancel(self) -> None:
        self._report(News("drains", f"Agent {self.settings.name} ends the processes of its runs."))
        for run in self._in_hand:
            run.cancel()

    # Waiting

    def _wait(self) -> None:
        """Wait until the next poll, or until a run is due, has ended, or somebody wrote to the store."""
        began = time.monotonic()
        while not self._woken.wait(self._pause_s()):
            if time.monotonic() >= self._next_poll or self._is_due():
                break
            if time.monotonic() - began >= _AGAIN_S and self._has_changed():
                break
        self._woken.clear()

    def _pause_s(self) -> float:
        pauses = [_LOOK_S, self._next_poll - time.monotonic()]
        if self._next_due is not None:
            pauses.append(self._next_due - self._clock())
        return max(0.0, min(pauses))

    def _is_due(self) -> bool:
        return not self._is_draining and self._next_due is not None and self._next_due <= self._clock()

    def _has_changed(self) -> bool:
        """Return whether anything was written to the store since the last time."""
        before = self._seen_version
        try:
            self._seen_version = self._store.version()
        except FlowbookError:
            return False  # the next poll says so
        return before != self._seen_version

    # Trouble

    def _guarded(self, what: str, action: Callable[[], object]) -> bool:
        """Do something; what goes wrong is told once, and the agent goes on. Return whether all went well."""
        try:
            action()
        except FlowbookError as error:
            self._tell_trouble(what, str(error))
        except Exception as error:  # noqa: BLE001  # the border to chores and flow runners, and the agent goes on
            _log.debug("The agent %s goes on after an error.", self.settings.name, exc_info=True)
            self._tell_trouble(what, error_line(error))
        else:
            self._troubles.pop(what, None)
            return True
        return False

    def _tell_trouble(self, what: str, text: str) -> None:
        """Tell of trouble, unless the same was told of the same last time."""
        if self._troubles.get(what) != text:
            self._troubles[what] = text
            self._report(News("trouble", f"{text} The agent goes on and tries again."))
