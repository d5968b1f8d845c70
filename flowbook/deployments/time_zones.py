"""Time zones by name, and how walls clocks there are put forward and back. Pure, but for reading the system's zones."""

from __future__ import annotations

import datetime as dt
import difflib
import zoneinfo
from typing import TYPE_CHECKING

from flowbook.exceptions import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: Gives the wall times of a rule from the first to the last, both included, in order; without zone.
    WallTimes = Callable[[dt.datetime, dt.datetime], Iterator[dt.datetime]]

__all__ = ["by_the_clock", "each_once", "in_reach", "local_time", "read_zone"]

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)
_NEAR_NAMES = 3
_LIKENESS = 0.75


def read_zone(name: object) -> zoneinfo.ZoneInfo:
    """Return the time zone of that name.

    Raises:
        ScheduleError: if there is none; names those that are spelled alike.
    """
    if isinstance(name, str):
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
    near = _near(str(name))
    advice = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Give a name like 'Europe/Berlin' or 'UTC'."
    msg = f"There is no time zone {name!r}. {advice}"
    raise ScheduleError(msg, timezone=repr(name), near=near)


def _near(name: str) -> list[str]:
    """Return the zones whose names, or whose cities, are spelled like `name`."""
    by_city: dict[str, list[str]] = {}
    wanted = name.strip().lower().replace(" ", "_")
    for zone in sorted(zoneinfo.available_timezones()):
        for spelling in {zone.lower(), zone.rpartition("/")[2].lower()}:
            by_city.setdefault(spelling, []).append(zone)
    spellings = [wanted] if wanted in by_city else difflib.get_close_matches(wanted, by_city, _NEAR_NAMES, _LIKENESS)
    if not spellings:
        spellings = difflib.get_close_matches(wanted.rpartition("/")[2], by_city, _NEAR_NAMES, _LIKENESS)
    return list(dict.fromkeys(zone for spelling in spellings for zone in by_city[spelling]))[:_NEAR_NAMES]


def in_reach(moment: dt.datetime) -> dt.datetime | None:
    """Return an aware moment in UTC; None if it is so near to an end of time that a clock somewhere can't show it."""
    try:
        found = moment.astimezone(dt.UTC)
    except OverflowError:
        return None
    return found if dt.MINYEAR < found.year < dt.MAXYEAR else None


def local_time(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return what a clock on a wall in `zone` shows at `moment`, without zone."""
    return moment.astimezone(zone).replace(tzinfo=None)


def each_once(walls: WallTimes, zone: dt.tzinfo, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the moments of wall times with `after < moment <= until`, in UTC and in order; each wall time happens once.

    A wall time that the clocks skip happens the moment they have been put forward; of one that comes twice, the first counts.
    Wall times that fall on the same moment yield it once.
    """
    last = after
    for wall in walls(after.replace(tzinfo=None) + min(_offsets(zone, after)), _latest_wall(zone, until)):
        moment = _moment(wall, zone)
        if last < moment <= until:
            last = moment
            yield moment


def _offsets(zone: dt.tzinfo, moment: dt.datetime) -> tuple[dt.timedelta, dt.timedelta]:
    """Return the zone's offsets at `moment` and a day before it."""
    return _offset(zone, moment), _offset(zone, moment - _DAY)


def _latest_wall(zone: dt.tzinfo, until: dt.datetime) -> dt.datetime:
    """Return the latest wall time that was reached by `until`: later than its own if the clocks were just put back."""
    return until.replace(tzinfo=None) + max(_offsets(zone, until))


def _moment(wall: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return the first moment at which the clock shows `wall`, or at which it has skipped it."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    skipped = local_time(moment, zone) - wall
    #: A skipped time is read with the offset of before, so it lies at most the skipped span behind the change.
    return _change(zone, moment - skipped, moment) if skipped else moment


def by_the_clock(walls: WallTimes, zone: dt.tzinfo, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the moments of wall times with `after < moment <= until`, in UTC and in order, as often as a clock shows them.

    A wall time that the clocks skip doesn't happen; one that comes twice happens twice.
    """
    start = after
    while start <= until:
        offset, end = _offset(zone, start), _next_change(zone, start, until)
        for wall in walls(start.replace(tzinfo=None) + offset, end.replace(tzinfo=None) + offset):
            moment = (wall - offset).replace(tzinfo=dt.UTC)
            if after < moment <= until and moment < end:
                yield moment
        start = end


def _next_change(zone: dt.tzinfo, start: dt.datetime, until: dt.datetime) -> dt.datetime:
    """Return when the zone's offset next changes, or a moment after `until` if it doesn't before."""
    day = start
    while day <= until:
        if _offset(zone, day) != _offset(zone, day + _DAY):
            return _change(zone, day, day + _DAY)
        day += _DAY
    return until + _SECOND


def _change(zone: dt.tzinfo, before: dt.datetime, after: dt.datetime) -> dt.datetime:
    """Return the second at which the zone's offset, another at `before`, becomes what it is at `after`."""
    low, high = before.replace(microsecond=0), after.replace(microsecond=0)
    offset = _offset(zone, high)
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if _offset(zone, middle) == offset:
            high = middle
        else:
            low = middle
    return high


def _offset(zone: dt.tzinfo, moment: dt.datetime) -> dt.timedelta:
    found = moment.astimezone(zone).utcoffset()
    return found if found is not None else dt.timedelta()
