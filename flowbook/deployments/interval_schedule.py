"""A schedule of equal steps: every ten minutes, every day. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.deployments.schedule import CatchUp, Schedule
from flowbook.deployments.time_zones import in_reach, local_time, read_zone
from flowbook.exceptions import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IntervalSchedule"]

#: Midnight of a Monday, the first of a month, a year and a century: where steps are counted from unless told otherwise.
_ANCHOR = dt.datetime(2001, 1, 1)  # noqa: DTZ001  # on the wall
_DAY = dt.timedelta(days=1)
_SHORTEST = dt.timedelta(seconds=1)
#: No schedule looks further ahead.
_LONGEST = dt.timedelta(days=50 * 366)
_UNITS = ((_DAY, "day"), (dt.timedelta(hours=1), "hour"), (dt.timedelta(minutes=1), "minute"), (_SHORTEST, "second"))


@dataclass(frozen=True, slots=True)
class IntervalSchedule(Schedule):
    """Every `interval`, counted from `anchor`.

    Steps of whole days keep to the clock: at the same time of day in `timezone`, also when the clocks there change. Shorter
    steps are spans of time: each hour is an hour, whatever the clocks do.

    Args:
        interval: a second to 50 years; a number counts seconds.
        anchor: one of the times, in the past or the future; aware. Default: midnight of a Monday, in `timezone`.
        timezone: name of a time zone.
        catch_up: see `Schedule`.

    Raises:
        ScheduleError: if one of them isn't what it should be.
    """

    interval: dt.timedelta
    anchor: dt.datetime | None = None
    timezone: str = "UTC"
    catch_up: CatchUp = "one"

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", _interval(self.interval))
        object.__setattr__(self, "anchor", _anchor(self.anchor))
        self._check()

    def to_settings(self) -> dict[str, object]:
        """See `Schedule`."""
        anchor = {} if self.anchor is None else {"anchor": self.anchor.isoformat()}
        seconds = self.interval.total_seconds()
        return {"interval": seconds, **anchor, "timezone": self.timezone, "catch_up": self.catch_up}

    def describe(self) -> str:
        """See `Schedule`."""
        unit, name = next(each for each in _UNITS if not self.interval % each[0])
        count = self.interval // unit
        return f"every {name}" if count == 1 else f"every {count} {name}s"

    def _repeats_within_days(self) -> bool:
        return False

    def _between(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        # Not `super()`, which names another class once `slots` has made this one anew.
        return self._spans(after, until) if self.interval % _DAY else Schedule._between(self, after, until)  # noqa: SLF001

    def _spans(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        anchor = self._anchor_moment()
        moment = anchor + ((after - anchor) // self.interval + 1) * self.interval
        while moment <= until:
            yield moment
            moment += self.interval

    def _wall_times(self, first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
        anchor = local_time(self._anchor_moment(), read_zone(self.timezone))
        wall = anchor - (anchor - first) // self.interval * self.interval
        while wall <= last:
            yield wall
            wall += self.interval

    def _anchor_moment(self) -> dt.datetime:
        if self.anchor is not None:
            return self.anchor
        return _ANCHOR.replace(tzinfo=read_zone(self.timezone)).astimezone(dt.UTC)


def _interval(given: object) -> dt.timedelta:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        try:
            given = dt.timedelta(seconds=given)
        except (OverflowError, ValueError):
            given = repr(given)
    if not isinstance(given, dt.timedelta) or given < _SHORTEST:
        msg = f"interval={given!s} isn't a span of time of a second or more. Give e.g. timedelta(hours=6), or seconds."
        raise ScheduleError(msg, interval=repr(given))
    if given > _LONGEST:
        msg = f"interval={given!s} is longer than 50 years, and no schedule looks further ahead. Give a shorter one."
        raise ScheduleError(msg, interval=repr(given))
    if given.microseconds:
        msg = f"interval={given!s} has a part of a second. Give whole seconds."
        raise ScheduleError(msg, interval=repr(given))
    return given


def _anchor(given: object) -> dt.datetime | None:
    if given is None:
        return None
    found = given
    if isinstance(given, str):
        try:
            found = dt.datetime.fromisoformat(given)
        except ValueError:
            found = None
    if not isinstance(found, dt.datetime):
        msg = f"anchor={given!r} isn't a time. Give an aware datetime, or ISO text such as '2026-01-01T06:00+01:00'."
        raise ScheduleError(msg, anchor=repr(given))
    if found.tzinfo is None:
        msg = (
            f"anchor={given!s} has no time zone, so it could be any of many moments. "
            "Give an aware one, e.g. datetime(2026, 1, 1, 6, tzinfo=ZoneInfo('Europe/Berlin')) or '2026-01-01T06:00+01:00'."
        )
        raise ScheduleError(msg, anchor=repr(given))
    moment = in_reach(dt.datetime.combine(found.date(), found.timetz()))
    if moment is None:
        msg = f"anchor={given!r} is out of reach of the clock. Give a time between the years 2 and 9998."
        raise ScheduleError(msg, anchor=repr(given))
    return moment.replace(microsecond=0)
