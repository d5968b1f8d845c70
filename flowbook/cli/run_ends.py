"""The run that a command names, and how a command says that it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.cli.command_words import in_commands
from flowbook.core.history import run as recorded_run
from flowbook.flow_run.run_names import find_run_id
from flowbook.store import open_store
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from flowbook.cli.output import Output
    from flowbook.core.flow import Flow
    from flowbook.engine.state import State
    from flowbook.flow_run.recorded_decision import RecordedState
    from flowbook.flow_run.run import FlowRun

__all__ = ["find_run", "say_state"]

#: What a cancelled run says that whoever cancelled it knows.
_BY_A_PERSON = "Cancelled by a person."
#: How much of a run's id is shown; it names the run.
_ID_CHARS = 8


def find_run(name: str, file: str | None = None) -> FlowRun:
    """Return a recorded run, with the flow in a file if one is given."""
    run_id = find_run_id(open_store(), name)
    return recorded_run(run_id, None if file is None else _flow_in(file, run_id))


def _flow_in(file: str, run_id: str) -> Flow:
    from flowbook.core.flow_files import flow_in  # noqa: PLC0415  # only for those who give a file

    return flow_in(file, open_store().runs.get(run_id).flow)


def say_state(run: FlowRun | RecordedState, out: Output) -> int:
    """Say how a run stands; return 1 if it failed."""
    state = run.state
    name = type(state).__name__
    sentence = in_commands(f"{run.flow_name} run {run.number} {_how_it_stands(state)}", run.run_id[:_ID_CHARS])
    text = "\n".join(map(printable, sentence.splitlines()))
    out.done(text, run_id=run.run_id, flow=run.flow_name, state=name, message=state.message)
    return int(state.is_failed())


def _how_it_stands(state: State) -> str:
    """Return a run's state as the end of a sentence, with its message if that says more."""
    message = state.message or ""
    if state.is_failed() and message:
        return f"failed: {message}"
    verb = {"Success": "succeeded", "Failed": "failed", "Running": "runs"}.get(type(state).__name__)
    says_more = bool(message) and not state.is_successful() and not state.is_running() and message != _BY_A_PERSON
    return f"{verb or f'is {type(state).__name__.lower()}'}.{f' {message}' if says_more else ''}"
