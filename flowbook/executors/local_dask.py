"""`LocalDaskExecutor`: tasks in parallel on this machine, in threads, processes, or a Dask scheduler of the user's own.

One Dask call for each task would cost 55 to 110 µs and couldn't handle retries or mapped children. So `num_workers` loops
run, and each fetches tasks for itself (docs/decisions/0004 and 0015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook.exceptions import ExecutorError
from flowbook.executors.base import Executor
from flowbook.executors.interrupts import LONGEST_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

__all__ = ["LocalDaskExecutor"]

_SCHEDULERS = ("threads", "processes", "synchronous")
#: Dask's other names for them.
_ALIASES = {
    "threading": "threads",
    "multiprocessing": "processes",
    "sync": "synchronous",
    "single-threaded": "synchronous",
}


class LocalDaskExecutor(Executor):
    """Runs tasks in parallel on this machine.

    Args:
        scheduler: "threads"; "processes", each with its own interpreter, for Python code that computes; "synchronous", one
            task after another in this thread; Dask's other names for these ("threading", "multiprocessing", "sync",
            "single-threaded"); or a Dask `get` of your own. A `get` takes all calls that are ready at once, as a wave, and
            the next wave starts only when this one is done: branches wait for each other, and Running shows only at the
            end. If one of its processes dies, Dask ends them all: each call that was running counts as one Crashed
            attempt, and the others go along with the next wave. `run.cancel(now=True)` stops what a `get` runs in
            threads or processes of this one; what it runs elsewhere goes on to its end.
        num_workers: how many tasks run at once; default: one for each core that this process may use.

    Raises:
        ExecutorError: if there is no such scheduler, or if `num_workers` isn't a positive whole number.
    """

    def __init__(
        self,
        scheduler: str | Callable[..., Any] = "threads",
        num_workers: int | None = None,
    ) -> None:
        scheduler = _ALIASES.get(scheduler, scheduler) if isinstance(scheduler, str) else scheduler
        if scheduler not in _SCHEDULERS and not callable(scheduler):
            msg = f"There is no scheduler {scheduler!r}. Use one of {', '.join(map(repr, _SCHEDULERS))}, or a Dask get."
            raise ExecutorError(msg, scheduler=scheduler)
        if num_workers is not None and (not isinstance(num_workers, int) or num_workers < 1):
            msg = f"num_workers={num_workers!r} isn't a number of workers. Give 1 or more, or leave it out."
            raise ExecutorError(msg, num_workers=num_workers)
        self.scheduler = scheduler
        self.is_inline = scheduler == "synchronous"
        self._num_workers = 1 if self.is_inline else num_workers

    @property
    def num_workers(self) -> int:
        """How many tasks run at once."""
        if self._num_workers is None:
            from dask.system import CPU_COUNT  # noqa: PLC0415  # heavy; knows the process's affinity and its container's quota

            self._num_workers = CPU_COUNT
        return self._num_workers

    def start(self) -> AbstractContextManager[Any]:
        """Return a context manager in which the executor accepts work."""
        if self.scheduler == "processes":
            from flowbook.executors.processes import Processes  # noqa: PLC0415  # multiprocessing: only where it is used

            return Processes(self.num_workers)
        if callable(self.scheduler):
            from flowbook.executors.waves import Waves  # noqa: PLC0415  # only where it is used

            return Waves(self.scheduler, self.num_workers)
        return super().start()

    def check_process(self) -> None:
        """Check that this isn't a worker process that runs its script again, because the script has no guard.

        Raises:
            SystemExit: if it is; the process ends, whoever catches errors.
        """
        if self.scheduler == "processes":
            from flowbook.executors.processes import check_process  # noqa: PLC0415  # as in `start`

            check_process()

    def run_loops(self, loop: Callable[[], None]) -> None:
        """Call `loop` in every worker, each in a copy of this context (otherwise a notebook would lose its prints).

        The threads are daemons: a task that is abandoned by a second Ctrl-C holds up neither the caller nor Python's end.
        """
        if self.is_inline:
            loop()
            return
        errors: list[BaseException] = []

        def work() -> None:
            try:
                loop()
            except BaseException as error:  # noqa: BLE001  # raised below, in the caller's thread
                errors.append(error)

        workers: list[threads.OwnedThread] = []
        for number in range(self.num_workers):
            thread = threads.prepare(work, name=f"worker-{number}", owner=self)
            try:
                thread.start()
            except RuntimeError:  # the machine has no more threads: fewer will do
                if not workers:
                    raise
                break
            workers.append(thread)
        for thread in workers:
            while thread.is_alive():
                thread.join(LONGEST_WAIT_S)
        if errors:
            raise errors[0]

    def submit(
        self,
        fn: Callable[..., Any],
        *args: object,
        extra_context: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Any:  # noqa: ANN401
        """Return a `dask.delayed` call of `fn`; `wait` computes it."""
        import dask  # noqa: PLC0415

        del extra_context
        return dask.delayed(fn, pure=False)(*args, **kwargs)

    def wait(self, futures: Any) -> Any:  # noqa: ANN401
        """Compute what `submit` returned, all at once."""
        import dask  # noqa: PLC0415

        (values,) = dask.compute(futures, scheduler=self.scheduler, num_workers=self.num_workers)
        return values

    def describe(self) -> str:
        """Return its name for people."""
        return f"{self._name()}, {self.num_workers} worker{'s' if self.num_workers != 1 else ''}"

    def _name(self) -> str:
        return (
            self.scheduler
            if isinstance(self.scheduler, str)
            else getattr(self.scheduler, "__name__", repr(self.scheduler))
        )

    def __repr__(self) -> str:
        return f"LocalDaskExecutor(scheduler={self._name()!r}, num_workers={self.num_workers})"
