"""What the store knows of runs: frozen values, whose times are aware UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from flowbook.engine.state import Mapped
from flowbook.engine.steps import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook._utils.costs import Cost
    from flowbook.engine.events import Decided
    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef

__all__ = [
    "Claim",
    "ClaimToBegin",
    "ClaimsToBegin",
    "PastDecision",
    "ReceiverRow",
    "Request",
    "RunRecord",
    "RunSummary",
    "RunToBegin",
    "RunWithProcess",
    "TaskHistoryEntry",
    "TaskResult",
    "from_stamp",
    "graph_record",
    "now",
    "to_stamp",
]


#: Half a microsecond, by which a stamp may be later than the datetime made of it, and what floats of that size lose.
_ROUNDED_S = 0.75e-6


class ReceiverRow(NamedTuple):
    """Who is told of runs.

    Attributes:
        spec: the receiver as JSON, with its secrets.
        shown: the receiver as people see it, without secrets.
        causes: words of "waits", "failed" and "ended".
        id: number in the store; 0 before it is stored.
        created: when it was added.
    """

    spec: str
    shown: str
    causes: tuple[str, ...]
    id: int = 0
    created: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run at its start.

    Attributes:
        run_id: unique over all stores.
        flow: name of the flow.
        project: to which the flow belongs, see `config.project`.
        graph: plain JSON, see `graph_record`.
        created: aware UTC.
        number: run number, counted per flow and project; assigned by the store.
        parameters: plain JSON, for display.
        parameters_ref: their values, for running; if the run has other inputs, an index of them, see `flow_run.stored_inputs`.
        flow_ref: the flow itself, to resume the run where its code can't be imported.
        flow_unkept: why there is no `flow_ref`.
        further: the values that the index refers to.
        executor: its description, e.g. "threads, 2 workers".
        origin: where it was started, e.g. the notebook's name.
        owner: the process that runs it, e.g. "ada@host:4711"; "" if none does.
        process: identity of the process that creates it, see `process_identity`; "": this one.
        receivers: who is told of it, besides those who are told of all runs.
        flow_runner: settings of the flow runner that starts its process, as plain JSON; None if it has none.
        due: when a run that hasn't begun may begin; aware UTC.
        deployment: id of the deployment that it belongs to.
        flow_location: file and name of the flow, "/path/flows.py:nightly", if it isn't stored by value.
    """

    run_id: str
    flow: str
    project: str
    graph: Mapping[str, Any]
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    number: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parameters_ref: ResultRef | None = None
    flow_ref: ResultRef | None = None
    flow_unkept: str | None = None
    further: Sequence[ResultRef] = ()
    executor: str = ""
    origin: str = ""
    owner: str = ""
    process: str = ""
    receivers: Sequence[ReceiverRow] = ()
    flow_runner: Mapping[str, Any] | None = None
    due: dt.datetime | None = None
    deployment: str | None = None
    flow_location: str | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of a list of runs.

    Attributes:
        epoch: how often the run was claimed; `RunOwnership.claim` compares it.
        owner: who runs it now, or None.
        claimed: when the owner claimed or released it.
        state: name of the flow's last state; None if it has none yet.
        counts: number of tasks by the name of their last state; mapped children aren't counted.
        process: identity of the owner's process, see `process_identity`; None if nobody owns the run.
        beat: time of the owner's last heartbeat.
        took_s: for how long it ran, up to now if it still does; the time between its epochs doesn't count. None if it has
            not started, or came to no end.
        due: when a run that hasn't begun may begin, or might have begun.
        deployment: id of the deployment that it belongs to.
        identifier: the process or container that runs it, as its flow runner calls it.
        flow_tasks: number of the flow's tasks, those too that have no state yet; None of a run at rest.
    """

    run_id: str
    flow: str
    number: int
    project: str
    created: dt.datetime
    parameters: Mapping[str, Any]
    executor: str
    origin: str
    epoch: int
    owner: str | None
    claimed: dt.datetime | None
    state: str | None
    message: str | None
    started: dt.datetime | None
    ended: dt.datetime | None
    counts: Mapping[str, int]
    process: str | None = None
    beat: dt.datetime | None = None
    took_s: float | None = None
    due: dt.datetime | None = None
    deployment: str | None = None
    identifier: str | None = None
    flow_tasks: int | None = None

    @property
    def tasks(self) -> int:
        """Number of tasks that have a state."""
        return sum(self.counts.values())


class RunToBegin(NamedTuple):
    """A run that is to begin at `due`, aware UTC, and that no live process has.

    Attributes:
        epoch: how often the run was claimed.
        was_claimed: whether a process claimed it in order to start it, and died before it began.
    """

    run_id: str
    due: dt.datetime
    epoch: int
    was_claimed: bool


class ClaimToBegin(NamedTuple):
    """A run that was claimed for a process that is being started.

    Attributes:
        record: as it was before.
        epoch: at which it is claimed.
        last_seq: number of its last event, which says that it is claimed.
    """

    record: RunRecord
    epoch: int
    last_seq: int


class ClaimsToBegin(NamedTuple):
    """What became of runs that were to be claimed. Those that are in neither somebody else has, or they weren't looked at.

    Attributes:
        claimed: in the order in which they were wanted.
        refused: by id, why a run that is free can't be claimed.
    """

    claimed: Sequence[ClaimToBegin]
    refused: Mapping[str, str]


class RunWithProcess(NamedTuple):
    """A run that a process has, or had when it died.

    Attributes:
        epoch: at which that process claimed it.
        state: name of the flow's last state; None if it has none yet.
        process: identity of that process.
        beat: time of its last heartbeat, seconds since the epoch.
        identifier: what its flow runner calls the process that was started for the run; None if none was.
        due: its time, seconds since the epoch; None if it has none.
        has_started: whether the run has begun.
    """

    run_id: str
    epoch: int
    state: str | None
    process: str
    beat: float | None
    identifier: str | None
    due: float | None
    has_started: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """Who owns a run.

    Attributes:
        epoch: how often the run was claimed.
        owner: who runs it now, in words, or None.
        process: identity of the owner's process, see `process_identity`; None if nobody owns the run.
        beat: time of the owner's last heartbeat.
        started: when the run started.
        ended: when it ended; None as long as it has not.
    """

    epoch: int
    owner: str | None
    process: str | None
    beat: dt.datetime | None
    started: dt.datetime | None
    ended: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of the process that owns a run.

    Attributes:
        action: as a `flow_run.decision.Decision` has it.
        keys: of the tasks; empty: every task that the action applies to.
        by: who asks.
        inputs: values that replace inputs of the one task in `keys`, by argument.
        looked_at: by key, the content hashes of the inputs that the task waits with, as who asks sees them.
        number: assigned by the store.
        typed: those of `inputs` that are texts as a person typed them, to be read as what they replace.
    """

    action: str
    keys: tuple[str, ...] = ()
    by: str = ""
    note: str = ""
    inputs: Mapping[str, ResultRef] = field(default_factory=dict)
    looked_at: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    number: int = 0
    typed: tuple[str, ...] = ()


class PastDecision(NamedTuple):
    """What a person decided in one run of a flow.

    Attributes:
        number: of the run.
    """

    run_id: str
    number: int
    decided: Decided


@dataclass(frozen=True, slots=True)
class TaskHistoryEntry:
    """The last state of a task in one run.

    Attributes:
        number: of the run.
        state: name of the state.
        at: time of the state; aware UTC.
        running_at: when the task last started to run; None if it never did.
        output: where its output is; None if it isn't stored.
        cost: what its last attempt cost, if that is known.
        message: of the state; "" if it has none.
        input_hashes: of a cached task, the content hashes of its inputs, by argument.
        parameters: of a cached task, those of its run that it depends on, by name.
    """

    run_id: str
    number: int
    state: str
    at: dt.datetime
    running_at: dt.datetime | None
    output: ResultRef | None = None
    cost: Cost | None = None
    message: str = ""
    input_hashes: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)


class TaskResult(NamedTuple):
    """A successful state of a task in one run.

    Attributes:
        number: of the run.
        key: of the task.
    """

    run_id: str
    number: int
    state: State
    key: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all of it succeeded; of a mapped task, every child."""
        state = self.state
        if not isinstance(state, Mapped):
            return True
        return len(state.map_states) == state.n_map_states and all(child.is_successful() for child in state.map_states)


def graph_record(
    graph: Graph, code_hashes: Mapping[str, str] | None = None, wirings: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return `graph` as plain JSON: the flow's name and, for each task, what displaying and comparing it takes.

    `inputs` name the task that each argument comes from, so that a value that must not be stored isn't stored as an input.

    Args:
        graph: compiled.
        code_hashes: hash of each task's code, by key.
        wirings: by key, hashes of what the flow's author set besides the code: constants, a trigger, a default. None: unknown.
    """
    hashes = code_hashes or {}
    return {
        "name": graph.name,
        "reference": list(graph.reference),
        "tasks": [
            {
                "key": spec.key,
                "name": spec.name,
                "upstream": list(spec.upstream),
                "inputs": {bound.argument: bound.upstream for bound in spec.bindings if bound.argument is not None},
                "mapped": spec.is_mapped,
                "manual": spec.is_manual,
                **({"question": question} if spec.is_manual and (question := spec.question()) else {}),
                "parameter": spec.is_parameter,
                **({"trigger": name_of(spec.trigger)} if spec.trigger is not None else {}),
                **({"gathers": True} if spec.gathers else {}),
                **({"cleans_up": True} if spec.cleans_up else {}),
                **({"retries": spec.retry.max_retries} if spec.retry is not None else {}),
                **({"elements": elements} if (elements := _elements(spec)) else {}),
                "keep": spec.keep,
                "code_hash": hashes.get(spec.key),
                **({} if wirings is None else {"wiring": wirings.get(spec.key)}),
            }
            for spec in graph.specs.values()
        ],
    }


def _elements(spec: TaskSpec) -> list[str]:
    """Return the arguments of which each child gets one element of what comes from above."""
    return [bound.argument for bound in spec.bindings if bound.mapped and not bound.flattened and bound.argument]


def now() -> dt.datetime:
    """Return the current time, aware UTC."""
    return dt.datetime.now(dt.UTC)


@overload
def from_stamp(stamp: float) -> dt.datetime: ...
@overload
def from_stamp(stamp: float | None) -> dt.datetime | None: ...
def from_stamp(stamp: float | None) -> dt.datetime | None:
    """Return the moment of `stamp`, seconds since the epoch; None for None."""
    return None if stamp is None else dt.datetime.fromtimestamp(stamp, dt.UTC)


def to_stamp(moment: dt.datetime) -> float:
    """Return the end of the moment's microsecond, so that every stamp that `from_stamp` turns into `moment` is before it."""
    return moment.timestamp() + _ROUNDED_S
