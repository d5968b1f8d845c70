"""What a call costs: processor time, and memory. Costs next to nothing where calls are short, as most tasks are.

Reading the clocks of a thread and the memory of a process takes longer than a small task. So a reading that is at most a
millisecond old stands for the beginning of a call, and calls shorter than 10 ms aren't told. In a process of its own (a worker
that makes one call at a time) the peak of the process is told; elsewhere, by how much the process grew while the call was made,
whatever else it did then.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import ClassVar, NamedTuple

__all__ = ["LEAST_S", "Cost", "Reading", "begin", "cost_since", "sum_of", "use_own_process"]

#: Shorter calls have no cost.
LEAST_S = 0.01
#: How old a reading may be that stands for the beginning of a call: of time, and of memory.
_STALE_S, _MEMORY_STALE_S = 0.001, 0.01
_MEMORY, _STATUS, _RESET = Path("/proc/self/statm"), Path("/proc/self/status"), Path("/proc/self/clear_refs")
_clock = time.time


class Cost(NamedTuple):
    """What one call cost.

    Attributes:
        cpu_s: processor time of its thread, or of all threads of a process of its own.
        memory_bytes: the peak of a process of its own, or by how much the process grew; None where that can't be read.
        is_own: whether the process was its own.
    """

    cpu_s: float
    memory_bytes: int | None = None
    is_own: bool = False


class Reading(NamedTuple):
    """The clocks and the memory at one moment.

    Attributes:
        at: seconds since the epoch.
        cpu_s: processor time so far.
        memory_at: when the memory was read.
        memory_bytes: that the process holds; None where that can't be read.
        peak_bytes: the most that it ever held.
    """

    at: float
    cpu_s: float
    memory_at: float
    memory_bytes: int | None
    peak_bytes: int | None


class _Meter(threading.local):
    """The newest reading of each thread."""

    #: Whether this process makes one call at a time, and nothing else. Set once for all threads, when it begins.
    is_own: ClassVar[bool] = False
    newest = Reading(float("-inf"), 0.0, float("-inf"), None, None)


_meter = _Meter()


def use_own_process() -> None:
    """Say that this process makes one call at a time from now on: its time and its peak of memory are those of the call."""
    _Meter.is_own = True


def begin() -> Reading:
    """Return a reading that may stand for now; pass it to `cost_since`, in the same thread."""
    newest = _meter.newest
    if not 0 <= _clock() - newest.at <= _STALE_S:
        newest = _meter.newest = _read(newest)
    return newest


def cost_since(begun: Reading) -> Cost | None:
    """Return what was used since a reading of this thread; None if that was too short ago to be told."""
    if _clock() - begun.at < LEAST_S:
        return None
    now = _read(None)
    _meter.newest = now
    cpu_s = max(0.0, now.cpu_s - begun.cpu_s)
    if _Meter.is_own:
        peak = _peak_since_reset()
        _reset_peak()  # the next call may begin while this reading is fresh
        return Cost(cpu_s, peak if peak is not None else now.peak_bytes, is_own=True)
    return Cost(cpu_s, _growth(begun, now))


def sum_of(before: Cost | None, after: Cost | None) -> Cost | None:
    """Return the cost of two calls of one attempt, such as the rounds of a loop: all of the time, the most of the memory."""
    if before is None or after is None:
        return before or after
    memory = [each for each in (before.memory_bytes, after.memory_bytes) if each is not None]
    return Cost(before.cpu_s + after.cpu_s, max(memory, default=None), after.is_own)


def _growth(begun: Reading, now: Reading) -> int | None:
    """Return by how much the process grew: to its peak, if that rose meanwhile; never less than nothing."""
    if begun.peak_bytes is None or now.peak_bytes is None:
        return None
    before = begun.memory_bytes if begun.memory_bytes is not None else begun.peak_bytes
    top = now.peak_bytes if now.peak_bytes > begun.peak_bytes or now.memory_bytes is None else now.memory_bytes
    return max(0, top - before)


def _read(before: Reading | None) -> Reading:
    """Return a reading of now, with the memory of `before` if that is fresh enough."""
    at = _clock()
    cpu_s = time.process_time() if _Meter.is_own else time.thread_time()
    if before is not None and 0 <= at - before.memory_at <= _MEMORY_STALE_S:
        return Reading(at, cpu_s, *before[2:])
    if _Meter.is_own and before is not None:
        _reset_peak()
    return Reading(at, cpu_s, at, _held(), _peak())


def _held() -> int | None:
    try:
        pages = int(_MEMORY.read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * _page_bytes()


def _peak() -> int | None:
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return None
    import sys  # noqa: PLC0415  # as above

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _page_bytes() -> int:
    import resource  # noqa: PLC0415  # where there is /proc

    return resource.getpagesize()


def _reset_peak() -> None:
    """Let the system count the peak anew, where it can (Linux)."""
    try:
        with _RESET.open("wb", buffering=0) as file:
            file.write(b"5")
    except OSError:
        return


def _peak_since_reset() -> int | None:
    try:
        status = _STATUS.read_bytes()
    except OSError:
        return None
    place = status.find(b"VmHWM:")
    return int(status[place + 6 :].split(None, 1)[0]) * 1024 if place >= 0 else None
