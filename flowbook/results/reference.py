"""A reference to a value that is held elsewhere, and the port through which values are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Preview", "ResultRef", "ResultStore"]

#: Plain data about a value, as `flowbook.results.preview.describe` makes it: JSON only.
Preview = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResultRef:
    """Names a value by its content; `store` knows how to get it (absent after a trip through JSON).

    Attributes:
        digest: SHA-256 of the stored bytes, hex.
        size_bytes: length of the stored bytes.
        content_hash: the value's `hashing.content_hash`, where whoever made it told.
    """

    digest: str
    size_bytes: int
    store: ResultStore | None = field(default=None, compare=False, repr=False)
    content_hash: str | None = field(default=None, compare=False, repr=False, kw_only=True)

    def load(self) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value.

        Raises:
            ResultGoneError: if it was dropped.
            DamagedValueError: if it does not match its hash.
        """
        if self.store is None:
            msg = f"Value {self.digest[:12]} was detached from its store. Load it through flowbook.run(run_id)."
            raise LookupError(msg)
        return self.store.load(self)


class ResultStore(Protocol):
    """Where values are kept; a folder, memory or a bucket."""

    def put(self, value: object) -> ResultRef:
        """Keep `value`, once per content, with its preview. Raises UnpicklableError, StoreError."""
        ...

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401
        """Return the value. Raises ResultGoneError, DamagedValueError."""
        ...

    def preview(self, ref: ResultRef) -> Preview | None:
        """Return what was noted of the value when it was kept, without unpickling; None if nothing is known."""
        ...
