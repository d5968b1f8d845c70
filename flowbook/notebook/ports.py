"""What the widgets need of a run and of the cache: ports, so that neither is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from flowbook.engine.events import Event, EventSink, Logged
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef

__all__ = ["CacheLike", "EntryLike", "RunLike", "ValuesLike", "WindowLike"]


class RunLike(Protocol):
    """A run of a flow, live or ended. All of it may be called from any thread."""

    @property
    def run_id(self) -> str:
        """Unique over all stores."""
        ...

    @property
    def number(self) -> int | None:
        """Run number, counted per flow in the store, or per session if unrecorded."""
        ...

    @property
    def flow_name(self) -> str:
        """The flow's name."""
        ...

    @property
    def graph(self) -> Graph:
        """The compiled flow."""
        ...

    @property
    def parameters(self) -> Mapping[str, object]:
        """Values by name."""
        ...

    @property
    def executor_text(self) -> str:
        """What people call its executor."""
        ...

    @property
    def state(self) -> State:
        """The flow's state."""
        ...

    @property
    def states(self) -> Mapping[str, State]:
        """Newest state by key, children of mapped tasks included; a live view."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether something of it still happens in this process."""
        ...

    @property
    def started(self) -> float | None:
        """Seconds since the epoch."""
        ...

    @property
    def ended(self) -> float | None:
        """Seconds since the epoch; None while it is live."""
        ...

    def logs(self, key: str) -> Sequence[Logged]:
        """What task `key` logged and printed."""
        ...

    def events(self) -> Sequence[Event]:
        """All that happened so far, in order."""
        ...

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Tell `sink` of every event from now on; returns what ends that."""
        ...

    def cancel(self, *, by: str = "") -> object:
        """Ask it to stop."""
        ...

    def resume(self, *keys: str, by: str = "", note: str = "") -> object:
        """Go on with these paused tasks, or with all; returns the run that goes on, or None."""
        ...

    def retry(self, *, by: str = "") -> object:
        """Run what failed again; returns the run that goes on, or None."""
        ...


class EntryLike(Protocol):
    """One entry of the cache index."""

    @property
    def id(self) -> str: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def project(self) -> str: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def flow(self) -> str: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def task(self) -> str: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def cache_key(self) -> str | None: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def created(self) -> datetime: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def expires(self) -> datetime | None: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def parameters(self) -> Mapping[str, object] | None: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def ref(self) -> ResultRef: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def run_id(self) -> str | None: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def uses(self) -> int: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def pinned(self) -> bool: ...  # noqa: D102  # as in store.CacheEntry


class WindowLike(Protocol):
    """What is to be seen of the cache at a moment."""

    @property
    def entries(self) -> Sequence[EntryLike]: ...  # noqa: D102  # as in store.browse.Window
    @property
    def total(self) -> int: ...  # noqa: D102  # as in store.browse.Window


class CacheLike(Protocol):
    """The cache index, as somebody looks at it."""

    def window(
        self,
        at: datetime,
        limit: int,
        flow: str | None = None,
        task: str | None = None,
        choose: Callable[[Sequence[Any]], Iterable[Any]] | None = None,
    ) -> WindowLike:
        """Return at most `limit` entries around a moment, oldest first; of those that `choose` gives, of some."""
        ...

    def entry(self, entry_id: str) -> EntryLike:
        """Return one entry; a FlowbookError where there is none."""
        ...

    def first(self) -> datetime | None:
        """Return when the oldest entry was made."""
        ...

    def names(self) -> Sequence[tuple[str, str]]:
        """Return the flows and tasks that have entries."""
        ...


class ValuesLike(Protocol):
    """Values at rest."""

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value."""
        ...

    def preview(self, ref: ResultRef) -> dict[str, Any] | None:
        """Return what was noted of the value when it was kept."""
        ...

    def previews(self, refs: Iterable[ResultRef]) -> Mapping[str, dict[str, Any]]:
        """Return what was noted of many values, by digest."""
        ...
