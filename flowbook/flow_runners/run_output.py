"""The output of a run's process that lives elsewhere, as this process receives it: kept in the run's log file, and shown."""

from __future__ import annotations

import codecs
import contextlib
import sys
from collections import deque
from typing import TYPE_CHECKING

from flowbook import config
from flowbook._utils.locks import Rank, RankedLock
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners.keeper import LogFile
from flowbook.store.process_output import output_file, remove_old_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowbook.flow_run.ports import RunToStart

__all__ = ["Place", "RunOutput", "prepared_output_file"]

#: The inode of a log file, and a number of bytes in it.
Place = tuple[int, int]

_TAIL_BYTES, _TAIL_LINES = 16_384, 20


def prepared_output_file(run_id: str) -> Path:
    """Return the path of a run's log file, whose folder exists from now on; old ones are removed.

    Raises:
        FlowRunnerError: if the folder can't be made.
    """
    file = output_file(run_id)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = (
            f"The folder for the output of runs, {file.parent}, can't be made: {error.strerror}. "
            "Make room for it there, or set FLOWBOOK_HOME to another folder."
        )
        raise FlowRunnerError(msg, path=str(file.parent)) from error
    remove_old_output()
    return file


class RunOutput:
    """The output of one run's process. From any thread.

    Args:
        run: whose output it is.
        is_shown: whether this process shows it on its own output.

    Raises:
        FlowRunnerError: if the folder for it can't be made.
    """

    def __init__(self, run: RunToStart, *, is_shown: bool) -> None:
        self.file = prepared_output_file(run.run_id)
        self._log = LogFile(str(self.file), config.output_bytes())
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._is_shown = is_shown
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._lock = RankedLock(Rank.RUN_OUTPUT)

    def note(self, text: str) -> None:
        """Add a line of flowbook's own, such as what keeps a process from starting. Never raises."""
        self.write(f"[flowbook] {text}\n".encode())

    def write(self, part: bytes, note: Callable[[Place], object] | None = None) -> None:
        """Keep a part of the output, and show it. Never raises.

        Args:
            part: is added to the log file.
            note: called before that with where the file ends, while nobody else writes.
        """
        with self._lock:
            if note is not None:
                note(self._log.place())
            self._keep(part)

    def _keep(self, part: bytes) -> None:
        self._log.write(part)
        self._tail.append(part)
        self._tail_bytes += len(part)
        while self._tail_bytes - len(self._tail[0]) > _TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())
        if self._is_shown:
            with contextlib.suppress(OSError, ValueError):  # nobody sees this process's output any more
                sys.stdout.write(self._decode(part))
                sys.stdout.flush()

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines, oldest first."""
        text = b"".join(self._tail).decode("utf-8", "replace")
        return tuple(text[-_TAIL_BYTES:].rstrip().splitlines()[-_TAIL_LINES:])
