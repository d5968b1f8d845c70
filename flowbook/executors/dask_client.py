"""A Dask client that connects within its timeout, whatever answers at the address. Loads Dask: import it late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import distributed
from dask.utils import parse_timedelta

if TYPE_CHECKING:
    from flowbook.executors.dask_connecting import Connecting

__all__ = ["Client"]


class Client(distributed.Client):
    """A `distributed.Client` whose timeout covers all of its start.

    Dask's own limits the opening of the connection alone: something that accepts it and says nothing is waited for without end.
    """

    def __init__(self, *args: Any, connecting: Connecting, **options: Any) -> None:  # noqa: ANN401  # Dask's own
        self._connecting = connecting
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]  # Dask's own

    async def _start(self, timeout: Any = None, **options: Any) -> None:  # noqa: ANN401, ASYNC109  # Dask's own
        limit_s = parse_timedelta(self._timeout if timeout is None else timeout, "s")
        start = super()._start(timeout=limit_s, **options)  # type: ignore[no-untyped-call]  # Dask's own
        try:
            await self._connecting.attempt(start, limit_s)
        except BaseException:
            await self._close(fast=True)
            raise
