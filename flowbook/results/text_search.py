"""Looks for texts in a value's pickle, without holding the pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import UnpicklableError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TextSearch", "pickle_holds"]

_CHUNK_BYTES = 1 << 20


class TextSearch:
    """Looks for texts in what is written to it; holds no more of that than a chunk.

    Args:
        texts: not empty.

    Attributes:
        has_found: whether one of them was in what was written so far.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = texts
        self._overlap = max(map(len, texts)) - 1
        self._end = b""
        self.has_found = False

    def write(self, part: bytes | memoryview) -> None:
        """Look through the next bytes."""
        view = memoryview(part).cast("B")
        for start in range(0, len(view), _CHUNK_BYTES):
            seen = self._end + bytes(view[start : start + _CHUNK_BYTES])
            self.has_found = self.has_found or any(text in seen for text in self._texts)
            self._end = seen[len(seen) - self._overlap :] if self._overlap else b""


def pickle_holds(value: object, texts: Sequence[bytes]) -> bool:
    """Return whether one of the texts would be stored with `value`; False if it can't be pickled, and so isn't stored."""
    from flowbook.results import serializer  # noqa: PLC0415  # with it `import flowbook` takes a tenth longer

    search = TextSearch(texts)
    try:
        serializer.dump(value, search)
    except UnpicklableError:
        return False
    return search.has_found
