"""The children of a mapped task as a view shows them: a square for each, and a page of their table (docs/wire.md).

Pure: no clock, no I/O. Work grows with the number of children, but only the rows of one page are described.
"""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flowbook.engine.state_kinds import FAILED, name_in_words
from flowbook.engine.task_keys import child_key
from flowbook.report import phrases
from flowbook.report.cost_text import memory_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.notebook.child_counts import ChildFacts

__all__ = ["MOST_ROWS", "ORDERS", "ChildView", "ChildrenRequest", "ChildrenView", "children_view"]

MOST_ROWS = 100
_NO_FACTS = "Pending"
Order = Literal["trouble", "slowest", "fastest", "index"]
#: The orders of the table: what failed, then what took longest; by duration; as mapped.
ORDERS: tuple[Order, ...] = ("trouble", "slowest", "fastest", "index")


@dataclass(frozen=True, slots=True)
class ChildView:
    """CHILD of the wire: a row of the table.

    `rows` is the number of rows of the frame that it gave; `cpu_s` and `memory` are what its last attempt cost, if known.
    """

    key: str
    index: int
    label: str
    state: str
    word: str
    since: float | None
    duration_s: float | None
    message: str
    rows: int | None
    cpu_s: float | None = None
    memory: str = ""


@dataclass(frozen=True, slots=True)
class ChildrenView:
    """The answer to `children`.

    Attributes:
        key: of the mapped task.
        width: number of children.
        counts: children by the word for their state.
        squares: words and how many children in a row have them, in map order.
        total: number of children that fit the request.
        offset: index of the first row among them.
        rows: of this page.
        durations: shortest, median and longest; None as long as none has finished.
    """

    key: str
    width: int
    counts: Mapping[str, int]
    squares: Sequence[tuple[str, int]]
    total: int
    offset: int
    rows: Sequence[ChildView]
    durations: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class ChildrenRequest:
    """What a view asks for.

    Attributes:
        key: of the mapped task.
        state: only children with this word for their state; "" for all.
        query: only children whose label, key or message contains this, in any case.
        order: of the table.
        offset: index of the first row to return.
        limit: number of rows.
    """

    key: str
    state: str = ""
    query: str = ""
    order: Order = "trouble"
    offset: int = 0
    limit: int = field(default=MOST_ROWS)


def children_view(
    request: ChildrenRequest,
    width: int,
    facts: Mapping[str, ChildFacts],
    *,
    label: Callable[[int], str],
    rows: Callable[[ChildFacts], int | None],
) -> ChildrenView:
    """Return the squares, and the page of the table that `request` names.

    Args:
        request: what is asked for.
        width: number of children.
        facts: by key, of the children that have a state.
        label: returns the name of a child by its index.
        rows: returns the number of rows of a child's output.
    """
    keys = [child_key(request.key, index) for index in range(width)]
    names = [facts[key].name if key in facts else _NO_FACTS for key in keys]
    fitting = [index for index in range(width) if not request.state or names[index] == request.state]
    if request.query:
        wanted = request.query.lower()
        fitting = [index for index in fitting if wanted in _searched(keys[index], label(index), facts.get(keys[index]))]
    fitting.sort(key=lambda index: _rank(request.order, index, facts.get(keys[index])))
    offset = min(max(0, request.offset), max(0, len(fitting) - 1))
    page = fitting[offset : offset + request.limit]
    return ChildrenView(
        key=request.key,
        width=width,
        counts=_counted(names),
        squares=[(name, len(list(group))) for name, group in itertools.groupby(names)],
        total=len(fitting),
        offset=offset,
        rows=[_row(keys[index], index, label(index), facts.get(keys[index]), rows) for index in page],
        durations=_durations([found.duration_s for found in facts.values()]),
    )


def _counted(names: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _rank(order: Order, index: int, facts: ChildFacts | None) -> tuple[float, float, int]:
    took = facts.duration_s if facts is not None else None
    match order:
        case "slowest":
            return 0, -took if took is not None else 1, index
        case "fastest":
            return 0 if took is not None else 1, took or 0, index
        case "index":
            return 0, 0, index
    is_failed = facts is not None and facts.name in FAILED
    return (0, index, 0) if is_failed else (1, -took if took is not None else 1, index)


def _searched(key: str, label: str, facts: ChildFacts | None) -> str:
    said = "" if facts is None else f"{facts.run_name}\n{phrases.message(facts.state)}"
    return f"{key}\n{label}\n{said}".lower()


def _row(
    key: str, index: int, label: str, facts: ChildFacts | None, rows: Callable[[ChildFacts], int | None]
) -> ChildView:
    if facts is None:
        return ChildView(key, index, label, _NO_FACTS, "", None, None, "", None)
    state, cost = facts.state, facts.state.cost
    name = type(state).__name__
    word = name_in_words(state)
    is_done = state.is_successful() and not state.is_skipped()
    return ChildView(
        key=key,
        index=index,
        label=facts.run_name or label,
        state=name,
        word=word if word != name else "",
        since=facts.running_at if facts.running_at is not None else state.at,
        duration_s=facts.duration_s,
        message=phrases.message(state),
        rows=rows(facts) if is_done else None,
        cpu_s=cost.cpu_s if cost is not None else None,
        memory=memory_text(cost),
    )


def _durations(found: Sequence[float | None]) -> tuple[float, float, float] | None:
    known = [took for took in found if took is not None]
    return (min(known), statistics.median(known), max(known)) if known else None
