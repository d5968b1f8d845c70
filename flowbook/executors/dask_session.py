"""The calls of one run on a Dask cluster, and what is heard of them. This side; the workers' is `dask_worker`.

Values stay on the workers, as futures. What happens is told by Dask's events, one topic a run: they arrive before the
result of the call they speak of.
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
from flowbook.executors.batches import HELD, News
from flowbook.executors.dask_closing import close_client, close_client_with
from flowbook.executors.dask_lanes import Lanes
from flowbook.executors.dask_packing import Held, Packing
from flowbook.executors.dask_waiting import Wanted, Watch, WorkerSeen
from flowbook.executors.ledger import BEGUN, DONE, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flowbook.executors.base import Answer, Call
    from flowbook.executors.dask_lanes import Resources
    from flowbook.executors.dask_packing import Packed
    from flowbook.executors.dask_waiting import Notice
    from flowbook.executors.ledger import Place

__all__ = ["DaskSession"]

_log = logging.getLogger("flowbook.executors")

_COUNT_AGAIN_S = 1.0
#: How long news may come later than the result.
_GRACE_S = 2.0
#: How long news may be on the way.
_NEWS_S = 0.1
#: How often it is looked, once a run was cancelled, whether what has begun still runs.
_LOOK_S = 1.0
#: How long cancelling waits for workers that it can only tell by a message.
_TELL_S = 2.0
#: How long Dask's client gathers messages before it sends them. Its own 10 ms are most of the way of a call that is alone,
#: as under a limit; the scheduler and workers gather theirs for 2 to 5 ms.
_GATHER_S = 0.002
#: How often it is looked, while calls are not done, whether the cluster has workers that can do them.
_WATCH_S = 2.0
#: How long the scheduler may take to say which it has.
_ASK_S = 2.0
#: How often a call that was not begun is handed over, where its Dask task came to nothing.
_TRIES = 4


class _Task:
    """One Dask task that was submitted: the calls in it that are not done, by number, and which have begun."""

    __slots__ = ("begun", "calls", "future", "holds", "page")

    def __init__(self, packed: Packed, future: Any) -> None:  # noqa: ANN401
        self.page = packed.page
        self.calls = packed.calls
        self.begun: set[int] = set()
        #: Whether its result has values that somebody may ask for.
        self.holds = False
        self.future = future


class DaskSession:
    """Runs the calls of one run. Implements `RunsCalls`."""

    def __init__(self, client: Any, *, outlives: bool) -> None:  # noqa: ANN401  # a distributed.Client
        self._client = client
        self._outlives = outlives
        self._topic = f"flowbook-{uuid.uuid4().hex}"
        self._lanes = Lanes()
        self._ledger: Ledger | None = None
        self._tasks: dict[int, _Task] = {}
        self._tries: dict[int, int] = {}
        self._watch = Watch(*_where(client, is_temporary=not outlives))
        self._is_watching = False
        self._inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._is_cancelled = False
        self._threads, self._counted = 0, 0.0
        self._packing = Packing(client)
        self._handles: weakref.WeakSet[Held] = weakref.WeakSet()
        self._thread = threads.prepare(self._pump, name="dask", owner=self)
        if outlives:
            close_client_with(self, client)

    @property
    def outlives(self) -> bool:
        """Whether values stay where they are after the run."""
        return self._outlives

    def listen(
        self, body: Callable[..., Answer | None], on_report: Callable[[Report], None], place: Place | None = None
    ) -> None:
        """Begin."""
        self._ledger = Ledger(place)
        self._errand = dask_worker.Errand(self._topic, self._ledger.place, body)
        self._on_report = on_report
        self._client.scheduler_comm.interval = _GATHER_S
        inbox = self._inbox
        self._client.subscribe_topic(self._topic, lambda event: inbox.put(("news", event[1])))
        self._thread.start()

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Take calls."""
        self._inbox.put(("calls", calls))

    def cancel(self) -> None:
        """Start nothing more, and take back from the cluster what has not begun.

        Workers that share the ledger's folder know at once; the others have been told when this returns.
        """
        if self._is_cancelled:
            return
        self._is_cancelled = True
        if self._ledger is not None:
            self._ledger.stop()
        with contextlib.suppress(Exception):  # a worker that does not answer has nothing to stop
            run = self._client._run  # noqa: SLF001  # `run` itself would wait for ever for a worker that hangs
            self._client.sync(run, dask_worker.stop, self._topic, on_error="ignore", callback_timeout=_TELL_S)
        self._inbox.put(("cancel", None))

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return values from the workers.

        Raises:
            ExecutorError: if they are lost, or the cluster is gone.
        """
        if not handles:
            return []
        held: list[Held] = list(handles)  # type: ignore[arg-type]  # they are ours
        futures = {each.future.key: each.future for each in held}
        try:
            lists = dict(zip(futures, self._gather(list(futures.values())), strict=True))
        except Exception as error:
            msg = f"the cluster no longer gives it ({type(error).__name__}: {error})"
            raise ExecutorError(msg) from error
        try:
            return [lists[each.future.key][each.number] for each in held]
        except (KeyError, TypeError) as error:
            msg = "it was lost with its worker and could not be made again"
            raise ExecutorError(msg) from error

    def release(self) -> None:
        """Let the cluster forget the values."""
        self._handles.clear()
        close_client(self._client)

    def _gather(self, futures: list[Any]) -> list[Any]:
        """Return results, straight from the workers where they can be reached: by the scheduler they are copied."""
        try:
            return list(self._client.gather(futures, direct=True))
        except Exception:  # noqa: BLE001  # behind a firewall, or lost: the scheduler knows
            return list(self._client.gather(futures, direct=False))

    def close(self) -> None:
        """End the run's part; values stay where the cluster stays, as long as somebody may ask for them."""
        if self._thread.ident is not None:
            self._inbox.put(("end", None))
            self._thread.join()
        with contextlib.suppress(Exception):  # a cluster that is gone need not be told
            self._client.run_on_scheduler(_forget, topic=self._topic)
        if self._ledger is not None:
            self._ledger.close()
        self._packing.forget_blobs()
        self._tasks.clear()
        if self._outlives and not self._handles:
            close_client(self._client)

    # All of it in one thread

    def _pump(self) -> None:
        while True:
            kind, what = self._inbox.get()
            if kind == "end":
                return
            try:
                self._take(kind, what)
            except Exception as error:  # noqa: BLE001  # Dask's own: the run must not wait for ever
                self._give_up(f"Dask failed: {type(error).__name__}: {error}")

    def _take(self, kind: str, what: Any) -> None:  # noqa: ANN401
        if kind == "calls":
            self._lanes.add(what)
        elif kind == "news":
            for each in pickle.loads(what):  # noqa: S301  # the run's own workers sent it
                self._tell(each)
        elif kind == "cancel":
            self._cancel()
        elif kind == "withdraw":
            self._withdraw()
        elif kind == "watch":
            self._look_for_workers()
        elif kind == "settled":
            self._settled(what)
        elif kind == "late":
            self._account(what, "its worker said nothing of how it ended")
        if self._inbox.empty():
            self._feed()

    def _tell(self, news: News) -> None:
        task = self._tasks.get(news.id)
        if task is None:
            return
        call = task.calls[news.id]
        self._say(self._watch.began(call.resources))
        if news.kind == "running":
            if news.id in task.begun:
                return
            task.begun.add(news.id)
        if news.kind in {"running", "log"}:
            self._on_report(Report(news.kind, call.id, news.body))  # type: ignore[arg-type]  # one of these two
            return
        self._forget(news.id)
        if news.kind == "returned":
            self._lanes.add([call])
        elif news.kind == "unstarted":
            self._on_report(Report("unstarted", call.id))
        elif news.kind == "lost":
            self._on_report(Report("lost", call.id, news.body))
        else:
            self._lanes.took(call, news.seconds)
            handle = None
            if news.is_held:
                handle = Held(task.future, news.id)
                self._handles.add(handle)
                task.holds = True
            self._on_report(Report("done", call.id, news.body, handle))

    def _forget(self, number: int) -> Call:
        task = self._tasks.pop(number)
        call = task.calls.pop(number)
        if not task.calls:
            self._lanes.ended(call)
        return call

    # Handing over

    def _feed(self) -> None:
        if self._is_cancelled:
            for call in self._lanes.drain():
                self._on_report(Report("unstarted", call.id))
            return
        if not len(self._lanes):
            return
        self._watch_soon()
        alike: dict[tuple[Any, ...], list[list[Call]]] = {}
        for batch in self._lanes.take(self._slots()):
            alike.setdefault((batch[0].label, batch[0].priority, batch[0].resources), []).append(batch)
        try:
            for (_, priority, resources), batches in alike.items():
                self._submit(batches, {"priority": priority, "resources": dict(resources) or None, "pure": False})
        except Exception:
            self._take_back(call for batches in alike.values() for batch in batches for call in batch)
            raise

    def _take_back(self, calls: Iterable[Call]) -> None:
        """Let those that are with no Dask task wait again, so that none is forgotten when all is given up."""
        handed_over = {call.id for task in self._tasks.values() for call in task.calls.values()}
        self._lanes.add(call for call in calls if call.id not in handed_over)

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
                inputs = self._errand, packed.content, packed.futures
                future = self._client.submit(dask_worker.do_batch, *inputs, key=self._key(packed), **options)
                self._note(packed, future)
            else:
                plain.append(packed)
        if plain:
            keys = [self._key(packed) for packed in plain]
            found = self._client.map(_Do(self._errand), [packed.content for packed in plain], key=keys, **options)
            for packed, future in zip(plain, found, strict=True):
                self._note(packed, future)

    def _key(self, packed: Packed) -> str:
        first = next(iter(packed.calls.values()))
        return f"{first.label}-{self._topic[9:17]}{first.id:x}-{packed.page}"

    def _note(self, packed: Packed, future: Any) -> None:  # noqa: ANN401
        task = _Task(packed, future)
        for number in task.calls:
            self._tasks[number] = task
        inbox = self._inbox
        future.add_done_callback(lambda _: inbox.put(("settled", task)))

    # Workers that are not there

    def _watch_soon(self) -> None:
        if not self._is_watching:
            self._is_watching = True
            self._later(_WATCH_S, "watch", None)

    def _look_for_workers(self) -> None:
        """Say which workers are missing, if any are; look again as long as something is not done."""
        self._is_watching = False
        wanted = {} if self._is_cancelled else self._wanted()
        if not wanted:
            return
        with contextlib.suppress(Exception):  # a scheduler that doesn't answer may do so the next time
            identity = self._client.sync(self._client.scheduler.identity, callback_timeout=_ASK_S)
            self._say(self._watch.look(wanted, WorkerSeen.all_of(identity), time.monotonic()))
        self._watch_soon()

    def _wanted(self) -> dict[Resources, Wanted]:
        """Return what is not done, by what it asks of a worker."""
        names: dict[Resources, dict[str, None]] = {}
        waiting: Counter[Resources] = Counter(self._lanes.waiting())
        begun: Counter[Resources] = Counter()
        for number, task in self._tasks.items():
            call = task.calls[number]
            names.setdefault(call.resources, {})[call.label] = None
            (begun if number in task.begun else waiting)[call.resources] += 1
        return {need: Wanted(tuple(labels), waiting[need], begun[need]) for need, labels in names.items()}

    def _say(self, notice: Notice | None) -> None:
        if notice is not None:
            _log.log(notice.level, notice.text)
            self._on_report(Report("notice", 0, notice))

    # What went wrong, and cancelling

    def _settled(self, task: _Task) -> None:
        """Let go of a Dask task that has ended, or look after the calls in it of which nothing was heard."""
        if not task.calls:
            if not task.holds:
                task.future.release()
            return
        status = task.future.status
        if status == "finished":
            self._later(_GRACE_S, "late", task)
        elif status == "cancelled":
            #: The cluster may have lost what was sent to it once for all calls.
            self._packing.forget_blobs()
            self._account(task, "Dask cancelled it")
        else:
            error = task.future.exception()
            self._account(task, f"{type(error).__name__}: {error}")

    def _account(self, task: _Task, why: str) -> None:
        """Say what became of the calls of a Dask task that Dask gave up; those that were not begun are tried again."""
        entries = self._ledger.read(task.page) if self._ledger is not None else None
        for number in list(task.calls):
            call = self._forget(number)
            entry = entries.get(number) if entries is not None else None
            if entry is not None and entry.kind in {BEGUN, DONE} and number not in task.begun:
                self._on_report(Report("running", call.id, entry.begun))
            if entry is not None and entry.kind == DONE and entry.body[:1] != HELD:
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
            self._lanes.add([call._replace(group="")])
        else:
            self._on_report(Report("lost", call.id, f"The cluster could not finish it: {why}."))

    def _give_up(self, why: str) -> None:
        for task in list(self._tasks.values()):
            for number in list(task.calls):
                self._on_report(Report("lost", self._forget(number).id, why))
        for call in self._lanes.drain():
            self._on_report(Report("lost", call.id, why))

    def _cancel(self) -> None:
        #: News of what began before may still be on the way.
        self._later(_NEWS_S, "withdraw", None)

    def _withdraw(self) -> None:
        """Take back what no worker has: it may wait for one for ever. Looked at again until all that runs has ended."""
        if not self._tasks:
            return
        on_workers = {key for keys in self._client.processing().values() for key in keys}
        tasks = {id(task): task for task in self._tasks.values()}.values()
        idle = [task for task in tasks if not task.begun or task.future.key not in on_workers]
        self._client.cancel([task.future for task in idle if task.future.status == "pending"], force=True)
        self._later(_LOOK_S, "withdraw", None)

    def _later(self, seconds: float, kind: str, what: object) -> None:
        threads.spawn(self._say_after, seconds, (kind, what), name="dask-timer", owner=self)

    def _say_after(self, seconds: float, news: tuple[str, object]) -> None:
        time.sleep(seconds)
        self._inbox.put(news)


class _Do:
    """`do_batch` of one run, as `Client.map` wants it: a function of the batch alone. Small: it is sent once."""

    def __init__(self, errand: dask_worker.Errand) -> None:
        self._errand = errand
        self.__name__ = "flowbook"

    def __call__(self, packed: bytes) -> dict[int, Any] | None:
        return dask_worker.do_batch(self._errand, packed, [])


def _where(client: Any, *, is_temporary: bool) -> tuple[str, str]:  # noqa: ANN401
    """Return what to call the cluster, and how it gets workers."""
    address = client.scheduler.address
    if is_temporary:
        advice = "A temporary cluster gets workers by DaskExecutor's cluster_kwargs and adapt_kwargs."
        return "this run's temporary Dask cluster", advice
    return f"the Dask cluster at {address}", f"Start one, dask worker {address}{{option}}, or scale the cluster up."


def _forget(dask_scheduler: Any, topic: str) -> None:  # noqa: ANN401
    """Drop what the scheduler keeps of the run's events, the subscription included: to end that from afar keeps a rest."""
    topics = getattr(getattr(dask_scheduler, "_broker", None), "_topics", {})
    topics.pop(topic, None)
