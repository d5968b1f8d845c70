"""Tasks of a recorded run that wait for a person, as lines: what is asked, what they would get, and how to answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from flowbook.report.phrases import clock, deadline_note
from flowbook.terminal.lines import Span, padded, widest
from flowbook.terminal.run_lines import PAST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.terminal.lines import Line

__all__ = ["Earlier", "WaitingTask", "answer_lines", "earlier_text", "waiting_lines"]

_DIM = "dim"
_MOST_TASKS = 3


class Earlier(NamedTuple):
    """A decision about the same task in an earlier run; `at` in seconds since the epoch, `changed` the inputs, in words."""

    run: int
    at: float
    action: str
    by: str
    note: str
    changed: str = ""


class WaitingTask(NamedTuple):
    """A task or child that waits.

    Attributes:
        question: what the person who answers is asked.
        asks: who that is, if the task's author said.
        since: when it began to wait, in seconds since the epoch.
        deadline: when it is answered by itself, likewise; None: never.
        otherwise: that answer.
        inputs: what it would get, in words, by argument.
        earlier: decisions about it in earlier runs, the newest first.
        instead: what above it failed, and what it would get all the same; "" if all above it succeeded.
    """

    key: str
    question: str
    asks: str
    since: float
    deadline: float | None
    otherwise: str
    inputs: Mapping[str, str]
    earlier: Sequence[Earlier] = ()
    instead: str = ""

    @property
    def is_overdue(self) -> bool:
        """Whether its deadline has passed."""
        return self.deadline is not None and self.deadline <= time.time()


def waiting_lines(tasks: Sequence[WaitingTask], now: float) -> list[Line]:
    """Return the lines that help a person answer; `now` in seconds since the epoch."""
    lines: list[Line] = []
    for task in tasks[:_MOST_TASKS]:
        width = widest((task.key, *task.inputs))
        lines += [(), (Span(f"  {padded(task.key, width)}  ", "bold"), Span(task.question))]
        if task.asks:
            lines.append((Span(f"  {'':<{width}}  asks {task.asks}", _DIM),))
        lines += [(Span(f"  {padded(name, width)}  {text}"),) for name, text in task.inputs.items()]
        if task.instead:
            lines.append((Span(f"  {task.instead}"),))
        if task.deadline is not None:
            lines.append((Span(f"  {deadline_note(task.deadline, task.otherwise, now)}"),))
        for each in task.earlier:
            lines.append((Span(f"  {earlier_text(each, now)}", _DIM),))
    if more := len(tasks) - len(tasks[:_MOST_TASKS]):
        lines.append((Span(f"  and {more:,} more", _DIM),))
    return lines


def earlier_text(earlier: Earlier, now: float) -> str:
    """Return an earlier decision as a line: "in run 3, 20 Nov 09:12: rejected by ada: August is missing"."""
    by = f" by {earlier.by}" if earlier.by else ""
    by += f" with {earlier.changed}" if earlier.changed else ""
    note = f": {earlier.note}" if earlier.note else ""
    return f"in run {earlier.run}, {clock(earlier.at, now)}: {PAST.get(earlier.action, earlier.action)}{by}{note}"


def answer_lines(run: str, task: str | None) -> list[Line]:
    """Return the commands that answer a task, or all that wait; `run` and `task` as a shell takes them."""
    name = run if task is None else f"{run} {task}"
    changed = "" if task is None else " [--input NAME=VALUE]"
    commands = {"go on": f"resume {name}{changed}", "reject": f'reject {name} --note "…"', "skip": f"skip {name}"}
    return [(Span(f"  {what:<9}  flowbook run {command}", _DIM),) for what, command in commands.items()]
