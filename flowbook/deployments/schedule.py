"""A schedule: the moments at which a deployment's runs are due. Pure: no clock, no store.

Its kinds are `IntervalSchedule`, `CronSchedule` and `RRuleSchedule`. A kind says which times are shown by a clock on the
wall; this module turns them into moments, whatever the clocks of the time zone do.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from flowbook.deployments.time_zones import by_the_clock, each_once, read_zone
from flowbook.exceptions import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CatchUp", "Schedule"]

#: What becomes of times that passed while nothing could run: one run for all of them, or one for each.
CatchUp = Literal["one", "all"]

#: How far ahead a next time is looked for. Leap years are at most 8 years apart, and a rule may ask for a weekday too.
_HORIZON = dt.timedelta(days=50 * 366)
_FIRST_WINDOW = dt.timedelta(days=1)
_LATEST_WINDOW = dt.timedelta(hours=1)


class Schedule(ABC):
    """The moments at which runs are due.

    Attributes:
        timezone: by its name, e.g. "Europe/Berlin"; clocks there say when it is time.
        catch_up: what becomes of times that passed while the machine slept or no agent ran. "one": one run is made, for
            the newest of them. "all": one for each of them, oldest first.
    """

    timezone: str
    catch_up: CatchUp

    def next(self, after: dt.datetime) -> dt.datetime | None:
        """Return the first moment after `after`, aware UTC; None if there is none within 50 years.

        Raises:
            ScheduleError: if `after` has no time zone.
        """
        return next(self.moments(after), None)

    def between(self, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
        """Return the moments with `after < moment <= until`, aware UTC, in order. Raises as `next`."""
        return list(self._between(_utc(after), _utc(until)))

    def latest(self, after: dt.datetime, until: dt.datetime) -> dt.datetime | None:
        """Return the last moment with `after < moment <= until`; None if there is none. Raises as `next`."""
        after, until = _utc(after), _utc(until)
        window = _LATEST_WINDOW
        while True:
            start = max(after, until - window)
            last = None
            for last in self._between(start, until):  # noqa: B007  # the last one is what is wanted
                pass
            if last is not None or start <= after:
                return last
            window *= 4

    def moments(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """Yield the moments after `after`, aware UTC, in order, for 50 years at most. Raises as `next`."""
        start = _utc(after)
        end = min(start, dt.datetime.max.replace(tzinfo=dt.UTC) - 2 * _HORIZON) + _HORIZON
        window = _FIRST_WINDOW
        while start < end:
            until = min(start + window, end)
            yield from self._between(start, until)
            start, window = until, window * 4

    def _between(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        find = by_the_clock if self._repeats_within_days() else each_once
        return find(self._wall_times, read_zone(self.timezone), after, until)

    @abstractmethod
    def to_settings(self) -> dict[str, object]:
        """Return the schedule as plain JSON, from which `read_schedule` makes an equal one."""

    @abstractmethod
    def describe(self) -> str:
        """Return the schedule in words, e.g. "at 06:00 every day, Europe/Berlin"."""

    @abstractmethod
    def _wall_times(self, first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
        """Yield the wall times from `first` to `last`, both included, in order; all without zone."""

    @abstractmethod
    def _repeats_within_days(self) -> bool:
        """Return whether it goes on all day long, so that an hour that comes twice has twice as many times."""

    def _check(self) -> None:
        """Refuse a wrong time zone or way to catch up. Raises ScheduleError."""
        read_zone(self.timezone)
        if self.catch_up not in {"one", "all"}:
            msg = (
                f"catch_up={self.catch_up!r}: give 'one' (times that passed while nothing could run make one run) "
                "or 'all' (each makes its own)."
            )
            raise ScheduleError(msg, catch_up=repr(self.catch_up))


def _utc(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        msg = f"{moment} has no time zone. Give an aware datetime, e.g. datetime.now(timezone.utc)."
        raise ScheduleError(msg, moment=repr(moment))
    return moment.astimezone(dt.UTC)
