"""What a run took from the cache, and why the rest ran: "3 of 40 ran: clean, its code changed; 2 below it"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.engine.cache_validators import never_use
from flowbook.engine.mapped_states import children_of
from flowbook.engine.secret_inputs import secret_inputs
from flowbook.engine.state import Cached, Mapped
from flowbook.engine.state_kinds import UNSTORED
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.misses import Difference, Made, differences, in_words, with_lines
from flowbook.results.code_hash import read_code
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.state import State
    from flowbook.store.plan_reads import PastEntry, PlanReads

__all__ = ["RanTask", "Reuse", "reuse_of"]

_NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class RanTask:
    """A cached task that ran.

    Attributes:
        key: of the task.
        why: in words; "" if it isn't known.
        below: the tasks above it whose other outputs are why; then `why` is empty.
        differences: from the entry that came nearest.
    """

    key: str
    why: str
    below: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = field(default=(), compare=False)

    @property
    def is_new(self) -> bool:
        """Whether no output of it was stored before."""
        return any(each.cause == "new" for each in self.differences)


@dataclass(frozen=True, slots=True)
class Reuse:
    """How many of a run's cached tasks ran.

    Attributes:
        total: how many of its tasks are cached and have ended.
        ran: those that ran.
        only: key of the cached task if there is one alone.
        others: how many tasks of the run aren't cached.
    """

    total: int
    ran: tuple[RanTask, ...]
    only: str = field(default="", compare=False)
    others: int = field(default=0, compare=False)

    def sentence(self) -> str:
        """Return it as a sentence."""
        if self.total <= 1:
            return self._of_one()
        of = f"{self.total:,} cached tasks" if self.others else f"{self.total:,}"
        if not self.ran:
            return f"None of {of} ran: all came from the cache."
        if len(self.ran) == self.total and all(each.is_new for each in self.ran):
            return f"All {of} ran: none of their outputs was cached yet."
        first = [each for each in self.ran if not each.below]
        below = len(self.ran) - len(first)
        told = [f"{each.key}, {each.why}" if each.why else each.key for each in first[:_NAMED_AT_MOST]]
        more = len(first) - len(told)
        told += [f"{more:,} more"] if more > 0 else []
        told += [f"{below:,} below {'it' if len(first) == 1 else 'these'}"] if below else []
        return f"{len(self.ran):,} of {of} ran: {'; '.join(told)}."

    def _of_one(self) -> str:
        if not self.ran:
            return f"{self.only} came from the cache." if self.only else ""
        (ran,) = self.ran
        return f"{ran.key} ran: {ran.why}." if ran.why and not ran.is_new else ""


def reuse_of(run_id: str, graph: Graph, states: Mapping[str, State], only: Sequence[str] = ()) -> Reuse:
    """Return what became of a run's cached tasks. If the store can't be read, without the reasons.

    Args:
        run_id: of the run.
        graph: of its flow.
        states: of its tasks and children, by key.
        only: keys of the tasks that it may run; empty: all.
    """
    specs = [graph.specs[key] for key in only or graph.specs if key in graph.specs]
    cached = [spec for spec in specs if spec.cache is not None and spec.cache.validator is not never_use]
    over = [spec for spec in cached if (state := states.get(spec.key)) is not None and state.is_finished()]
    ran = [spec for spec in over if _has_run(spec.key, states)]
    others = sum(spec.cache is None and not spec.is_parameter for spec in specs)
    only = over[0].key if len(over) == 1 else ""
    return Reuse(len(over), tuple(_reasons(run_id, graph, ran, states)), only, others)


def _has_run(key: str, states: Mapping[str, State]) -> bool:
    state = states[key]
    if isinstance(state, Mapped):
        return any(_has_run(child, states) for child in children_of(key, states))
    return state.made_here if isinstance(state, Cached) else not state.is_skipped()


def _reasons(run_id: str, graph: Graph, ran: Sequence[TaskSpec], states: Mapping[str, State]) -> list[RanTask]:
    keys = [spec.key for spec in ran]
    own = {key: entry for key in keys if (entry := _own_entry(key, states)) is not None}
    try:
        reads = open_store().plan_reads(config.project(), graph.name)
        made, earlier = reads.entries(list(own.values())), reads.latest_entries(keys, besides=run_id)
    except FlowbookError:
        return [RanTask(key, "") for key in keys]
    above = set(keys)
    found = [_reason(spec, made.get(own.get(spec.key, "")), earlier.get(spec.key, []), above, graph) for spec in ran]
    told = [_told(each, graph.specs[each.key], run_id, reads) for each in found]
    return [_with_unstored(each, states) for each in told]


def _with_unstored(task: RanTask, states: Mapping[str, State]) -> RanTask:
    """Return the task; if nothing else is known of why it ran, and its output couldn't be cached, that is why."""
    keys = (task.key, *children_of(task.key, states))
    is_unstored = any((states[key].message or "").startswith(UNSTORED) for key in keys)
    return replace(task, why="its output can't be cached") if is_unstored and not (task.why or task.below) else task


def _told(task: RanTask, spec: TaskSpec, run_id: str, reads: PlanReads) -> RanTask:
    """Return the task; if its code changed, with the line."""
    if not any(each.run_id for each in task.differences):
        return task
    try:
        found = with_lines(task.differences, read_code(spec.run).functions, reads.sources(run_id), reads.sources)
    except FlowbookError:
        return task
    return replace(task, why=in_words(found)[0], differences=tuple(found))


def _own_entry(key: str, states: Mapping[str, State]) -> str | None:
    """Return the id of the entry that the run made for a task, or for the first of its children that ran."""
    for each in (key, *children_of(key, states)):
        state = states[each]
        if isinstance(state, Cached) and state.made_here:
            return state.entry
    return None


def _reason(
    spec: TaskSpec, entry: PastEntry | None, earlier: Sequence[PastEntry], ran: set[str], graph: Graph
) -> RanTask:
    if entry is None or spec.cache is None:
        return RanTask(spec.key, "")
    told, secrets = entry.inputs, secret_inputs(graph, spec.key)
    made = Made(spec.cache.validator, entry.code_hash, told.hashes, told.texts, entry.parameters, secrets)
    found = _besides_elements(differences(made, earlier, entry.created), spec)
    why, cause, names = in_words(found)
    sources = {binding.argument: binding.upstream for binding in spec.bindings}
    below = tuple(source for name in names if (source := sources.get(name)) and _ran_above(source, ran, graph))
    is_below = bool(below) and cause == "input"
    return RanTask(spec.key, "" if is_below else why, below if is_below else (), found)


def _besides_elements(found: Sequence[Difference], spec: TaskSpec) -> tuple[Difference, ...]:
    """Leave out the elements of a mapped task if something else differs: the nearest entry may be another child's."""
    elements = {binding.argument for binding in spec.bindings if binding.mapped}
    return tuple(each for each in found if each.name not in elements) or tuple(found)


def _ran_above(key: str, ran: set[str], graph: Graph) -> bool:
    """Return whether a task ran, or one above it from which it only passes values on."""
    seen, stack = set[str](), [key]
    while stack:
        each = stack.pop()
        if each in ran:
            return True
        seen.add(each)
        spec = graph.specs[each]
        if spec.cache is None:
            stack += [up for up in spec.upstream if up not in seen]
    return False
