"""The secrets that a failed task got, found again among the values where its error passed. Runs no user code."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import CodeType, FrameType

__all__ = ["SecretLocals"]

#: A shorter text is a secret only where it stands alone: many other texts may have it in them.
_LEAST_CHARS = 6
_MOST_MEMBERS = 100


class SecretLocals:
    """Tells which names in the frames of an error stand for a secret that the task got, or for a text with it.

    Args:
        error: as it was raised.
        arguments: those of the task's function that are secrets.
        is_mine: returns whether a file is the user's.
    """

    def __init__(self, error: BaseException, arguments: Collection[str], is_mine: Callable[[str], bool]) -> None:
        self._arguments = frozenset(arguments)
        self._frame = _frame_of_task(error, self._arguments, is_mine) if arguments else None
        found = {} if self._frame is None else self._frame.f_locals
        self._texts = [text for name in arguments if name in found for text in _texts_in(found[name])]

    def holds(self, frame: FrameType, name: str, value: object, text: str) -> bool:
        """Return whether a name stands for a secret.

        Args:
            frame: has the name.
            name: the name.
            value: what it stands for.
            text: how that would be shown.
        """
        if value is None or isinstance(value, bool):
            return False
        if frame is self._frame and name in self._arguments:
            return True
        shown = value if type(value) is str else text
        return any(self._is_in(secret, shown) for secret in self._texts)

    @staticmethod
    def _is_in(secret: str, shown: str) -> bool:
        if len(secret) < _LEAST_CHARS:
            return shown in {secret, repr(secret)}
        return secret in shown or repr(secret)[1:-1] in shown


def _frame_of_task(error: BaseException, arguments: frozenset[str], is_mine: Callable[[str], bool]) -> FrameType | None:
    """Return the outermost frame of the user's that has such an argument: a decorator around the task's function has none."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not arguments.isdisjoint(_arguments_of(frame.f_code)) and is_mine(frame.f_code.co_filename):
            return frame
    return None


def _arguments_of(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _texts_in(value: object) -> Iterator[str]:
    """Yield a text, or the texts in a list, tuple, set or dict."""
    if type(value) is str:
        yield from filter(None, [value])
    elif type(value) in {list, tuple, set, frozenset, dict}:
        members = value.values() if type(value) is dict else value
        yield from (each for each, _ in zip(members, range(_MOST_MEMBERS), strict=False) if type(each) is str and each)  # type: ignore[call-overload]  # one of these types
