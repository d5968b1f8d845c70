"""Two runs of a flow side by side: what differs in their parameters and code, and how each task ended and how long it took."""

from __future__ import annotations

import dataclasses
import html
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook import config
from flowbook.engine.replay import spans
from flowbook.engine.task_keys import is_child_key, parent_key
from flowbook.flow_run.flow_changes import compare_graphs
from flowbook.flow_run.run_differences import OWN_CAUSES, task_differences
from flowbook.notebook.row_counts import rows_of
from flowbook.report.phrases import duration, listed, shorten
from flowbook.results.code_source import changed_line, read_sources
from flowbook.store import open_store
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from flowbook.flow_run.run import FlowRun
    from flowbook.flow_run.run_differences import Cause

__all__ = ["ComparedTask", "RunComparison", "compared_runs", "earlier_run"]

_ROWS_IN_TEXT, _ROWS_IN_PAGE = 40, 1000
_LINE_CHARACTERS = 60
_WAITS = ("Paused", "Resume", "Retrying")
_HEAD = ("Task", "State", "Took", "Rows", "Output", "Differs")
_HASH_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class ComparedTask:
    """A task in two runs.

    Attributes:
        key: of it.
        states: names of its states in both, for a mapped task those of its children, counted; "" where the run has no such task.
        took_s: how long it ran in both; None where it didn't.
        differs: why, see `flow_run.run_differences.Cause`; "" if it doesn't.
        hashes: of its output in both; "" where none is known.
        rows: of its output in both; None where it is no frame.
    """

    key: str
    states: tuple[str, str]
    took_s: tuple[float | None, float | None]
    differs: Cause = ""
    hashes: tuple[str, str] = ("", "")
    rows: tuple[int | None, int | None] = (None, None)

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row."""
        took = ["" if each is None else duration(each) for each in self.took_s]
        rows = ["" if each is None else f"{each:,}" for each in self.rows]
        hashes = [each[:_HASH_CHARACTERS] for each in self.hashes]
        if self.hashes[0] != self.hashes[1] and hashes[0] == hashes[1]:  # of many children, only one may differ
            hashes = ["…", "other"]
        return self.key, _pair(*self.states), _pair(*took), _pair(*rows), _pair(*hashes), self.differs


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

    @property
    def first(self) -> ComparedTask | None:
        """The first task that differs by itself; None if none does."""
        return next((each for each in self.tasks if each.differs in OWN_CAUSES), None)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        first = self.first
        tasks = [dataclasses.asdict(each) for each in self.tasks]
        return {"title": self.title, "tasks": tasks, "notes": list(self.notes), "first": first.key if first else None}

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each task: its states, durations, rows and hashes of the output in both runs, and why it differs."""
        import pandas as pd  # noqa: PLC0415  # heavy

        names = ("state", "took_s", "rows", "hash")
        columns = ["task", *(f"{name}_{when}" for name in names for when in ("before", "after")), "differs"]
        rows = [(each.key, *each.states, *each.took_s, *each.rows, *each.hashes, each.differs) for each in self.tasks]
        return pd.DataFrame(rows, columns=columns)

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
    others = set(_other_parameters(first.parameters, second.parameters))
    edited = {
        *changes.changed,
        *(each["key"] for each in after["tasks"] if each.get("parameter") and each["name"] in others),
    }
    # What is recorded has hashes; the run that this process ran has values.
    recorded = [open_store().history.snapshot(run.run_id).states() for run in (first, second)]
    differences = task_differences((before, recorded[0]), (after, recorded[1]), edited)
    states = [_states(run) for run in (first, second)]
    took = [_took(run) for run in (first, second)]
    tasks = tuple(
        ComparedTask(
            key,
            (states[0].get(key, ""), states[1].get(key, "")),
            (took[0].get(key), took[1].get(key)),
            found.cause,
            found.hashes,
            (_rows(first, key), _rows(second, key)),
        )
        for key, found in differences.items()
    )
    names = [f"{run.flow_name}, run {run.number}" for run in (first, second)]
    if first.flow_name == second.flow_name:
        names[1] = f"run {second.number}"
    return RunComparison(
        f"{names[0]} and {names[1]}: {type(first.state).__name__} → {type(second.state).__name__}",
        tasks,
        (*_parameters(first.parameters, second.parameters), *_lines(before, after), *_causes(tasks)),
    )


def _causes(tasks: Sequence[ComparedTask]) -> Iterator[str]:
    """Yield how many tasks differ, by themselves and because of others, and which is the first."""
    own = [each.key for each in tasks if each.differs in OWN_CAUSES]
    because = sum(each.differs == "input" for each in tasks)
    if not own and not because:
        yield f"None of {len(tasks):,} tasks differs."
        return
    first = f"; the first is {own[0]}" if own else ""
    yield (
        f"{len(own) + because:,} of {len(tasks):,} tasks differ{first}: "
        f"{len(own):,} by themselves, {because:,} because of what they get."
    )


def _rows(run: FlowRun, key: str) -> int | None:
    state = run.states.get(key)
    return None if state is None or state.is_mapped() else rows_of(state)


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
    names = _other_parameters(before, after)
    texts = [
        [shorten(repr(each[name]), _LINE_CHARACTERS) if name in each else "none" for name in names]
        for each in (before, after)
    ]
    found = [f"{name} {old} → {new}" for name, old, new in zip(names, *texts, strict=True)]
    if found:
        yield f"Parameters: {listed(found, 8)}."


def _other_parameters(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return [name for name in {**before, **after} if repr(before.get(name)) != repr(after.get(name))]


def _lines(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """Yield the first line that is another one, of each function."""
    old, new = (read_sources(each.get("sources", {})) for each in (before, after))  # type: ignore[arg-type]  # JSON
    for name in new:
        line = changed_line(old, new, [name])
        if line is not None:
            yield f"{line.function} changed, line {line.number}: {shorten(line.text, _LINE_CHARACTERS)}"


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before or 'none'} → {after or 'none'}"
