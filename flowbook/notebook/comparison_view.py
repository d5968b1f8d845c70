"""Two runs compared, as a view shows them: what differs, and the second run's graph to draw it on. Loads no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.notebook.drawing import drawing_of
from flowbook.notebook.view_model import graph_view, plain

if TYPE_CHECKING:
    from flowbook.flow_run.run_comparison import RunComparison

__all__ = ["comparison_view"]


def comparison_view(found: RunComparison) -> dict[str, Any]:
    """Return the `comparison` of the wire, see docs/wire.md."""
    graph = found.graph
    drawn = {} if graph is None else plain(graph_view(graph, drawing_of(graph, has_rows=True), {}))
    return {**found.plain(), "graph": drawn}
