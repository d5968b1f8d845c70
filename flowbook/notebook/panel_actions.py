"""What a panel needs from its host: starting a run, writing a variable, reading history."""

from __future__ import annotations

import ast
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.runs_view import RunsView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.notebook.ports import RunLike

__all__ = ["PanelActions", "parse_parameter"]


def parse_parameter(text: str) -> object:
    """Return the value of a parameter given as text: a Python literal, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _refuse_run(parameters: Mapping[str, object]) -> RunLike | None:
    del parameters
    msg = "This panel can't start a run. Run its cell again."
    raise RefusedError(msg)


def _refuse_open(run_id: str) -> RunLike:
    del run_id
    msg = "This panel can't show other runs. Show them with flowbook.run(...)."
    raise RefusedError(msg)


def _refuse_variable(name: str, value: object) -> str:
    del name, value
    msg = "There is no namespace to write to here. Take the value from the flow's run."
    raise RefusedError(msg)


@dataclass(frozen=True, slots=True)
class PanelActions:
    """What the panel needs from its host; called in the worker's thread.

    Attributes:
        run: starts the flow again with these parameters (values, not texts); returns the new run.
        assign: writes a value into the user's namespace under the wanted name, or one like it; returns the chosen name.
        parse: turns a parameter's text into its value.
        cell_name: returns "In [4]" for the file name of a notebook's cell.
        history: returns a task's earlier runs, newest first.
        maker: returns the number of the run that made a cache entry, by the entry's id; empty if it isn't known.
        runs: returns the newest runs of the flow, at most so many.
        open_run: returns the run of an id, to show it.
        settled: called with the panel when the run pauses or ends, e.g. to update the static picture.
        by: who clicks.
        clock: monotonic seconds, to notice views that are gone.
    """

    run: Callable[[Mapping[str, object]], RunLike | None] = _refuse_run
    assign: Callable[[str, object], str] = _refuse_variable
    parse: Callable[[str], object] = parse_parameter
    cell_name: Callable[[str], str | None] = lambda _: None
    history: Callable[[str], Sequence[Mapping[str, Any]]] = lambda _: ()
    maker: Callable[[str], str] = lambda _: ""
    runs: Callable[[int], RunsView] = lambda _: RunsView((), 0)
    open_run: Callable[[str], RunLike] = _refuse_open
    settled: Callable[[Any], None] = lambda _: None
    by: str = ""
    clock: Callable[[], float] = time.monotonic
