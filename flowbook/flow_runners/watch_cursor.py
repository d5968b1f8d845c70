"""Where a watch of a cluster's objects stands: what follows a list, a cut, or "410 Gone". Pure: lines in, sightings out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Sighting", "WatchCursor"]

_GONE = 410


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object as it was seen.

    Attributes:
        kind: "Job" or "Pod".
        object: as the cluster has it, as plain JSON.
        is_gone: whether it has been deleted.
    """

    kind: str
    object: Mapping[str, Any]
    is_gone: bool = False


class WatchCursor:
    """Reads one kind of objects: list first, then watch from there; list again where the cluster no longer knows the place.

    Args:
        kind: of the objects.
        known: those that are known already, so that it is noticed if they are gone.

    Attributes:
        version: from where to watch; None: list first.
    """

    def __init__(self, kind: str, known: Iterable[Mapping[str, Any]] = ()) -> None:
        self.version: str | None = None
        self._kind = kind
        self._known = {each["metadata"]["uid"]: each for each in known}

    def listed(self, listing: Mapping[str, Any]) -> list[Sighting]:
        """Return what a list shows: all that is there, and what has gone since the last one."""
        found = {each["metadata"]["uid"]: each for each in listing.get("items") or ()}
        gone = [Sighting(self._kind, each, is_gone=True) for uid, each in self._known.items() if uid not in found]
        self._known = found
        self.version = (listing.get("metadata") or {}).get("resourceVersion")
        return [*gone, *(Sighting(self._kind, each) for each in found.values())]

    def take(self, line: Mapping[str, Any]) -> Sighting | None:
        """Return what a line of a watch shows; None if nothing. After an error `version` is None: the watch is over."""
        found: Mapping[str, Any] = line.get("object") or {}
        if line.get("type") not in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
            self.version = None
            return None
        metadata = found.get("metadata") or {}
        self.version = metadata.get("resourceVersion") or self.version
        if line["type"] == "BOOKMARK":
            return None
        if line["type"] == "DELETED":
            self._known.pop(metadata["uid"], None)
            return Sighting(self._kind, found, is_gone=True)
        self._known[metadata["uid"]] = found
        return Sighting(self._kind, found)

    def failed(self, status: int | None) -> None:
        """Note that a list or watch failed with an HTTP status, or without one: after all but a cut, list again."""
        if status is not None:
            self.version = None
