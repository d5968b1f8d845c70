"""What a panel needs from its host: starting runs and going on with them, writing a variable, reading history."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.edits import Edits
from flowbook.notebook.runs_view import RunsView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.flow_run.rest_plan import Way
    from flowbook.flow_run.reuse import RanTask
    from flowbook.notebook.parts_asked import Asked, MenuEntry
    from flowbook.notebook.ports import RunLike, VersionsLike
    from flowbook.notebook.value_access import Pager
    from flowbook.results.reference import ResultRef
    from flowbook.store.records import PastDecision

__all__ = [
    "AnswerAction",
    "Debugging",
    "Decided",
    "Invalidated",
    "PanelActions",
    "Started",
    "who_decides",
]

AnswerAction = Literal["resume", "skip", "reject"]


class Started(NamedTuple):
    """A run that begins or goes on.

    Attributes:
        run: the one to show from now on; None: what is shown stays.
        text: a sentence about it.
    """

    run: RunLike | None = None
    text: str = ""


class Decided(NamedTuple):
    """What a person decided about tasks that wait.

    Attributes:
        action: what becomes of them.
        keys: of the tasks; none: all that wait.
        note: recorded.
        inputs: values that the one task named gets instead of those that it waits with; only to resume.
    """

    action: AnswerAction
    keys: tuple[str, ...] = ()
    note: str = ""
    inputs: Mapping[str, object] = {}  # never changed


class Invalidated(NamedTuple):
    """What became of the stored outputs of a task that were invalidated.

    Attributes:
        text: a sentence about it.
        undo: makes them valid again, and returns a sentence; None if there were none.
    """

    text: str
    undo: Callable[[], str] | None = None


class Debugging(NamedTuple):
    """How a debugger opens where a task failed.

    Attributes:
        source: the cell that opens it.
        place: where it opens: "In [4], line 16, in check".
    """

    source: str
    place: str


def who_decides(command: Mapping[str, Any], actions: PanelActions) -> str:
    """Return who clicks: whom the host names with the command, as a page that several people use does, else its one person."""
    by = command.get("by")
    return by if isinstance(by, str) and by else actions.by


def _refuse_run(parameters: Mapping[str, object], asked: Asked) -> Started:
    del parameters, asked
    msg = "This panel can't start a run. Run its cell again."
    raise RefusedError(msg)


def _refuse_plan(parameters: Mapping[str, object], asked: Asked) -> Mapping[str, Any]:
    del parameters, asked
    msg = "This panel can't plan a run. Ask flow.plan()."
    raise RefusedError(msg)


def _refuse_rest(run: RunLike, way: Way) -> Mapping[str, Any]:
    del run, way
    msg = "This panel can't plan how a run goes on. Its page on flowbook's server can."
    raise RefusedError(msg)


def _retry(run: RunLike, by: str, note: str, keys: Sequence[str] = ()) -> Started:
    return Started(cast("RunLike", run.retry(by=by, note=note, tasks=keys)), "What failed runs again.")


def _hand_over(run: RunLike, by: str) -> Started:
    from flowbook.flow_runners import SubprocessFlowRunner  # noqa: PLC0415  # few runs are handed over

    # Its panel shows what tasks print.
    following = run.hand_over(SubprocessFlowRunner(stream_output=False), by=by)
    return Started(cast("RunLike", following), f"{run.flow_name} goes on in a process of its own.")


def _take_back(run: RunLike, by: str) -> Started:
    return Started(cast("RunLike", run.take_back(by=by)), "What runs elsewhere ends, then it goes on in this kernel.")


def _answer(run: RunLike, decided: Decided, by: str) -> Started:
    keys, note = decided.keys, decided.note
    if decided.action == "resume" and decided.inputs:
        return Started(cast("RunLike", run.resume(*keys, by=by, note=note, inputs=dict(decided.inputs))))
    act = {"resume": run.resume, "skip": run.skip, "reject": run.reject}[decided.action]
    return Started(cast("RunLike", act(*keys, by=by, note=note)))


def _refuse_debug(run: RunLike, key: str) -> Debugging:
    del run, key
    msg = "Only the notebook in which it runs can do that."
    raise RefusedError(msg)


def _refuse_invalidate(run: RunLike, key: str) -> Invalidated:
    del run, key
    msg = "Only the notebook in which it runs can do that."
    raise RefusedError(msg)


def _refuse_compare(first: str, second: str) -> Mapping[str, Any]:
    del first, second
    msg = "This panel can't compare runs. Ask run.compare(other)."
    raise RefusedError(msg)


def _refuse_open(run_id: str) -> RunLike:
    del run_id
    msg = "This panel can't show other runs. Show them with flowbook.run(...)."
    raise RefusedError(msg)


def _refuse_output(run_id: str, key: str) -> object:
    del run_id, key
    msg = "This panel can't read other runs. Compare them with flowbook.cache.diff(...)."
    raise RefusedError(msg)


def _refuse_variable(name: str, value: object) -> str:
    del name, value
    msg = "There is no namespace to write to here. Take the value from the flow's run."
    raise RefusedError(msg)


def _refuse_value(text: str) -> object:
    msg = f"{text[:80]} names a variable, and there are none here. Write the value itself, e.g. 20 or JFK."
    raise RefusedError(msg)


@dataclass(frozen=True, slots=True)
class PanelActions:
    """What the panel needs from its host; called in the worker's thread.

    Attributes:
        run: starts the flow again with these parameters (values, not texts), or what is asked for of it.
        plan: returns what that would do; see `RunPlan.plain`.
        plan_rest: returns what a run at rest would do if it went on; see `rest_plan_view`.
        menu: returns what the choices of a task's menu, or without a task of the flow's, would do.
        retry: runs again what failed in a run, or of it these tasks; gets who decides, and a note.
        hand_over: lets a process of its own go on with a run; gets who decides.
        take_back: lets a run go on in this process again; gets who decides.
        answer: answers tasks that wait in a run; gets who decides.
        assign: writes a value into the user's namespace under the wanted name, or one like it; returns the chosen name.
        variable: returns the value of the user's variable that a text such as "$n" names.
        cell_name: returns "In [4]" for the file name of a notebook's cell.
        history: returns a task's earlier runs, newest first.
        output: returns what a task gave in another run, by the run's id and the task's key.
        versions: reads outputs, to compare them, where no pickle may be loaded; None: they are loaded.
        decisions_before: returns what people decided about a task in earlier runs, newest first.
        why_ran: returns why a cached task of the run that is shown ran; None if nothing is known.
        maker: returns the number of the run that made a cache entry, by the entry's id; empty if it isn't known.
        runs: returns the newest runs of the flow, at most so many.
        debug: lets a debugger open where a task of a run failed; returns how.
        invalidate: lets the stored outputs of a task of a run expire, or of a child its own; returns what became of them.
        compare: returns what differs from one run to another, by their ids; see `RunComparison.plain`.
        compared: returns the comparison of two runs itself, to keep it in a variable.
        rows_before: returns the rows of a task's output in earlier runs, by the run's id.
        open_run: returns the run of an id, to show it.
        edits: returns what was edited since the tasks of a run ran.
        pages: returns what turns the pages of a stored value; None: the value is loaded for that.
        settled: called with the panel when the run pauses or ends, e.g. to update the static picture.
        by: who clicks.
        clock: monotonic seconds, to notice views that are gone.
    """

    run: Callable[[Mapping[str, object], Asked], Started] = _refuse_run
    plan: Callable[[Mapping[str, object], Asked], Mapping[str, Any]] = _refuse_plan
    plan_rest: Callable[[RunLike, Way], Mapping[str, Any]] = _refuse_rest
    menu: Callable[[Mapping[str, object], Asked], Sequence[MenuEntry]] = lambda *_: ()
    retry: Callable[[RunLike, str, str, Sequence[str]], Started] = _retry
    hand_over: Callable[[RunLike, str], Started] = _hand_over
    take_back: Callable[[RunLike, str], Started] = _take_back
    answer: Callable[[RunLike, Decided, str], Started] = _answer
    assign: Callable[[str, object], str] = _refuse_variable
    variable: Callable[[str], object] = _refuse_value
    cell_name: Callable[[str], str | None] = lambda _: None
    history: Callable[[str], Sequence[Mapping[str, Any]]] = lambda _: ()
    output: Callable[[str, str], object] = _refuse_output
    versions: VersionsLike | None = None
    decisions_before: Callable[[str], Sequence[PastDecision]] = lambda _: ()
    why_ran: Callable[[str], RanTask | None] = lambda _: None
    maker: Callable[[str], str] = lambda _: ""
    runs: Callable[[int], RunsView] = lambda _: RunsView((), 0)
    debug: Callable[[RunLike, str], Debugging] = _refuse_debug
    invalidate: Callable[[RunLike, str], Invalidated] = _refuse_invalidate
    compare: Callable[[str, str], Mapping[str, Any]] = _refuse_compare
    compared: Callable[[str, str], object] = _refuse_compare
    rows_before: Callable[[str], Mapping[str, int]] = lambda _: {}
    open_run: Callable[[str], RunLike] = _refuse_open
    edits: Callable[[RunLike], Edits] = lambda _: Edits()
    pages: Callable[[ResultRef], Pager] | None = None
    settled: Callable[[Any], None] = lambda _: None
    by: str = ""
    clock: Callable[[], float] = time.monotonic
