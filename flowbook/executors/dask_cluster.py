"""The temporary cluster of `DaskExecutor`: one whose workers come back each time they die. Loads Dask: import it late."""

from __future__ import annotations

import asyncio
from typing import Any

import dask
from distributed import LocalCluster
from distributed.core import Status
from distributed.deploy import Cluster

__all__ = ["LastingCluster"]

_GONE = {Status.closed, Status.failed}


class LastingCluster(LocalCluster):
    """A `LocalCluster` that never gives up a worker which is being started again.

    Dask's own looks once, 15 s after a worker died (`distributed.deploy.lost-worker-timeout`), whether there is a worker of
    that name. Where one has come back and just died as well there is none: its nanny is closed while it starts the next,
    nobody replaces it, and with the last one gone the tasks wait for ever. Here only a nanny that has closed is let go.
    """

    def _update_worker_status(self, op: str, msg: Any) -> None:  # noqa: ANN401  # Dask's own
        name = self.scheduler_info["workers"][msg]["name"] if op == "remove" else None
        Cluster._update_worker_status(self, op, msg)  # noqa: SLF001  # past SpecCluster's, which is the one described above
        if op == "remove":
            wait = dask.utils.parse_timedelta(dask.config.get("distributed.deploy.lost-worker-timeout"))
            asyncio.get_running_loop().call_later(wait, self._let_go, name)

    def _let_go(self, name: object) -> None:
        """Forget a worker that will not come back, so that a cluster that adapts makes another."""
        if name in self.workers and self.workers[name].status in _GONE:
            del self.workers[name]
