"""Where tasks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.executors.base import Executor
from flowbook.executors.local import LocalExecutor
from flowbook.executors.local_dask import LocalDaskExecutor

if TYPE_CHECKING:
    from flowbook.executors.dask import DaskExecutor

__all__ = ["DaskExecutor", "Executor", "LocalDaskExecutor", "LocalExecutor"]


def __getattr__(name: str) -> object:
    if name == "DaskExecutor":
        from flowbook.executors.dask import DaskExecutor  # noqa: PLC0415  # only where it is used

        return DaskExecutor
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
