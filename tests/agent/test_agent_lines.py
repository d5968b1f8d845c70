"""What a terminal shows while an agent works."""

from __future__ import annotations

import datetime as dt

import pytest

from flowbook.agent.agent_lines import AgentView, agent_lines
from flowbook.agent.news import RunInHand
from flowbook.terminal.lines import plain_text
from flowbook.terminal.marks import marks_for

NOW = dt.datetime(2026, 11, 30, 14, 10).astimezone().timestamp()
IN_HAND = [
    RunInHand("a", "delays", 4, "runs", NOW - 24, NOW - 30),
    RunInHand("b", "delays", 5, "starts", NOW - 1, NOW - 2),
    RunInHand("c", "month_models", 21, "waits", NOW - 3, NOW + 240),
]
COMING = [("nightly  run 7", NOW + 3600), ("delays/nightly", NOW + 86_400)]


def _lines(*, is_draining=False, height=12, coming=COMING):
    view = AgentView("west", 4, IN_HAND, coming, is_draining)
    return [plain_text(line).rstrip() for line in agent_lines(view, NOW, marks_for("utf-8", "xterm"), 80, height)]


def test_an_agent_shows_what_it_runs_and_what_is_due_next():
    assert _lines() == [
        "agent west  3 of 4 runs                        Ctrl-C: nothing new, then the end",
        "▸ delays  run 4  runs                                                       0:24",
        "· delays  run 5  starts                                                     0:01",
        "· month_models  run 21  at 14:14",
        "  next  nightly  run 7  at 15:10",
        "  next  delays/nightly  at 1 Dec 14:10",
    ]


def test_an_agent_that_ends_shows_only_what_it_waits_for():
    assert _lines(is_draining=True)[0].endswith("ends with its runs; Ctrl-C again ends them now")
    assert len(_lines(is_draining=True)) == 4


@pytest.mark.parametrize("height", [1, 2, 3, 5])
def test_an_agent_keeps_to_the_height_of_the_terminal(height):
    lines = _lines(height=height)

    assert len(lines) == height
    if height > 2:
        assert lines[-1] == f"  and {5 - (height - 2)} more"
