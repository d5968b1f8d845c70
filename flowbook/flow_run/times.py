"""Times as people write them, and as pandas holds them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["parse_time", "to_datetimes"]


def parse_time(at: dt.datetime | str) -> dt.datetime:
    """Return `at` as an aware UTC moment; a naive one, and text without a zone, are local time.

    Raises:
        DefinitionError: if it is no moment.
    """
    if isinstance(at, str):
        try:
            at = dt.datetime.fromisoformat(at.strip())
        except ValueError as exc:
            msg = f"{at!r} is no moment. Write it like '2026-11-20 09:00' (local time) or '2026-11-20T08:00:00+00:00'."
            raise DefinitionError(msg, at=at) from exc
    if not isinstance(at, dt.datetime) or at != at:  # noqa: PLR0124  # pandas' NaT is a datetime
        msg = f"{at!r} is no moment. Give a datetime, or text like '2026-11-20 09:00'."
        raise DefinitionError(msg, at=repr(at))
    try:
        #: Of the standard library: a pandas one without a zone refuses to be taken for local time.
        return dt.datetime.combine(at.date(), at.timetz()).astimezone(dt.UTC)
    except (OverflowError, ValueError, OSError) as exc:
        msg = f"{at!r} is out of reach of the clock. Give a moment between the years 1 and 9999."
        raise DefinitionError(msg, at=repr(at)) from exc


def to_datetimes(stamps: Sequence[float | None]) -> pd.DatetimeIndex:
    """Return seconds since the epoch as moments, rounded as `from_stamp` does; NaT for None."""
    import numpy as np  # noqa: PLC0415  # heavy
    import pandas as pd  # noqa: PLC0415  # heavy

    parts, seconds = np.modf(np.array(stamps, dtype=float))
    is_none = np.isnan(seconds)
    microseconds = np.where(is_none, 0, seconds).astype("int64") * 1_000_000
    microseconds += np.where(is_none, 0, np.rint(parts * 1e6)).astype("int64")
    found = microseconds.view("datetime64[us]")
    found[is_none] = np.datetime64("NaT", "us")
    return pd.DatetimeIndex(found).tz_localize(dt.UTC)
