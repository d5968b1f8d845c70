"""Answers that say what went wrong, as problem JSON: what happened, with the value; then what to do.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from flowbook import exceptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

__all__ = ["MEDIA_TYPE", "add_problems", "of_http", "problem"]

MEDIA_TYPE = "application/problem+json"
#: By kind of error, the more special first.
_STATUS = (
    (exceptions.UnknownRunError, HTTPStatus.NOT_FOUND),
    (exceptions.UnknownTaskError, HTTPStatus.NOT_FOUND),
    (exceptions.UnknownDeploymentError, HTTPStatus.NOT_FOUND),
    (exceptions.CacheEntryError, HTTPStatus.NOT_FOUND),
    (exceptions.ResultGoneError, HTTPStatus.GONE),
    (exceptions.RunClaimedError, HTTPStatus.CONFLICT),
    (exceptions.RunIncompleteError, HTTPStatus.CONFLICT),
    (exceptions.RunChangedError, HTTPStatus.CONFLICT),
    (exceptions.StartTaskError, HTTPStatus.CONFLICT),
    (exceptions.DefinitionError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (exceptions.StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (exceptions.FlowbookError, HTTPStatus.CONFLICT),
)
_SHOWN_CHARS = 100
#: What FastAPI says if reading the body as JSON raises anything but a syntax error.
_UNREAD = "There was an error parsing the body"

_log = logging.getLogger("flowbook.api")


def problem(
    status: int, detail: str, *, kind: str = "", field: str | None = None, errors: Sequence[Mapping[str, object]] = ()
) -> Response:
    """Return an answer about what went wrong.

    Args:
        status: of HTTP.
        detail: what happened, and what to do.
        kind: name of the error's class; "" where there is none.
        field: the part of the request that is at fault.
        errors: all such parts, if there are several.
    """
    body: dict[str, object] = {"title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
    body |= {"error": kind} if kind else {}
    body |= {"field": field} if field is not None else {}
    body |= {"errors": list(errors)} if errors else {}
    return Response(json.dumps(body), status, media_type=MEDIA_TYPE)


def add_problems(app: FastAPI) -> None:
    """Let an application answer every error with a problem."""
    app.add_exception_handler(exceptions.FlowbookError, _of_flowbook)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, _of_fault)


def _of_flowbook(_: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.CONFLICT)
    field = error.details.get("field") if isinstance(error, exceptions.FlowbookError) else None
    return problem(status, str(error), kind=type(error).__name__, field=None if field is None else str(field))


def _of_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # it is registered for these
    found = [_described(each) for each in error.errors()]
    first = found[0] if found else {"field": "body", "message": "it can't be read"}
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{first['field']}: {first['message']}. /openapi.json says what it takes.",
        field=first["field"],
        errors=found if len(found) > 1 else (),
    )


def _described(error: Mapping[str, Any]) -> dict[str, str]:
    """Return the field at fault, and what is wrong with it, without any value that sounds secret."""
    field = ".".join(map(str, error.get("loc", ()))) or "body"
    return {"field": field[:_SHOWN_CHARS], "message": str(error.get("msg", "it is not valid"))}


def of_http(request: Request, error: Exception) -> Response:
    """Return the answer to a request that leads nowhere, or in a way that isn't possible there."""
    assert isinstance(error, HTTPException)  # noqa: S101  # it is registered for these
    path = request.url.path
    said = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {path[:_SHOWN_CHARS]}. /openapi.json lists what there is.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} can't be used at {path[:_SHOWN_CHARS]}. /openapi.json says what can.",
    }
    if error.detail == _UNREAD:
        detail = "The body can't be read. Send JSON in UTF-8, with numbers of 4,300 digits at most."
        return problem(error.status_code, detail, field="body")
    is_plain = error.detail == HTTPStatus(error.status_code).phrase
    detail = said.get(HTTPStatus(error.status_code), error.detail) if is_plain else error.detail
    answer = problem(error.status_code, detail)
    answer.headers.update(error.headers or {})
    return answer


def _of_fault(request: Request, error: Exception) -> Response:
    #: Not the path itself: that of a link to approve has its token.
    place = getattr(request.scope.get("route"), "path", "A request that leads nowhere")
    _log.error("%s %s failed.", request.method, place, exc_info=error)
    detail = f"The server failed: {type(error).__name__}. Its log has the details; please report it."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
