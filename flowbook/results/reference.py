"""A reference to a stored value, and the port of whatever stores values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

__all__ = ["Preview", "ResultRef", "ResultStore", "is_reference"]

#: Plain data about a value, as `flowbook.results.preview.describe` makes it: JSON only.
Preview = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResultRef:
    """Names a value by its content. `store` can load it; it is None after a trip through JSON.

    Attributes:
        digest: SHA-256 of the stored bytes, hex.
        size_bytes: length of the stored bytes.
        content_hash: the value's `hashing.content_hash`, if it is known.
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
    """Stores values: in a folder, memory or a bucket."""

    def put(self, value: object) -> ResultRef:
        """Store `value` with its preview; equal content is stored once. Raises UnpicklableError, StoreError."""
        ...

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401
        """Return the value. Raises ResultGoneError, DamagedValueError."""
        ...

    def preview(self, ref: ResultRef) -> Preview | None:
        """Return the preview made when the value was stored, without unpickling; None if there is none."""
        ...


def is_reference(value: object) -> TypeGuard[ResultRef]:
    """Return whether `value` is a reference. Doesn't call the value's own code: a lazy proxy may raise."""
    return issubclass(type(value), ResultRef)
