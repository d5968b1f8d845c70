"""The graphs that everybody runs, as the numbers of each task's parents. Pure, and of the standard library alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PARENTS", "SHAPES", "Shape", "chain", "edges", "fan", "first", "layers"]

#: For each task, in an order in which they can run, the places of its parents.
Shape = list[tuple[int, ...]]

#: How many parents a task of `layers` has.
PARENTS = 3
_WIDTH = 10


def chain(size: int) -> Shape:
    """Each task after the one before."""
    return [(), *((place,) for place in range(size - 1))]


def fan(size: int) -> Shape:
    """One task, and all others below it."""
    return [(), *([(0,)] * (size - 1))]


def layers(size: int) -> Shape:
    """Layers of ten tasks, each with three parents in the layer above."""
    shape: Shape = [()] * _WIDTH
    for above in range(0, max(size, _WIDTH) - _WIDTH, _WIDTH):
        shape += [tuple(above + (place + step) % _WIDTH for step in range(PARENTS)) for place in range(_WIDTH)]
    return shape


def edges(size: int) -> Shape:
    """Two layers, all of the one above all of the other: about `size` edges, few tasks."""
    width = max(1, math.isqrt(size))
    return [*([()] * width), *([tuple(range(width))] * width)]


SHAPES: dict[str, Callable[[int], Shape]] = {"chain": chain, "fan": fan, "layers": layers, "edges": edges}


def first(*values: object) -> object:
    """Return the first value, or 0: what a task does that does nothing."""
    return values[0] if values else 0
