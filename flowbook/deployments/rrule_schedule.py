"""A schedule written as an iCalendar recurrence rule, parsed by python-dateutil. Pure.

Source: RFC 5545, 3.3.10.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowbook.deployments.schedule import CatchUp, Schedule
from flowbook.deployments.time_zones import local_time, read_zone
from flowbook.exceptions import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dateutil.rrule import rrule

__all__ = ["RRuleSchedule"]

_EXAMPLE = "Write a rule like 'FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=6;BYMINUTE=0', below 'DTSTART:20260101T060000' if it starts there."
#: Where a rule without DTSTART begins: midnight of a Monday that is the first of a month and a year.
_START = dt.datetime(2001, 1, 1)  # noqa: DTZ001  # on the wall
_LAST_YEARS, _LAST_DAY = dt.datetime(9940, 1, 1), dt.datetime(9999, 12, 31)  # noqa: DTZ001  # as above
_HORIZON = dt.timedelta(days=50 * 366)
_MOST_COUNTED = 10_000
_STEPS = {
    "WEEKLY": dt.timedelta(weeks=1),
    "DAILY": dt.timedelta(days=1),
    "HOURLY": dt.timedelta(hours=1),
    "MINUTELY": dt.timedelta(minutes=1),
    "SECONDLY": dt.timedelta(seconds=1),
}
_WITHIN_DAYS = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})
_START_LINE = re.compile(
    r"DTSTART(?:;TZID=(?P<zone>[^:;]+))?(?:;VALUE=DATE(?:-TIME)?)?:(?P<at>\d{8}(?:T\d{6})?)(?P<z>Z?)"
)
_UNTIL = re.compile(r"(?P<at>\d{8}(?:T\d{6})?)(?P<z>Z?)")


@dataclass(frozen=True, slots=True)
class RRuleSchedule(Schedule):
    """The times of a recurrence rule, such as "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18": 18:00 on each month's last Friday.

    A rule by the day or longer names times of day, and each happens once: one that the clocks skip when they have been put
    forward, one that comes twice the first time. An hourly rule, or a finer one, follows the clock: an hour that is skipped
    has no times, one that comes twice has them twice.

    Args:
        rrule: one rule, and a line DTSTART before it if it counts from a certain time; default: Monday, 1 January 2001, 0:00.
        timezone: name of a time zone; that of DTSTART, if it has one, goes before it.
        catch_up: see `Schedule`.

    Raises:
        ScheduleError: if the rule isn't one, or never comes true.
    """

    rrule: str
    timezone: str = "UTC"
    catch_up: CatchUp = "one"

    def __post_init__(self) -> None:
        if not isinstance(self.rrule, str):
            msg = f"rrule={self.rrule!r} isn't a text. {_EXAMPLE}"
            raise ScheduleError(msg, rrule=repr(self.rrule))
        self._check()
        parts = _read(self.rrule, self.timezone)
        object.__setattr__(self, "timezone", parts.timezone)

    def to_settings(self) -> dict[str, object]:
        """See `Schedule`."""
        return {"rrule": self.rrule, "timezone": self.timezone, "catch_up": self.catch_up}

    def describe(self) -> str:
        """See `Schedule`."""
        return f"{' '.join(self.rrule.split())}, {self.timezone}"

    def _repeats_within_days(self) -> bool:
        return _read(self.rrule, self.timezone).frequency in _WITHIN_DAYS

    def _wall_times(self, first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
        return _read(self.rrule, self.timezone).wall_times(first, last)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule, read.

    Attributes:
        fields: of the rule, without COUNT and UNTIL, in one text.
        end: its last wall time at the latest; None: it goes on for good.
    """

    start: dt.datetime
    fields: str
    frequency: str
    interval: int
    end: dt.datetime | None
    timezone: str

    def wall_times(self, first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
        first, last = max(first, self.start), last if self.end is None else min(last, self.end)
        if first > last:
            return iter(())
        found: Any = _parse(self.fields, self.start_near(first), last)
        return itertools.dropwhile(lambda wall: wall < first, found)

    def is_never(self) -> bool:
        """Return whether it has no times at all. Looks at the calendar's last years, where dateutil comes to an end."""
        rule = self
        if self.frequency in _WITHIN_DAYS:
            days = {"FREQ": "DAILY", "INTERVAL": "1"}
            kept = (each for each in self.fields.split(";") if each.partition("=")[0] not in {*days, "BYSETPOS"})
            rule = replace(self, frequency="DAILY", interval=1, fields=";".join(["FREQ=DAILY", *kept]))
        found: Any = _parse(rule.fields, rule.start_near(_LAST_YEARS), _LAST_DAY)
        return next(iter(found), None) is None

    def start_near(self, first: dt.datetime) -> dt.datetime:
        """Return a start with the same times from `first` on, so that what lies far back isn't gone through."""
        if step := _STEPS.get(self.frequency):
            return self.start + (first - self.start) // (step * self.interval) * (step * self.interval)
        #: Whole years, by which the months of a monthly rule recur too. A 29 February has no year after it.
        years = (first.year - self.start.year - 1) // self.interval * self.interval
        has_years = years > 0 and (self.start.month, self.start.day) != (2, 29)
        return self.start.replace(year=self.start.year + years) if has_years else self.start


@lru_cache(maxsize=256)
def _read(text: str, timezone: str) -> _Rule:
    """Return the rule in `text`. Raises ScheduleError."""
    *before, line = [line.strip() for line in text.strip().upper().splitlines() if line.strip()] or [""]
    start, zone = _START, timezone
    if before:
        given = text.strip().splitlines()[0].strip()
        match = _START_LINE.fullmatch(given) if len(before) == 1 else None
        if match is None:
            msg = f"rrule={text!r}: {given!r} isn't understood; one rule, and DTSTART before it, are. {_EXAMPLE}"
            raise ScheduleError(msg, rrule=text)
        start, zone = _stamp(match["at"], text), match["zone"] or ("UTC" if match["z"] else timezone)
    read_zone(zone)
    return _rule(text, line.removeprefix("RRULE:"), start, zone)


def _rule(text: str, line: str, start: dt.datetime, zone: str) -> _Rule:
    fields = {name: value for name, _, value in (each.partition("=") for each in line.split(";") if each)}
    count, until = fields.pop("COUNT", None), fields.pop("UNTIL", None)
    rest = ";".join(f"{name}={value}" for name, value in fields.items())
    if reason := _fault(fields) or _parser_fault(rest, start):
        msg = f"rrule={text!r} isn't a recurrence rule: {reason}. {_EXAMPLE}"
        raise ScheduleError(msg, rrule=text)
    rule = _Rule(start, rest, fields["FREQ"], int(fields.get("INTERVAL", "1")), None, zone)
    if rule.is_never():
        msg = f"rrule={text!r} never comes true: there is no such day. {_EXAMPLE}"
        raise ScheduleError(msg, rrule=text)
    return replace(rule, end=_end(text, rule, count, until))


def _fault(fields: Mapping[str, str]) -> str:
    """Return what is wrong with a rule where its parser wouldn't say it so; "" if nothing is."""
    if lacking := [name for name, value in fields.items() if not value]:
        return f"{lacking[0]!r} has no value"
    if "FREQ" not in fields:
        return "it has no FREQ, such as FREQ=DAILY"
    interval = fields.get("INTERVAL", "1")
    return "" if interval.isdigit() and int(interval) else f"INTERVAL={interval} isn't a number from 1 on"


def _parser_fault(fields: str, start: dt.datetime) -> str:
    try:
        _parse(fields, start, start)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return str(error)
    return ""


def _end(text: str, rule: _Rule, count: str | None, until: str | None) -> dt.datetime | None:
    """Return the last wall time of a rule that ends."""
    if until is not None:
        match = _UNTIL.fullmatch(until)
        if match is None or count is not None:
            msg = (
                f"rrule={text!r}: UNTIL={until} isn't a time, or COUNT is there too. Write e.g. UNTIL=20261231T180000Z."
            )
            raise ScheduleError(msg, rrule=text)
        wall = _stamp(match["at"], text)
        return local_time(wall.replace(tzinfo=dt.UTC), read_zone(rule.timezone)) if match["z"] else wall
    if count is None:
        return None
    if not (count.isascii() and count.isdigit() and 0 < int(count) <= _MOST_COUNTED):
        msg = f"rrule={text!r}: COUNT={count} isn't a number from 1 to {_MOST_COUNTED:,}. Beyond that write UNTIL=."
        raise ScheduleError(msg, rrule=text)
    counted = itertools.islice(rule.wall_times(rule.start, rule.start + _HORIZON), int(count))
    return max(counted, default=rule.start)


def _parse(fields: str, start: dt.datetime, until: dt.datetime) -> rrule:
    """Return dateutil's rule. Raises ValueError and others, as dateutil does."""
    from dateutil.rrule import rrule, rrulestr  # noqa: PLC0415  # only where there is such a schedule

    found = rrulestr(f"RRULE:{fields}", dtstart=start)
    if not isinstance(found, rrule):
        msg = "it is more than one rule"
        raise TypeError(msg)
    return found.replace(until=until)


def _stamp(text: str, whole: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d")  # noqa: DTZ007  # on the wall
    except ValueError as error:
        msg = f"rrule={whole!r}: {text} isn't a time. Write it like 20260101T060000."
        raise ScheduleError(msg, rrule=whole) from error
