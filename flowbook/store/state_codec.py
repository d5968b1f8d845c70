"""A state as plain JSON and back.

Values aren't part of the JSON: the caller passes what the store has of them, and decoding returns references. Pure: no I/O.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook._utils.costs import Cost
from flowbook.engine import state as states
from flowbook.engine.remote_error import safe_repr
from flowbook.engine.state import (
    Cached,
    Cancelling,
    Failed,
    Looped,
    Mapped,
    Paused,
    Pending,
    Queued,
    RemoteError,
    Resume,
    Retrying,
    Running,
    Scheduled,
    State,
    Submitted,
    Success,
)
from flowbook.engine.state_kinds import FINISHED
from flowbook.results.reference import ResultRef
from flowbook.store.values import Unstored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.store.values import Values

__all__ = ["StateValues", "decode", "encode", "is_finished_name", "is_state_name", "state_name"]

#: Made once, since `json.dumps` with options makes an encoder on each call.
_to_json = json.JSONEncoder(separators=(",", ":"), default=str).encode
#: The common kinds that have no fields of their own.
_BARE = frozenset({Pending, Running, Success, Failed})
#: Kinds with one field that JSON takes as it is.
_PLAIN_FIELDS: Mapping[type[State], str] = {Cancelling: "since", Mapped: "n_map_states", Looped: "loop_count"}

_KINDS: dict[str, type[State]] = {
    name: kind for name in states.__all__ if isinstance(kind := getattr(states, name), type) and issubclass(kind, State)
}


@dataclass(slots=True)
class StateValues:
    """What the store has of a state's values.

    Attributes:
        result: where the value is.
        missing: why the value isn't stored, if it should have been.
        inputs: by argument the stored value, or why it isn't stored.
        error: the exception's type, message and traceback, with `ref` where it could be pickled.
    """

    result: ResultRef | None = None
    missing: str | None = None
    inputs: dict[str, ResultRef | str] = field(default_factory=dict)
    error: dict[str, Any] | None = None


def state_name(state: State) -> str:
    """Return the name of the state's class, or of the nearest of flowbook's own that it derives from."""
    kind = type(state)
    name = kind.__name__
    if _KINDS.get(name) is kind:
        return name
    return next(base.__name__ for base in kind.__mro__ if _KINDS.get(base.__name__) is base)


def is_state_name(name: str) -> bool:
    """Return whether there are states of that name."""
    return name in _KINDS


def is_finished_name(name: str) -> bool:
    """Return whether states of that name are finished."""
    return name in FINISHED


def encode(state: State, stored: StateValues | None) -> str | None:
    """Return `state` without its class, time and result as JSON; None if nothing else is set.

    Never raises: a message or a context that JSON can't hold is written as text.
    """
    body = _body(state, stored)
    return _written(body) if body else None


def decode(name: str, at: float, body: str | None, result: ResultRef | None, values: Values) -> State:
    """Return the state; its result and inputs are references that load when read."""
    return _decode(name, at, json.loads(body) if body else {}, result, values)


def _written(body: dict[str, Any]) -> str:
    """Return `body` as JSON; a part of it that JSON can't hold, as text."""
    try:
        return _to_json(body)
    except BaseException:  # noqa: BLE001  # a message or a context holds users' objects, which may raise anything
        return _to_json({name: part if _is_json(part) else safe_repr(part) for name, part in body.items()})


def _is_json(part: object) -> bool:
    try:
        _to_json(part)
    except BaseException:  # noqa: BLE001  # as above
        return False
    return True


def _body(state: State, stored: StateValues | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if message := _message(state):
        body["message"] = message
    if context := _context(state):
        body["context"] = context
    if type(state) not in _BARE:
        body.update(_fields(state))
    if state.cost is not None:
        body["cost"] = [round(state.cost.cpu_s, 6), state.cost.memory_bytes, state.cost.is_own]
    if stored is not None:
        if stored.missing is not None:
            body["unkept"] = stored.missing
        if stored.inputs:
            body["inputs"] = {name: _plain(found) for name, found in stored.inputs.items()}
        if stored.error is not None:
            body["error"] = stored.error
    return body


def _message(state: State) -> str:
    """Return the message as text, whatever was given for one."""
    message: object = state.message
    if issubclass(type(message), str):
        return str.__str__(message)
    return "" if message is None else safe_repr(message)


def _context(state: State) -> dict[str, object] | str:
    try:
        return dict(state.context)
    except BaseException:  # noqa: BLE001  # a mapping of the user's may raise anything
        return safe_repr(state.context)


def _fields(state: State) -> dict[str, Any]:
    if isinstance(state, Scheduled):
        return {"start_time": _stamp(state.start_time), **_fields_of_scheduled(state)}
    if isinstance(state, Cached):
        return {
            "input_hashes": state.input_hashes and dict(state.input_hashes),
            "parameters": state.parameters and dict(state.parameters),
            "expiry": _stamp(state.expiry),
            "entry": state.entry,
            "created": _stamp(state.created),
            "stale_code": state.stale_code,
            **({"made_here": True} if state.made_here else {}),
            **({"stale_inputs": dict(state.stale_inputs)} if state.stale_inputs else {}),
        }
    for kind, name in _PLAIN_FIELDS.items():
        if isinstance(state, kind):
            return {name: getattr(state, name)}
    if isinstance(state, Submitted) and state.state is not None:
        return {"state": [state_name(state.state), state.state.at, _body(state.state, None)]}
    return {}


def _fields_of_scheduled(state: Scheduled) -> dict[str, Any]:
    if isinstance(state, (Queued, Retrying)):
        return {"run_count": state.run_count}
    if isinstance(state, Paused):
        found = {"deadline": _stamp(state.deadline), "otherwise": state.otherwise, "asks": state.asks}
        return {name: each for name, each in found.items() if each}
    if isinstance(state, Resume) and state.action != "resume":
        return {"action": state.action, "by": state.by, "note": state.note}
    return {}


def _set_fields_of_scheduled(state: Scheduled, body: Mapping[str, Any]) -> None:
    state.start_time = _moment(body.get("start_time"))
    if isinstance(state, (Queued, Retrying)):
        state.run_count = body.get("run_count", 0)
    elif isinstance(state, Paused):
        state.deadline = _moment(body.get("deadline"))
        state.otherwise, state.asks = body.get("otherwise", ""), body.get("asks", "")
    elif isinstance(state, Resume):
        state.action, state.by, state.note = body.get("action", "resume"), body.get("by", ""), body.get("note", "")


def _decode(name: str, at: float, body: Mapping[str, Any], result: ResultRef | None, values: Values) -> State:
    kind = _KINDS[name]
    context = body.get("context")
    state = kind(body.get("message"), context={"text": context} if isinstance(context, str) else context)
    state.at = at
    if cost := body.get("cost"):
        state.cost = Cost(*cost)
    state.result = _result(body, result, values)
    if inputs := body.get("inputs"):
        state.cached_inputs = {argument: _reference(found, values) for argument, found in inputs.items()}
    _set_fields(state, body, values)
    return state


def _set_fields(state: State, body: Mapping[str, Any], values: Values) -> None:
    if isinstance(state, Scheduled):
        _set_fields_of_scheduled(state, body)
    elif isinstance(state, Cached):
        state.input_hashes, state.parameters = body.get("input_hashes"), body.get("parameters")
        state.expiry, state.created = _moment(body.get("expiry")), _moment(body.get("created"))
        state.entry, state.stale_code = body.get("entry"), body.get("stale_code", False)
        state.stale_inputs = body.get("stale_inputs") or {}
        state.made_here = body.get("made_here", False)
    elif isinstance(state, Cancelling):
        state.since = body.get("since")
    elif isinstance(state, Mapped):
        state.n_map_states = body.get("n_map_states", 0)
    elif isinstance(state, Looped):
        state.loop_count = body.get("loop_count", 0)
    elif isinstance(state, Submitted) and "state" in body:
        name, at, inner = body["state"]
        state.state = _decode(name, at, inner, None, values)


def _result(body: Mapping[str, Any], result: ResultRef | None, values: Values) -> object:
    if error := body.get("error"):
        if error.get("ref"):
            return _reference(error["ref"], values)
        return RemoteError(error["type"], error["message"], error["traceback"])
    if result is not None:
        return result
    return ResultRef("", 0, Unstored(body["unkept"])) if "unkept" in body else None


def _plain(found: ResultRef | str) -> object:
    return {"unkept": found} if isinstance(found, str) else [found.digest, found.size_bytes]


def _reference(found: Any, values: Values) -> ResultRef:  # noqa: ANN401  # JSON
    if isinstance(found, dict):
        return ResultRef("", 0, Unstored(found["unkept"]))
    digest, size_bytes = found
    return ResultRef(digest, size_bytes, values)


def _stamp(moment: dt.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(stamp: float | None) -> dt.datetime | None:
    return None if stamp is None else dt.datetime.fromtimestamp(stamp, dt.UTC)
