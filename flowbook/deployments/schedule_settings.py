"""Schedules as people and files write them, and as the store keeps them. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flowbook.deployments.cron_schedule import CronSchedule
from flowbook.deployments.interval_schedule import IntervalSchedule
from flowbook.deployments.rrule_schedule import RRuleSchedule
from flowbook.deployments.schedule import Schedule
from flowbook.deployments.schedule_text import schedule_of
from flowbook.exceptions import ScheduleError

__all__ = ["read_schedule"]

_KINDS: Mapping[str, tuple[type[Schedule], tuple[str, ...]]] = {
    "interval": (IntervalSchedule, ("anchor", "timezone", "catch_up")),
    "cron": (CronSchedule, ("timezone", "catch_up")),
    "rrule": (RRuleSchedule, ("timezone", "catch_up")),
}
_EXAMPLE = "Write e.g. {'cron': '0 6 * * *', 'timezone': 'Europe/Berlin'}."


def read_schedule(given: object) -> Schedule | None:
    """Return the schedule that `given` is or describes; None for None.

    Args:
        given: a schedule; a text, see `schedule_of`; a timedelta; or a dict with one of `interval`, `cron` and `rrule` and, if
            needed, `timezone`, `catch_up` and `anchor`, as `Schedule.to_settings` returns it.

    Raises:
        ScheduleError: if it is none of them, or the schedule isn't one.
    """
    if given is None or isinstance(given, Schedule):
        return given
    if isinstance(given, str):
        return schedule_of(given)
    if isinstance(given, dt.timedelta):
        return IntervalSchedule(given)
    if isinstance(given, Mapping):
        return _from_settings(given)
    msg = (
        f"schedule={given!r} isn't a schedule. Give a cron line such as '0 6 * * *', a timedelta, "
        "or a CronSchedule, IntervalSchedule or RRuleSchedule."
    )
    raise ScheduleError(msg, schedule=repr(given))


def _from_settings(given: Mapping[Any, Any]) -> Schedule:
    kinds = [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1:
        which = " and ".join(kinds) or "none"
        msg = f"A schedule has one of interval, cron and rrule; this one has {which}. {_EXAMPLE}"
        raise ScheduleError(msg, schedule=repr(given))
    kind, others = _KINDS[kinds[0]]
    known = (kinds[0], *others)
    if unknown := [name for name in given if name not in known]:
        msg = f"A schedule by {kinds[0]} has no field {unknown[0]!r}. Its fields: {', '.join(known)}."
        raise ScheduleError(msg, field=repr(unknown[0]))
    return kind(**given)
