"""Recorded runs as lines for people. Pure: the time is an argument."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.state_kinds import FAILED, FINISHED
from flowbook.report.phrases import changed_inputs, clock, listed
from flowbook.report.secret_names import shown_parameters
from flowbook.store.process_identity import number_of, place_in_words
from flowbook.terminal.durations import running_time
from flowbook.terminal.lines import Span, cut_middle, padded, widest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.events import Decided
    from flowbook.store import RunSummary
    from flowbook.terminal.lines import Line
    from flowbook.terminal.marks import Marks

__all__ = [
    "PAST",
    "RUN_COLUMNS",
    "TaskRow",
    "ago",
    "decision_lines",
    "head_lines",
    "input_lines",
    "run_rows",
    "run_table",
    "table_lines",
    "task_table",
    "where_it_runs",
]

_DIM, _BOLD = "dim", "bold"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LONGEST_NAME = 30
_GO_ON = ("Running", "Cancelling")
#: What was done by the decisions of these names.
PAST = {
    "cancel": "cancelled",
    "hand_over": "handed over",
    "reject": "rejected",
    "resume": "resumed",
    "retry": "retried",
    "skip": "skipped",
    "stay": "kept where it was",
}


class TaskRow(NamedTuple):
    """A task or child in the table of one run.

    Attributes:
        state: the name of its state.
        took_s: how long it ran; None where it didn't.
        rows: what is known of its value's size, in words.
        why: how it came to its state, in words.
    """

    key: str
    state: str
    took_s: float | None
    rows: str
    why: str


#: The columns of a list of runs.
RUN_COLUMNS = ("RUN", "FLOW", "STATE", "STARTED", "TOOK", "TASKS", "WHERE")


def run_rows(runs: Sequence[RunSummary], states: Sequence[str], now: dt.datetime, here: str) -> list[tuple[str, ...]]:
    """Return the cells of `RUN_COLUMNS` for each run; `states` are theirs, as they are shown, and `here` names this machine."""
    return [
        (
            str(run.number),
            cut_middle(run.flow, _LONGEST_NAME),
            state,
            _started(run, state, now),
            _took(run, state),
            _tasks(run, state),
            where_it_runs(run, state, here),
        )
        for run, state in zip(runs, states, strict=True)
    ]


def _started(run: RunSummary, state: str, now: dt.datetime) -> str:
    """Return when a run started; if it waits for its time, when that is."""
    if run.started is not None:
        return ago(run.started, now)
    if run.due is None or state not in {"Scheduled", "Submitted"}:
        return ""
    return "due now" if run.due <= now else f"at {clock(run.due.timestamp(), now.timestamp())}"


def run_table(
    runs: Sequence[RunSummary], states: Sequence[str], marks: Marks, now: dt.datetime, here: str
) -> list[Line]:
    """Return a heading, and a line for each run; `states` and `here` as for `run_rows`."""
    return table_lines(RUN_COLUMNS, run_rows(runs, states, now, here), states, marks)


def table_lines(
    heading: Sequence[str], rows: Sequence[Sequence[str]], states: Sequence[str], marks: Marks
) -> list[Line]:
    """Return a heading, and a line for each row of `run_rows`, with the mark of its run's state."""
    widths = _widths([heading, *rows])
    widths[2] += 2
    lines: list[Line] = [_cells(heading, widths, right=(0, 4), style=_DIM)]
    for row, state in zip(rows, states, strict=True):
        lines.append(_with_mark(row, 2, state, widths, marks, right=(0, 4)))
    return lines


def head_lines(run: RunSummary, state: str, marks: Marks, now: dt.datetime) -> list[Line]:
    """Return what is known of one run as a whole."""
    when = "" if run.started is None else f" {ago(run.started, now)}"
    took = _took(run, state)
    length = f", {'for' if run.ended is None else 'took'} {took}" if took else ""
    title = (
        Span(run.flow, _BOLD),
        Span(f"  run {run.number}  "),
        marks.of(state),
        Span(f" {state}", marks.style(state)),
        Span(f"{when}{length}   id {run.run_id[:8]}", _DIM),
    )
    parameters = "  ".join(f"{name}={value!r}" for name, value in shown_parameters(run.parameters).items())
    facts = "  ".join(filter(None, (parameters, run.executor, run.origin)))
    lines: list[Line] = [title, (Span(f"  {facts}"),)] if facts else [title]
    if run.message and state not in {"Success", *_GO_ON}:
        lines += [(Span(f"  {line}"),) for line in run.message.splitlines()]
    return lines


def decision_lines(decisions: Sequence[Decided], now: dt.datetime) -> list[Line]:
    """Return a line for each decision of a person: what, by whom, when and why; tasks decided together share it."""
    together: dict[tuple[object, ...], list[Decided]] = {}
    for each in decisions:
        together.setdefault((each.action, each.by, each.note, each.changes, round(each.at)), []).append(each)
    lines: list[Line] = []
    for (action, by, note, *_), found in together.items():
        tasks = listed([each.key for each in found if each.key])
        when = ago(dt.datetime.fromtimestamp(found[0].at, dt.UTC), now)
        changed = changed_inputs(found[0].changes)
        words = (
            PAST.get(found[0].action, action),
            tasks,
            f"by {by}" if by else "",
            changed and f"with {changed}",
        )
        text = " ".join(str(word) for word in words if word)
        lines.append((Span(f"  {text}, {when}{f': {note}' if note else ''}"),))
    return lines


def input_lines(inputs: Mapping[str, str]) -> list[Line]:
    """Return a line for each input of a task: its name, and its value in words."""
    width = widest(inputs)
    return [(Span(f"  {padded(name, width)}  {text}"),) for name, text in inputs.items()]


def task_table(rows: Sequence[TaskRow], marks: Marks) -> list[Line]:
    """Return a heading, and a line for each task."""
    cells = [
        (
            cut_middle(row.key, _LONGEST_NAME),
            row.state,
            "" if row.took_s is None else running_time(row.took_s),
            row.rows,
            row.why,
        )
        for row in rows
    ]
    heading = ("TASK", "STATE", "TOOK", "ROWS", "WHY")
    widths = _widths([heading, *cells])
    widths[1] += 2
    lines: list[Line] = [_cells(heading, widths, right=(2,), style=_DIM)]
    lines += [_with_mark(row, 1, row[1], widths, marks, right=(2,)) for row in cells]
    return [(Span("  "), *line) for line in lines]


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """Return a moment in the past as people say it: "4 min ago", "today 08:12", "yesterday 17:30", "20 Nov 09:00"."""
    seconds = (now - moment).total_seconds()
    local, today = moment.astimezone(), now.astimezone().date()
    if seconds < _MINUTE:
        return "just now" if seconds < 10 else f"{int(seconds)} s ago"  # noqa: PLR2004  # nobody counts these
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min ago"
    if local.date() == today:
        return f"{int(seconds // _HOUR)} h ago" if seconds < 4 * _HOUR else f"today {local:%H:%M}"
    if local.date() == today - dt.timedelta(days=1):
        return f"yesterday {local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y}"


def _took(run: RunSummary, state: str) -> str:
    if run.took_s is None or (run.ended is None and state not in _GO_ON):
        return ""
    return running_time(run.took_s)


def _tasks(run: RunSummary, state: str) -> str:
    """Return how many tasks have finished, and what failed or waits."""
    counts = run.counts
    done = sum(count for name, count in counts.items() if name in FINISHED - {"Cancelled", "TriggerFailed"})
    failed = sum(counts.get(name, 0) for name in FAILED)
    without = f", {failed:,} failed" if failed and state != "Failed" else ""
    if state == "Success":
        cached = counts.get("Cached", 0)
        return f"{done:,}{f', {cached:,} cached' if cached else ''}{without}"
    word = {"Paused": " wait", "Failed": " failed"}.get(state)
    named = (run.message or "").partition(word)[0] if word else run.message
    which = f", {cut_middle(named, _LONGEST_NAME)}" if named and named != run.message else ""
    return f"{done:,} done{without}{which}"


def where_it_runs(run: RunSummary, state: str, here: str) -> str:
    """Return the container, or the process that has a run, with its machine unless that is `here`; else where it was started."""
    if place := place_in_words(run.identifier or ""):
        return place
    if state in _GO_ON and (found := _process(run)):
        number, machine = found
        return f"process {number}" if machine in {"", here} else f"process {number} on {machine}"
    return "own process" if run.identifier else run.origin


def _process(run: RunSummary) -> tuple[str, str] | None:
    """Return the number and the machine of the process that has a run; a person who resumed it stands for that as its owner."""
    machine, _, number = (run.owner or "").rpartition("@")[2].rpartition(":")
    if number.isdigit():
        return number, machine
    identity = run.process or ""
    found = number_of(identity)
    return None if found is None else (str(found), identity.partition("/")[0])


def _with_mark(  # noqa: PLR0913  # a row of a table
    row: Sequence[str], column: int, state: str, widths: Sequence[int], marks: Marks, *, right: Sequence[int]
) -> Line:
    before = _cells(row[:column], widths[:column], right=right, is_last=False)
    mark, style = marks.of(state), marks.style(state)
    word = Span(f" {padded(row[column], widths[column] - 2)}  ", style)
    after = _cells(row[column + 1 :], widths[column + 1 :], right=[place - column - 1 for place in right])
    return (*before, Span("  "), mark, word, *after)


def _cells(
    row: Sequence[str], widths: Sequence[int], *, right: Sequence[int], style: str = "", is_last: bool = True
) -> Line:
    cells = [
        cell if place == len(row) - 1 and is_last else padded(cell, width, to_the_right=place in right)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return (Span("  ".join(cells), style),)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is."""
    return [widest(row[column] for row in rows) for column in range(len(rows[0]))]
