"""Parses times as people write them, and converts times for pandas."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["parse_due", "parse_time", "to_datetimes"]

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_AGO = re.compile(rf"(?P<count>an?|[0-9]+)\s+(?P<unit>{'|'.join(_UNITS)})s?\s+ago", re.IGNORECASE)
_IN = re.compile(rf"in\s+(?P<count>an?|[0-9]+)\s+(?P<unit>{'|'.join(_UNITS)})s?", re.IGNORECASE)
_TOMORROW = re.compile(r"tomorrow\s*(?P<time>\d{1,2}:\d\d)?", re.IGNORECASE)
_DAY = re.compile(r"(?:(?P<day>today|yesterday)\s*)?(?P<time>\d{1,2}:\d\d)?", re.IGNORECASE)
_EXAMPLES = "'2026-11-20 09:00', 'yesterday 9:00' (local time), '2 hours ago' or '2026-11-20T08:00:00+00:00'"
_EXAMPLES_AHEAD = "'2026-11-20 09:00', 'tomorrow 9:00' (local time), 'in 2 hours' or '2026-11-20T08:00:00+00:00'"


def parse_time(at: dt.datetime | str, now: dt.datetime | None = None) -> dt.datetime:
    """Return `at` as an aware UTC datetime.

    Args:
        at: a datetime, ISO text, "2 hours ago", "yesterday" (24 hours ago), "yesterday 9:00", "9:00" (today) or "now"; a
            time without a zone is local.
        now: aware; default: the present.

    Raises:
        DefinitionError: if it isn't a time.
    """
    if isinstance(at, str):
        at = _parse_text(at.strip(), (now or dt.datetime.now(dt.UTC)).astimezone())
    if not isinstance(at, dt.datetime) or at != at:  # noqa: PLR0124  # pandas' NaT is a datetime
        msg = f"{at!r} isn't a time. Give a datetime, or text like '2026-11-20 09:00' or '2 hours ago'."
        raise DefinitionError(msg, at=repr(at))
    try:
        # A pandas timestamp without a zone can't be converted as local time, so use the standard library's datetime.
        return dt.datetime.combine(at.date(), at.timetz()).astimezone(dt.UTC)
    except (OverflowError, ValueError, OSError) as exc:
        msg = f"{at!r} is out of reach of the clock. Give a time between the years 1 and 9999."
        raise DefinitionError(msg, at=repr(at)) from exc


def parse_due(text: str, now: dt.datetime | None = None) -> dt.datetime:
    """Return a time to come, as a person writes it, as an aware UTC datetime.

    Args:
        text: "in 2 hours", "tomorrow" (in 24 hours), "tomorrow 9:00", or what `parse_time` reads.
        now: aware; default: the present.

    Raises:
        DefinitionError: if it isn't a time.
    """
    here = (now or dt.datetime.now(dt.UTC)).astimezone()
    try:
        return parse_time(_ahead(text.strip(), here) or text, here)
    except (DefinitionError, ValueError, OverflowError) as error:
        msg = f"{text.strip()!r} isn't a time. Write it like {_EXAMPLES_AHEAD}."
        raise DefinitionError(msg, at=text) from error


def _ahead(text: str, now: dt.datetime) -> dt.datetime | None:
    """Return the time that a text names by how far ahead it is; None if it doesn't."""
    if match := _IN.fullmatch(text):
        return now + _span(match)
    if match := _TOMORROW.fullmatch(text):
        return _at_clock(now + dt.timedelta(days=1), match)
    return None


def _span(match: re.Match[str]) -> dt.timedelta:
    count = int(match["count"]) if match["count"].isdigit() else 1
    return dt.timedelta(seconds=count * _UNITS[match["unit"].lower()])


def _at_clock(moment: dt.datetime, match: re.Match[str]) -> dt.datetime:
    """Return the moment of that day, without a zone, at which the clock on the wall shows the time that was named."""
    clock = dt.time.fromisoformat(match["time"].rjust(5, "0")) if match["time"] else moment.time()
    return dt.datetime.combine(moment.date(), clock)


def _parse_text(text: str, now: dt.datetime) -> dt.datetime:
    """Return the time that a text names; `now` is in the local zone."""
    try:
        if text.lower() == "now":
            return now
        if match := _AGO.fullmatch(text):
            return now - _span(match)
        if text and (match := _DAY.fullmatch(text)):
            day = now - dt.timedelta(days=(match["day"] or "").lower() == "yesterday")
            return _at_clock(day, match)
        return dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError) as exc:
        msg = f"{text!r} isn't a time. Write it like {_EXAMPLES}."
        raise DefinitionError(msg, at=text) from exc


def to_datetimes(stamps: Sequence[float | None]) -> pd.DatetimeIndex:
    """Return seconds since 1970 as times, rounded as `from_stamp` does; NaT for None."""
    import numpy as np  # noqa: PLC0415  # heavy
    import pandas as pd  # noqa: PLC0415  # heavy

    parts, seconds = np.modf(np.array(stamps, dtype=float))
    is_none = np.isnan(seconds)
    microseconds = np.where(is_none, 0, seconds).astype("int64") * 1_000_000
    microseconds += np.where(is_none, 0, np.rint(parts * 1e6)).astype("int64")
    found = microseconds.view("datetime64[us]")
    found[is_none] = np.datetime64("NaT", "us")
    return pd.DatetimeIndex(found).tz_localize(dt.UTC)
