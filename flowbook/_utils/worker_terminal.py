"""Sends what worker processes write to the driver's terminal through a pseudo-terminal, so that the driver can show it whole.

The driver names the pseudo-terminal (`WORKER_TERMINAL`), each attempt carries the name, and the worker opens it (`adopt`).
"""

from __future__ import annotations

import contextlib
import functools
import os
from contextvars import ContextVar
from typing import NamedTuple

__all__ = ["WORKER_TERMINAL", "WorkerTerminal", "adopt"]

_STDOUT, _STDERR = 1, 2


class WorkerTerminal(NamedTuple):
    """Where workers write instead of on the driver's terminal.

    Attributes:
        path: the pseudo-terminal that the driver reads.
        terminal: path of the driver's own terminal.
        host: name of the driver's machine.
        driver: the driver's process id.
    """

    path: str
    terminal: str
    host: str
    driver: int

    @classmethod
    def of(cls, path: str, terminal: str) -> WorkerTerminal:
        """Return the one of this process."""
        return cls(path, terminal, os.uname().nodename, os.getpid())


#: The pseudo-terminal of the run that is shown here; None where no run is shown.
WORKER_TERMINAL: ContextVar[WorkerTerminal | None] = ContextVar("flowbook_worker_terminal", default=None)


@functools.lru_cache(maxsize=64)
def adopt(found: WorkerTerminal) -> None:
    """Let this process, if it isn't the driver, write to `found.path` where it would write to the driver's terminal."""
    if os.getpid() == found.driver or os.uname().nodename != found.host:
        return
    with contextlib.suppress(OSError):
        wrong = [number for number in (_STDOUT, _STDERR) if _terminal_of(number) == found.terminal]
        if not wrong:
            return
        opened = os.open(found.path, os.O_WRONLY | os.O_NOCTTY)
        for number in wrong:
            os.dup2(opened, number)
        os.close(opened)


def _terminal_of(number: int) -> str:
    try:
        return os.ttyname(number)
    except OSError:
        return ""
