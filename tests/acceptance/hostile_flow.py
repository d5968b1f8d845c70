"""A flow whose every text, from its name to its logs, would run a script if a page took it for markup."""

from __future__ import annotations

import logging

import pandas as pd

from flowbook import Flow, Parameter, progress, tags, task, triggers
from tests.hostile import MARKUP

__all__ = ["hostile_flow"]


def hostile_flow() -> Flow:
    """Return the flow, as yet to be run: all texts are names of tasks, columns, cells, logged and printed."""
    log = logging.getLogger("flowbook.task_run")

    @task(log_stdout=True)
    def texts(given: str) -> pd.DataFrame:
        for text in MARKUP:
            log.warning("%s", text)
            print(text)  # noqa: T201  # what tasks print is in the logs
        progress.report(1, 3, MARKUP[0])
        return pd.DataFrame({text: [text, given] for text in MARKUP})

    def fail(found: object) -> None:
        message = found if isinstance(found, str) else MARKUP[18]
        raise ValueError(message)

    @task(trigger=triggers.all_finished)
    def ends(found: object) -> dict[str, str]:
        del found
        return {text: text for text in MARKUP}

    @task(trigger=triggers.manual_only)
    def approve(said: object) -> object:
        return said

    @task
    def each(text: str) -> str:
        raise ValueError(text)

    with Flow(MARKUP[32]) as flow:
        found = texts(Parameter("given", default=MARKUP[30]))
        with tags(MARKUP[31]):
            failed = [task(fail, name=name)(found) for name in MARKUP if not {*"[]"} & {*name}]
        approve(ends(failed))
        each.map(MARKUP)
    assert len(failed) > 50
    return flow
