"""Lengths of time as a terminal shows them. Pure."""

from __future__ import annotations

from flowbook.report.phrases import duration

__all__ = ["running_time", "stopwatch", "ticking"]

_MINUTE = 60
_SHORT_S = 9.95


def stopwatch(seconds: float) -> str:
    """Return "0:41", "1:14" or "1:02:03"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def running_time(seconds: float) -> str:
    """Return a duration: short ones with a unit, "40 ms" or "3.8 s", others as on a stopwatch."""
    return duration(seconds) if seconds < _SHORT_S else stopwatch(seconds)


def ticking(seconds: float) -> str:
    """Return a duration that still grows, for text that is redrawn: "6 s", "0:24"."""
    return f"{max(0, int(seconds))} s" if seconds < _SHORT_S else stopwatch(seconds)
