"""`/approve/TOKEN`: one decision by a link. A GET never decides: mail scanners open links."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotations
from starlette.responses import Response

from flowbook.api.problems import problem
from flowbook.exceptions import FlowbookError
from flowbook.pages.approval import (
    ANSWERS,
    Said,
    decide_by_link,
    difference_of_input,
    find_link,
    rows_of_input,
    shown_by_link,
)
from flowbook.pages.hub import hub_of
from flowbook.pages.page_files import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.pages.hub import Hub
    from flowbook.store.approval_links import ApprovalLink

__all__ = ["router"]

router = APIRouter(prefix="/approve", include_in_schema=False)
Token = Annotated[str, Path(max_length=100)]
InputName = Annotated[str, Query(max_length=200)]
Asked = Annotated[str, Query(max_length=1000)]


@router.get("/{token}")
def approve_page(token: Token) -> Response:
    """Show the page; what the link is good for, the page asks."""
    del token
    return page("approve", 1)


@router.get("/{token}/shown")
def shown(request: Request, token: Token) -> Response:
    """Return what the link shows."""
    hub = hub_of(request)
    found = shown_by_link(hub.store, hub.runs, find_link(hub.store, token))
    return _json(found, HTTPStatus.NOT_FOUND if found["status"] == "unknown" else HTTPStatus.OK)


@router.get("/{token}/rows")
def rows(request: Request, token: Token, name: InputName, asked: Asked = "{}") -> Response:
    """Return rows of a frame that the task would get."""
    return _of_input(request, token, name, asked, rows_of_input)


@router.get("/{token}/diff")
def difference(request: Request, token: Token, name: InputName, asked: Asked = "{}") -> Response:
    """Return how an input differs from what was approved last."""
    return _of_input(request, token, name, asked, difference_of_input)


@router.post("/{token}/decide")
def decide(request: Request, token: Token, asked: Annotated[dict[str, Any], Body()]) -> Response:
    """Carry out the one decision that the link is good for."""
    store = hub_of(request).store
    action = next((each for each in ANSWERS if each == asked.get("action")), None)
    if action is None:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"action is one of {', '.join(ANSWERS)}.", field="action")
    by, note, inputs = asked.get("by"), asked.get("note"), asked.get("inputs")
    said = Said(
        action,
        by if isinstance(by, str) else "",
        note if isinstance(note, str) else "",
        inputs if isinstance(inputs, dict) else {},
    )
    try:
        decide_by_link(store, token, said)
    except FlowbookError as error:
        return _json({"ok": False, "text": str(error)})
    return _json({"ok": True, "text": ""})


def _of_input(
    request: Request,
    token: str,
    name: str,
    asked: str,
    read: Callable[[Hub, ApprovalLink, str, dict[str, Any]], object],
) -> Response:
    hub = hub_of(request)
    link = find_link(hub.store, token)
    if link is None:
        return problem(HTTPStatus.NOT_FOUND, "There is no such link. Copy it whole from the notice.")
    try:
        wanted = json.loads(asked)
    except (ValueError, RecursionError):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "asked is no JSON. Send {} for the first rows.", field="asked")
    return _json(read(hub, link, name, wanted if isinstance(wanted, dict) else {}))


def _json(content: object, status: int = HTTPStatus.OK) -> Response:
    text = json.dumps(content, separators=(",", ":"), default=str)
    return Response(text, status, media_type="application/json", headers={"Cache-Control": "no-store"})
