"""The calls of one run on a Dask cluster, seen from the driver; `dask_worker` is the workers' side.

Values stay on the workers, as futures. Workers report through Dask's events, one topic for each run; events arrive before
the result of the call that they are about.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import queue
import time
import uuid
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook.exceptions import ExecutorError
from flowbook.executors import dask_worker
from flowbook.executors.base import Report
from flowbook.executors.batches import WITH_VALUE, CallEvent
from flowbook.executors.dask_closing import close_client, close_client_with
from flowbook.executors.dask_packing import Packing, WorkerValue
from flowbook.executors.dask_queues import ResourceQueues
from flowbook.executors.ledger import BEGUN, DONE, Ledger
from flowbook.executors.worker_monitor import PendingCalls, WorkerInfo, WorkerMonitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flowbook.executors.base import Answer, Call
    from flowbook.executors.dask_packing import Packed
    from flowbook.executors.dask_queues import Resources
    from flowbook.executors.ledger import LedgerFolder
    from flowbook.executors.worker_monitor import Notice

__all__ = ["DaskSession"]

_log = logging.getLogger("flowbook.executors")

_COUNT_AGAIN_S = 1.0
#: How much later than the result an event may arrive.
_GRACE_S = 2.0
#: How long an event may be on its way.
_EVENT_DELAY_S = 0.1
#: How often a cancelled run checks whether the calls that began are still running.
_STILL_RUNNING_S = 1.0
#: How long cancelling waits for workers that only a message can reach.
_STOP_S = 2.0
#: How long Dask's client gathers messages before it sends them. Its default of 10 ms is most of the latency of a single
#: call; the scheduler and workers gather theirs for 2 to 5 ms.
_GATHER_S = 0.002
#: How often the session checks that the cluster has workers for the calls that aren't done.
_CHECK_S = 2.0
#: How long the scheduler may take to answer which workers it has.
_ASK_S = 2.0
#: How often a call that hasn't begun is submitted again after its Dask task failed.
_TRIES = 4


class _Task:
    """One submitted Dask task: its calls that aren't done, by number, and which of them have begun."""

    __slots__ = ("begun", "calls", "future", "has_values", "page")

    def __init__(self, packed: Packed, future: Any) -> None:  # noqa: ANN401
        self.page = packed.page
        self.calls = packed.calls
        self.begun: set[int] = set()
        #: Whether its result holds values that the run may need.
        self.has_values = False
        self.future = future


class DaskSession:
    """Runs the calls of one run. Implements `RunsCalls`."""

    def __init__(self, client: Any, *, outlives: bool) -> None:  # noqa: ANN401  # a distributed.Client
        self._client = client
        self._outlives = outlives
        self._topic = f"flowbook-{uuid.uuid4().hex}"
        self._queues = ResourceQueues()
        self._ledger: Ledger | None = None
        self._tasks: dict[int, _Task] = {}
        self._tries: dict[int, int] = {}
        self._monitor = WorkerMonitor(*_where(client, is_temporary=not outlives))
        self._is_check_due = False
        self._inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._is_cancelled = False
        self._threads, self._counted = 0, 0.0
        self._packing = Packing(client)
        self._handles: weakref.WeakSet[WorkerValue] = weakref.WeakSet()
        self._thread = threads.prepare(self._read_inbox, name="dask", owner=self)
        if outlives:
            close_client_with(self, client)

    @property
    def outlives(self) -> bool:
        """Whether values stay where they are after the run."""
        return self._outlives

    def listen(
        self,
        body: Callable[..., Answer | None],
        on_report: Callable[[Report], None],
        folder: LedgerFolder | None = None,
    ) -> None:
        """Start listening to the workers."""
        self._ledger = Ledger(folder)
        self._batch_context = dask_worker.BatchContext(self._topic, self._ledger.folder, body)
        self._on_report = on_report
        self._client.scheduler_comm.interval = _GATHER_S
        inbox = self._inbox
        self._client.subscribe_topic(self._topic, lambda event: inbox.put(("events", event[1])))
        self._thread.start()

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Queue calls."""
        self._inbox.put(("calls", calls))

    def cancel(self) -> None:
        """Start nothing more, and withdraw from the cluster what hasn't begun.

        Workers that see the ledger's folder know at once; the others have been told when this returns.
        """
        if self._is_cancelled:
            return
        self._is_cancelled = True
        if self._ledger is not None:
            self._ledger.stop()
        self._call_on_workers(dask_worker.stop, self._topic)
        self._inbox.put(("cancel", None))

    def stop_calls(self, stop: Callable[[], None]) -> None:
        """Stop Python code of the calls that are running, on every worker that answers."""
        self._call_on_workers(stop)

    def _call_on_workers(self, function: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(Exception):  # a worker that doesn't answer has nothing to stop
            run = self._client._run  # noqa: SLF001  # `run` itself would wait for ever for a hanging worker
            self._client.sync(run, function, *args, on_error="ignore", callback_timeout=_STOP_S)

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return values from the workers.

        Raises:
            ExecutorError: if a value is lost, or the cluster is gone.
        """
        if not handles:
            return []
        values: list[WorkerValue] = list(handles)  # type: ignore[arg-type]  # they are ours
        futures = {each.future.key: each.future for each in values}
        try:
            lists = dict(zip(futures, self._gather(list(futures.values())), strict=True))
        except Exception as error:
            msg = f"the cluster no longer gives it ({type(error).__name__}: {error})"
            raise ExecutorError(msg) from error
        try:
            return [lists[each.future.key][each.number] for each in values]
        except (KeyError, TypeError) as error:
            msg = "it was lost with its worker and could not be made again"
            raise ExecutorError(msg) from error

    def release(self) -> None:
        """Let the cluster drop the values."""
        self._handles.clear()
        close_client(self._client)

    def _gather(self, futures: list[Any]) -> list[Any]:
        """Return results, straight from the workers if they can be reached; through the scheduler they are copied twice."""
        try:
            return list(self._client.gather(futures, direct=True))
        except Exception:  # noqa: BLE001  # behind a firewall, or lost: ask the scheduler
            return list(self._client.gather(futures, direct=False))

    def close(self) -> None:
        """End the session. On a cluster that outlives the run, values stay for as long as the run may need them."""
        if self._thread.ident is not None:
            self._inbox.put(("end", None))
            self._thread.join()
        with contextlib.suppress(Exception):  # the cluster may be gone
            self._client.run_on_scheduler(_forget, topic=self._topic)
        if self._ledger is not None:
            self._ledger.close()
        self._packing.forget_blobs()
        self._tasks.clear()
        if self._outlives and not self._handles:
            close_client(self._client)

    # The session's thread; all below runs in it

    def _read_inbox(self) -> None:
        while True:
            kind, what = self._inbox.get()
            if kind == "end":
                return
            try:
                self._take(kind, what)
            except Exception as error:  # noqa: BLE001  # any of Dask's errors: the run must not wait for ever
                self._give_up(f"Dask failed: {type(error).__name__}: {error}")

    def _take(self, kind: str, what: Any) -> None:  # noqa: ANN401
        if kind == "calls":
            self._queues.add(what)
        elif kind == "events":
            for event in pickle.loads(what):  # noqa: S301  # the run's own workers sent them
                self._handle_event(event)
        elif kind == "cancel":
            self._later(_EVENT_DELAY_S, "withdraw", None)  # events of what began before may still be on their way
        elif kind == "withdraw":
            self._withdraw()
        elif kind == "check":
            self._check_workers()
        elif kind == "settled":
            self._settled(what)
        elif kind == "late":
            self._resolve(what, "its worker didn't report how it ended")
        if self._inbox.empty():
            self._feed()

    def _handle_event(self, event: CallEvent) -> None:
        task = self._tasks.get(event.id)
        if task is None:
            return
        call = task.calls[event.id]
        self._report_notice(self._monitor.began(call.resources))
        if event.kind == "running":
            if event.id in task.begun:
                return
            task.begun.add(event.id)
        if event.kind in {"running", "log", "progress"}:
            self._on_report(Report(event.kind, call.id, event.body))  # type: ignore[arg-type]  # one of these
            return
        self._forget(event.id)
        if event.kind == "returned":
            self._queues.add([call])
        elif event.kind == "unstarted":
            self._on_report(Report("unstarted", call.id))
        elif event.kind == "lost":
            self._on_report(Report("lost", call.id, event.body))
        else:
            self._queues.record_duration(call, event.seconds)
            handle = None
            if event.has_value:
                handle = WorkerValue(task.future, event.id)
                self._handles.add(handle)
                task.has_values = True
            self._on_report(Report("done", call.id, event.body, handle))

    def _forget(self, number: int) -> Call:
        task = self._tasks.pop(number)
        call = task.calls.pop(number)
        if not task.calls:
            self._queues.batch_done(call)
        return call

    # Submitting

    def _feed(self) -> None:
        if self._is_cancelled:
            for call in self._queues.drain():
                self._on_report(Report("unstarted", call.id))
            return
        if not len(self._queues):
            return
        self._schedule_check()
        alike: dict[tuple[Any, ...], list[list[Call]]] = {}
        for batch in self._queues.take(self._slots()):
            alike.setdefault((batch[0].label, batch[0].priority, batch[0].resources), []).append(batch)
        try:
            for (_, priority, resources), batches in alike.items():
                self._submit(batches, {"priority": priority, "resources": dict(resources) or None, "pure": False})
        except Exception:
            self._requeue(call for batches in alike.values() for batch in batches for call in batch)
            raise

    def _requeue(self, calls: Iterable[Call]) -> None:
        """Queue the calls that no Dask task has again, so that none is lost if the session gives up."""
        submitted = {call.id for task in self._tasks.values() for call in task.calls.values()}
        self._queues.add(call for call in calls if call.id not in submitted)

    def _slots(self) -> int:
        now = time.monotonic()
        if now - self._counted > _COUNT_AGAIN_S:
            self._threads = sum(self._client.nthreads().values())
            self._counted = now
        return max(self._threads, 1)

    def _submit(self, batches: list[list[Call]], options: dict[str, Any]) -> None:
        plain: list[Packed] = []
        for batch in batches:
            packed = self._packing.pack(batch)
            if packed.futures:
                inputs = self._batch_context, packed.content, packed.futures
                future = self._client.submit(dask_worker.do_batch, *inputs, key=self._key(packed), **options)
                self._track(packed, future)
            else:
                plain.append(packed)
        if plain:
            keys = [self._key(packed) for packed in plain]
            found = self._client.map(
                _Do(self._batch_context), [packed.content for packed in plain], key=keys, **options
            )
            for packed, future in zip(plain, found, strict=True):
                self._track(packed, future)

    def _key(self, packed: Packed) -> str:
        first = next(iter(packed.calls.values()))
        return f"{first.label}-{self._topic[9:17]}{first.id:x}-{packed.page}"

    def _track(self, packed: Packed, future: Any) -> None:  # noqa: ANN401
        task = _Task(packed, future)
        for number in task.calls:
            self._tasks[number] = task
        inbox = self._inbox
        future.add_done_callback(lambda _: inbox.put(("settled", task)))

    # Missing workers

    def _schedule_check(self) -> None:
        if not self._is_check_due:
            self._is_check_due = True
            self._later(_CHECK_S, "check", None)

    def _check_workers(self) -> None:
        """Report missing workers, if there are any; check again as long as calls aren't done."""
        self._is_check_due = False
        pending = {} if self._is_cancelled else self._pending_calls()
        if not pending:
            return
        with contextlib.suppress(Exception):  # a scheduler that doesn't answer may do so next time
            identity = self._client.sync(self._client.scheduler.identity, callback_timeout=_ASK_S)
            self._report_notice(self._monitor.check(pending, WorkerInfo.all_of(identity), time.monotonic()))
        self._schedule_check()

    def _pending_calls(self) -> dict[Resources, PendingCalls]:
        """Return the calls that aren't done, by the resources they ask of a worker."""
        names: dict[Resources, dict[str, None]] = {}
        waiting: Counter[Resources] = Counter(self._queues.waiting())
        begun: Counter[Resources] = Counter()
        for number, task in self._tasks.items():
            call = task.calls[number]
            names.setdefault(call.resources, {})[call.label] = None
            (begun if number in task.begun else waiting)[call.resources] += 1
        return {need: PendingCalls(tuple(labels), waiting[need], begun[need]) for need, labels in names.items()}

    def _report_notice(self, notice: Notice | None) -> None:
        if notice is not None:
            _log.log(notice.level, notice.text)
            self._on_report(Report("notice", 0, notice))

    # Failures and cancelling

    def _settled(self, task: _Task) -> None:
        """Release a Dask task that has ended, or find out about those of its calls that no event was about."""
        if not task.calls:
            if not task.has_values:
                task.future.release()
            return
        status = task.future.status
        if status == "finished":
            self._later(_GRACE_S, "late", task)
        elif status == "cancelled":
            # The cluster may have lost the blobs that were sent once for all calls.
            self._packing.forget_blobs()
            self._resolve(task, "Dask cancelled it")
        else:
            error = task.future.exception()
            self._resolve(task, f"{type(error).__name__}: {error}")

    def _resolve(self, task: _Task, why: str) -> None:
        """Report what became of the calls of a Dask task that Dask gave up; submit those that hadn't begun again."""
        entries = self._ledger.read(task.page) if self._ledger is not None else None
        for number in list(task.calls):
            call = self._forget(number)
            entry = entries.get(number) if entries is not None else None
            if entry is not None and entry.kind in {BEGUN, DONE} and number not in task.begun:
                self._on_report(Report("running", call.id, entry.begun))
            if entry is not None and entry.kind == DONE and entry.body[:1] != WITH_VALUE:
                self._on_report(Report("done", call.id, entry.body[1:]))
            elif entry is not None and entry.kind == BEGUN:
                self._on_report(Report("lost", call.id, dask_worker.ended_while_running(entry)))
            elif entries is None and number in task.begun:
                self._on_report(Report("lost", call.id, f"{dask_worker.ended_while_running(None)} ({why})"))
            else:
                self._try_again(call, why)

    def _try_again(self, call: Call, why: str) -> None:
        tries = self._tries[call.id] = self._tries.get(call.id, 0) + 1
        if self._is_cancelled:
            self._on_report(Report("unstarted", call.id))
        elif tries < _TRIES:
            self._queues.add([call._replace(group="")])
        else:
            self._on_report(Report("lost", call.id, f"The cluster couldn't finish it: {why}."))

    def _give_up(self, why: str) -> None:
        for task in list(self._tasks.values()):
            for number in list(task.calls):
                self._on_report(Report("lost", self._forget(number).id, why))
        for call in self._queues.drain():
            self._on_report(Report("lost", call.id, why))

    def _withdraw(self) -> None:
        """Withdraw what no worker has: it may wait for one for ever. Repeat until all running calls have ended."""
        if not self._tasks:
            return
        on_workers = {key for keys in self._client.processing().values() for key in keys}
        tasks = {id(task): task for task in self._tasks.values()}.values()
        idle = [task for task in tasks if not task.begun or task.future.key not in on_workers]
        self._client.cancel([task.future for task in idle if task.future.status == "pending"], force=True)
        self._later(_STILL_RUNNING_S, "withdraw", None)

    def _later(self, seconds: float, kind: str, what: object) -> None:
        threads.spawn(_put_after, self._inbox, seconds, (kind, what), name="dask-timer", owner=self)


def _put_after(inbox: queue.SimpleQueue[tuple[str, Any]], seconds: float, message: tuple[str, object]) -> None:
    """Put a message into a session's inbox later; the thread that waits doesn't hold the session, and so the run's values."""
    time.sleep(seconds)
    inbox.put(message)


class _Do:
    """`do_batch` for one run, as `Client.map` needs it: a function of the batch alone. It is small, and sent once."""

    def __init__(self, context: dask_worker.BatchContext) -> None:
        self._batch_context = context
        self.__name__ = "flowbook"

    def __call__(self, packed: bytes) -> dict[int, Any] | None:
        return dask_worker.do_batch(self._batch_context, packed, [])


def _where(client: Any, *, is_temporary: bool) -> tuple[str, str]:  # noqa: ANN401
    """Return the cluster's name in messages, and how it gets workers."""
    address = client.scheduler.address
    if is_temporary:
        advice = "A temporary cluster gets workers by DaskExecutor's cluster_kwargs and adapt_kwargs."
        return "this run's temporary Dask cluster", advice
    return f"the Dask cluster at {address}", f"Start one, dask worker {address}{{option}}, or scale the cluster up."


def _forget(dask_scheduler: Any, topic: str) -> None:  # noqa: ANN401
    """Drop everything that the scheduler keeps about the run's events; unsubscribing from the client leaves some of it."""
    topics = getattr(getattr(dask_scheduler, "_broker", None), "_topics", {})
    topics.pop(topic, None)
