"""Which runs a schedule asks for now. Pure: gets the time, and says up to when it has answered."""

from __future__ import annotations

import datetime as dt
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flowbook.deployments.schedule import Schedule

__all__ = ["DueTimes", "due_times"]

#: How many runs one look asks for at most; what is left is asked for by the next.
MOST_AT_ONCE = 100
#: A clock that was put back by more than this was wrong before; by less, its times simply come again.
_WAS_WRONG = dt.timedelta(days=1)


class DueTimes(NamedTuple):
    """What a look at a schedule found.

    Attributes:
        times: of the runs to make, oldest first; aware UTC.
        mark: up to when the schedule's times are dealt with; the next look begins there.
    """

    times: tuple[dt.datetime, ...]
    mark: dt.datetime


def due_times(
    schedule: Schedule, mark: dt.datetime, now: dt.datetime, ahead: dt.timedelta, *, is_one_late: bool
) -> DueTimes:
    """Return the times of the runs to make: those that have passed since `mark`, and those until `now + ahead`.

    Of times that have passed, `catch_up="one"` takes the newest; none while a run that is late still waits to begin, since
    that one stands for them. A clock that was put back makes no time due again that was dealt with.

    Args:
        schedule: of the deployment.
        mark: up to when earlier looks dealt with.
        now: the present.
        ahead: how long before its time a run is made.
        is_one_late: whether a run of this schedule is due and hasn't begun.
    """
    if mark - now > _WAS_WRONG + ahead:
        mark = now
    if mark >= now + ahead:
        return DueTimes((), mark)
    if schedule.catch_up == "all":
        return _every(schedule, mark, now + ahead)
    if is_one_late:
        return DueTimes((), max(mark, now))
    passed = schedule.latest(mark, now) if mark < now else None
    coming = _every(schedule, max(mark, now), now + ahead)
    return DueTimes((*((passed,) if passed is not None else ()), *coming.times), coming.mark)


def _every(schedule: Schedule, after: dt.datetime, until: dt.datetime) -> DueTimes:
    found = tuple(islice(takewhile(lambda time: time <= until, schedule.moments(after)), MOST_AT_ONCE))
    return DueTimes(found, until if len(found) < MOST_AT_ONCE else found[-1])
