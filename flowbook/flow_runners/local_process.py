"""A run's process on this machine: what it is started with, and the keeper that starts it and keeps it.

The keeper (`keeper`) outlives whoever started it.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook import config
from flowbook._utils import threads
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import Outcome
from flowbook.flow_runners.run_output import prepared_output_file
from flowbook.store.process_identity import is_here, number_of, process_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO

    from flowbook.flow_run.ports import RunToStart
    from flowbook.flow_runners.pythons import Interpreter

__all__ = ["added_environment", "command", "end", "environment", "run_process"]

_KEEPER = Path(__file__).with_name("keeper.py")
_ENGINE = ("-m", "flowbook.engine")
#: How long a process that is told to end may take before its whole group is killed.
_GRACE_S = 10.0
_POLL_S = 0.05
#: How long the last output may take to be shown; a terminal that stands still delays nothing beyond that.
_SHOWN_S = 2.0


def command(python: Interpreter, run_id: str) -> list[str]:
    """Return the argument list that starts the engine for a run; no shell reads it."""
    return [*python.command, *_ENGINE, run_id]


def added_environment(python: Interpreter, env: Mapping[str, str]) -> dict[str, str]:
    """Return what a process gets besides this one's environment, low to high: flowbook's settings, the environment's, `env`."""
    return {**_settings(), **python.env, **_path(python), **env}


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
    keeper = _start_keeper(_orders(run, python, env, is_streamed=is_streamed), is_streamed=is_streamed)
    shown = None
    with keeper:
        if keeper.stderr is not None:
            shown = threads.spawn(_show, keeper.stderr, name=f"output-{run.number}", owner="local_process")
            keeper.stderr = None  # that thread closes it, once it has shown all
        number = _first_word(keeper.stdout, run).get("pid")
        started(process_of(int(str(number))))
        outcome = _outcome(keeper)
    if shown is not None:
        shown.join(_SHOWN_S)
    return outcome


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


def _orders(run: RunToStart, python: Interpreter, env: Mapping[str, str], *, is_streamed: bool) -> dict[str, object]:
    """Return what the keeper is to do. Raises FlowRunnerError: if the log file's folder can't be made."""
    file = prepared_output_file(run.run_id)
    return {
        "command": command(python, run.run_id),
        "env": dict(env),
        "cwd": str(config.working_folder()),
        "log": str(file),
        "cap_bytes": config.output_bytes(),
        "is_streamed": is_streamed,
        "ended": [sys.executable, *_ENGINE, run.run_id, "--ended", str(run.epoch)],
        "ended_env": {**os.environ, **_settings()},
    }


def _settings() -> dict[str, str]:
    """Return flowbook's settings for a process that is to use this one's store."""
    return {
        "FLOWBOOK_HOME": str(config.home()),
        "FLOWBOOK_KEY_FILE": str(config.key_file()),
        "FLOWBOOK_PROJECT": config.project(),
        "FLOWBOOK_PROGRESS": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _path(python: Interpreter) -> dict[str, str]:
    """Return PATH with the environment's own folders first."""
    if not python.path:
        return {}
    return {"PATH": os.pathsep.join([*python.path, *filter(None, [os.environ.get("PATH", os.defpath)])])}


def _start_keeper(orders: dict[str, object], *, is_streamed: bool) -> subprocess.Popen[bytes]:
    """Start a keeper in a session of its own, so that nothing that ends this process ends it.

    Raises:
        FlowRunnerError: if the machine can't start a process.
    """
    try:
        keeper = subprocess.Popen(  # noqa: S603  # an argument list, no shell
            [sys.executable, "-I", "-S", str(_KEEPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_streamed else subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        msg = f"No process can be started on this machine: {error}."
        raise FlowRunnerError(msg) from error
    assert keeper.stdin is not None  # noqa: S101  # it is a pipe
    with contextlib.suppress(BrokenPipeError), keeper.stdin as stdin:  # killed at once: what it says first tells
        stdin.write(json.dumps(orders).encode())
    return keeper


def _first_word(stdout: IO[bytes] | None, run: RunToStart) -> dict[str, object]:
    """Return what the keeper says first. Raises FlowRunnerError: if it couldn't start the process."""
    line = b"" if stdout is None else stdout.readline()
    found: dict[str, object] = json.loads(line) if line else {"failed": "its keeper ended at once"}
    if "failed" in found:
        msg = f"The process of run {run.number} of {run.flow_name!r} can't be started: {found['failed']}."
        raise FlowRunnerError(msg, run=run.run_id)
    return found


def _outcome(keeper: subprocess.Popen[bytes]) -> Outcome:
    """Wait for the end of the process. If the keeper is killed, the process goes on: only its end isn't known here."""
    line = b"" if keeper.stdout is None else keeper.stdout.readline()
    if not line:
        return Outcome(0)
    found = json.loads(line)
    return Outcome(found["exit_code"], tuple(found["last_lines"]))


def _show(stream: IO[bytes]) -> None:
    """Write a process's output to this one's, as it comes."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    with stream:
        while part := os.read(stream.fileno(), 65_536):
            with contextlib.suppress(OSError, ValueError):  # nobody sees this process's output any more
                sys.stdout.write(decode(part))
                sys.stdout.flush()
