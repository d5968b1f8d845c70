"""Carries out the attempts of one call one after another: a repeated one waits for the first, which may still be under way.

Otherwise a repetition could find that nothing is done yet, and do it a second time. Kept in memory: when a server dies, so do
the attempts that it was at.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowbook._utils.locks import Rank, RankedCondition

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CallAttempts"]

#: Of how many calls it is known that they were repeated. A first attempt comes a moment after its repetition, if so late.
_MOST_KNOWN = 10_000


class CallAttempts:
    """The attempts that are under way, by the name that the caller gave the call. From any thread."""

    def __init__(self) -> None:
        self._changed = RankedCondition(Rank.API_CALLS)
        self._under_way: set[str] = set()
        self._repeated: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def attempt(self, call: str, *, is_again: bool) -> Iterator[bool]:
        """Wait for this call's turn; give whether to carry it out. A first attempt that comes after its repetition is not.

        Args:
            call: the name of the call; "": it has none, and nothing waits for it.
            is_again: whether it is a repetition.
        """
        if not call:
            yield True
            return
        with self._changed:
            while call in self._under_way:
                self._wait()
            is_wanted = is_again or call not in self._repeated
            if is_again:
                self._note_repeated(call)
            if is_wanted:
                self._under_way.add(call)
        if not is_wanted:
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                self._under_way.discard(call)
                self._changed.notify_all()

    def _wait(self) -> None:
        self._changed.wait()

    def _note_repeated(self, call: str) -> None:
        self._repeated[call] = None
        while len(self._repeated) > _MOST_KNOWN:
            self._repeated.popitem(last=False)
