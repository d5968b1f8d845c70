"""What a code object does, as plain data that is the same however the compiler came to it, and the globals that it uses.

The compiler calls a method of an imported module in another way if the import stands in the same module, or cell, as the call.
So moving an import would change the bytecode of code that does the same. Here such calls are alike, and places in the code are
counted in instructions, not in bytes. Pure.
"""

from __future__ import annotations

import dis
import functools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import types

__all__ = ["Bytecode", "read_bytecode"]

#: How many code objects are remembered: those of the flows that somebody works on.
_KEPT = 10_000
#: Instructions that only prepare, or make room for, the two ways of a call.
_LEFT_OUT = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PUSH_NULL"})
_ALIKE = {"LOAD_METHOD": "LOAD_ATTR"}
#: Their argument has, beside a name's number, a mark of the way in which the call is made.
_NAMED = frozenset({"LOAD_ATTR", "LOAD_GLOBAL"})
_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))


class Bytecode(NamedTuple):
    """What one code object does, those in it not counted.

    Attributes:
        steps: its instructions: names, and arguments.
        handlers: what handles exceptions where: first and last instruction, handler, depth of the stack, and a mark.
        reads: the globals that it reads, in order.
        writes: the globals that it sets.
    """

    steps: tuple[tuple[str, int | str | None], ...]
    handlers: tuple[tuple[int, int, int, int, bool], ...]
    reads: tuple[str, ...]
    writes: frozenset[str]


def read_bytecode(code: types.CodeType) -> Bytecode:
    """Return what a code object does."""
    # Code objects compare without their tables of exceptions.
    return _read(code, code.co_exceptiontable)


@functools.lru_cache(maxsize=_KEPT)
def _read(code: types.CodeType, exceptions: bytes) -> Bytecode:
    del exceptions
    found = dis.Bytecode(code)
    instructions = list(found)
    places: dict[int, int] = {}
    count = 0
    for each in instructions:
        places[each.offset] = count
        count += each.opname not in _LEFT_OUT
    end = instructions[-1].offset + 2 if instructions else 0
    places[end] = count

    def place(offset: int) -> int:
        """Return the number of the first instruction from an offset on, which may lie in the caches of one before."""
        while offset not in places and offset < end:
            offset += 2
        return places.get(offset, count)

    steps: list[tuple[str, int | str | None]] = []
    reads: dict[str, None] = {}
    writes: set[str] = set()
    for each in instructions:
        if each.opname in _LEFT_OUT:
            continue
        name = _ALIKE.get(each.opname, each.opname)
        argument: int | str | None = each.arg
        if name in _NAMED:
            argument = str(each.argval)
        elif each.opcode in _JUMPS:
            argument = place(each.argval)
        if name in {"LOAD_GLOBAL", "LOAD_NAME"}:
            reads[str(each.argval)] = None
        elif name in {"STORE_GLOBAL", "DELETE_GLOBAL"}:
            writes.add(str(each.argval))
        steps.append((name, argument))
    handlers = tuple(
        (place(each.start), place(each.end), place(each.target), each.depth, bool(each.lasti))
        for each in getattr(found, "exception_entries", ())
    )
    return Bytecode(tuple(steps), handlers, tuple(reads), frozenset(writes))
