"""Passes outputs on to other tasks: frames and series as shallow copies, everything else as it is.

So a task that changes its input in place doesn't change other tasks' inputs: from version 3 on, pandas copies the data when
it is written to. Older versions do so in copy-on-write mode; otherwise only columns and index are protected, not cells.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["IMMUTABLE", "handed_on"]

#: Types that are passed on as they are; callers check for them to save the call.
IMMUTABLE = frozenset({int, float, bool, str, bytes, type(None), complex})


def handed_on(value: Any) -> Any:  # noqa: ANN401  # of the same type
    """Return `value`; a frame or series as a shallow copy."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not issubclass(type(value), (pandas.DataFrame, pandas.Series)):
        return value
    try:
        return value.copy(deep=False)
    except Exception:  # noqa: BLE001  # a subclass of the user's
        return value
