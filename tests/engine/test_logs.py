"""What tasks log is told once, although several of them log for the first time at the same moment."""

from __future__ import annotations

import logging

import pytest

from flowbook.engine.logs import task_logger
from flowbook.engine.task_log import TaskLog
from flowbook.terminal.log_lines import attach_handler


def ask_for_a_tasks_logger():
    task_logger("clean", TaskLog(None, "clean"), lambda: None)


@pytest.mark.parametrize(
    ("name", "ask"),
    [("flowbook.task", ask_for_a_tasks_logger), ("flowbook", lambda: attach_handler(logging.INFO))],
    ids=["to the run", "to the terminal"],
)
def test_one_handler_is_added_although_two_threads_find_none(name, ask, monkeypatch):
    logger, asked = logging.getLogger(name), []
    level, add = logger.level, logging.Logger.addHandler
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", False)

    def adding(self, handler):
        if not asked:  # another thread asks when this one has found none
            asked.append(True)
            ask()
        add(self, handler)

    monkeypatch.setattr(logging.Logger, "addHandler", adding)
    ask()
    logger.setLevel(level)

    assert asked
    assert len(logger.handlers) == 1
