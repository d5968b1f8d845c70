"""A picture of a graph that tells something else than states: what a run would do, or what differs between two runs. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flowbook.draw.grouping import grouped, members
from flowbook.draw.layout import layout
from flowbook.draw.node_parts import NodeView
from flowbook.draw.svg import svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.draw.picture import Theme
    from flowbook.engine.graph import Graph

__all__ = ["told_svg"]


def told_svg(
    graph: Graph, views: Mapping[str, NodeView], ranks: Sequence[str], *, caption: str, theme: Theme = "auto"
) -> str:
    """Return SVG text that stands alone; of many tasks the groups, which count theirs by word.

    Args:
        graph: what is drawn.
        views: what each task shows, by key; a task without one is left plain.
        ranks: words, the one that matters most first; a group has the first that one of its tasks has.
        caption: a sentence below the flow's name.
        theme: of the colours.
    """
    groups = members(graph)
    drawn = grouped(graph, groups) if groups else graph
    # To people, parameters and what gathers results are no tasks.
    counted = {key for key, spec in graph.specs.items() if key in views and not (spec.is_parameter or spec.gathers)}
    told = {name: _group_view([views[key] for key in keys if key in counted], ranks) for name, keys in groups.items()}
    shown = {**{key: view for key, view in views.items() if key in graph.specs}, **told}
    picture = layout(drawn, with_rows=not groups)
    return svg(drawn, picture, shown, theme=theme, standalone=True, caption=caption, groups=groups)


def _group_view(views: Sequence[NodeView], ranks: Sequence[str]) -> NodeView:
    counts = Counter(view.name for view in views)
    word = next((each for each in ranks if each in counts), "")
    state = next((view.state for view in views if view.name == word), "Pending")
    return NodeView(state, word, counts=dict(counts), width=len(views))
