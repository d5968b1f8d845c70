"""The source of functions, as it is kept with a run, and which line of it is another one in another run.

Read from Python's own memory of files and cells, which keeps each version of a cell. What it doesn't have is left out.
"""

from __future__ import annotations

import functools
import linecache
import types
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["ChangedLine", "Sources", "changed_line", "read_sources", "source_name", "sources_of"]

#: By module and name of a function: the number of its first line in its file or cell, and its lines as one text.
Sources = dict[str, tuple[int, str]]

#: Of one function, and of all functions of a flow.
_CHARACTERS, _ALL_CHARACTERS = 4000, 200_000
_KEPT = 10_000


class ChangedLine(NamedTuple):
    """The first line of a function that differs.

    Attributes:
        function: its name.
        number: of the line in its file or cell, as it is now.
        text: of the line, as it is now.
        was: the line that stood there before; "" if none did.
    """

    function: str
    number: int
    text: str
    was: str = ""


def sources_of(found: Iterable[types.FunctionType]) -> Sources:
    """Return the source of these functions, as far as there is room."""
    sources: Sources = {}
    room = _ALL_CHARACTERS
    for function in found:
        name = source_name(function)
        if name in sources:
            continue
        text = _text(function.__code__)
        room -= len(text)
        if room < 0:
            break
        if text:
            sources[name] = function.__code__.co_firstlineno, text
    return sources


def source_name(function: types.FunctionType) -> str:
    """Return the name by which a function's source is kept."""
    return f"{function.__module__}:{function.__qualname__}"


def changed_line(before: Sources, now: Sources, names: Sequence[str]) -> ChangedLine | None:
    """Return the first line that is another one now; None if that can't be told.

    Args:
        before: sources.
        now: sources.
        names: of the functions to compare, in this order.
    """
    for name in names:
        if name not in before or name not in now or before[name][1] == now[name][1]:
            continue
        (_, old), (first, new) = before[name], now[name]
        lines = new.splitlines()
        found = _first_difference(old.splitlines(), lines)
        if found is not None:
            place, was = found
            return ChangedLine(name.rpartition(":")[2].rpartition(".")[2], first + place, lines[place].strip(), was)
    return None


def _first_difference(old: Sequence[str], new: Sequence[str]) -> tuple[int, str] | None:
    """Return the place of the first line in `new` that isn't alike in `old`, and the old line; comments and empty lines aside."""
    then = [text for text in map(_essence, old) if text]
    now = [(place, text) for place, line in enumerate(new) if (text := _essence(line))]
    for position, (place, text) in enumerate(now):
        if position >= len(then):
            return place, ""
        if then[position] != text:
            return place, then[position]
    return (now[-1][0], then[len(now)]) if now and len(now) < len(then) else None


def _essence(line: str) -> str:
    text = line.strip()
    return "" if text.startswith("#") else text


@functools.lru_cache(maxsize=_KEPT)
def _text(code: types.CodeType) -> str:
    """Return the lines of a function; "" if they aren't known, or are very many."""
    first, last = code.co_firstlineno, _last_line(code)
    found = "".join(linecache.getlines(code.co_filename)[first - 1 : last]).rstrip("\n")
    return found if len(found) <= _CHARACTERS else ""


def _last_line(code: types.CodeType) -> int:
    inner = (_last_line(each) for each in code.co_consts if isinstance(each, types.CodeType))
    return max([code.co_firstlineno, *(line for _, _, line in code.co_lines() if line), *inner])


def read_sources(found: Mapping[str, object]) -> Sources:
    """Return sources as JSON gives them back; what isn't one is left out."""
    return {
        name: (each[0], each[1])
        for name, each in found.items()
        if isinstance(each, list) and len(each) == 2 and isinstance(each[0], int) and isinstance(each[1], str)  # noqa: PLR2004  # a line and a text
    }
