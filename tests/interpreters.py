"""Interpreters as they may be: one that lets another thread run after every microsecond."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["restless"]

_SWITCH_S = 1e-6


@contextlib.contextmanager
def restless() -> Iterator[None]:
    """Let threads switch after a microsecond, so that what is not safe between two of them shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
