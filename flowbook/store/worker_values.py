"""Lets the workers of a cluster write values into the store's folder, and read them from there, themselves.

Workers touch only blobs, which carry their hash; the driver alone writes to the database. So workers on other machines that
share the folder can do it too, where SQLite could not.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.executors.ledger import LedgerFolder
from flowbook.results import serializer
from flowbook.results.blobs import FolderBlobs
from flowbook.store.process_identity import is_here, this_process

if TYPE_CHECKING:
    from flowbook.results.reference import ResultRef
    from flowbook.results.value_record import ValueRecord
    from flowbook.store.values import Values

__all__ = ["WorkerValues"]

_FOLDER = "work"
_OWNER = "owner"


class WorkerValues:
    """Implements the engine's `WorkerValues`.

    Args:
        folder: of the store.
        values: of the store.
        is_for_all: whether every output is stored.
    """

    def __init__(self, folder: Path, values: Values, *, is_for_all: bool) -> None:
        self._folder = folder
        self._values = values
        self.is_for_all = is_for_all
        self.blobs = str(folder / "blobs")

    def place(self) -> LedgerFolder:
        """See the port. First removes the folders of processes of this machine that died."""
        folder = self._folder / _FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        for each in folder.iterdir():
            if is_here(_owner(each)) is False:
                shutil.rmtree(each, ignore_errors=True)
        made = folder / os.urandom(8).hex()
        made.mkdir(mode=0o700)
        (made / _OWNER).write_text(this_process(), encoding="utf-8")
        return LedgerFolder.create(made)

    def adopt(self, written: ValueRecord) -> ResultRef:
        """See the port."""
        return self._values.adopt(written)

    def put(self, value: object, limit_bytes: int) -> ResultRef:
        """See the port."""
        return self._values.put(value, limit_bytes=limit_bytes)

    def load(self, written: ValueRecord) -> Any:  # noqa: ANN401  # what a user's task returned
        """See the port."""
        if written.content is not None:
            return serializer.load(bytearray(written.content))
        return serializer.load(FolderBlobs(Path(self.blobs)).read(written.digest, written.size_bytes))

    def holds(self, ref: ResultRef) -> bool:
        """See the port."""
        return ref.store is self._values

    def content(self, ref: ResultRef) -> bytes | None:
        """See the port."""
        return self._values.content(ref)


def _owner(folder: Path) -> str | None:
    try:
        return (folder / _OWNER).read_text(encoding="utf-8")
    except OSError:
        return None
