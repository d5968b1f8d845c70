"""The traceback of an exception as text, also of one that passed 200,000 frames: as Python writes it, without most of those.

Since Python 3.12 a recursion through C code, such as `copy.deepcopy` of a deep list, ends so late; to write all of its frames
takes a quarter of a minute.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["related", "traceback_text"]

#: From this many frames on, the first and the last are shown. Python's default limit to recursion stays below.
_MOST_FRAMES = 2_000
_SHOWN_FRAMES = 100


def traceback_text(error: BaseException) -> str:
    """Return what `traceback.format_exception` does, with most frames of a very deep traceback left out.

    Raises whatever the methods of a user's exception raise.
    """
    if not _is_deep(error):
        return "".join(traceback.format_exception(error))
    first = traceback.TracebackException.from_exception(error, limit=_SHOWN_FRAMES)
    last = traceback.TracebackException.from_exception(error, limit=-_SHOWN_FRAMES)
    _join(error, first, last)
    return "".join(first.format())


class _Stack(traceback.StackSummary):
    """The first and the last frames of a stack.

    Attributes:
        last: the last frames.
        left_out: number of the frames between them.
    """

    last: traceback.StackSummary
    left_out: int

    def format(self, **options: Any) -> list[str]:  # noqa: ANN401  # of the Python that runs
        """Return the lines of all frames, with one for those that are left out."""
        return [*super().format(**options), f"  [{self.left_out:,} more frames]\n", *self.last.format(**options)]


def _is_deep(error: BaseException) -> bool:
    return any(_depth(each.__traceback__, _MOST_FRAMES + 1) > _MOST_FRAMES for each in related(error))


def _depth(trace: TracebackType | None, most: int | None = None) -> int:
    depth = 0
    while trace is not None and depth != most:
        depth, trace = depth + 1, trace.tb_next
    return depth


def related(error: BaseException) -> list[BaseException]:
    """Return an exception, its causes, and the members of groups among them; each once."""
    found: dict[int, BaseException] = {}
    stack = [error]
    while stack:
        each = stack.pop()
        if id(each) not in found:
            found[id(each)] = each
            stack += [part for _, part in _parts(each)]
    return list(found.values())


def _parts(error: BaseException) -> list[tuple[str, BaseException]]:
    """Return the exceptions that are shown with this one, by where `TracebackException` has them."""
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    causes = {"__cause__": error.__cause__, "__context__": error.__context__}
    return [
        *((name, cause) for name, cause in causes.items() if cause is not None),
        *((f"exceptions {number}", each) for number, each in enumerate(members)),
    ]


def _part(shown: traceback.TracebackException, name: str) -> traceback.TracebackException | None:
    attribute, _, number = name.partition(" ")
    found: Any = getattr(shown, attribute, None)
    part: traceback.TracebackException | None = found[int(number)] if number and found else found
    return part


def _join(error: BaseException, first: traceback.TracebackException, last: traceback.TracebackException) -> None:
    """Let `first` show the last frames, too."""
    todo = [(error, first, last)]
    while todo:
        each, begin, end = todo.pop()
        depth = _depth(each.__traceback__)
        left_out = depth - len(begin.stack) - len(end.stack)
        if left_out > 0:
            stack = _Stack(begin.stack)
            stack.last, stack.left_out = end.stack, left_out
            begin.stack = stack
        elif depth > len(begin.stack):
            begin.stack.extend(end.stack[len(begin.stack) - depth :])
        for name, part in _parts(each):
            its_begin, its_end = _part(begin, name), _part(end, name)
            if its_begin is not None and its_end is not None:
                todo.append((part, its_begin, its_end))
