"""`/api/health`: says that the server works."""

from __future__ import annotations

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
    try:
        number = version("jupyter-flowbook")
    except PackageNotFoundError:
        number = "unknown"
    return answer(Health(status="ok", flowbook=number))
