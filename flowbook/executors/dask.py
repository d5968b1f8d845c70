"""`DaskExecutor`: tasks on a Dask cluster, at an address or temporary. What a run does there is in `dask_session`."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import uuid
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import ExecutorError
from flowbook.executors import dask_worker
from flowbook.executors.base import Executor
from flowbook.executors.dask_connecting import Connecting
from flowbook.executors.dask_session import DaskSession
from flowbook.executors.processes import check_process, start_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


__all__ = ["DaskExecutor"]

_CONNECT_S = 10


class DaskExecutor(Executor):
    """Runs tasks on a Dask cluster.

    Args:
        address: of a scheduler, e.g. "tcp://localhost:8786"; without one, each run makes a temporary cluster.
        cluster_class: makes the temporary cluster, a class or its path as text; default: `distributed.LocalCluster`,
            but one that restarts a worker each time it dies.
        cluster_kwargs: for it; default: `processes=False`, all within this process. With `processes=True` a script must
            have the run under `if __name__ == "__main__":`.
        adapt_kwargs: lets the cluster grow and shrink, e.g. `{"minimum": 1, "maximum": 10}`.
        client_kwargs: for `distributed.Client`; `timeout` is how many seconds connecting may take, default 10.
        performance_report_path: file to which Dask writes its report of each run, as HTML.

    Values stay on the workers, and are loaded when `state.result` is first read. Before a temporary cluster closes, values
    of up to `FLOWBOOK_MAX_GATHER_BYTES` in total move to this process; on a cluster at an address they stay until the run
    is closed (`FlowRun.close`) or its states are no longer referenced.
    A task's tag `dask-resource:NAME=N` asks for a worker that has this resource.
    While the cluster has no worker for the tasks that are ready, the run waits, and its log says what is missing: after a
    few seconds, and then ever more rarely. A task's `timeout` counts from when it begins.
    """

    def __init__(  # noqa: PLR0913  # the names promised to users
        self,
        address: str | None = None,
        cluster_class: str | Callable[..., Any] | None = None,
        cluster_kwargs: Mapping[str, Any] | None = None,
        adapt_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        performance_report_path: str | None = None,
        *,
        debug: bool | None = None,
    ) -> None:
        del debug  # accepted for compatibility; it has no effect
        if address is not None and (cluster_class is not None or cluster_kwargs or adapt_kwargs):
            msg = (
                f"DaskExecutor got address={address!r} and options of a temporary cluster. Give the address alone, or "
                "leave it out and give cluster_class, cluster_kwargs, adapt_kwargs."
            )
            raise ExecutorError(msg, address=address)
        self.address = address
        self.cluster_class = cluster_class
        self.cluster_kwargs = dict(cluster_kwargs or {})
        self.adapt_kwargs = dict(adapt_kwargs or {})
        self.client_kwargs = dict(client_kwargs or {})
        self.performance_report_path = performance_report_path
        self._client: Any = None

    def check_process(self) -> None:
        """Check that this isn't a worker process that runs its script again, because the script has no guard.

        Raises:
            SystemExit: if it is; the process ends, whoever catches errors.
        """
        if self.address is None:
            check_process()

    def start(self) -> AbstractContextManager[DaskSession]:
        """Return a context manager that connects, and that makes and closes the temporary cluster.

        Raises:
            ExecutorError: on entering it, if the cluster can't be made or reached.
        """
        return _Session(self)

    @contextmanager
    def _session(self, connecting: Connecting) -> Iterator[DaskSession]:
        with ExitStack() as stack:
            client = self._connect(stack, connecting)
            if self.performance_report_path is not None:
                stack.enter_context(self._report(client))
            session = DaskSession(client, outlives=self.address is not None)
            before, self._client = self._client, client
            try:
                yield session
            except KeyboardInterrupt:
                _leave(client)
                raise
            finally:
                self._client = before
                session.close()

    def _connect(self, stack: ExitStack, connecting: Connecting) -> Any:  # noqa: ANN401  # a distributed.Client
        from flowbook.executors.dask_client import Client  # noqa: PLC0415  # heavy

        options = {"timeout": _CONNECT_S, "set_as_default": False, **self.client_kwargs}
        where: Any = self.address
        try:
            if where is None:
                where = stack.enter_context(self._cluster())
                if self.adapt_kwargs:
                    where.adapt(**self.adapt_kwargs)
            client = Client(where, connecting=connecting, **options)
        except Exception as error:
            raise ExecutorError(self._no_cluster(error), address=self.address) from error
        if self.address is None:
            stack.enter_context(client)
        return client

    def _no_cluster(self, error: Exception) -> str:
        """Return what to say where there is no cluster, by the kind of cluster that was wanted."""
        why = f"{type(error).__name__}: {str(error).rstrip('.')}."
        if self.address is not None:
            return (
                f"There is no Dask cluster at {self.address}: {why} Check the address and that the "
                "scheduler runs; DaskExecutor() without an address makes a cluster in this process."
            )
        advice = (
            start_advice()
            if self.cluster_class is None and self.cluster_kwargs.get("processes")
            else "Check cluster_class and cluster_kwargs; DaskExecutor() makes a cluster in this process."
        )
        return f"The Dask cluster of this run couldn't be started: {why} {advice}"

    def _cluster(self) -> Any:  # noqa: ANN401  # a cluster of whatever class
        make: Any = self.cluster_class
        if isinstance(make, str):
            module, _, name = make.rpartition(".")
            make = getattr(importlib.import_module(module), name)
        if make is None:
            from flowbook.executors.dask_cluster import LastingCluster  # noqa: PLC0415  # heavy

            make = LastingCluster
            usual = {"processes": False, "preload": [dask_worker.__name__], **_dashboard()}
            return make(**{**usual, **self.cluster_kwargs})
        return make(**self.cluster_kwargs)

    def _report(self, client: Any) -> Any:  # noqa: ANN401
        from distributed import performance_report  # noqa: PLC0415  # heavy

        try:
            importlib.import_module("bokeh")
        except ImportError as error:
            msg = "Dask writes performance reports with bokeh, which isn't installed: pip install bokeh."
            raise ExecutorError(msg) from error

        @contextmanager
        def reported() -> Iterator[None]:
            with client.as_current(), performance_report(filename=self.performance_report_path):
                yield

        return reported()

    def submit(
        self,
        fn: Callable[..., Any],
        *args: object,
        extra_context: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Any:  # noqa: ANN401
        """Return a Dask future of `fn(*args, **kwargs)`. Call it inside `start()`."""
        name = (extra_context or {}).get("task", getattr(fn, "__name__", "call"))
        return self._connected().submit(fn, *args, key=f"{name}-{uuid.uuid4().hex}", pure=False, **kwargs)

    def wait(self, futures: Any) -> Any:  # noqa: ANN401
        """Return the values of futures: one, or a list, tuple or dict of them. Call it inside `start()`."""
        return self._connected().gather(futures)

    def _connected(self) -> Any:  # noqa: ANN401
        if self._client is None:
            msg = "This executor isn't connected. Use it inside `with executor.start():`."
            raise ExecutorError(msg)
        return self._client

    def describe(self) -> str:
        """Return its name for people."""
        return f"Dask at {self.address}" if self.address is not None else "Dask, a temporary cluster"

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_client": None}

    def __repr__(self) -> str:
        return f"DaskExecutor(address={self.address!r})" if self.address is not None else "DaskExecutor()"


class _Session(AbstractContextManager[DaskSession]):
    """A session that connects when it is entered. `cancel` ends the connecting from another thread."""

    def __init__(self, executor: DaskExecutor) -> None:
        self._connecting = Connecting()
        self._session = executor._session(self._connecting)  # noqa: SLF001  # its own

    def __enter__(self) -> DaskSession:
        return self._session.__enter__()

    def __exit__(self, *error: Any) -> bool | None:  # noqa: ANN401, PYI036  # as they came
        return self._session.__exit__(*error)

    def cancel(self) -> None:
        self._connecting.stop()


def _dashboard() -> dict[str, Any]:
    """Return the options by which a temporary cluster serves its dashboard, or doesn't try to where bokeh is missing.

    Of clusters that try at the same time all the same, Python gives some only half of Dask's module, and they fail.
    """
    options: dict[str, Any] = {"dashboard_address": "127.0.0.1:0"}
    if importlib.util.find_spec("bokeh") is None:
        return {**options, "scheduler_kwargs": {"dashboard": False}}
    importlib.import_module("distributed.dashboard.scheduler")
    return options


def _leave(client: Any) -> None:  # noqa: ANN401
    """Close workers that are threads of this process, even if their tasks are running: the cluster would wait for them."""
    for worker in getattr(client.cluster, "workers", {}).values():
        if hasattr(worker, "executors"):  # no nanny, whose process is ended
            with contextlib.suppress(Exception):  # closed already
                client.sync(worker.close, executor_wait=False)
