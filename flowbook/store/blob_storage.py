"""Opens the places of a store's large values: its folder, and the URLs that `FLOWBOOK_BLOBS` has named so far.

The store remembers these URLs, so that a process without the setting reads the values all the same. At a URL each store
has a folder of its own, so that many share a bucket and none sweeps what another needs.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.results.blobs import Blobs, FolderBlobs
from flowbook.results.layered_blobs import LayeredBlobs
from flowbook.store.queries import queries

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from flowbook.store.database import Database

__all__ = ["open_blobs"]


def open_blobs(folder: Path, database: Database, url: str | None) -> Blobs:
    """Return the blobs of the store in `folder`; new ones go to `url`, or into the folder if that is None.

    No URL is contacted before a value is written there or read from there.

    Raises:
        StoreError: if a new URL can't be written down.
    """
    own = FolderBlobs(folder / "blobs")
    known = _known(database)
    if database.is_read_only:
        url = None
    if url is not None and url not in known:
        _note(database, url)
        known = _known(database)
    if not known:
        return own
    from flowbook.results.remote_blobs import RemoteBlobs, RemoteFolder  # noqa: PLC0415  # only for those who use it

    copies_bytes = config.limits().copies_bytes
    remote = {
        each: RemoteBlobs(RemoteFolder(f"{each}/{name}"), folder / f"copies-{name}", copies_bytes)
        for each, name in known.items()
    }
    return LayeredBlobs((own, *remote.values()), own if url is None else remote[url])


def _known(database: Database) -> dict[str, str]:
    return dict(database.read(queries()["places"]))


def _note(database: Database, url: str) -> None:
    def note(connection: sqlite3.Connection) -> None:
        connection.execute(queries()["add_place"], (url, f"flowbook-{os.urandom(8).hex()}", time.time()))

    database.write(note)
