"""The lines that a terminal shows while a run goes on. Pure: the time is an argument."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.task_keys import parent_key
from flowbook.report.error_view import code_locations, in_own_code
from flowbook.report.phrases import error_text, shorten
from flowbook.terminal.durations import stopwatch, ticking
from flowbook.terminal.lines import Span, cut_middle, fit, spread, widest, width_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.terminal.census import Census, TaskNow
    from flowbook.terminal.lines import Line
    from flowbook.terminal.marks import Marks

__all__ = ["LiveView", "count_spans", "live_lines"]

_DIM, _BOLD = "dim", "bold"
#: Cells of a task's own bar: at most, and the least that is drawn.
_BAR_CELLS, _LEAST_BAR = 32, 6
#: The largest part of a line that a name may take.
_NAME_PART = 0.4


class LiveView(NamedTuple):
    """What is shown, at one moment.

    Attributes:
        title: the flow and its run: "delays", "run 16"; "" for a run without a number.
        graph: the compiled flow.
        census: its tasks by state.
        started: when it began, seconds since 1970.
        now: the present, seconds since 1970.
        expected_s: how long earlier runs took; None if unknown.
        is_starting: whether workers are being started, so that no task runs yet.
        is_cancelling: whether it was cancelled while tasks still run.
        hide: masks secrets in a text.
        progress: how far tasks are that reported it, by key.
    """

    title: tuple[str, str]
    graph: Graph
    census: Census
    started: float
    now: float
    expected_s: float | None
    is_cancelling: bool
    hide: Callable[[str], str] = str
    is_starting: bool = False
    progress: Mapping[str, TaskProgress] = MappingProxyType({})


def live_lines(view: LiveView, marks: Marks, width: int, most: int) -> list[Line]:
    """Return at most `most` lines of at most `width` cells."""
    lines = [_title(view, marks, width)]
    if not view.is_cancelling:
        lines += [_bar(view.census, marks, width), count_spans(view.census, marks)]
    if view.is_starting:
        lines.append((Span("  starting workers", _DIM),))
    rows = list(_rows(view, marks))
    room = most - len(lines) - 1
    shown = rows if len(rows) <= room else rows[: room - 1]
    if shown:
        lines.append(())
    name_width = min(widest(row.name for row in shown), int(width * _NAME_PART))
    lines += [_row_line(row, name_width, width, marks) for row in shown]
    if hidden := len(rows) - len(shown):
        lines.append((Span(f"  and {hidden:,} more", _DIM),))
    return [fit(line, width) for line in lines[:most]]


def count_spans(census: Census, marks: Marks) -> Line:
    """Return the number of tasks in each state, as spans."""
    spans: list[Span] = []
    for name, count in census.counts.items():
        gap = "   " if spans else ""
        spans += [Span(gap), marks.of(name), Span(f" {count:,} {name}", marks.style(name))]
    return tuple(spans)


class _Row(NamedTuple):
    mark: Span
    name: str
    name_style: str
    text: str
    right: str
    progress: TaskProgress | None = None


def _title(view: LiveView, marks: Marks, width: int) -> Line:
    name, number = view.title
    elapsed = stopwatch(view.now - view.started)
    left: Line = (Span(name, _BOLD), Span(f"  {number}" if number else ""))
    if view.is_cancelling:
        count = len(view.census.running)
        still = f"{count:,} {'task still runs' if count == 1 else 'tasks still run'}"
        text = f" Cancelling: nothing new starts, {still}; Ctrl-C again stops now"
        return spread((*left, Span("  "), marks.of("Cancelling"), Span(text)), (), width)
    expected = "" if view.expected_s is None else f" of about {stopwatch(view.expected_s)}"
    return spread(left, (Span(f"{elapsed}{expected}", _DIM),), width)


def _bar(census: Census, marks: Marks, width: int) -> Line:
    text = f"  {census.done:,} of {census.total:,}"
    cells = max(1, width - len(text))
    filled = cells * census.done // max(1, census.total)
    end = marks.bar_end if 0 < filled < cells else ""
    bar = marks.bar * (filled - len(end)) + end
    style = "red" if census.failed else "green"
    return (Span(bar, style), Span(marks.bar_rest * (cells - filled), _DIM), Span(text))


def _rows(view: LiveView, marks: Marks) -> Iterator[_Row]:
    for task in view.census.running:
        yield _Row(
            marks.of(type(task.state)), task.key, _BOLD, "", ticking(view.now - task.began), view.progress.get(task.key)
        )
    for task in view.census.retrying:
        yield _retrying(view, task, marks)
    for task in view.census.paused:
        yield _Row(marks.of(type(task.state)), task.key, "", task.state.message or "waits for a person", "")
    for task in view.census.failed:
        error = task.state.raw_result
        yield _Row(marks.of(type(task.state)), task.key, "", view.hide(_failure(task.state)), _line_of(error))


def _retrying(view: LiveView, task: TaskNow, marks: Marks) -> _Row:
    made = getattr(task.state, "run_count", 1)
    spec = view.graph.specs.get(parent_key(task.key))
    most = f" of {spec.retry.max_retries + 1}" if spec is not None and spec.retry is not None else ""
    due = getattr(task.state, "start_time", None)
    left = 0.0 if due is None else due.timestamp() - view.now
    when = f" in {ticking(left)}" if left > 0 else ""
    text = f"attempt {made + 1}{most}{when}; {view.hide(_failure(task.state))}"
    return _Row(marks.of(type(task.state)), task.key, "", text, "")


def _failure(state: State) -> str:
    error = state.raw_result
    return error_text(error) if isinstance(error, BaseException) else shorten(state.message or "", 200)


def _line_of(error: object) -> str:
    """Return the line of the user's code in which an error was raised."""
    if not isinstance(error, BaseException) or error.__traceback__ is None:
        return ""
    mine = in_own_code(code_locations(error))
    return f"line {mine[-1].line}" if mine else ""


def _progress_spans(progress: TaskProgress, marks: Marks, room: int) -> Line:
    """Return the bar of a task, how much is done, its rate and the time left, in at most `room` cells."""
    count = f"{progress.done:,.10g}" + ("" if progress.total is None else f"/{progress.total:,.10g}")
    facts = [count, *([f"{progress.rate:,.3g} {progress.unit}/s"] if progress.rate else [])]
    left_s = progress.left_s()
    if left_s:
        facts.append(f"{stopwatch(left_s)} left")
    text = "  ".join(facts)
    cells = min(_BAR_CELLS, room - width_of((Span(text),)) - 2)
    if progress.share is None or cells < _LEAST_BAR:
        words = f"{text}  {progress.text}" if progress.text else text
        return (Span(words),)
    filled = int(cells * progress.share)
    end = marks.bar_end if 0 < filled < cells else ""
    bar = marks.bar * (filled - len(end)) + end
    return (Span(bar, "blue"), Span(marks.bar_rest * (cells - filled), _DIM), Span(f"  {text}"))


def _row_line(row: _Row, name_width: int, width: int, marks: Marks) -> Line:
    name = cut_middle(row.name, name_width)
    gap = " " * (name_width - width_of((Span(name),)))
    left: Line = (row.mark, Span(" "), Span(name, row.name_style), Span(f"{gap}  "), Span(row.text))
    if row.progress is not None:
        room = width - width_of(left) - width_of((Span(row.right),)) - 2
        left = (*left, *_progress_spans(row.progress, marks, room))
    return spread(left, (Span(row.right, _DIM),) if row.right else (), width)
