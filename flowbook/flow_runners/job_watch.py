"""What a run's Job and its pods tell of the run's process. Pure: sightings and the time in, decisions out.

The truth is the Job's conditions: a short pod is never seen Running, and a Job that failed has no completion time.
"""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.flow_run.ports import Outcome
from flowbook.flow_runners.pod_state import (
    advice,
    has_started,
    has_stopped,
    heals_never,
    is_preparing,
    outcome_of,
    trouble_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flowbook.flow_runners.watch_cursor import Sighting

__all__ = ["Decision", "End", "GiveUp", "JobWatch", "PodStarted", "PodStopped", "Say", "Timeouts"]

#: How long the news of its pod may take once a Job has ended; and once it was deleted, besides the pod's grace period.
_LAST_NEWS_S, _DELETED_S = 5.0, 10.0
#: The cluster's word for waiting until it tries again: what went wrong before says more.
_BACK_OFF = "BackOff"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a Job may take.

    Attributes:
        job_s: until it has a pod.
        pod_s: until the container in its pod has started.
    """

    job_s: float
    pod_s: float


@dataclass(frozen=True, slots=True)
class PodStarted:
    """A pod's container has started: there may be output to read."""

    pod: str


@dataclass(frozen=True, slots=True)
class PodStopped:
    """A pod's container has ended, or the pod is gone: no more output comes than is there."""

    pod: str


@dataclass(frozen=True, slots=True)
class Say:
    """Something that people want to know while they wait."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The Job has ended, or is gone. The last decision."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The Job's process doesn't start in time, so the Job is to be deleted. The last decision.

    Attributes:
        how: a sentence.
        asks_events: whether the events of the Job may tell more.
    """

    how: str
    asks_events: bool = False


Decision = PodStarted | PodStopped | Say | End | GiveUp


@dataclass(slots=True)
class _Pod:
    """A pod as it was last seen, and since when it may be waited for."""

    object: Mapping[str, Any]
    since: float
    is_gone: bool = False
    has_told_start: bool = False
    has_told_stop: bool = False
    #: Why it waits: the cluster's word, and its message; two empty texts if all is well.
    trouble: tuple[str, str] = ("", "")

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def is_alive(self) -> bool:
        """Whether its container runs, or may yet start."""
        return not self.is_gone and not has_stopped(self.object)

    def see(self, sighting: Sighting, now: float) -> None:
        if is_preparing(self.object):
            self.since = now
        self.object, self.is_gone = sighting.object, sighting.is_gone
        found = trouble_of(self.object)
        if not (found[0].endswith(_BACK_OFF) and self.trouble[0]):
            self.trouble = found


class JobWatch:
    """Watches one Job.

    Args:
        name: of the Job.
        timeouts: how long it may take.
        now: the time, in seconds of a clock that only goes forward.
    """

    def __init__(self, name: str, timeouts: Timeouts, now: float) -> None:
        self._name = name
        self._timeouts = timeouts
        self._job: Mapping[str, Any] = {}
        self._gone_at: float | None = None
        #: By uid, in the order in which they were first seen: a cluster may replace a pod that was deleted.
        self._pods: dict[str, _Pod] = {}
        self._without_pod_since = now
        #: Since when pods can't be seen, as before the first list; None if they can. Nothing is late meanwhile.
        self._blind_since: float | None = now
        self._final_at: float | None = None
        self._said = ""
        self.is_over = False

    def see(self, sighting: Sighting, now: float) -> list[Decision]:
        """Return what follows from a sighting."""
        if self._is_suspended():
            self._without_pod_since = now
        if sighting.kind == "Job":
            self._job = sighting.object
            if sighting.is_gone:
                self._gone_at = now
            is_final = self._condition("Failed") or self._condition("Complete")
            if is_final and self._final_at is None:
                self._final_at = now
        else:
            self._see_pod(sighting, now)
        return self.tick(now)

    def see_pods(self, now: float, *, is_clear: bool) -> None:
        """Note that all pods were listed, or that they can't be watched at the moment: that time doesn't count."""
        if not is_clear:
            self._blind_since = now if self._blind_since is None else self._blind_since
        elif self._blind_since is not None:
            blind_s = now - self._blind_since
            self._blind_since = None
            self._without_pod_since += blind_s
            for pod in self._pods.values():
                pod.since = min(now, pod.since + blind_s)

    def _see_pod(self, sighting: Sighting, now: float) -> None:
        found = self._pods.setdefault(sighting.object["metadata"]["uid"], _Pod(sighting.object, now))
        found.see(sighting, now)
        if found.is_gone:
            self._without_pod_since = now

    def tick(self, now: float) -> list[Decision]:
        """Return what follows from the time."""
        if self.is_over:
            return []
        decisions = [*self._news_of_pods()]
        last = self._end(now) or self._give_up(now)
        self.is_over = last is not None
        return [*decisions, last] if last is not None else [*decisions, *self._news_of_trouble()]

    def deadline(self) -> float | None:
        """Return when `tick` is to be called at the latest; None if nothing depends on the time."""
        if self._gone_at is not None:
            return self._gone_at + self._grace_s()
        limit = self._limit() if self._final_at is None else self._final_at + _LAST_NEWS_S
        return None if limit == math.inf else limit

    # Decisions

    def _news_of_pods(self) -> Iterator[Decision]:
        for pod in self._pods.values():
            if not pod.has_told_start and has_started(pod.object):
                pod.has_told_start = True
                yield PodStarted(pod.name)
            if pod.has_told_start and not pod.has_told_stop and (pod.is_gone or has_stopped(pod.object)):
                pod.has_told_stop = True
                yield PodStopped(pod.name)

    def _news_of_trouble(self) -> Iterator[Decision]:
        text = self._trouble()
        if text and text != self._said:
            yield Say(text)
        self._said = text

    def _trouble(self) -> str:
        if self._is_suspended():
            return "Its Job is suspended until the cluster lets it start."
        pod = self._waiting_pod()
        reason, message = ("", "") if pod is None else pod.trouble
        return _colon(f"Its pod waits: {reason}", message) if reason else ""

    def _end(self, now: float) -> End | None:
        is_late = self._final_at is not None and now >= self._final_at + _LAST_NEWS_S
        if self._condition("Complete") is not None:
            # Its pod's output is still to be read, and the Job may be seen first.
            return End(Outcome(0)) if is_late or any(pod.has_told_start for pod in self._pods.values()) else None
        outcomes = [found for pod in self._pods.values() if (found := outcome_of(pod.object)) is not None]
        if self._gone_at is not None:
            return self._end_of_deleted(outcomes[-1] if outcomes else Outcome(-signal.SIGTERM), now)
        if self._final_at is None:
            return None
        if outcomes:
            return End(outcomes[-1]._replace(how=outcomes[-1].how or self._time_is_up()))
        if not is_late:
            return None
        failed = self._condition("Failed") or {}
        how = self._time_is_up() or _colon(
            f"Its Job {self._name} failed", f"{failed.get('reason')}: {failed.get('message')}"
        )
        return End(Outcome(1, how=how))

    def _end_of_deleted(self, outcome: Outcome, now: float) -> End | None:
        """Return the end of a Job that was deleted, once its pod has ended too: that was told to, and may take its time."""
        assert self._gone_at is not None  # noqa: S101  # as the caller has seen
        if any(pod.is_alive for pod in self._pods.values()) and now < self._gone_at + self._grace_s():
            return None
        if outcome.exit_code == 0:
            return End(outcome)
        return End(outcome._replace(how=outcome.how or f"Its Job {self._name} was deleted before it had ended."))

    def _grace_s(self) -> float:
        specs = [pod.object.get("spec") or {} for pod in self._pods.values()]
        return _DELETED_S + max((spec.get("terminationGracePeriodSeconds") or 0 for spec in specs), default=0)

    def _time_is_up(self) -> str:
        """Return in a sentence that the Job ran longer than it may; "" if it didn't."""
        if (self._condition("Failed") or {}).get("reason") != "DeadlineExceeded":
            return ""
        limit = (self._job.get("spec") or {}).get("activeDeadlineSeconds")
        return f"Its Job {self._name} ran longer than it may (activeDeadlineSeconds: {limit}), and was ended."

    def _give_up(self, now: float) -> GiveUp | None:
        if self._gone_at is not None or self._final_at is not None:
            return None
        pod = self._waiting_pod()
        reason, message = ("", "") if pod is None else pod.trouble
        if pod is not None and heals_never(reason):
            return GiveUp(_colon(f"Its pod can't start: {reason}", message))
        if now < self._limit():
            return None
        if pod is None:
            return GiveUp(f"Its Job {self._name} had no pod after {self._timeouts.job_s:g} s.", asks_events=True)
        how = _colon(f"Its pod {pod.name} had not started after {self._timeouts.pod_s:g} s", _colon(reason, message))
        return GiveUp(f"{how} {advice(reason)}".rstrip(), asks_events=not reason)

    # What is known

    def _limit(self) -> float:
        """Return until when the flow's container must have started; infinite if it has, is held back, or can't be seen."""
        has_begun = any(has_started(pod.object) and not pod.is_gone for pod in self._pods.values())
        if has_begun or self._blind_since is not None or self._is_suspended():
            return math.inf
        pod = self._waiting_pod()
        if pod is None:
            return self._without_pod_since + self._timeouts.job_s
        return math.inf if is_preparing(pod.object) else pod.since + self._timeouts.pod_s

    def _waiting_pod(self) -> _Pod | None:
        """Return the newest pod whose container hasn't started."""
        waiting = [pod for pod in self._pods.values() if not pod.is_gone and not has_started(pod.object)]
        return waiting[-1] if waiting else None

    def _is_suspended(self) -> bool:
        return bool((self._job.get("spec") or {}).get("suspend"))

    def _condition(self, kind: str) -> Mapping[str, Any] | None:
        for each in (self._job.get("status") or {}).get("conditions") or ():
            if each.get("type") == kind and each.get("status") == "True":
                return each  # type: ignore[no-any-return]  # JSON
        return None


def _colon(what: str, message: str) -> str:
    """Return what happened, and the cluster's own words for it, as a sentence."""
    text = f"{what}: {message}" if message else what
    return text if text.endswith((".", "!", "?")) else f"{text}."
