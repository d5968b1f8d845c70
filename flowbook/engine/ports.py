"""What the engine asks of the world beside executors and event sinks: an index of cached outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from flowbook.results.reference import ResultRef, ResultStore

__all__ = ["CacheIndex", "CachedOutput", "OutputCache"]


class CachedOutput(Protocol):
    """What the index knows of one stored output."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def created(self) -> dt.datetime: ...  # noqa: D102
    @property
    def expires(self) -> dt.datetime | None: ...  # noqa: D102
    @property
    def input_hashes(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def parameters(self) -> Mapping[str, object]: ...  # noqa: D102
    @property
    def code_hash(self) -> str | None: ...  # noqa: D102
    @property
    def ref(self) -> ResultRef: ...  # noqa: D102


class CacheIndex(Protocol):
    """Finds stored outputs, newest first, and takes new ones."""

    def find(self, *, cache_key: str | None, project: str, flow: str, task: str) -> Sequence[CachedOutput]:
        """Return the entries of that key, or else of that task, newest first, expired ones left out."""
        ...

    def record(  # noqa: PLR0913  # one row
        self,
        *,
        cache_key: str | None,
        project: str,
        flow: str,
        task: str,
        created: dt.datetime,
        expires: dt.datetime | None,
        input_hashes: Mapping[str, str],
        parameters: Mapping[str, object],
        code_hash: str | None,
        ref: ResultRef,
        run_id: str,
    ) -> str:
        """Add an entry, return its id."""
        ...

    def used(self, entry_id: str) -> None:
        """Count a use."""
        ...


@dataclass(frozen=True, slots=True)
class OutputCache:
    """Where a run finds and keeps cached outputs."""

    values: ResultStore
    index: CacheIndex
    project: str
