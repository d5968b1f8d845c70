"""The loop of a notebook: edit a task, then run, resume or retry with the definitions of the moment, and say what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.core.history import run as recorded_run
from flowbook.engine.mapped_states import children_of
from flowbook.engine.state_kinds import failed_by_itself
from flowbook.engine.task_keys import is_child_key, named, parent_key
from flowbook.exceptions import UnknownRunError
from flowbook.flow_run.run_part import kept_states, was_left_out
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.edits import Edits, edits_of
from flowbook.notebook.frontend import person
from flowbook.notebook.notebook_flows import Renewed
from flowbook.notebook.ran_definitions import RanDefinitions
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
        self._definitions = RanDefinitions()
        #: By the run's id: the flow of today and its edits when the run was compared with it, and what differs.
        self._compared: dict[str, tuple[tuple[object, Edits], tuple[str, ...]]] = {}

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
        self._gone_on(today, failed)
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
        self._gone_on(today, waiting)
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

    def edits(self, run: RunLike) -> Edits:
        """Return what was edited since the tasks of a run ran, also if it went on with a newer flow than it began with.

        Of a run that began with a flow of today, and with no other, this takes microseconds.
        """
        own = getattr(run, "flow", None)
        flow = own if self._flows.is_watched(own) else self._current(run.flow_name)
        if flow is None:
            return Edits()
        since = self._flows.edits(flow)
        if flow is own and not self._definitions.is_mixed(run.run_id):
            return since
        found = {*since.edited, *self._differing(run.run_id, flow, since)}
        return edits_of(flow.compile(), found)

    def changed(self, run: RunLike) -> Changed:
        """Return what to start to run only what was edited since `run`, and what lies below that.

        Raises:
            RefusedError: if nothing was edited, or a task above it has no result to go by.
        """
        current = self._current(run.flow_name)
        flow = current if current is None else self._flows.renew(run.flow_name).flow
        edits = self.edits(run)
        if flow is None or not edits:
            msg = f"Nothing of {run.flow_name} was edited since. Run runs all of it."
            raise RefusedError(msg)
        graph, states = flow.compile(), run.states
        edited = [
            key
            for key in (*edits.edited, *(key for key in graph.specs if key not in run.graph.specs))
            if key in graph.specs
        ]
        below = graph.downstream(edited)
        others = [key for key in states if parent_key(key) in graph.specs and parent_key(key) not in below]
        kept = kept_states(graph, run.number, states, others)
        lacking = [
            up for key in below for up in graph.specs[key].upstream if up not in below and not _has_result(kept.get(up))
        ]
        if lacking:
            msg = f"{listed(list(dict.fromkeys(lacking)), _NAMED_AT_MOST)} gave nothing to go by in this run. Run all of it."
            raise RefusedError(msg)
        inner = {child for key in edited for child in graph.downstream(graph.children[key])}
        start = tuple(key for key in edited if key not in inner)
        waits = f" Run {run.number} still waits: %flow resume lists it." if run.state.is_paused() else ""
        return Changed(flow, start, kept, f"{_counted(start, 'runs', 'run')} as edited, and what lies below.{waits}")

    def _with_today(self, run: FlowRun, again: Sequence[str], *, as_recorded: bool) -> _Today:
        """Return the run as it would go on now with these tasks."""
        if as_recorded:
            has_changed = run.changes is not None and run.where == "at rest"
            return _Today(self._flows.shown(recorded_run(run.run_id)) if has_changed else run, None, "")
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
            today = self._flows.shown(recorded_run(run.run_id, flow=flow))
        except UnknownRunError:
            return _Today(run, None, "It isn't recorded, so it goes on with the code as it was.")
        return _Today(today, flow, "", self._definitions.edited(run.run_id, flow))

    def _gone_on(self, today: _Today, again: Sequence[str]) -> None:
        """Note by which definitions tasks run again, and tell who shows the run."""
        run = today.run
        if today.flow is not None or self._definitions.is_mixed(run.run_id):
            self._definitions.note(run.run_id, run.flow, today.running(again) - {*_in_part(run, again)})
            self._compared.pop(run.run_id, None)
        self._follow(run)

    def _differing(self, run_id: str, flow: Flow, since: Edits) -> tuple[str, ...]:
        """Return keys of the tasks that ran in a run by another definition than `flow` has."""
        known, found = self._compared.get(run_id, (None, ()))
        if known is None or known[0] is not flow or known[1] != since:
            found = self._definitions.edited(run_id, flow)
            self._compared[run_id] = (flow, since), found
        return found

    def _current(self, name: str) -> Flow | None:
        """Return the flow that a cell of this notebook wrote last under that name; None if none did."""
        flow = self._flows.today(name)
        return flow if flow is not None and self._flows.is_current(flow) else None

    def _flow_of(self, run: FlowRun) -> Flow | None:
        """Return the flow that has the run's name now, as its cell writes it; None if it is the run's own, or there is none."""
        flow = self._flows.today(run.flow_name)
        if flow is not None and self._flows.is_current(flow):
            flow = self._flows.renew(flow.name).flow
        return None if flow is run.flow else flow


def _in_part(run: FlowRun, again: Sequence[str]) -> tuple[str, ...]:
    """Return the mapped tasks of which some children run again, and others keep what they gave."""
    parts = dict.fromkeys(parent_key(key) for key in again if is_child_key(key))
    asked = set(again)
    return tuple(
        key for key in parts if key not in asked and any(child not in asked for child in children_of(key, run.states))
    )


def _in_part_words(key: str, again: Sequence[str], states: Mapping[str, State]) -> str:
    """Return what is said of a mapped task of which only some children run again, as edited."""
    children = list(children_of(key, states))
    kept = len(children) - len({*again} & {*children})
    what = f"{kept:,} of {len(children):,} children of {key}"
    return f"{what} {'keeps what it' if kept == 1 else 'keep what they'} gave before the edit."


def _has_result(state: State | None) -> bool:
    return state is not None and state.is_finished() and not was_left_out(state)


class _Today(NamedTuple):
    """A run, and the flow with which it goes on if that isn't the one it has.

    Attributes:
        run: as it would go on.
        flow: None if it is the one it has.
        note: what is to be said of that.
        edited: keys of the tasks of the flow that are new, or ran by another definition in this run.
    """

    run: FlowRun
    flow: Flow | None
    note: str
    edited: tuple[str, ...] = ()

    @property
    def goes_on_anew(self) -> bool:
        """Whether the flow differs from the recorded one on purpose: as it is today, or as the run went on before."""
        return self.flow is not None or self.run.changes is not None

    def running(self, again: Sequence[str]) -> AbstractSet[str]:
        """Return keys of the tasks that run now: these, and what lies below them."""
        graph = self.run.graph
        return graph.downstream(key for key in map(parent_key, again) if key in graph.specs)

    def words(self, again: Sequence[str]) -> str:
        """Return what else is to be said: of tasks that were edited, and don't run again."""
        if self.flow is None:
            return self.note
        below = self.running(again)
        states = self.run.states
        kept = [key for key in self.edited if key not in below and key in states and states[key].is_finished()]
        told = []
        if kept:
            verb = "was" if len(kept) == 1 else "were"
            keeps = "keeps what it gave" if len(kept) == 1 else "keep what they gave"
            told.append(
                f"{listed(kept, _NAMED_AT_MOST)} {verb} edited too and {keeps}: a new run would run {_it(kept)}."
            )
        told += [_in_part_words(key, again, states) for key in _in_part(self.run, again) if key in self.edited]
        removed = self.run.changes.removed if self.run.changes is not None else ()
        if removed:
            told.append(f"{listed(removed, _NAMED_AT_MOST)} {'is' if len(removed) == 1 else 'are'} gone.")
        return " ".join(told)


def _edited_words(today: _Today, again: Sequence[str]) -> str:
    running = today.running(again)
    edited = [key for key in today.edited if key in running]
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
