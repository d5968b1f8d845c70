"""Turns the events of one run into rows, with the values that they hold.

Never raises: a value that can't be stored is recorded as missing, with the reason, and the state is recorded all the same.
Users' code runs here (pickling, `__str__`), so nothing here may be called with a lock held.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from flowbook import config
from flowbook.engine.events import FLOW, Event, Logged, StateChanged
from flowbook.engine.remote_error import RemoteError, error_line
from flowbook.engine.state import Cached, Looped, Mapped, Paused, Resume, Retrying, Running, State, Success
from flowbook.engine.task_keys import parent_key
from flowbook.store.event_rows import DECISION, LOG, STATE, EventRow, Urgency
from flowbook.store.state_codec import StateValues, encode, state_name
from flowbook.store.value_collector import CHEAP_BYTES, ObjectMemo, ValueCollector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.store.values import Values

__all__ = ["EventEncoder"]

_LOG_LINES = 10_000
_LOG_CHARACTERS = 20_000
_PLAIN = frozenset({bool, int, float, str})
_BARE = frozenset({Running, Success})
_WAITING = (Paused, Retrying, Resume)
#: Decisions that are followed by a state of the task.
_IN_STATES = frozenset({"skip", "reject"})

_log = logging.getLogger("flowbook.store")


class EventEncoder:
    """Encodes the events of one run. From any thread.

    Args:
        values: where values go; the rows of small ones come back with the event's.
        run: the run's key in the database.
        tasks: of the run's graph, see `graph_record`.
        never_keep: keys of tasks whose values are not stored; None: those that `tasks` marks.
        last_seq: number of the last event that was recorded before.

    Attributes:
        unkept: why the value of a task's state isn't stored, with the state's time, by key.
    """

    def __init__(
        self,
        values: Values,
        run: int,
        tasks: Sequence[Mapping[str, Any]],
        never_keep: frozenset[str] | None,
        last_seq: int,
    ) -> None:
        self._values = values
        self._run = run
        self._limit_bytes = config.limits().value_bytes
        self._never_keep = never_keep if never_keep is not None else _unkept_keys(tasks)
        self._sources = {task["key"]: task.get("inputs", {}) for task in tasks} if self._never_keep else {}
        self._last_seq = last_seq
        self._offset: int | None = None
        self._log_lines: dict[str, int] = {}
        self._memo = ObjectMemo()
        self.unkept: dict[str, tuple[float, str]] = {}

    def encode(self, event: Event) -> EventRow | None:
        """Return the row of `event`; None for a line beyond the limit of a task's lines."""
        try:
            if isinstance(event, StateChanged):
                return self._flow_row(event) if event.key == FLOW else self._state_row(event)
            return self._log_row(event) if isinstance(event, Logged) else self._decision_row(event)
        except BaseException as exc:  # noqa: BLE001  # the border to users' objects, which may raise anything
            _log.debug("Event %d of %r is recorded without its values.", event.seq, event.key, exc_info=True)
            return self._bare_row(event, f"it can't be looked at ({error_line(exc)})")

    def clear(self) -> None:
        """Forget which objects were stored."""
        self._memo.clear()

    def _number(self, seq: int) -> int:
        """Return the event's number in the record: where the engine begins at 1 again, after those recorded before."""
        if self._offset is None:
            self._offset = self._last_seq if seq <= self._last_seq else 0
        return seq + self._offset

    # Logs and decisions ---------------------------------------------------------------------------------------------

    def _log_row(self, event: Logged) -> EventRow | None:
        text = self._log_text(event)
        if text is None:
            return None
        row = self._row(event, LOG, event.at, str(event.level), text)
        if event.shown is None:
            return row
        prepared = self._values.prepare(event.shown)
        digest, size_bytes = bytes.fromhex(prepared.ref.digest), prepared.ref.size_bytes
        return row._replace(event=(*row.event[:-2], digest, size_bytes), values=(prepared.row,))

    def _log_text(self, event: Logged) -> str | None:
        lines = self._log_lines.get(event.key, 0) + 1
        self._log_lines[event.key] = lines
        if lines > _LOG_LINES:
            return None if lines > _LOG_LINES + 1 else f"More than {_LOG_LINES:,} lines: the rest is dropped."
        #: SQLite takes no lone surrogates, which come with undecodable file names.
        text = event.text.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= _LOG_CHARACTERS else f"{text[:_LOG_CHARACTERS]}… ({len(text):,} characters)"

    def _decision_row(self, event: Any) -> EventRow:  # noqa: ANN401  # a Decided, which no Event but it is
        body: dict[str, object] = {"by": event.by, "note": event.note}
        if event.changes:
            body["changes"] = [list(each) for each in event.changes]
        if event.looked_at:
            body["looked_at"] = dict(event.looked_at)
        if event.definitions is not None:
            body["definitions"] = dict(event.definitions)
        #: An answer that says more than that a task goes on is in the task's state, the next event: both are committed at once.
        urgency = Urgency.LATER if event.action in _IN_STATES or event.changes else Urgency.NOW
        return self._row(event, DECISION, event.at, event.action, json.dumps(body), urgency)._replace(needs_sync=True)

    def _row(  # noqa: PLR0913  # a row
        self, event: Event, kind: int, at: float, name: str, body: str | None, urgency: Urgency = Urgency.LATER
    ) -> EventRow:
        return EventRow(
            (self._run, self._number(event.seq), kind, event.key, at, name, body, None, None), urgency, event.key
        )

    def _bare_row(self, event: Event, reason: str) -> EventRow:
        """Return the row of an event without its values, messages and context."""
        if isinstance(event, Logged):
            return self._row(event, LOG, event.at, str(event.level), f"(a line that can't be recorded: {reason})")
        if not isinstance(event, StateChanged):
            return self._row(event, DECISION, event.at, str(event.action), json.dumps({"by": "", "note": ""}))
        state = event.state
        body = encode(state, StateValues(missing=reason))
        urgency = Urgency.LATER
        if state.is_finished() or isinstance(state, _WAITING):
            urgency = Urgency.NOW
        return self._row(event, STATE, state.at, state_name(state), body, urgency)._replace(task=parent_key(event.key))

    # States ---------------------------------------------------------------------------------------------------------

    def _flow_row(self, event: StateChanged) -> EventRow:
        state = event.state
        is_at_rest = state.is_finished() or state.is_paused()
        urgency = Urgency.NOW if is_at_rest else Urgency.LATER
        body = encode(state, _error_in_words(state))
        return self._row(event, STATE, state.at, state_name(state), body, urgency)._replace(needs_sync=is_at_rest)

    def _state_row(self, event: StateChanged) -> EventRow:
        state, key = event.state, event.key
        kind = type(state)
        is_waiting = kind not in _BARE and isinstance(state, _WAITING)
        value = None if kind is Mapped or kind is Looped else state.raw_result
        inputs = state.cached_inputs if is_waiting else None
        #: `_finished`, not `is_finished()`: a call costs as much as the line.
        urgency = Urgency.NOW if is_waiting else Urgency.SOON if state._finished else Urgency.LATER  # noqa: SLF001
        if kind is Cached and not state.made_here:  # type: ignore[attr-defined]  # as just compared
            urgency = Urgency.LATER  # the cache has it: if this row is lost, it is looked up again
        seq, name, task = self._number(event.seq), state_name(state), parent_key(key)
        if value is None and not inputs:
            body = None if _is_bare(state) else encode(state, None)
            return EventRow((self._run, seq, STATE, key, state.at, name, body, None, None), urgency, task)
        if not inputs and type(value) in _PLAIN and state._successful and task not in self._never_keep:  # noqa: SLF001
            #: Most of very many tasks return such a value. The lines below would do the same in three times the time.
            plain = self._values.plain_row(value, CHEAP_BYTES)
            if plain is not None:
                body = None if _is_bare(state) else encode(state, None)
                plain_row = (self._run, seq, STATE, key, state.at, name, body, plain[0], plain[1])
                return EventRow(plain_row, urgency, task, (plain,))
        collector = ValueCollector(self._values, self._memo, self._limit_bytes)
        stored = self._stored_values(event, value, inputs or {}, collector)
        ref = stored.result
        digest, size_bytes = (None, None) if ref is None else (bytes.fromhex(ref.digest), ref.size_bytes)
        row = (self._run, seq, STATE, key, state.at, name, encode(state, stored), digest, size_bytes)
        needs_sync = bool(inputs) and isinstance(state, Paused)
        return EventRow(row, urgency, task, collector.rows, collector.needed, needs_sync)

    def _stored_values(
        self, event: StateChanged, value: object, inputs: Mapping[str, object], collector: ValueCollector
    ) -> StateValues:
        stored = StateValues()
        if value is not None:
            self._store_result(event.key, event.state, value, stored, collector)
        sources = self._sources.get(parent_key(event.key), {}) if inputs else {}
        for argument, each in inputs.items():
            if (source := sources.get(argument)) in self._never_keep:
                stored.inputs[argument] = f"input {argument!r} comes from task {source!r}, which is marked keep=False"
            else:
                stored.inputs[argument] = collector.input(each)
        return stored

    def _store_result(
        self, key: str, state: State, value: object, stored: StateValues, collector: ValueCollector
    ) -> None:
        #: By its type: what an object says of its own class may be a lie, or raise.
        if issubclass(type(value), BaseException) and not state.is_successful():
            stored.error = collector.error(value)  # type: ignore[arg-type]  # as just compared
            return
        if not (state.is_finished() or isinstance(state, _WAITING)):
            return
        if parent_key(key) in self._never_keep:
            self._note_unkept(key, state, stored, f"task {parent_key(key)!r} is marked keep=False")
            return
        #: The cache holds a cached value already, whatever its size.
        found = collector.output(value, is_limited=not isinstance(state, Cached))
        if isinstance(found, str):
            self._note_unkept(key, state, stored, found)
        else:
            stored.result = found

    def _note_unkept(self, key: str, state: State, stored: StateValues, why: str) -> None:
        stored.missing = why
        self.unkept[key] = (state.at, why)


def _is_bare(state: State) -> bool:
    """Return whether there is nothing to encode, as of most states of most runs."""
    is_plain = type(state) in _BARE and state.message is None and state._context is None  # noqa: SLF001  # as above
    return is_plain and state.cost is None


def _error_in_words(state: State) -> StateValues | None:
    error = state.raw_result
    if not issubclass(type(error), BaseException):
        return None
    words = RemoteError.of(error)  # type: ignore[arg-type]  # as just compared
    return StateValues(error={"type": words.type_name, "message": words.message, "traceback": words.formatted})


def _unkept_keys(tasks: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(task["key"] for task in tasks if not task.get("keep", True))
