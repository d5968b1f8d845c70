"""What is drawn of a graph: every task, or groups of tasks where there are too many, with room for rows where there are any."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.draw.grouping import grouped, members
from flowbook.draw.layout import Layout, layout
from flowbook.draw.node_parts import NodeView
from flowbook.engine.state_kinds import mapped_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.draw.grouping import GroupBy
    from flowbook.engine.graph import Graph, TaskSpec

__all__ = ["Drawing", "drawing_of", "tells_of_rows"]

_TABLE_NAMES = ("DataFrame", "Series", "LazyFrame")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph as it is drawn.

    Attributes:
        graph: what is drawn: the run's own graph, or one that has a task for each group.
        layout: its geometry.
        groups: keys of the tasks in each group, by its name; empty where every task is drawn.
        by: how it was asked to be grouped.
        has_rows: whether there is room for rows on the edges.
    """

    graph: Graph
    layout: Layout
    groups: Mapping[str, tuple[str, ...]]
    by: GroupBy
    has_rows: bool

    def views(self, views: Mapping[str, NodeView]) -> Mapping[str, NodeView]:
        """Return what each node shows, from what each task would."""
        if not self.groups:
            return views
        return {**views, **{name: _group_view(keys, views) for name, keys in self.groups.items()}}


def drawing_of(graph: Graph, by: GroupBy = "auto", *, has_rows: bool = False) -> Drawing:
    """Return the drawing of a run's graph."""
    groups = members(graph, by)
    drawn = grouped(graph, groups) if groups else graph
    return Drawing(drawn, layout(drawn, with_rows=has_rows and not groups), groups, by, has_rows and not groups)


def tells_of_rows(graph: Graph) -> bool:
    """Return whether a task of the graph says that it returns a table."""
    return any(_returns_table(spec) for spec in graph.specs.values())


def _group_view(keys: tuple[str, ...], views: Mapping[str, NodeView]) -> NodeView:
    """Return what a group shows for its tasks: their number, and how many are in which state; children count one by one."""
    counts: Counter[str] = Counter()
    for key in keys:
        view = views.get(key, NodeView())
        counts.update(view.counts or {view.name: 1})
    return NodeView(state=mapped_state(counts), counts=dict(counts), width=sum(counts.values()))


def _returns_table(spec: TaskSpec) -> bool:
    function = getattr(spec.task, "run", None) or spec.run
    with contextlib.suppress(Exception):  # a user's object may answer strangely
        found = getattr(function, "__annotations__", {}).get("return", "")
        return str(getattr(found, "__name__", found)).endswith(_TABLE_NAMES)
    return False
