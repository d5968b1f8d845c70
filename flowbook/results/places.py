"""Several places of blobs as one: new ones go to one of them, and each is read from where it is found."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from flowbook.exceptions import DamagedValueError, FlowbookError, ResultGoneError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowbook.results.blobs import Blobs, BlobWriter

__all__ = ["BlobPlaces"]


class BlobPlaces:
    """Implements `Blobs`.

    Args:
        places: asked in this order.
        target: the one of them that is written to.
    """

    def __init__(self, places: Sequence[Blobs], target: Blobs) -> None:
        self._places = tuple(places)
        self._target = target

    def writer(self, *, inline_bytes: int, limit_bytes: int | None) -> BlobWriter:
        """See `Blobs`."""
        return self._target.writer(inline_bytes=inline_bytes, limit_bytes=limit_bytes)

    def read(self, digest: str, size_bytes: int) -> memoryview:
        """See `Blobs`: from the first place that has it whole. Where none has, it raises what says most."""
        troubles: list[FlowbookError] = []
        for place in self._places:
            try:
                return place.read(digest, size_bytes)
            except (ResultGoneError, DamagedValueError, StoreError) as error:
                troubles.append(error)
        raise next((each for each in troubles if not isinstance(each, ResultGoneError)), troubles[-1])

    def digests(self) -> Iterator[str]:
        """See `Blobs`: each once."""
        return iter(dict.fromkeys(chain.from_iterable(place.digests() for place in self._places)))

    def remove(self, digest: str, before: float) -> int:
        """See `Blobs`: from all places that can be reached. Raises StoreError if one can't."""
        freed, trouble = 0, None
        for place in self._places:
            try:
                freed += place.remove(digest, before)
            except StoreError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return freed

    def remove_unfinished(self, before: float) -> list[int]:
        """See `Blobs`."""
        return [size for place in self._places for size in place.remove_unfinished(before)]
