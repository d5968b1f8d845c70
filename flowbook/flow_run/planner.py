"""Foresees what a run would do with each task, from the cache's index and from earlier runs. Loads no value, runs nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook import config
from flowbook.engine.cache_validators import ForeseenInputs, UnforeseenError, comparable, hash_of, reads_variables
from flowbook.engine.gathering import given_by
from flowbook.engine.output_cache import foreseen_state, task_code
from flowbook.engine.secret_inputs import secret_inputs
from flowbook.engine.short_text import short_text
from flowbook.engine.steps import name_of
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError, UnpicklableError
from flowbook.executors import LocalExecutor
from flowbook.flow_run import option_checks
from flowbook.flow_run.evidence import Evidence, child_origin, made_by, stored
from flowbook.flow_run.fingerprint import fingerprint
from flowbook.flow_run.misses import Made, differences, in_words, with_lines
from flowbook.flow_run.plan import FAILURE_TRIGGERS, PlannedTask
from flowbook.flow_run.plan_times import with_times, workers_of
from flowbook.flow_run.planned_part import left_alone, with_kept_children
from flowbook.flow_run.recording import output_cache
from flowbook.flow_run.run_request import (
    not_from_cache,
    pop_options,
    read_mapping,
    read_parameters,
    read_part,
    several_tasks,
)
from flowbook.report.phrases import duration, listed, staleness
from flowbook.results.code_source import sources_of
from flowbook.results.value_record import value_digest
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Binding, Graph, TaskSpec
    from flowbook.engine.ports import OutputCache
    from flowbook.engine.state import Cached
    from flowbook.flow_run.evidence import Origin
    from flowbook.flow_run.plan import Cause, Outcome, RunPlan
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.run_part import RunPart
    from flowbook.store.plan_reads import PlanReads

__all__ = ["plan_run"]

#: How many of the newest runs tell what values there were.
_RUNS = 3
_NAMED_AT_MOST = 3
#: The options of `Flow.plan`; everything else is a parameter.
_OPTIONS = frozenset({"based_on", "executor", "only", "start", "start_at", "up_to", "use_cache"})
_UNSEEN = object()
_MISSING: Any = object()


class _Given(NamedTuple):
    """What is known of what a task will give.

    Attributes:
        origin: where the value comes from; None if it isn't known which value it will be.
        value: the value itself, of parameters.
        is_assumed: whether it is what an uncached task gave before, and is assumed to give again.
    """

    origin: Origin | None = None
    value: Any = _MISSING
    is_assumed: bool = False


_NOTHING = _Given()


class _Inputs(NamedTuple):
    """What one task or child will get: values, hashes as far as they are known, and whether some are only assumed."""

    values: dict[str, object]
    hashes: dict[str, str]
    is_assumed: bool


def plan_run(flow: RunnableFlow, parameters: Mapping[str, object] | None, options: dict[str, Any]) -> RunPlan:
    """Return what a run would do.

    Args:
        flow: the flow.
        parameters: values by name.
        options: as for `Flow.plan`; what isn't one is a parameter.

    Raises:
        ParameterError: if a parameter is missing or unknown.
        UnknownTaskError: if a task isn't in the flow.
        ExecutorError: if the executor isn't one.
    """
    graph = flow.compile()
    asked = pop_options(flow, options, _OPTIONS)
    executor = option_checks.executor(asked.get("executor") or flow.executor or LocalExecutor())
    given = {**read_mapping("parameters", parameters, "{'origin': 'JFK'}"), **options}
    values = read_parameters(flow, given)
    start = tuple(graph.key_of(task) for task in several_tasks(asked.get("start")))
    part = read_part(graph, asked, values)
    scope = PlanScope(start, part, not_from_cache(graph, asked, part))
    reads = open_store().plan_reads(config.project(), graph.name)
    tasks = _Planner(flow, graph, values, scope, reads, output_cache(graph)).tasks()
    tasks = tasks if part is None else with_kept_children(tasks, part)
    plan = with_times(graph, tasks, reads, workers_of(executor))
    return plan if part is None else replace(plan, part=str(part))


class PlanScope(NamedTuple):
    """What of a flow is to run.

    Attributes:
        start: at which tasks it starts, whatever there is above; empty: at the first ones.
        part: to which part it is limited; None: to none.
        anew: the tasks that aren't taken from the cache.
    """

    start: tuple[str, ...]
    part: RunPart | None
    anew: tuple[str, ...]


class _Planner:
    """One plan. For one thread."""

    def __init__(  # noqa: PLR0913  # what a plan is made of
        self,
        flow: RunnableFlow,
        graph: Graph,
        parameters: Mapping[str, object],
        scope: PlanScope,
        reads: PlanReads,
        cache: OutputCache | None,
    ) -> None:
        self._graph = graph
        self._parameters = parameters
        self._start, self._part, self._anew = scope
        self._reads = reads
        self._cache = cache
        self._now = dt.datetime.now(dt.UTC)
        self._record: dict[str, dict[str, Any]] = {
            task["key"]: task
            for task in fingerprint(flow, graph, {} if cache is None else cache.codes)["tasks"]  # type: ignore[attr-defined]  # a list of dicts
        }
        self._evidence = Evidence(graph, reads)
        self._newest = reads.newest_runs(_RUNS)
        for run_id in self._newest:
            self._evidence.add(run_id)
        self._searched: set[str] = set()
        self._given: dict[str, _Given] = {}
        self._planned: dict[str, PlannedTask] = {}
        #: Tasks that will run although their inputs are known, with these; why is found in one query for all.
        self._missed: dict[str, _Inputs] = {}

    def tasks(self) -> list[PlannedTask]:
        """Return what will become of each task."""
        visited = self._graph.downstream(self._start) if self._start else None
        kept = self._evidence.kept(self._newest[0]) if (self._start or self._part) and self._newest else {}
        for key, spec in self._graph.specs.items():
            if spec.is_parameter:
                self._given[key] = self._parameter(key)
            elif self._part is not None and key not in self._part.runs:
                self._leave(key, self._part, kept.get(key))
            elif visited is not None and key not in visited:
                self._given[key] = _Given(kept.get(key))
                self._planned[key] = PlannedTask(key, "keep", "it lies above or beside what was asked for")
            elif key in self._start:
                self._put(key, "run", "you asked for it", "asked")
            else:
                self._foresee(key, spec)
        self._explain_misses()
        self._name_makers()
        return [each for key, each in self._planned.items() if not self._graph.specs[key].gathers]

    def _leave(self, key: str, part: RunPart, kept: Origin | None) -> None:
        self._given[key] = _Given(kept)
        self._planned[key] = left_alone(key, part)

    def _parameter(self, key: str) -> _Given:
        value = self._parameters.get(key)
        try:
            return _Given(stored(value_digest(value)), value)
        except UnpicklableError:
            return _Given(value=value)

    def _put(  # noqa: PLR0913  # the parts of an answer
        self,
        key: str,
        outcome: Outcome,
        why: str,
        cause: Cause = "",
        given: _Given = _NOTHING,
        width: int | None = None,
    ) -> None:
        self._planned[key] = PlannedTask(key, outcome, why, cause, width=width)
        self._given[key] = given

    def _foresee(self, key: str, spec: TaskSpec) -> None:
        failing = [up for up in spec.upstream if self._outcome(up) == "if failed"]
        if spec.is_manual:
            self._put(key, "wait", "until a person resumes it")
        elif spec.trigger is not None and name_of(spec.trigger) in FAILURE_TRIGGERS:
            above = listed(spec.upstream, _NAMED_AT_MOST) if spec.upstream else "something"
            self._put(key, "if failed", f"only if {above} {'fails' if len(spec.upstream) == 1 else 'fail'}")
        elif failing and spec.trigger is None:
            self._put(key, "if failed", f"below {listed(failing, _NAMED_AT_MOST)}")
        elif key in self._anew or self._is_asked(key):
            self._run_anew(key, spec)
        elif self._cache is None or spec.cache is None:
            self._uncached(key, spec)
        elif spec.is_mapped:
            self._mapped(key, spec, self._cache)
        else:
            self._cached(key, spec, self._cache)

    def _is_asked(self, key: str) -> bool:
        return self._part is not None and self._part.way != "up_to" and key in map(parent_key, self._part.asked)

    def _run_anew(self, key: str, spec: TaskSpec) -> None:
        """Plan for a task that isn't taken from the cache."""
        if self._part is None:
            self._put(key, "run", "without the cache", "asked", width=self._width(spec) if spec.is_mapped else None)
            return
        children = [each for each in self._part.asked if parent_key(each) == key != each]
        if self._is_asked(key):
            width = self._width(spec) if spec.is_mapped and not children else None
            which = f": {listed(children, _NAMED_AT_MOST)}" if children else ""
            self._put(key, "run", f"you asked for it{which}", "asked", width=width)
        else:
            self._put(key, "run", f"it lies below {listed(self._part.asked, _NAMED_AT_MOST)}", "above")

    def _outcome(self, key: str) -> str:
        planned = self._planned.get(key)
        return planned.outcome if planned is not None else ""

    # Tasks that aren't cached ------------------------------------------------------------------------------------------

    def _uncached(self, key: str, spec: TaskSpec) -> None:
        task = self._record[key]
        inputs = {name: self._given[up].origin for name, up in task["inputs"].items()}
        is_own = spec.gathers or (getattr(spec.run, "__module__", None) or "").startswith("flowbook.")
        assumed = not is_own or any(self._given[up].is_assumed for up in spec.upstream)
        origin = made_by(task, inputs)
        why, cause = self._above(spec)
        if not why:
            why, cause = ("" if is_own else "it isn't cached"), "not cached"
        width = self._width(spec) if spec.is_mapped else None
        self._put(key, "run", why, cause, _Given(origin, is_assumed=assumed), width)

    def _above(self, spec: TaskSpec) -> tuple[str, Cause]:
        """Return which task above keeps this one from being foreseen; empty if none does."""
        if waits := [up for up in spec.upstream if self._outcome(up) == "wait"]:
            return f"after {listed(waits, _NAMED_AT_MOST)}", "above"
        runs = [up for up in given_by(self._graph, spec) if self._given[up].origin is None]
        runs = [up for up in runs if self._outcome(up) in {"run", "if failed"}]
        if runs:
            return f"{listed(runs, _NAMED_AT_MOST)} {'runs' if len(runs) == 1 else 'run'}", "above"
        return "", ""

    # Cached tasks ------------------------------------------------------------------------------------------------------

    def _cached(self, key: str, spec: TaskSpec, cache: OutputCache) -> None:
        inputs = self._inputs(spec, None)
        try:
            found = foreseen_state(
                spec, cache, self._graph.name, ForeseenInputs(inputs.values, inputs.hashes), self._parameters
            )
        except UnforeseenError as error:
            self._unforeseen(key, spec, inputs, error.name)
            return
        except FlowbookError as error:
            self._put(key, "run", str(error), "unknown")
            return
        if found is None:
            self._missed[key] = inputs
            self._put(key, "run", "")
            return
        self._put(key, "hit", self._hit_words(found, inputs), "", self._given_by(found, inputs))
        self._planned[key] = replace(self._planned[key], made=found.created, entry=found.entry)

    def _given_by(self, found: Cached, inputs: _Inputs) -> _Given:
        return _Given(stored(found.raw_result.digest), is_assumed=inputs.is_assumed)  # type: ignore[attr-defined]  # a reference

    def _hit_words(self, found: Cached, inputs: _Inputs) -> str:
        ago = "" if found.created is None else f"made {duration((self._now - found.created).total_seconds())} ago"
        stale = staleness(found)
        assumed = "if what runs above gives the same as before" if inputs.is_assumed else ""
        return ", ".join(filter(None, (ago, stale, assumed)))

    def _unforeseen(self, key: str, spec: TaskSpec, inputs: _Inputs, name: str) -> None:
        """Plan to run a task of which an input isn't known; if its code has changed too, that is why."""
        why, cause = self._above(spec)
        if not name:
            why, cause = "its own cache validator decides when it runs", "unknown"
        elif not why:
            above = next((b.upstream for b in spec.bindings if b.argument == name), name)
            why, cause = f"no recorded run tells what {name}, from {above}, is", "unknown"
        elif self._cache is not None:
            self._missed[key] = inputs
        self._put(key, "run", why, cause)

    def _mapped(self, key: str, spec: TaskSpec, cache: OutputCache) -> None:
        width = self._width(spec)
        why, cause = self._above(spec)
        if width is None:
            self._put(key, "run", why or "split when it runs", cause or "unknown")
            return
        states, assumed, last = [], False, None
        for index in range(width):
            inputs = self._inputs(spec, index)
            assumed = assumed or inputs.is_assumed
            try:
                states.append(
                    foreseen_state(
                        spec, cache, self._graph.name, ForeseenInputs(inputs.values, inputs.hashes), self._parameters
                    )
                )
                last = last if states[-1] is not None else inputs
            except (UnforeseenError, FlowbookError):
                states.append(None)
        hits = [state for state in states if state is not None]
        if len(hits) == width:
            newest = max((each.created for each in hits if each.created is not None), default=None)
            origin = ("children", *(stored(each.raw_result.digest) for each in hits))  # type: ignore[attr-defined]  # references
            words = self._hit_words(hits[-1], _Inputs({}, {}, assumed)) if hits else "mapped over nothing"
            self._put(key, "hit", words, "", _Given(origin, is_assumed=assumed), width)
            self._planned[key] = replace(self._planned[key], made=newest, hits=width)
            return
        if last is not None:
            self._missed[key] = last
        self._put(key, "run", why or "no output of it is stored for some elements", cause or "input", width=width)
        self._planned[key] = replace(self._planned[key], hits=len(hits))

    # Inputs ------------------------------------------------------------------------------------------------------------

    def _inputs(self, spec: TaskSpec, index: int | None) -> _Inputs:
        """Return what a task will get, or child number `index` of a mapped one."""
        found = _Inputs({}, {}, is_assumed=False)
        for name, value in (spec.constants or {}).items():
            _add(found, name, value)
        for name, sequence in (spec.mapped_constants or {}).items():
            _add(found, name, sequence[index] if index is not None else sequence)  # type: ignore[index]  # a sequence
        assumed = False
        for binding in spec.bindings:
            if binding.argument is None:
                continue
            given = self._given[binding.upstream]
            value, origin = (given.value, given.origin) if index is None else self._element(binding, given, index)
            assumed = assumed or given.is_assumed
            if value is not _MISSING:
                _add(found, binding.argument, value)
                continue
            found.values[binding.argument] = _UNSEEN
            known = self._hash_of(origin, spec) if origin is not None else None
            if known is not None:
                found.hashes[binding.argument] = known
        return found._replace(is_assumed=assumed)

    def _hash_of(self, origin: Origin, spec: TaskSpec) -> str | None:
        """Return the content hash of an input, if a run tells: one of the newest, or one that made an output of the task."""
        found = self._evidence.hash_of(origin)
        if found is None and spec.key not in self._searched:
            self._searched.add(spec.key)
            for entry in self._reads.latest_entries([spec.key]).get(spec.key, ()):
                if entry.run_id is not None:
                    self._evidence.add(entry.run_id)
            found = self._evidence.hash_of(origin)
        return found

    def _element(self, binding: Binding, given: _Given, index: int) -> tuple[Any, Origin | None]:
        if not binding.mapped:
            return given.value, given.origin
        if _is_sequence(given.value) and not binding.flattened:
            return given.value[index], None
        return _MISSING, None if given.origin is None else child_origin(given.origin, index, binding)

    def _width(self, spec: TaskSpec) -> int | None:
        """Return how many children a mapped task will have; None if that isn't known."""
        for sequence in (spec.mapped_constants or {}).values():
            return len(sequence)  # type: ignore[arg-type]  # a sequence
        for binding in spec.bindings:
            given = self._given[binding.upstream]
            if not binding.mapped:
                continue
            if _is_sequence(given.value) and not binding.flattened:
                return len(given.value)
            if given.origin is not None:
                is_children = given.origin[0] == "children" and not binding.flattened
                return len(given.origin) - 1 if is_children else self._evidence.width_of(given.origin)
        return None

    # Reasons -----------------------------------------------------------------------------------------------------------

    def _explain_misses(self) -> None:
        if self._cache is None:
            return
        latest = self._reads.latest_entries(list(self._missed))
        for key, inputs in self._missed.items():
            planned = self._planned[key]
            spec = self._graph.specs[key]
            found = differences(self._made(spec, self._cache, inputs), latest.get(key, ()), self._now)
            functions = task_code(spec, self._cache).functions
            why, cause, _ = in_words(with_lines(found, functions, sources_of(functions), self._reads.sources))
            if cause in {"code", "variable"} or not planned.why or planned.cause == "input":
                self._planned[key] = replace(planned, why=why or planned.why, cause=cause or planned.cause)

    def _made(self, spec: TaskSpec, cache: OutputCache, inputs: _Inputs) -> Made:
        assert spec.cache is not None  # noqa: S101  # only these are looked up
        code = task_code(spec, cache)
        variables: Mapping[str, str] = {}
        if reads_variables(spec.cache.validator):
            with contextlib.suppress(FlowbookError):
                variables = code.variable_hashes()
        texts = {name: text for name, value in inputs.values.items() if (text := short_text(value)) is not None}
        hashes, secrets = {**inputs.hashes, **variables}, secret_inputs(self._graph, spec.key)
        return Made(spec.cache.validator, code.hash, hashes, texts, comparable(self._parameters), secrets)

    def _name_makers(self) -> None:
        makers = self._reads.makers(each.entry for each in self._planned.values() if each.entry is not None)
        for key, planned in self._planned.items():
            number = makers.get(planned.entry or "")
            if number is not None:
                why = planned.why.replace(" ago", f" ago by run {number}", 1)
                self._planned[key] = replace(planned, made_by=number, why=why)


def _add(found: _Inputs, name: str, value: object) -> None:
    found.values[name] = value
    try:
        found.hashes[name] = hash_of(value)
    except (UnpicklableError, OSError):
        return


def _is_sequence(value: object) -> bool:
    return value is not _MISSING and isinstance(value, Sequence)
