"""Values to bytes and back: JSON for small plain values, otherwise pickle protocol 5 with buffers out of band.

Layout: a header of 16 bytes (magic, version, format); then for `J` the JSON text, for `P` the pickle stream, the
buffers (each aligned to 64 bytes), a JSON trailer with versions and lengths, and its length in 8 bytes. Lengths stand
at the end so that everything is streamed: a large array is written from where it lies. Buffers are read back as views,
so a memory-mapped file is an array without a copy. Reading `P` runs code: only the store may, after a check of the
signature.
Source: PEP 574 for out-of-band buffers.
"""

from __future__ import annotations

import json
import pickle
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from flowbook._utils.gc_pause import gc_paused
from flowbook._utils.locks import Rank, RankedLock, renew_in_child
from flowbook.exceptions import DamagedValueError, FlowbookError, UnpicklableError
from flowbook.results.old_names import load_old
from flowbook.results.streamed import Streamed, whole
from flowbook.results.unpicklable import unpicklable
from flowbook.results.user_code import modules_by_value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = ["Writer", "dump", "dump_plain", "is_pickle", "load", "load_plain", "pickle_to"]

_ALIGNMENT = 64
_HEADER_BYTES = 16
_LENGTH_BYTES = 8
_MAGIC = b"FLOWBOOK"
_VERSION = b"\x01"
_JSON_HEADER = (_MAGIC + _VERSION + b"J").ljust(_HEADER_BYTES, b"\0")
_PICKLE_HEADER = (_MAGIC + _VERSION + b"P").ljust(_HEADER_BYTES, b"\0")
#: Plain values with more items are pickled, which is faster than JSON.
_PLAIN_ITEMS = 1000
_PLAIN_CHARACTERS = 50_000
#: JSON takes any int, but Python refuses to print very long ones.
_PLAIN_INT_BITS = 256
_PLAIN_SCALARS = frozenset({float, bool, type(None)})
_PLAIN_KINDS = frozenset({str, list, dict})
#: Made once: `json.dumps` with options makes an encoder on each call.
#: Text isn't escaped: two escaped lone surrogates would be read back as the one character that they spell.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
#: `json.loads` without its detection of the encoding and its search for spaces.
_decode = json.JSONDecoder().raw_decode


class _ByValue:
    """Lets one thread at a time have modules pickled by value."""

    def __init__(self) -> None:
        self._renew_lock()
        renew_in_child(self, _ByValue._renew_lock)

    def _renew_lock(self) -> None:
        self.lock = RankedLock(Rank.PICKLING_BY_VALUE)


_BY_VALUE = _ByValue()


class Writer(Protocol):
    """Takes bytes in order; a file, or anything that counts and hashes on the way."""

    def write(self, part: bytes | memoryview, /) -> object:
        """Take the next bytes."""
        ...


def dump_plain(value: object) -> bytes | None:
    """Return `value` as stored JSON where that gives the same value back; None where it must be pickled."""
    kind = type(value)
    if kind is int and isinstance(value, int):
        return _JSON_HEADER + b"%d" % value if value.bit_length() <= _PLAIN_INT_BITS else None
    if kind in _PLAIN_SCALARS or (kind in _PLAIN_KINDS and _is_plain(value)):
        try:
            return _JSON_HEADER + _encode(value).encode()
        except (UnicodeEncodeError, RecursionError):  # a lone surrogate; more depth than JSON's encoder takes
            return None
    return None


def dump(value: object, out: Writer, *, by_value: bool = False) -> None:
    """Write `value` to `out` as a pickle; it takes little memory beside the value.

    Args:
        value: anything.
        out: takes the bytes; what it raises comes through.
        by_value: include functions and classes of the user's modules, for processes that can't import these.

    Raises:
        UnpicklableError: naming the type and the member at fault.
    """
    counted = _Counted(out)
    buffers: list[pickle.PickleBuffer] = []
    try:
        counted.write(_PICKLE_HEADER)
        try:
            pickle_to(whole(value), counted, buffers, by_value=by_value, streams=True)
        except _OutError:
            raise
        except BaseException as exc:  # a user's __reduce__ may exit
            raise unpicklable(value, exc) from exc
        trailer: dict[str, object] = {"versions": _versions(), "stream": [_HEADER_BYTES, counted.total]}
        trailer["buffers"] = [counted.write_aligned(_parts(buffer.raw())) for buffer in buffers]
        text = json.dumps(trailer, separators=(",", ":")).encode()
        counted.write(text + len(text).to_bytes(_LENGTH_BYTES, "little"))
    except _OutError as exc:
        raise exc.reason from exc


def is_pickle(stored: bytes | bytearray | memoryview) -> bool:
    """Return whether reading `stored` would unpickle.

    Raises:
        DamagedValueError: if it is in neither format.
    """
    header = bytes(stored[:_HEADER_BYTES])
    if header == _PICKLE_HEADER:
        return True
    if header == _JSON_HEADER:
        return False
    msg = (
        f"A stored value begins with {header!r}: this version of flowbook can't read it. "
        "Use the flowbook that wrote it, or run its task again."
    )
    raise DamagedValueError(msg, header=header)


def load(stored: bytes | bytearray | memoryview) -> Any:  # noqa: ANN401  # what a user's task returned
    """Return the value; its buffers are views of `stored`, writable where that is.

    The caller has made sure that a pickle is trusted.

    Raises:
        DamagedValueError: if it is in neither format.
        UnpicklableError: if the code that it needs can't be imported, or raises.
    """
    if not is_pickle(stored):
        return load_plain(stored)
    view = memoryview(stored)
    trailer_bytes = int.from_bytes(view[-_LENGTH_BYTES:], "little")
    trailer = json.loads(bytes(view[-_LENGTH_BYTES - trailer_bytes : -_LENGTH_BYTES]))
    start, end = trailer["stream"]
    buffers = [view[first:last] for first, last in trailer["buffers"]]
    try:
        try:
            return pickle.loads(view[start:end], buffers=buffers)  # noqa: S301  # signed, see the store's values
        except (AttributeError, ModuleNotFoundError):
            return load_old(view[start:end], buffers)
    except FlowbookError:
        raise
    except Exception as exc:
        msg = (
            f"A stored value can't be read here: {type(exc).__name__}: {exc}. It needs the modules and classes that it was "
            "made of: put their folder on PYTHONPATH, or run its task again."
        )
        raise UnpicklableError(msg) from exc


def load_plain(stored: bytes | bytearray | memoryview) -> Any:  # noqa: ANN401  # what a user's task returned
    """Return a value that isn't a pickle."""
    return _decode(str(memoryview(stored)[_HEADER_BYTES:], "utf-8"))[0]


class _OutError(Exception):
    """Carries the writer's own error through the pickler, apart from errors that the value raises."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason


class _Counted:
    def __init__(self, out: Writer) -> None:
        self._out = out
        self.total = 0

    def write(self, part: bytes | memoryview) -> int:
        try:
            self._out.write(part)
        except Exception as exc:
            raise _OutError(exc) from exc
        size = part.nbytes if isinstance(part, memoryview) else len(part)
        self.total += size
        return size

    def write_aligned(self, parts: Iterable[bytes | memoryview]) -> list[int]:
        self.write(bytes(-self.total % _ALIGNMENT))
        start = self.total
        for part in parts:
            self.write(part)
        return [start, self.total]


def _parts(buffer: memoryview) -> Iterable[bytes | memoryview]:
    source = buffer.obj
    return source.parts() if isinstance(source, Streamed) else (buffer,)


def pickle_to(
    value: object, out: Writer, buffers: list[pickle.PickleBuffer], *, by_value: bool, streams: bool = False
) -> None:
    """Write the bare pickle stream of `value` to `out`; out-of-band buffers are appended to `buffers`.

    Args:
        value: anything.
        out: takes the stream.
        buffers: gets the rest.
        by_value: as for `dump`.
        streams: whether buffers may be `Streamed`.
    """
    import cloudpickle  # noqa: PLC0415  # heavy

    from flowbook.results.by_value import ByValuePickler  # noqa: PLC0415  # heavy

    def pickled() -> None:
        ByValuePickler(out, buffers.append, streams=streams).dump(value)

    if not by_value:
        pickled()
        return
    with _BY_VALUE.lock:
        modules = [module for name in modules_by_value() if _can_go_by_value(module := sys.modules[name])]
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            #: What is made of functions lives until the end, so the collector would look through it in vain.
            with gc_paused():
                pickled()
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)


def _can_go_by_value(module: ModuleType) -> bool:
    """Return whether a module can go by value: the user hasn't registered it already, and it is loaded under its own name."""
    import cloudpickle  # noqa: PLC0415  # heavy

    name = module.__name__
    return sys.modules.get(name) is module and name not in cloudpickle.list_registry_pickle_by_value()


@cache
def _versions() -> dict[str, str]:
    import cloudpickle  # noqa: PLC0415  # heavy

    return {"python": "{}.{}".format(*sys.version_info[:2]), "cloudpickle": cloudpickle.__version__}


def _is_plain(value: object) -> bool:
    """Return whether JSON gives `value` back equal in type and value; False early if it is large or holds itself."""
    stack, characters = [value], 0
    for count, item in enumerate(stack):
        if count > _PLAIN_ITEMS or characters > _PLAIN_CHARACTERS:
            return False
        if type(item) in _PLAIN_SCALARS:
            continue
        if type(item) is str and isinstance(item, str):
            characters += len(item)
            continue
        if type(item) is int and isinstance(item, int):
            if item.bit_length() > _PLAIN_INT_BITS:
                return False
        elif type(item) is list and isinstance(item, list) and len(item) <= _PLAIN_ITEMS:
            stack.extend(item)
        elif type(item) is dict and isinstance(item, dict) and len(item) <= _PLAIN_ITEMS:
            if not all(type(key) is str for key in item):
                return False
            characters += sum(map(len, item))
            stack.extend(item.values())
        else:
            return False
    return characters <= _PLAIN_CHARACTERS
