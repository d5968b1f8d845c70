"""A keeper as whoever starts it sees it: gets its orders, tells that a run's process exists and how it ended, may pass on output.

There are two: `keeper` for a process of this machine, `container_keeper` for a container. Both outlive their starter.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from flowbook import config
from flowbook._utils import threads
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import Outcome
from flowbook.flow_runners.run_output import prepared_output_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import IO, Self

    from flowbook.flow_run.ports import RunToStart

__all__ = ["ENGINE", "Keeping", "orders_for", "settings"]

#: What follows Python in the command that starts the engine.
ENGINE = ("-m", "flowbook.engine")
#: How long the last output may take to be shown; a terminal that stands still delays nothing beyond that.
_SHOWN_S = 2.0


def settings() -> dict[str, str]:
    """Return flowbook's settings for a process that is to use this one's store."""
    return {
        "FLOWBOOK_HOME": str(config.home()),
        "FLOWBOOK_KEY_FILE": str(config.key_file()),
        "FLOWBOOK_PROJECT": config.project(),
        "FLOWBOOK_PROGRESS": "0",
        "PYTHONUNBUFFERED": "1",
    }


def orders_for(run: RunToStart, *, is_streamed: bool) -> dict[str, object]:
    """Return what every keeper is told of a run.

    Raises:
        FlowRunnerError: if the folder of its log file can't be made.
    """
    return {
        "log": str(prepared_output_file(run.run_id)),
        "cap_bytes": config.output_bytes(),
        "is_streamed": is_streamed,
        "ended": [sys.executable, *ENGINE, run.run_id, "--ended", str(run.epoch)],
        "ended_env": {**os.environ, **settings()},
    }


class Keeping:
    """A keeper that was started in a session of its own, so that nothing that ends this process ends it.

    A context manager: its end waits for the keeper's, and for what is left to show.

    Args:
        program: arguments of Python that start the keeper.
        orders: from `orders_for`, and what else that keeper is told.

    Attributes:
        number: the keeper's process id.

    Raises:
        FlowRunnerError: if the machine can't start a process.
    """

    def __init__(self, program: Sequence[str], orders: Mapping[str, object]) -> None:
        is_streamed = bool(orders["is_streamed"])
        try:
            self._keeper = subprocess.Popen(  # noqa: S603  # an argument list, no shell
                [sys.executable, *program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if is_streamed else subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"No process can be started on this machine: {error}."
            raise FlowRunnerError(msg) from error
        self.number = self._keeper.pid
        assert self._keeper.stdin is not None  # noqa: S101  # it is a pipe
        with contextlib.suppress(BrokenPipeError), self._keeper.stdin as stdin:  # killed at once: its first word tells
            stdin.write(json.dumps(dict(orders)).encode())
        self._shown = None
        if self._keeper.stderr is not None:
            self._shown = threads.spawn(_show, self._keeper.stderr, name=f"output-{self.number}", owner=self)
            self._keeper.stderr = None  # that thread closes it, once it has shown all

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.__exit__(kind, error, trace)
        if self._shown is not None:
            self._shown.join(_SHOWN_S)

    def first_word(self, run: RunToStart) -> dict[str, object]:
        """Return what the keeper says first. Raises FlowRunnerError: if it couldn't start the process, or keep it."""
        line = self._line()
        found: dict[str, object] = json.loads(line) if line else {"failed": "its keeper ended at once"}
        if "failed" in found:
            msg = f"The process of run {run.number} of {run.flow_name!r} can't be started: {found['failed']}."
            raise FlowRunnerError(msg, run=run.run_id)
        return found

    def outcome(self) -> Outcome | None:
        """Wait for the end of the process; None if the keeper was killed, as the process goes on then."""
        line = self._line()
        if not line:
            return None
        found = json.loads(line)
        return Outcome(found["exit_code"], tuple(found["last_lines"]), found.get("how", ""))

    def _line(self) -> bytes:
        return b"" if self._keeper.stdout is None else self._keeper.stdout.readline()


def _show(stream: IO[bytes]) -> None:
    """Write a process's output to this one's, as it comes."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    with stream:
        while part := os.read(stream.fileno(), 65_536):
            with contextlib.suppress(OSError, ValueError):  # nobody sees this process's output any more
                sys.stdout.write(decode(part))
                sys.stdout.flush()
