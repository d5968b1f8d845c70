"""`/api/health`: says that the server works."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter
from starlette.responses import Response

from flowbook.api.answers import answer
from flowbook.api.wire import Health

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["server"])


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Say that the server works, and which flowbook it is."""
    return answer(Health(status="ok", flowbook=_version()))


@cache
def _version() -> str:
    """Return which flowbook this is; reading it takes longer than all the rest of the answer."""
    try:
        return version("jupyter-flowbook")
    except PackageNotFoundError:
        return "unknown"
