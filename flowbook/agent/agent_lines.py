"""The lines that a terminal shows while an agent works: what it runs, and what is due next. Pure: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.state import Running, Scheduled, Submitted
from flowbook.report.phrases import clock
from flowbook.terminal.durations import stopwatch
from flowbook.terminal.lines import Span, fit, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.agent.news import RunInHand
    from flowbook.terminal.lines import Line
    from flowbook.terminal.marks import Marks

__all__ = ["AgentView", "agent_lines"]

_STATES = {"waits": Scheduled, "starts": Submitted, "runs": Running}


class AgentView(NamedTuple):
    """An agent at one moment.

    Attributes:
        name: of the agent.
        limit: how many runs it has at most.
        in_hand: the runs that it has.
        coming: what is due next and when, in seconds since the epoch.
        is_draining: whether it claims nothing more.
    """

    name: str
    limit: int
    in_hand: Sequence[RunInHand]
    coming: Sequence[tuple[str, float]]
    is_draining: bool


def agent_lines(view: AgentView, now: float, marks: Marks, width: int, height: int) -> list[Line]:
    """Return the lines, at most `height` of them."""
    hint = "ends with its runs; Ctrl-C again ends them now" if view.is_draining else "Ctrl-C: nothing new, then the end"
    count = f"  {len(view.in_hand):,} of {view.limit:,} runs"
    head = spread((Span(f"agent {view.name}", "bold"), Span(count)), (Span(hint, "dim"),), width)
    room = max(0, height - 1)
    lines = [_run_line(run, now, marks, width) for run in view.in_hand]
    if not view.is_draining:
        lines += [_coming_line(*each, now, width) for each in view.coming]
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], (Span(f"  and {hidden:,} more", "dim"),)]
    return [head, *lines[:room]]


def _run_line(run: RunInHand, now: float, marks: Marks, width: int) -> Line:
    state = _STATES[run.phase]
    what = f"  at {clock(run.due, now)}" if run.phase == "waits" else f"  {run.phase}"
    left = (marks.of(state), Span(f" {run.flow}  run {run.run}"), Span(what, "dim"))
    return spread(left, (Span("" if run.phase == "waits" else stopwatch(now - run.since), "dim"),), width)


def _coming_line(what: str, due: float, now: float, width: int) -> Line:
    return fit((Span("  next  ", "dim"), Span(what), Span(f"  at {clock(due, now)}", "dim")), width)
