"""What the engine needs of an executor: somewhere to run callables. Executors know no tasks.

Two kinds. One runs the engine's loops in its own threads (`RunsLoops`). The other has workers in other processes: the
engine stays where it is and hands over calls (`RunsCalls`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from flowbook.executors.ledger import Place

__all__ = ["Answer", "Blob", "Call", "Executor", "Report", "RunsCalls", "RunsLoops"]


@runtime_checkable
class RunsLoops(Protocol):
    """An executor in this process: it runs one loop in each of its workers, and the loops draw the work themselves.

    A worker that finished a task so goes on with a child it has made ready, without a way through any queue.
    """

    def run_loops(self, loop: Callable[[], None]) -> None:
        """Call `loop` in every worker at once; return when all have returned. `loop` does not raise."""
        ...


class Blob(NamedTuple):
    """What many calls share: sent to a worker once. `parcel` pickles without running user code."""

    label: str
    parcel: object
    size_bytes: int


class Call(NamedTuple):
    """One piece of work for a worker in another process.

    Attributes:
        id: of this call within the run.
        label: what people see of it, e.g. the task's name.
        payload: bytes for the body.
        blobs: what it shares with others.
        held: handles of values that workers hold, in the order in which the body gets them.
        resources: what a worker must have, by name.
        priority: the higher, the sooner.
        group: calls of one group are alike, and may go together where they are short.
    """

    id: int
    label: str
    payload: bytes
    blobs: tuple[Blob, ...] = ()
    held: tuple[object, ...] = ()
    resources: tuple[tuple[str, float], ...] = ()
    priority: int = 0
    group: str = ""


class Answer(NamedTuple):
    """What a body gives back: bytes for the engine, and a value too large for them, to be held (or None)."""

    body: bytes
    value: object | None = None


class Report(NamedTuple):
    """What became of a call.

    Attributes:
        kind: running: it has begun; log; done; unstarted: it has not begun and won't, since the run was cancelled; lost:
            its worker went away while it ran; notice: of no call, but something that a person is to know of the run.
        id: of the call; 0 for a notice.
        body: what the call's body said, for running and log; the bytes of its Answer, for done; a sentence, for lost; a
            level as in `logging` and a line, for notice.
        handle: stands for the value of a call that is done, where there is one.
    """

    kind: Literal["running", "log", "done", "unstarted", "lost", "notice"]
    id: int
    body: Any = None
    handle: object | None = None


@runtime_checkable
class RunsCalls(Protocol):
    """An executor whose workers are other processes; `start()` gives one of these for each run."""

    def listen(
        self, body: Callable[..., Answer | None], on_report: Callable[[Report], None], place: Place | None = None
    ) -> None:
        """Begin: calls are done by `body`, reports go to `on_report`, from any thread, each call's in order.

        Args:
            body: does the work, `body(payload, blobs by label, held values, report(kind, body)) -> Answer`. Module-level,
                and it never raises. Where `report("running", …)` is answered by False the run was cancelled: the body
                returns None without having begun.
            on_report: must be quick.
            place: a folder that workers elsewhere may see too, for what the executor notes of calls.
        """
        ...

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Take calls; returns at once."""
        ...

    def cancel(self) -> None:
        """Start nothing more: each call that has not begun is reported as unstarted. What runs goes on.

        From any thread. When it returns, no worker that can be reached begins anything.
        """
        ...

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return the held values, as the body gave them.

        Raises:
            ExecutorError: if they are gone.
        """
        ...

    def release(self) -> None:
        """Let go of the held values, where they outlive the run. From any thread."""
        ...

    @property
    def outlives(self) -> bool:
        """Whether held values can still be fetched after the run."""
        ...


class Executor:
    """Base of executors: `start()`, `submit(fn, *args, extra_context=None, **kwargs)`, `wait(futures)`."""

    #: Whether the loops run in the thread that called `run_loops`.
    is_inline: bool = False

    def start(self) -> AbstractContextManager[Any]:
        """Return a context manager in which the executor takes work; it gives what takes it."""
        return self._started()

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
        """Run `fn(*args, **kwargs)`, return a future of its value. `extra_context` labels it where labels are shown."""
        raise NotImplementedError(type(self).__name__)

    def wait(self, futures: Any) -> Any:  # noqa: ANN401
        """Return the values of futures: one, or a list, tuple or dict of them."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        """Return what people call it, e.g. `threads, 4 workers`."""
        return type(self).__name__
