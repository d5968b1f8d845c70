"""Passes outputs on to other tasks: frames and series as shallow copies, also in short lists, tuples and dicts; all else as is.

So a task that changes its input in place doesn't change other tasks' inputs: from version 3 on, pandas copies the data when
it is written to. Older versions do so in copy-on-write mode; otherwise only columns and index are protected, not cells.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["IMMUTABLE", "handed_on", "own_list"]

#: Types that are passed on as they are; callers check for them to save the call.
IMMUTABLE = frozenset({int, float, bool, str, bytes, type(None), complex})
_COLLECTIONS = frozenset({list, tuple, dict})
#: Collections of more members are passed on as they are: looking through them would take longer than running a task.
_FEW = 100


def handed_on(value: Any) -> Any:  # noqa: ANN401  # of the same type
    """Return `value`; a frame or series as a shallow copy, and a short list, tuple or dict that has some with such copies."""
    kinds = _frames_and_series()
    if not kinds:
        return value
    if issubclass(type(value), kinds):
        return _shallow_copy(value)
    if type(value) not in _COLLECTIONS or len(value) > _FEW:
        return value
    try:
        return _with_copies(value, kinds)
    except Exception:  # noqa: BLE001  # another thread changes it, or a key of the user's refuses
        return value


def own_list(values: list[Any]) -> list[Any]:
    """Return a new list for each reader of a mapped task's results, with frames and series as shallow copies."""
    kinds = _frames_and_series()
    return [_shallow_copy(value) if issubclass(type(value), kinds) else value for value in values]


def _frames_and_series() -> tuple[type, ...]:
    """Return their classes; () as long as there can be none, also while another thread imports pandas."""
    pandas = sys.modules.get("pandas")
    try:
        return () if pandas is None else (pandas.DataFrame, pandas.Series)
    except AttributeError:
        return ()


def _with_copies(value: Any, kinds: tuple[type, ...]) -> Any:  # noqa: ANN401  # of the same type
    """Return a collection as it is if it has no frames, else a copy with copies of them."""
    members = tuple(value.values() if type(value) is dict else value)
    if not any(issubclass(kind, kinds) for kind in set(map(type, members))):
        return value
    copies = [_shallow_copy(member) if issubclass(type(member), kinds) else member for member in members]
    return dict(zip(value, copies, strict=True)) if type(value) is dict else type(value)(copies)


def _shallow_copy(frame: Any) -> Any:  # noqa: ANN401  # as above
    try:
        return frame.copy(deep=False)
    except Exception:  # noqa: BLE001  # a subclass of the user's
        return frame
