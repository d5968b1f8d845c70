"""Reads what a stored pickle says without doing it: nothing is imported, and nothing of the pickle's is called.

Where a pickle names a class or function, a stand-in takes its place; where it would be called, the stand-in notes with what. So
a frame's bytes can be found by a process that must not run what is in a store.
"""

from __future__ import annotations

import io
import json
import pickle
from typing import TYPE_CHECKING, Any, Self

from flowbook.exceptions import DamagedValueError
from flowbook.results.pickle_steps import check_steps

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Noted", "read_cells", "read_inert"]

_LENGTH_BYTES = 8
#: A longer stream isn't read: what it notes takes many times its memory. Large arrays lie beside the stream.
_MOST_STREAM_BYTES = 32 << 20


class Noted:
    """What a call would have made.

    Attributes:
        module: of the class or function that is named.
        name: of it.
        given: with what it would have been called.
        state: what it would have been given then; None if nothing.
    """

    module = ""
    name = ""

    given: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *given: object, **_: object) -> Self:
        """Note a call."""
        found = super().__new__(cls)
        found.given = given
        return found

    def __init__(self, *_: object, **__: object) -> None:
        """Nothing: it is noted already."""

    def __call__(self, *given: object) -> Noted:
        """Note a call of what a call would have made."""
        return Noted(*given)

    def __setstate__(self, state: object) -> None:
        self.state = state

    def append(self, _: object) -> None:
        """Ignore: no table has members that come so."""

    def extend(self, _: Iterable[object]) -> None:
        """Ignore, as `append`."""

    def __setitem__(self, _: object, __: object) -> None:
        """Ignore, as `append`."""


class _Unpickler(pickle.Unpickler):
    """Gives stand-ins for all that a pickle names."""

    def __init__(self, stream: bytes, buffers: Iterable[memoryview]) -> None:
        super().__init__(io.BytesIO(stream), buffers=buffers)
        self._known: dict[tuple[str, str], type[Noted]] = {}

    def find_class(self, module: str, name: str, /) -> type[Noted]:
        """Return a stand-in; nothing is imported."""
        known = self._known.get((module, name))
        if known is None:
            known = type("Noted", (Noted,), {"module": module, "name": name})
            self._known[module, name] = known
        return known


def _load(stream: bytes, buffers: Iterable[memoryview]) -> Any:  # noqa: ANN401  # what it says
    """Return what a stream of pickle's says, after a look at its steps: a few bytes could ask for all memory, or for years.

    Raises:
        ValueError: if it has steps that no pickler of Python's takes since protocol 4, or tuples within tuples beyond reason.
    """
    check_steps(stream)
    return _Unpickler(stream, buffers).load()


def read_inert(stored: memoryview) -> Any:  # noqa: ANN401  # what a user's task returned, or what stands for it
    """Return what a pickle that `serializer.dump` wrote says: plain values, and `Noted` for all else; arrays are views of it.

    Raises:
        DamagedValueError: if it says nothing that can be read so.
    """
    try:
        trailer_bytes = int.from_bytes(stored[-_LENGTH_BYTES:], "little")
        trailer = json.loads(bytes(stored[-_LENGTH_BYTES - trailer_bytes : -_LENGTH_BYTES]))
        start, end = trailer["stream"]
        if end - start > _MOST_STREAM_BYTES:
            raise ValueError(end - start)  # noqa: TRY301  # as whatever else is wrong with it
        buffers = [stored[first:last] for first, last in trailer["buffers"]]
        return _load(bytes(stored[start:end]), buffers)
    except Exception as error:
        msg = f"This stored value can't be read without running it: {type(error).__name__}."
        raise DamagedValueError(msg) from error


def read_cells(stored: memoryview) -> list[Any]:
    """Return the plain cells that `streamed` wrote by parts; what isn't plain is `Noted`."""
    found: list[Any] = []
    start = 0
    while start < len(stored):
        begin = start + _LENGTH_BYTES
        end = begin + int.from_bytes(stored[start:begin], "little")
        found += _load(bytes(stored[begin:end]), ())
        start = end
    return found
