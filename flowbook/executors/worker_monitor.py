"""Tells people which workers a Dask cluster lacks for the calls that wait. Pure: no clock, no cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.executors.dask_queues import Resources

__all__ = ["Notice", "PendingCalls", "WorkerInfo", "WorkerMonitor"]

#: As in `logging`.
_INFO, _WARNING = 20, 30
#: How long workers may be missing before a notice: one that died is back by then if something restarts it.
_PATIENCE_S = 4.0
#: How long until the notice is repeated; each time twice as long.
_AGAIN_S = 60.0
_MOST_AGAIN_S = 3600.0
#: How many names of tasks a notice lists.
_NAMES = 3
_RUNNING = "running"


class WorkerInfo(NamedTuple):
    """A worker of the cluster, as its scheduler describes it."""

    status: str
    resources: Mapping[str, float]

    @classmethod
    def all_of(cls, identity: Mapping[str, Any]) -> list[WorkerInfo]:
        """Return the workers in a scheduler's `identity`."""
        return [cls(each.get("status", _RUNNING), each.get("resources") or {}) for each in identity["workers"].values()]


class PendingCalls(NamedTuple):
    """Calls that ask for the same resources: the names of their tasks, how many haven't begun, and how many have.

    A call that has begun needs another worker if its own has gone.
    """

    names: tuple[str, ...]
    waiting: int
    begun: int = 0


class Notice(NamedTuple):
    """A line for the run's log."""

    level: int
    text: str


class WorkerMonitor:
    """Remembers since when workers are missing, and which notices were given.

    Args:
        cluster: the cluster's name in messages.
        advice: how it gets workers; `{option}` stands for the option that gives a new worker its resources.
    """

    def __init__(self, cluster: str, advice: str) -> None:
        self._cluster = cluster
        self._advice = advice
        self._since: dict[Resources, float] = {}
        #: Resources that a notice was about and for which no call has begun since.
        self._reported: set[Resources] = set()
        self._next_at: dict[Resources, float] = {}
        self._again_s = _AGAIN_S

    def check(
        self, pending: Mapping[Resources, PendingCalls], workers: Iterable[WorkerInfo], now: float
    ) -> Notice | None:
        """Return the notice that is due now; mostly None.

        Args:
            pending: the calls that aren't done, by the resources they ask for.
            workers: all workers of the cluster.
            now: seconds of a monotonic clock.
        """
        present = list(workers)
        missing = {need: calls for need, calls in pending.items() if _is_missing(need, calls, present)}
        self._since = {need: self._since.get(need, now) for need in missing}
        late = {need: calls for need, calls in missing.items() if now - self._since[need] >= _PATIENCE_S}
        if all(now < self._next_at.get(need, now) for need in late):
            return None
        self._again_s = min(self._again_s * 2, _MOST_AGAIN_S) if self._reported else _AGAIN_S
        self._reported |= late.keys()
        self._next_at.update(dict.fromkeys(late, now + self._again_s))
        lines = " ".join(self._describe(need, calls, present) for need, calls in late.items())
        return Notice(_WARNING, f"{lines} The run goes on by itself when one comes; cancel it to end it.")

    def began(self, need: Resources) -> Notice | None:
        """Return the notice that is due when a call that asked for `need` has begun; mostly None."""
        if need not in self._reported:
            return None
        self._reported.discard(need)
        asked = f" with {_as_text(need)}" if need else ""
        return Notice(_INFO, f"The run goes on: there is a worker{asked}.")

    def _describe(self, need: Resources, calls: PendingCalls, present: list[WorkerInfo]) -> str:
        names = ", ".join(map(repr, calls.names[:_NAMES])) + (", …" if len(calls.names) > _NAMES else "")
        number = calls.waiting + (calls.begun if not any(_has(each, need) for each in present) else 0)
        wait = f"{number} task runs ({names}) wait" if number != 1 else f"A task run ({names}) waits"
        asked = f" with {_as_text(need)} (tag {_tags(need)})" if need else ""
        option = f' --resources "{_as_text(need)}"' if need else ""
        advice = self._advice.format(option=option)
        return f"{wait} for a worker{asked}: {self._cluster} has {_describe_workers(need, present)}. {advice}"


def _is_missing(need: Resources, calls: PendingCalls, present: list[WorkerInfo]) -> bool:
    having = [each for each in present if _has(each, need)]
    return not having or (calls.waiting > 0 and not any(each.status == _RUNNING for each in having))


def _has(worker: WorkerInfo, need: Resources) -> bool:
    return all(worker.resources.get(name, 0) >= amount for name, amount in need)


def _describe_workers(need: Resources, present: list[WorkerInfo]) -> str:
    if not present:
        return "no workers"
    workers = f"{len(present)} worker{'s' if len(present) != 1 else ''}"
    stopped = sorted({each.status for each in present if _has(each, need)})
    if stopped:
        return f"{workers}, but of those that could do it each is {' or '.join(stopped)}"
    return f"{workers}, but none with that"


def _as_text(need: Resources) -> str:
    return " ".join(f"{name}={amount:g}" for name, amount in need)


def _tags(need: Resources) -> str:
    return ", ".join(f"dask-resource:{name}={amount:g}" for name, amount in need)
