"""What stays in a terminal when a run has come to rest: how it ended, why, and what to do next. Pure: times are arguments."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.secret_inputs import secret_inputs
from flowbook.engine.state import Cached, Cancelled, Paused, TriggerFailed
from flowbook.engine.task_keys import parent_key
from flowbook.report.failed_above import instead
from flowbook.report.phrases import deadline_note, error_text, listed, shorten, staleness
from flowbook.report.secret_names import shown_urls
from flowbook.terminal.durations import running_time
from flowbook.terminal.lines import Span, padded, spread, widest, width_of, wrapped
from flowbook.terminal.live_lines import count_spans
from flowbook.terminal.paused_inputs import input_lines
from flowbook.terminal.traceback_lines import failing_line, traceback_lines
from flowbook.terminal.waiting_lines import earlier_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.terminal.census import Census
    from flowbook.terminal.lines import Line
    from flowbook.terminal.marks import Marks
    from flowbook.terminal.waiting_lines import Earlier

__all__ = ["MOST_PAUSED", "MOST_WARNINGS", "EndView", "asked", "last_lines"]

_DIM, _BOLD = "dim", "bold"
_MESSAGE_CHARS = 600
MOST_PAUSED = 3
MOST_WARNINGS = 5
_MOST_FAILURES = 5


class EndView(NamedTuple):
    """A run that came to rest.

    Attributes:
        flow: the flow's name.
        number: the run's number; None if it isn't in the store.
        state: the flow's state.
        states: states of tasks and children, by key.
        graph: the compiled flow.
        census: its tasks by state.
        took_s: how long it ran.
        called: the name by which commands find it, e.g. "18"; None if it isn't in the store.
        slowest: the tasks that took longest, with seconds; the longest first.
        makers: the runs that made stale outputs, "run 3", by key.
        earlier: earlier decisions about tasks that wait, by key.
        hide: masks secrets in a text.
        shows_traceback: whether to show a failure's traceback; False if a log or Python shows it.
        now: seconds since the epoch, for deadlines.
        is_full: whether to show Python's own traceback, with every frame.
    """

    flow: str
    number: int | None
    state: State
    states: Mapping[str, State]
    graph: Graph
    census: Census
    took_s: float
    called: str | None
    slowest: Sequence[tuple[str, float]] = ()
    makers: Mapping[str, str] = MappingProxyType({})
    earlier: Mapping[str, Sequence[Earlier]] = MappingProxyType({})
    hide: Callable[[str], str] = str
    shows_traceback: bool = True
    now: float = 0.0
    is_full: bool = False


def last_lines(view: EndView, marks: Marks, width: int) -> list[Line]:
    """Return the lines; those of a traceback may be wider than `width`."""
    hide = view.hide
    view = view._replace(hide=lambda text: shown_urls(hide(text)))
    if view.state.is_failed():
        return _failure(view, marks, width)
    if isinstance(view.state, Paused):
        return _pause(view, marks, width)
    if isinstance(view.state, Cancelled):
        return _cancelled(view, marks, width)
    return _success(view, marks, width)


def _success(view: EndView, marks: Marks, width: int) -> list[Line]:
    how = f" {_word(view)} in {running_time(view.took_s)}"
    lines = [spread(_title(view, marks, how), (Span(_counts(view.census), _DIM),), width)]
    if len(view.slowest) > 1:
        text = "   ".join(f"{key} {running_time(seconds)}" for key, seconds in view.slowest)
        lines.append((Span("  slowest    ", _DIM), Span(text)))
    lines += _warnings(view, marks)
    if view.called is not None:
        lines.append((Span(f"  look at it: flowbook run inspect {view.called}", _DIM),))
    return lines


def _failure(view: EndView, marks: Marks, width: int) -> list[Line]:
    lines: list[Line] = []
    failed = view.census.failed[-1] if view.census.failed else None
    error = view.state.raw_result if failed is None else failed.state.raw_result
    if view.shows_traceback and isinstance(error, BaseException):
        secret = () if failed is None else secret_inputs(view.graph, failed.key)
        lines += [*traceback_lines(error, marks, view.hide, is_full=view.is_full, width=width, secret=secret), ()]
    how = f" {_word(view)} after {running_time(view.took_s)}: "
    head = _title(view, marks, how)
    message = shorten(view.hide(view.state.message or ""), _MESSAGE_CHARS)
    lines += wrapped(head, message, width, indent=width_of(head[:2]))
    lines += _further(view, marks, width)
    lines.append((Span("  "), *count_spans(view.census, marks)[1:], Span(_not_run(view))))
    if view.called is not None:
        lines.append((Span("  again, only what failed   ", _DIM), Span(f"flowbook run retry {view.called}")))
    if view.called is not None and failed is not None:
        key = f"'{failed.key}'" if "[" in failed.key else failed.key
        lines.append((Span("  what it got               ", _DIM), Span(f"flowbook run inspect {view.called} {key}")))
    return lines


def _further(view: EndView, marks: Marks, width: int) -> list[Line]:
    """Return a line for each failed task after the first: where and why."""
    further = view.census.failed[-2::-1]
    lines: list[Line] = []
    for task in further[:_MOST_FAILURES]:
        error = task.state.raw_result
        where = failing_line(error) if isinstance(error, BaseException) else ""
        why = error_text(error) if isinstance(error, BaseException) else task.state.message or ""
        head: Line = (
            Span("  "),
            marks.of(type(task.state)),
            Span(f" {task.key}"),
            Span(f"  {where}  " if where else "  ", _DIM),
        )
        lines += wrapped(head, view.hide(why), width, indent=6)
    if more := len(further) - len(further[:_MOST_FAILURES]):
        lines.append((Span(f"    and {more:,} more failed", _DIM),))
    return lines


def _pause(view: EndView, marks: Marks, width: int) -> list[Line]:
    waiting = view.census.paused
    names = listed([task.key for task in waiting])
    verb = "waits" if len(waiting) == 1 else "wait"
    how = f" {_word(view)} after {running_time(view.took_s)}: {names} {verb} for {asked([task.state for task in waiting])}"
    done = f"{view.census.done:,} of {view.census.total:,} tasks done"
    lines = [spread(_title(view, marks, how), (Span(done, _DIM),), width)]
    for task in waiting[:MOST_PAUSED]:
        lines += input_lines(task, view.graph, view.hide)
        if said := instead(view.graph, task.key, view.states.get):
            lines += wrapped((Span("  "),), view.hide(said), width, indent=2)
        if isinstance(task.state, Paused) and task.state.deadline is not None:
            note = deadline_note(task.state.deadline.timestamp(), task.state.otherwise, view.now)
            lines.append((Span(f"  {note}"),))
        lines += [(Span(f"  {earlier_text(each, view.now)}", _DIM),) for each in view.earlier.get(task.key, ())]
    if view.called is None:
        return lines
    below = listed([key for task in waiting for key in _below(view, task.key)]) if waiting else ""
    goes_on = f"goes on with {names}{f', then {below}' if below else ''}"
    resume, reject = f"  flowbook run resume {view.called}", f'  flowbook run reject {view.called} --note "…"'
    gap = widest((resume, reject)) + 4
    lines += [(), (Span(padded(resume, gap)), Span(goes_on, _DIM))]
    lines.append((Span(padded(reject, gap)), Span(f"flowbook run skip {view.called}")))
    return lines


def asked(waiting: Sequence[State]) -> str:
    """Return for whom tasks in these states wait, as far as their authors said: "you", or "finance"."""
    names = {state.asks if isinstance(state, Paused) else "" for state in waiting}
    return names.pop() or "you" if len(names) == 1 else "you"


def _cancelled(view: EndView, marks: Marks, width: int) -> list[Line]:
    how = f" {_word(view)} after {running_time(view.took_s)}"
    lines = [spread(_title(view, marks, how), (Span(_counts(view.census), _DIM),), width)]
    if view.census.running:
        lines.append((Span("  may still run   ", _DIM), Span(listed([task.key for task in view.census.running]))))
    left = view.census.total - view.census.done + view.census.counts.get("Cancelled", 0)
    if view.called is not None:
        text = f"  go on with the {left:,} that are left:  " if left != 1 else "  go on with the one that is left:  "
        lines.append((Span(text, _DIM), Span(f"flowbook run resume {view.called}")))
    return lines


def _title(view: EndView, marks: Marks, how: str) -> Line:
    state = type(view.state)
    return (
        Span(view.flow, _BOLD),
        Span("  " if view.number is None else f"  run {view.number}  "),
        marks.of(state),
        Span(how, marks.style(state)),
    )


def _word(view: EndView) -> str:
    return type(view.state).__name__


def _counts(census: Census) -> str:
    return f"{', '.join(f'{count:,} {name}' for name, count in census.counts.items())} of {census.total:,}"


def _warnings(view: EndView, marks: Marks) -> list[Line]:
    if "Cached" not in view.census.counts:
        return []
    stale = [
        (key, why) for key, state in view.states.items() if isinstance(state, Cached) and (why := staleness(state))
    ]
    lines: list[Line] = [
        (Span("  "), marks.warning, Span(f" {key} came from the cache, made {_in_run(view, key)}{view.hide(why)}"))
        for key, why in stale[:MOST_WARNINGS]
    ]
    if more := len(stale) - len(lines):
        lines.append((Span("  "), marks.warning, Span(f" {more:,} more came from the cache, made otherwise")))
    return lines


def _in_run(view: EndView, key: str) -> str:
    run = view.makers.get(key)
    return f"in {run} " if run else ""


def _not_run(view: EndView) -> str:
    if "TriggerFailed" not in view.census.counts:
        return ""
    blocked = [key for key, state in view.states.items() if isinstance(state, TriggerFailed)]
    return f": {listed(blocked)}" if blocked and list(view.census.counts)[-1] == "TriggerFailed" else ""


def _below(view: EndView, key: str) -> list[str]:
    task = parent_key(key)
    return [child for child in view.graph.children.get(task, ()) if not view.states[child].is_finished()]
