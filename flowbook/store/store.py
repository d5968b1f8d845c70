"""The store: values, runs and the cache, in one folder."""

from __future__ import annotations

import atexit
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from flowbook import config
from flowbook._utils.locks import Rank, RankedRLock
from flowbook.exceptions import StoreError
from flowbook.results.signing import Signer, read_key
from flowbook.store.blob_storage import open_blobs
from flowbook.store.cache import Cache
from flowbook.store.cache_rows import CacheRows
from flowbook.store.database import Database
from flowbook.store.deployments import Deployments
from flowbook.store.folder import prepare
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
    import datetime as dt
    from collections.abc import Sequence
    from types import TracebackType

    from flowbook.results.blobs import Blobs
    from flowbook.store.api_keys import ValueTransit
    from flowbook.store.bundle import Bundles
    from flowbook.store.cache_listing import CacheListing
    from flowbook.store.cache_lookup import CacheLookup
    from flowbook.store.plan_reads import PlanReads
    from flowbook.store.worker_values import WorkerValues

__all__ = ["Store", "open_store", "reopen_values"]

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
    """

    def __init__(self, path: Path | None, database: Database, blobs: Blobs, signer: Signer) -> None:
        self.path = path
        self._database = database
        self._blobs = blobs
        self._signer = signer
        self._next_check = 0.0
        #: Whether it was opened for reading because the disk was full; the next `open_store` tries again.
        self.is_makeshift = False
        self._users = None if path is None or database.is_read_only else StoreUsers(path)
        self.values = Values(database, blobs, signer, reopen_values)
        self.runs = Runs(database, self.values)
        self.ownership = RunOwnership(database)
        self.requests = RunRequests(database, self.values)
        self.history = RunHistory(database, self.values)
        self.cache = Cache(database, self.values)
        self.cache_rows = CacheRows(database)
        self.notices = Notices(database)
        self.deployments = Deployments(database, self.values)
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


class _Opened:
    """The stores of this process, by folder."""

    def __init__(self) -> None:
        self._stores: dict[Path, Store] = {}
        #: Stores that were opened for reading while the disk was full; somebody may still read from them.
        self._replaced: list[Store] = []
        #: By the address of the API that each is behind.
        self._remote: dict[str, Store] = {}
        self._lock = RankedRLock(Rank.OPEN_STORES)
        atexit.register(self.close)

    def get(self, path: Path) -> Store:
        with self._lock:
            store = self._stores.get(path)
            if store is not None and not store.is_closed and store.is_gone():
                store.close()
            if store is None or store.is_closed:
                store = self._stores[path] = _open(path)
            elif store.is_makeshift:
                newer = _open(path, makeshift=store)
                if newer is not store:
                    self._replaced.append(store)
                store = self._stores[path] = newer
            return store

    def behind(self, url: str) -> Store:
        from flowbook.store.remote_store import RemoteStore  # noqa: PLC0415  # only where an API is used

        with self._lock:
            store = self._remote.get(url)
            if store is None or store.is_closed:
                store = self._remote[url] = RemoteStore(url, _api_token(url), _reopen_behind)
            return store

    def close(self) -> None:
        with self._lock:
            for store in (*self._stores.values(), *self._replaced, *self._remote.values()):
                store.close()


#: One for the process, so that its threads share a lock and a writing connection.
_opened = _Opened()


def open_store(path: str | Path | None = None, *, trust: bool = False) -> Store:
    """Return the store in folder `path`; create it if it doesn't exist.

    By default that is the one behind the API at `FLOWBOOK_API_URL`, if that is set, else the one in `FLOWBOOK_HOME` or the
    user's data folder. The same object for the same store in this process, until it is closed.

    Args:
        path: of the folder.
        trust: from now on, load values that others have signed too in this process: for a store that came from somebody
            else. Its contents may run code as you.

    Raises:
        StoreError: if the folder can't be used; says why and what to do.
    """
    if path is None and (url := config.api_url()) is not None:
        store = _opened.behind(url)
    else:
        folder = Path(path).expanduser() if path is not None else config.home()
        store = _opened.get(folder.resolve())
    if trust:
        store.values.is_trusted = True
    return store


def reopen_values(path: str | None) -> Values:
    """Return the values of the store at `path`; references that arrive in another process find their store by it."""
    if path is None:
        msg = "A store in memory can't be reached from another process. Use open_store()."
        raise LookupError(msg)
    return open_store(path).values


def _reopen_behind(url: str | None) -> Values:
    """Return the values of the store behind an API; references that arrive in another process find their store by it."""
    if url is None or url != config.api_url():
        msg = f"A value is in the store behind {url}. Set FLOWBOOK_API_URL and FLOWBOOK_API_TOKEN in this process, too."
        raise StoreError(msg, url=url)
    return _opened.behind(url).values


def _api_token(url: str) -> str:
    token = config.api_token()
    if token is None:
        msg = (
            f"FLOWBOOK_API_URL is {url}, and FLOWBOOK_API_TOKEN isn't set. Set it to the server's token, "
            "or unset both to use the store of this machine."
        )
        raise StoreError(msg, url=url)
    return token


def _open(path: Path, makeshift: Store | None = None) -> Store:
    """Open a store. On a full disk, where no writing connection can be made, open it for reading, or return `makeshift`."""
    is_read_only, is_full = prepare(path), False
    try:
        database = Database(path, is_read_only=is_read_only)
    except StoreError as error:
        is_full = not is_read_only and _is_disk_full(error)
        if not is_full:
            raise
        if makeshift is not None:
            return makeshift
        try:
            database = Database(path, is_read_only=True)
        except StoreError:
            raise error from error.__cause__
    try:
        blobs = open_blobs(path, database, config.blobs())
    except BaseException:
        database.close()
        raise
    store = Store(path, database, blobs, Signer(lambda: read_key(config.key_file())))
    store.is_makeshift = is_full
    return store


def _is_disk_full(error: StoreError) -> bool:
    name = getattr(error.__cause__, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_FULL", "SQLITE_IOERR"))
