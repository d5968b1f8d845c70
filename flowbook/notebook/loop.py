"""The loop of a notebook: edit a task, then run, resume or retry with the definitions of the moment, and say what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.core.history import run as recorded_run
from flowbook.engine.state_kinds import failed_by_itself
from flowbook.engine.task_keys import named, parent_key
from flowbook.exceptions import UnknownRunError
from flowbook.flow_run.run_part import was_left_out
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.edits import Edits
from flowbook.notebook.frontend import person
from flowbook.notebook.notebook_flows import Renewed
from flowbook.report.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from flowbook.core.flow import Flow
    from flowbook.engine.state import State
    from flowbook.flow_run.run import FlowRun
    from flowbook.notebook.notebook_flows import NotebookFlows
    from flowbook.notebook.panel_actions import Decided
    from flowbook.notebook.ports import RunLike

__all__ = ["Changed", "GoneOn", "Loop"]

_NAMED_AT_MOST = 3
_STILL_RUNS = "It goes on with the code as it was when it started; what was edited since counts from the next run on."


_ANSWERED: Mapping[str, tuple[str, str]] = {
    "resume": ("goes on", "go on"),
    "skip": ("is skipped", "are skipped"),
    "reject": ("is rejected", "are rejected"),
}


class GoneOn(NamedTuple):
    """A run that goes on.

    Attributes:
        run: the object to watch it by; another one if it goes on with another flow.
        text: what goes on, and with what.
    """

    run: FlowRun
    text: str


class Changed(NamedTuple):
    """A run of only what was edited.

    Attributes:
        flow: as its cell writes it now.
        start: keys of the tasks to start at.
        states: those that the other tasks keep, by key.
        text: what runs.
    """

    flow: Flow
    start: tuple[str, ...]
    states: Mapping[str, State]
    text: str


class Loop:
    """Goes on with runs of a notebook's flows. Its methods may be called in any thread.

    Args:
        flows: of the notebook.
        follow: called with a run that goes on, as the object that other panels of it are to show.
    """

    def __init__(self, flows: NotebookFlows, follow: Callable[[FlowRun], object] = lambda _: None) -> None:
        self._flows = flows
        self._follow = follow

    def retry(self, run: FlowRun, note: str = "", tasks: Sequence[str] = (), *, as_recorded: bool = False) -> GoneOn:
        """Run what failed again, with the cell and its tasks as they are now. Raises as `FlowRun.retry`.

        Args:
            run: at rest, here or elsewhere. If it still runs, it goes on with the code that it has.
            note: recorded.
            tasks: keys of what is to run again, if it failed; empty: all that did.
            as_recorded: go on with the code as it was.
        """
        failed = named([key for key, state in list(run.states.items()) if failed_by_itself(state)], tasks)
        today = self._with_today(run, failed, as_recorded=as_recorded)
        today.run.retry(by=person(), note=note, tasks=tasks, force=today.goes_on_anew)
        self._follow(today.run)
        what = _counted(failed, "runs", "run")
        return GoneOn(
            today.run, " ".join(filter(None, (f"{what} again{_edited_words(today, failed)}.", today.words(failed))))
        )

    def answer(self, run: FlowRun, decided: Decided, *, as_recorded: bool = False) -> GoneOn:
        """Answer tasks that wait, with the cell and its tasks as they are now. Raises as `FlowRun.resume`.

        Args:
            run: at rest, here or elsewhere.
            decided: what was decided.
            as_recorded: go on with the code as it was.
        """
        keys, by, note = decided.keys, person(), decided.note
        waiting = list(keys) or [key for key, state in list(run.states.items()) if state.is_paused()]
        today = self._with_today(run, waiting, as_recorded=as_recorded)
        force = today.goes_on_anew
        if decided.action == "resume":
            today.run.resume(*keys, by=by, note=note, inputs=dict(decided.inputs) or None, force=force)
        elif decided.action == "skip":
            today.run.skip(*keys, by=by, note=note, force=force)
        else:
            today.run.reject(*keys, by=by, note=note, force=force)
        self._follow(today.run)
        one, many = _ANSWERED[decided.action]
        what = _counted(waiting, one, many) if waiting else f"{run.flow_name} goes on"
        what += f" with another {listed(list(decided.inputs))}" if decided.inputs else ""
        return GoneOn(
            today.run, " ".join(filter(None, (f"{what}{_edited_words(today, waiting)}.", today.words(waiting))))
        )

    def renewed(self, flow: Flow) -> Renewed:
        """Return the flow that has this one's name now, as its cell writes it."""
        today = self._flows.today(flow.name)
        if today is None or not self._flows.is_current(today):
            return Renewed(flow if today is None else today, Edits())
        return self._flows.renew(flow.name)

    def changed(self, run: RunLike) -> Changed:
        """Return what to start to run only what was edited since `run`, and what lies below that.

        Raises:
            RefusedError: if nothing was edited, or a task above it has no result to go by.
        """
        edits = self._flows.edits(getattr(run, "flow", None))
        if not edits:
            msg = f"Nothing of {run.flow_name} was edited since. Run runs all of it."
            raise RefusedError(msg)
        flow = self._flows.renew(run.flow_name).flow
        graph, states = flow.compile(), run.states
        edited = [
            key
            for key in (*edits.edited, *(key for key in graph.specs if key not in run.graph.specs))
            if key in graph.specs
        ]
        below = graph.downstream(edited)
        kept = {
            key: state
            for key, state in states.items()
            if parent_key(key) in graph.specs and parent_key(key) not in below
        }
        lacking = [
            up for key in below for up in graph.specs[key].upstream if up not in below and not _has_result(kept.get(up))
        ]
        if lacking:
            msg = f"{listed(list(dict.fromkeys(lacking)), _NAMED_AT_MOST)} gave nothing to go by in this run. Run all of it."
            raise RefusedError(msg)
        inner = {child for key in edited for child in graph.downstream(graph.children[key])}
        start = tuple(key for key in edited if key not in inner)
        return Changed(flow, start, kept, f"{_counted(start, 'runs', 'run')} as edited, and what lies below.")

    def _with_today(self, run: FlowRun, again: Sequence[str], *, as_recorded: bool) -> _Today:
        """Return the run as it would go on now with these tasks."""
        if as_recorded:
            has_changed = run.changes is not None and run.where == "at rest"
            return _Today(recorded_run(run.run_id) if has_changed else run, None, "")
        if run.where != "at rest":
            return _Today(run, None, _STILL_RUNS if self._flows.edits(run.flow) else "")
        flow = self._flow_of(run)
        if flow is None:
            return _Today(run, None, "")
        gone = list(dict.fromkeys(parent_key(key) for key in again if parent_key(key) not in flow.compile().specs))
        if gone:
            is_gone = f"{listed(gone, _NAMED_AT_MOST)} {'is' if len(gone) == 1 else 'are'} no longer in the flow"
            return _Today(run, None, f"{is_gone}, so this run goes on with the code as it was.")
        try:
            return _Today(self._flows.shown(recorded_run(run.run_id, flow=flow)), flow, "")
        except UnknownRunError:
            return _Today(run, None, "It isn't recorded, so it goes on with the code as it was.")

    def _flow_of(self, run: FlowRun) -> Flow | None:
        """Return the flow that has the run's name now, as its cell writes it; None if it is the run's own, or there is none."""
        flow = self._flows.today(run.flow_name)
        if flow is not None and self._flows.is_current(flow):
            flow = self._flows.renew(flow.name).flow
        return None if flow is run.flow else flow


def _has_result(state: State | None) -> bool:
    return state is not None and state.is_finished() and not was_left_out(state)


class _Today(NamedTuple):
    """A run, and the flow with which it goes on if that isn't the one it has."""

    run: FlowRun
    flow: Flow | None
    note: str

    @property
    def goes_on_anew(self) -> bool:
        """Whether the flow differs from the recorded one on purpose: as it is today, or as the run went on before."""
        return self.flow is not None or self.run.changes is not None

    def edited(self, again: Sequence[str]) -> tuple[str, ...]:
        """Return the edited tasks among those that run now: these, and what lies below them."""
        changes = self.run.changes if self.flow is not None else None
        if changes is None:
            return ()
        run = self._running(again)
        return tuple(key for key in (*changes.changed, *changes.added) if key in run)

    def _running(self, again: Sequence[str]) -> AbstractSet[str]:
        graph = self.run.graph
        return graph.downstream(key for key in map(parent_key, again) if key in graph.specs)

    def words(self, again: Sequence[str]) -> str:
        """Return what else is to be said: of tasks that were edited, and don't run again."""
        changes = self.run.changes if self.flow is not None else None
        if changes is None:
            return self.note
        below = self._running(again)
        kept = [key for key in changes.changed if key not in below and self.run.states[key].is_finished()]
        told = []
        if kept:
            verb = "was" if len(kept) == 1 else "were"
            keeps = "keeps what it gave" if len(kept) == 1 else "keep what they gave"
            told.append(
                f"{listed(kept, _NAMED_AT_MOST)} {verb} edited too and {keeps}: a new run would run {_it(kept)}."
            )
        if changes.removed:
            told.append(
                f"{listed(changes.removed, _NAMED_AT_MOST)} {'is' if len(changes.removed) == 1 else 'are'} gone."
            )
        return " ".join(told)


def _edited_words(today: _Today, again: Sequence[str]) -> str:
    edited = today.edited(again)
    return f" with the edited {listed(edited, _NAMED_AT_MOST)}" if edited else ""


def _counted(keys: Sequence[str], one: str, many: str) -> str:
    """Return "parse[3] runs", or "3 run" of more than can be named."""
    if not keys:
        return f"What could not run {one}"
    if len(keys) <= _NAMED_AT_MOST:
        return f"{listed(keys, _NAMED_AT_MOST)} {one if len(keys) == 1 else many}"
    return f"{len(keys):,} {many}"


def _it(keys: Sequence[str]) -> str:
    return "it" if len(keys) == 1 else "them"
