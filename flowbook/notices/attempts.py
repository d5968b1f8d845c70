"""Attempts to deliver notices that are under way in this process, each in a thread of its own.

One that takes too long is left alone. A process that ends waits for those under way, but not for long.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedCondition
from flowbook.notices.delivery import TIMEOUT_S, NotDeliveredError, deliver

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.notices.notice import Notice
    from flowbook.notices.receiver import To

    Delivery = Callable[[], None]
    Settle = Callable[[NotDeliveredError | None], None]

__all__ = ["EXIT_S", "Attempts", "load_for_the_end", "send_once"]

#: How long a process that ends waits for its notices.
EXIT_S = 10.0
_HANGS = f"it gave no answer within {TIMEOUT_S:.0f} s, so it may or may not have been delivered"


def load_for_the_end() -> None:
    """Load what Python refuses to load once it is ending, when a notice may still be sent; costs nothing the second time."""
    with contextlib.suppress(RuntimeError):  # it is ending already
        import concurrent.futures.thread  # noqa: PLC0415, F401  # apprise needs it, and is loaded in the thread that sends


class Attempts:
    """Attempts under way, from any thread.

    Args:
        most: how many may be under way at once.
    """

    def __init__(self, most: int = 20) -> None:
        self._most = most
        self._pid = os.getpid()
        self._changed = RankedCondition(Rank.NOTICES)
        #: What to tell of each attempt, by number, with the time at which it is left alone.
        self._under_way: dict[int, tuple[float, Settle]] = {}
        self._count = 0

    @property
    def free(self) -> int:
        """How many more may begin."""
        return max(0, self._most - len(self._under_way))

    @property
    def next_deadline(self) -> float | None:
        """When the next attempt is left alone (`time.monotonic`); None if none is under way."""
        with self._changed:
            return min((deadline for deadline, _ in self._under_way.values()), default=None)

    def begin(self, delivery: Delivery, settle: Settle, name: str) -> None:
        """Begin an attempt; `settle` is told once how it ended: None, or why the notice didn't arrive. It must not raise.

        Args:
            delivery: delivers, or raises NotDeliveredError.
            settle: told how it ended.
            name: of the thread.
        """
        with self._changed:
            self._count += 1
            number = self._count
            self._under_way[number] = (time.monotonic() + TIMEOUT_S, settle)
        try:
            threads.spawn(self._work, number, delivery, name=f"notice-{name}", owner=self)
        except RuntimeError:
            self._work(number, delivery)  # Python is ending, and starts no more threads

    def leave_hanging(self) -> None:
        """Leave the attempts alone that take too long."""
        now = time.monotonic()
        with self._changed:
            hanging = [number for number, (deadline, _) in self._under_way.items() if deadline <= now]
        for number in hanging:
            self._settle(number, NotDeliveredError(_HANGS, is_certain=False))

    def wait(self, timeout: float) -> bool:
        """Wait until none is under way, at most `timeout` seconds; return whether none is."""
        if self._pid != os.getpid():
            return True  # the threads are in the parent of a fork
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._under_way and (left_s := deadline - time.monotonic()) > 0:
                self._changed.wait(left_s)
            return not self._under_way

    def _work(self, number: int, delivery: Delivery) -> None:
        try:
            delivery()
        except NotDeliveredError as error:
            self._settle(number, error)
        except BaseException as error:  # noqa: BLE001  # a thread that ends must say so
            self._settle(number, NotDeliveredError(f"{type(error).__name__} while it was being sent: {error}"))
        else:
            self._settle(number, None)

    def _settle(self, number: int, error: NotDeliveredError | None) -> None:
        with self._changed:
            found = self._under_way.get(number)
            if found is not None:
                self._under_way[number] = (float("inf"), _done)
        if found is None:
            return
        try:
            found[1](error)
        finally:
            with self._changed:
                self._under_way.pop(number, None)
                self._changed.notify_all()


def _done(_: NotDeliveredError | None) -> None:
    """Do nothing: it has been told already."""


class _Unrecorded:
    """The notices of runs that no store has: each is sent once."""

    def __init__(self) -> None:
        self.attempts: Attempts | None = None

    def begin(self, to: To, shown: str, notice: Notice) -> None:
        if self.attempts is None:
            load_for_the_end()
            self.attempts = Attempts()
            atexit.register(self.attempts.wait, EXIT_S)
        self.attempts.leave_hanging()

        def settle(error: NotDeliveredError | None) -> None:
            if error is not None:
                import logging  # noqa: PLC0415  # only where something is wrong

                text = "%s: the notice for %s did not arrive: %s."
                logging.getLogger("flowbook.notices").warning(text, notice.title, shown, error)

        self.attempts.begin(lambda: deliver(to, notice), settle, notice.cause)


#: One for the process.
_unrecorded = _Unrecorded()


def send_once(to: To, shown: str, notice: Notice) -> None:
    """Send the notice of a run that no store has; return at once. What doesn't arrive is logged, and not sent again."""
    _unrecorded.begin(to, shown, notice)
