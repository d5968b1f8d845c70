"""Reads a pod's output as it comes, in a thread, and goes on where it was when the connection is cut."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners.pod_log import PodLog

if TYPE_CHECKING:
    from flowbook.flow_runners.cluster import Cluster, Lines
    from flowbook.flow_runners.job_mark import JobMark
    from flowbook.flow_runners.run_output import RunOutput

__all__ = ["PodOutput"]

_AGAIN_S = 0.3
#: How far back a log is read again besides the time since its last line: lines may have been on their way.
_MARGIN_S = 60
#: How often in vain the log of a container that has ended is asked for.
_TRIES = 3


class PodOutput:
    """The output of one pod's container.

    Args:
        cluster: that has the pod.
        namespace: of the pod.
        pod: its name.
        output: receives the lines.
        mark: is told how far they were read.
    """

    def __init__(self, cluster: Cluster, namespace: str, pod: str, output: RunOutput, mark: JobMark) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._pod = pod
        self._output = output
        self._mark = mark
        self._log = PodLog(mark.read_until_ns, mark.kept_lines.of(pod))
        self._read_at: float | None = None
        #: Whether it was read to its end, rather than until the connection was cut.
        self._has_reached_end = False
        self._lines: Lines | None = None
        #: Set once the container has ended: what is read from then on is all that there is.
        self._has_stopped = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to read."""
        self._thread = threads.spawn(self._read, name=f"output-of-{self._pod}", owner=self)

    def note_stopped(self) -> None:
        """Note that the container has ended."""
        self._has_stopped.set()

    def stop(self, within_s: float) -> None:
        """Wait until all was read, as long as it may take; then read no more."""
        self._has_stopped.set()
        if self._thread is None:
            return
        self._thread.join(within_s)
        self._is_over = True
        if self._thread.is_alive() and self._lines is not None:
            self._lines.close()

    def _read(self) -> None:
        tries = 0
        while not self._is_over:
            is_last, before = self._has_stopped.is_set(), self._log.read_until_ns
            try:
                self._read_once(is_last=is_last)
                if is_last:
                    return
            except (FlowRunnerError, ConnectionError) as error:
                tries = tries + is_last if self._log.read_until_ns == before else 0
                if tries == _TRIES or (is_last and self._has_reached_end):
                    self._say_missing(str(error))
                    return
                if is_last:
                    time.sleep(_AGAIN_S)
            self._has_stopped.wait(_AGAIN_S)

    def _keep(self, part: bytes) -> None:
        line, notes = self._log.last, self._mark.kept_lines
        self._output.write(part, lambda place: notes.note(self._pod, line, place, len(part)))
        self._mark.note_read(self._log.read_until_ns)

    def _say_missing(self, why: str) -> None:
        """Say that output may be missing, unless the log was read to its end before: a pod that is gone has none any more."""
        if not self._has_reached_end:
            self._output.note(f"Its last output may be missing: {why}")

    def _read_once(self, *, is_last: bool) -> None:
        """Read to the end of the log, or until the connection is cut."""
        since_s = None
        if self._read_at is not None:
            since_s = math.ceil(time.monotonic() - self._read_at) + _MARGIN_S
            self._log.reopened()
        self._lines = self._cluster.log(self._namespace, self._pod, since_s)
        self._log.says = ""
        try:
            for line in self._lines:
                # Half a line is one that was cut: it comes again.
                part = self._log.take(line) if is_last or line.endswith(b"\n") else None
                if part is not None:
                    self._keep(part)
                self._read_at = time.monotonic()
        finally:
            self._lines.close()
        if self._log.says and is_last:
            self._say_missing(self._log.says)
        self._has_reached_end = self._has_reached_end or not self._log.says
