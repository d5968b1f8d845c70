"""Several stores of blobs as one: new blobs go to one of them, and each blob is read from the first that has it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from flowbook.exceptions import DamagedValueError, FlowbookError, ResultGoneError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowbook.results.blobs import Blobs, BlobWriter

__all__ = ["LayeredBlobs"]


class LayeredBlobs:
    """Implements `Blobs`.

    Args:
        layers: searched in this order.
        target: the layer that new blobs are written to.
    """

    def __init__(self, layers: Sequence[Blobs], target: Blobs) -> None:
        self._layers = tuple(layers)
        self._target = target

    def writer(self, *, inline_bytes: int, limit_bytes: int | None) -> BlobWriter:
        """See `Blobs`."""
        return self._target.writer(inline_bytes=inline_bytes, limit_bytes=limit_bytes)

    def read(self, digest: str, size_bytes: int) -> memoryview:
        """See `Blobs`. Where no layer has the whole blob, the most telling error is raised."""
        errors: list[FlowbookError] = []
        for layer in self._layers:
            try:
                return layer.read(digest, size_bytes)
            except (ResultGoneError, DamagedValueError, StoreError) as error:
                errors.append(error)
        raise next((error for error in errors if not isinstance(error, ResultGoneError)), errors[-1])

    def digests(self) -> Iterator[str]:
        """See `Blobs`: each digest once."""
        return iter(dict.fromkeys(chain.from_iterable(layer.digests() for layer in self._layers)))

    def remove(self, digest: str, before: float) -> int:
        """See `Blobs`: from every layer that can be reached. Raises StoreError if one can't."""
        freed_bytes, failure = 0, None
        for layer in self._layers:
            try:
                freed_bytes += layer.remove(digest, before)
            except StoreError as error:
                failure = error
        if failure is not None:
            raise failure
        return freed_bytes

    def remove_unfinished(self, before: float) -> list[int]:
        """See `Blobs`."""
        return [size for layer in self._layers for size in layer.remove_unfinished(before)]
