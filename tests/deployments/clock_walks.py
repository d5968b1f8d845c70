"""A slow and obvious model of schedules: walk minute by minute with a clock on the wall, and note when it is time.

Nobody would use it: it takes milliseconds a day. It knows nothing of offsets and changes, only what the clock shows.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def wall(moment: dt.datetime, zone: str) -> dt.datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def times_of_day(
    is_time: Callable[[dt.datetime], bool], zone: str, after: dt.datetime, until: dt.datetime
) -> list[dt.datetime]:
    """Each wall time happens once: when the clock first shows it, or has jumped over it."""
    found = []
    moment = after - 2 * DAY
    shown = wall(moment, zone)
    while moment < until:
        moment += MINUTE
        now = wall(moment, zone)
        reached = []
        while shown < now:
            shown += MINUTE
            reached.append(shown)
        if any(map(is_time, reached)) and after < moment:
            found.append(moment)
    return found


def by_the_clock(
    is_time: Callable[[dt.datetime], bool], zone: str, after: dt.datetime, until: dt.datetime
) -> list[dt.datetime]:
    """It is time whenever the clock shows it."""
    minutes = int((until - after) / MINUTE)
    walk = [after + MINUTE * (number + 1) for number in range(minutes)]
    return [moment for moment in walk if is_time(wall(moment, zone))]


def changes(zone: str, year: int) -> list[dt.datetime]:
    """Return the hours, in UTC, before which the clocks of a zone were changed in a year."""
    start = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    days = [start + DAY * number for number in range(367)]
    found = []
    for day in days:
        if wall(day + DAY, zone) - wall(day, zone) != DAY:
            hours = [day + HOUR * number for number in range(24)]
            found += [hour for hour in hours if wall(hour + HOUR, zone) - wall(hour, zone) != HOUR]
    return found
