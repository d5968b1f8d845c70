"""Locks with a rank, so that tests detect two locks that could be taken in opposite orders.

A thread that holds a lock may only take locks of a higher rank, so no two threads can wait for each other. If
FLOWBOOK_CHECK_LOCKS=1 is set (all tests set it), each lock checks this and raises; otherwise it is a plain `threading` lock.

No user code may run while one of these is held: it could take any of them. `docs/architecture.md` lists what each lock
guards and who takes it.
"""

from __future__ import annotations

import enum
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Rank", "RankedCondition", "RankedLock", "RankedRLock", "held_locks", "renew_in_child", "violations"]

T = TypeVar("T")

_VARIABLE = "FLOWBOOK_CHECK_LOCKS"


class Rank(enum.IntEnum):
    """The ranks of flowbook's locks, in the order in which one thread may take them; each is named after what its locks guard."""

    PAGES = enum.auto()
    PANEL = enum.auto()
    LINKED_VALUES = enum.auto()
    RUN = enum.auto()
    FOLLOWED_RUN = enum.auto()
    EPOCH = enum.auto()
    EVENT_RECORDING = enum.auto()
    EVENT_QUEUE = enum.auto()
    SUBSCRIBERS = enum.auto()
    RECORDING = enum.auto()
    RECORDER_COMMIT = enum.auto()
    RECORDER_THREAD = enum.auto()
    RECORDER_ROWS = enum.auto()
    OPEN_STORES = enum.auto()
    CACHE_LOOKUP = enum.auto()
    READ_AHEAD = enum.auto()
    CACHE_USES = enum.auto()
    DATABASE = enum.auto()
    DATABASE_VERSION = enum.auto()
    CONNECTION = enum.auto()
    API_CHANGES = enum.auto()
    API_FIRST_CONTACT = enum.auto()
    API_CONNECTIONS = enum.auto()
    STORED_OBJECTS = enum.auto()
    PICKLING_BY_VALUE = enum.auto()
    REMOTE_BLOBS = enum.auto()
    BLOBS = enum.auto()
    PROCESS_POOL = enum.auto()
    DASK_WORKER = enum.auto()
    DASK_CONNECTING = enum.auto()
    DASK_CLOSING = enum.auto()
    LEDGER = enum.auto()
    BATCH = enum.auto()
    PIPE = enum.auto()
    DEADLINE = enum.auto()
    PRINTS = enum.auto()
    SCREEN = enum.auto()
    INPUT_CHECKS = enum.auto()
    NOTICES = enum.auto()
    RUN_OUTPUT = enum.auto()
    API_CALLS = enum.auto()
    COLLECTOR = enum.auto()


def RankedLock(rank: Rank, name: str = "") -> threading.Lock:  # noqa: N802  # stands where a class of threading stood
    """Return a new lock, as `threading.Lock()`.

    Args:
        rank: its rank.
        name: its name in errors; default: the rank's name.
    """
    if not _checks:
        return threading.Lock()
    return _CheckedLock(rank, name, threading.Lock())  # type: ignore[return-value]  # what a lock does, it does


def RankedRLock(rank: Rank, name: str = "") -> threading.RLock:  # noqa: N802  # as above
    """Return a new lock that its holder may take again, as `threading.RLock()`. Arguments as for `RankedLock`."""
    if not _checks:
        return threading.RLock()
    return _CheckedLock(rank, name, threading.RLock(), is_reentrant=True)  # type: ignore[return-value]  # as above


def RankedCondition(  # noqa: N802  # as above
    rank: Rank, name: str = "", lock: threading.Lock | None = None
) -> threading.Condition:
    """Return a new condition with `lock`, by default a new `RankedLock`. Other arguments as for `RankedLock`."""
    return threading.Condition(lock if lock is not None else RankedLock(rank, name))


def renew_in_child(owner: T, renew: Callable[[T], object]) -> None:
    """In the child of a fork, call `renew(owner)` as long as there is such an object; it gives the object new locks.

    A lock that another thread held at the fork stays taken in the child: that thread doesn't exist there.
    """
    if not hasattr(os, "register_at_fork"):
        return
    known = weakref.ref(owner)

    def renew_if_there() -> None:
        if (found := known()) is not None:
            renew(found)

    os.register_at_fork(after_in_child=renew_if_there)


def held_locks() -> list[str]:
    """Return the names of the locks that this thread holds, outermost first; () if locks aren't checked."""
    return [lock.name for lock in _held()]


def violations() -> list[str]:
    """Return and forget the violations so far in this process: the code that took the lock may have caught the error."""
    found = _violations[:]
    del _violations[:]
    return found


#: Read once, since each run makes several locks.
_checks = os.environ.get(_VARIABLE) == "1"
_local = threading.local()
_violations: list[str] = []


def _held() -> list[_CheckedLock]:
    """Return the list of the locks that this thread holds (not a copy), the last taken at the end."""
    try:
        found: list[_CheckedLock] = _local.held
    except AttributeError:
        found = _local.held = []
    return found


class _CheckedLock:
    """A lock that refuses to be taken out of order. Trying it without waiting can't deadlock and is always allowed."""

    def __init__(
        self,
        rank: Rank,
        name: str,
        lock: Any,  # noqa: ANN401  # both kinds of threading, which share no type
        *,
        is_reentrant: bool = False,
    ) -> None:
        self.rank = rank
        self.name = name or rank.name
        self._lock = lock
        self._is_reentrant = is_reentrant

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002  # as threading's
        held = _held()
        if blocking:
            self._check(held)
        is_taken: bool = self._lock.acquire(blocking, timeout)
        if is_taken:
            held.append(self)
        return is_taken

    def _check(self, held: list[_CheckedLock]) -> None:
        if not held or (self._is_reentrant and self in held):
            return
        highest = max(held, key=lambda lock: lock.rank)
        if highest.rank >= self.rank:
            msg = (
                f"This thread holds {', '.join(lock.name for lock in held)} and takes {self.name}, whose rank "
                f"({self.rank.name}) isn't above {highest.rank.name}. Take them in the order of Rank, or release first."
            )
            _violations.append(msg)
            raise AssertionError(msg)

    def release(self) -> None:
        self._lock.release()
        held = _held()
        for index in range(len(held) - 1, -1, -1):
            if held[index] is self:
                del held[index]
                return

    def locked(self) -> bool:
        is_free: bool = self._lock.acquire(blocking=False)
        if is_free:
            self._lock.release()
        return not is_free

    def _is_owned(self) -> bool:
        """Return whether this thread holds the lock; `threading.Condition` calls this."""
        return self in _held()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
