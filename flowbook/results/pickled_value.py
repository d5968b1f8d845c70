"""A value on its way between processes: pickled separately from its message, and unpickled only when it is read.

So the transport (a cluster, a pipe) never runs user code. Buffers of arrays and frames travel beside the stream,
without a copy. Source: PEP 574.
"""

from __future__ import annotations

import io
import itertools
import operator
import os
import pickle
from types import FunctionType
from typing import Any, SupportsIndex

from flowbook.results.serializer import pickle_to
from flowbook.results.unpicklable import unpicklable
from flowbook.results.user_code import travels_by_value

__all__ = ["PickledValue"]

#: A stream up to this size is held in memory; a longer one is made again when it is sent.
_HELD_BYTES = 64_000
_ABSENT: Any = object()
_NUMBERS = itertools.count()


class PickledValue:
    """Holds a value, or its bytes. `size_bytes` counts the stream and the buffers beside it.

    Don't change the value: other readers in this process get the same object.
    """

    __slots__ = ("_buffers", "_label", "_stream", "_value", "size_bytes")

    def __init__(self, stream: bytes | None, buffers: list[Any], size_bytes: int, label: str = "") -> None:
        self._stream = stream
        self._buffers = buffers
        self._value = _ABSENT
        self._label = label
        self.size_bytes = size_bytes

    @classmethod
    def of(cls, value: object) -> PickledValue:
        """Return `value` as a PickledValue. It is pickled once to make sure that it can be.

        Raises:
            UnpicklableError: naming the member at fault.
        """
        out = _Head()
        try:
            buffers = _pickle(value, out)
        except BaseException as exc:  # a user's __reduce__ may exit
            raise unpicklable(value, exc) from exc
        pickled = cls(out.stream(), buffers, out.size_bytes + sum(buffer.raw().nbytes for buffer in buffers))
        pickled._value = value
        return pickled

    @property
    def label(self) -> str:
        """A unique name, the same in every process."""
        if not self._label:
            self._label = f"{os.getpid()}-{next(_NUMBERS)}"
        return self._label

    @property
    def value(self) -> Any:  # noqa: ANN401  # what a user's task returned
        """The value; unpickled when first read, which runs user code and may raise anything."""
        if self._value is _ABSENT:
            assert self._stream is not None  # noqa: S101  # a value from another process has its bytes
            self._value = pickle.loads(self._stream, buffers=self._buffers)  # noqa: S301  # the run's own workers sent it
        return self._value

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[object, ...]:
        stream, buffers = self._stream, self._buffers
        if stream is None:
            out = io.BytesIO()
            buffers = _pickle(self._value, out)
            stream = out.getvalue()
        if operator.index(protocol) < pickle.HIGHEST_PROTOCOL:
            #: Dask's scheduler speaks an older one, which has no buffers.
            buffers = [bytearray(buffer) for buffer in buffers]
        return PickledValue, (stream, buffers, self.size_bytes, self._label)

    def __sizeof__(self) -> int:
        return self.size_bytes

    def __repr__(self) -> str:
        return f"<PickledValue of {self.size_bytes:,} bytes>"


class _Head(io.RawIOBase):
    """Counts the bytes, and holds them while they are few."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._parts: list[bytes] = []

    def write(self, part: Any, /) -> int:  # noqa: ANN401  # bytes or a view
        size = len(part)
        self.size_bytes += size
        if self.size_bytes <= _HELD_BYTES:
            self._parts.append(bytes(part))
        else:
            self._parts.clear()
        return size

    def stream(self) -> bytes | None:
        return b"".join(self._parts) if self.size_bytes <= _HELD_BYTES else None


def _pickle(value: object, out: Any) -> list[pickle.PickleBuffer]:  # noqa: ANN401  # a writer
    """Write the stream of `value` to `out`; functions and classes of the user's modules go by value."""
    start = out.tell() if isinstance(out, io.BytesIO) else 0
    buffers: list[pickle.PickleBuffer] = []
    try:
        _Quick(out, protocol=5, buffer_callback=buffers.append).dump(value)
    except BaseException:  # noqa: BLE001  # cloudpickle may succeed, and otherwise says what is wrong
        buffers.clear()
        if isinstance(out, _Head):
            out.__init__()  # type: ignore[misc]  # begins anew
        else:
            out.seek(start)
            out.truncate()
        pickle_to(value, out, buffers, by_value=True)
    return buffers


class _Quick(pickle.Pickler):
    """Pickles by reference; raises PicklingError for functions and classes of the user's own modules."""

    def reducer_override(self, obj: object) -> Any:  # noqa: ANN401  # as pickle says
        if isinstance(obj, (type, FunctionType)) and travels_by_value(getattr(obj, "__module__", None)):
            raise pickle.PicklingError
        return NotImplemented
