"""What the engine needs of an executor: somewhere to run callables. Executors know nothing of tasks.

There are two kinds. One runs the engine's loops in its own threads (`RunsLoops`). The other has workers in other processes:
the engine stays in this one and submits calls to them (`RunsCalls`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from flowbook.executors.ledger import LedgerFolder

__all__ = ["Answer", "Blob", "Call", "Executor", "Report", "RunsCalls", "RunsLoops"]


@runtime_checkable
class RunsLoops(Protocol):
    """An executor in this process: it runs one loop in each of its workers, and the loops fetch the work themselves.

    So a worker that has finished a task goes straight on with a task below it, without passing through a queue.
    """

    def run_loops(self, loop: Callable[[], None]) -> None:
        """Call `loop` in every worker at the same time; return when all calls have returned. `loop` doesn't raise."""
        ...


class Blob(NamedTuple):
    """Bytes that many calls share: sent to each worker once. `parcel` pickles without running user code."""

    label: str
    parcel: object
    size_bytes: int


class Call(NamedTuple):
    """One piece of work for a worker in another process.

    Attributes:
        id: number of the call within the run.
        label: the name that people see, e.g. the task's.
        payload: bytes for the body.
        blobs: what it shares with other calls.
        worker_values: handles of values that stay on workers, in the order in which the body receives them.
        resources: what a worker must have, by name.
        priority: higher goes first.
        group: calls of one group are alike, and may be batched if they are short.
    """

    id: int
    label: str
    payload: bytes
    blobs: tuple[Blob, ...] = ()
    worker_values: tuple[object, ...] = ()
    resources: tuple[tuple[str, float], ...] = ()
    priority: int = 0
    group: str = ""


class Answer(NamedTuple):
    """What a body returns: bytes for the engine, and a value too large for them that stays on the worker (or None)."""

    body: bytes
    value: object | None = None


class Report(NamedTuple):
    """What became of a call.

    Attributes:
        kind: "running": the call has begun; "log"; "progress"; "done"; "unstarted": it hasn't begun and won't, because the
            run was cancelled; "lost": its worker died while it ran; "stopped": `stop_calls` ended the process that had it;
            "notice": about the run, something that people should know.
        id: the call's; 0 for a notice.
        body: for running, log and progress, what the call's body reported; for done, the bytes of its Answer; for lost, a
            sentence; for notice, a level as in `logging` and a line.
        handle: of the value of a call that is done, if it stays on a worker.
    """

    kind: Literal["running", "log", "progress", "done", "unstarted", "lost", "stopped", "notice"]
    id: int
    body: Any = None
    handle: object | None = None


@runtime_checkable
class RunsCalls(Protocol):
    """An executor whose workers are other processes; `start()` returns one of these for each run."""

    def listen(
        self,
        body: Callable[..., Answer | None],
        on_report: Callable[[Report], None],
        folder: LedgerFolder | None = None,
    ) -> None:
        """Start: `body` does the calls, and `on_report` gets the reports, from any thread, those of each call in order.

        Args:
            body: does one call, `body(payload, blobs by label, worker values, report(kind, content)) -> Answer`. It is a
                module-level function and never raises. If `report("running", …)` returns False, the run was cancelled,
                and the body returns None without having begun.
            on_report: must be quick.
            folder: one that workers elsewhere may see too, for the executor's ledger.
        """
        ...

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Queue calls; return at once."""
        ...

    def cancel(self) -> None:
        """Start nothing more: each call that hasn't begun is reported as unstarted. Running calls go on.

        May be called from any thread. Once it has returned, no worker that can be reached begins anything.
        """
        ...

    def stop_calls(self, stop: Callable[[], None]) -> None:
        """Stop the calls that are running, as far as they can be stopped; return without waiting for their end.

        Each is then reported as usual: done, with what `stop` made of it; or stopped, if its process was ended.
        May be called from any thread, after `cancel`, and again.

        Args:
            stop: stops Python code of the run's calls in the process in which it is called; it can be pickled, returns
                at once and may be called where there are none.
        """
        ...

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return values that stayed on workers, as the body returned them.

        Raises:
            ExecutorError: if one is gone.
        """
        ...

    def release(self) -> None:
        """Let workers drop the values that outlive the run. May be called from any thread."""
        ...

    @property
    def outlives(self) -> bool:
        """Whether worker values can still be fetched after the run."""
        ...


class Executor:
    """Base of executors: `start()`, `submit(fn, *args, extra_context=None, **kwargs)`, `wait(futures)`."""

    #: Whether the loops run in the thread that called `run_loops`.
    is_inline: bool = False

    def start(self) -> AbstractContextManager[Any]:
        """Return a context manager that yields what takes the work.

        If it has a method `cancel`, cancelling a run calls that while the context manager is being entered.
        """
        return self._started()

    def check_process(self) -> None:
        """Raise if this process can't start the executor; called before a run begins, so that nothing of it is recorded."""

    @contextmanager
    def _started(self) -> Iterator[Executor]:
        yield self

    def submit(
        self,
        fn: Callable[..., Any],
        *args: object,
        extra_context: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Any:  # noqa: ANN401  # each executor has its own futures
        """Submit `fn(*args, **kwargs)`; return a future of its value. `extra_context` labels it for people."""
        raise NotImplementedError(type(self).__name__)

    def wait(self, futures: Any) -> Any:  # noqa: ANN401
        """Return the values of futures: one, or a list, tuple or dict of them."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        """Return its name for people, e.g. `threads, 4 workers`."""
        return type(self).__name__
