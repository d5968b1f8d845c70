"""Positions of a graph's nodes and edges, in px.

Heights are reserved once by what a task may ever show, so that nothing moves while a run goes on. Rows and columns come
from `geometry`; rows are then stacked with their tops aligned, and edges drawn through the gaps: vertical beside nodes,
curved between rows, never behind a node.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from flowbook.draw import geometry
from flowbook.draw.wrapping import Wrapped, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Graph, TaskSpec

__all__ = [
    "GAP_ROWS",
    "GAP_X",
    "GAP_Y",
    "MARGIN",
    "NODE_WIDTH",
    "NOTE_HEIGHT",
    "PLAIN_HEIGHT",
    "TALL_HEIGHT",
    "Box",
    "EdgePath",
    "Layout",
    "layout",
    "node_height",
]

NODE_WIDTH = 192
GAP_X = 16
GAP_Y = 28
#: The gap where edges say how many rows they carry, and the part of it in which an edge goes straight down.
GAP_ROWS, LEAD_ROWS = 40, 16
#: Space around the graph for focus rings and the second outline of mapped tasks.
MARGIN = 4
#: Heights of a node with two lines, with a third line, and with buttons or a bar with counts.
PLAIN_HEIGHT, NOTE_HEIGHT, TALL_HEIGHT = 44, 64, 80
#: Least distance of an edge to a node, and to an unrelated edge.
_CLEAR = 7
_APART = 6
#: Nodes without edges go below the others, at most this many in a row.
_GRID = 6
#: Wider rows are wrapped anyway; graphviz would spend long on an order that doesn't show.
_STRIP = 200


@dataclass(frozen=True, slots=True)
class Box:
    """A node's position and size; `row` counts from the top."""

    key: str
    x: int
    y: int
    w: int
    h: int
    row: int


@dataclass(frozen=True, slots=True)
class EdgePath:
    """An edge as the `d` of an SVG path that ends at the top of the target."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A graph's geometry.

    Attributes:
        boxes: by key, in the graph's order.
        edges: each pair of tasks once.
        width: px, margins included; nodes begin at 0, the view box at -MARGIN.
        height: px, likewise.
        note: one sentence where the layout is not the usual one, else empty.
    """

    boxes: Mapping[str, Box]
    edges: tuple[EdgePath, ...]
    width: int
    height: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Room:
    """What is reserved for rows on the edges: the gap below each row, the least height, how far edges go straight down."""

    gap_y: int = GAP_Y
    least_height: int = PLAIN_HEIGHT
    lead: int = 0

    def height(self, spec: TaskSpec) -> int:
        return node_height(spec) if spec.is_parameter else max(self.least_height, node_height(spec))


_WITH_ROWS = _Room(GAP_ROWS, NOTE_HEIGHT, LEAD_ROWS)


def layout(graph: Graph, *, programs: Sequence[str] | None = None, with_rows: bool = False) -> Layout:
    """Return the layout of `graph`.

    Args:
        graph: a compiled flow.
        programs: graphviz programs to try, best first; None finds them.
        with_rows: whether there is room for rows on the edges, and for what became of them on the nodes.
    """
    room = _WITH_ROWS if with_rows else _Room()
    keys = tuple(graph.specs)
    if not keys:
        return Layout(MappingProxyType({}), (), 2 * MARGIN, 2 * MARGIN)
    edges = _edges(graph)
    touched = {end for edge in edges for end in edge}
    joined = [key for key in keys if key in touched]
    single = [key for key in keys if key not in touched]
    index = {key: at for at, key in enumerate(joined)}
    structure = geometry.Structure(
        width=NODE_WIDTH,
        gap_x=GAP_X,
        gap_y=room.gap_y,
        heights=tuple(room.height(graph.specs[key]) for key in joined),
        edges=tuple((index[source], index[target]) for source, target in edges),
    )
    found, note = _placement(structure, tuple(programs) if programs is not None else geometry.find_programs())
    lines = wrapped(found, step_px=NODE_WIDTH + GAP_X, line_px=room.least_height + room.gap_y)
    boxes, tops = _stack(graph, joined, lines.placement, room)
    paths = _Router(boxes, joined, lines, tops, room).paths(edges)
    boxes.update(_grid(graph, single, boxes, room))
    return _framed(MappingProxyType({key: boxes[key] for key in keys}), paths, note)


def node_height(spec: TaskSpec) -> int:
    """Return the height that a task needs for everything it may ever show, in px."""
    if spec.is_manual or spec.is_mapped:
        return TALL_HEIGHT
    if spec.retry is not None or spec.cache is not None or spec.trigger is not None:
        return NOTE_HEIGHT
    return PLAIN_HEIGHT


def _edges(graph: Graph) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((up, key) for key, spec in graph.specs.items() for up in spec.upstream))


def _placement(structure: geometry.Structure, programs: tuple[str, ...]) -> tuple[geometry.Placement, str]:
    if not structure.heights:
        return geometry.Placement((), (), ()), ""
    if geometry.widest(structure) > _STRIP:
        return geometry.layered(structure), ""
    try:
        return geometry.arrange(structure, programs), ""
    except geometry.GeometryError as error:
        note = f"Laid out without graphviz ({error}). Install graphviz-pure for a calmer graph."
        return geometry.layered(structure), note


def _stack(
    graph: Graph, keys: list[str], placement: geometry.Placement, room: _Room
) -> tuple[dict[str, Box], list[int]]:
    """Return the boxes, with the tops of each row aligned, and the y of each row's top and of the bottom."""
    heights = [room.height(graph.specs[key]) for key in keys]
    tallest = [0] * (max(placement.rows, default=-1) + 1)
    for row, height in zip(placement.rows, heights, strict=True):
        tallest[row] = max(tallest[row], height)
    tops = [0]
    for height in tallest:
        tops.append(tops[-1] + height + room.gap_y)
    left = min(placement.columns, default=0.0)
    boxes = {}
    for key, column, row, height in zip(keys, placement.columns, placement.rows, heights, strict=True):
        boxes[key] = Box(key, round(column - left), tops[row], NODE_WIDTH, height, row)
    return boxes, tops


def _grid(graph: Graph, keys: list[str], boxes: Mapping[str, Box], room: _Room) -> dict[str, Box]:
    top = max((box.y + box.h + room.gap_y for box in boxes.values()), default=0)
    row = max((box.row for box in boxes.values()), default=-1) + 1
    placed = {}
    for start in range(0, len(keys), _GRID):
        line = keys[start : start + _GRID]
        heights = [room.height(graph.specs[key]) for key in line]
        for column, (key, height) in enumerate(zip(line, heights, strict=True)):
            placed[key] = Box(key, column * (NODE_WIDTH + GAP_X), top, NODE_WIDTH, height, row)
        top += max(heights) + room.gap_y
        row += 1
    return placed


def _framed(boxes: Mapping[str, Box], paths: list[tuple[str, str, list[tuple[float, float]]]], note: str) -> Layout:
    """Return the layout, shifted right if an edge runs left of all nodes, with its size."""
    xs = [x for _, _, points in paths for x, _ in points]
    shift = max(0, -int(min(xs, default=0.0) // 1))
    shifted = {key: replace(box, x=box.x + shift) for key, box in boxes.items()} if shift else boxes
    right = max(max(xs, default=0.0) + shift, *(box.x + box.w for box in shifted.values()))
    bottom = max(box.y + box.h for box in shifted.values())
    edges = tuple(EdgePath(source, target, _path(points, shift)) for source, target, points in paths)
    return Layout(MappingProxyType(dict(shifted)), edges, int(right) + 2 * MARGIN, int(bottom) + 2 * MARGIN, note)


def _path(points: list[tuple[float, float]], shift: int) -> str:
    """Return a path through `points`: straight where x stays, an S with vertical ends where it changes."""
    (x, y), *rest = [(px + shift, py) for px, py in points]
    parts = [f"M{_number(x)} {_number(y)}"]
    for to_x, to_y in rest:
        if to_x == x:
            parts.append(f"V{_number(to_y)}")
        else:
            middle = _number((y + to_y) / 2)
            parts.append(f"C{_number(x)} {middle} {_number(to_x)} {middle} {_number(to_x)} {_number(to_y)}")
        x, y = to_x, to_y
    return "".join(parts)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


class _Router:
    """Finds a free column for each edge in every row that it crosses."""

    def __init__(self, boxes: Mapping[str, Box], keys: list[str], lines: Wrapped, tops: list[int], room: _Room) -> None:
        placement = lines.placement
        self._room = room
        self._boxes = boxes
        self._tops = tops
        self._groups = lines.groups
        self._hints = placement.hints
        self._index = {key: at for at, key in enumerate(keys)}
        self._left = min(placement.columns, default=0.0) - NODE_WIDTH / 2
        #: Left edges of each row's nodes, ascending, and the bottom of the row.
        self._rows: dict[int, list[int]] = defaultdict(list)
        for box in boxes.values():
            bisect.insort(self._rows[box.row], box.x)
        #: Columns in use, by row, ascending: the x, and the two ends of the edge there.
        self._used: dict[int, list[tuple[float, str, str]]] = defaultdict(list)

    def paths(self, edges: Sequence[tuple[str, str]]) -> list[tuple[str, str, list[tuple[float, float]]]]:
        """Return (source, target, points) of every edge, in the given order. Short edges choose their columns first."""
        order = sorted(range(len(edges)), key=lambda at: self._span(edges[at]))
        found: dict[int, list[tuple[float, float]]] = {}
        for at in order:
            found[at] = self._points(*edges[at], self._hints[at])
        return [(*edge, found[at]) for at, edge in enumerate(edges)]

    def _span(self, edge: tuple[str, str]) -> int:
        return self._boxes[edge[1]].row - self._boxes[edge[0]].row

    def _points(self, source: str, target: str, hints: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        start, end = self._boxes[source], self._boxes[target]
        x, goal = start.x + NODE_WIDTH / 2, end.x + NODE_WIDTH / 2
        hinted = {row: hint - self._left for hint, row in hints}
        # Nodes cover edges and are drawn as high as their content, so an edge starts behind the lowest possible node.
        points: list[tuple[float, float]] = [(x, start.y + PLAIN_HEIGHT)]
        bottom = self._bottom(start.row) + self._room.lead
        if bottom > points[-1][1]:
            points.append((x, bottom))
        for row in range(start.row + 1, end.row):
            beside = self._beside(row, start, end)
            if beside is not None:
                x = beside
                points += [(x, self._tops[row]), (x, self._bottom(row))]
                continue
            share = (row - start.row) / (end.row - start.row)
            x = self._column(row, (x, hinted.get(row, x + share * (goal - x)), goal), (source, target))
            points += [(x, self._tops[row]), (x, self._bottom(row))]
        points.append((goal, end.y))
        return points

    def _beside(self, row: int, start: Box, end: Box) -> float | None:
        """Return the x at which an edge crosses another line of the wrapped row that one of its ends is in."""
        near = next((box for box in (end, start) if self._groups[box.row] == self._groups[row]), None)
        return near.x - GAP_X / 2 if near is not None else None

    def _bottom(self, row: int) -> float:
        return self._tops[row + 1] - self._room.gap_y

    def _column(self, row: int, wishes: tuple[float, float, float], ends: tuple[str, str]) -> float:
        """Return a free x in `row`: the current column if possible, else graphviz's, else the target's, else the nearest one."""
        previous, hint, goal = wishes
        x = next((wish for wish in (previous, hint, goal) if self._is_free(row, wish, ends)), None)
        if x is None:
            x = self._nearest(row, hint, ends)
        bisect.insort(self._used[row], (x, *ends))
        return x

    def _is_free(self, row: int, x: float, ends: tuple[str, str]) -> bool:
        lefts = self._rows[row]
        at = bisect.bisect_left(lefts, x + _CLEAR)
        if at and lefts[at - 1] + NODE_WIDTH + _CLEAR > x:
            return False
        used = self._used[row]
        for other, source, target in used[bisect.bisect_left(used, (x - _APART,)) :]:
            if other >= x + _APART:
                return True
            if source != ends[0] and target != ends[1]:
                return False
        return True

    def _nearest(self, row: int, x: float, ends: tuple[str, str]) -> float:
        """Return the nearest free x: in a gap between nodes, or beside all of them."""
        lefts = self._rows[row]
        at = bisect.bisect_right(lefts, x)
        near = lefts[max(0, at - 2) : at + 2]
        sides = [left - GAP_X / 2 for left in near] + [left + NODE_WIDTH + GAP_X / 2 for left in near]
        inside = sorted((side for side in sides if self._is_free(row, side, ends)), key=lambda side: abs(side - x))
        if inside:
            return inside[0]
        # All gaps nearby are taken. Share one: touching edges are better than long detours.
        clear = [side for side in sides if self._is_clear(row, side)]
        return min(clear or [lefts[0] - GAP_X / 2, lefts[-1] + NODE_WIDTH + GAP_X / 2], key=lambda side: abs(side - x))

    def _is_clear(self, row: int, x: float) -> bool:
        lefts = self._rows[row]
        at = bisect.bisect_right(lefts, x)
        return not at or lefts[at - 1] + NODE_WIDTH < x
