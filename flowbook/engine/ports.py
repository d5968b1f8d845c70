"""What the engine needs besides executors and event sinks: an index of cached outputs, and a shelf for workers' values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

    from flowbook._context import ContextLayer
    from flowbook.engine.events import EventSink
    from flowbook.engine.task_code import TaskCode
    from flowbook.executors.base import Executor
    from flowbook.executors.ledger import LedgerFolder
    from flowbook.results.code_hash import Code
    from flowbook.results.reference import ResultRef, ResultStore
    from flowbook.results.value_record import ValueRecord

__all__ = ["CacheIndex", "CacheScope", "CachedOutput", "EpochPorts", "NewOutput", "OutputCache", "Shelf"]


class CacheScope(NamedTuple):
    """Which outputs to look in: those of one task of one flow or, with a key, of all tasks that share the key."""

    project: str
    flow: str
    task: str
    cache_key: str | None = None


class NewOutput(NamedTuple):
    """An output that was stored, for others to find.

    Attributes:
        created: aware UTC.
        expires: aware UTC; None: never.
        input_hashes: content hash by argument.
        parameters: the flow's, as plain data.
        input_texts: short inputs as text, by argument, for people.
        parameter_texts: parameters of which `parameters` has only a hash, if they are short, likewise.
    """

    scope: CacheScope
    ref: ResultRef
    created: dt.datetime
    expires: dt.datetime | None
    input_hashes: Mapping[str, str]
    parameters: Mapping[str, object]
    code_hash: str | None
    run_id: str
    input_texts: Mapping[str, str] = {}  # never changed
    parameter_texts: Mapping[str, str] = {}  # never changed


class CachedOutput(Protocol):
    """One stored output, as the index knows it."""

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
    def input_texts(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def ref(self) -> ResultRef: ...  # noqa: D102


class CacheIndex(Protocol):
    """Finds stored outputs, newest first, and takes new ones."""

    def find(self, scope: CacheScope, hashes: Mapping[str, str] | None = None) -> Iterable[CachedOutput]:
        """Return the entries that serve there now, newest first; with `hashes` only those whose inputs had these."""
        ...

    def record(self, output: NewOutput) -> str:
        """Add an entry, return its id."""
        ...

    def used(self, entry_id: str) -> None:
        """Count a use."""
        ...


@dataclass(frozen=True, slots=True)
class OutputCache:
    """The cache in which a run finds and stores outputs.

    Attributes:
        known: code of the functions that tasks run, as their flow knows it.
        codes: the code by which outputs are found and stored, one for each function and run.
        warned: keys of tasks about which a warning was logged.
        secrets: arguments that come from parameters whose names sound secret, by task: their values aren't told.
    """

    values: ResultStore
    index: CacheIndex
    project: str
    known: dict[Callable[..., object], Code] = field(default_factory=dict)
    codes: dict[Callable[..., object], TaskCode] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)
    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Shelf(Protocol):
    """The store's side of values that workers in reach of its folder write and read themselves."""

    @property
    def blobs(self) -> str:
        """The folder of large values."""
        ...

    @property
    def is_for_all(self) -> bool:
        """Whether every task's output is stored (the run is recorded), or only those that are cached."""
        ...

    def place(self) -> LedgerFolder:
        """Create a folder by which workers find out whether they can reach the store."""
        ...

    def adopt(self, written: ValueRecord) -> ResultRef:
        """Store a value whose bytes a worker wrote. Raises StoreError."""
        ...

    def put(self, value: object, limit_bytes: int) -> ResultRef:
        """Store a value. Raises UnpicklableError, StoreError, TooLargeError."""
        ...

    def load(self, written: ValueRecord) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return a value whose bytes a worker wrote, if `adopt` failed."""
        ...

    def holds(self, ref: ResultRef) -> bool:
        """Return whether a value lies in this store."""
        ...

    def content(self, ref: ResultRef) -> bytes | None:
        """Return the bytes of a small value; None where it lies in the folder `blobs`. Raises ResultGoneError."""
        ...


class EpochPorts(NamedTuple):
    """The parts that an epoch uses.

    Attributes:
        run_id: the run's id.
        executor: runs the tasks.
        sinks: receive every event, in this order.
        cache: where outputs are looked up and stored; None where no task's output is cached.
        shelf: where workers of a cluster may store values themselves.
        layer: what user code sees in the context.
    """

    run_id: str
    executor: Executor
    sinks: tuple[EventSink, ...] = ()
    cache: OutputCache | None = None
    shelf: Shelf | None = None
    layer: ContextLayer | None = None
