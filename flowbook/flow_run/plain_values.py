"""Reads stored values that are plain data, and no others: a pickle may run code when it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.results import serializer
from flowbook.store.values import Values

if TYPE_CHECKING:
    from flowbook.results.reference import ResultRef

__all__ = ["plain_value"]


def plain_value(ref: ResultRef) -> object:
    """Return a stored value that is plain data; None if it is none, or is no value of a store. Raises ResultGoneError."""
    if not isinstance(ref.store, Values):
        return None
    content = ref.store.content(ref)
    if content is None or serializer.is_pickle(content):
        return None
    return ref.store.restored(ref, content, None)
