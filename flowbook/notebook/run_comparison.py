"""Two runs of a flow side by side: what differs in their parameters and code, and how each task ended and how long it took."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.engine.replay import spans
from flowbook.engine.task_keys import is_child_key, parent_key
from flowbook.flow_run.flow_changes import compare_graphs
from flowbook.report.phrases import duration, listed, shorten
from flowbook.results.code_source import changed_line, read_sources
from flowbook.store import open_store
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flowbook.flow_run.run import FlowRun

__all__ = ["ComparedTask", "RunComparison", "compared_runs", "earlier_run"]

_ROWS_IN_TEXT, _ROWS_IN_PAGE = 40, 1000
_LINE_CHARACTERS = 60
_WAITS = ("Paused", "Resume", "Retrying")
_HEAD = ("Task", "State", "Took", "Differs")


@dataclass(frozen=True, slots=True)
class ComparedTask:
    """A task in two runs.

    Attributes:
        key: of it.
        states: names of its states in both, for a mapped task those of its children, counted; "" where the run has no such task.
        took_s: how long it ran in both; None where it didn't.
        differs: "new", "gone" or "edited", if its definition is another one; or "".
    """

    key: str
    states: tuple[str, str]
    took_s: tuple[float | None, float | None]
    differs: str = ""

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Its row."""
        took = ["" if each is None else duration(each) for each in self.took_s]
        return self.key, _pair(*self.states), _pair(*took), self.differs


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What differs between two runs.

    Attributes:
        title: which runs.
        tasks: those that either has, in order.
        notes: sentences on parameters and code.
    """

    title: str
    tasks: tuple[ComparedTask, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[ComparedTask]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        rows = [each.cells for each in self.tasks[:_ROWS_IN_TEXT]]
        widths = [max((len(row[place]) for row in rows), default=0) for place in range(len(_HEAD))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        more = len(self.tasks) - _ROWS_IN_TEXT
        rest = [f"  and {more:,} more tasks"] if more > 0 else []
        return "\n".join([self.title, *(f"  {line}" for line in lines), *rest, *self.notes])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in _HEAD)
        body = "".join(
            f"<tr data-task='{html.escape(each.key)}' data-differs='{each.differs}'>"
            f"{''.join(f'<td style=text-align:left>{html.escape(printable(cell))}</td>' for cell in each.cells)}</tr>"
            for each in self.tasks[:_ROWS_IN_PAGE]
        )
        notes = "".join(f"<p>{html.escape(printable(each))}</p>" for each in (self.title, *self.notes))
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return {"text/plain": repr(self), "text/html": f"<div data-flowbook='compare'>{notes}{table}</div>"}


def earlier_run(run: FlowRun) -> str | None:
    """Return the id of the run of the flow before this one, in this project."""
    found = open_store().runs.of_number(run.number - 1, config.project(), run.flow_name, limit=1)
    return next(iter(found), None)


def compared_runs(first: FlowRun, second: FlowRun) -> RunComparison:
    """Return what differs from the first to the second of two recorded runs."""
    runs = open_store().runs
    before, after = (dict(runs.get(run.run_id).graph) for run in (first, second))
    changes = compare_graphs(before, after)
    differs = dict.fromkeys(changes.added, "new") | dict.fromkeys(changes.removed, "gone")
    differs |= dict.fromkeys(changes.changed, "edited")
    keys = [task["key"] for task in after["tasks"]] + list(changes.removed)
    states = [_states(run) for run in (first, second)]
    took = [_took(run) for run in (first, second)]
    tasks = tuple(
        ComparedTask(
            key,
            (states[0].get(key, ""), states[1].get(key, "")),
            (took[0].get(key), took[1].get(key)),
            differs.get(key, ""),
        )
        for key in keys
    )
    names = [f"{run.flow_name}, run {run.number}" for run in (first, second)]
    if first.flow_name == second.flow_name:
        names[1] = f"run {second.number}"
    return RunComparison(
        f"{names[0]} and {names[1]}: {type(first.state).__name__} → {type(second.state).__name__}",
        tasks,
        (*_parameters(first.parameters, second.parameters), *_lines(before, after)),
    )


def _states(run: FlowRun) -> dict[str, str]:
    """Return the states of the tasks in words; those of children are counted."""
    words: dict[str, str] = {}
    counts: dict[str, Counter[str]] = {}
    for key, state in run.states.items():
        name = words[key] = type(state).__name__
        if is_child_key(key):
            counts.setdefault(parent_key(key), Counter())[name] += 1
    words |= {key: ", ".join(f"{n:,} {name}" for name, n in found.most_common()) for key, found in counts.items()}
    return words


def _took(run: FlowRun) -> dict[str, float]:
    """Return how long each task ran, all its attempts together; of children, from the first to the last."""
    took: dict[str, float] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for span in spans(run.events()):
        if not span.attempt or span.end is None or span.state in _WAITS:
            continue
        took[span.key] = took.get(span.key, 0.0) + span.end - span.start
        if is_child_key(span.key):
            parent = parent_key(span.key)
            first, last = ranges.get(parent, (span.start, span.end))
            ranges[parent] = min(first, span.start), max(last, span.end)
    return took | {key: last - first for key, (first, last) in ranges.items()}


def _parameters(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    names = [name for name in {**before, **after} if repr(before.get(name)) != repr(after.get(name))]
    texts = [
        [shorten(repr(each[name]), _LINE_CHARACTERS) if name in each else "none" for name in names]
        for each in (before, after)
    ]
    found = [f"{name} {old} → {new}" for name, old, new in zip(names, *texts, strict=True)]
    if found:
        yield f"Parameters: {listed(found, 8)}."


def _lines(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """Yield the first line that is another one, of each function."""
    old, new = (read_sources(each.get("sources", {})) for each in (before, after))  # type: ignore[arg-type]  # JSON
    for name in new:
        line = changed_line(old, new, [name])
        if line is not None:
            yield f"{line.function} changed, line {line.number}: {shorten(line.text, _LINE_CHARACTERS)}"


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before or 'none'} → {after or 'none'}"
