"""What goes to a Dask cluster with a batch of calls: bytes that Dask does not look into, and futures of what is not in them."""

from __future__ import annotations

import contextlib
import itertools
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.executors import dask_worker
from flowbook.executors.batches import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.executors.base import Blob, Call

__all__ = ["Held", "Packed", "Packing"]

#: A blob up to here goes along with each call; a larger one becomes a future of its own.
_INLINE_BYTES = 50_000
#: Up to here the scheduler keeps a blob, so that it outlives a worker; larger ones are copied to every worker.
_SCHEDULER_BYTES = 8_000_000


class Held:
    """Stands for a value on a worker: which one of those that a future gives."""

    __slots__ = ("__weakref__", "future", "number")

    def __init__(self, future: Any, number: int) -> None:  # noqa: ANN401  # a distributed.Future
        self.future = future
        self.number = number


class Packed(NamedTuple):
    """A batch as it is handed over.

    Attributes:
        page: of the ledger.
        calls: by the number that each got for this time.
        content: what `dask_worker.do_batch` unpacks.
        futures: of large blobs, then of held values.
    """

    page: str
    calls: dict[int, Call]
    content: bytes
    futures: list[Any]


class Packing:
    """Packs the batches of one run. Not safe for threads."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401  # a distributed.Client
        self._client = client
        #: Each call that is handed over gets a number of its own, so that late news of an earlier try is known as such.
        self._numbers = itertools.count(1)
        self._blobs: dict[str, Any] = {}

    def pack(self, batch: Sequence[Call]) -> Packed:
        """Return the batch; blobs that are large go to the cluster now, once for all calls."""
        blobs = {blob.label: blob for call in batch for blob in call.blobs}
        small = {label: blob.parcel for label, blob in blobs.items() if blob.size_bytes <= _INLINE_BYTES}
        large = [label for label in blobs if label not in small]
        futures = [self._blob(blobs[label]) for label in large]
        places: dict[str, int] = {}
        held: list[tuple[int, int]] = []
        calls: dict[int, Call] = {}
        items = []
        for call in batch:
            positions = []
            for handle in call.held:
                assert isinstance(handle, Held)  # noqa: S101  # ours
                place = places.setdefault(handle.future.key, len(places))
                if place == len(futures) - len(large):
                    futures.append(handle.future)
                positions.append(len(held))
                held.append((place + len(large), handle.number))
            number = next(self._numbers)
            calls[number] = call
            items.append(Item(number, call.payload, tuple(blob.label for blob in call.blobs), tuple(positions)))
        page = f"{items[0].id:x}"
        return Packed(page, calls, pickle.dumps((page, items, small, large, held), protocol=5), futures)

    def forget_blobs(self) -> None:
        """Send blobs anew from now on: the cluster need not keep them, or has lost them."""
        self._blobs.clear()

    def _blob(self, blob: Blob) -> Any:  # noqa: ANN401  # a distributed.Future
        found = self._blobs.get(blob.label)
        if found is None:
            if blob.size_bytes > _SCHEDULER_BYTES and self._client.nthreads():
                with contextlib.suppress(TimeoutError):  # the last worker has just gone
                    found = self._client.scatter(blob.parcel, hash=False, broadcast=True)
            if found is None:
                key = f"flowbook-blob-{blob.label}"
                found = self._client.submit(dask_worker.same, blob.parcel, key=key, pure=False)
            self._blobs[blob.label] = found
        return found
