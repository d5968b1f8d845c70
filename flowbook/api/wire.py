"""What the API takes and answers, as pydantic models: the only place where they are made. They hold no values and no secrets."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Health", "Problem", "RunLine", "RunPage"]


class _Model(BaseModel):
    """Frozen, and strict about names: an unknown field of a request is named, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(_Model):
    """What went wrong: what happened, with the value; then what to do."""

    title: str
    status: int
    detail: str
    error: str | None = None
    field: str | None = None
    errors: list[dict[str, str]] | None = None


class Health(_Model):
    """Says that the server works."""

    status: str
    flowbook: str


class RunLine(_Model):
    """A run, as a list shows it."""

    run_id: str
    flow: str
    number: int
    state: str
    message: str | None
    created: dt.datetime
    started: dt.datetime | None
    ended: dt.datetime | None
    due: dt.datetime | None
    seconds: float | None
    tasks: dict[str, int]
    parameters: dict[str, Any]
    executor: str
    origin: str
    owner: str | None
    project: str
    deployment: str | None


class RunPage(_Model):
    """A page of runs, the newest first. `next` is what to give as `before` for the page after it; null on the last one."""

    runs: list[RunLine]
    next: str | None
