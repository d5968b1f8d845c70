"""What goes over the wire between a store and a process that uses it through the API: values as JSON and back, by their types.

A coder is made from a type hint, so a method's hints are the format of its arguments and its answer. Nothing is pickled:
a state holds references to values, and bytes go as base64. Decoding compares each value with its type. Pure: no I/O.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import collections.abc
import dataclasses
import datetime as dt
import enum
import functools
import types
import typing
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook._utils.costs import Cost
from flowbook.engine.events import Decided, Event, InputChange, Logged, StateChanged
from flowbook.engine.ports import CacheScope
from flowbook.engine.remote_error import RemoteError
from flowbook.engine.state import Looped, Mapped, State
from flowbook.engine.task_progress import TaskProgress
from flowbook.results.reference import Preview, ResultRef
from flowbook.store import (
    cache,
    cached_output,
    deployments,
    event_rows,
    notices,
    plan_reads,
    recordings,
    records,
    run_snapshot,
    run_table,
    sweep,
)
from flowbook.store.state_codec import StateValues, decode, encode, is_state_name, state_name
from flowbook.store.values import Unstored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.store.values import Values

__all__ = ["RECORDS", "Coder", "WireError", "coder_of", "hints_of"]

#: The classes that go over the wire field by field.
RECORDS: tuple[type[Any], ...] = (
    Cost,
    cache.CacheEntry,
    CacheScope,
    records.Claim,
    records.ClaimToBegin,
    records.ClaimsToBegin,
    deployments.DeploymentRecord,
    notices.DueNotice,
    event_rows.EventRow,
    InputChange,
    notices.NoticeRow,
    records.PastDecision,
    plan_reads.PastEntry,
    plan_reads.PastOutput,
    records.ReceiverRow,
    recordings.RecordingStart,
    records.Request,
    records.RunRecord,
    run_snapshot.RunSnapshot,
    records.RunSummary,
    run_table.RunTable,
    records.RunToBegin,
    notices.RunToTellOf,
    records.RunWithProcess,
    sweep.SweepResult,
    records.TaskHistoryEntry,
    TaskProgress,
    records.TaskResult,
    notices.TaskToTellOf,
    plan_reads.TaskTimes,
    recordings.Written,
)
#: Classes without type hints of their own: the fields by name, in the order of their arguments.
_SLOTTED: dict[type[Any], dict[str, Any]] = {
    StateChanged: {"seq": int, "key": str, "state": State},
    Logged: {"seq": int, "key": str, "at": float, "level": int, "text": str, "shown": ResultRef | None},
    Decided: {
        "seq": int,
        "key": str,
        "at": float,
        "action": str,
        "by": str,
        "note": str,
        "changes": tuple[InputChange, ...],
        "looked_at": dict[str, str],
        "definitions": dict[str, str] | None,
    },
    RemoteError: {"type_name": str, "message": str, "formatted": str},
}
#: What the hints of the store's methods and records name; most of it is imported for type checkers only where they stand.
_NAMES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (*RECORDS, *_SLOTTED, State, ResultRef, event_rows.Urgency)},
    **{name: getattr(collections.abc, name) for name in ("Iterable", "Iterator", "Mapping", "Sequence")},
    "Any": Any,
    "Event": Event,
    "Inputs": cached_output.Inputs,
    "Preview": Preview,
    "builtins": builtins,
    "dt": dt,
}
_ARRAYS = (list, collections.abc.Iterable, collections.abc.Iterator)


class WireError(Exception):
    """What came over the wire isn't what its type says."""


class Coder(NamedTuple):
    """Turns values of one type into JSON and back.

    Attributes:
        encode: returns plain JSON.
        decode: returns the value; references are to the values that are given. Raises WireError.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any, Values], Any]


def hints_of(function: Callable[..., object] | type[Any]) -> dict[str, Any]:
    """Return the type hints of a method or a record of the store, by name."""
    return typing.get_type_hints(function, localns=_NAMES)


@functools.cache
def coder_of(hint: Any) -> Coder:  # noqa: ANN401  # a type hint
    """Return the coder of a type.

    Raises:
        TypeError: if values of that type don't go over the wire.
    """
    if (found := _SINGLE.get(hint) or _of_generic(typing.get_origin(hint), typing.get_args(hint))) is not None:
        return found
    if hint in _SLOTTED:
        return _record(hint, _SLOTTED[hint])
    if hint in RECORDS or hint is cached_output.Inputs:
        return _record(hint, {name: kind for name, kind in hints_of(hint).items() if name in _fields(hint)})
    if isinstance(hint, type) and issubclass(hint, enum.IntEnum):
        return Coder(int, lambda given, _: hint(_checked(given, int)))
    msg = f"{hint!r} doesn't go over the wire. Give it a coder in wire_codec, or use another type."
    raise TypeError(msg)


def _of_generic(origin: Any, arguments: tuple[Any, ...]) -> Coder | None:  # noqa: ANN401  # of a type hint
    """Return the coder of a type that is made of others; None if it is not."""
    if origin in {typing.Union, types.UnionType}:
        return _choice(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin in _ARRAYS:
        return _array(coder_of(arguments[0]))
    if origin is collections.abc.Sequence:
        return _tuple((arguments[0], ...))
    return _table(arguments[1]) if origin in {dict, collections.abc.Mapping} else None


def _fields(kind: type[Any]) -> Iterable[str]:
    if dataclasses.is_dataclass(kind):
        return [each.name for each in dataclasses.fields(kind)]
    return typing.cast("Iterable[str]", kind._fields)


# Plain values -----------------------------------------------------------------------------------------------------------


def _checked(given: Any, *kinds: type[Any]) -> Any:  # noqa: ANN401  # JSON
    if type(given) not in kinds:
        msg = f"{str(given)[:100]!r} is no {kinds[0].__name__}"
        raise WireError(msg)
    return given


def _same(given: Any) -> Any:  # noqa: ANN401  # JSON
    return given


def _decoded_int(given: Any, _: Values) -> int:  # noqa: ANN401  # as above
    found: int = _checked(given, int)
    if not -(1 << 63) <= found < 1 << 63:
        msg = "a number has more than 64 bits, which no column holds"
        raise WireError(msg)
    return found


def _decoded_float(given: Any, _: Values) -> float:  # noqa: ANN401  # as above
    try:
        return float(_checked(given, float, int))
    except OverflowError as error:
        raise WireError(str(error)) from error


def _encoded_bytes(given: bytes) -> str:
    return base64.b64encode(given).decode("ascii")


def _decoded_bytes(given: Any, _: Values) -> bytes:  # noqa: ANN401  # as above
    try:
        return base64.b64decode(_checked(given, str), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError(str(error)) from error


def _decoded_time(given: Any, _: Values) -> dt.datetime:  # noqa: ANN401  # as above
    try:
        found = dt.datetime.fromisoformat(_checked(given, str))
        found.astimezone(
            dt.UTC
        )  # as it is read from the store: one that isn't there would hide all that is listed with it
    except (OverflowError, ValueError) as error:
        raise WireError(str(error)) from error
    return found


def _decoded_duration(given: Any, values: Values) -> dt.timedelta:  # noqa: ANN401  # as above
    try:
        return dt.timedelta(seconds=_decoded_float(given, values))
    except (OverflowError, ValueError) as error:
        raise WireError(str(error)) from error


def _encoded_cell(given: Any) -> Any:  # noqa: ANN401  # as above
    """Return what a column of a database holds; bytes are the only ones that JSON lacks."""
    return {"bytes": _encoded_bytes(given)} if isinstance(given, bytes) else given


def _decoded_cell(given: Any, values: Values) -> Any:  # noqa: ANN401  # as above
    if isinstance(given, dict):
        return _decoded_bytes(given.get("bytes"), values)
    if type(given) is int:
        return _decoded_int(given, values)
    return None if given is None else _checked(given, str, float, bool)


# Values made of others --------------------------------------------------------------------------------------------------


def _choice(kinds: tuple[Any, ...]) -> Coder:
    """Return the coder of one of several types; where there is more than one besides None, its name goes along."""
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) > 1:
        return _tagged(others)
    encode_it, decode_it = coder_of(others[0])
    if len(others) == len(kinds):
        return Coder(encode_it, decode_it)
    return Coder(
        lambda given: None if given is None else encode_it(given),
        lambda given, values: None if given is None else decode_it(given, values),
    )


def _tagged(kinds: list[Any]) -> Coder:
    coders = {kind.__name__: (kind, coder_of(kind)) for kind in kinds}

    def encoded(given: object) -> list[object]:
        name, coder = next((name, coder) for name, (kind, coder) in coders.items() if isinstance(given, kind))
        return [name, coder.encode(given)]

    def decoded(given: Any, values: Values) -> object:  # noqa: ANN401  # JSON
        name, body = _items(given, 2)
        if name not in coders:
            msg = f"{str(name)[:100]!r} is none of {', '.join(coders)}"
            raise WireError(msg)
        return coders[name][1].decode(body, values)

    return Coder(encoded, decoded)


def _items(given: Any, count: int) -> list[Any]:  # noqa: ANN401  # JSON
    found: list[Any] = _checked(given, list)
    if len(found) != count:
        msg = f"there are {len(found)} items instead of {count}"
        raise WireError(msg)
    return found


def _tuple(kinds: tuple[Any, ...]) -> Coder:
    if len(kinds) == 2 and kinds[1] is ...:  # noqa: PLR2004  # tuple[T, ...]
        item = Coder(_encoded_cell, _decoded_cell) if kinds[0] is object else coder_of(kinds[0])
        inner = _array(item)
        return Coder(inner.encode, lambda given, values: tuple(inner.decode(given, values)))
    coders = [coder_of(kind) for kind in kinds]
    return Coder(
        lambda given: [coder.encode(each) for coder, each in zip(coders, given, strict=True)],
        lambda given, values: tuple(
            coder.decode(each, values) for coder, each in zip(coders, _items(given, len(coders)), strict=True)
        ),
    )


def _array(item: Coder) -> Coder:
    encode_it, decode_it = item
    return Coder(
        lambda given: [encode_it(each) for each in given],
        lambda given, values: [decode_it(each, values) for each in _checked(given, list)],
    )


def _table(kind: Any) -> Coder:  # noqa: ANN401  # a type hint
    #: Plain JSON, whatever it is.
    encode_it, decode_it = _SINGLE[Any] if kind in {object, Any} else coder_of(kind)
    return Coder(
        lambda given: {key: encode_it(each) for key, each in given.items()},
        lambda given, values: {key: decode_it(each, values) for key, each in _checked(given, dict).items()},
    )


def _record(kind: type[Any], fields: dict[str, Any]) -> Coder:
    coders = {name: coder_of(hint) for name, hint in fields.items()}

    def encoded(given: Any) -> list[Any]:  # noqa: ANN401  # of that class
        return [coder.encode(getattr(given, name)) for name, coder in coders.items()]

    def decoded(given: Any, values: Values) -> Any:  # noqa: ANN401  # JSON, and of that class
        items = _items(given, len(coders))
        found = {name: coder.decode(each, values) for (name, coder), each in zip(coders.items(), items, strict=True)}
        return kind(**found)

    return Coder(encoded, decoded)


# References and states --------------------------------------------------------------------------------------------------


def _encoded_ref(ref: ResultRef) -> list[Any]:
    if isinstance(ref.store, Unstored):
        return [ref.store.why]
    return [ref.digest, ref.size_bytes]


def _decoded_ref(given: Any, values: Values) -> ResultRef:  # noqa: ANN401  # JSON
    if len(_checked(given, list)) == 1:
        return ResultRef("", 0, Unstored(_checked(given[0], str)))
    digest, size_bytes = _items(given, 2)
    if len(_checked(digest, str)) != 64 or not set(digest) <= set("0123456789abcdef"):  # noqa: PLR2004  # of SHA-256
        msg = f"{digest[:100]!r} is no digest"
        raise WireError(msg)
    return ResultRef(digest, _decoded_int(size_bytes, values), values)


def _encoded_state(state: State) -> list[Any]:
    stored = StateValues()
    value = None if isinstance(state, Mapped | Looped) else state.raw_result
    if isinstance(value, ResultRef) and isinstance(value.store, Unstored):
        stored.missing = value.store.why
    elif isinstance(value, ResultRef):
        stored.result = value
    elif isinstance(value, RemoteError):
        stored.error = {"type": value.type_name, "message": value.message, "traceback": value.formatted}
    elif value is not None:
        stored.missing = "it was never in the store"
    for name, each in (state.cached_inputs or {}).items():
        stored.inputs[name] = _input(each)
    children = state.map_states if isinstance(state, Mapped) else ()
    return [
        state_name(state),
        state.at,
        encode(state, stored),
        None if stored.result is None else _encoded_ref(stored.result),
        [None if child is None else _encoded_state(child) for child in children or ()],
    ]


def _input(value: object) -> ResultRef | str:
    """Return a reference to an input, or why there is none."""
    if not isinstance(value, ResultRef):
        return "it was never in the store"
    return value.store.why if isinstance(value.store, Unstored) else value


def _decoded_state(given: Any, values: Values) -> State:  # noqa: ANN401  # JSON
    name, at, body, ref, children = _items(given, 5)
    if not is_state_name(_checked(name, str)):
        msg = f"{name[:100]!r} is no state"
        raise WireError(msg)
    try:
        moment = _decoded_float(at, values)
        dt.datetime.fromtimestamp(moment, dt.UTC)  # as it is read from the store
        result = None if ref is None else _decoded_ref(ref, values)
        state = decode(name, moment, body, result, values)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        msg = f"the state can't be read ({type(error).__name__}: {error})"
        raise WireError(msg) from error
    if isinstance(state, Mapped) and children:
        state.map_states = [_decoded_state(child, values) for child in _checked(children, list)]
    return state


_SINGLE: dict[Any, Coder] = {
    Any: Coder(_same, lambda given, _: given),
    None: Coder(_same, lambda _given, _values: None),
    type(None): Coder(_same, lambda _given, _values: None),
    str: Coder(str.__str__, lambda given, _: _checked(given, str)),
    bool: Coder(_same, lambda given, _: _checked(given, bool)),
    int: Coder(_same, _decoded_int),
    float: Coder(_same, _decoded_float),
    bytes: Coder(_encoded_bytes, _decoded_bytes),
    dt.datetime: Coder(dt.datetime.isoformat, _decoded_time),
    dt.timedelta: Coder(dt.timedelta.total_seconds, _decoded_duration),
    ResultRef: Coder(_encoded_ref, _decoded_ref),
    State: Coder(_encoded_state, _decoded_state),
}
