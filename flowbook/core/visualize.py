"""`flow.visualize()`: the picture of a flow, of one of its runs, or of the state that a run returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.draw.picture import picture_of
from flowbook.engine.state import State
from flowbook.exceptions import DefinitionError
from flowbook.flow_run.run import FlowRun

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from flowbook.draw.picture import Picture, Theme
    from flowbook.engine.graph import Graph

__all__ = ["visualize"]


def visualize(
    graph: Graph,
    last_run: FlowRun | None,
    of: State | FlowRun | None,
    filename: str | os.PathLike[str] | None,
    theme: Theme,
) -> Picture:
    """Return the picture of a flow that `Flow.visualize` promises, and write it to `filename` if given."""
    if theme not in {"auto", "light", "dark"}:
        msg = f"There is no theme {theme!r}. Use 'light', 'dark' or 'auto'."
        raise DefinitionError(msg, theme=repr(theme))
    if of is None and last_run is not None and list(last_run.graph.specs) == list(graph.specs):
        of = last_run
    drawn = picture_of(graph, _states(graph, of), state=_name(of), caption=_caption(of), theme=theme)
    if filename is not None:
        drawn.save(filename)
    return drawn


def _states(graph: Graph, of: State | FlowRun | None) -> Mapping[str, State]:
    if of is None:
        return {}
    if isinstance(of, FlowRun):
        return of.states
    if not isinstance(of, State) or not isinstance(of.result, dict):
        msg = f"visualize can't take states from {of!r}. Give a FlowRun, or the state that flow.run() returned."
        raise DefinitionError(msg, value=repr(of))
    return {graph.key_of(task): state for task, state in of.result.items()}


def _name(of: State | FlowRun | None) -> str:
    found = of.state if isinstance(of, FlowRun) else of
    return "" if found is None else type(found).__name__


def _caption(of: State | FlowRun | None) -> str:
    return f"run {of.number}" if isinstance(of, FlowRun) else ""
