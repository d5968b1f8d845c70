"""What is known of each task of a recorded run; no value is loaded and nothing unpickled."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flowbook.engine.replay import spans
from flowbook.engine.state import Cached, Crashed, Mapped, Paused
from flowbook.engine.state_kinds import NEEDS_ATTENTION, RUNNING, after_death, mapped_state, name_in_words
from flowbook.engine.task_keys import is_child_key, parent_key
from flowbook.flow_run.begun_states import with_begun
from flowbook.flow_run.changed_inputs import ChangedInputs
from flowbook.flow_run.input_texts import StoredInputTexts
from flowbook.report.kept_notes import kept_note
from flowbook.report.phrases import cached_note, duration, shorten, staleness
from flowbook.report.secret_literals import without_secrets
from flowbook.report.secret_names import MASK, shown_parameters, shown_value
from flowbook.report.unkept import unkept_note, why_unkept
from flowbook.store.process_identity import shown_state
from flowbook.store.records import to_stamp
from flowbook.terminal.run_history import maker
from flowbook.terminal.run_lines import TaskRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from flowbook._utils.costs import Cost
    from flowbook.engine.remote_error import RemoteError
    from flowbook.engine.replay import Span
    from flowbook.engine.state import State
    from flowbook.results.reference import Preview
    from flowbook.store import Store

__all__ = ["TaskFacts", "task_facts"]

_WHY_CHARS = 200
_MOST_LABELLED = 20


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task or child of a recorded run.

    Attributes:
        state: None before it has one.
        took_s: how long its last attempt took; None where it didn't run.
        attempt: number of that attempt; 0 where it didn't run.
        error: what it raised, where it stands as failed.
        preview: what the store noted of its value.
        maker: the run that made its cached output, "run 3"; "" if it wasn't looked up.
        cost: what its last attempt cost; None where that was too short to be told.
        inputs: its inputs in words, by argument; only of the task that is looked at, of some that wait and of failed children.
        instead: of the same that wait: what above it failed, and what it would get all the same; "" if all above it succeeded.
        goes_on: False where the run's process has died.
    """

    key: str
    state: State | None
    took_s: float | None
    attempt: int
    error: RemoteError | None
    preview: Preview | None
    maker: str = ""
    cost: Cost | None = None
    output_bytes: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    instead: str = ""
    goes_on: bool = True

    @property
    def is_of_interest(self) -> bool:
        """Whether it is shown among many: not a child that went well."""
        return not is_child_key(self.key) or self.state_name in {*NEEDS_ATTENTION, *RUNNING}

    def is_bad_child_of(self, key: str) -> bool:
        """Whether it is a child of mapped task `key` that failed or waits for a person."""
        return is_child_key(self.key) and parent_key(self.key) == key and self.state_name in NEEDS_ATTENTION

    @property
    def state_name(self) -> str:
        """Its state in a word; of a mapped task that of its children together."""
        if self.state is None:
            return "Pending"
        if isinstance(self.state, Mapped) and self.state.map_states:
            return mapped_state(Counter(map(name_in_words, self.state.map_states)), goes_on=self.goes_on)
        return name_in_words(self.state)

    def row(self) -> TaskRow:
        """Return what stands in a table."""
        return TaskRow(self.key, self.state_name, self.took_s, self._rows(), shorten(self._why(), _WHY_CHARS))

    def as_json(self) -> dict[str, object]:
        """Return all that is known, as plain data."""
        state = self.state
        error = self.error
        described = (
            None
            if error is None
            else {"type": error.type_name, "message": error.message, "traceback": without_secrets(error.formatted)}
        )
        return {
            "task": self.key,
            "state": "Pending" if state is None else type(state).__name__,
            "seconds": self.took_s,
            "attempt": self.attempt,
            "message": None if state is None else state.message,
            "stale": (staleness(state) or None) if isinstance(state, Cached) else None,
            "inputs": dict(self.inputs),
            "error": described,
            "cpu_s": None if self.cost is None else self.cost.cpu_s,
            "memory_bytes": None if self.cost is None else self.cost.memory_bytes,
            "own_process": None if self.cost is None else self.cost.is_own,
            "output_bytes": self.output_bytes,
            "value": None if self.preview is None else shown_value(parent_key(self.key), self.preview.get("text")),
        }

    def _rows(self) -> str:
        shape = None if self.preview is None else self.preview.get("shape")
        return f"{shape[0]:,}" if isinstance(shape, list) and shape else ""

    def _why(self) -> str:
        state = self.state
        if self.error is not None:
            label = ", ".join(self.inputs.values()) if is_child_key(self.key) and len(self.inputs) == 1 else ""
            return f"({label}) {self.error}" if label and label != MASK else str(self.error)
        if isinstance(state, Mapped) and state.map_states:
            counts = Counter(map(name_in_words, state.map_states))
            stale = sum(isinstance(child, Cached) and bool(staleness(child)) for child in state.map_states)
            made = f"; {stale:,} from the cache, made by other code or from other inputs" if stale else ""
            return ", ".join(f"{count:,} {name}" for name, count in counts.items()) + made
        if isinstance(state, Cached) and state.made_here:
            kept = cached_note(state, time.time(), has_run=True)
            return f"on attempt {self.attempt}, {kept}" if self.attempt > 1 else kept
        if isinstance(state, Cached) and state.created is not None:
            made = f"made {duration(time.time() - state.created.timestamp())} ago"
            return " ".join(filter(None, (made, self.maker and f"in {self.maker}", staleness(state))))
        if self.attempt > 1 or state is None:
            return f"on attempt {self.attempt}" if self.attempt > 1 else ""
        has_output = state.is_successful() and not state.is_skipped()
        return (kept_note(state) or unkept_note(why_unkept(state))) if has_output else state.message or ""


def task_facts(store: Store, run_id: str, wanted: str | None = None, at: dt.datetime | None = None) -> list[TaskFacts]:
    """Return what is known of the tasks of a run, in the flow's order, each mapped one before its children.

    Args:
        store: the store.
        run_id: of the run.
        wanted: the task or child whose inputs are described.
        at: only what had happened by then; default: now, when what ran in a process that has died is to run again. What a task
            had raised that didn't stay failed is left out.
    """
    history = store.history
    states, errors = with_begun(store, run_id, history.states(run_id, at)), history.errors(run_id)
    if at is not None:
        errors = {key: error for key, error in errors.items() if key in states and states[key].is_failed()}
    moment = math.inf if at is None else to_stamp(at)
    events = [each for each in history.events(run_id) if each.at <= moment]
    last = {span.key: span for span in spans(events)}
    changed = ChangedInputs()
    for event in events:
        changed.take(event)
    is_dead = at is None and shown_state(store.runs.summary(run_id)) == Crashed.__name__
    if is_dead:
        states = {key: after_death(state) for key, state in states.items()}
    refs = {key: state.reference for key, state in states.items()}
    previews = store.values.previews(ref for ref in refs.values() if ref is not None and ref.digest)
    graph = store.runs.get(run_id).graph
    described = StoredInputTexts(store, graph, states, changed)
    keys = [*_keys(graph), *(key for key in states if is_child_key(key))]
    found = []
    labelled: list[str] = []
    for key in keys:
        ref = refs.get(key)
        preview = None if ref is None else previews.get(ref.digest)
        facts = _facts(key, states.get(key), last.get(key), errors.get(key), preview)
        facts = replace(facts, goes_on=False) if is_dead else facts
        if isinstance(facts.state, Cached) and facts.attempt == 0 and not is_child_key(key):
            facts = replace(facts, maker=maker(store, facts.state.entry))
        is_labelled = isinstance(facts.state, Paused) or (is_child_key(key) and facts.error is not None)
        if key == wanted or (len(labelled) < _MOST_LABELLED and is_labelled):
            labelled.append(key)
            facts = replace(facts, inputs=shown_parameters(described.of(key)), instead=described.instead(key))
        found.append(facts)
    return found


def _facts(
    key: str, state: State | None, span: Span | None, error: RemoteError | None, preview: Preview | None
) -> TaskFacts:
    took_s = None if span is None or span.end is None or not span.attempt else round(span.end - span.start, 3)
    attempt, cost = (0, None) if span is None else (span.attempt, span.cost)
    ref = None if state is None else state.reference
    size = ref.size_bytes if ref is not None and ref.digest else None
    return TaskFacts(key, state, took_s, attempt, error, preview, cost=cost, output_bytes=size)


def _keys(graph: Mapping[str, object]) -> list[str]:
    tasks = graph.get("tasks", ())
    return [task["key"] for task in tasks if task["key"] and not task.get("gathers")] if isinstance(tasks, list) else []
