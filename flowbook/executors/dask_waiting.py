"""What a person is told of calls that wait for workers which a Dask cluster does not have. Pure: no clock, no cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.executors.dask_lanes import Resources

__all__ = ["Notice", "Wanted", "Watch", "WorkerSeen"]

#: As in `logging`.
_INFO, _WARNING = 20, 30
#: How long workers may be missing before it is said: one that died is back by then, where somebody starts it anew.
_PATIENCE_S = 4.0
#: When it is said again: after a minute, then after twice as long each time.
_AGAIN_S = 60.0
_MOST_AGAIN_S = 3600.0
#: So many names of tasks are told.
_NAMES = 3
_RUNNING = "running"


class WorkerSeen(NamedTuple):
    """A worker of the cluster, as its scheduler tells of it."""

    status: str
    resources: Mapping[str, float]

    @classmethod
    def all_of(cls, identity: Mapping[str, Any]) -> list[WorkerSeen]:
        """Return the workers in what a scheduler says of itself."""
        return [cls(each.get("status", _RUNNING), each.get("resources") or {}) for each in identity["workers"].values()]


class Wanted(NamedTuple):
    """Calls that ask for the same of a worker: the names of their tasks, how many have not begun, and how many have.

    Those that have begun need another worker where theirs has gone: what became of them is known only then.
    """

    names: tuple[str, ...]
    waiting: int
    begun: int = 0


class Notice(NamedTuple):
    """A line for the log of the run."""

    level: int
    text: str


class Watch:
    """Remembers since when workers are missing, and what was said of it.

    Args:
        place: the cluster, in words.
        advice: how it gets workers; `{option}` stands for what a worker with a resource is started with besides.
    """

    def __init__(self, place: str, advice: str) -> None:
        self._place = place
        self._advice = advice
        self._since: dict[Resources, float] = {}
        #: What was said to be missing, and nothing has begun since.
        self._said: set[Resources] = set()
        self._next_at: dict[Resources, float] = {}
        self._again_s = _AGAIN_S

    def look(self, wanted: Mapping[Resources, Wanted], workers: Iterable[WorkerSeen], now: float) -> Notice | None:
        """Return what is to be said now; None mostly.

        Args:
            wanted: what is not done, by the resources that a worker must have for it.
            workers: of the cluster.
            now: seconds that only grow.
        """
        seen = list(workers)
        missing = {need: what for need, what in wanted.items() if _is_missing(need, what, seen)}
        self._since = {need: self._since.get(need, now) for need in missing}
        late = {need: what for need, what in missing.items() if now - self._since[need] >= _PATIENCE_S}
        if all(now < self._next_at.get(need, now) for need in late):
            return None
        self._again_s = min(self._again_s * 2, _MOST_AGAIN_S) if self._said else _AGAIN_S
        self._said |= late.keys()
        self._next_at.update(dict.fromkeys(late, now + self._again_s))
        lines = " ".join(self._lack(need, what, seen) for need, what in late.items())
        return Notice(_WARNING, f"{lines} The run goes on by itself when one comes; cancel it to end it.")

    def began(self, need: Resources) -> Notice | None:
        """Return what is to be said when something is heard of a call that had asked for `need`; None mostly."""
        if need not in self._said:
            return None
        self._said.discard(need)
        asked = f" with {_words(need)}" if need else ""
        return Notice(_INFO, f"The run goes on: there is a worker{asked}.")

    def _lack(self, need: Resources, what: Wanted, seen: list[WorkerSeen]) -> str:
        names = ", ".join(map(repr, what.names[:_NAMES])) + (", …" if len(what.names) > _NAMES else "")
        number = what.waiting + (what.begun if not any(_has(each, need) for each in seen) else 0)
        wait = f"{number} task runs ({names}) wait" if number != 1 else f"A task run ({names}) waits"
        asked = f" with {_words(need)} (tag {_tags(need)})" if need else ""
        option = f' --resources "{_words(need)}"' if need else ""
        advice = self._advice.format(option=option)
        return f"{wait} for a worker{asked}: {self._place} has {_what_there_is(need, seen)}. {advice}"


def _is_missing(need: Resources, what: Wanted, seen: list[WorkerSeen]) -> bool:
    having = [each for each in seen if _has(each, need)]
    return not having or (what.waiting > 0 and not any(each.status == _RUNNING for each in having))


def _has(worker: WorkerSeen, need: Resources) -> bool:
    return all(worker.resources.get(name, 0) >= amount for name, amount in need)


def _what_there_is(need: Resources, seen: list[WorkerSeen]) -> str:
    if not seen:
        return "no workers"
    workers = f"{len(seen)} worker{'s' if len(seen) != 1 else ''}"
    stopped = sorted({each.status for each in seen if _has(each, need)})
    if stopped:
        return f"{workers}, but of those that could do it each is {' or '.join(stopped)}"
    return f"{workers}, but none with that"


def _words(need: Resources) -> str:
    return " ".join(f"{name}={amount:g}" for name, amount in need)


def _tags(need: Resources) -> str:
    return ", ".join(f"dask-resource:{name}={amount:g}" for name, amount in need)
