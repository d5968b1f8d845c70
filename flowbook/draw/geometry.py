"""Columns and rows for a graph's nodes: from graphviz, or from simple layers if graphviz fails.

Names never enter DOT: nodes are `n0`, `n1`, ... The program is `dot` from the PATH, else the `graphviz-pure` that its
wheel installs beside the interpreter. Does: runs one process, with a timeout, never through a shell.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GeometryError", "Placement", "Structure", "arrange", "find_programs", "layered", "widest"]

_TIMEOUT_S = 10.0
#: Above this many nodes graphviz may spend less time on neatness, and draws no curves.
_LARGE = 300
_POINTS_PER_INCH = 72.0


class GeometryError(Exception):
    """Graphviz failed; use `layered` instead. Never leaves the package."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What a placement depends on: the sizes of the nodes, and each edge once, as a pair of indexes, upstream first."""

    width: int
    gap_x: int
    gap_y: int
    heights: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where nodes lie, and where edges would pass.

    Attributes:
        columns: middle of each node, px from the left.
        rows: row of each node, from the top.
        hints: for each edge, points (x px, row) on its way, by falling height; empty where nothing is known.
    """

    columns: tuple[float, ...]
    rows: tuple[int, ...]
    hints: tuple[tuple[tuple[float, float], ...], ...]


def find_programs() -> tuple[str, ...]:
    """Return the programs that can lay out a graph, best first."""
    found = shutil.which("dot")
    return tuple(path for path in (found, _wheel_program()) if path)


@functools.lru_cache(maxsize=64)
def arrange(structure: Structure, programs: tuple[str, ...]) -> Placement:
    """Return the placement that the first working program of `programs` gives; cached by structure.

    Raises:
        GeometryError: if no program works.
    """
    reasons = []
    for program in programs:
        try:
            return _parse(_run(program, _dot_source(structure)), structure)
        except (OSError, subprocess.SubprocessError, ValueError, IndexError, KeyError) as error:
            reasons.append(f"{Path(program).name}: {type(error).__name__}: {error}"[:200])
    msg = "; ".join(reasons) or "no dot on the PATH, and no graphviz-pure beside Python"
    raise GeometryError(msg)


def layered(structure: Structure) -> Placement:
    """Return a simple placement: a row per depth, each node below the mean of its upstream nodes."""
    count = len(structure.heights)
    above: list[list[int]] = [[] for _ in range(count)]
    for source, target in structure.edges:
        above[target].append(source)
    rows = _depths(above, structure.edges)
    members: list[list[int]] = [[] for _ in range(max(rows, default=-1) + 1)]
    for node, row in enumerate(rows):
        members[row].append(node)
    step = structure.width + structure.gap_x
    columns = [0.0] * count
    for line in members:
        wishes = {node: _mean([columns[up] for up in above[node]]) for node in line}
        ordered = sorted(line, key=lambda node: (wishes[node], node))
        start = _mean([wishes[node] for node in ordered]) - step * (len(ordered) - 1) / 2
        for position, node in enumerate(ordered):
            columns[node] = start + step * position
    left = min(columns, default=0.0) - structure.width / 2
    return Placement(tuple(x - left for x in columns), tuple(rows), ((),) * len(structure.edges))


def widest(structure: Structure) -> int:
    """Return how many nodes are in the fullest row of the simple layers."""
    rows = layered(structure).rows
    return max(Counter(rows).values(), default=0)


def _depths(above: list[list[int]], edges: tuple[tuple[int, int], ...]) -> list[int]:
    below: list[list[int]] = [[] for _ in above]
    for source, target in edges:
        below[source].append(target)
    waiting = [len(nodes) for nodes in above]
    rows = [0] * len(above)
    ready = [node for node, left in enumerate(waiting) if not left]
    for node in ready:
        for child in below[node]:
            rows[child] = max(rows[child], rows[node] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return rows


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _wheel_program() -> str | None:
    name = "graphviz-pure.exe" if os.name == "nt" else "graphviz-pure"
    folders = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    candidates = [folder / name for folder in folders] + _recorded(name)
    return next((str(path) for path in candidates if path.is_file() and os.access(path, os.X_OK)), None)


def _recorded(name: str) -> list[Path]:
    """Return the path that the wheel recorded for its program, e.g. after `pip install --user`."""
    try:
        files = importlib.metadata.distribution("graphviz-pure").files or ()
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(os.fspath(file.locate())) for file in files if file.name == name]


def _dot_source(structure: Structure) -> str:
    import graphviz  # noqa: PLC0415  # loaded only where a graph is drawn

    count = len(structure.heights)
    is_large = count > _LARGE or len(structure.edges) > 2 * _LARGE
    haste = {"nslimit": "0.5", "nslimit1": "0.5", "mclimit": "0.1", "splines": ""} if is_large else {"splines": "true"}
    digraph = graphviz.Digraph(
        graph_attr={
            "rankdir": "TB",
            "nodesep": _inches(structure.gap_x),
            "ranksep": _inches(structure.gap_y),
            **haste,
        },
        node_attr={
            "shape": "box",
            "fixedsize": "true",
            "label": "",
            "width": _inches(structure.width),
            "height": _inches(min(structure.heights)),
        },
        edge_attr={"arrowhead": "none", "tailport": "s", "headport": "n"},
    )
    digraph.body.extend(f"\tn{index};\n" for index in range(count))
    digraph.body.extend(f"\tn{source} -> n{target};\n" for source, target in structure.edges)
    return str(digraph.source)


def _inches(px: float) -> str:
    return f"{px / _POINTS_PER_INCH:.4f}"


def _run(program: str, source: str) -> str:
    done = subprocess.run(  # noqa: S603  # a list of arguments, no shell; the source holds numbers only
        [program, "-Kdot", "-Tplain"],
        input=source,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
        encoding="utf-8",
    )
    return done.stdout


def _parse(plain: str, structure: Structure) -> Placement:
    """Read `-Tplain`: https://graphviz.org/docs/outputs/plain/ (inches, y upwards, node x and y at the middle)."""
    middles: dict[int, tuple[float, float]] = {}
    curves: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for line in plain.splitlines():
        words = line.split(" ")
        if words[0] == "node":
            middles[int(words[1][1:])] = (float(words[2]) * _POINTS_PER_INCH, float(words[3]) * _POINTS_PER_INCH)
        elif words[0] == "edge":
            ends = int(words[1][1:]), int(words[2][1:])
            numbers = [float(word) * _POINTS_PER_INCH for word in words[4 : 4 + 2 * int(words[3])]]
            curves[ends] = list(zip(numbers[::2], numbers[1::2], strict=True))
    nodes = [middles[index] for index in range(len(structure.heights))]
    levels = sorted({round(y, 1) for _, y in nodes}, reverse=True)
    row_of = {level: row for row, level in enumerate(levels)}
    hints = tuple(_crossings(curves.get(edge, []), levels) for edge in structure.edges)
    return Placement(tuple(x for x, _ in nodes), tuple(row_of[round(y, 1)] for _, y in nodes), hints)


def _crossings(curve: list[tuple[float, float]], levels: list[float]) -> tuple[tuple[float, float], ...]:
    """Return the points where a chain of cubic Béziers crosses the middle of each row, as (x, row)."""
    points = [_bezier(curve[at : at + 4], step / 8) for at in range(0, len(curve) - 3, 3) for step in range(9)]
    crossings: list[tuple[float, float]] = []
    row = 0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        while row < len(levels) and levels[row] > y0:
            row += 1
        while row < len(levels) and y0 >= levels[row] > y1:
            share = (y0 - levels[row]) / (y0 - y1)
            crossings.append((x0 + share * (x1 - x0), row))
            row += 1
    return tuple(crossings)


def _bezier(points: list[tuple[float, float]], t: float) -> tuple[float, float]:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3
