"""Watches a run's Job to its end, in the calling thread, with one thread each for the Job, its pods and a pod's output."""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import Outcome
from flowbook.flow_runners.job_watch import End, GiveUp, JobWatch, PodStarted, PodStopped, Say
from flowbook.flow_runners.pod_output import PodOutput
from flowbook.flow_runners.watch_cursor import WatchCursor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from flowbook.flow_runners.cluster import Cluster, Lines
    from flowbook.flow_runners.job_mark import JobMark
    from flowbook.flow_runners.job_watch import Decision, Timeouts
    from flowbook.flow_runners.run_output import RunOutput
    from flowbook.flow_runners.watch_cursor import Sighting

__all__ = ["JobPlace", "watch_job"]

#: How soon a watch that broke is opened again, the first time and at most.
_SOON_S, _LATE_S = 0.2, 15.0
#: From so many failures in a row on, people are told.
_MANY = 3
#: How long a pod's last output may take to arrive.
_LAST_OUTPUT_S = 15.0


@dataclass(frozen=True, slots=True)
class JobPlace:
    """Where a Job is.

    Attributes:
        cluster: that has it.
        namespace: where it is there.
        name: of the Job.
        uid: of this Job, which no other ever has.
    """

    cluster: Cluster
    namespace: str
    name: str
    uid: str


def watch_job(place: JobPlace, job: Mapping[str, Any], output: RunOutput, mark: JobMark, timeouts: Timeouts) -> Outcome:
    """Watch a Job to its end; return how the run's process ended. Deletes a Job whose pod doesn't start in time.

    Args:
        place: where it is.
        job: as it was last seen.
        output: receives what its pod writes, and what keeps it waiting.
        mark: of this process, which watches it; it is removed at the end.
        timeouts: how long it may take to start.
    """
    outcome = _Watching(place, job, output, mark, timeouts).run()
    mark.remove()
    return outcome


@dataclass(frozen=True, slots=True)
class _Sight:
    """Whether objects of a kind can be seen; why not, if people are to be told."""

    kind: str
    is_clear: bool
    why: str = ""


class _Watching:
    def __init__(  # as for `watch_job`
        self, place: JobPlace, job: Mapping[str, Any], output: RunOutput, mark: JobMark, timeouts: Timeouts
    ) -> None:
        self._place = place
        self._output = output
        self._mark = mark
        self._watch = JobWatch(place.name, timeouts, time.monotonic())
        self._news: queue.SimpleQueue[Sighting | _Sight] = queue.SimpleQueue()
        self._readers = [
            _Reader(place, WatchCursor("Job", [job]), "Job", self._news),
            _Reader(place, WatchCursor("Pod"), "Pod", self._news),
        ]
        self._pods: dict[str, PodOutput] = {}

    def run(self) -> Outcome:
        for reader in self._readers:
            reader.start()
        try:
            last = self._watch_to_end()
        finally:
            for reader in self._readers:
                reader.stop()
        for pod in self._pods.values():
            pod.stop(_LAST_OUTPUT_S)
        outcome = last.outcome if isinstance(last, End) else self._give_up(last)
        return outcome._replace(last_lines=self._output.last_lines())

    def _watch_to_end(self) -> End | GiveUp:
        while True:
            for decision in self._next():
                if isinstance(decision, End | GiveUp):
                    return decision
                self._act(decision)

    def _next(self) -> Sequence[Decision]:
        deadline = self._watch.deadline()
        try:
            pause = None if deadline is None else max(0.0, deadline - time.monotonic())
            found = self._news.get(timeout=pause)
        except queue.Empty:
            return self._watch.tick(time.monotonic())
        if isinstance(found, _Sight):
            if found.kind == "Pod":
                self._watch.see_pods(time.monotonic(), is_clear=found.is_clear)
            return [Say(found.why)] if found.why else []
        return self._watch.see(found, time.monotonic())

    def _act(self, decision: Decision) -> None:
        if isinstance(decision, PodStarted):
            pod = PodOutput(self._place.cluster, self._place.namespace, decision.pod, self._output, self._mark)
            self._pods[decision.pod] = pod
            pod.start()
        elif isinstance(decision, PodStopped):
            self._pods[decision.pod].note_stopped()
        elif isinstance(decision, Say):
            self._output.note(decision.text)

    def _give_up(self, last: GiveUp) -> Outcome:
        """Delete the Job, so that it doesn't start after all; return why."""
        place, how = self._place, last.how
        warnings = place.cluster.warnings(place.namespace, place.uid) if last.asks_events else []
        if warnings:
            how = f"{how} {warnings[-1]}"
        try:
            place.cluster.delete_job(place.namespace, place.name)
        except FlowRunnerError as error:
            how = f"{how} The Job is still there, and may start: {error}"
        return Outcome(1, how=how)


class _Reader:
    """Reads the changes of a Job, or of its pods, and opens the watch again whenever it breaks."""

    def __init__(
        self, place: JobPlace, cursor: WatchCursor, kind: str, news: queue.SimpleQueue[Sighting | _Sight]
    ) -> None:
        self._place = place
        self._cursor = cursor
        self._kind = kind
        self._news = news
        self._lines: Lines | None = None
        self._is_over = threading.Event()

    def start(self) -> None:
        threads.spawn(self._read, name=f"watch-{self._kind.lower()}", owner="job_process")

    def stop(self) -> None:
        self._is_over.set()
        lines = self._lines
        if lines is not None:
            lines.close()

    def _read(self) -> None:
        failures = 0
        while not self._is_over.is_set():
            try:
                self._read_once()
                failures = 0
            except (FlowRunnerError, ConnectionError, ValueError) as error:
                failures += 1
                self._cursor.failed(getattr(error, "status", None))
                why = (
                    f"The cluster can't be watched at the moment, and is asked again: {error}"
                    if failures == _MANY
                    else ""
                )
                if not self._is_over.is_set():
                    self._news.put(_Sight(self._kind, is_clear=False, why=why))
            self._is_over.wait(min(_LATE_S, _SOON_S * 2**failures) if failures else _SOON_S)

    def _read_once(self) -> None:
        place, cursor = self._place, self._cursor
        if cursor.version is None:
            for sighting in cursor.listed(place.cluster.read(self._kind, place.namespace, place.name)):
                self._news.put(sighting)
        if cursor.version is None:
            return
        self._news.put(_Sight(self._kind, is_clear=True))
        self._lines = place.cluster.watch(self._kind, place.namespace, place.name, cursor.version)
        try:
            for line in self._lines:
                if self._is_over.is_set():
                    return
                seen = cursor.take(json.loads(line))
                if seen is not None:
                    self._news.put(seen)
        finally:
            self._lines.close()
