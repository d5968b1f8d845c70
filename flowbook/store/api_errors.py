"""Flowbook's errors on their way from a server to who called it: name, message and details, as plain JSON."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flowbook import exceptions
from flowbook.engine.remote_error import safe_repr
from flowbook.exceptions import FlowbookError, StoreError

__all__ = ["decode_error", "encode_error"]

_KINDS: dict[str, type[FlowbookError]] = {
    name: kind
    for name in exceptions.__all__
    if isinstance(kind := getattr(exceptions, name), type) and issubclass(kind, FlowbookError)
}
_PLAIN = (str, int, float, bool, type(None))


def encode_error(error: FlowbookError) -> dict[str, Any]:
    """Return an error as JSON."""
    details = {name: _encoded(each) for name, each in error.details.items()}
    return {"error": type(error).__name__, "detail": str(error), "details": details}


def decode_error(found: dict[str, Any]) -> FlowbookError:
    """Return the error that a server tells of; of a kind that isn't known here: a StoreError."""
    kind = _KINDS.get(str(found.get("error")), StoreError)
    details = found.get("details")
    known = {str(name): _decoded(each) for name, each in details.items()} if isinstance(details, dict) else {}
    known.pop("message", None)
    return kind(str(found.get("detail", "The server gave no reason.")), **known)


def _encoded(each: object) -> object:
    if isinstance(each, dt.datetime):
        return {"time": each.isoformat()}
    if isinstance(each, list | tuple):
        return [_encoded(item) for item in each]
    return each if isinstance(each, _PLAIN) else safe_repr(each)


def _decoded(each: Any) -> object:  # noqa: ANN401  # JSON
    if isinstance(each, dict) and isinstance(each.get("time"), str):
        return dt.datetime.fromisoformat(each["time"])
    return each
