"""The store's twin in memory: the same interface and the same SQL, and nothing on disk.

For tests, and for runs that are to leave no trace.
"""

from __future__ import annotations

import os

from flowbook.results.blobs import MemoryBlobs
from flowbook.results.signing import Signer
from flowbook.store.database import Database
from flowbook.store.store import reopen_values
from flowbook.store.store_base import Store

__all__ = ["MemoryStore"]

_KEY_BYTES = 32


class MemoryStore(Store):
    """A store that ends with the process; its `path` is None."""

    def __init__(self) -> None:
        key = os.urandom(_KEY_BYTES)
        super().__init__(None, Database(None), MemoryBlobs(), Signer(lambda: key), reopen_values)
