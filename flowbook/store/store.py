"""Opens stores: one object for each folder, or each API, in a process."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook import config
from flowbook._utils.locks import Rank, RankedRLock, renew_in_child
from flowbook.exceptions import StoreError
from flowbook.results.signing import Signer, read_key
from flowbook.store.blob_storage import open_blobs
from flowbook.store.database import Database
from flowbook.store.folder import prepare
from flowbook.store.store_base import Store

if TYPE_CHECKING:
    from flowbook.store.values import Values

__all__ = ["Store", "open_store", "reopen_values"]


class _Opened:
    """The stores of this process, by folder."""

    def __init__(self) -> None:
        self._stores: dict[Path, Store] = {}
        #: Stores that were opened for reading while the disk was full; somebody may still read from them.
        self._replaced: list[Store] = []
        #: By the address of the API that each is behind.
        self._remote: dict[str, Store] = {}
        self._renew_lock()
        renew_in_child(self, _Opened._renew_lock)
        atexit.register(self.close)

    def _renew_lock(self) -> None:
        self._lock = RankedRLock(Rank.OPEN_STORES)

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
    store = Store(path, database, blobs, Signer(lambda: read_key(config.key_file())), reopen_values)
    store.is_makeshift = is_full
    return store


def _is_disk_full(error: StoreError) -> bool:
    name = getattr(error.__cause__, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_FULL", "SQLITE_IOERR"))
