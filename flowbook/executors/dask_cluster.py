"""The temporary cluster of `DaskExecutor`, which restarts its workers each time they die. Loads Dask: import it late."""

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
    """A `LocalCluster` that never gives up a worker which is being restarted.

    Dask checks once, 15 s after a worker died (`distributed.deploy.lost-worker-timeout`), whether a worker of that name
    exists. If one came back and has just died again, there is none: Dask closes its nanny while that starts the next one,
    nothing replaces it, and once the last worker is gone the tasks wait for ever. Here only a closed nanny is forgotten.
    """

    def _update_worker_status(self, op: str, msg: Any) -> None:  # noqa: ANN401  # Dask's own
        name = self.scheduler_info["workers"][msg]["name"] if op == "remove" else None
        Cluster._update_worker_status(self, op, msg)  # noqa: SLF001  # past SpecCluster's, which is the one described above
        if op == "remove":
            wait = dask.utils.parse_timedelta(dask.config.get("distributed.deploy.lost-worker-timeout"))
            asyncio.get_running_loop().call_later(wait, self._forget, name)

    def _forget(self, name: object) -> None:
        """Forget a worker that won't come back, so that an adaptive cluster makes another one."""
        if name in self.workers and self.workers[name].status in _GONE:
            del self.workers[name]
