"""The store as an object: its components, and what concerns all of it. Opens nothing itself, see `store.open_store`."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING, Self

from flowbook import config
from flowbook.store.approval_links import ApprovalLinks
from flowbook.store.cache import Cache
from flowbook.store.cache_rows import CacheRows
from flowbook.store.deployments import Deployments
from flowbook.store.notices import Notices
from flowbook.store.run_history import RunHistory
from flowbook.store.run_lookup import find_run
from flowbook.store.run_ownership import RunOwnership
from flowbook.store.run_requests import RunRequests
from flowbook.store.runs import Runs
from flowbook.store.store_users import StoreUsers
from flowbook.store.sweep import Sweep, SweepResult, total_bytes
from flowbook.store.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from flowbook.results.blobs import Blobs
    from flowbook.results.signing import Signer
    from flowbook.store.api_keys import ValueTransit
    from flowbook.store.bundle import Bundles
    from flowbook.store.cache_listing import CacheListing
    from flowbook.store.cache_lookup import CacheLookup
    from flowbook.store.database import Database
    from flowbook.store.plan_reads import PlanReads
    from flowbook.store.worker_values import WorkerValues

__all__ = ["Store"]

#: How often the size of all values is checked.
_CHECK_S = 600.0
#: Number of flows whose lookups stay in memory for the next runs of these flows.
_LOOKUPS = 4


class Store:
    """An open store. `open_store` makes them; `MemoryStore` is its twin in memory.

    Attributes:
        path: the folder; None in memory.
        values: stores values, see `ResultStore`.
        runs: creates and lists runs.
        ownership: says which process owns a run.
        requests: carries requests to the owner of a run, and its answers.
        history: reads what happened in runs.
        cache: knows which outputs other runs may use.
        cache_rows: reads its rows for lookups and for browsing.
        notices: knows who is told of runs, and what there is to tell them.
        deployments: what runs when, and where.
        approvals: links by which people decide about a task that waits.
    """

    def __init__(  # made by `open_store` and `MemoryStore`
        self,
        path: Path | None,
        database: Database,
        blobs: Blobs,
        signer: Signer,
        reopen: Callable[[str | None], Values],
    ) -> None:
        self.path = path
        self._database = database
        self._blobs = blobs
        self._signer = signer
        self._next_check = 0.0
        #: Whether it was opened for reading because the disk was full; the next `open_store` tries again.
        self.is_makeshift = False
        self._users = None if path is None or database.is_read_only else StoreUsers(path)
        self.values = Values(database, blobs, signer, reopen)
        self.runs = Runs(database, self.values)
        self.ownership = RunOwnership(database)
        self.requests = RunRequests(database, self.values)
        self.history = RunHistory(database, self.values)
        self.cache = Cache(database, self.values)
        self.cache_rows = CacheRows(database)
        self.notices = Notices(database)
        self.deployments = Deployments(database, self.values)
        self.approvals = ApprovalLinks(database)
        #: The newest first, by process, flow and tasks. Replaced, never changed, so that any thread may read it.
        self._lookups: tuple[tuple[object, CacheLookup], ...] = ()

    @property
    def location(self) -> str:
        """Where it is, for messages."""
        return "memory" if self.path is None else str(self.path)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._database.is_closed

    @property
    def is_read_only(self) -> bool:
        """Whether it was opened for reading: its folder can't be written to, or its disk is full."""
        return self._database.is_read_only

    @property
    def ahead_s(self) -> float:
        """How far the store's clock is ahead of this machine's, in seconds: not at all, unless a server has the store."""
        return 0.0

    def now_s(self) -> float:
        """Return the time by the store's clock, in seconds since the epoch; what it says of times is by that clock."""
        return time.time() + self.ahead_s

    def now(self) -> dt.datetime:
        """Return the time by the store's clock; aware UTC."""
        return dt.datetime.fromtimestamp(self.now_s(), dt.UTC)

    def version(self) -> object:
        """Return a value that differs after each commit. Raises StoreError."""
        return self._database.version()

    def is_gone(self) -> bool:
        """Return whether its files were removed or replaced while it was open."""
        return self._database.is_gone()

    def close(self) -> None:
        """Write queued rows and close all files. Close recorders first."""
        if not self.is_closed:
            try:
                if not self.is_gone() and not self._database.is_read_only:
                    self.cache.flush()
            finally:
                self._database.close()
                if self._users is not None:
                    self._users.close()

    def sweep(
        self, *, older_than: dt.timedelta | None = None, limit_bytes: int | None = None, dry_run: bool = False
    ) -> SweepResult:
        """Drop values that are neither pinned, unexpired, needed by an open run nor young, and files that belong to nothing.

        Args:
            older_than: younger values stay while there is room; default: `FLOWBOOK_KEEP_DAYS`, else 30 days.
            limit_bytes: how much all values may take; default: `config.limits`.
            dry_run: only report what would go.

        Raises:
            StoreError: if it can't be written.
        """
        limits = config.limits()
        age_s = limits.keep_s if older_than is None else max(older_than.total_seconds(), 0.0)
        total = limits.total_bytes if limit_bytes is None else limit_bytes
        with self._users.alone() if self._users is not None else contextlib.nullcontext(enter_result=True) as is_alone:
            plan = Sweep(
                self._database, self._blobs, now=time.time(), older_than_s=age_s, total_bytes=total, is_alone=is_alone
            )
            if dry_run:
                return plan.preview()
            plan.drop()
        return plan.finish()  # others may open the store meanwhile: it may take long

    def export_run(self, run_id: str, path: Path) -> int:
        """Write a run with its values into a new, signed file; return the number of values.

        Raises:
            UnknownRunError: if there is no such run.
            StoreError: if the file exists or can't be written, or a value is damaged.
        """
        return self._bundles().write(find_run(self._database, run_id).id, run_id, path)

    def import_run(self, path: Path, *, trust: bool = False) -> str:
        """Import a run from a file that `export_run` wrote; return its id. Nothing is unpickled.

        Args:
            path: of the file.
            trust: import it although it was signed with another key. Its flow and values then run as your own code does.

        Raises:
            StoreError: if it isn't such a file, is damaged, has another signature and isn't trusted, or its run is here already.
        """
        return self._bundles().read(path, trust=trust)

    def worker_values(self, *, is_for_all: bool) -> WorkerValues | None:
        """Return how workers that reach the folder store values themselves; None if large values are stored elsewhere.

        Args:
            is_for_all: whether every task's output is stored, or only cached ones.
        """
        from flowbook.results.blobs import FolderBlobs  # noqa: PLC0415  # where a cluster runs
        from flowbook.store.worker_values import WorkerValues  # noqa: PLC0415  # as above

        if self.path is None or not isinstance(self._blobs, FolderBlobs):
            return None
        return WorkerValues(self.path, self.values, is_for_all=is_for_all)

    def internals(self) -> tuple[Database, Values]:
        """Return what components are made of, for those that `served_store` makes itself."""
        return self._database, self.values

    def transit(self, token: str) -> ValueTransit:
        """Return what checks and signs values that come from, and go to, whoever knows the API's token."""
        from flowbook.store.api_keys import ValueTransit  # noqa: PLC0415  # only where the store is served

        return ValueTransit(self._signer, token, self._blobs)

    def _bundles(self) -> Bundles:
        from flowbook.store.bundle import Bundles  # noqa: PLC0415  # brings zipfile along

        return Bundles(self._database, self._blobs, self._signer, self.values)

    def lookup(self, project: str = "", flow: str = "", tasks: Sequence[str] = ()) -> CacheLookup:
        """Return the cache lookup for runs of a flow; entries of `tasks`, looked up in this order, are read ahead.

        The next run of the same flow gets the same lookup, with what it knows by then.
        """
        from flowbook.store.cache_lookup import CacheLookup, ExpectedTasks  # noqa: PLC0415  # only where outputs are cached

        if not tasks:
            return CacheLookup(self.cache_rows, self.cache, self.values)
        ahead = ExpectedTasks(project, flow, tuple(tasks))
        #: A lock that was taken at a fork stays taken in the child, so the child gets its own lookups.
        asked = self._generation(), ahead
        known = [each for key, each in self._lookups if key == asked]
        found = known[0] if known else CacheLookup(self.cache_rows, self.cache, self.values, ahead)
        self._lookups = ((asked, found), *[each for each in self._lookups if each[1] is not found][: _LOOKUPS - 1])
        return found

    def _generation(self) -> int:
        """Return a number that differs in the child of a fork."""
        return self._database.generation

    def plain_history(self) -> RunHistory:
        """Return the history for a process that must not run what is in values: its references load no pickle."""
        return RunHistory(self._database, self.values.without_pickles())

    def plan_reads(self, project: str, flow: str) -> PlanReads:
        """Return what a plan of a flow reads."""
        from flowbook.store.plan_reads import PlanReads  # noqa: PLC0415  # only where somebody plans

        return PlanReads(self._database, project, flow)

    def browse(self) -> CacheListing:
        """Return the entries as a person browses them, page by page."""
        from flowbook.store.cache_listing import CacheListing  # noqa: PLC0415  # only where somebody looks

        return CacheListing(self.cache_rows, self.cache)

    def make_room(self) -> SweepResult | None:
        """Sweep if the values take more room than they may; checked every ten minutes at most. None if nothing was swept."""
        if time.monotonic() < self._next_check or self._database.is_read_only:
            return None
        self._next_check = time.monotonic() + _CHECK_S
        if total_bytes(self._database) <= config.limits().total_bytes:
            return None
        return self.sweep()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
