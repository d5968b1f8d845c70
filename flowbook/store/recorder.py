"""Records one run: an event sink that gathers what happens and commits it before anybody builds on it.

A finished task is committed at once, with its value; where many finish within 5 ms, together, and always before anything
downstream of one of them begins (`secure`). What a person waits for or did, waiting tasks with their inputs and the
flow's last state are committed before `emit` returns. Everything else goes along, at the latest after 20 ms. Whoever
commits takes what other threads have ready. Never raises: what can't be kept is said in the event's row.
Source: group commit, as in databases' logs; docs/decisions/0022.
"""

from __future__ import annotations

import atexit
import json
import logging
import threading
import time
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook import config
from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.events import FLOW, Event, Logged, StateChanged
from flowbook.engine.state import Cached, Looped, Mapped, Paused, Resume, Retrying, State
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError
from flowbook.store.event_rows import DECISION, LOG, STATE
from flowbook.store.queries import queries
from flowbook.store.state_codec import StateValues, encode, is_finished_name, state_name
from flowbook.store.value_collector import CHEAP_BYTES, ObjectMemo, ValueCollector, message_of
from flowbook.store.value_collector import raised as _raised  # noqa: F401  # how pickles in older stores name it

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from flowbook.store.database import Database
    from flowbook.store.values import Values

__all__ = ["Recorder"]

_FLUSH_S = 0.02
#: Results that come within this after a commit wait for each other.
_GROUP_S = 0.005
#: With so many rows waiting whoever adds one commits, so that a flood that outruns the thread is held up.
_MOST_WAITING = 2000
_SYNC_S = 0.015
_LOG_LINES = 10_000
_LOG_CHARACTERS = 20_000
_PLAIN = frozenset({bool, int, float, str})
_WAITING = (Paused, Retrying, Resume)

_log = logging.getLogger("flowbook.store")

#: How soon a row is to be committed: some time, before anybody builds on it, or before `emit` returns.
_LATER, _SOON, _NOW = 0, 1, 2


class _Row(NamedTuple):
    """What one event adds to the database."""

    #: run, seq, kind, key, at, name, body, digest, size_bytes
    event: tuple[int, int, int, str, float, str, str | None, bytes | None, int | None]
    haste: int
    #: The task, of a child its parent.
    task: str
    values: Sequence[tuple[object, ...]] = ()
    held: Sequence[str] = ()

    @property
    def is_of_flow(self) -> bool:
        """Whether it is a state of the flow itself."""
        return self.event[3] == FLOW and self.event[2] == STATE


class Recorder:
    """An `EventSink` for one run; may be called from any thread. `close()` it at the end.

    Attributes:
        last_seq: number of the last event that was recorded before; the engine numbers on from here. Where it begins at
            1 again, events are numbered on here.
        trouble: what keeps events from being written, or None. They are tried again until it works.
    """

    def __init__(  # noqa: PLR0913  # made by Runs only
        self,
        database: Database,
        values: Values,
        run: int,
        epoch: int,
        graph: Mapping[str, Any],
        never_keep: frozenset[str] | None,
    ) -> None:
        self._database = database
        self._values = values
        self._run = run
        self._epoch = epoch
        self._sql = queries()
        self._limit_bytes = config.limits().value_bytes
        tasks = graph.get("tasks", ())
        self._never_keep = never_keep if never_keep is not None else _unkept_keys(tasks)
        self._sources = {task["key"]: task.get("inputs", {}) for task in tasks} if self._never_keep else {}
        self.last_seq: int = database.read(self._sql["last_seq"], (run,))[0][0]
        self.trouble: str | None = None
        self._offset: int | None = None
        self._log_lines: dict[str, int] = {}
        self._memo = ObjectMemo()
        self._is_superseded = False
        self._begin_process()
        atexit.register(self.close)

    def _begin_process(self) -> None:
        self._generation = self._database.generation
        self._rows: list[_Row] = []
        #: How many rows of each task, its children's included, wait that somebody downstream would build on.
        self._unsafe: Counter[str] = Counter()
        self._rows_lock = RankedLock(Rank.RECORDER_ROWS)
        self._next_commit = 0.0
        self._commit_lock = RankedLock(Rank.RECORDER_COMMIT)
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._thread_lock = RankedLock(Rank.RECORDER_THREAD)
        self._wants_sync = False

    def emit(self, event: Event) -> None:
        """Record one event; see the module for what is safe when this returns."""
        if self._is_superseded:
            return
        if self._generation != self._database.generation:
            #: A fork of the process that records: what waits is the parent's to write.
            self._begin_process()
        try:
            row = self._row(event)
        except BaseException:  # noqa: BLE001  # the run must go on, whatever a user's object does here
            _log.exception("Event %r can't be recorded; the run goes on without it.", event)
            return
        if row is None:
            return
        with self._rows_lock:
            self._rows.append(row)
            if row.haste:
                self._unsafe[row.task] += 1
        if self._is_due(row):
            self._commit()
        elif not self._wake.is_set():
            self._wake_flusher()

    def _is_due(self, row: _Row) -> bool:
        if row.haste == _NOW or self._closing.is_set():
            return True
        if row.haste == _SOON and time.monotonic() >= self._next_commit:
            return True
        return len(self._rows) >= _MOST_WAITING and self.trouble is None

    def secure(self, keys: Sequence[str]) -> None:
        """Return when what was emitted of these tasks and their children is committed."""
        unsafe = self._unsafe
        for key in keys:
            if key in unsafe:
                self._commit()
                return

    def flush(self) -> None:
        """Write all that waits."""
        if self._generation == self._database.generation:
            self._commit()

    def close(self) -> None:
        """Write all that waits, make it outlast a loss of power, and end the thread. May be called again."""
        atexit.unregister(self.close)
        if self._generation != self._database.generation:
            return
        self._closing.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._commit()
        self._sync()
        self._memo.clear()

    # What an event becomes ------------------------------------------------------------------------------------------

    def _row(self, event: Event) -> _Row | None:
        """Return what `event` adds; None for a line of a flood."""
        if isinstance(event, StateChanged):
            return self._flow_row(event) if event.key == FLOW else self._state_row(event)
        seq = self._number(event.seq)
        if isinstance(event, Logged):
            text = self._log_text(event)
            if text is None:
                return None
            return self._made(seq, LOG, event.key, event.at, str(event.level), text)
        body = json.dumps({"by": event.by, "note": event.note})
        self._wants_sync = True
        return self._made(seq, DECISION, event.key, event.at, event.action, body, _NOW)

    def _made(  # noqa: PLR0913  # a row
        self, seq: int, kind: int, key: str, at: float, name: str, body: str | None, haste: int = _LATER
    ) -> _Row:
        return _Row((self._run, seq, kind, key, at, name, body, None, None), haste, key)

    def _number(self, seq: int) -> int:
        if self._offset is None:
            self._offset = self.last_seq if seq <= self.last_seq else 0
        return seq + self._offset

    def _log_text(self, event: Logged) -> str | None:
        lines = self._log_lines.get(event.key, 0) + 1
        self._log_lines[event.key] = lines
        if lines > _LOG_LINES:
            return None if lines > _LOG_LINES + 1 else f"More than {_LOG_LINES:,} lines: the rest is not kept."
        #: SQLite takes no lone surrogates, which come with undecodable file names.
        text = event.text.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= _LOG_CHARACTERS else f"{text[:_LOG_CHARACTERS]}… ({len(text):,} characters)"

    def _flow_row(self, event: StateChanged) -> _Row:
        state = event.state
        rests = state.is_finished() or state.is_paused()
        self._wants_sync = self._wants_sync or rests
        body = encode(state, _error_only(state))
        haste = _NOW if rests else _LATER
        return self._made(self._number(event.seq), STATE, FLOW, state.at, state_name(state), body, haste)

    def _state_row(self, event: StateChanged) -> _Row:
        state, key = event.state, event.key
        kind = type(state)
        waits = isinstance(state, _WAITING)
        value = None if kind is Mapped or kind is Looped else state.raw_result  # reading it would load it
        inputs = state.cached_inputs if waits else None
        haste = _NOW if waits else _SOON if state._finished else _LATER  # noqa: SLF001  # a call costs as much as the line
        seq, name = self._number(event.seq), state_name(state)
        if value is None and not inputs:
            body = encode(state, None)
            return _Row((self._run, seq, STATE, key, state.at, name, body, None, None), haste, parent_key(key))
        if not inputs and type(value) in _PLAIN and state._successful and parent_key(key) not in self._never_keep:  # noqa: SLF001
            #: What most of very many tasks return; the rest below would do the same in three times the time.
            plain = self._values.plain_row(value, CHEAP_BYTES)
            if plain is not None:
                body = encode(state, None)
                event_row = (self._run, seq, STATE, key, state.at, name, body, plain[0], plain[1])
                return _Row(event_row, haste, parent_key(key), (plain,))
        keeping = ValueCollector(self._values, self._memo, self._limit_bytes)
        kept = StateValues()
        if value is not None:
            self._keep_result(key, state, value, kept, keeping)
        if inputs:
            self._wants_sync = self._wants_sync or isinstance(state, Paused)
            self._keep_inputs(key, inputs, kept, keeping)
        ref = kept.result
        digest, size_bytes = (None, None) if ref is None else (bytes.fromhex(ref.digest), ref.size_bytes)
        row = (self._run, seq, STATE, key, state.at, name, encode(state, kept), digest, size_bytes)
        return _Row(row, haste, parent_key(key), keeping.rows, keeping.held)

    def _keep_result(self, key: str, state: State, value: object, kept: StateValues, keeping: ValueCollector) -> None:
        if isinstance(value, BaseException) and not state.is_successful():
            kept.error = keeping.error(value)
        elif state.is_finished() or isinstance(state, _WAITING):
            if parent_key(key) in self._never_keep:
                kept.unkept = f"task {parent_key(key)!r} is marked keep=False"
                return
            #: What the cache keeps is there, whatever its size.
            found = keeping.output(value, is_limited=not isinstance(state, Cached))
            if isinstance(found, str):
                kept.unkept = found
            else:
                kept.result = found

    def _keep_inputs(self, key: str, inputs: Mapping[str, object], kept: StateValues, keeping: ValueCollector) -> None:
        sources = self._sources.get(parent_key(key), {})
        for argument, value in inputs.items():
            if (source := sources.get(argument)) in self._never_keep:
                kept.inputs[argument] = f"input {argument!r} comes from task {source!r}, which is marked keep=False"
            else:
                kept.inputs[argument] = keeping.input(value)

    # Writing --------------------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        """Write all rows that wait. A thread that finds none had its own taken along by another, which is done."""
        with self._commit_lock:
            #: They wait until they are written: Ctrl-C in the middle loses none.
            rows = self._rows[:]
            if not rows:
                return
            self._settle(rows, self._write(rows))
            self._next_commit = time.monotonic() + _GROUP_S
            if self._wants_sync:
                self._wake_flusher()

    def _settle(self, rows: list[_Row], left: list[_Row]) -> None:
        """Take the rows that were written from those that wait; `left` could not be, and wait on."""
        with self._rows_lock:
            self._rows[: len(rows)] = left
            unsafe = self._unsafe
            for row in rows:
                if row.haste:
                    unsafe[row.task] -= 1
            for row in left:
                if row.haste:
                    unsafe[row.task] += 1
            for task in {row.task for row in rows if row.haste and not unsafe[row.task]}:
                del unsafe[task]

    def _write(self, rows: list[_Row]) -> list[_Row]:
        """Write rows in one transaction; return those that are to be tried again."""
        try:
            self._database.write(lambda connection: self._insert(connection, rows))
        except FlowbookError as exc:
            if isinstance(exc.__cause__, UnicodeEncodeError):
                return self._write_apart(rows)
            self._note_trouble(str(exc))
            return rows
        except Exception:  # noqa: BLE001  # one row that SQLite can't take must not hold up the others
            return self._write_apart(rows)
        self.trouble = None
        return []

    def _write_apart(self, rows: list[_Row]) -> list[_Row]:
        if len(rows) == 1:
            _, _, _, key, _, name, *_ = rows[0].event
            _log.warning("An event can't be recorded: %s of %r.", name, key, exc_info=True)
            return []
        return [left for row in rows for left in self._write([row])]

    def _note_trouble(self, why: str) -> None:
        if self.trouble is None:
            _log.warning("A run's events can't be written yet; the run goes on and they are tried again. %s", why)
        self.trouble = why
        self._wake_flusher()

    def _insert(self, connection: sqlite3.Connection, rows: list[_Row]) -> None:
        found = connection.execute(self._sql["run_epoch"], (self._run,)).fetchone()
        if found is None or found[0] != self._epoch:
            self._is_superseded = True
            _log.warning("Somebody else went on with this run: %d events of this process are not recorded.", len(rows))
            return
        if values := [value for row in rows for value in row.values]:
            connection.executemany(self._values.keep_statement, values)
        connection.executemany(self._sql["add_event"], [row.event for row in rows])
        if held := [(self._run, bytes.fromhex(digest)) for row in rows for digest in row.held]:
            connection.executemany(self._sql["hold_value"], held)
        for row in rows:
            if row.is_of_flow:
                self._tell_flow(connection, row)

    def _tell_flow(self, connection: sqlite3.Connection, row: _Row) -> None:
        _, _, _, _, at, name, text, *_ = row.event
        body = json.loads(text) if text else {}
        is_finished = is_finished_name(name)
        told = {
            "run": self._run,
            "state": name,
            "message": body.get("message"),
            "started": at if name == "Running" else None,
            "ended": at if is_finished else None,
        }
        connection.execute(self._sql["flow_changed"], told)
        if is_finished or name == Paused.__name__:
            counts = dict(connection.execute(self._sql["count_states"], (self._run,)).fetchall())
            connection.execute(self._sql["keep_counts"], (json.dumps(counts), self._run))

    def _sync(self) -> None:
        if self._wants_sync:
            self._wants_sync = False
            try:
                self._database.sync()
            except OSError as exc:
                _log.warning("The store could not be synced to its disk: %s", exc)

    # The thread that writes what nobody waits for ---------------------------------------------------------------------

    def _wake_flusher(self) -> None:
        with self._thread_lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threads.spawn(self._flush_on, name="recorder", owner=self)
        self._wake.set()

    def _flush_on(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(_SYNC_S if self._wants_sync else _FLUSH_S)
            self._wake.clear()
            self._commit()
            self._sync()


def _error_only(state: State) -> StateValues | None:
    error = state.raw_result  # reading it would load it
    if not isinstance(error, BaseException):
        return None
    formatted = "".join(traceback.format_exception(error))
    return StateValues(error={"type": type(error).__name__, "message": message_of(error), "traceback": formatted})


def _unkept_keys(tasks: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(task["key"] for task in tasks if not task.get("keep", True))
