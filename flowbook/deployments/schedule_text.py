"""A schedule in one line of text: a cron line, "every 2 hours", or a recurrence rule. Pure."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from flowbook.deployments.cron_schedule import CronSchedule
from flowbook.deployments.interval_schedule import IntervalSchedule
from flowbook.deployments.rrule_schedule import RRuleSchedule
from flowbook.exceptions import ScheduleError

if TYPE_CHECKING:
    from flowbook.deployments.schedule import CatchUp, Schedule

__all__ = ["schedule_of"]

_EVERY = re.compile(r"every\s+(?P<count>\d+\s*)?(?P<unit>second|minute|hour|day|week|[smhdw])s?", re.IGNORECASE)
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def schedule_of(text: str, timezone: str = "UTC", catch_up: CatchUp = "one") -> Schedule:
    """Return the schedule that a text names: "0 6 * * *", "every 2 hours" or "FREQ=WEEKLY;BYDAY=MO".

    Raises:
        ScheduleError: if it is none of them.
    """
    if match := _EVERY.fullmatch(text.strip()):
        try:
            seconds = int(match["count"] or 1) * _UNITS_S[match["unit"][0].lower()]
            interval = dt.timedelta(seconds=seconds)
        except (OverflowError, ValueError) as error:  # or more digits than Python reads
            msg = f"{text!r} is longer than any time that can be reckoned with. Write e.g. 'every 2 hours'."
            raise ScheduleError(msg, schedule=text) from error
        return IntervalSchedule(interval, timezone=timezone, catch_up=catch_up)
    if text.strip().lower().startswith("every "):
        msg = f"{text!r} isn't understood. Write e.g. 'every 2 hours', or a cron line such as '0 6 * * *'."
        raise ScheduleError(msg, schedule=text)
    if "FREQ=" in text.upper():
        return RRuleSchedule(text, timezone=timezone, catch_up=catch_up)
    return CronSchedule(text, timezone=timezone, catch_up=catch_up)
