"""The components of a store behind the API: most of their methods are calls, some are answered here.

A process of this machine is judged here, by its id; the server can't see it, and knows only its heartbeats.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import os
import time
from typing import TYPE_CHECKING, Any

from flowbook.store.cache import Cache, CacheEntry
from flowbook.store.plan_reads import PlanReads
from flowbook.store.process_identity import is_here, this_process
from flowbook.store.recorder import Recorder
from flowbook.store.records import Claim, RunSummary, RunWithProcess
from flowbook.store.remote_calls import COMPONENTS
from flowbook.store.remote_recording import RemoteWriter
from flowbook.store.runs import store_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.engine.ports import CacheScope
    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef
    from flowbook.store.api_client import ApiClient
    from flowbook.store.change_feed import ChangeFeed
    from flowbook.store.deployments import DeploymentRecord
    from flowbook.store.plan_reads import PastEntry, PastOutput, TaskTimes
    from flowbook.store.records import ClaimsToBegin, RunRecord, RunToBegin
    from flowbook.store.run_snapshot import RunSnapshot
    from flowbook.store.values import Values

__all__ = [
    "RemoteCache",
    "RemoteCacheRows",
    "RemoteComponent",
    "RemoteDeployments",
    "RemoteHistory",
    "RemoteOwnership",
    "RemotePlans",
    "RemoteRequests",
    "RemoteRuns",
]

#: How soon an entry that another process added is found, and how soon the cache's rows are read again.
_ROWS_S = 0.5
#: How often a listener looks for requests even if it was told of none.
_LOOK_S = 2.0
#: How soon it is noticed that the owner of a run that is followed has died, and how many runs are followed without reading.
_LIFE_S, _FOLLOWED = 1.0, 50


class RemoteComponent:
    """A component whose methods are calls.

    Args:
        client: talks to the server.
        values: of the store; references in answers are to these.
        name: of the component, see `remote_calls`.
    """

    def __init__(self, client: ApiClient, values: Values, name: str) -> None:
        self._client = client
        self._values = values
        self._name = name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method not in COMPONENTS[self._name][1]:
            msg = f"{self._name}.{method} can't be used through the API."
            raise AttributeError(msg)
        call = functools.partial(self._client.call, f"{self._name}.{method}", self._values)
        setattr(self, method, call)
        return call

    def _call(self, method: str, *given: object, **named: object) -> Any:  # noqa: ANN401  # what the method returns
        return self._client.call(f"{self._name}.{method}", self._values, *given, **named)

    def _by_this_clock(self, found: Any) -> Any:  # noqa: ANN401  # a record of the store
        """Return a record with its last heartbeat as this machine's clock would have it."""
        ahead_s = self._client.clock.ahead_s
        if not ahead_s or found.beat is None:
            return found
        if isinstance(found, RunWithProcess):
            return found._replace(beat=found.beat - ahead_s)
        return dataclasses.replace(found, beat=found.beat - dt.timedelta(seconds=ahead_s))


class RemoteRuns(RemoteComponent):
    """See `Runs`."""

    def create(self, record: RunRecord) -> RunRecord:
        """See `Runs`."""
        return self._kept(record, self._call("create", _made_here(record)))

    def create_to_come(self, record: RunRecord, state: State) -> RunRecord | None:
        """See `Runs`."""
        made = self._call("create_to_come", _made_here(record), state)
        return None if made is None else self._kept(record, made)

    def claim_to_begin(self, wanted: Sequence[RunToBegin], most: int, owner: str) -> ClaimsToBegin:
        """See `Runs`."""
        found: ClaimsToBegin = self._call("claim_to_begin", wanted, most, owner, this_process())
        return found

    @staticmethod
    def _kept(record: RunRecord, made: RunRecord) -> RunRecord:
        return dataclasses.replace(record, number=made.number)

    def store_flow(self, flow: object) -> tuple[ResultRef | None, str | None]:
        """See `Runs`."""
        return store_flow(self._values, flow)

    def recorder(
        self,
        run_id: str,
        epoch: int,
        never_keep: frozenset[str] | None = None,
        *,
        graph: Mapping[str, Any] | None = None,
        on_notices: Callable[[], None] | None = None,
    ) -> Recorder:
        """See `Runs`."""
        known = graph if graph is not None else self.get(run_id).graph
        writer = RemoteWriter(self._client, self._values, run_id, epoch)
        return Recorder(writer, self._values, known, never_keep, on_notices)

    def summary(self, run_id: str) -> RunSummary:
        """See `Runs`."""
        found: RunSummary = self._by_this_clock(self._call("summary", run_id))
        return found

    def list(self, *given: Any, **named: Any) -> list[RunSummary]:  # noqa: ANN401  # as `Runs` has them
        """See `Runs`."""
        return [self._by_this_clock(each) for each in self._call("list", *given, **named)]

    def of_deployment(self, deployment_id: str, limit: int | None) -> Sequence[RunSummary]:
        """See `Runs`."""
        return [self._by_this_clock(each) for each in self._call("of_deployment", deployment_id, limit)]

    def with_process(self) -> Sequence[RunWithProcess]:
        """See `Runs`."""
        return [self._by_this_clock(each) for each in self._call("with_process")]


class RemoteOwnership(RemoteComponent):
    """See `RunOwnership`."""

    def claim(self, run_id: str, epoch: int, owner: str, *, last_seq: int | None = None, is_start: bool = False) -> int:
        """See `RunOwnership`."""
        values = {"last_seq": last_seq, "process": this_process(), "is_start": is_start}
        return int(self._call("claim", run_id, epoch, owner, **values))

    def is_owned(self, run_id: str) -> bool:
        """See `RunOwnership`."""
        is_alive = is_here(self.owner(run_id).process)
        return bool(self._call("is_owned", run_id)) if is_alive is None else is_alive

    def owner(self, run_id: str) -> Claim:
        """See `RunOwnership`."""
        found: Claim = self._by_this_clock(self._call("owner", run_id))
        return found


class RemoteRequests(RemoteComponent):
    """See `RunRequests`. The last argument follows what changes."""

    def __init__(self, client: ApiClient, values: Values, feed: ChangeFeed) -> None:
        super().__init__(client, values, "requests")
        self._feed = feed

    def version(self) -> object:
        """See `RunRequests`."""
        return self._feed.version("requests"), time.monotonic() // _LOOK_S


class RemoteHistory(RemoteComponent):
    """See `RunHistory`. The last argument follows what changes."""

    def __init__(self, client: ApiClient, values: Values, feed: ChangeFeed) -> None:
        super().__init__(client, values, "history")
        self._feed = feed
        #: By run, what was asked for, when (`time.monotonic`), at which version of the store, and what there was.
        self._seen: dict[str, tuple[tuple[int, float], float, object, RunSnapshot]] = {}

    def snapshot(self, run_id: str, since: int = 0, progress_since: float = 0.0) -> RunSnapshot:
        """See `RunHistory`. Whoever follows a run asks again and again: nothing is read while nothing changes, for a second."""
        if not since:
            return self._read_snapshot(run_id, since, progress_since)
        asked, now, version = (since, progress_since), time.monotonic(), self._feed.version("commits")
        if (seen := self._seen.get(run_id)) and (seen[0], seen[2]) == (asked, version) and now - seen[1] < _LIFE_S:
            return seen[3]
        found = self._read_snapshot(run_id, since, progress_since)
        self._seen = {**dict(list(self._seen.items())[-_FOLLOWED:]), run_id: (asked, now, version, found)}
        return found

    def _read_snapshot(self, run_id: str, since: int, progress_since: float) -> RunSnapshot:
        found: RunSnapshot = self._call("snapshot", run_id, since, progress_since)
        claim = self._by_this_clock(found.claim)
        if found.is_owned and is_here(claim.process) is False:
            #: Read again: it may have recorded more before it died. The dead record nothing.
            again: RunSnapshot = self._call("snapshot", run_id, since, progress_since)
            if again.claim.epoch != claim.epoch:
                return self._read_snapshot(run_id, since, progress_since)
            return dataclasses.replace(again, claim=claim, is_owned=self._is_being_started(run_id, again))
        return dataclasses.replace(found, claim=claim)

    def _is_being_started(self, run_id: str, found: RunSnapshot) -> bool:
        """Return whether a process of this machine was started for a run whose starter has died."""
        if found.state != "Submitted" or found.claim.process is None:
            return False
        identifier: str | None = self._client.call("runs.identifier", self._values, run_id)
        return is_here(identifier) is True


class RemoteCacheRows(RemoteComponent):
    """See `CacheRows`: reads many rows at once, and reads them again after half a second at the latest.

    Attributes:
        own_changes: how often this process has changed the entries.
    """

    first_ahead, most_ahead = 64, 1000
    own_changes = 0

    def version(self) -> object:
        """See `CacheRows`."""
        return os.getpid(), self.own_changes, time.monotonic() // _ROWS_S


class RemoteCache(Cache):
    """See `Cache`. The base class counts the uses and turns rows into entries.

    Args:
        client: talks to the server.
        values: of the store.
        rows: told of changes.
    """

    def __init__(self, client: ApiClient, values: Values, rows: RemoteCacheRows) -> None:
        super().__init__(None, values)  # type: ignore[arg-type]  # each method that reads it is a call here
        self._calls = RemoteComponent(client, values, "cache")
        self._rows = rows

    def add(self, entry: CacheEntry) -> CacheEntry:
        """See `Cache`."""
        kept = dataclasses.replace(entry, id=entry.id or os.urandom(8).hex())
        self._calls.add(kept)
        self._rows.own_changes += 1
        return kept

    def newest(self, scope: CacheScope, limit: int, offset: int = 0, at: dt.datetime | None = None) -> list[CacheEntry]:
        """See `Cache`."""
        found: list[CacheEntry] = self._calls.newest(scope, limit, offset, at)
        return found

    def entries(
        self,
        at: dt.datetime | None = None,
        flow: str | None = None,
        task: str | None = None,
        project: str | None = None,
    ) -> list[CacheEntry]:
        """See `Cache`."""
        self.flush()
        found: list[CacheEntry] = self._calls.entries(at, flow, task, project)
        return found

    def last(self, flow: str, tasks: Sequence[str], project: str, at: dt.datetime) -> list[CacheEntry]:
        """See `Cache`."""
        found: list[CacheEntry] = self._calls.last(flow, tasks, project, at)
        return found

    def flows(self, project: str) -> list[str]:
        """See `Cache`."""
        found: list[str] = self._calls.flows(project)
        return found

    def get(self, entry_id: str) -> CacheEntry:
        """See `Cache`."""
        self.flush()
        found: CacheEntry = self._calls.get(entry_id)
        return found

    def count_uses(self, uses: Mapping[str, int]) -> None:
        """See `Cache`."""
        self._calls.count_uses(uses)

    def expire(self, entry_id: str) -> None:
        """See `Cache`."""
        self._calls.expire(entry_id)
        self._rows.own_changes += 1

    def renew(self, entry_id: str, expires: dt.datetime) -> None:
        """See `Cache`."""
        self._calls.renew(entry_id, expires)
        self._rows.own_changes += 1

    def pin(self, entry_id: str, *, pinned: bool = True) -> None:
        """See `Cache`."""
        self._calls.pin(entry_id, pinned=pinned)


class RemoteDeployments(RemoteComponent):
    """See `Deployments`."""

    def make_due(
        self, seen: DeploymentRecord, mark: dt.datetime, runs: Sequence[tuple[RunRecord, State]]
    ) -> Sequence[RunRecord]:
        """See `Deployments`."""
        made = self._call("make_due", seen, mark, [(_made_here(run), state) for run, state in runs])
        return list(made)


class RemotePlans(PlanReads):
    """See `PlanReads`: the base class reads graphs and sources out of `content`."""

    def __init__(self, client: ApiClient, values: Values, project: str, flow: str) -> None:
        self._calls = RemoteComponent(client, values, "plans")
        self._of = (project, flow)
        self._graphs = {}

    def newest_runs(self, limit: int) -> list[str]:
        """See `PlanReads`."""
        found: list[str] = self._calls.newest_runs(*self._of, limit)
        return found

    def newest_number(self) -> int:
        """See `PlanReads`."""
        return int(self._calls.newest_number(*self._of))

    def content(self, run_id: str) -> dict[str, Any]:
        """See `PlanReads`."""
        if run_id not in self._graphs:
            self._graphs[run_id] = self._calls.content(*self._of, run_id)
        return self._graphs[run_id]

    def outputs(self, run_id: str) -> dict[str, PastOutput]:
        """See `PlanReads`."""
        found: dict[str, PastOutput] = self._calls.outputs(*self._of, run_id)
        return found

    def durations(self) -> dict[str, TaskTimes]:
        """See `PlanReads`."""
        found: dict[str, TaskTimes] = self._calls.durations(*self._of)
        return found

    def latest_entries(self, tasks: Sequence[str], besides: str | None = None) -> dict[str, list[PastEntry]]:
        """See `PlanReads`."""
        found: dict[str, list[PastEntry]] = self._calls.latest_entries(*self._of, tasks, besides)
        return found

    def entries(self, ids: Sequence[str]) -> dict[str, PastEntry]:
        """See `PlanReads`."""
        found: dict[str, PastEntry] = self._calls.entries(*self._of, ids)
        return found

    def makers(self, entries: Iterable[str]) -> dict[str, int]:
        """See `PlanReads`."""
        found: dict[str, int] = self._calls.makers(*self._of, list(entries))
        return found


def _made_here(record: RunRecord) -> RunRecord:
    return dataclasses.replace(record, process=record.process or this_process())
