"""A schedule written as a cron line, parsed by cronsim. Pure."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.deployments.schedule import CatchUp, Schedule
from flowbook.exceptions import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CronSchedule"]

_FIELDS = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31 or L for the last"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 (0 and 7 are Sunday) or SUN-SAT"),
)
_EXAMPLE = "Write five fields, 'minute hour day month weekday', e.g. '0 6 * * mon-fri' for 6:00 on working days."
#: Vixie cron's short names.
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MICROSECOND = dt.timedelta(microseconds=1)
_ANY_TIME = dt.datetime(2000, 1, 1)  # noqa: DTZ001  # only to have the line parsed


@dataclass(frozen=True, slots=True)
class CronSchedule(Schedule):
    """The times of a cron line, such as "0 6 * * mon-fri".

    As Debian's cron does, a line whose minute or hour begins with `*` follows the clock: an hour that is skipped has no times,
    one that comes twice has them twice. Every other line names times of day, and each happens once: a skipped one when the
    clocks have been put forward, one that comes twice the first time. If both day fields are restricted, either is enough.

    Args:
        cron: five fields; names (`mon`, `jan`), steps (`*/5`), `L`, `fri#2` and `@daily` may be used.
        timezone: name of a time zone.
        catch_up: see `Schedule`.

    Raises:
        ScheduleError: if the line isn't a cron line, or never comes true; says which field, and what it may hold.
    """

    cron: str
    timezone: str = "UTC"
    catch_up: CatchUp = "one"

    def __post_init__(self) -> None:
        _check_line(self.cron)
        self._check()

    def to_settings(self) -> dict[str, object]:
        """See `Schedule`."""
        return {"cron": self.cron, "timezone": self.timezone, "catch_up": self.catch_up}

    def describe(self) -> str:
        """See `Schedule`."""
        from cronsim import CronSim  # noqa: PLC0415  # only where there is a schedule

        text = CronSim(_fields(self.cron), _ANY_TIME).explain()
        return f"{text[:1].lower()}{text[1:]}, {self.timezone}"

    def _repeats_within_days(self) -> bool:
        return any(field.startswith("*") for field in _fields(self.cron).split()[:2])

    def _wall_times(self, first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
        from cronsim import CronSim  # noqa: PLC0415  # as above

        for wall in CronSim(_fields(self.cron), first - _MICROSECOND):
            if wall > last:
                return
            yield wall


def _fields(line: str) -> str:
    return _NAMED.get(line.strip().lower(), line)


def _check_line(line: object) -> None:
    if not isinstance(line, str):
        msg = f"cron={line!r} isn't a text. {_EXAMPLE}"
        raise ScheduleError(msg, cron=repr(line))
    parts = _fields(line).split()
    if line.strip().startswith("@") and len(parts) == 1:
        msg = f"cron={line!r}: there is no such short name. Use one of {', '.join(_NAMED)}, or five fields, e.g. '0 6 * * *'."
        raise ScheduleError(msg, cron=line)
    if len(parts) != len(_FIELDS):
        count = f"{len(parts)} {'field' if len(parts) == 1 else 'fields'}"
        msg = f"cron={line!r} has {count}, not five. {_EXAMPLE}"
        raise ScheduleError(msg, cron=line)
    for number, (part, (name, allowed)) in enumerate(zip(parts, _FIELDS, strict=True)):
        if not re.fullmatch(r"[A-Za-z0-9*/,#-]+", part) or not _is_sound(number, part):
            msg = f"cron={line!r}: {part!r} can't be the {name}. Allowed: {allowed}, with '*', ',', '-' and '/'. {_EXAMPLE}"
            raise ScheduleError(msg, cron=line, field=name)
    if not _ever_matches(parts):
        msg = f"cron={line!r} never comes true: there is no such day. {_EXAMPLE}"
        raise ScheduleError(msg, cron=line)


def _is_sound(number: int, part: str) -> bool:
    """Return whether cronsim reads `part` as the field of that number; the other fields allow everything."""
    return _parses([part if each == number else "*" for each in range(len(_FIELDS))])


def _parses(parts: list[str]) -> bool:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415  # as above

    try:
        CronSim(" ".join(parts), _ANY_TIME)
    except (CronSimError, AssertionError, ValueError):
        return False
    return True


def _ever_matches(parts: list[str]) -> bool:
    from cronsim import CronSim  # noqa: PLC0415  # as above

    return _parses(parts) and next(CronSim(" ".join(parts), _ANY_TIME), None) is not None
