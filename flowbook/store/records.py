"""What the store is told of runs, and what it tells. Values, frozen; times are aware UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from flowbook.engine.state import Mapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef

__all__ = [
    "Claim",
    "Request",
    "RunRecord",
    "RunSummary",
    "TaskHistoryEntry",
    "TaskResult",
    "from_stamp",
    "graph_record",
    "now",
    "to_stamp",
]


#: Half a microsecond, by which a stamp may lie after the moment that it shows as, and what floats that large lose.
_ROUNDED_S = 0.75e-6


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run when it begins.

    Attributes:
        run_id: unique over all stores.
        flow: the flow's name.
        project: where the flow belongs, see `config.project`.
        graph: plain JSON, see `graph_record`.
        created: aware UTC.
        number: this is the n-th run of that flow in that project; assigned by the store.
        parameters: plain JSON, for showing.
        parameters_ref: their values, for running; where the run was given more, an index of it, see `core.given`.
        flow_ref: the flow itself, for resuming where its code isn't at hand.
        flow_unkept: why there is no `flow_ref`.
        further: what the index names.
        executor: in words, e.g. "threads, 2 workers".
        origin: e.g. the notebook's name.
        owner: which process runs it, e.g. "host:pid".
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


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of a list of runs.

    Attributes:
        epoch: how often somebody took up the run; what `claim` compares.
        owner: who runs it now, or None.
        claimed: when the owner took it up or let go of it.
        state: name of the flow's last state; None if it has none yet.
        counts: tasks by the name of their last state; mapped children are not counted.
        process: the owner's mark, see `processes`; None if nobody has the run.
        beat: when the owner was last heard of.
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

    @property
    def tasks(self) -> int:
        """How many tasks have a state."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a run.

    Attributes:
        epoch: how often somebody took it up.
        owner: who runs it now, in words, or None.
        process: the owner's mark, see `processes`; None if nobody has the run.
        beat: when the owner was last heard of.
        started: when the run began.
        ended: when it was over; None as long as it is not.
    """

    epoch: int
    owner: str | None
    process: str | None
    beat: dt.datetime | None
    started: dt.datetime | None
    ended: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of the process that has a run.

    Attributes:
        action: "cancel" or "resume".
        keys: of the tasks; empty: all that it may mean.
        by: who asks.
        number: assigned by the store.
    """

    action: str
    keys: tuple[str, ...] = ()
    by: str = ""
    note: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class TaskHistoryEntry:
    """How a task stands in one run.

    Attributes:
        number: of the run.
        state: name of the task's last state there.
        at: when it came to that; aware UTC.
        running_at: when it began to run the last time; None if it never did.
    """

    run_id: str
    number: int
    state: str
    at: dt.datetime
    running_at: dt.datetime | None


class TaskResult(NamedTuple):
    """A successful state of a task in one run.

    Attributes:
        number: of the run.
    """

    run_id: str
    number: int
    state: State

    @property
    def is_whole(self) -> bool:
        """Whether all of it succeeded: of a mapped task every child."""
        state = self.state
        if not isinstance(state, Mapped):
            return True
        return len(state.map_states) == state.n_map_states and all(child.is_successful() for child in state.map_states)


def graph_record(
    graph: Graph, code_hashes: Mapping[str, str] | None = None, wirings: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return `graph` as plain JSON: the flow's name and, by task, what showing and comparing need.

    `inputs` say from which task each argument comes, so that a value that must not be kept is known wherever it goes.

    Args:
        graph: compiled.
        code_hashes: by key, of what each task does.
        wirings: by key, hashes of what the flow's author gave besides: constants, a trigger, a default. None: not known.
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
                "parameter": spec.is_parameter,
                "keep": spec.keep,
                "code_hash": hashes.get(spec.key),
                **({} if wirings is None else {"wiring": wirings.get(spec.key)}),
            }
            for spec in graph.specs.values()
        ],
    }


def now() -> dt.datetime:
    """Return this moment, aware UTC."""
    return dt.datetime.now(dt.UTC)


@overload
def from_stamp(stamp: float) -> dt.datetime: ...
@overload
def from_stamp(stamp: float | None) -> dt.datetime | None: ...
def from_stamp(stamp: float | None) -> dt.datetime | None:
    """Return the moment of `stamp`, seconds since the epoch; None for None."""
    return None if stamp is None else dt.datetime.fromtimestamp(stamp, dt.UTC)


def to_stamp(moment: dt.datetime) -> float:
    """Return the end of the moment's microsecond, so that it takes in all that `from_stamp` shows at that moment."""
    return moment.timestamp() + _ROUNDED_S
