"""Protocols for what the widgets need of a run and of the cache, so that they import neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from flowbook.engine.events import Event, EventSink, Logged
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.results.reference import ResultRef

__all__ = ["CacheLike", "EntryLike", "RunLike", "ValuesLike", "VersionsLike", "WindowLike"]


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
        """Description of the executor, for people."""
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
        """Whether tasks of it run, or will run, in this process."""
        ...

    @property
    def started(self) -> float | None:
        """Seconds since the epoch."""
        ...

    @property
    def ended(self) -> float | None:
        """Seconds since the epoch; None while it is live."""
        ...

    def progress(self) -> Mapping[str, TaskProgress]:
        """Return how far tasks are that reported it, by key."""
        ...

    def logs(self, key: str) -> Sequence[Logged]:
        """What task `key` logged and printed."""
        ...

    def events(self) -> Sequence[Event]:
        """All events so far, in order."""
        ...

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Send every event from now on to `sink`; returns a function that ends this."""
        ...

    def cancel(self, *, by: str = "", note: str = "", now: bool = False) -> object:
        """Start no more tasks."""
        ...

    def resume(self, *keys: str, by: str = "", note: str = "", inputs: Mapping[str, object] | None = None) -> object:
        """Resume these paused tasks, or all, the one named with other inputs; returns the run that goes on, or None."""
        ...

    def skip(self, *keys: str, by: str = "", note: str = "") -> object:
        """Skip these paused tasks, or all; returns the run that goes on, or None."""
        ...

    def reject(self, *keys: str, by: str = "", note: str = "") -> object:
        """Reject these paused tasks, or all; returns the run that goes on, or None."""
        ...

    def hand_over(self, flow_runner: Any, by: str = "", note: str = "") -> object:  # noqa: ANN401  # a FlowRunner
        """Let a process that the flow runner starts go on; returns the run."""
        ...

    def take_back(self, by: str = "", note: str = "") -> object:
        """Let it go on in this process; returns the run."""
        ...

    def retry(self, *, by: str = "", note: str = "", tasks: Sequence[object] = ()) -> object:
        """Run what failed again, or of it only these tasks; returns the run that goes on, or None."""
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
    def told_parameters(self) -> Mapping[str, object]: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def ref(self) -> ResultRef: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def run_id(self) -> str | None: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def uses(self) -> int: ...  # noqa: D102  # as in store.CacheEntry
    @property
    def pinned(self) -> bool: ...  # noqa: D102  # as in store.CacheEntry


class WindowLike(Protocol):
    """The cache entries around a moment."""

    @property
    def entries(self) -> Sequence[EntryLike]: ...  # noqa: D102  # as in store.browse.Window
    @property
    def total(self) -> int: ...  # noqa: D102  # as in store.browse.Window


class CacheLike(Protocol):
    """The cache index, for reading."""

    def window(
        self,
        at: datetime,
        limit: int,
        flow: str | None = None,
        task: str | None = None,
        choose: Callable[[Sequence[Any]], Iterable[Any]] | None = None,
    ) -> WindowLike:
        """Return at most `limit` entries around a moment, oldest first, among those that `choose` keeps."""
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
    """Stored values."""

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value."""
        ...

    def preview(self, ref: ResultRef) -> dict[str, Any] | None:
        """Return the preview that was stored with the value."""
        ...

    def previews(self, refs: Iterable[ResultRef]) -> Mapping[str, dict[str, Any]]:
        """Return the stored previews of many values, by digest."""
        ...


class VersionsLike(Protocol):
    """Versions of tasks' outputs, read where no pickle may be loaded. A version is named as in `compare-values` of the wire."""

    def load(self, version: Mapping[str, Any]) -> object:
        """Return the value. Raises PickledValueError: if it can't be read so; RefusedError: if there is none."""
        ...

    def kept(self, version: Mapping[str, Any]) -> object:
        """Return what its preview holds, as plain data. Raises RefusedError: if there is none."""
        ...
