"""What people read about a deployment: when it runs, when next, and where. Pure: gets the time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flowbook.deployments.schedule_settings import read_schedule
from flowbook.flow_runners.fields import shown_env
from flowbook.report.phrases import duration

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from flowbook.store.deployments import DeploymentRecord

__all__ = ["due_text", "next_due", "runs_in", "shown_settings", "summary"]


def next_due(deployment: DeploymentRecord, now: dt.datetime) -> dt.datetime | None:
    """Return when the schedule has its next time, aware UTC; None if it has none, or is paused."""
    schedule = read_schedule(deployment.schedule)
    return None if schedule is None or deployment.is_paused else schedule.next(now)


def due_text(moment: dt.datetime, now: dt.datetime, timezone: str) -> str:
    """Return a moment as a clock in a time zone shows it, and how far off it is: "Tue 1 Dec 06:00 CET, in 5 h"."""
    there = moment.astimezone(ZoneInfo(timezone))
    year = "" if there.year == now.astimezone(there.tzinfo).year else f" {there.year}"
    seconds = f"{there:%H:%M:%S}" if there.second else f"{there:%H:%M}"
    return (
        f"{there:%a} {there.day} {there:%b}{year} {seconds} {there:%Z}, in {duration((moment - now).total_seconds())}"
    )


def summary(deployment: DeploymentRecord, now: dt.datetime) -> str:
    """Return a sentence: when a deployment runs, and when next."""
    schedule = read_schedule(deployment.schedule)
    if schedule is None:
        return f"{deployment.title} runs when somebody runs it."
    when = f"{deployment.title} runs {schedule.describe()}"
    if deployment.is_paused:
        return f"{when}; its schedule is paused."
    due = schedule.next(now)
    return f"{when}; that is over." if due is None else f"{when}; next: {due_text(due, now, schedule.timezone)}."


def runs_in(settings: Mapping[str, object]) -> str:
    """Return where runs live, from a flow runner's settings: "a process", "conda environment test"."""
    config = settings.get("config")
    fields = config if isinstance(config, dict) else {}
    if condaenv := fields.get("condaenv"):
        return f"conda environment {condaenv}"
    if virtualenv := fields.get("virtualenv"):
        return f"virtual environment {virtualenv}"
    if settings.get("type") == "docker":
        return f"container of {fields.get('image') or 'the usual image'}"
    if settings.get("type") == "kubernetes":
        return f"pod of {fields.get('image') or 'the usual image'}"
    return "a process"


def shown_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return a flow runner's settings for people: secrets in its environment are masked."""
    config = settings.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("env"), dict):
        return dict(settings)
    return {**settings, "config": {**config, "env": shown_env(config["env"])}}
