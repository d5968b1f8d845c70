"""Looks at the steps of a pickle without taking them: whether taking them is safe for the memory and the time of a server.

A few bytes of a pickle can make Python's unpickler take all memory (a place in its memo with a large number), or work for
years while no other thread runs (the hash of tuples that hold one another twice, sixty deep). Python's own picklers don't
write such. Pure: no I/O.

Source: `pickletools` of Python's library, which describes each step.
"""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_steps"]

#: How many parts of keys are hashed at most: a second's work.
_MOST_HASHED = 20_000_000
#: What protocol 4 and later never write: lines of text, numbered places in the memo, copies, names from registries.
_NEVER = frozenset(b"ILSTUVFld2gpqrcioPQ\x82\x83\x84")
_LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_STOP, _MEMOIZE, _LONG4, _GETS = ord("."), 0x94, 0x8B, frozenset(b"hj")
#: By step: how many bytes follow it, or how many say the length of what follows; and whether it adds one plain value.
_FOLLOWING = {
    ord(each.code): 0 if each.arg is None or ord(each.code) in _NEVER else each.arg.n for each in pickletools.opcodes
}
_PLAIN = frozenset(
    ord(each.code)
    for each in pickletools.opcodes
    if ord(each.code) not in _NEVER
    and not each.stack_before
    and each.stack_after
    and each.name not in {"MARK", "BINGET", "LONG_BINGET"}
)
#: By step: how many values are gone after it that aren't hashed.
_TAKEN = {ord("a"): 1, ord("b"): 1, ord("R"): 1, 0x81: 1, 0x92: 2, 0x93: 1}


def check_steps(stream: bytes) -> None:
    """Look at all steps of a pickle of protocol 4 or later.

    Raises:
        ValueError: if Python's picklers write no such steps, or if taking them would take very long.
        LookupError: if they end too early, or take what isn't there.
    """
    steps = _Steps()
    weights, memo = steps.weights, steps.memo
    place = 0
    while (step := stream[place]) != _STOP:
        place += 1
        if step == _MEMOIZE:
            memo.append(weights[-1])
            continue
        size = _FOLLOWING[step]
        if size < 0:
            begin = place + _LENGTH_BYTES[size]
            size = (
                stream[place]
                if size == pickletools.TAKEN_FROM_ARGUMENT1
                else int.from_bytes(stream[place:begin], "little")
            )
            place = begin
        place += size
        if step in _PLAIN:
            weights.append(1 + size // 8 if step == _LONG4 else 1)
        elif step in _NEVER:
            msg = f"Python's picklers don't write the step {chr(step)!r}."
            raise ValueError(msg)
        else:
            steps.take(step, int.from_bytes(stream[place - size : place], "little") if step in _GETS else 0)


class _Steps:
    """What steps leave on the unpickler's stack.

    Attributes:
        weights: of each value on the stack, how many parts its hash goes through.
        memo: of the values that the pickle names again.
    """

    def __init__(self) -> None:
        self.weights: list[int] = []
        self._marks: list[int] = []
        self.memo: list[int] = []
        self._hashed = 0
        known: dict[str, Callable[[int], object]] = {
            "(": lambda _: self._marks.append(len(self.weights)),
            "h": lambda number: self.weights.append(self.memo[number]),
            "j": lambda number: self.weights.append(self.memo[number]),
            "t": lambda _: self._join(self._marks.pop()),
            "\x85": lambda _: self._join(len(self.weights) - 1),
            "\x86": lambda _: self._join(len(self.weights) - 2),
            "\x87": lambda _: self._join(len(self.weights) - 3),
            "\x91": lambda _: self._hash(self._join(self._marks.pop())),
            "0": lambda _: self._drop(),
            "e": lambda _: self._cut(self._marks.pop()),
            "1": lambda _: self._cut(self._marks.pop()),
            "\x90": lambda _: self._hash(sum(self._cut(self._marks.pop()))),
            "u": lambda _: self._hash(sum(self._cut(self._marks.pop())[::2])),
            "s": lambda _: self._hash(self._cut(len(self.weights) - 2)[0]),
        }
        self._known = {ord(code): take for code, take in known.items()}

    def take(self, step: int, number: int) -> None:
        """Note what a step leaves that isn't plain; `number` is the place in the memo that it gets."""
        if (take := self._known.get(step)) is not None:
            take(number)
        elif (count := _TAKEN.get(step)) is not None:
            self._cut(len(self.weights) - count)

    def _join(self, first: int) -> int:
        """Make one value of those from `first` on; return its weight."""
        weight = 1 + sum(self._cut(first))
        self.weights.append(weight)
        return weight

    def _drop(self) -> None:
        """Drop the newest value, or the mark that stands behind it."""
        if self._marks and self._marks[-1] == len(self.weights):
            self._marks.pop()
        else:
            self.weights.pop()

    def _cut(self, first: int) -> list[int]:
        if first < 0:
            msg = "The pickle takes values that aren't there."
            raise LookupError(msg)
        found = self.weights[first:]
        del self.weights[first:]
        return found

    def _hash(self, weight: int) -> None:
        self._hashed += weight
        if self._hashed > _MOST_HASHED:
            msg = "The pickle holds keys that hold one another so often that hashing them would take very long."
            raise ValueError(msg)
