"""What a task gets of another's output: frames and series as shallow copies, everything else as it is.

So a task that changes its input in place changes nobody else's: from version 3 on, pandas copies the data itself when somebody
writes to it. Older versions do so in their copy-on-write mode; otherwise they protect columns and index, not cells.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["IMMUTABLE", "handed_on"]

#: Types that are handed on as they are, for callers that save themselves the call.
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
