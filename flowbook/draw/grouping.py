"""Groups of tasks for graphs too large to be drawn task by task: by tag, by name, then by layer.

A mapped task stays a node: it is a group of its own. Groups never wait on each other in a ring: a grouping that would have
one gives way to a coarser one. Pure.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from flowbook.engine.graph import Graph, TaskSpec, sort_keys
from flowbook.exceptions import CycleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GROUPINGS", "LARGEST_UNGROUPED", "GroupBy", "grouped", "members"]

#: Larger graphs are drawn as groups unless somebody asks for every task.
LARGEST_UNGROUPED = 150
#: A grouping into more than this would be a wall as well.
_MOST_GROUPS = 48
#: Layers are taken together until there are at most this many.
_MOST_BANDS = 16
#: Fewer tasks of one name stay tasks.
_LEAST_COPIES = 3

GroupBy = Literal["auto", "layer", "task"]
GROUPINGS: tuple[GroupBy, ...] = ("auto", "layer", "task")
#: Names of the groups by the key of each task; a task that is its own group is named by its key.
_Assignment = dict[str, str]


def members(graph: Graph, by: GroupBy = "auto") -> Mapping[str, tuple[str, ...]]:
    """Return the keys in each group that has more than one, by the group's name; empty if `graph` is drawn task by task.

    Args:
        graph: a compiled flow.
        by: "auto" groups graphs of more than `LARGEST_UNGROUPED` tasks, by tag, name and layer; "layer" groups any by
            layer, "task" none.
    """
    if by == "task" or (by == "auto" and len(graph.specs) <= LARGEST_UNGROUPED) or len(graph.specs) < _LEAST_COPIES:
        return {}
    found = _by_band(graph) if by == "layer" else _first_that_fits(graph)
    groups: dict[str, list[str]] = {}
    for key, name in found.items():
        groups.setdefault(name, []).append(key)
    return MappingProxyType({name: tuple(keys) for name, keys in groups.items() if len(keys) > 1})


def grouped(graph: Graph, groups: Mapping[str, tuple[str, ...]]) -> Graph:
    """Return a graph that has a task for each group, to be drawn: it can't run."""
    group_of = {key: name for name, keys in groups.items() for key in keys}
    upstream: dict[str, dict[str, None]] = {}
    for key, spec in graph.specs.items():
        name = group_of.get(key, key)
        above = [group_of.get(up, up) for up in spec.upstream]
        upstream.setdefault(name, {}).update(dict.fromkeys(up for up in above if up != name))
    specs = {
        name: (_group_spec(name) if name in groups else graph.specs[name])._replace(upstream=tuple(ups))
        for name, ups in upstream.items()
    }
    below: dict[str, list[str]] = {name: [] for name in specs}
    for name, ups in upstream.items():
        for up in ups:
            below[up].append(name)
    order = sort_keys(below, {name: len(ups) for name, ups in upstream.items()})
    children = {name: tuple(found) for name, found in below.items()}
    terminal = tuple(name for name in order if not children[name])
    return Graph(graph.name, {name: specs[name] for name in order}, children, terminal, terminal)


def _group_spec(name: str) -> TaskSpec:
    # Drawn as a mapped task: a second edge behind it, a count, and a bar by state.
    return TaskSpec(key=name, name=name, task=None, run=_cannot_run, is_mapped=True)


def _cannot_run() -> None:
    """Stand for the function of a group, which is only drawn."""


def _first_that_fits(graph: Graph) -> _Assignment:
    """Return the finest grouping that has no ring and not too many groups."""
    finest: tuple[Callable[[Graph], _Assignment], ...] = (
        lambda graph: _by_label(graph, by_tag=True),
        lambda graph: _by_label(graph, by_tag=False),
    )
    for group in finest:
        found = group(graph)
        if len(set(found.values())) <= _MOST_GROUPS and not _has_ring(graph, found):
            return found
    return _by_band(graph)


def _by_label(graph: Graph, *, by_tag: bool) -> _Assignment:
    """Group by tag if asked, then tasks of one name, then what is left by its layer."""
    copies = Counter(spec.name for spec in graph.specs.values())
    depths = _depths(graph)
    found: _Assignment = {}
    for key, spec in graph.specs.items():
        if spec.is_mapped:
            found[key] = key
        elif by_tag and spec.tags:
            found[key] = _free(graph, min(spec.tags))
        elif copies[spec.name] >= _LEAST_COPIES:
            found[key] = _free(graph, f"{spec.name} (all)", bare=spec.name)
        else:
            found[key] = _free(graph, f"layer {depths[key] + 1}")
    return found


def _by_band(graph: Graph) -> _Assignment:
    """Group by layer, several layers together if there are many; such groups never form a ring."""
    depths = _depths(graph)
    layers = max(depths.values(), default=0) + 1
    height = -(-layers // _MOST_BANDS)
    names = {}
    for band in range(0, layers, height):
        last = min(layers, band + height)
        text = f"layer {last}" if last == band + 1 else f"layers {band + 1} to {last}"
        names.update(dict.fromkeys(range(band, last), _free(graph, text)))
    return {key: names[depth] for key, depth in depths.items()}


def _free(graph: Graph, name: str, bare: str = "") -> str:
    """Return a group's name that no task has: `bare` if that is free."""
    if bare and bare not in graph.specs:
        return bare
    return name if name not in graph.specs else f"{name} (group)"


def _depths(graph: Graph) -> dict[str, int]:
    """Return the layer of each task: one more than the lowest of those above it."""
    depths: dict[str, int] = {}
    for key, spec in graph.specs.items():
        depths[key] = max((depths[up] + 1 for up in spec.upstream), default=0)
    return depths


def _has_ring(graph: Graph, found: _Assignment) -> bool:
    below: dict[str, set[str]] = {name: set() for name in found.values()}
    for key, spec in graph.specs.items():
        for up in spec.upstream:
            if found[up] != found[key]:
                below[found[up]].add(found[key])
    counts = Counter(name for names in below.values() for name in names)
    try:
        sort_keys({name: sorted(names) for name, names in below.items()}, {name: counts[name] for name in below})
    except CycleError:
        return True
    return False
