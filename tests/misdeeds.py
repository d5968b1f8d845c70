"""What tasks may do wrong, and what the engine says of it: one row a misdeed, for every executor (engine.md, section 4)."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.engine.state import Success

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RAISED", "RETURNED", "Fatal", "Raised", "Returned", "StubbornError", "TakenError", "Unreadable"]

_DEEP = 100_000


class Fatal(BaseException):
    """One that `except Exception` does not see."""


class TakenError(ValueError):
    """One that travels as it should."""


class MuteError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise self.args[0]

    __repr__ = __str__


class LockedError(Exception):
    """Can't be pickled."""

    def __init__(self) -> None:
        super().__init__("holds a lock", threading.Lock())


class StubbornError(Exception):
    """Can be pickled, and not made again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class TrapError(Exception):
    """Raises what is no Exception when it is pickled."""

    def __reduce__(self) -> Any:
        raise Fatal


class LeavingError(Exception):
    """Exits when it is unpickled."""

    def __reduce__(self) -> Any:
        return sys.exit, (3,)


class OtherError(Exception):
    """Is a number once it was unpickled."""

    def __reduce__(self) -> Any:
        return int, ()


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    """Lets nobody set an attribute."""

    code: int


class Unreadable:
    """Raises when it is unpickled."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        return _throw, (self.error,)


class Hostile:
    """Raises whatever is asked of it."""

    def _refuse(self, *_: object) -> Any:
        raise Fatal

    __bool__ = __len__ = __iter__ = __eq__ = __repr__ = __str__ = __getitem__ = __contains__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class LazyProxy:
    """Raises whatever is asked of it, its class too."""

    def __getattribute__(self, name: str) -> Any:
        raise Fatal(name)


def _forks() -> str:
    child = os.fork()
    if not child:
        return "the child, which ends where the task does"
    os.waitpid(child, 0)
    return "the parent"


def _throw(error: BaseException) -> Any:
    raise error


def _endless(depth: int = 0) -> Any:
    return _endless(depth + 1)


def _nested() -> list[Any]:
    found: list[Any] = []
    for _ in range(_DEEP):
        found = [found]
    return found


async def _cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


def _caught_itself() -> Any:
    error = TakenError("inner")
    error.__context__ = error
    raise error


def _lock() -> Any:
    return threading.Lock()


def _closure() -> Any:
    class Local:
        double = staticmethod(lambda x: 2 * x)

    return Local


@dataclass(frozen=True)
class Raised:
    """A misdeed that fails its task everywhere.

    Attributes:
        says: how the message begins.
    """

    act: Callable[[], Any]
    says: str


RAISED = {
    "exit_zero": Raised(lambda: sys.exit(0), "SystemExit: 0"),
    "exit_one": Raised(lambda: sys.exit(1), "SystemExit: 1"),
    "exit_text": Raised(lambda: sys.exit("text"), "SystemExit: text"),
    "exit_bare": Raised(lambda: _throw(SystemExit()), "SystemExit"),
    "interrupt": Raised(lambda: _throw(KeyboardInterrupt()), "KeyboardInterrupt"),
    "base": Raised(lambda: _throw(Fatal("deep")), "Fatal: deep"),
    "generator_exit": Raised(lambda: _throw(GeneratorExit()), "GeneratorExit"),
    "stop_iteration": Raised(lambda: _throw(StopIteration(1)), "StopIteration: 1"),
    "stop_async": Raised(lambda: _throw(StopAsyncIteration(1)), "StopAsyncIteration: 1"),
    "recursion": Raised(_endless, "RecursionError: maximum recursion depth exceeded"),
    "deep_repr": Raised(lambda: repr(_nested()), "RecursionError: maximum recursion depth exceeded"),
    "deep_copy": Raised(lambda: copy.deepcopy(_nested()), "RecursionError: maximum recursion depth exceeded"),
    "memory": Raised(lambda: bytearray(1 << 62), "MemoryError"),
    "group": Raised(
        lambda: _throw(ExceptionGroup("two", [TakenError("a"), TakenError("b")])),
        "ExceptionGroup: two (2 sub-exceptions)",
    ),
    "base_group": Raised(
        lambda: _throw(BaseExceptionGroup("two", [SystemExit(1), KeyboardInterrupt()])),
        "BaseExceptionGroup: two (2 sub-exceptions)",
    ),
    "cancels_itself": Raised(_cancels_itself, "CancelledError"),
    "own_context": Raised(_caught_itself, "TakenError: inner"),
    "long": Raised(lambda: _throw(TakenError("x" * 10_000_000)), "TakenError: xxxxx"),
    "mute": Raised(lambda: _throw(MuteError(ValueError())), "MuteError: (its message can't be shown: ValueError)"),
    "mute_exit": Raised(
        lambda: _throw(MuteError(SystemExit(2))), "MuteError: (its message can't be shown: SystemExit)"
    ),
    "locked": Raised(lambda: _throw(LockedError()), "LockedError: ('holds a lock'"),
    "stubborn": Raised(lambda: _throw(StubbornError(1, 2)), "StubbornError: 1 and 2"),
    "trap": Raised(lambda: _throw(TrapError("trap")), "TrapError: trap"),
    "leaving": Raised(lambda: _throw(LeavingError("leaving")), "LeavingError: leaving"),
    "other": Raised(lambda: _throw(OtherError("other")), "OtherError: other"),
    "frozen": Raised(lambda: _throw(FrozenError(7)), "FrozenError"),
}


@dataclass(frozen=True)
class Returned:
    """An odd value: its task succeeds where values stay in this process.

    Attributes:
        away: how the message begins where it has to be pickled; empty: it succeeds there too.
        unread: what a task that gets it fails with there.
    """

    act: Callable[[], Any]
    away: str = ""
    unread: str = ""


RETURNED = {
    "forked": Returned(_forks),
    "surrogates": Returned(lambda: "\ud83d\ude00 \udcff"),
    "surrogate_keys": Returned(lambda: {"\ud800": ["\udfff"]}),
    "proxy": Returned(LazyProxy, "UnpicklableError: A tests.misdeeds.LazyProxy can't be pickled"),
    "generator": Returned(lambda: (i for i in range(3)), "UnpicklableError: A generator can't be pickled"),
    "lock": Returned(_lock, "UnpicklableError: A _thread.lock can't be pickled"),
    "nested": Returned(_nested, "UnpicklableError: A list can't be pickled"),
    "trap": Returned(lambda: TrapError("trap"), "UnpicklableError: A tests.misdeeds.TrapError can't be pickled"),
    "closure": Returned(_closure),
    "state": Returned(lambda: Success("mine", 1)),
    "error": Returned(lambda: TakenError("a value")),
    "hostile": Returned(Hostile),
    "unreadable": Returned(lambda: Unreadable(Fatal("can't be read")), unread="Fatal: can't be read"),
    "leaving": Returned(lambda: LeavingError("leaving"), unread="SystemExit: 3"),
}
