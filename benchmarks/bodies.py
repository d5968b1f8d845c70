"""What tasks do that do something; importable, so that other processes find them."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["BURN_S", "DOZE_S", "LARGE_BYTES", "SLOW_S", "burn", "doze", "doze_long_at_1", "large", "nothing"]

DOZE_S = 0.05
BURN_S = 0.5
SLOW_S = 2.0
LARGE_BYTES = 200_000_000
_LARGE: list[bytes] = []


def nothing(x: Any) -> Any:
    """Return what it got."""
    return x


def doze(x: int) -> tuple[float, float]:
    """Sleep; return when it began and ended."""
    del x
    return _slept(DOZE_S)


def doze_long_at_1(x: int) -> tuple[float, float]:
    """Sleep, the second one long."""
    return _slept(SLOW_S if x == 1 else DOZE_S)


def burn(x: int) -> int:
    """Compute for half a second of processor time."""
    end = time.process_time() + BURN_S
    while time.process_time() < end:
        pass
    return x


def large() -> bytes:
    """Return 200 MB, the same ones each time."""
    if not _LARGE:
        _LARGE.append(b"x" * LARGE_BYTES)
    return _LARGE[0]


def _slept(seconds: float) -> tuple[float, float]:
    began = time.time()
    time.sleep(seconds)
    return began, time.time()
