"""A flow whose outputs have two versions, and cached outputs."""

from __future__ import annotations

import datetime as dt

import pandas as pd

import flowbook
from flowbook import Flow, Parameter, task

__all__ = ["HOUR", "cached_entries", "two_versions"]


HOUR = dt.timedelta(hours=1)


def two_versions():
    """Return a flow that ran with two days' data, and the moment between."""
    ran = []

    @task
    def load(day):
        ran.append("load")
        return pd.DataFrame({"id": [1, 2, 3], "delay": [day, day + 1, 5]})

    @task
    def clean(rows):
        ran.append("clean")
        return rows[rows["delay"] < 9]

    @task
    def report(rows):
        ran.append("report")
        return int(rows["delay"].sum())

    with Flow("delays") as flow:
        report(clean(load(Parameter("day", default=1))))
    flow.run(record=True, day=1)
    between = dt.datetime.now(dt.UTC)
    flow.run(record=True, day=8)
    return flow, between, ran


def cached_entries(*values):
    """Return the ids of one entry each, of one flow and task."""
    given = iter(values)

    @task(cache_for=HOUR, cache_validator=lambda *_: False)
    def load():
        return next(given)

    with Flow("c") as flow:
        load()
    for _ in values:
        assert flow.run().is_successful()
    return list(flowbook.cache.entries()["id"])
