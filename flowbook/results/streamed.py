"""Large values that pickle would copy as a whole, written by parts.

Long texts, lists and object arrays of plain cells, arrays that lie scattered in memory. Each travels as a buffer beside
the pickle stream, whose bytes are made as they are written (`Streamed`).
Names of the `restore_…` functions stand in stored pickles: don't rename them.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Streamed", "reduce_array", "restore_array", "restore_cells", "restore_list", "restore_text", "whole"]

#: Smaller values are pickled as they are.
_LARGE_BYTES = 1 << 20
_PART_BYTES = 1 << 20
_PART_CHARACTERS = 1 << 18
_PART_CELLS = 20_000
_LENGTH_BYTES = 8
#: Immutable, so that it doesn't matter whether two cells are one object.
_PLAIN = frozenset({str, bytes, int, float, complex, bool, type(None)})


class Streamed(bytearray):
    """Stands for a buffer whose bytes `parts()` makes."""

    parts: Callable[[], Iterator[bytes | memoryview]]

    @classmethod
    def of(cls, parts: Callable[[], Iterator[bytes | memoryview]]) -> pickle.PickleBuffer:
        """Return a buffer for the pickler."""
        found = cls()
        found.parts = parts
        return pickle.PickleBuffer(found)


class _Whole:
    """A value that is reduced to a streamed buffer, as pickle asks builtin types nothing."""

    def __init__(self, *reduced: Any) -> None:  # noqa: ANN401
        self._reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


def whole(value: object) -> object:
    """Return what to pickle for a value: itself, or if it is a long text or list of plain cells, what stands for it."""
    if isinstance(value, str) and type(value) is str and len(value) > _LARGE_BYTES:
        return _Whole(restore_text, (Streamed.of(lambda: _text_parts(value)),))
    if isinstance(value, list) and type(value) is list and len(value) > _PART_CELLS and _is_plain(value):
        return _Whole(restore_list, (Streamed.of(lambda: _cell_parts(value)),))
    return value


def reduce_array(array: Any) -> tuple[Any, ...] | None:  # noqa: ANN401  # an array of numpy's own class
    """Return how a large array is pickled that pickle would copy; None for one that goes as it is."""
    if array.nbytes < _LARGE_BYTES or array.dtype.names:
        return None
    if array.dtype.hasobject:
        return _reduce_cells(array)
    if array.flags.c_contiguous or array.flags.f_contiguous or array.dtype.kind not in "biufcmMSU":
        return None
    return restore_array, (Streamed.of(lambda: _array_parts(array)), array.dtype, array.shape)


def _reduce_cells(array: Any) -> tuple[Any, ...] | None:  # noqa: ANN401
    numpy = sys.modules["numpy"]
    is_turned = array.flags.f_contiguous and not array.flags.c_contiguous
    flat = numpy.ascontiguousarray(array.T if is_turned else array).reshape(-1)
    if not _is_plain(flat):
        return None
    return restore_cells, (Streamed.of(lambda: _cell_parts(flat)), array.shape, is_turned)


def _is_plain(cells: Any) -> bool:  # noqa: ANN401  # a list or flat array
    return all(_PLAIN.issuperset(map(type, part)) for part in _parts_of(cells))


def _parts_of(cells: Any) -> Iterator[list[Any]]:  # noqa: ANN401
    for start in range(0, len(cells), _PART_CELLS):
        part = cells[start : start + _PART_CELLS]
        yield part if isinstance(part, list) else part.tolist()


def _cell_parts(cells: Any) -> Iterator[bytes]:  # noqa: ANN401
    for part in _parts_of(cells):
        pickled = pickle.dumps(part, protocol=5)
        yield len(pickled).to_bytes(_LENGTH_BYTES, "little") + pickled


def _text_parts(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _PART_CHARACTERS):
        yield text[start : start + _PART_CHARACTERS].encode("utf-8", "surrogatepass")


def _array_parts(array: Any) -> Iterator[memoryview]:  # noqa: ANN401
    numpy = sys.modules["numpy"]
    rows = max(1, _PART_BYTES * len(array) // array.nbytes)
    if rows == 1 and array.ndim > 1 and array.nbytes // len(array) > _PART_BYTES:
        for row in array:
            yield from _array_parts(row)
        return
    for start in range(0, len(array), rows):
        yield memoryview(numpy.ascontiguousarray(array[start : start + rows]).reshape(-1).view("u1"))


# Reading ------------------------------------------------------------------------------------------------------------


def restore_text(stored: Any) -> str:  # noqa: ANN401  # a buffer
    """Return the text."""
    return str(stored, "utf-8", "surrogatepass")


def restore_list(stored: Any) -> list[Any]:  # noqa: ANN401
    """Return the list."""
    found: list[Any] = []
    for part in _stored_parts(stored):
        found.extend(part)
    return found


def restore_cells(stored: Any, shape: tuple[int, ...], is_turned: bool) -> Any:  # noqa: ANN401, FBT001
    """Return the array of objects."""
    import numpy as np  # noqa: PLC0415  # heavy

    flat = np.empty(shape, dtype=object).reshape(-1)
    start = 0
    for part in _stored_parts(stored):
        flat[start : start + len(part)] = part
        start += len(part)
    return flat.reshape(shape[::-1]).T if is_turned else flat.reshape(shape)


def restore_array(stored: Any, dtype: Any, shape: tuple[int, ...]) -> Any:  # noqa: ANN401
    """Return the array, a view of what is stored, in the order of its rows."""
    import numpy as np  # noqa: PLC0415  # heavy

    return np.frombuffer(stored, dtype=dtype).reshape(shape)


def _stored_parts(stored: Any) -> Iterator[list[Any]]:  # noqa: ANN401
    view, start = memoryview(stored), 0
    while start < len(view):
        begin = start + _LENGTH_BYTES
        end = begin + int.from_bytes(view[start:begin], "little")
        yield pickle.loads(view[begin:end])  # noqa: S301  # part of a value whose signature was checked
        start = end
