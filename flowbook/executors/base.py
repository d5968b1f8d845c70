"""What the engine needs of an executor: somewhere to run callables. Executors know no tasks."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Executor", "RunsLoops"]


@runtime_checkable
class RunsLoops(Protocol):
    """An executor in this process: it runs one loop in each of its workers, and the loops draw the work themselves.

    A worker that finished a task so goes on with a child it has made ready, without a way through any queue.
    """

    def run_loops(self, loop: Callable[[], None]) -> None:
        """Call `loop` in every worker at once; return when all have returned. `loop` does not raise."""
        ...


class Executor:
    """Base of executors: `start()`, `submit(fn, *args, extra_context=None, **kwargs)`, `wait(futures)`."""

    #: Whether the loops run in the thread that called `run_loops`.
    is_inline: bool = False

    def start(self) -> AbstractContextManager[Executor]:
        """Return a context manager in which the executor takes work."""
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
