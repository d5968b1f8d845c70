"""The mark beside a run's log file that tells of its Job as long as there is something to watch; locked by whoever watches it.

If that process dies, the mark stays, unlocked. It begins with the time of the last line of the Job's output that was kept.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from flowbook.flow_runners.keeper import is_locked, lock
from flowbook.flow_runners.kept_lines import KeptLines
from flowbook.store.process_output import output_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["JobMark", "WatchedJob", "unwatched_jobs"]

_SUFFIX = ".job"
#: Of a time in nanoseconds since the epoch.
_DIGITS = 19


@dataclass(frozen=True, slots=True)
class WatchedJob:
    """A Job that was made for a run.

    Attributes:
        run_id: of the run.
        flow_name: of its flow.
        number: of the run.
        epoch: at which the run was claimed for it.
        namespace: of the Job.
        name: of the Job.
        uid: of the Job.
        config: the fields of the flow runner that made it.
    """

    run_id: str
    flow_name: str
    number: int
    epoch: int
    namespace: str
    name: str
    uid: str
    config: Mapping[str, Any]


class JobMark:
    """The mark of a Job that this process watches. From any thread.

    Args:
        job: that it tells of.

    Raises:
        BlockingIOError: if another process, or another thread of this one, watches the Job.
    """

    def __init__(self, job: WatchedJob) -> None:
        self.job = job
        self._path = _path(job.run_id)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not lock(self._file):
            os.close(self._file)
            msg = f"Somebody else watches the Job {job.name}."
            raise BlockingIOError(msg)
        earlier = os.pread(self._file, _DIGITS, 0)
        self.read_until_ns = int(earlier) if earlier.isdigit() else 0
        #: Which lines of its output are in the log file.
        self.kept_lines = KeptLines(output_file(job.run_id))
        os.pwrite(self._file, b"%0*d\n%s\n" % (_DIGITS, self.read_until_ns, json.dumps(asdict(job)).encode()), 0)

    def note_read(self, until_ns: int) -> None:
        """Note the time of the last line that was kept, by the cluster's clock, in nanoseconds since the epoch."""
        with contextlib.suppress(OSError):
            os.pwrite(self._file, b"%0*d" % (_DIGITS, until_ns), 0)

    def remove(self) -> None:
        """Remove it: there is nothing to watch any more."""
        self.kept_lines.remove()
        self._path.unlink(missing_ok=True)
        file, self._file = self._file, -1  # a thread that still reads writes to no other file
        os.close(file)


def unwatched_jobs() -> list[WatchedJob]:
    """Return the Jobs whose watcher has died."""
    found = []
    for path in output_file("any").parent.glob(f"*.log{_SUFFIX}"):
        if not is_locked(path):
            with contextlib.suppress(OSError, ValueError, TypeError):  # it is removed at this moment, or was cut off
                found.append(WatchedJob(**json.loads(path.read_text(encoding="utf-8").partition("\n")[2])))
    return found


def _path(run_id: str) -> Path:
    file = output_file(run_id)
    return file.with_name(file.name + _SUFFIX)
