"""A store behind the API of another process: the same object as a local one, whose components call the server's."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NoReturn, cast

from flowbook.exceptions import FlowbookError, StoreError
from flowbook.store.api_client import ApiClient
from flowbook.store.change_feed import ChangeFeed
from flowbook.store.remote_components import (
    RemoteCache,
    RemoteCacheRows,
    RemoteComponent,
    RemoteDeployments,
    RemoteHistory,
    RemoteOwnership,
    RemotePlans,
    RemoteRequests,
    RemoteRuns,
)
from flowbook.store.remote_values import RemoteValues
from flowbook.store.store_base import Store

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from flowbook.store.approval_links import ApprovalLinks
    from flowbook.store.cache_rows import CacheRows
    from flowbook.store.deployments import Deployments
    from flowbook.store.notices import Notices
    from flowbook.store.plan_reads import PlanReads
    from flowbook.store.run_history import RunHistory
    from flowbook.store.run_ownership import RunOwnership
    from flowbook.store.run_requests import RunRequests
    from flowbook.store.runs import Runs
    from flowbook.store.sweep import SweepResult
    from flowbook.store.values import Values

__all__ = ["RemoteStore"]


class RemoteStore(Store):
    """A store that a server has; no file of it is here.

    Args:
        url: of the server's API.
        token: of the API.
        reopen: opens the values of the store at a URL, in another process.
    """

    def __init__(self, url: str, token: str, reopen: Callable[[str | None], Values]) -> None:
        self.path = None
        self.is_makeshift = False
        self._is_closed = False
        self._client = client = ApiClient(url, token)
        self._feed = ChangeFeed(client)
        self.values = values = RemoteValues(client, token, reopen)
        self.runs = cast("Runs", RemoteRuns(client, values, "runs"))
        self.ownership = cast("RunOwnership", RemoteOwnership(client, values, "ownership"))
        self.requests = cast("RunRequests", RemoteRequests(client, values, self._feed))
        self.history = cast("RunHistory", RemoteHistory(client, values, self._feed))
        rows = RemoteCacheRows(client, values, "cache_rows")
        self.cache = RemoteCache(client, values, rows)
        self.cache_rows = cast("CacheRows", rows)
        self.notices = cast("Notices", RemoteComponent(client, values, "notices"))
        self.deployments = cast("Deployments", RemoteDeployments(client, values, "deployments"))
        self.approvals = cast("ApprovalLinks", RemoteComponent(client, values, "approvals"))
        self._upkeep = RemoteComponent(client, values, "upkeep")
        self._lookups = ()

    @property
    def location(self) -> str:
        """See the base class."""
        return self._client.url

    @property
    def is_closed(self) -> bool:
        """See the base class."""
        return self._is_closed

    @property
    def is_read_only(self) -> bool:
        """See the base class."""
        return False

    @property
    def ahead_s(self) -> float:
        """See the base class."""
        return self._client.ahead_s

    def version(self) -> object:
        """See the base class."""
        return self._feed.version("commits")

    def is_gone(self) -> bool:
        """See the base class."""
        return False

    def close(self) -> None:
        """Write counted uses, and close all connections."""
        if not self._is_closed:
            self._is_closed = True
            with contextlib.suppress(FlowbookError):  # the server is down, and the uses are only counted
                self.cache.flush()
            self._feed.close()
            self._client.close()

    def sweep(
        self, *, older_than: dt.timedelta | None = None, limit_bytes: int | None = None, dry_run: bool = False
    ) -> SweepResult:
        """See the base class; the server sweeps."""
        found: SweepResult = self._upkeep.sweep(older_than=older_than, limit_bytes=limit_bytes, dry_run=dry_run)
        return found

    def make_room(self) -> SweepResult | None:
        """See the base class; the server looks."""
        found: SweepResult | None = self._upkeep.make_room()
        return found

    def export_run(self, run_id: str, path: Path) -> NoReturn:
        """Refuse."""
        raise self._only_there(f"Run {run_id} can't be exported to {path}")

    def import_run(self, path: Path, *, trust: bool = False) -> NoReturn:  # noqa: ARG002  # as the base class
        """Refuse."""
        raise self._only_there(f"The run in {path} can't be imported")

    def _only_there(self, what: str) -> StoreError:
        url = self._client.url
        msg = f"{what} through the API at {url}. Do it on the server's machine, without FLOWBOOK_API_URL."
        return StoreError(msg, url=url)

    def worker_values(self, *, is_for_all: bool) -> None:  # noqa: ARG002  # as the base class
        """Return None: workers send values to the driver, which stores them."""
        return

    def plan_reads(self, project: str, flow: str) -> PlanReads:
        """See the base class."""
        return RemotePlans(self._client, self.values, project, flow)

    def _generation(self) -> int:
        return os.getpid()
