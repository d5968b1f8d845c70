"""A run's process on this machine: what it is started with, and its end. Its keeper (`keeper`) outlives whoever started it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.flow_run.ports import Outcome
from flowbook.flow_runners.keeping import ENGINE, Keeping, orders_for, settings
from flowbook.store.process_identity import is_here, number_of, process_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.flow_run.ports import RunToStart
    from flowbook.flow_runners.pythons import Interpreter

__all__ = ["added_environment", "command", "end", "environment", "run_process"]

#: It needs nothing but the standard library, and starts in a few milliseconds.
_KEEPER = ("-I", "-S", str(Path(__file__).with_name("keeper.py")))
#: How long a process that is told to end may take before its whole group is killed.
_GRACE_S = 10.0
_POLL_S = 0.05


def command(python: Interpreter, run_id: str) -> list[str]:
    """Return the argument list that starts the engine for a run; no shell reads it."""
    return [*python.command, *ENGINE, run_id]


def added_environment(python: Interpreter, env: Mapping[str, str]) -> dict[str, str]:
    """Return what a process gets besides this one's environment, low to high: flowbook's settings, the environment's, `env`."""
    return {**settings(), **python.env, **_path(python), **env}


def environment(python: Interpreter, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: this one's, and above it what `added_environment` returns."""
    base = {name: value for name, value in os.environ.items() if name not in python.unset}
    if base.get("MPLBACKEND", "").startswith("module://"):
        del base["MPLBACKEND"]  # a kernel's, which draws into its notebook
    return {**base, **added_environment(python, env)}


def run_process(
    run: RunToStart, python: Interpreter, env: Mapping[str, str], started: Callable[[str], None], *, is_streamed: bool
) -> Outcome:
    """Start the engine for a run, and wait until its process and all its children have ended.

    Args:
        run: a run that the caller has claimed.
        python: starts it.
        env: its whole environment.
        started: called with the process's name once it exists.
        is_streamed: whether this process shows its output.

    Raises:
        FlowRunnerError: if it can't be started; `started` hasn't been called then.
    """
    orders = orders_for(run, is_streamed=is_streamed)
    orders |= {"command": command(python, run.run_id), "env": dict(env), "cwd": str(config.working_folder())}
    with Keeping(_KEEPER, orders) as keeper:
        number = keeper.first_word(run).get("pid")
        started(process_of(int(str(number))))
        return keeper.outcome() or Outcome(0)


def end(identifier: str) -> None:
    """End the process of that name with all its children; does nothing if it is over.

    It is told to end (SIGTERM) and has 10 s to do so; then its process group is killed.
    """
    number = number_of(identifier)
    if number is None or not is_here(identifier):
        return
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(number, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    while is_here(identifier):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)
            return
        time.sleep(_POLL_S)


def _path(python: Interpreter) -> dict[str, str]:
    """Return PATH with the environment's own folders first."""
    if not python.path:
        return {}
    return {"PATH": os.pathsep.join([*python.path, *filter(None, [os.environ.get("PATH", os.defpath)])])}
