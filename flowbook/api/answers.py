"""What endpoints share: the store that they serve, and how a model becomes an answer."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from pydantic_core import PydanticSerializationError
from starlette.requests import Request
from starlette.responses import Response

from flowbook.api.wire import Problem
from flowbook.store import Store

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["PROBLEMS", "StoreHere", "answer", "store_of"]

#: What any endpoint may answer instead, for its `responses=`.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": HTTPStatus(status).phrase, "content": {"application/problem+json": {}}}
    for status in (401, 403, 404, 409, 410, 413, 415, 422, 503)
}


def store_of(request: Request) -> Store:
    """Return the store that the application serves."""
    store: Store = request.app.state.store
    return store


StoreHere = Annotated[Store, Depends(store_of)]


def answer(model: BaseModel, status: int = HTTPStatus.OK, *, leaves_out_none: bool = False) -> Response:
    """Return a model as JSON; NaN and infinities become null, as JSON has none."""
    try:
        content: str | bytes = model.model_dump_json(exclude_none=leaves_out_none)
    except PydanticSerializationError:  # a text that is no valid Unicode, which came with an undecodable file name
        content = json.dumps(_valid(model.model_dump(mode="python")), default=str)
    return Response(content, status, media_type="application/json")


def _valid(value: object) -> object:
    """Return plain data with its texts as valid Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_valid(name): _valid(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
