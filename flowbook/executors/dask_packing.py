"""Packs batches of calls for a Dask cluster: as bytes that Dask doesn't look into, and futures of everything else."""

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

__all__ = ["Packed", "Packing", "WorkerValue"]

#: A blob of at most this size travels with each call; a larger one becomes a future of its own.
_INLINE_BYTES = 50_000
#: The scheduler keeps a blob of at most this size, so that it outlives a worker; larger ones are copied to every worker.
_SCHEDULER_BYTES = 8_000_000


class WorkerValue:
    """A handle of a value that stays on a worker: which of the values in a future's result."""

    __slots__ = ("__weakref__", "future", "number")

    def __init__(self, future: Any, number: int) -> None:  # noqa: ANN401  # a distributed.Future
        self.future = future
        self.number = number


class Packed(NamedTuple):
    """A batch as it is submitted.

    Attributes:
        page: name of its page in the ledger.
        calls: by the number that each got for this submission.
        content: what `dask_worker.do_batch` unpacks.
        futures: of large blobs, then of worker values.
    """

    page: str
    calls: dict[int, Call]
    content: bytes
    futures: list[Any]


class Packing:
    """Packs the batches of one run. Not thread-safe."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401  # a distributed.Client
        self._client = client
        #: Each submission of a call gets a new number, so that late events of an earlier one can be told apart.
        self._numbers = itertools.count(1)
        self._blobs: dict[str, Any] = {}

    def pack(self, batch: Sequence[Call]) -> Packed:
        """Return the packed batch; large blobs are sent to the cluster now, once for all calls."""
        blobs = {blob.label: blob for call in batch for blob in call.blobs}
        small = {label: blob.parcel for label, blob in blobs.items() if blob.size_bytes <= _INLINE_BYTES}
        large = [label for label in blobs if label not in small]
        futures = [self._blob(blobs[label]) for label in large]
        numbers: dict[str, int] = {}
        locations: list[tuple[int, int]] = []
        calls: dict[int, Call] = {}
        items = []
        for call in batch:
            positions = []
            for handle in call.worker_values:
                assert isinstance(handle, WorkerValue)  # noqa: S101  # ours
                number = numbers.setdefault(handle.future.key, len(numbers))
                if number == len(futures) - len(large):
                    futures.append(handle.future)
                positions.append(len(locations))
                locations.append((number + len(large), handle.number))
            submission = next(self._numbers)
            calls[submission] = call
            items.append(Item(submission, call.payload, tuple(blob.label for blob in call.blobs), tuple(positions)))
        page = f"{items[0].id:x}"
        return Packed(page, calls, pickle.dumps((page, items, small, large, locations), protocol=5), futures)

    def forget_blobs(self) -> None:
        """Send blobs again from now on: the cluster may drop them, or has lost them."""
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
