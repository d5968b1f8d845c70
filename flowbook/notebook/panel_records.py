"""What the store knows of a flow's other runs, for its panel: earlier outcomes, decisions, rows, and why a task ran.

Loads no value. Where there is no store, or it can't be read, nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook import config
from flowbook.engine.state import Cached
from flowbook.engine.state_kinds import FINISHED
from flowbook.engine.task_keys import is_child_key
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.reuse import RanTask, reuse_of
from flowbook.flow_run.row_counts import rows_of
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.panel_actions import Invalidated
from flowbook.notebook.runs_view import RunsView, runs_view
from flowbook.report.cost_text import cost_text
from flowbook.report.parameter_text import parameter_text
from flowbook.report.phrases import listed, shorten
from flowbook.report.secret_names import shown_value
from flowbook.store import open_store
from flowbook.store.records import from_stamp, now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.notebook.ports import RunLike
    from flowbook.results.reference import Preview
    from flowbook.store import Store
    from flowbook.store.cache import CacheEntry
    from flowbook.store.records import PastDecision, TaskHistoryEntry

__all__ = ["PanelRecords", "invalidate", "run_that_made"]

_MOST_DECISIONS = 8
_HASH_DIGITS = 4
_WHY_CHARS, _VALUE_CHARS = 120, 40
#: Earlier runs whose rows are compared, and results that are read for them: a run may have several of one task.
_MOST_RUNS, _MOST_READ = 10, 40


class PanelRecords:
    """The records of one flow.

    Args:
        flow: its name.
        shown: returns the run that is shown; what is said of other runs leaves it out.
        project: of the flow; default: that of this process.
    """

    def __init__(self, flow: str, shown: Callable[[], RunLike | None], project: str | None = None) -> None:
        self._flow = flow
        self._shown = shown
        self._given_project = project
        #: What ran in a run, and why, with the state of the task that was asked for.
        self._ran: tuple[str, State | None, Mapping[str, RanTask]] = ("", None, {})

    def history(self, key: str) -> list[dict[str, Any]]:
        """Return a task's outcomes in other runs, the newest first."""
        try:
            history = open_store().history
            found = history.task_history(self._flow, key, project=self._project, besides=self._run_id)
            stored = [each.output for each in found if each.output is not None]
            previews = open_store().values.previews(stored)  # no table
        except FlowbookError:
            return []
        known = [next((each for each in found[place + 1 :] if each.input_hashes), None) for place in range(len(found))]
        return [_outcome(each, earlier, previews) for each, earlier in zip(found, known, strict=True)]

    def output(self, run_id: str, key: str) -> object:
        """Return what a task gave in a recorded run of the flow.

        Raises:
            RefusedError: if it gave nothing that is stored.
            FlowbookError: if it can't be read.
        """
        state = open_store().history.states(run_id).get(key)
        if state is None or not state.is_successful() or state.is_skipped():
            named = type(state).__name__ if state is not None else "Pending"
            msg = f"{key} has no output in that run: it is {named}."
            raise RefusedError(msg)
        return state.result

    def decisions(self, key: str) -> Sequence[PastDecision]:
        """Return what people decided about a task in other runs, the newest first."""
        try:
            return open_store().history.decisions_of_flow(
                self._flow, key, project=self._project, besides=self._run_id, limit=_MOST_DECISIONS
            )
        except FlowbookError:
            return []

    def rows(self, key: str) -> Mapping[str, int]:
        """Return the rows of an output in the newest runs before the one that is shown, by the run's id."""
        found: dict[str, int] = {}
        run = self._shown()
        before = from_stamp(run.started) if run is not None and run.started is not None else None
        try:
            results = open_store().history.results(self._flow, key, self._project, before)
            for result, _ in zip(results, range(_MOST_READ), strict=False):
                is_other = result.run_id != self._run_id and not result.state.is_mapped()
                rows = rows_of(result.state) if is_other else None
                if rows is not None:
                    found[result.run_id] = rows
                if len(found) > _MOST_RUNS:
                    break
        except FlowbookError:
            return {}
        return found

    def runs(self, limit: int) -> RunsView:
        """Return the newest runs of the flow, the one that is shown too."""
        try:
            return runs_view(open_store(), self._flow, self._project, limit)
        except FlowbookError:
            return RunsView((), 0)

    def why_ran(self, key: str) -> RanTask | None:
        """Return why a cached task of the run that is shown ran; None if it didn't, or nothing is known."""
        run = self._shown()
        if run is None:
            return None
        state = run.states.get(key)
        if self._ran[:2] != (run.run_id, state):
            ran = reuse_of(run.run_id, run.graph, run.states, getattr(run, "only", ())).ran
            self._ran = (run.run_id, state, {each.key: each for each in ran})
        return self._ran[2].get(key)

    @property
    def _project(self) -> str:
        return self._given_project if self._given_project is not None else config.project()

    @property
    def _run_id(self) -> str:
        run = self._shown()
        return run.run_id if run is not None else ""


def invalidate(run: RunLike, key: str) -> Invalidated:
    """Let the stored outputs of a task expire, of a child its own; return what became of them. Raises FlowbookError."""
    store, state, moment = open_store(), run.states.get(key), now()
    entries: list[CacheEntry] = []
    if not is_child_key(key):
        entries = store.cache.entries(moment, run.flow_name, key, config.project())
    elif isinstance(state, Cached) and state.entry is not None:
        entries = [entry for entry in (store.browse().entry(state.entry),) if entry.is_valid(moment)]
    for entry in entries:
        store.cache.expire(entry.id)
    if not entries:
        return Invalidated(f"No stored output of {key} is valid: it runs next time.")
    verb = "output has" if len(entries) == 1 else "outputs have"
    return Invalidated(
        f"{len(entries):,} stored {verb} expired: {key} runs next time.", lambda: _renew(store, key, entries)
    )


def _renew(store: Store, key: str, entries: Sequence[CacheEntry]) -> str:
    """Make entries valid again, up to when they were."""
    for entry in entries:
        store.cache.renew(entry.id, entry.expires)
    verb = "output is" if len(entries) == 1 else "outputs are"
    return f"{len(entries):,} stored {verb} valid again, as before: {key} need not run."


def run_that_made(entry_id: str) -> str:
    """Return the number of the run that made a cache entry; empty if it isn't known."""
    try:
        store = open_store()
        run_id = store.browse().entry(entry_id).run_id
    except FlowbookError:
        return ""
    return str(store.runs.numbers([run_id]).get(run_id, "")) if run_id is not None else ""


def _why(found: TaskHistoryEntry, earlier: TaskHistoryEntry | None) -> str:
    """Return why a task is as it is in a run: what it says itself, or in what its inputs differ from an earlier one."""
    if found.state == "Cached":
        return "from the cache"
    if found.state != "Success":
        return shorten(found.message, _WHY_CHARS)
    if earlier is None or not (found.input_hashes and earlier.input_hashes):
        return ""
    return listed([_difference(name, found, earlier) for name in found.input_hashes if _differs(name, found, earlier)])


def _differs(name: str, found: TaskHistoryEntry, earlier: TaskHistoryEntry) -> bool:
    return found.input_hashes[name] != earlier.input_hashes.get(name)


def _difference(name: str, found: TaskHistoryEntry, earlier: TaskHistoryEntry) -> str:
    if name not in found.parameters or name not in earlier.parameters:
        return f"another {name}"
    after, before = (
        shorten(parameter_text(shown_value(name, each.parameters[name])), _VALUE_CHARS) for each in (found, earlier)
    )
    return f"{name}: {after}, was {before}" if after != before else f"another {name}"


def _outcome(
    found: TaskHistoryEntry, earlier: TaskHistoryEntry | None, previews: Mapping[str, Preview]
) -> dict[str, Any]:
    """Return a line of a task's history, as on the wire."""
    at = found.at.timestamp()
    has_run = found.running_at is not None and found.state in FINISHED and found.state != "Mapped"
    took = max(0.0, at - found.running_at.timestamp()) if has_run and found.running_at is not None else None
    shape = previews.get(found.output.digest, {}).get("shape") if found.output is not None else None
    return {
        "run": str(found.number),
        "id": found.run_id,
        "state": found.state,
        "at": at,
        "duration_s": took,
        "rows": shape[0] if isinstance(shape, list) and shape else None,
        "hash": found.output.digest[:_HASH_DIGITS] if found.output is not None else "",
        "why": _why(found, earlier),
        "cost": cost_text(found.cost, found.output.size_bytes if found.output is not None else None),
    }
