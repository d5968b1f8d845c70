"""A store as its server shows it to processes that use it through the API: the components whose methods may be called.

Most are the store's own. Those here check what comes in and sign what goes out, so that no value is unpickled and none is
planted. A method `X_again` is called instead of `X` when a caller repeats a call because the connection broke: the first
attempt may have been carried out.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import CacheEntryError, FlowbookError, RunClaimedError, StoreError, UnknownRunError
from flowbook.results.reference import ResultRef
from flowbook.store.cache import Cache
from flowbook.store.cache_rows import CacheRows
from flowbook.store.event_rows import DECISION, LOG, STATE, decode_event
from flowbook.store.process_identity import this_process
from flowbook.store.recordings import Recordings, Written
from flowbook.store.run_ownership import RunOwnership
from flowbook.store.run_requests import RunRequests
from flowbook.store.runs import Runs
from flowbook.store.state_codec import is_state_name
from flowbook.store.waiting_runs import Claimer, WaitingRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.results.reference import Preview
    from flowbook.store.api_keys import ValueRow, ValueTransit
    from flowbook.store.cache import CacheEntry
    from flowbook.store.database import Database
    from flowbook.store.event_rows import EventRow
    from flowbook.store.plan_reads import PastEntry, PastOutput, TaskTimes
    from flowbook.store.records import ClaimsToBegin, Request, RunRecord, RunToBegin
    from flowbook.store.store_base import Store
    from flowbook.store.sweep import SweepResult
    from flowbook.store.values import Values

    Received = Callable[[Sequence[ValueRow]], list[ValueRow]]

__all__ = [
    "ServedCache",
    "ServedCacheRows",
    "ServedOwnership",
    "ServedPlans",
    "ServedRecordings",
    "ServedRequests",
    "ServedRuns",
    "ServedStore",
    "ServedUpkeep",
    "ServedValues",
]

#: Columns of `cached_output.OutputRow` that say which value it is.
_DIGEST, _SIZE, _CONTENT, _SIGNATURE = 7, 8, 9, 10


class ServedStore:
    """The components of one store, for callers that know the token.

    Args:
        store: on this machine.
        token: of the API.

    Attributes:
        values: of the store.
        transit: checks and signs values on their way.
    """

    def __init__(self, store: Store, token: str) -> None:
        database, values = store.internals()
        self.transit = store.transit(token)
        self.values = values
        self._components: Mapping[str, object] = {
            "runs": ServedRuns(database, values),
            "ownership": ServedOwnership(database),
            "requests": ServedRequests(database, values, self.transit.received),
            "history": store.history,
            "recordings": ServedRecordings(database, values, self.transit.received),
            "cache": ServedCache(database, values),
            "cache_rows": ServedCacheRows(database, self.transit),
            "notices": store.notices,
            "deployments": store.deployments,
            "approvals": store.approvals,
            "values": ServedValues(store, self.transit),
            "plans": ServedPlans(store),
            "upkeep": ServedUpkeep(store),
        }

    def method(self, name: str, *, is_again: bool) -> Callable[..., object]:
        """Return the method of a call, "runs.get"; for a call that is repeated, the one for that if there is one."""
        component, _, method = name.partition(".")
        owner = self._components[component]
        found: Callable[..., object] | None = getattr(owner, f"{method}_again", None) if is_again else None
        return found or getattr(owner, method)  # `remote_calls` lists it

    def blob(self, digest: str, size_bytes: int) -> memoryview:
        """Return the bytes of a large value that this store signed. Raises ResultGoneError, DamagedValueError."""
        content, signature = self.values.row(ResultRef(digest, size_bytes))
        self.transit.sent(bytes.fromhex(digest), size_bytes, content, signature)
        return memoryview(content) if content is not None else self.transit.blob(digest, size_bytes)


class ServedRuns(Runs):
    """The runs."""

    def create_again(self, record: RunRecord) -> RunRecord:
        """Do as `create`, unless it is done."""
        return self._known(record) or self.create(record)

    def create_to_come_again(self, record: RunRecord, state: State) -> RunRecord | None:
        """Do as `create_to_come`, unless it is done."""
        return self._known(record) or self.create_to_come(record, state)

    def claim_to_begin_again(
        self, wanted: Sequence[RunToBegin], most: int, owner: str, process: str | None = None
    ) -> ClaimsToBegin:
        """Do as `claim_to_begin`, unless it is done."""
        by = Claimer(owner, process or this_process())
        done = WaitingRuns(self._database, self._values, self.get).claimed_before(wanted, by)
        return done if done.claimed else self.claim_to_begin(wanted, most, owner, process)

    def _known(self, record: RunRecord) -> RunRecord | None:
        try:
            return replace(record, number=self.summary(record.run_id).number)
        except UnknownRunError:
            return None


class ServedOwnership(RunOwnership):
    """Who owns which run."""

    def claim_again(  # noqa: PLR0913  # as `claim`
        self,
        run_id: str,
        epoch: int,
        owner: str,
        *,
        last_seq: int | None = None,
        process: str | None = None,
        is_start: bool = False,
    ) -> int:
        """Do as `claim`, unless it is done."""
        try:
            return self.claim(run_id, epoch, owner, last_seq=last_seq, process=process, is_start=is_start)
        except RunClaimedError:
            now = self.owner(run_id)
            if process is not None and (now.epoch, now.process, now.owner) == (epoch + 1, process, owner):
                return now.epoch
            raise

    def delete_again(self, run_id: str, epoch: int) -> None:
        """Do as `delete`, unless it is done."""
        try:
            self.delete(run_id, epoch)
        except UnknownRunError:
            return


class ServedRequests(RunRequests):
    """The requests to owners of runs. The last argument checks rows of values."""

    def __init__(self, database: Database, values: Values, received: Received) -> None:
        super().__init__(database, values)
        self._received = received

    def send(self, run_id: str, request: Request, epoch: int, rows: Sequence[tuple[object, ...]] = ()) -> int:
        """See the base class."""
        return super().send(run_id, request, epoch, self._received(rows))

    def send_again(self, run_id: str, request: Request, epoch: int, rows: Sequence[tuple[object, ...]] = ()) -> int:
        """Do as `send`, unless it is done and not answered yet."""
        same = [
            each.number for each in self.open(run_id, epoch) if replace(each, number=0) == replace(request, number=0)
        ]
        return same[-1] if same else self.send(run_id, request, epoch, rows)

    def answer_again(self, number: int, answer: Mapping[str, object]) -> bool:
        """Do as `answer`, unless it is done."""
        return self.answer_to(number) == dict(answer) or self.answer(number, answer)


class ServedRecordings(Recordings):
    """The recordings. The last argument checks rows of values."""

    def __init__(self, database: Database, values: Values, received: Received) -> None:
        super().__init__(database, values)
        self._received = received

    def write(self, run_id: str, epoch: int, rows: Sequence[EventRow]) -> Written:
        """See the base class."""
        for row in rows:
            _check_event(row, self._values)
        return super().write(run_id, epoch, [row._replace(values=self._received(row.values)) for row in rows])


def _check_event(row: EventRow, values: Values) -> None:
    """Raise StoreError if what is in the row of an event can't be read again: it would hide what is listed with its run."""
    _, _, kind, _, at, name, *_ = row.event
    try:
        dt.datetime.fromtimestamp(at, dt.UTC)
        decode_event(row.event[1:], values)
        if kind not in {STATE, LOG, DECISION} or (kind == STATE and not is_state_name(name)):
            raise ValueError(name)  # noqa: TRY301  # as whatever else is wrong with it
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        msg = f"An event can't be stored: it can't be read ({type(error).__name__}: {error}). Use the same flowbook on both ends."
        raise StoreError(msg) from error


class ServedCache(Cache):
    """The cache."""

    def add_again(self, entry: CacheEntry) -> CacheEntry:
        """Do as `add`, unless it is done."""
        try:
            return self.get(entry.id)
        except CacheEntryError:
            return self.add(entry)


class ServedCacheRows(CacheRows):
    """The rows of the cache; small values go along, signed for the caller."""

    def __init__(self, database: Database, transit: ValueTransit) -> None:
        super().__init__(database)
        self._transit = transit

    def newest_of_tasks(self, project: str, flow: str, tasks: Sequence[str], most: int) -> list[tuple[object, ...]]:
        """See the base class."""
        return [self._sent(row) for row in super().newest_of_tasks(project, flow, tasks, most)]

    def by_numbers(self, first: int, end: int) -> list[tuple[object, ...]]:
        """See the base class."""
        return [self._sent(row) for row in super().by_numbers(first, end)]

    def _sent(self, row: tuple[Any, ...]) -> tuple[object, ...]:
        """Return a row with the caller's signature; a value that can't be sent says why when it is loaded."""
        digest, size_bytes, content, signature = row[_DIGEST:]
        if content is None:
            return (*row[:_CONTENT], None, None)
        try:
            return (*row[:_SIGNATURE], self._transit.sent(digest, size_bytes, content, signature))
        except FlowbookError:
            return (*row[:_CONTENT], None, None)


class ServedValues:
    """The values."""

    def __init__(self, store: Store, transit: ValueTransit) -> None:
        self._values = store.values
        self._transit = transit

    def put_rows(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Store values. Raises StoreError."""
        self._values.put_rows(self._transit.received(rows))

    def row(self, ref: ResultRef) -> tuple[bytes | None, bytes | None]:
        """Return the content of a small value, None for a blob, and the signature for the caller.

        Raises:
            ResultGoneError: if it was dropped.
            DamagedValueError: if its bytes changed, or it is a pickle without this store's signature.
        """
        content, signature = self._values.row(ref)
        return content, self._transit.sent(bytes.fromhex(ref.digest), ref.size_bytes, content, signature)

    def receipt(self, ref: ResultRef) -> bytes | None:
        """Return what shows that a blob was uploaded, if this store has the value whole and signed it; None otherwise."""
        try:
            content, signature = self._values.row(ref)
            self._transit.sent(bytes.fromhex(ref.digest), ref.size_bytes, content, signature)
        except FlowbookError:
            return None
        return None if content is not None else self._transit.receipt(ref.digest, ref.size_bytes)

    def holds(self, ref: ResultRef) -> bool:
        """Return whether this store has the value."""
        return self._values.holds(ref)

    def previews(self, refs: Iterable[ResultRef]) -> dict[str, Preview]:
        """Return the previews of many values, by digest."""
        return self._values.previews(refs)


class ServedPlans:
    """What plans of flows read; see `PlanReads`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest_runs(self, project: str, flow: str, limit: int) -> list[str]:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).newest_runs(limit)

    def newest_number(self, project: str, flow: str) -> int:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).newest_number()

    def content(self, project: str, flow: str, run_id: str) -> dict[str, Any]:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).content(run_id)

    def outputs(self, project: str, flow: str, run_id: str) -> dict[str, PastOutput]:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).outputs(run_id)

    def durations(self, project: str, flow: str) -> dict[str, TaskTimes]:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).durations()

    def latest_entries(
        self, project: str, flow: str, tasks: Sequence[str], besides: str | None = None
    ) -> dict[str, list[PastEntry]]:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).latest_entries(tasks, besides)

    def entries(self, project: str, flow: str, ids: Sequence[str]) -> dict[str, PastEntry]:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).entries(ids)

    def makers(self, project: str, flow: str, entries: Sequence[str]) -> dict[str, int]:
        """See `PlanReads`."""
        return self._store.plan_reads(project, flow).makers(entries)


class ServedUpkeep:
    """What keeps the store from growing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sweep(
        self, *, older_than: dt.timedelta | None = None, limit_bytes: int | None = None, dry_run: bool = False
    ) -> SweepResult:
        """See `Store.sweep`."""
        return self._store.sweep(older_than=older_than, limit_bytes=limit_bytes, dry_run=dry_run)

    def make_room(self) -> SweepResult | None:
        """See `Store.make_room`."""
        return self._store.make_room()
