"""Wraps wide rows into several lines: a thousand siblings side by side would be an unreadable strip.

Pure: takes a placement and returns another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.draw.geometry import Placement

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WIDEST", "Wrapped", "wrapped"]

#: Rows of more nodes than this are wrapped.
WIDEST = 24
#: Width over height that a wrapped row aims for, and the fewest nodes in one of its lines.
_ASPECT = 1.5
_LEAST = 12


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A placement whose rows are lines.

    Attributes:
        placement: rows counted anew; without hints where something was wrapped.
        groups: for each line, the row that it was a part of; lines of one row have their columns in common.
    """

    placement: Placement
    groups: tuple[int, ...]


def wrapped(placement: Placement, *, step_px: float, line_px: float) -> Wrapped:
    """Return `placement` with its wide rows wrapped.

    Args:
        placement: columns and rows of the nodes.
        step_px: from one node to the next in a row.
        line_px: about how high a line is, with the gap below it.
    """
    members: list[list[int]] = [[] for _ in range(max(placement.rows, default=-1) + 1)]
    for node, row in enumerate(placement.rows):
        members[row].append(node)
    if all(len(row) <= WIDEST for row in members):
        return Wrapped(placement, tuple(range(len(members))))
    middle = (min(placement.columns) + max(placement.columns)) / 2
    widths = [_per_line(len(row), step_px, line_px) for row in members]
    span = max(placement.columns) - min(placement.columns)
    share = min(1.0, max(widths) * step_px / span)
    columns, rows = list(placement.columns), list(placement.rows)
    groups: list[int] = []
    for row, (nodes, width) in enumerate(zip(members, widths, strict=True)):
        ordered = sorted(nodes, key=lambda node: (placement.columns[node], node))
        if len(nodes) <= WIDEST:
            wishes = [middle + (placement.columns[node] - middle) * share for node in ordered]
            spots = _apart(wishes, step_px)
        else:
            spots = [middle + (at % width - (width - 1) / 2) * step_px for at in range(len(ordered))]
        for at, (node, column) in enumerate(zip(ordered, spots, strict=True)):
            columns[node] = column
            rows[node] = len(groups) + at // width
        groups += [row] * math.ceil(len(nodes) / width)
    left = min(columns) - step_px / 2
    hints: tuple[tuple[tuple[float, float], ...], ...] = ((),) * len(placement.hints)
    return Wrapped(Placement(tuple(x - left for x in columns), tuple(rows), hints), tuple(groups))


def _per_line(count: int, step_px: float, line_px: float) -> int:
    """Return how many of a row's nodes go into one line: lines are about equally full."""
    if count <= WIDEST:
        return max(1, count)
    most = max(_LEAST, round(math.sqrt(count * _ASPECT * line_px / step_px)))
    return math.ceil(count / math.ceil(count / most))


def _apart(wishes: Sequence[float], step_px: float) -> list[float]:
    """Return columns near the ascending `wishes`, none nearer to the next than a step."""
    spots: list[float] = []
    for wish in wishes:
        spots.append(max(wish, spots[-1] + step_px) if spots else wish)
    shift = sum(spot - wish for spot, wish in zip(spots, wishes, strict=True)) / len(spots) if spots else 0.0
    return [spot - shift for spot in spots]
